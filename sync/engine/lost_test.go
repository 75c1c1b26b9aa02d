package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
)

// lackRig has two people with a licence each and one with two, from a source whose lists of holders can be short.
type lackRig struct {
	*rig
	has   map[string]bool // "person licence" that the source has, asked for by itself
	asked []string
}

func newLackRig(t *testing.T) *lackRig {
	r := &lackRig{rig: newRig(t), has: map[string]bool{}}
	r.conn.Guard = nil
	r.wide = true
	spec := wideSpec()
	used := field("used", "= used")
	spec.Licences = []mapping.RuleSpec{{Name: "all", Records: map[directory.RecordKind][]mapping.FieldSpec{directory.LicenceRecord: {used}}}}
	r.mapping(spec)
	r.licences["e3"], r.licences["e5"] = "E3", "E5"
	r.used = map[string]int64{"e3": 2, "e5": 2}
	for id, holds := range map[string][]string{"0": {"e3"}, "1": {"e5"}, "2": {"e3", "e5"}} {
		r.people[id] = person{name: "P" + id, holds: holds}
	}
	r.mayLack = &connectors.MayLack{
		Link:   func(l directory.Link) bool { return l.Type == directory.Holds },
		Counts: []string{directory.FieldUsed},
		Look: func(_ context.Context, lost []connectors.Lost) ([]bool, error) {
			there := make([]bool, len(lost))
			for i, x := range lost {
				name := x.Object.ID + " " + strings.TrimPrefix(x.Link.To, "l:")
				r.asked = append(r.asked, name)
				there[i] = r.has[name]
			}
			return there, r.blind
		},
	}
	r.sync()
	return r
}

// holds says what the list of holders says of somebody.
func (r *lackRig) holds(id string, licences ...string) {
	p := r.people[id]
	p.holds = licences
	r.people[id] = p
}

func TestHolderMissedOnce(t *testing.T) {
	r := newLackRig(t)
	r.holds("2", "e5")
	r.holds("1")
	res := r.expect("missed once", Clean)
	if notes := strings.Join(res.Run.Notes, "\n"); !strings.Contains(notes, "lack 2 assignments of before") {
		t.Errorf("the run says %q", notes)
	}
	r.holds("2", "e3", "e5")
	r.holds("1", "e5")
	r.expect("whole again", Clean)
	r.holds("2", "e3")
	r.expect("another one is missed once", Clean)
	if len(r.asked) > 0 {
		t.Errorf("asked for %v, which nothing called for", r.asked)
	}
}

func TestHolderMissedTwice(t *testing.T) {
	r := newLackRig(t)
	r.has["1 e5"] = true
	r.holds("2", "e5")
	r.holds("1")
	r.expect("missed once", Clean)
	res := r.expect("missed twice, and one is there", Clean, "update user 2 has:E3, E5>E5", "update licence e3 + -hq/2")
	if notes := strings.Join(res.Run.Notes, "\n"); !strings.Contains(notes, "left out 1 assignment that it has") {
		t.Errorf("the run says %q", notes)
	}
	slices.Sort(r.asked)
	if got := strings.Join(r.asked, ", "); got != "1 e5, 2 e3" {
		t.Errorf("asked for %s", got)
	}
	for range 3 {
		r.expect("still left out", Clean)
	}
	r.has["1 e5"] = false
	r.expect("gone now", Clean, "update user 1 has:E5>", "update licence e5 + -hq/1")
}

// Where nothing can be asked, two lists are enough; where the word is definite, one list and the word.
func TestHolderAskedFor(t *testing.T) {
	r := newLackRig(t)
	r.blind = &fault.Error{Class: fault.Forbidden, Op: "get a licence", Err: errors.New("403")}
	r.holds("1")
	r.expect("missed once", Clean)
	r.expect("missed twice", Clean, "update user 1 has:E5>", "update licence e5 + -hq/1")
	r.blind, r.mayLack.Definite = nil, true
	r.holds("0")
	r.expect("missed once, and not there", Clean, "update user 0 has:E3>", "update licence e3 + -hq/0")
	r.has["2 e3"] = true
	r.holds("2")
	r.expect("one is there, one is not", Clean, "update user 2 has:E3, E5>E3", "update licence e5 + -hq/2")
}

// What is read no longer by the configuration's word is not asked for.
func TestLinkThatComesFromNoList(t *testing.T) {
	r := newLackRig(t)
	r.mayLack.Link = func(l directory.Link) bool { return l.To != "l:e3" }
	r.holds("2", "e5")
	r.expect("at once", Clean, "update user 2 has:E3, E5>E5", "update licence e3 + -hq/2")
}

// A smaller number waits for the next list unless the source says why; a larger one is told at once.
func TestCountFromAShortList(t *testing.T) {
	r := newLackRig(t)
	r.used["e3"] = 1
	res := r.expect("smaller once", Clean)
	if notes := strings.Join(res.Run.Notes, "\n"); !strings.Contains(notes, "smaller numbers of 1 object") {
		t.Errorf("the run says %q", notes)
	}
	r.expect("smaller twice", Clean, "update licence e3 used:2>1")
	r.used["e3"] = 5
	r.expect("larger", Clean, "update licence e3 used:1>5")
	r.mayLack.Fewer = 2
	r.used["e3"] = 3
	r.expect("smaller for a reason", Clean, "update licence e3 used:5>3")
	r.used["e3"] = 0
	r.expect("smaller for more than the reason", Clean)
	r.used["e3"] = 3
	r.expect("as before", Clean)
}

// In an incremental read as well; the next run reads in full.
func TestHolderMissedInADelta(t *testing.T) {
	r := newLackRig(t)
	var page connectors.Page
	r.delta = func(emit func(*connectors.Page) error) error {
		p := page
		p.Objects, p.MayLack = slices.Clone(p.Objects), r.mayLack
		p.Cursor, p.Proof = []byte("u"), &connectors.Proof{Scope: "all", Count: -1}
		return emit(&p)
	}
	r.sync()
	r.holds("1")
	page.Objects = []directory.Object{r.object("1")}
	r.expect("missed once", Clean)
	if !r.state().WantFull {
		t.Error("nobody looks again")
	}
	r.expect("missed twice", Clean, "update user 1 has:E5>", "update licence e5 + -hq/1")
	if r.state().WantFull {
		t.Error("a full read is wanted for ever")
	}
	r.mayLack.Definite = true
	r.holds("0")
	page.Objects = []directory.Object{r.object("0")}
	r.expect("named, and not there when asked for", Clean, "update user 0 has:E3>", "update licence e3 + -hq/0")
	if r.state().WantFull {
		t.Error("a full read is wanted for what is certain")
	}
}

// An object that one of several lists no longer has stays as it was as a whole.
func TestOneOfSeveralListsIsShort(t *testing.T) {
	r := newRig(t)
	r.conn.Guard = nil
	const lists = directory.AttributePrefix + "lists"
	object := func(name string, of ...string) directory.Object {
		o := directory.Object{Kind: directory.Person, ID: "1", Handles: []string{"p:1"}}
		o.SetText(directory.FieldName, name)
		o.Set(directory.FieldEnabled, directory.Bool(true))
		o.Set(lists, directory.List(of...))
		return o
	}
	var page connectors.Page
	r.delta = func(emit func(*connectors.Page) error) error {
		p := page
		p.MayLack, p.Cursor, p.Proof = &connectors.MayLack{Made: lists}, []byte("u"), &connectors.Proof{Scope: "all", Count: -1}
		return emit(&p)
	}
	r.add("1", "Ada")
	r.sync()
	says := func(name string, of ...string) { page.Objects = []directory.Object{object(name, of...)} }
	says("Ada of both", "a", "b")
	r.expect("of two lists", Clean, "update user 1 name:Ada>Ada of both")
	says("Ada of a", "a")
	r.expect("one lacks her", Clean)
	if !r.state().WantFull {
		t.Error("nobody looks again")
	}
}

// A list that goes on lacking more than can be asked for is looked at again by the next run, and then as the schedule says.
func TestMoreHoldersMissedThanCanBeAskedFor(t *testing.T) {
	r := newLackRig(t)
	r.delta = func(emit func(*connectors.Page) error) error {
		return emit(&connectors.Page{Cursor: []byte("u"), Proof: &connectors.Proof{Scope: "all", Count: -1}})
	}
	for i := range connectors.MostLooks + 50 {
		id := fmt.Sprint("x", i)
		r.people[id] = person{name: id, holds: []string{"e3"}}
		r.has[id+" e3"] = true
	}
	r.job = Job{Full: true}
	r.sync()
	for id := range r.people {
		if strings.HasPrefix(id, "x") {
			r.holds(id)
		}
	}
	r.job = Job{Full: true}
	r.expect("missed once", Clean)
	r.expect("missed twice", Clean)
	r.expect("missed thrice", Clean)
	if r.state().WantFull {
		t.Errorf("a full read is wanted for ever: %s", r.state().Why)
	}
}
