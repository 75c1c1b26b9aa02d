package relations

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/store/storetest"
	"dirsyncd/sync/directory"
)

// town is a partition with people and groups, by id.
type town struct {
	*testing.T
	store store.Store
	nums  map[string]store.Num
}

var part = store.Partition{Connection: "town"}

func newTown(t *testing.T, fill func(*town, store.Writer)) *town {
	t.Helper()
	st, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	town := &town{T: t, store: storetest.Strict(t, st), nums: map[string]store.Num{}}
	town.update(func(tx store.Writer) { fill(town, tx) })
	return town
}

func (t *town) update(fn func(store.Writer)) {
	t.Helper()
	t.must(t.store.Update(t.Context(), part, func(tx store.Writer) error { fn(tx); return nil }))
}

func (t *town) must(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put stores an object, whose handle is "h:" and its id.
func (t *town) put(tx store.Writer, kind directory.Kind, id string, gone store.GoneCause, links ...directory.Link) {
	t.Helper()
	o := directory.Object{Kind: kind, ID: id, Handles: []string{"h:" + id}, Links: links}
	o.SetText(directory.FieldName, strings.ToUpper(id))
	n, err := tx.PutRow(&o, gone)
	t.must(err)
	t.nums[id] = n
}

func (t *town) members(tx store.Writer, group string, ids ...string) {
	t.Helper()
	for i := range ids {
		ids[i] = "h:" + ids[i]
	}
	handles, err := tx.Intern(ids, nil)
	t.must(err)
	_, err = tx.AddMembers(t.nums[group], handles, nil)
	t.must(err)
}

// ids puts numbers in words, in order.
func (t *town) ids(nums []store.Num) string {
	var list []string
	for id, n := range t.nums {
		if slices.Contains(nums, n) {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func (t *town) view(fn func(store.Reader)) {
	t.Helper()
	t.must(t.store.View(t.Context(), part, func(tx store.Reader) error { fn(tx); return nil }))
}

// fillTown: ann and bob are in the inner group, which is in the outer one, which is in the inner one; cid says itself
// that he is in the outer one. The lost group has gone, with dot in it.
func fillTown(t *town, tx store.Writer) {
	link := func(typ directory.LinkType, to string) directory.Link {
		return directory.Link{Type: typ, To: "h:" + to}
	}
	t.put(tx, directory.Person, "ann", store.Here, link(directory.Holds, "e5"), link(directory.Holds, "nobody's"))
	t.put(tx, directory.Person, "bob", store.Here, link(directory.Manager, "eve"), link(directory.Manager, "ann"), link(directory.Manager, "cid"))
	t.put(tx, directory.Person, "cid", store.Here, link(directory.MemberOf, "outer"))
	t.put(tx, directory.Person, "dot", store.Here)
	t.put(tx, directory.Person, "eve", store.NamedRemoved)
	t.put(tx, directory.Licence, "e5", store.NamedRemoved)
	for _, g := range []string{"inner", "outer"} {
		t.put(tx, directory.Group, g, store.Here)
	}
	t.put(tx, directory.Group, "lost", store.Absent)
	t.members(tx, "inner", "ann", "bob", "outer", "stranger")
	t.members(tx, "outer", "inner", "eve")
	t.members(tx, "lost", "dot", "inner")
}

func TestOf(t *testing.T) {
	town := newTown(t, fillTown)
	town.view(func(tx store.Reader) {
		people := []store.Num{town.nums["ann"], town.nums["bob"], town.nums["cid"], town.nums["dot"], 4000}
		objects, err := Load(tx, directory.Person, people)
		town.must(err)
		var groups Groups
		for range 2 { // asked for and remembered
			related, err := groups.Of(tx, objects, Wanted{Groups: true, Manager: true, Licences: true})
			town.must(err)
			var got []string
			for i, r := range related {
				text := objects[i].ID + ":"
				for _, g := range r.Groups {
					text += fmt.Sprintf(" %s(%t)", g.Name, g.Direct)
				}
				if r.Manager != nil {
					text += " below " + r.Manager.ID
				}
				got = append(got, fmt.Sprintf("%s holds %s of %d", text, town.ids(r.Holds), len(r.Licences)))
			}
			want := []string{
				"ann: INNER(true) OUTER(false) holds e5 of 0", "bob: INNER(true) OUTER(false) below ann holds  of 0",
				"cid: INNER(false) OUTER(true) holds  of 0", "dot: holds  of 0",
			}
			if !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		}
	})
}

// Through which groups somebody is in another one, also where groups contain each other.
func TestPaths(t *testing.T) {
	town := newTown(t, fillTown)
	town.view(func(tx store.Reader) {
		var groups Groups
		for who, want := range map[string]string{"ann": "INNER; OUTER > INNER", "cid": "INNER > OUTER; OUTER", "dot": ""} {
			objects, err := Load(tx, directory.Person, []store.Num{town.nums[who]})
			town.must(err)
			related, err := groups.Of(tx, objects, Wanted{Groups: true})
			town.must(err)
			var got []string
			for _, path := range groups.Paths(related[0].Groups) {
				got = append(got, strings.Join(path, " > "))
			}
			if text := strings.Join(got, "; "); text != want {
				t.Errorf("%s is in %q, want %q", who, text, want)
			}
		}
	})
}

func TestAboveAndBelow(t *testing.T) {
	town := newTown(t, fillTown)
	town.view(func(tx store.Reader) {
		asked := []store.Num{town.nums["inner"], town.nums["outer"], town.nums["lost"]}
		above, err := new(Groups).Above(tx, asked)
		town.must(err)
		tree, err := Below(tx, asked)
		town.must(err)
		for i, want := range []struct{ above, below string }{
			{"inner outer", "ann bob cid eve"}, {"inner outer", "ann bob cid eve"}, {"", "ann bob cid dot eve"},
		} {
			people := roaring.New()
			tree.AddPeople(asked[i], people)
			if a, b := town.ids(above[i]), town.ids(Nums(people)); a != want.above || b != want.below {
				t.Errorf("%s: above %q, below %q, want %q and %q", town.ids(asked[i:i+1]), a, b, want.above, want.below)
			}
		}
		everybody := roaring.New()
		tree.AddEverybody(everybody)
		if got := town.ids(Nums(everybody)); got != "ann bob cid dot eve" {
			t.Errorf("everybody: %q", got)
		}
	})
}

// marked are the objects of a kind that are marked for a reason.
func (t *town) marked(kind directory.Kind, why store.DirtyReason) string {
	t.Helper()
	var nums []store.Num
	t.view(func(tx store.Reader) {
		t.must(tx.Dirty(kind, 0, func(n store.Num, w store.DirtyReason) bool {
			if w&why != 0 {
				nums = append(nums, n)
			}
			return true
		}))
	})
	return t.ids(nums)
}

func TestMarker(t *testing.T) {
	type marks struct{ changed, groups, regrouped, devices string }
	for _, c := range []struct {
		name string
		mark func(*town, store.Writer, Marker) error
		want marks
	}{
		{"entered a group", func(t *town, tx store.Writer, m Marker) error {
			handles, err := tx.Lookup([]string{"h:ann", "h:outer", "h:stranger"}, nil)
			t.must(err)
			return m.Moved(tx, Moved{Group: t.nums["inner"], Handles: handles})
		}, marks{changed: "ann", groups: "inner", regrouped: "outer"}},
		{"nobody moved", func(t *town, tx store.Writer, m Marker) error { return m.Moved(tx, Moved{Group: t.nums["inner"]}) }, marks{}},
		{"lost a handle", func(t *town, tx store.Writer, m Marker) error {
			return m.Neighbours(tx, []Change{{&directory.Object{Handles: []string{"h:ann", "same"}}, &directory.Object{Handles: []string{"same", "h:new"}}}})
		}, marks{changed: "bob", groups: "inner", devices: "pc"}},
		{"is in another group", func(t *town, tx store.Writer, m Marker) error {
			to := func(handle string) *directory.Object {
				return &directory.Object{Links: []directory.Link{{Type: directory.MemberOf, To: handle}}}
			}
			return m.Neighbours(tx, []Change{{to("h:outer"), to("h:unheard of")}})
		}, marks{groups: "outer"}},
	} {
		for _, off := range []bool{false, true} {
			town := newTown(t, fillTown)
			town.update(func(tx store.Writer) {
				town.put(tx, directory.Device, "pc", store.Here, directory.Link{Type: directory.Owner, To: "h:ann"})
				town.must(c.mark(town, tx, Marker{Off: off}))
			})
			want := c.want
			if off {
				want = marks{}
			}
			got := marks{town.marked(directory.Person, store.Changed), town.marked(directory.Group, store.MembersChanged),
				town.marked(directory.Group, store.Regrouped), town.marked(directory.Device, store.Changed)}
			if got != want {
				t.Errorf("%s, off %t: got %+v, want %+v", c.name, off, got, want)
			}
		}
	}
}
