package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
)

// event is an event as a receiver sees it.
type event struct {
	ID, Source, Type, Subject, Time string
	Data                            struct {
		Op, Kind, Key, Rule, Run, Reason string
		Record                           map[string]any
		Changes                          map[string]change
		Origin                           struct{ Connection, Connector, Tenant, ID, Import string }
		Replaces                         string
		ReplacedBy                       string `json:"replaced_by"`
	}
}

type change struct {
	From, To       any
	Added, Removed []string
}

func parseEvent(t *testing.T, data []byte) event {
	t.Helper()
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatalf("not an event: %v\n%s", err, data)
	}
	return e
}

// readEvents reads the events of a file from an offset, up to the last whole line, and returns where that ends.
func readEvents(t *testing.T, path string, from int64) (list []event, end int64) {
	t.Helper()
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, from
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.NewSectionReader(f, from, 1<<40))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // being written
		}
		list = append(list, parseEvent(t, line))
		from += int64(len(line))
	}
	return list, from
}

// journal returns all events of the journal. It reads what came since the last time only.
func (in *installation) journal() []event {
	in.t.Helper()
	news, end := readEvents(in.t, in.path("changes.jsonl"), in.read)
	in.events, in.read = append(in.events, news...), end
	return in.events
}

// record is a record as a receiver keeps it.
type record struct {
	active  bool
	fields  map[string]any
	members map[string]bool
}

// world is a receiver that believes the events it gets, one after the other, and complains about each that
// does not follow from those before.
type world map[string]*record

// replay applies a whole journal. No event may be in it twice.
func replay(t *testing.T, journal []event) world {
	t.Helper()
	seen := map[string]bool{}
	for i := range journal {
		if seen[journal[i].ID] {
			t.Errorf("event %s of %s is in the journal twice", journal[i].ID, journal[i].Subject)
		}
		seen[journal[i].ID] = true
	}
	w := world{}
	w.learn(t, journal)
	return w
}

// learn applies further events.
func (w world) learn(t *testing.T, events []event) {
	t.Helper()
	for i := range events {
		w.apply(t, &events[i])
	}
}

// judge takes complaints: a test, or somebody who wants to know of them.
type judge interface {
	Helper()
	Errorf(format string, args ...any)
}

func (w world) apply(t judge, e *event) {
	t.Helper()
	r := w[e.Subject]
	bad := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s %s: %s", e.Data.Op, e.Subject, fmt.Sprintf(format, args...))
	}
	if e.Subject != e.Data.Kind+"/"+e.Data.Key {
		bad("kind %s and key %s do not agree with the subject", e.Data.Kind, e.Data.Key)
	}
	if strings.HasPrefix(e.Data.Reason, "sent again") { // all there is of the record, whether it is known or not
		r = &record{fields: e.Data.Record, members: map[string]bool{}, active: e.Data.Op == "create"}
		w[e.Subject] = r
		for _, m := range e.Data.Changes["members"].Added {
			r.members[m] = true
		}
		return
	}
	if e.Data.Op == "create" {
		if r != nil {
			bad("there is one already")
		}
		r = &record{fields: e.Data.Record, members: map[string]bool{}}
		w[e.Subject] = r
	}
	if r == nil {
		bad("nobody has heard of it")
		return
	}
	switch e.Data.Op {
	case "create", "reactivate":
		if r.active {
			bad("it is active")
		}
		r.active = true
	case "update", "deactivate":
		if !r.active {
			bad("it is not active")
		}
		r.active = e.Data.Op == "update"
	default:
		bad("unexpected")
	}
	r.change(e, bad)
}

// withValue are the fields that have a value. That one was cleared is as if it had never been there: nothing is said of one that came and
// went before it was told.
func withValue(fields map[string]any) map[string]any {
	fields = maps.Clone(fields)
	maps.DeleteFunc(fields, func(_ string, v any) bool { return v == nil })
	return fields
}

func isSet(name string) bool { return name == "members" || name == "holders" }

// change applies the changes and compares with the whole record that the event carries.
func (r *record) change(e *event, bad func(string, ...any)) {
	fields := maps.Clone(r.fields)
	for name, c := range e.Data.Changes {
		if isSet(name) {
			for _, m := range c.Added {
				if r.members[m] {
					bad("%s is a member already", m)
				}
				r.members[m] = true
			}
			for _, m := range c.Removed {
				if !r.members[m] {
					bad("%s is no member", m)
				}
				delete(r.members, m)
			}
			continue
		}
		if !reflect.DeepEqual(fields[name], c.From) {
			bad("%s was %v before, the event says %v", name, fields[name], c.From)
		}
		fields[name] = c.To
	}
	if !reflect.DeepEqual(withValue(fields), withValue(e.Data.Record)) {
		bad("the changes lead to %v, the record is %v", fields, e.Data.Record)
	}
	r.fields = e.Data.Record
}

// records are the active records of a world, in the form of wanted.
func (w world) records() wanted {
	list := wanted{}
	for subject, r := range w {
		if !r.active {
			continue
		}
		fields := map[string]string{}
		for name, v := range r.fields {
			if v != nil {
				fields[name] = fmt.Sprint(v)
			}
		}
		if len(r.members) > 0 {
			fields["members"] = strings.Join(slices.Sorted(maps.Keys(r.members)), " ")
		}
		list[subject] = fields
	}
	return list
}

// mustBe compares a world with what the directory makes of it.
func (w world) mustBe(t *testing.T, want wanted) {
	t.Helper()
	got := w.records()
	var wrong []string
	for subject, fields := range want {
		if !maps.Equal(fields, got[subject]) {
			wrong = append(wrong, fmt.Sprintf("%s is %v, want %v", subject, got[subject], fields))
		}
	}
	for subject := range got {
		if _, ok := want[subject]; !ok {
			wrong = append(wrong, subject+" must not be there")
		}
	}
	complain(t, "records", wrong)
}

// eventsBetween says which events must tell a receiver that knows w that the records are now others.
func (w world) eventsBetween(want wanted) (lines []string) {
	before := w.records()
	for subject, fields := range want {
		switch old, known := before[subject]; {
		case known && !maps.Equal(old, fields):
			lines = append(lines, "update "+subject+differences(old, fields))
		case !known && w[subject] != nil:
			lines = append(lines, "reactivate "+subject)
		case !known:
			lines = append(lines, "create "+subject)
		}
	}
	for subject := range before {
		if _, stays := want[subject]; !stays {
			lines = append(lines, "deactivate "+subject)
		}
	}
	slices.Sort(lines)
	return lines
}

func differences(old, now map[string]string) string {
	var names []string
	for name := range now {
		if old[name] != now[name] {
			names = append(names, name)
		}
	}
	for name := range old {
		if _, ok := now[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return " " + strings.Join(names, ",")
}

// inShort says what an event does, as eventsBetween does.
func (e *event) inShort() string {
	line := e.Data.Op + " " + e.Subject
	if e.Data.Op == "update" {
		line += " " + strings.Join(slices.Sorted(maps.Keys(e.Data.Changes)), ",")
	}
	return line
}

// mustSay compares events with what they must be, in any order.
func mustSay(t *testing.T, events []event, want []string) {
	t.Helper()
	count := map[string]int{}
	for i := range events {
		count[events[i].inShort()]++
	}
	for _, line := range want {
		count[line]--
	}
	var wrong []string
	for line, n := range count {
		switch {
		case n > 0:
			wrong = append(wrong, fmt.Sprintf("%d too many: %s", n, line))
		case n < 0:
			wrong = append(wrong, fmt.Sprintf("%d missing: %s", -n, line))
		}
	}
	complain(t, "events", wrong)
}

// complain fails a test with the first few of many differences.
func complain(t *testing.T, what string, wrong []string) {
	t.Helper()
	sort.Strings(wrong)
	for i, line := range wrong {
		if i == 10 {
			t.Errorf("… %d wrong %s in all", len(wrong), what)
			return
		}
		t.Errorf("%s: %s", what, line)
	}
}
