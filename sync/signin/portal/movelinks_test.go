package portal

import (
	"context"
	"encoding/json"
	"testing"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
)

// TestMoveLinks: all links of one person lead to another one, and nobody else's; what else a link says stays.
func TestMoveLinks(t *testing.T) {
	w := newWorld(t)
	from := signin.Owner{Scope: signin.Scope{Connection: "staff"}, ID: "z", Record: "staff/z"}
	to := signin.Owner{Scope: signin.Scope{Connection: "hq", Tenant: "t"}, ID: "9", Record: "hq/t/9"}
	ann := signin.Owner{Scope: signin.Scope{Connection: "hq"}, ID: "1", Record: "hq/1"}
	subjects := map[string]signin.Owner{"a": from, "b": from, "c": ann}
	for value, owner := range subjects {
		if err := w.portal.SetLink(t.Context(), "staff", signin.Subject{Realm: "r", Value: value}, owner); err != nil {
			t.Fatal(err)
		}
	}
	key := linkKey("staff", signin.Subject{Realm: "r", Value: "a"})
	item, _, err := w.portal.Items.Get(t.Context(), SpaceLink, key)
	if err != nil {
		t.Fatal(err)
	}
	item.Value = append([]byte(`{"by":"staff",`), item.Value[1:]...)
	if err := w.portal.Items.Put(t.Context(), SpaceLink, item); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := MoveLinks(t.Context(), w.portal.Items, from, to, w.portal.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for value, was := range subjects {
		want := was
		if was == from {
			want = to
		}
		got, found, err := w.portal.Link(t.Context(), "staff", signin.Subject{Realm: "r", Value: value})
		if err != nil || !found || got != want {
			t.Errorf("%s: %v, %v", value, got, err)
		}
	}
	item, _, err = w.portal.Items.Get(t.Context(), SpaceLink, key)
	var link struct{ By string }
	if err != nil || json.Unmarshal(item.Value, &link) != nil || link.By != "staff" {
		t.Errorf("%s, error %v", item.Value, err)
	}
	var left []store.Item
	if err := w.portal.Items.Scan(t.Context(), SpaceLink, ownerKey(from), func(i store.Item) bool { left = append(left, i); return true }); err != nil || len(left) > 0 {
		t.Errorf("left: %v, error %v", left, err)
	}
}

// TestLinkSetWhileItsPersonMoves: a sign-in that found somebody before they moved links them afterwards, and leads to whom they have become, be its
// link set before the others are moved or after that.
func TestLinkSetWhileItsPersonMoves(t *testing.T) {
	w := newWorld(t)
	from := signin.Owner{Scope: signin.Scope{Connection: "staff"}, ID: "z", Record: "staff/z"}
	to := signin.Owner{Scope: signin.Scope{Connection: "hq", Tenant: "t"}, ID: "9", Record: "hq/t/9"}
	set := func(value string) {
		t.Helper()
		if err := w.portal.SetLink(t.Context(), "staff", signin.Subject{Realm: "r", Value: value}, from); err != nil {
			t.Fatal(err)
		}
	}
	items := &scanning{Items: w.portal.Items, before: func() { set("before the links are read") }, after: func() { set("after the links were read") }}
	if err := MoveLinks(t.Context(), items, from, to, w.portal.Now()); err != nil {
		t.Fatal(err)
	}
	set("after the links were moved")
	for _, value := range []string{"before the links are read", "after the links were read", "after the links were moved"} {
		if got, found, err := w.portal.Link(t.Context(), "staff", signin.Subject{Realm: "r", Value: value}); err != nil || !found || got != to {
			t.Errorf("%s: %v, %v, error %v", value, got, found, err)
		}
	}
}

// scanning calls somebody before and after a scan.
type scanning struct {
	Items
	before, after func()
}

func (s *scanning) Scan(ctx context.Context, space string, owner []byte, fn func(store.Item) bool) error {
	s.before()
	defer s.after()
	return s.Items.Scan(ctx, space, owner, fn)
}
