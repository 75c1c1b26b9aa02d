package okta

import (
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/oktasim"
	"dirsyncd/sync/settings"
)

// pageOf returns one page of users as an org sends it.
func pageOf(b *testing.B) []byte {
	b.Helper()
	org, err := oktasim.Start(oktasim.Options{People: 200})
	if err != nil {
		b.Fatal(err)
	}
	defer org.Close()
	req, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, org.URL+"/api/v1/users?limit=200", nil)
	req.Header.Set("Authorization", "SSWS "+org.Token())
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// BenchmarkDecode measures users from the wire to normal form.
func BenchmarkDecode(b *testing.B) {
	body := pageOf(b)
	tr := newTranslator(Defaults())
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	users := 0
	for b.Loop() {
		entries, problem := entriesOf(body)
		if problem != "" {
			b.Fatal(problem)
		}
		for _, raw := range entries {
			if _, invalid := tr.user(raw, ""); invalid != nil {
				b.Fatal(invalid.Err)
			}
		}
		users += len(entries)
	}
	b.ReportMetric(float64(users)/b.Elapsed().Seconds(), "users/s")
}

// canned answers every page of users with the same body under other links, without a network.
type canned struct {
	body  []byte
	pages int
	at    int
}

func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	h := http.Header{"Content-Type": {"application/json"}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}
	body := `[]`
	h.Add("Link", `<https://example.okta.com`+r.URL.Path+`?x>; rel="self"`)
	switch q := r.URL.Query(); {
	case strings.Contains(r.URL.Path, "organization"):
		body = `{"id":"00o1"}`
	case strings.HasSuffix(r.URL.Path, "/me"):
		body = `{"id":"00u1"}`
	case strings.HasSuffix(r.URL.Path, "/groups"):
		body = `[{"id":"00g1","type":"BUILT_IN","profile":{"name":"Everyone"}}]`
	case strings.HasSuffix(r.URL.Path, "/logs"):
		h.Add("Link", `<https://example.okta.com`+r.URL.Path+`?after=1>; rel="next"`)
	case strings.HasSuffix(r.URL.Path, "/users") && q.Get("filter") == "":
		body = ""
		if c.at++; c.at < c.pages {
			h.Add("Link", `<https://example.okta.com`+r.URL.Path+`?after=`+fmtInt(c.at)+`>; rel="next"`)
		}
	}
	if body == "" {
		return &http.Response{StatusCode: http.StatusOK, Header: h, Request: r, Body: io.NopCloser(strings.NewReader(string(c.body)))}, nil
	}
	return &http.Response{StatusCode: http.StatusOK, Header: h, Request: r, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// BenchmarkHalfAMillion reads 500,000 people through the SDK and reports how much memory the read needs at its
// highest beyond what there was before: it does not grow with the number of people.
func BenchmarkHalfAMillion(b *testing.B) {
	body := pageOf(b)
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		cfg := Defaults()
		cfg.URL, cfg.Token = "https://example.okta.com", settings.NewSecret("x")
		network := &canned{body: body, pages: (500_000 + len(list) - 1) / len(list)}
		conn, err := open(cfg, connectors.Env{Now: time.Now}, network)
		if err != nil {
			b.Fatal(err)
		}
		var before, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		people, pages, highest := 0, 0, uint64(0)
		began := time.Now()
		err = connectors.Guard(conn).Read(b.Context(), connectors.Request{Stream: streamUsers, Mode: connectors.Full}, func(p *connectors.Page) error {
			people += len(p.Objects)
			if pages++; pages%250 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&now)
				highest = max(highest, now.HeapAlloc)
			}
			return nil
		})
		if err != nil || people < 499_000 {
			b.Fatalf("%d people: %v", people, err)
		}
		b.ReportMetric(float64(people)/time.Since(began).Seconds(), "users/s")
		b.ReportMetric((float64(highest)-float64(before.HeapAlloc))/(1<<20), "MiB-live")
		_ = conn.Close()
	}
}
