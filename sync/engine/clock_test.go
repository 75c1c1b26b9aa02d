package engine

import (
	"cmp"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
)

// TestStreamsWithAClock: what has a clock of its own is read when it is due, when somebody asks, and after a start.
func TestStreamsWithAClock(t *testing.T) {
	r := newRig(t)
	r.wide = true
	r.spec.Devices = []mapping.RuleSpec{{Name: "all", Records: map[directory.RecordKind][]mapping.FieldSpec{directory.AssetRecord: {}}}}
	r.mapping(r.spec)
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	r.engine.opts.Now = func() time.Time { return now }
	r.conn.Every = map[directory.Kind]time.Duration{directory.Device: 6 * time.Hour}
	r.add("1", "P1")
	r.devices["d1"] = "p:1"
	scheduled := func() { r.job = Job{Patient: true} }
	scheduled()
	r.expect("the first run", Clean, "create user 1", "create asset d1")
	r.devices["d2"] = "p:1"
	now = now.Add(time.Hour)
	scheduled()
	r.expect("an hour later", Clean)
	r.expect("somebody asks", Clean, "create asset d2")
	r.devices["d3"] = "p:1"
	now = now.Add(5 * time.Hour)
	scheduled()
	r.expect("five hours after that", Clean)
	now = now.Add(time.Hour)
	scheduled()
	r.expect("six hours after that", Clean, "create asset d3")
	r.devices["d4"] = "p:1"
	scheduled()
	r.job.Full = true
	r.expect("a full read", Clean, "create asset d4")
	r.devices["d5"] = "p:1"
	r.engine.readAt = map[clocked]time.Time{}
	scheduled()
	r.expect("the first run after a start", Clean, "create asset d5")
}

// TestRemovedInFull: a delta that says that somebody is gone is not believed where the operator says so; a full read is.
func TestRemovedInFull(t *testing.T) {
	r := newRig(t)
	r.delta = func(emit func(*connectors.Page) error) error {
		p := &connectors.Page{Cursor: []byte("delta"), Proof: &connectors.Proof{Scope: r.scope, Count: -1}}
		if _, there := r.people["2"]; !there {
			p.Removed = []directory.Ref{{Kind: directory.Person, ID: "2"}}
		}
		return emit(p)
	}
	r.conn.RemovedInFull = []directory.Kind{directory.Person}
	r.add("1", "P1")
	r.add("2", "P2")
	r.sync()
	delete(r.people, "2")
	r.expect("a delta says that 2 is gone", Clean)
	r.job = Job{Full: true}
	r.expect("a full read says so", Clean, "deactivate user 2")
}

// TestEveryOfMixedStreams: a stream is read as often as the kind in it that is wanted most often.
func TestEveryOfMixedStreams(t *testing.T) {
	c := &Connection{Every: map[directory.Kind]time.Duration{directory.Device: time.Hour, directory.Licence: 2 * time.Hour}}
	for _, tt := range []struct {
		kinds []directory.Kind
		want  time.Duration
	}{
		{[]directory.Kind{directory.Device}, time.Hour},
		{[]directory.Kind{directory.Licence, directory.Device}, time.Hour},
		{[]directory.Kind{directory.Device, directory.Person}, 0},
		{nil, 0},
	} {
		if got := c.every(tt.kinds); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.kinds, got, tt.want)
		}
	}
}

// TestClockAfterAReadThatBrokeOff: what is stored of a stream that broke off is of two times, whenever its clock says that it is due.
func TestClockAfterAReadThatBrokeOff(t *testing.T) {
	r := newRig(t, user("staff", `"a" in groups or "b" in groups`))
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	r.engine.opts.Now = func() time.Time { return now }
	r.conn.Every = map[directory.Kind]time.Duration{directory.Group: 6 * time.Hour}
	r.add("1", "P1")
	r.groups["a"], r.groups["b"] = []string{"p:1"}, nil
	broken := true
	r.groupDelta = func(emit func(*connectors.Page) error) error {
		page := func(m connectors.Members) *connectors.Page { return &connectors.Page{Members: []connectors.Members{m}} }
		if err := emit(page(connectors.Members{Group: "a", Remove: []string{"p:1"}})); err != nil || broken {
			return cmp.Or[error](err, &fault.Error{Class: fault.Auth, Op: "read"})
		}
		last := page(connectors.Members{Group: "b", Add: []string{"p:1"}})
		last.Cursor, last.Proof = []byte("delta"), &connectors.Proof{Scope: r.scope, Count: -1}
		return emit(last)
	}
	r.job = Job{Patient: true}
	r.expect("the first run", Clean, "create user 1")
	r.expect("somebody asks, and it breaks off between the two groups", Failed)
	broken = false
	now = now.Add(time.Hour)
	r.job = Job{Patient: true}
	r.expect("the next one", Clean)
}

// TestClockOfAStreamThatIsSwitchedOnAgain: nothing of it is known, so it is read at once.
func TestClockOfAStreamThatIsSwitchedOnAgain(t *testing.T) {
	r := newRig(t)
	r.wide = true
	r.conn.Every = map[directory.Kind]time.Duration{directory.Device: 6 * time.Hour}
	r.add("1", "P1")
	r.devices["d1"] = "p:1"
	r.job = Job{Patient: true}
	r.expect("the first run", Clean, "create user 1")
	r.off["devices"] = true
	r.job = Job{Patient: true}
	_, res := r.sync()
	if res.Err != nil {
		t.Fatal(res.Err)
	}
	r.off = map[string]bool{}
	r.job = Job{Patient: true}
	r.expect("on again", Clean)
}
