package entra

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"dirsyncd/connectors"
)

// endless is a Graph with so many pages of one group with many members each.
type endless struct{ pages int }

const pageMembers = 1000

func (e endless) RoundTrip(req *http.Request) (*http.Response, error) {
	at := 0
	_, _ = fmt.Sscan(req.URL.Query().Get("$skiptoken"), &at)
	var b strings.Builder
	fmt.Fprintf(&b, `{"value":[{"id":"00000000-0000-4000-8000-%012x","displayName":"Group %d","securityEnabled":true,"members@delta":[`, at, at)
	for i := range pageMembers {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"@odata.type":"#microsoft.graph.user","id":"10000000-0000-4000-8000-%012x"}`, i)
	}
	link := fmt.Sprintf(`"@odata.nextLink":"https://graph.test/v1.0/groups/delta?$skiptoken=%d"`, at+1)
	if at+1 == e.pages {
		link = `"@odata.deltaLink":"https://graph.test/v1.0/groups/delta?$deltatoken=x"`
	}
	b.WriteString("]}]," + link + "}")
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(b.String())), Request: req,
	}, nil
}

type anyToken struct{}

func (anyToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "t", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestPagesAreLetGo: what a first round remembers of its pages is not the pages.
func TestPagesAreLetGo(t *testing.T) {
	const pages = 200
	client := must(NewClient(ClientOptions{
		Graph: "https://graph.test", Base: endless{pages}, Credential: &Credential{Open: func() (azcore.TokenCredential, error) { return anyToken{}, nil }},
	}))
	r := NewReader(client, Selection{Tenant: "x", Groups: true})
	before, grown, read := heap(), 0, 0
	err := r.Read(t.Context(), connectors.Request{Stream: streamGroups, Mode: connectors.Full}, func(*connectors.Page) error {
		if read++; read == pages-1 {
			grown = heap() - before
		}
		return nil
	})
	if err != nil || read != pages {
		t.Fatalf("%d pages: %v", read, err)
	}
	if grown > 4<<20 {
		t.Errorf("%d kB are kept after %d pages", grown>>10, pages)
	}
}
