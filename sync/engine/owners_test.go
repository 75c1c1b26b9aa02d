package engine

import (
	"context"
	"fmt"
	"testing"

	"dirsyncd/connectors"
)

// curious asks who had handles before it lists anything.
type curious struct {
	*world
	asked map[string][]string // by stream
}

func (c *curious) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	ids, err := req.Owners(ctx, []string{"p:1", "p:2", "p:nobody", "g:desk", ""})
	if err != nil {
		return err
	}
	c.asked[req.Stream] = ids
	return c.world.Read(ctx, req, emit)
}

// A source hears which of the stored objects of a stream have handles: those that are there.
func TestOwnersOfHandles(t *testing.T) {
	r := newRig(t)
	c := &curious{r.world, map[string][]string{}}
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
