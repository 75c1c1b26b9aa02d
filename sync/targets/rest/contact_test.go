package rest

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// crowd is a place of many people whose answers cost nothing to make.
type crowd struct{ pages []string }

const crowdPage = 100

func newCrowd(n int) *crowd {
	c := &crowd{}
	for from := 0; from < n; from += crowdPage {
		rows := make([]string, crowdPage)
		for i := range rows {
			rows[i] = c.one(from + i + 1)
		}
		c.pages = append(c.pages, fmt.Sprintf(`{"list": [%s], "total": %d}`, strings.Join(rows, ","), n))
	}
	return c
}

func (c *crowd) one(id int) string {
	return fmt.Sprintf(`{"id": %d, "active": true, "login": "login%d", "email": "login%d@example.test", "name": "Somebody with the number %d", "extra": [{"field": "key", "value": "hq/login%d"}], "company": 7}`, id, id, id, id, id)
}

func (c *crowd) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := 200, `{"list": [], "total": 0}`
	_, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/"), "/")
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	id, _ := strconv.Atoi(rest)
	switch {
	case r.URL.Path == "/api/me":
		body = `{"me": {"id": 999999}}`
	case r.Method == http.MethodPost && rest == "":
		status, body = 201, `{"it": {"id": 5}}`
	case r.Method == http.MethodPatch:
		status, body = 204, ""
	case id > 0:
		body = `{"it": ` + c.one(id) + `}`
	case page > 0 && page <= len(c.pages):
		body = c.pages[page-1]
	case page > 0:
		body = fmt.Sprintf(`{"list": [], "total": %d}`, len(c.pages)*crowdPage)
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

// BenchmarkFirstContact is our own part of a first contact with ten thousand people: all are listed, half of them are adopted and as
// many are made, each read again after it was written.
func BenchmarkFirstContact(b *testing.B) {
	const many = 10_000
	cfg := configOfSim(b, &sim{Server: newSim(b, "page").Server, by: "page"}, "")
	cfg.Pages.Per = crowdPage
	p := compile(cfg, ignored)
	clock := time.Now()
	cl, err := newClientOver(newCrowd(many), cfg, p, targets.Env{Now: func() time.Time { clock = clock.Add(time.Second); return clock }}) // the pace never waits
	if err != nil {
		b.Fatal(err)
	}
	d := &Desk{cfg: cfg, place: p, client: cl}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		proof, err := d.Survey(b.Context(), directory.UserRecord, func(*targets.Entity) error { n++; return nil })
		if err != nil || n != many || proof.Doubt != "" {
			b.Fatal(n, proof, err)
		}
		for i := range many / 2 {
			job := person("login" + strconv.Itoa(i+1))
			do(b, d, job)
			job.Op, job.ID = directory.Update, strconv.Itoa(i+1)
			do(b, d, job)
		}
	}
}
