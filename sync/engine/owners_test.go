package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// curious asks who had handles before it lists anything.
type curious struct {
	*world
	asked map[string][]string // by stream
	// people and nested are the members of the group "desk" that are not listed, stored those of some ids that are groups.
	people, nested, stored []string
}

func (c *curious) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	ids, err := req.Owners(ctx, []string{"p:1", "p:2", "p:nobody", "g:desk", ""})
	if err != nil {
		return err
	}
	c.asked[req.Stream] = ids
	if c.people, c.nested, err = req.Unlisted(ctx, "desk", []string{"p:1", directory.IDHandle("4")}); err != nil {
		return err
	}
	objects, err := req.Stored(ctx, directory.Group, []string{"nobody", "desk", "1"})
	if err != nil {
		return err
	}
	c.stored = nil
	for i := range objects {
		c.stored = append(c.stored, objects[i].ID)
	}
	return c.world.Read(ctx, req, emit)
}

// A source hears which of the stored objects of a stream have handles: those that are there.
func TestOwnersOfHandles(t *testing.T) {
	r := newRig(t)
	c := &curious{world: r.world, asked: map[string][]string{}}
	r.conn.Source = c
	r.add("1", "P1")
	r.add("2", "P2")
	r.groups["desk"] = []string{"p:1"}
	look := func(when, want string) {
		t.Helper()
		if _, res := r.sync(); res.Err != nil {
			t.Fatal(res.Err)
		}
		if got := fmt.Sprintf("%q %q", c.asked["users"], c.asked["groups"]); got != want {
			t.Errorf("%s: got %s, want %s", when, got, want)
		}
	}
	look("nothing is stored", `["" "" "" "" ""] ["" "" "" "" ""]`)
	look("all are", `["1" "2" "" "" ""] ["" "" "" "desk" ""]`)
	delete(r.people, "2")
	delete(r.groups, "desk")
	r.sync()
	look("two are gone", `["1" "" "" "" ""] ["" "" "" "" ""]`)
}

// A source hears who of the members of a stored group, whom it does not list, is there, and what is stored of a group.
func TestUnlistedMembers(t *testing.T) {
	r := newRig(t)
	c := &curious{world: r.world, asked: map[string][]string{}}
	r.conn.Source = c
	for _, id := range []string{"1", "2", "3", "4"} {
		r.add(id, "P"+id)
	}
	r.groups["desk"] = []string{"p:1", "p:2", "p:3", "p:4", "g:team", "p:nobody"}
	r.groups["team"] = nil
	look := func(when, want string) {
		t.Helper()
		if _, res := r.sync(); res.Err != nil {
			t.Fatal(res.Err)
		}
		slices.Sort(c.people)
		if got := fmt.Sprintf("%q %q %q", c.people, c.nested, c.stored); got != want {
			t.Errorf("%s: got %s, want %s", when, got, want)
		}
	}
	look("nothing is stored", `[] [] ["" "" ""]`)
	look("all are", `["2" "3"] ["team"] ["" "desk" ""]`)
	delete(r.people, "3")
	delete(r.groups, "team")
	r.sync()
	look("some are gone", `["2"] [] ["" "desk" ""]`)
}
