package deliver

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
)

// act makes an action from a few words: the operation, then "name=from>to" for a change and "+x" or "-x" for
// a member, then the key.
func act(op directory.Op, key string, words ...string) *directory.Action {
	a := &directory.Action{Op: op, Kind: directory.UserRecord, Record: "hq/1", Key: key}
	var set directory.SetChange
	for _, word := range words {
		switch {
		case word[0] == '+':
			set.Added = append(set.Added, word[1:])
		case word[0] == '-':
			set.Removed = append(set.Removed, word[1:])
		case word[0] == '@':
			a.Other = word[1:]
		case word[0] == '!':
			a.Reason = word[1:]
		default:
			name, values, _ := strings.Cut(word, "=")
			from, to, _ := strings.Cut(values, ">")
			a.Changes = append(a.Changes, directory.FieldChange{Name: name, From: directory.Text(from), To: directory.Text(to)})
		}
	}
	if set.Added != nil || set.Removed != nil {
		set.Name = "members"
		a.Sets = []directory.SetChange{set}
	}
	return a
}

func describe(a *directory.Action) string {
	if a == nil {
		return "nothing"
	}
	words := []string{a.Op.String(), a.Key}
	for _, c := range a.Changes {
		words = append(words, c.Name+"="+c.From.String()+">"+c.To.String())
	}
	for _, s := range a.Sets {
		for _, x := range s.Added {
			words = append(words, "+"+x)
		}
		for _, x := range s.Removed {
			words = append(words, "-"+x)
		}
	}
	if a.Other != "" {
		words = append(words, "@"+a.Other)
	}
	if a.Reason != "" {
		words = append(words, "!"+a.Reason)
	}
	return strings.Join(words, " ")
}

func TestFold(t *testing.T) {
	const (
		create     = directory.Create
		update     = directory.Update
		deactivate = directory.Deactivate
		reactivate = directory.Reactivate
		remove     = directory.Delete
	)
	for _, test := range []struct {
		name string
		in   []*directory.Action
		want string // stretches, with "; " between
	}{
		{"alone", []*directory.Action{act(update, "1", "a=x>y")}, "update 1 a=x>y"},
		{"alone and empty stays", []*directory.Action{act(update, "1")}, "update 1"},
		{"create, update", []*directory.Action{act(create, "1", "@user/0", "!was user"), act(update, "2", "a=x>y")},
			"create 2 @user/0 !was user"},
		{"update, update", []*directory.Action{act(update, "1", "a=x>y", "b=1>2"), act(update, "2", "a=y>z", "c=>3")},
			"update 2 a=x>z b=1>2 c=>3"},
		{"there and back", []*directory.Action{act(update, "1", "a=x>y"), act(update, "2", "a=y>x")}, "nothing"},
		{"partly back", []*directory.Action{act(update, "1", "a=x>y", "b=1>2"), act(update, "2", "a=y>x")}, "update 2 b=1>2"},
		{"update, deactivate", []*directory.Action{act(update, "1", "a=x>y"), act(deactivate, "2", "!gone")},
			"deactivate 2 a=x>y !gone"},
		{"update, delete", []*directory.Action{act(update, "1", "a=x>y", "+p"), act(remove, "2", "!gone")}, "delete 2 !gone"},
		{"deactivate, reactivate", []*directory.Action{act(deactivate, "1", "!gone"), act(reactivate, "2")}, "nothing"},
		{"deactivate, reactivate changed", []*directory.Action{act(deactivate, "1", "!gone", "@agent/1"), act(reactivate, "2", "a=x>y", "@agent/1")},
			"update 2 a=x>y"},
		{"reactivate, deactivate", []*directory.Action{act(reactivate, "1"), act(deactivate, "2")}, "nothing"},
		{"reactivate changed, deactivate", []*directory.Action{act(reactivate, "1", "a=x>y"), act(deactivate, "2")}, "deactivate 2 a=x>y"},
		{"reactivate, update", []*directory.Action{act(reactivate, "1", "a=x>y", "@agent/1"), act(update, "2", "a=y>z")},
			"reactivate 2 a=x>z @agent/1"},
		{"create, deactivate", []*directory.Action{act(create, "1"), act(deactivate, "2")}, "nothing"},
		{"create with members, deactivate", []*directory.Action{act(create, "1", "+a"), act(deactivate, "2", "!left")}, "deactivate 2 +a !left"},
		{"create, delete", []*directory.Action{act(create, "1"), act(remove, "2")}, "nothing"},
		{"create, deactivate, reactivate", []*directory.Action{act(create, "1"), act(deactivate, "2"), act(reactivate, "3", "a=x>y")}, "create 3"},
		{"deactivate, delete", []*directory.Action{act(deactivate, "1", "!left"), act(remove, "2", "!purged")}, "delete 2 !purged"},
		{"delete, create", []*directory.Action{act(remove, "1"), act(create, "2")}, "delete 1; create 2"},
		{"delete, create, delete", []*directory.Action{act(remove, "1"), act(create, "2"), act(remove, "3")}, "delete 1; nothing"},
		{"sets", []*directory.Action{act(update, "1", "+a", "+b", "-c"), act(update, "2", "+c", "+d", "-b", "-e")}, "update 2 +a +d -e"},
		{"sets back", []*directory.Action{act(update, "1", "+a", "-c"), act(update, "2", "+c", "-a")}, "nothing"},
		{"create with members", []*directory.Action{act(create, "1", "+a"), act(update, "2", "n=x>y"), act(update, "3", "+b")},
			"create 2 +a; update 3 +b"},
		// What is sent again does not tell where the record stood.
		{"sent again, update", []*directory.Action{act(create, "1", "!sent again"), act(update, "2", "a=x>y")}, "create 2 !sent again"},
		{"sent again, deactivate", []*directory.Action{act(create, "1", "!sent again"), act(deactivate, "2", "!left")}, "create 1 !sent again; deactivate 2 !left"},
		{"sent again, delete", []*directory.Action{act(create, "1", "!sent again"), act(remove, "2")}, "create 1 !sent again; delete 2"},
		{"update, sent again", []*directory.Action{act(update, "1", "a=x>y"), act(create, "2", "!sent again")}, "update 1 a=x>y; create 2 !sent again"},
		{"inactive sent again, reactivate", []*directory.Action{act(deactivate, "1", "!sent again: left"), act(reactivate, "2")},
			"deactivate 1 !sent again: left; reactivate 2"},
		{"reactivate, deactivate, sent again", []*directory.Action{act(reactivate, "1"), act(deactivate, "2"), act(deactivate, "3", "!sent again: left")},
			"nothing; deactivate 3 !sent again: left"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, f := range fold(test.in) {
				got = append(got, describe(f.action))
			}
			if s := strings.Join(got, "; "); s != test.want {
				t.Errorf("got  %s\nwant %s", s, test.want)
			}
		})
	}
}

func TestMergeParked(t *testing.T) {
	create, update := directory.Create, directory.Update
	deactivate, reactivate := directory.Deactivate, directory.Reactivate
	for _, test := range []struct {
		parked, next *directory.Action
		refused      string
		unknown      string
	}{
		{act(create, "1"), act(update, "2", "a=x>y"), "create 2", "create 2"},
		{act(create, "1", "+a"), act(update, "2", "+b"), "create 2 +a +b", "create 2 +a +b"},
		{act(create, "1"), act(deactivate, "2", "!left"), "nothing", "deactivate 2 !left"},
		{act(update, "1", "a=x>y"), act(update, "2", "a=y>x"), "nothing", "update 2 a=x>x"},
		{act(update, "1", "a=x>y", "b=1>2"), act(update, "2", "a=y>x"), "update 2 b=1>2", "update 2 a=x>x b=1>2"},
		{act(update, "1", "a=x>y"), act(update, "2", "a=y>z"), "update 2 a=x>z", "update 2 a=x>z"},
		{act(update, "1", "+p", "+q"), act(update, "2", "a=1>2", "-p"), "update 2 a=1>2 +q", "update 2 a=1>2 +q -p"},
		{act(create, "1", "+p", "-r"), act(update, "2", "-p", "+r"), "create 2", "create 2 +r -p"},
		{act(reactivate, "1", "a=x>y"), act(deactivate, "2", "a=y>x"), "deactivate 2", "deactivate 2 a=x>x"},
		{act(update, "1", "a=x>y", "+p"), act(directory.Delete, "2", "!gone"), "delete 2 !gone", "delete 2 !gone"},
		{act(update, "1", "a=x>y"), act(update, "2", "b=1>2"), "update 2 a=x>y b=1>2", "update 2 a=x>y b=1>2"},
		{act(deactivate, "1"), act(reactivate, "2", "a=x>y"), "reactivate 2 a=x>y", "reactivate 2 a=x>y"},
		{act(deactivate, "1"), act(reactivate, "2"), "reactivate 2", "reactivate 2"},
		{act(reactivate, "1", "a=x>y"), act(deactivate, "2"), "deactivate 2 a=x>y", "deactivate 2 a=x>y"},
		{act(directory.Delete, "1"), act(create, "2"), "create 2", "create 2"},
		{act(create, "1", "!sent again"), act(deactivate, "2", "!left"), "deactivate 2 !left", "deactivate 2 !left"},
		{act(create, "1", "!sent again"), act(update, "2", "a=x>y"), "create 2 !sent again", "create 2 !sent again"},
		{act(create, "1"), act(deactivate, "2", "!sent again"), "deactivate 2 !sent again", "deactivate 2 !sent again"},
	} {
		if got := describe(mergeParked(test.parked, test.next, true)); got != test.refused {
			t.Errorf("%s onto refused %s: got %s, want %s", describe(test.next), describe(test.parked), got, test.refused)
		}
		if got := describe(mergeParked(test.parked, test.next, false)); got != test.unknown {
			t.Errorf("%s onto unknown %s: got %s, want %s", describe(test.next), describe(test.parked), got, test.unknown)
		}
	}
}

// image is what a target that follows changes only, not whole records, has of a record.
type image struct {
	at      presence
	fields  map[string]string // by following changes
	whole   map[string]string // by taking whole records
	members map[string]bool
}

func (m *image) apply(a *directory.Action) {
	if a.Op == directory.Delete {
		*m = image{}
		return
	}
	if m.at == absent || a.Op == directory.Create {
		// Every action carries the whole record: whoever does not know the record makes it of that.
		*m = image{at: active, fields: map[string]string{}, members: map[string]bool{}}
		for _, f := range a.Fields {
			m.fields[f.Name] = f.Value.Text()
		}
	}
	switch a.Op {
	case directory.Create, directory.Reactivate:
		m.at = active
	case directory.Deactivate:
		m.at = inactive
	}
	m.whole = map[string]string{}
	for _, f := range a.Fields {
		m.whole[f.Name] = f.Value.Text()
	}
	for _, c := range a.Changes {
		m.fields[c.Name] = c.To.Text()
	}
	for _, s := range a.Sets {
		for _, x := range s.Added {
			m.members[x] = true
		}
		for _, x := range s.Removed {
			delete(m.members, x)
		}
	}
}

// follows says what of an action does not begin where a target stands that knows the record.
func (m *image) follows(a *directory.Action) string {
	switch {
	case a.Op == directory.Create && m.at == active:
		return "there is one already"
	case a.Op == directory.Update && m.at != active:
		return "it is not active"
	case m.at == absent || a.Op == directory.Create:
		return ""
	}
	for _, c := range a.Changes {
		if was := m.fields[c.Name]; was != c.From.Text() {
			return fmt.Sprintf("%s was %q before, the action says %q", c.Name, was, c.From.Text())
		}
	}
	return ""
}

// clone copies an image.
func (m image) clone() image {
	m.fields, m.whole, m.members = maps.Clone(m.fields), maps.Clone(m.whole), maps.Clone(m.members)
	return m
}

// same compares what matters: a record that was never there and one that is inactive from its beginning, which
// was never shown to anybody, are the same.
func (m image) same(n image) bool {
	if m.at != active && n.at != active && (m.at == absent || n.at == absent) {
		return true
	}
	return m.at == n.at && maps.Equal(m.fields, n.fields) && maps.Equal(m.whole, n.whole) && maps.Equal(m.members, n.members)
}

// history makes the actions of one record as a plan would: each follows from the state before it.
type history struct {
	random *rand.Rand
	at     presence
	fields map[string]string
	in     map[string]bool
	n      int
}

func (h *history) next(record string) *directory.Action {
	h.n++
	a := &directory.Action{Kind: directory.UserRecord, Record: record, Key: fmt.Sprintf("%s#%d", record, h.n)}
	switch roll := h.random.IntN(10); {
	case h.at == absent:
		a.Op, h.at = directory.Create, active
		h.fields, h.in = map[string]string{"a": "0", "b": "0", "c": "0"}, map[string]bool{}
	case h.at == inactive && roll < 8:
		a.Op, h.at = directory.Reactivate, active
	case h.at == inactive, roll == 0:
		a.Op, h.at = directory.Delete, absent
	case roll < 3:
		a.Op, h.at = directory.Deactivate, inactive
	default:
		a.Op = directory.Update
	}
	if a.Op == directory.Update || a.Op == directory.Reactivate {
		for _, name := range []string{"a", "b", "c"} {
			if to := fmt.Sprint(h.random.IntN(3)); h.random.IntN(2) == 0 && to != h.fields[name] {
				a.Changes = append(a.Changes, directory.FieldChange{Name: name, From: directory.Text(h.fields[name]), To: directory.Text(to)})
				h.fields[name] = to
			}
		}
	}
	if a.Op != directory.Delete && a.Op != directory.Deactivate {
		set := directory.SetChange{Name: "members"}
		for _, x := range []string{"p", "q", "r"} {
			switch {
			case h.random.IntN(4) > 0:
			case h.in[x]:
				set.Removed = append(set.Removed, x)
				delete(h.in, x)
			default:
				set.Added = append(set.Added, x)
				h.in[x] = true
			}
		}
		if set.Added != nil || set.Removed != nil {
			a.Sets = []directory.SetChange{set}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.fields)) {
		a.Fields = append(a.Fields, directory.Field{Name: name, Value: directory.Text(h.fields[name])})
	}
	return a
}

// TestFoldedIsTheSame applies random histories to two targets, to one of them folded, from random points on.
func TestFoldedIsTheSame(t *testing.T) {
	for seed := range uint64(20000) {
		h := &history{random: rand.New(rand.NewPCG(seed, 1))}
		var start image
		for range h.random.IntN(4) {
			start.apply(h.next("hq/1"))
		}
		plain, short := start.clone(), start.clone()
		var list []*directory.Action
		for range 1 + h.random.IntN(6) {
			list = append(list, h.next("hq/1"))
		}
		before := fmt.Sprint(list)
		for _, a := range list {
			plain.apply(a)
		}
		n := 0
		for _, f := range fold(list) {
			n += f.last - f.first + 1
			if f.action == nil {
				continue
			}
			if f.action.Key != list[f.last].Key {
				t.Fatalf("seed %d: key %s, want that of the last, %s", seed, f.action.Key, list[f.last].Key)
			}
			short.apply(f.action)
		}
		if n != len(list) {
			t.Fatalf("seed %d: %d of %d actions accounted for", seed, n, len(list))
		}
		if !plain.same(short) {
			for _, a := range list {
				t.Logf("in:  %s", describe(a))
			}
			for _, f := range fold(list) {
				t.Logf("out: %s", describe(f.action))
			}
			t.Fatalf("seed %d: one by one %+v, folded %+v", seed, plain, short)
		}
		if fmt.Sprint(list) != before {
			t.Fatalf("seed %d: fold changed its input", seed)
		}
	}
}

// What is new to a target is as new as it was, whatever it is folded with.
func TestInitialIsFolded(t *testing.T) {
	initial := func(a *directory.Action) *directory.Action { a.Initial = true; return a }
	for name, c := range map[string]struct {
		list []*directory.Action
		want bool
	}{
		"changed since":     {[]*directory.Action{initial(act(directory.Create, "a")), act(directory.Update, "b", "name=x>y")}, true},
		"left and back":     {[]*directory.Action{initial(act(directory.Create, "a")), act(directory.Deactivate, "b"), act(directory.Reactivate, "c")}, true},
		"a joiner":          {[]*directory.Action{act(directory.Create, "a"), act(directory.Update, "b", "name=x>y")}, false},
		"known long before": {[]*directory.Action{act(directory.Update, "a", "name=x>y"), act(directory.Update, "b", "name=y>z")}, false},
	} {
		if got := fold(c.list); len(got) != 1 || got[0].action == nil || got[0].action.Initial != c.want {
			t.Errorf("%s: %+v", name, got)
		}
		for _, refused := range []bool{true, false} {
			if got := mergeParked(c.list[0], c.list[1], refused); got != nil && !got.Op.Removes() && got.Initial != c.want {
				t.Errorf("%s, parked (refused: %v): %+v", name, refused, got)
			}
		}
	}
}
