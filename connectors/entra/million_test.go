package entra

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"dirsyncd/connectors"
)

// BenchmarkPeople reads a thousand and a million people through a client, from pages of 200 without a network, and
// reports how much memory the read needs at its highest beyond what there was before.
func BenchmarkPeople(b *testing.B) {
	for _, people := range []int{1_000, 1_000_000} {
		b.Run(strconv.Itoa(people), func(b *testing.B) {
			for b.Loop() {
				readPeople(b, people)
			}
		})
	}
}

func readPeople(b *testing.B, people int) {
	b.Helper()
	client := must(NewClient(ClientOptions{
		Graph: "https://graph.microsoft.com", Base: crowd{people}, Credential: &Credential{Open: func() (azcore.TokenCredential, error) { return anyToken{}, nil }},
	}))
	sel := Defaults().selection(nil)
	sel.Tenant = "x"
	r := NewReader(client, sel)
	read, pages, highest, before := 0, 0, 0, heap()
	began, idle := time.Now(), time.Duration(0)
	err := r.Read(b.Context(), connectors.Request{Stream: streamUsers, Mode: connectors.Full}, func(p *connectors.Page) error {
		read += len(p.Objects)
		if pages++; pages%250 == 3 {
			looking := time.Now()
			highest = max(highest, heap()-before)
			idle += time.Since(looking)
		}
		return nil
	})
	if err != nil || read != people {
		b.Fatalf("%d people: %v", read, err)
	}
	b.ReportMetric(float64(people)/(time.Since(began)-idle).Seconds(), "users/s")
	b.ReportMetric(float64(highest)/(1<<20), "MiB-live")
}

// crowd is a Graph with so many people, each with an id of their own.
type crowd struct{ people int }

func (c crowd) RoundTrip(req *http.Request) (*http.Response, error) {
	const size = 200
	from := 0
	_, _ = fmt.Sscan(req.URL.Query().Get("$skiptoken"), &from)
	page := userPage(min(size, c.people-from))
	page = bytes.ReplaceAll(page, []byte(`"87d349ed-`), fmt.Appendf(nil, `"%08x-`, from))
	if from += size; from < c.people {
		page = bytes.ReplaceAll(page, []byte(`"@odata.deltaLink":"https://graph.microsoft.com/v1.0/users/delta?$deltatoken=x"`),
			fmt.Appendf(nil, `"@odata.nextLink":"https://graph.microsoft.com/v1.0/users/delta?$skiptoken=%d"`, from))
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(page)), Request: req,
	}, context.Cause(req.Context())
}
