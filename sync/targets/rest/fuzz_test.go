package rest

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// says answers every request with the same.
type says struct {
	status int
	body   string
	header http.Header
	hosts  map[string]bool
}

func (s *says) RoundTrip(r *http.Request) (*http.Response, error) {
	s.hosts[r.URL.Host] = true
	return &http.Response{StatusCode: s.status, Header: s.header.Clone(), Body: io.NopCloser(strings.NewReader(s.body)), ContentLength: int64(len(s.body)), Request: r}, nil
}

// FuzzAnswers: whatever a place answers, nothing breaks, nothing is handed over twice or without an id, nothing goes elsewhere, and no
// error shows the token.
func FuzzAnswers(f *testing.F) {
	f.Add(200, `{"items": [{"id": 1, "Name": "a", "Disabled": "1", "CustomFields": [{"name": "k", "values": ["m"]}]}], "total": 1}`, "")
	f.Add(200, `{"users": [{"id": 1, "login": "a", "status": 3, "custom_fields": [{"id": 7, "value": null}]}, {"id": 1}], "total_count": "x"}`, "")
	f.Add(200, `[{"id": 12345678901234567890, "login": "a", "active": false, "roles": ["Agent"]}]`, "")
	f.Add(200, `{"status": "error", "messages": {"username": ["taken", 7, null]}}`, "")
	f.Add(200, `{"requesters": [{"id": 1.5, "department_ids": []}]}`, `<https://evil.test/x>; rel="next", <;>; rel`)
	f.Add(201, `{"user": {"id": "1", "suspended": "maybe"}, "links": {"next": "//evil.test/"}, "meta": {"has_more": true}}`, "")
	f.Add(422, `{"errors": ["Login has already been taken"]}`, "")
	f.Add(200, `{"result": null}`, "</next>; rel=next")
	f.Add(429, ``, "")
	f.Add(200, `{"me": {"id": "x"}, "user": {"id": "x"}, "id": {"id": []}}`, "")
	configs := map[string]*Config{}
	for _, preset := range Presets() {
		configs[preset] = configOf(f, preset, nameMap{"mark": "employee_num", "group_mark": "k", "customer_mark": "k"})
		configs[preset].Rate = 1000
	}
	f.Fuzz(func(t *testing.T, status int, body, link string) {
		if status < 200 || status > 599 || strings.ContainsAny(link, "\r\n\x00") {
			t.Skip()
		}
		for preset, cfg := range configs {
			p := compile(cfg, ignored)
			base := &says{status: status, body: body, header: http.Header{"Content-Type": {"application/json"}, "Link": {link}, "X-Total-Count": {"3"}}, hosts: map[string]bool{}}
			cl, err := newClientOver(base, cfg, p, targets.Env{Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			cl.reads = cl.writes
			d := &Desk{cfg: cfg, place: p, client: cl}
			tell := func(err error) {
				if err != nil && strings.Contains(err.Error(), "s3cret-token") {
					t.Errorf("%s: an error shows the token: %v", preset, err)
				}
			}
			for _, of := range p.order {
				seen := map[string]bool{}
				_, err := d.Survey(t.Context(), of, func(e *targets.Entity) error {
					if e.ID == "" || seen[e.ID] {
						t.Errorf("%s: %q is handed over, again %t", preset, e.ID, seen[e.ID])
					}
					seen[e.ID] = true
					return nil
				})
				tell(err)
				e, err := d.Fetch(t.Context(), of, "1")
				if tell(err); err == nil && e.ID != "1" {
					t.Errorf("%s: fetched %q", preset, e.ID)
				}
				for name := range p.kinds[of].find {
					found, err := d.Find(t.Context(), of, name, "a")
					tell(err)
					for i := range found {
						if !strings.EqualFold(found[i].Keys[name], "a") {
							t.Errorf("%s: %s finds %q", preset, name, found[i].Keys[name])
						}
					}
				}
			}
			job := ada("name", "Ada", "given_name", "A", "family_name", "B")
			for _, job := range []targets.Job{job, {Op: directory.Deactivate, Kind: job.Kind, ID: "1"}, {Op: directory.Update, Kind: job.Kind, ID: "1", Fields: job.Fields}} {
				r := try(t, d, job)
				if tell(r.Err); r.Err == nil && r.Entity.ID == "" {
					t.Errorf("%s: %s succeeded without an id", preset, job.Op)
				}
			}
			for host := range base.hosts {
				if host != "desk.example.test" {
					t.Errorf("%s: %s was asked", preset, host)
				}
			}
		}
	})
}

// FuzzPath: what can be read as a path leads to what was put there.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"a", "a.b[0].c", "custom_fields[id=7].value", "a[0][1]", "[x=y].z", ".", "a..b", "a[", "]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePath(text)
		if err != nil || len(p) > 0 && p[len(p)-1].key != "" {
			return // the last one names the element itself: what is put there has not its member
		}
		if v, ok := p.get(p.set(nil, "x")); !ok || v != "x" {
			t.Errorf("%q: %v", text, v)
		}
	})
}
