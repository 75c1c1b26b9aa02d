package halosim

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// serve answers one request.
func (s *Sim) serve(w http.ResponseWriter, r *http.Request) {
	path, api := strings.CutPrefix(r.URL.Path, "/api/")
	resource, id, _ := strings.Cut(path, "/")
	name := r.Method + " " + resource
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil {
		before(name)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.URL.Path == "/auth/token" {
		s.token(w, r, body)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Requests++
	s.counts.By[name]++
	if r.Method != http.MethodGet {
		s.counts.Writes++
	}
	if !api || s.line(w, r, resource) {
		if !api {
			say(w, http.StatusNotFound, "text/html", "<html>not found</html>")
		}
		return
	}
	about, known := s.api.Resources[resource]
	switch {
	case resource == "authinfo":
		answer(w, http.StatusOK, map[string]any{"auth_url": s.URL + "/auth", "tenant_id": Tenant})
	case !s.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]:
		answer(w, http.StatusUnauthorized, map[string]any{"Message": "Authorization has been denied for this request."})
	case !known:
		s.stranger("path %s", path)
		answer(w, http.StatusNotFound, map[string]any{"Message": "No HTTP resource was found."})
	case s.faults.Forbid == resource:
		answer(w, http.StatusForbidden, map[string]any{"resultCode": 403, "errorMessage": "You do not have permission."})
	case s.faults.HTML:
		say(w, http.StatusOK, "text/html", "<html>Sign in</html>")
	case r.Method == http.MethodGet && s.faults.Nothing:
		say(w, http.StatusOK, "application/json", "null")
	case r.Method == http.MethodGet && id == "me" && resource == "Agent":
		answer(w, http.StatusOK, s.shown(resource, s.tables["Agent"].by[strconv.Itoa(Me)], false, nil))
	case r.Method == http.MethodGet && id != "":
		s.asked(resource, "one", about.One, r.URL.Query())
		s.one(w, resource, id, r.URL.Query())
	case r.Method == http.MethodGet:
		s.asked(resource, "list", about.List, r.URL.Query())
		s.list(w, resource, &about, r.URL.Query())
	case r.Method == http.MethodPost && id == "":
		s.post(w, r, resource, body)
	default:
		s.stranger("%s %s", r.Method, path)
		answer(w, http.StatusMethodNotAllowed, map[string]any{"Message": "The requested resource does not support that method."})
	}
}

// line lets a fault of the line happen; it reports whether the request is over.
func (s *Sim) line(w http.ResponseWriter, r *http.Request, resource string) bool {
	f := &s.faults
	switch {
	case s.happens(f.Hang):
		s.mu.Unlock()
		<-r.Context().Done()
		s.mu.Lock()
	case s.happens(f.Down):
		say(w, http.StatusBadGateway, "text/html", "<html>Bad gateway</html>")
	case s.happens(f.Throttle):
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		say(w, http.StatusTooManyRequests, "text/plain", "Too many requests")
	case resource != "authinfo" && s.happens(f.TokenEnds):
		clear(s.tokens)
		answer(w, http.StatusUnauthorized, map[string]any{"Message": "The token has expired."})
	default:
		return false
	}
	return true
}

func (s *Sim) token(w http.ResponseWriter, r *http.Request, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Requests++
	s.counts.By["POST token"]++
	form, err := url.ParseQuery(string(body))
	switch {
	case err != nil, form.Get("grant_type") != "client_credentials", form.Get("scope") == "":
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
	case form.Get("client_id") != ClientID, form.Get("client_secret") != Secret:
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_client"})
	case form.Get("tenant") != Tenant, r.URL.Query().Get("tenant") != Tenant:
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_tenant"})
	default:
		s.next++
		token := fmt.Sprintf("token-%d", s.next)
		s.tokens[token] = true
		answer(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600})
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	say(w, status, "application/json; charset=utf-8", string(data))
}

func say(w http.ResponseWriter, status int, kind, body string) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// asked notes parameters that are not described.
func (s *Sim) asked(resource, what string, described []string, query url.Values) {
	for name := range query {
		if !slices.Contains(described, name) {
			s.stranger("parameter %s of %s of %s", name, what, resource)
		}
	}
}

// shown is a thing as an answer has it: a row has some of its properties, a single one all, null where there is nothing.
func (s *Sim) shown(resource string, t Thing, row bool, query url.Values) map[string]any {
	about := s.api.Resources[resource]
	types := s.types(resource)
	names := about.Row
	if !row {
		names = slices.Collect(maps.Keys(types))
	}
	out := map[string]any{}
	for _, name := range names {
		if name[0] == '_' || strings.HasPrefix(name, "new") || name == "sendwelcomeemail" || name == "add_roles" || name == "dont_do_rules" || name == "donotapplytemplateintheapi" {
			continue
		}
		out[name] = s.spelled(types[name], name, t[name])
	}
	if !row && types["external_links"] != "" {
		delete(out, "external_links")
		if !s.faults.LinksHidden {
			links := []any{}
			for _, l := range s.links[[2]int{tableOf(resource), t.ID()}] {
				links = append(links, s.shown("ExternalLink", l, true, nil))
			}
			out["external_links"] = links
		}
	}
	if !row && types["open_ticket_count"] != "" {
		delete(out, "open_ticket_count")
		if query.Get("includeactivity") == "true" {
			out["open_ticket_count"] = s.open(resource, t.ID())
		}
	}
	return out
}

// spelled is a value as the desk spells it.
func (s *Sim) spelled(typ, name string, v any) any {
	switch v := v.(type) {
	case bool:
		if s.faults.Words {
			return map[bool]string{true: "True", false: "False"}[v]
		}
	case int:
		if typ == "number" || s.faults.Numbers && (name == "id" || strings.HasSuffix(name, "_id")) {
			return json.RawMessage(strconv.Itoa(v) + ".0")
		}
	}
	return v
}

// tableOf is the number of a resource in external links.
func tableOf(resource string) int {
	return map[string]int{"Client": 1, "Site": 2, "Users": 3}[resource]
}

// filterOf is the filter of tickets by things of a resource.
func filterOf(resource string) string {
	return map[string]string{"Client": "client_id", "Site": "site_id", "Users": "user_id", "Agent": "agent_id", "Asset": "asset_id"}[resource]
}

// open counts the open tickets of a thing.
func (s *Sim) open(resource string, id int) (n int) {
	for _, t := range s.tables["Tickets"].list {
		if t[filterOf(resource)] == id && t["hasbeenclosed"] != true {
			n++
		}
	}
	return n
}

func (s *Sim) one(w http.ResponseWriter, resource, id string, query url.Values) {
	t := s.tables[resource].by[id]
	if t == nil || s.hidden(resource, t) {
		answer(w, http.StatusNotFound, map[string]any{"ClassName": "System.Exception", "Message": "Not found"})
		return
	}
	answer(w, http.StatusOK, s.shown(resource, t, false, query))
}

// hidden: rights that were taken away hide every other thing.
func (s *Sim) hidden(resource string, t Thing) bool {
	return s.faults.RightsShrink && resource != "Agent" && t.ID()%2 == 1
}

// yes reads a parameter that is true or false.
func yes(q url.Values, name string) bool { return strings.EqualFold(q.Get(name), "true") }

func (s *Sim) list(w http.ResponseWriter, resource string, about *Resource, q url.Values) {
	f := &s.faults
	types := s.types(resource)
	listed := s.listing(resource, types, q)
	var found []Thing
	for _, t := range s.tables[resource].list {
		if !s.hidden(resource, t) && listed(t) {
			found = append(found, t)
		}
	}
	total := len(found)
	if f.Cap > 0 && len(found) > f.Cap {
		found = found[:f.Cap]
	}
	if about.Envelope != "" || resource == "ExternalLink" {
		slices.SortStableFunc(found, func(a, b Thing) int { return a.ID() - b.ID() })
		size, page := len(found), 1
		if yes(q, "pageinate") {
			size, page = 50, 1
			if n, err := strconv.Atoi(q.Get("page_size")); err == nil && n > 0 {
				size = n
			}
			if n, err := strconv.Atoi(q.Get("page_no")); err == nil && n > 0 && !f.PagesIgnored {
				page = n
			}
			if resource == "Tickets" {
				size = min(size, 100)
			}
		} else if n, err := strconv.Atoi(q.Get("count")); err == nil && n > 0 {
			size = n
		}
		from := min((page-1)*size, len(found))
		if f.Overlap && from > 0 {
			from--
		}
		found = found[from:min(from+size, len(found))]
	}
	rows := make([]any, len(found))
	for i, t := range found {
		rows[i] = s.shown(resource, t, true, q)
	}
	if about.Envelope == "" && resource != "ExternalLink" || resource == "ExternalLink" && f.LinksBare {
		answer(w, http.StatusOK, rows)
		return
	}
	name := about.Envelope
	if name == "" {
		name = "externallinks"
	}
	out := map[string]any{name: rows, "page_no": 1}
	if !f.NoCount {
		out["record_count"] = total
		if f.WrongCount {
			out["record_count"] = total + 1
		}
	}
	answer(w, http.StatusOK, out)
}

// listing returns what reports whether a list shows a thing.
func (s *Sim) listing(resource string, types map[string]string, q url.Values) func(Thing) bool {
	f := &s.faults
	same := map[string]string{}
	for _, name := range []string{"client_id", "site_id", "user_id", "agent_id", "asset_id", "halo_id", "module_id"} {
		if want := q.Get(name); want != "" {
			same[name] = want
		}
	}
	if want := q.Get("requesttype_id"); want != "" {
		same["tickettype_id"] = want
	}
	alike := map[string]string{}
	for _, name := range []string{"third_party_id", "third_party_type", "third_party_id_string", "azure_tenant_id"} {
		if want := q.Get(name); want != "" && !f.FiltersIgnored {
			alike[name] = want
		}
	}
	inactive, disabled := yes(q, "includeinactive"), yes(q, "includedisabled")
	programs, services, onlyOpen := yes(q, "includeapiagents"), yes(q, "includeserviceaccount"), yes(q, "open_only")
	search := q.Get("search")
	return func(t Thing) bool {
		off := t["inactive"] == true || t["isdisabled"] == true || types["is_active"] != "" && t["is_active"] != true
		switch {
		case off && f.HideInactive && resource != "Tickets",
			off && (types["inactive"] != "" || types["is_active"] != "") && resource != "Team" && !inactive,
			off && (resource == "Agent" || resource == "Team") && !disabled,
			t["isapiagent"] == true && !programs, t["isserviceaccount"] == true && !services,
			onlyOpen && t["hasbeenclosed"] == true:
			return false
		}
		for name, want := range same {
			if fmt.Sprint(t[name]) != want {
				return false
			}
		}
		for name, want := range alike {
			if have, _ := t[name].(string); !strings.EqualFold(have, want) {
				return false
			}
		}
		return search == "" || f.SearchIgnored || !f.SearchEmpty && s.looksLike(resource, t, search)
	}
}

// looksLike: a search looks for a part of what people see.
func (s *Sim) looksLike(resource string, t Thing, search string) bool {
	names := map[string][]string{
		"Client": {"name", "domain"}, "Site": {"name"}, "Users": {"name", "emailaddress", "login"}, "Asset": {"inventory_number"}, "Tickets": {"summary"},
	}[resource]
	for _, name := range names {
		text := t.Text(name)
		if s.faults.SearchMinds && strings.Contains(text, search) || !s.faults.SearchMinds && strings.Contains(strings.ToLower(text), strings.ToLower(search)) {
			return true
		}
	}
	return false
}
