package tour

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// accounts is a made-up service of users, as much of SCIM 2.0 (RFC 7644) as the tour needs. People used it before.
type accounts struct {
	*httptest.Server
	mu    sync.Mutex
	users map[int]map[string]any
	wrote int // requests that changed something
}

func openAccounts() *accounts {
	a := &accounts{users: map[int]map[string]any{}}
	a.Server = httptest.NewServer(a)
	return a
}

// add makes an account, as somebody there does.
func (a *accounts) add(login, name, mail, title string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := len(a.users) + 1
	a.users[id] = map[string]any{"id": strconv.Itoa(id), "userName": login, "displayName": name, "title": title, "active": true,
		"emails": []any{map[string]any{"value": mail, "type": "work"}}}
}

// edit changes the title of whoever has a name, as somebody there does.
func (a *accounts) edit(name, title string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, u := range a.users {
		if u["displayName"] == name {
			u["title"] = title
		}
	}
}

func (a *accounts) title(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, u := range a.users {
		if u["displayName"] == name {
			return fmt.Sprint(u["title"])
		}
	}
	return ""
}

func (a *accounts) counts() (users, wrote int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.users), a.wrote
}

// ServeHTTP implements http.Handler.
func (a *accounts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	kind, last, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	id, _ := strconv.Atoi(last)
	user := a.users[id]
	say := func(status int, body any) {
		w.Header().Set("Content-Type", "application/scim+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body) // who went away hears nothing
	}
	switch {
	case kind != "Users" || last != "" && user == nil:
		say(http.StatusNotFound, map[string]any{"status": "404"})
	case r.Method == http.MethodGet && last == "":
		say(http.StatusOK, a.page(r))
	case r.Method == http.MethodGet:
		say(http.StatusOK, user)
	case r.Method == http.MethodPost, r.Method == http.MethodPut:
		next := map[string]any{}
		if err := json.NewDecoder(r.Body).Decode(&next); err != nil {
			say(http.StatusBadRequest, map[string]any{"status": "400"})
			return
		}
		status := http.StatusOK
		if user == nil {
			id, status = len(a.users)+1, http.StatusCreated
		}
		next["id"] = strconv.Itoa(id)
		a.users[id] = next
		a.wrote++
		say(status, next)
	default:
		say(http.StatusMethodNotAllowed, map[string]any{"status": "405"})
	}
}

// page answers a list: all, or those that a filter of the form `name eq "value"` finds.
func (a *accounts) page(r *http.Request) map[string]any {
	q := r.URL.Query()
	attr, value, filtered := strings.Cut(q.Get("filter"), " eq ")
	found := []any{}
	for _, id := range slices.Sorted(maps.Keys(a.users)) {
		if has, _ := a.users[id][attr].(string); !filtered || strings.EqualFold(has, strings.Trim(value, `"`)) {
			found = append(found, a.users[id])
		}
	}
	from, _ := strconv.Atoi(q.Get("startIndex"))
	count, err := strconv.Atoi(q.Get("count"))
	if err != nil {
		count = len(found)
	}
	from = min(max(from-1, 0), len(found))
	return map[string]any{"totalResults": len(found), "Resources": found[from:min(from+count, len(found))]}
}
