package portal

import (
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
		if err := MoveLinks(t.Context(), w.portal.Items, from, to); err != nil {
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
