package oktasim

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// listing is one page of a list.
type listing struct {
	limit, cap int
	// after is the position to go on from.
	after int
	query url.Values
	epoch int
	// mark turns a position into what a page link holds; nil: the position itself.
	mark func(i int) int
}

// list reads limit and after of a request. A page link is bound to its query.
func (s *Server) list(a *reply, r *http.Request, usual, most int) (*listing, bool) {
	l := &listing{limit: usual, cap: most, query: r.URL.Query(), epoch: s.epoch}
	if text := l.query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			a.fail(http.StatusBadRequest, "E0000001", "Api validation failed: limit", "limit: must be a number greater than zero")
			return nil, false
		}
		l.limit = n
	}
	l.limit = min(l.limit, l.cap)
	text := l.query.Get("after")
	if text == "" {
		return l, true
	}
	var digest uint64
	var epoch int
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		_, err = fmt.Sscanf(string(data), "%d %d %d", &l.after, &epoch, &digest)
	}
	if err != nil || epoch != s.epoch || digest != l.digest() {
		a.fail(http.StatusBadRequest, "E0000001", "Api validation failed: after", "after: the cursor is invalid or has expired")
		return nil, false
	}
	return l, true
}

// digest is of what a page link is bound to.
func (l *listing) digest() uint64 {
	h := fnv.New64a()
	for _, name := range []string{"filter", "search", "sortBy", "sortOrder", "expand"} {
		_, _ = h.Write([]byte(name + "=" + l.query.Get(name) + "\n"))
	}
	return h.Sum64()
}

// links writes the Link headers, one line per relation. next is where the next page begins; -1: nowhere.
func (l *listing) links(a *reply, r *http.Request, next int) {
	a.link(r, "self", l.query)
	if next < 0 {
		return
	}
	q := url.Values{}
	for name, values := range l.query {
		q[name] = values
	}
	q.Set("after", base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %d %d", next, l.epoch, l.digest())))
	a.link(r, "next", q)
}

// page collects entries from position l.after on: at returns the entry at a position, nil when none is to be
// listed there.
func (l *listing) page(a *reply, r *http.Request, n int, at func(i int) any) {
	list, i := make([]any, 0, min(l.limit, 200)), l.after
	for ; i < n && len(list) < l.limit; i++ {
		if e := at(i); e != nil {
			list = append(list, e)
		}
	}
	next := -1
	for j := i; j < n; j++ {
		if at(j) != nil {
			next = i
			break
		}
	}
	if next >= 0 && l.mark != nil {
		next = l.mark(next)
	}
	l.links(a, r, next)
	a.json(list)
}

// over makes page links hold numbers of people, so that they stay right when somebody leaves the list.
func (l *listing) over(people numbers) {
	l.after, _ = slices.BinarySearch(people, l.after)
	l.mark = func(i int) int { return people[i] }
}

func when(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(timestamp)
}

// condition reads filter or search of a request; nil when there is none.
func (s *Server) condition(a *reply, r *http.Request, param string, rules filterRules) (condition, bool) {
	text := r.URL.Query().Get(param)
	if text == "" {
		return nil, true
	}
	c, err := parseFilter(text, rules)
	if err != nil {
		a.fail(http.StatusBadRequest, "E0000031", "Invalid search criteria.", err.Error())
		return nil, false
	}
	return c, true
}
