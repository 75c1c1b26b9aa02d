package okta

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/oktasim"
	"dirsyncd/sync/fault"
)

// TestListsWithoutEnd: a list that names ever new pages, and repeats itself or comes empty, ends with an error soon.
func TestListsWithoutEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		path, stream string
		people       int
		fault        oktasim.Fault
	}{
		"one page of groups, again and again": {"/api/v1/groups", streamGroups, 10, oktasim.Fault{Kind: oktasim.Endless}},
		"a later page of people":              {"/api/v1/users", streamUsers, 900, oktasim.Fault{Kind: oktasim.Endless, Skip: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, oktasim.Options{People: tc.people, Groups: 6}, nil)
			b.full(tc.stream)
			tc.fault.Path, tc.fault.Exact = tc.path, true
			b.org.Break(tc.fault)
			before := b.org.Total()
			g := b.read(tc.stream, connectors.Full, nil)
			if g.err == nil || g.proof != nil || !strings.Contains(g.err.Error(), "does not end") {
				t.Errorf("proof %v, %v", g.proof, g.err)
			}
			if n := b.org.Total() - before; n > 100 {
				t.Errorf("%d requests before giving up", n)
			}
		})
	}
}

// A circle of several pages, empty pages without end, and a long list that is only long.
func TestCircle(t *testing.T) {
	page := func(n int) (entries []json.RawMessage) {
		for i := range 3 {
			entries = append(entries, json.RawMessage(fmt.Sprintf(`{"id":"%d-%d"}`, n, i)))
		}
		return entries
	}
	for name, tc := range map[string]struct {
		page func(n int) []json.RawMessage
		most int // pages before it is noticed; 0: never
	}{
		"one page":        {func(int) []json.RawMessage { return page(1) }, 12},
		"seven pages":     {func(n int) []json.RawMessage { return page(n % 7) }, 80},
		"after a hundred": {func(n int) []json.RawMessage { return page(min(n, 100+n%5)) }, 300},
		"empty":           {func(int) []json.RawMessage { return nil }, mostEmpty + 1},
		"long":            {page, 0},
		"long, with one that moves": {func(n int) []json.RawMessage {
			if n%100 == 0 {
				return append(page(n), page(1)[0])
			}
			return page(n)
		}, 0},
	} {
		c, noticed := newCircle(), 0
		for n := 1; n <= 1000 && noticed == 0; n++ {
			if c.take(tc.page(n)) != "" {
				noticed = n
			}
		}
		if (noticed > 0) != (tc.most > 0) || noticed > tc.most {
			t.Errorf("%s: noticed at page %d, want %d at most", name, noticed, tc.most)
		}
	}
}

// TestOneUnreadableGroup: one group whose members cannot be read is named and stops nobody else. It is asked for once
// more before that. When that is so of all of them, the read fails.
func TestOneUnreadableGroup(t *testing.T) {
	for name, f := range map[string]oktasim.Fault{
		"400":                {Status: http.StatusBadRequest, Body: `{"errorCode":"E0000001","errorSummary":"Api validation failed"}`},
		"403":                {Status: http.StatusForbidden, Body: `{"errorCode":"E0000006","errorSummary":"You do not have permission"}`},
		"404":                {Status: http.StatusNotFound, Body: `{"errorCode":"E0000007","errorSummary":"Not found"}`},
		"a member is nobody": {Kind: oktasim.NullEntry},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, oktasim.Options{People: 40, Groups: 6}, nil)
			before := b.full(streamGroups)
			one := ""
			for id, members := range before.members {
				if len(members) > 1 && (one == "" || id < one) {
					one = id
				}
			}
			f.Path, f.Exact, f.Times = "/api/v1/groups/"+one+"/users", true, 1
			b.org.Break(f)
			if g := b.full(streamGroups); len(g.invalid) != 0 || len(g.members[one]) != len(before.members[one]) {
				t.Errorf("once: %+v", g.invalid)
			}
			b.org.Mend()
			f.Times = 0
			b.org.Break(f)
			g := b.full(streamGroups)
			if len(g.invalid) != 1 || g.invalid[0].ID != one || len(g.members) != len(before.members)-1 {
				t.Errorf("%d of %d groups have members, %+v", len(g.members), len(before.members), g.invalid)
			}
			b.org.Mend()
			f.Path, f.Exact, f.Match = "/api/v1/groups/", false, func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/users") }
			b.org.Break(f)
			if g := b.read(streamGroups, connectors.Full, nil); g.err == nil || g.proof != nil || fault.ClassOf(g.err).Retryable() {
				t.Errorf("no group can be read: %v", g.err)
			}
		})
	}
}

// TestShortListOfMembers: nothing counts the members in a full read.
func TestShortListOfMembers(t *testing.T) {
	b := start(t, oktasim.Options{People: 40, Groups: 6}, nil)
	err := connectors.Guard(b.conn).Read(t.Context(), connectors.Request{Stream: streamGroups, Mode: connectors.Full}, func(p *connectors.Page) error {
		for _, m := range p.Members {
			if m.Whole && !m.MayBeShort {
				t.Errorf("the list of %s claims to be whole", m.Group)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
