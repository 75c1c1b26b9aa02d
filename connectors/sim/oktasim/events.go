package oktasim

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// The log keeps events for so long, and refuses to be asked for more than twice that.
const (
	retention = 90 * 24 * time.Hour
	farthest  = 180 * 24 * time.Hour
)

// target names what an event is about.
type target struct{ Type, ID string }

type event struct {
	number    int
	typ       string
	published time.Time
	targets   []target
	result    string
}

// eventLog is the System Log. Events stand in the order in which they were stored, which is not always that in
// which they happened.
type eventLog struct {
	stored []event
	held   []event
	hold   bool
	count  int
}

// event logs something that happened now.
func (s *Server) event(typ string, targets ...target) {
	s.log.count++
	e := event{number: s.log.count, typ: typ, published: s.now(), targets: targets, result: "SUCCESS"}
	if s.log.hold {
		s.log.held = append(s.log.held, e)
		return
	}
	s.log.stored = append(s.log.stored, e)
}

// HoldEvents keeps events back from now on.
func (s *Server) HoldEvents() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.hold = true
}

// ReleaseEvents stores the events that were held back, the latest first: they come late and out of order.
func (s *Server) ReleaseEvents() {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Reverse(s.log.held)
	s.log.stored = append(s.log.stored, s.log.held...)
	s.log.held, s.log.hold = nil, false
}

// ForgetEvents drops everything from the log: changes without a word.
func (s *Server) ForgetEvents() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.stored, s.log.held = nil, nil
}

// FailedEvent logs that a user's deletion was tried and did not succeed.
func (s *Server) FailedEvent(typ, targetType, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.event(typ, target{targetType, id})
	list := &s.log.stored
	if s.log.hold {
		list = &s.log.held
	}
	(*list)[len(*list)-1].result = "FAILURE"
}

func logFilter() filterRules {
	return filterRules{takes: func(name, _ string) bool { return name == "eventType" || name == "outcome.result" }}
}

// listEvents answers polling requests: no end, ordered by storing, and always a next link.
func (s *Server) listEvents(a *reply, r *http.Request, now time.Time) {
	q := r.URL.Query()
	limit, err := 100, error(nil)
	if text := q.Get("limit"); text != "" {
		limit, err = strconv.Atoi(text)
	}
	if err != nil || limit < 0 || limit > 1000 {
		a.fail(http.StatusBadRequest, "E0000001", "Api validation failed: limit", "limit: must be from 0 to 1000")
		return
	}
	filter, ok := s.condition(a, r, "filter", logFilter())
	if !ok {
		return
	}
	from, since := 0, now.Add(-7*24*time.Hour)
	if text := q.Get("since"); text != "" {
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			a.fail(http.StatusBadRequest, "E0000001", "Api validation failed: since", "since: The date format in your query is not recognized.")
			return
		}
		if since.Before(now.Add(-farthest)) {
			a.fail(http.StatusBadRequest, "E0000053", "Invalid parameter: The since parameter is over 180 days prior to the current day.")
			return
		}
	}
	if text := q.Get("after"); text != "" {
		epoch := 0
		data, err := base64.RawURLEncoding.DecodeString(text)
		if err == nil {
			_, err = fmt.Sscanf(string(data), "log %d %d", &from, &epoch)
		}
		if err != nil || epoch != s.epoch {
			a.fail(http.StatusBadRequest, "E0000001", "Api validation failed: after", "after: the cursor is invalid or has expired")
			return
		}
		since = time.Time{}
	}
	list := []any{}
	i := from
	for ; i < len(s.log.stored) && len(list) < limit; i++ {
		e := &s.log.stored[i]
		get := func(name string) (string, bool) {
			if name == "eventType" {
				return e.typ, true
			}
			return e.result, true
		}
		if !e.published.Before(since) && now.Sub(e.published) < retention && (filter == nil || filter(get)) && s.access.role != Nothing {
			list = append(list, e.wire())
		}
	}
	a.link(r, "self", q)
	next := url.Values{}
	for name, values := range q {
		next[name] = values
	}
	next.Set("after", base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "log %d %d", i, s.epoch)))
	a.link(r, "next", next)
	a.json(list)
}

func (e *event) wire() map[string]any {
	var targets any // null when there is none
	if len(e.targets) > 0 {
		list := make([]any, len(e.targets))
		for i, t := range e.targets {
			list[i] = map[string]any{"id": t.ID, "type": t.Type, "alternateId": "unknown", "displayName": "unknown", "detailEntry": nil}
		}
		targets = list
	}
	return map[string]any{
		"uuid": fmt.Sprintf("00000000-5eed-11f1-8000-%012d", e.number), "published": when(e.published), "eventType": e.typ, "version": "0",
		"severity": "INFO", "displayMessage": e.typ, "actor": map[string]any{"id": objectID("00u", 999_999_999), "type": "User"},
		"target": targets, "outcome": map[string]any{"result": e.result, "reason": nil}, "client": nil, "request": nil,
	}
}
