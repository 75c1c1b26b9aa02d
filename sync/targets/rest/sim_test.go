package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/targets"
)

// sim is a small place with an HTTP API: companies, people and teams. It pages in one of several ways, and does wrong what it is told to.
type sim struct {
	*httptest.Server
	by string // the paging form

	mu     sync.Mutex
	next   int
	things map[string][]map[string]any // by collection, in the order of their ids
	faults simFaults

	requests, writes, mails int
	methods                 []string // of requests that would change something
}

type simFaults struct {
	pageIgnored, filterIgnored, hideInactive, redirect, html bool
	totalOff                                                 int  // the total is so much more than there is
	errorInside                                              bool // 200 with an error for everything that is written
	cut                                                      int  // texts are cut, without a word
	lost                                                     int  // so many writes take effect and get no answer
	throttle                                                 int  // so many requests are refused with 429
	retryAfter                                               string
	down, noMark                                             bool
	notThere                                                 bool // whatever a thing is to be is not there
	nextElsewhere                                            string
}

const simToken = "s3cret-of-the-sim"

func newSim(t testing.TB, by string) *sim {
	s := &sim{by: by, things: map[string][]map[string]any{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *sim) set(change func(*simFaults)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.faults)
}

func (s *sim) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	f := &s.faults
	say := func(status int, body any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
	collection, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/"), "/")
	reads := r.Method == http.MethodGet || rest == "search"
	if !reads {
		s.methods = append(s.methods, r.Method+" "+collection)
	}
	switch {
	case r.Header.Get("X-Key") != "key "+simToken:
		say(401, map[string]any{"error": "who are you"})
		return
	case f.down:
		say(503, map[string]any{"error": "down"})
		return
	case f.redirect:
		http.Redirect(w, r, "http://evil.test/", http.StatusFound)
		return
	case f.html:
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>log in</html>"))
		return
	case f.throttle > 0:
		f.throttle--
		if f.retryAfter != "" {
			w.Header().Set("Retry-After", f.retryAfter)
		}
		say(429, map[string]any{"error": "slow down"})
		return
	case !reads && f.errorInside:
		say(200, map[string]any{"status": "error", "messages": map[string]any{"name": []any{"The name may not be."}}})
		return
	}
	if r.URL.Path == "/api/me" {
		say(200, map[string]any{"me": map[string]any{"id": 999999}})
		return
	}
	var body map[string]any
	if r.Body != nil {
		d := json.NewDecoder(r.Body)
		d.UseNumber()
		_ = d.Decode(&body)
	}
	if !reads {
		s.writes++
		if f.lost > 0 {
			f.lost--
			defer func() { panic(http.ErrAbortHandler) }()
			say = func(int, any) {}
		}
	}
	id, sub, _ := strings.Cut(rest, "/")
	at := slices.IndexFunc(s.things[collection], func(m map[string]any) bool { return textOf(m["id"]) == id })
	switch {
	case rest == "" && r.Method == http.MethodPost:
		in, _ := body["it"].(map[string]any)
		if in["quiet"] != true {
			s.mails++
		}
		for _, unique := range []string{"login", "email"} {
			if s.clash(collection, "", unique, textOf(in[unique])) {
				say(422, map[string]any{"errors": []any{unique + " has already been taken"}})
				return
			}
		}
		s.next++
		m := map[string]any{"id": json.Number(strconv.Itoa(s.next)), "active": true}
		s.write(m, in)
		s.things[collection] = append(s.things[collection], m)
		say(201, map[string]any{"it": s.shown(m)})
	case rest == "" || rest == "search":
		s.list(say, w, r, collection, body)
	case at < 0:
		say(404, map[string]any{"error": "not found"})
	case !reads && f.notThere:
		say(404, map[string]any{"error": "no such person"})
	case sub != "":
		s.members(say, r, s.things[collection][at], strings.TrimPrefix(sub, "members"))
	case r.Method == http.MethodGet:
		say(200, map[string]any{"it": s.shown(s.things[collection][at])})
	case r.Method == http.MethodPatch:
		in, _ := body["it"].(map[string]any)
		if in["quiet"] != true {
			s.mails++
		}
		for _, unique := range []string{"login", "email"} {
			if s.clash(collection, id, unique, textOf(in[unique])) {
				say(422, map[string]any{"errors": []any{unique + " has already been taken"}})
				return
			}
		}
		s.write(s.things[collection][at], in)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodDelete:
		s.things[collection] = slices.Delete(s.things[collection], at, at+1)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *sim) clash(collection, self, key, value string) bool {
	return value != "" && slices.ContainsFunc(s.things[collection], func(m map[string]any) bool {
		return textOf(m["id"]) != self && strings.EqualFold(textOf(m[key]), value)
	})
}

func (s *sim) write(m, in map[string]any) {
	for name, v := range in {
		if text, is := v.(string); is && s.faults.cut > 0 && len(text) > s.faults.cut && name != "extra" {
			v = text[:s.faults.cut]
		}
		if name == "extra" && s.faults.noMark || name == "quiet" {
			continue
		}
		m[name] = v
	}
}

func (s *sim) shown(m map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		if k != "members" {
			out[k] = v
		}
	}
	return out
}

func (s *sim) members(say func(int, any), r *http.Request, m map[string]any, member string) {
	list, _ := m["members"].([]any)
	member = strings.TrimPrefix(member, "/")
	at := slices.IndexFunc(list, func(v any) bool { return textOf(v) == member })
	switch {
	case r.Method == http.MethodGet:
		rows := make([]any, len(list))
		for i := range list {
			rows[i] = map[string]any{"person": list[i]}
		}
		say(200, map[string]any{"rows": rows})
	case r.Method == http.MethodPut:
		if at < 0 {
			list = append(list, json.Number(member))
		}
		m["members"] = list
		say(200, []any{"added"})
	case at < 0:
		say(404, nil)
	default:
		m["members"] = slices.Delete(list, at, at+1)
		say(200, []any{"gone"})
	}
}

func (s *sim) list(say func(int, any), w http.ResponseWriter, r *http.Request, collection string, body map[string]any) {
	f, q := &s.faults, r.URL.Query()
	rows := []any{}
	for _, m := range s.things[collection] {
		if f.hideInactive && m["active"] == false {
			continue
		}
		if !f.filterIgnored {
			if v := q.Get("login"); v != "" && !strings.EqualFold(textOf(m["login"]), v) {
				continue
			}
			if v := q.Get("like"); v != "" && !strings.Contains(strings.ToLower(textOf(m["email"])), strings.ToLower(v)) {
				continue
			}
			if v := textOf(body["key"]); v != "" {
				p, _ := parsePath("extra[field=key].value")
				if have, _ := p.get(m); textOf(have) != v {
					continue
				}
			}
		}
		rows = append(rows, s.shown(m))
	}
	per, _ := strconv.Atoi(q.Get("per"))
	per = min(max(per, 1), 20)
	from := 0
	switch s.by {
	case "page", "link":
		n, _ := strconv.Atoi(q.Get("page"))
		from = (max(n, 1) - 1) * per
	case "offset", "cursor", "next":
		from, _ = strconv.Atoi(q.Get("from"))
	default:
		per = len(rows)
	}
	if f.pageIgnored {
		from = 0
	}
	from = min(from, len(rows))
	to := min(from+per, len(rows))
	out := map[string]any{"list": rows[from:to], "total": len(rows) + f.totalOff}
	if to < len(rows) {
		address := func(name string, n int) string {
			u := *r.URL
			q.Set(name, strconv.Itoa(n))
			u.RawQuery = q.Encode()
			return u.String()
		}
		switch s.by {
		case "link":
			w.Header().Add("Link", `<https://other.test/x>; rel="prev", <`+f.nextElsewhere+address("page", from/per+2)+`>; rel="next"`)
		case "cursor":
			out["next"], out["more"] = strconv.Itoa(to), true
		case "next":
			out["next"] = f.nextElsewhere + address("from", to)
		}
	} else {
		out["more"] = false
	}
	w.Header().Set("X-Total", strconv.Itoa(len(rows)+f.totalOff))
	say(200, out)
}

// simPages are the paging forms, as an operator writes them.
func simPages() map[string]string {
	return map[string]string{
		"page":   "{by: page, page: page, size: per, per: 20, total: total}",
		"offset": "{by: offset, page: from, size: per, per: 20, total_header: X-Total}",
		"cursor": "{by: cursor, page: from, size: per, per: 20, next: next, more: more, total: total}",
		"next":   "{by: next, size: per, per: 20, next: next}",
		"link":   "{by: link, size: per, per: 20}",
		"none":   "{by: none}",
	}
}

const simKinds = `
headers: {X-Client: dirsyncd}
auth: {header: X-Key, prefix: "key ", token: ` + simToken + `}
self: {get: /me, item: me, id: id}
errors:
  - {status: [422], matches: already been taken, class: exists}
  - {at: status, is: error, text: messages, class: invalid}
kinds:
  customer:
    list: {get: /companies, items: list}
    get: {get: "/companies/{id}", item: it}
    find: {mark: {post: /companies/search, body: {key: "{value}"}, items: list}}
    create: {post: /companies, into: it, item: it}
    update: {patch: "/companies/{id}", into: it}
    delete: {delete: "/companies/{id}"}
    mark: extra[field=key].value
    keys: [{name: name, at: name}]
    title: name
    always: {quiet: true}
    fields: {name: name}
  user:
    list: {get: /people, items: list}
    get: {get: "/people/{id}", item: it}
    find:
      mark: {post: /people/search, body: {key: "{value}"}, items: list}
      login: {get: "/people?login={value}", items: list}
      email: {get: "/people?like={value}", items: list, fuzzy: true}
    create: {post: /people, body: {it: {password: "{random}"}}, into: it, item: it}
    update: {patch: "/people/{id}", into: it}
    deactivate: {patch: "/people/{id}", body: {it: {active: false}}, into: it}
    reactivate: {patch: "/people/{id}", body: {it: {active: true}}, into: it}
    delete: {delete: "/people/{id}"}
    mark: extra[field=key].value
    keys: [{name: login, at: login, usual: [login, email]}, {name: email, at: email}]
    fields: {login: {at: login, or: [email]}, email: email, name: name, title: {at: job, none: "null"}, phone: "phones[0].number"}
    references: {customer: {kind: customer, at: company, as: number}}
    active: {at: active, is: true}
    protect: [{at: role, is: admin, why: an administrator}]
    always: {quiet: true}
  group:
    list: {get: /teams, items: list}
    get: {get: "/teams/{id}", item: it}
    create: {post: /teams, into: it, item: it}
    update: {patch: "/teams/{id}", into: it}
    delete: {delete: "/teams/{id}"}
    members: {get: "/teams/{id}/members", items: rows, id: person, pages: {by: none}}
    add: {put: "/teams/{id}/members/{member}"}
    remove: {delete: "/teams/{id}/members/{member}"}
    mark: extra[field=key].value
    keys: [{name: name, at: name, proposes: true}]
    title: name
    always: {quiet: true}
    fields: {name: name}
`

// configOfSim is what an operator writes for a sim.
func configOfSim(t testing.TB, s *sim, more string) *Config {
	t.Helper()
	return readConfig(t, fmt.Sprintf("url: %s/api\nrate: 1000\npages: %s\n%s%s", s.URL, simPages()[s.by], simKinds, more))
}

func readConfig(t testing.TB, text string) *Config {
	t.Helper()
	cfg := defaults()
	doc := strict.Parse([]byte(text), strict.Options{LookupEnv: func(string) (string, bool) { return "", false }})
	doc.Root().Into(cfg)
	if problems := doc.Problems(); len(problems) > 0 {
		t.Fatal(problems)
	}
	if issues := cfg.Validate(); len(issues) > 0 {
		t.Fatal(issues)
	}
	cfg.Timeout = settings.Duration(time.Minute)
	return cfg
}

// openSim opens the desk of a sim. Reads are tried once, so that what is broken is told at once.
func openSim(t testing.TB, s *sim, more string) *Desk {
	t.Helper()
	d, err := Open(configOfSim(t, s, more), targets.Env{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	d.client.reads = d.client.writes
	t.Cleanup(func() { _ = d.Close() })
	return d
}
