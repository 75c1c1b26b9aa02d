// Package targettest is the suite that every target must pass.
package targettest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// Place is one fresh place to which a target delivers, with what a test needs to see and to break there.
type Place struct {
	// Open opens a target on the place. The suite closes it. Several may be opened one after the other, as
	// after restarts.
	Open func(t *testing.T) targets.Target
	// Taken lists what had an effect at the place, in order. Of a place that keeps no actions, only what they come to,
	// it lists what the test saw delivered, each key once, and fails when the place does not show the sum of that.
	Taken func(t *testing.T) []Taken
	// Repeats says that the place cannot tell a repeated action from a new one: Taken may list it twice.
	Repeats bool
	// Break makes the place fail for everything; Mend ends that. Nil when the place cannot fail.
	Break, Mend func(t *testing.T)
	// Refuse makes the place refuse every action about this record. Nil when it takes everything.
	Refuse func(t *testing.T, record string)
	// Secrets must not show up in any error.
	Secrets []string
}

// Taken is one action as it arrived.
type Taken struct {
	Key, Op, Subject string
}

// Run runs the suite. place is called once per test.
func Run(t *testing.T, place func(t *testing.T) *Place) {
	tests := []struct {
		name string
		run  func(*testing.T, *run)
	}{
		{"description", testDescription},
		{"check leaves no trace", testCheck},
		{"every operation in order", testOperations},
		{"full batches", testFullBatches},
		{"several tenants in one call", testAcross},
		{"strange texts", testStrangeTexts},
		{"tickets", testTickets},
		{"repeated delivery", testRepeat},
		{"repeated after a restart", testRestart},
		{"reopen", testReopen},
		{"ended context", testEndedContext},
		{"parallel deliveries", testParallel},
		{"broken place", testBroken},
		{"refused action", testRefused},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := place(t)
			r := &run{Place: p}
			r.open(t)
			t.Cleanup(func() { r.close(t) })
			test.run(t, r)
		})
	}
}

type run struct {
	*Place
	target targets.Target
}

func (r *run) open(t *testing.T) { r.target = r.Open(t) }

func (r *run) close(t *testing.T) {
	if err := r.target.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// deliver hands over actions in batches as large as the target takes, and wants them all to be taken.
func (r *run) deliver(t *testing.T, actions []directory.Action) {
	t.Helper()
	size := r.target.Describe().Batch
	for len(actions) > 0 {
		n := min(size, len(actions))
		outcomes, err := r.target.Deliver(t.Context(), Work(actions[:n]))
		if err != nil {
			t.Fatalf("Deliver: %v", err)
		}
		if len(outcomes) != n {
			t.Fatalf("%d outcomes for %d actions", len(outcomes), n)
		}
		for i, o := range outcomes {
			if o.Err != nil {
				t.Fatalf("outcome of %s: %v", actions[i].Key, o.Err)
			}
		}
		actions = actions[n:]
	}
}

// wantTaken compares what arrived with what was sent.
func (r *run) wantTaken(t *testing.T, actions []directory.Action) {
	t.Helper()
	want := make([]string, len(actions))
	for i := range actions {
		want[i] = actions[i].Op.String() + " " + directory.Subject(actions[i].Kind, actions[i].Record) + " " + actions[i].Key
	}
	var got []string
	seen := map[string]bool{}
	for _, x := range r.Taken(t) {
		if r.Repeats && seen[x.Key] {
			continue
		}
		seen[x.Key] = true
		got = append(got, x.Op+" "+x.Subject+" "+x.Key)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		same := 0
		for same < min(len(got), len(want)) && got[same] == want[same] {
			same++
		}
		t.Errorf("taken, of %d the first %d as sent, then:\n%s\nwant, of %d:\n%s", len(got), same, cut(got[same:]), len(want), cut(want[same:]))
	}
}

func cut(lines []string) string {
	text := strings.Join(lines[:min(len(lines), 10)], "\n")
	if len(lines) > 10 {
		text += fmt.Sprintf("\n… and %d more", len(lines)-10)
	}
	return text
}

// Action makes an action with a key of its own about a record of its own.
func Action(op directory.Op, n int) directory.Action {
	origin := directory.Origin{Connection: "hq", Connector: "memory", ID: fmt.Sprintf("id-%06d", n)}
	return directory.Action{
		Key: fmt.Sprintf("key%s%06d", op, n), Op: op, Kind: directory.UserRecord, Record: origin.RecordKey(), Origin: origin,
		Rule: "everyone else", Run: "run-1", Time: time.Date(2026, 1, 31, 8, 15, 0, 0, time.UTC),
		Fields: []directory.Field{
			{Name: "email", Value: directory.Text(fmt.Sprintf("person%d@acme.example", n))},
			{Name: "name", Value: directory.Text(fmt.Sprintf("Person %d", n))},
		},
	}
}

// Actions makes creations of n records.
func Actions(n int) []directory.Action {
	list := make([]directory.Action, n)
	for i := range list {
		list[i] = Action(directory.Create, i)
	}
	return list
}

// Work makes deliveries of actions that were not sent before.
func Work(actions []directory.Action) []targets.Delivery {
	work := make([]targets.Delivery, len(actions))
	for i := range actions {
		work[i].Action = actions[i]
	}
	return work
}

func testDescription(t *testing.T, r *run) {
	d := r.target.Describe()
	if d.Batch < 1 || d.Parallel < 0 {
		t.Errorf("description %+v", d)
	}
	if again := r.target.Describe(); again != d {
		t.Errorf("description was %+v and is %+v", d, again)
	}
}

func testCheck(t *testing.T, r *run) {
	if err := r.target.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
	if got := r.Taken(t); len(got) > 0 {
		t.Errorf("Check left %v", got)
	}
	actions := Actions(1)
	r.deliver(t, actions)
	if err := r.target.Check(t.Context()); err != nil {
		t.Errorf("Check after a delivery: %v", err)
	}
	r.wantTaken(t, actions)
}

func testOperations(t *testing.T, r *run) {
	var actions []directory.Action
	for i, op := range directory.Ops() {
		a := Action(op, i)
		if op == directory.Update || op == directory.Reactivate {
			a.Changes = []directory.FieldChange{{Name: "name", From: directory.Null(), To: a.Fields[1].Value}}
		}
		if op.Removes() {
			a.Reason = "removed at the source"
		}
		actions = append(actions, a)
	}
	r.deliver(t, actions)
	r.wantTaken(t, actions)
}

func testFullBatches(t *testing.T, r *run) {
	actions := Actions(min(2*r.target.Describe().Batch+1, 3000))
	r.deliver(t, actions)
	r.wantTaken(t, actions)
}

// testAcross hands over actions of several connections and tenants in one call. They have the same id at their
// sources: it is the origin that tells them apart.
func testAcross(t *testing.T, r *run) {
	if !r.target.Describe().AcrossPartitions {
		t.Skip("the target takes one tenant at a time")
	}
	var actions []directory.Action
	for i, from := range []directory.Origin{{Connection: "hq"}, {Connection: "csp", Tenant: "contoso"}, {Connection: "csp", Tenant: "fabrikam"}} {
		a := Action(directory.Create, 1)
		from.Connector, from.ID = "memory", a.Origin.ID
		a.Key, a.Origin, a.Record = fmt.Sprintf("%s-%d", a.Key, i), from, from.RecordKey()
		actions = append(actions, a)
	}
	r.deliver(t, actions)
	r.wantTaken(t, actions)
}

func testStrangeTexts(t *testing.T, r *run) {
	var actions []directory.Action
	texts := []string{
		"", " ", "\"\\/", "line\nbreak\r\n", "nul\x00", "\u2028\u2029\u0085", "日本語 👩‍🔧", "not \xff UTF-8", "<script>&amp;", strings.Repeat("long ", 100_000),
	}
	for i, text := range texts {
		a := Action(directory.Update, i)
		a.Fields[1].Value = directory.Text(text)
		a.Changes = []directory.FieldChange{{Name: "name", From: directory.List(text, "x"), To: directory.Text(text)}}
		a.Rule, a.Reason = text, text
		actions = append(actions, a)
	}
	many := make([]string, 20_000)
	for i := range many {
		many[i] = fmt.Sprintf("hq/member-%06d", i)
	}
	group := Action(directory.Update, len(texts))
	group.Kind, group.Sets = directory.GroupRecord, []directory.SetChange{{Name: "members", Added: many}}
	actions = append(actions, group)
	r.deliver(t, actions)
	r.wantTaken(t, actions)
}

// testTickets opens two tickets about one person, behind that one. Whoever lost the answers sends them again, and they are there once.
func testTickets(t *testing.T, r *run) {
	actions := []directory.Action{Action(directory.Create, 1), Action(directory.Create, 2), Action(directory.Create, 3)}
	person := actions[0].Record
	for i := range actions[1:] {
		a := &actions[i+1]
		a.Kind, a.Origin, a.Record, a.Rule = directory.TicketRecord, actions[0].Origin, fmt.Sprintf("%s/ticket/joiner/%d", person, i+1), "joiner"
		a.Fields = []directory.Field{{Name: "summary", Value: directory.Text("New starter")}, {Name: "user", Value: directory.Text(person)}}
	}
	r.deliver(t, actions[:2])
	r.close(t)
	r.open(t)
	r.deliver(t, actions[1:])
	r.wantTaken(t, actions)
}

func testRepeat(t *testing.T, r *run) {
	actions := Actions(min(r.target.Describe().Batch, 10) + 5)
	r.deliver(t, actions)
	r.deliver(t, actions)
	r.deliver(t, actions[2:5])
	r.wantTaken(t, actions)
}

func testRestart(t *testing.T, r *run) {
	actions := Actions(min(2*r.target.Describe().Batch, 500))
	r.deliver(t, actions[:len(actions)-1])
	r.close(t)
	r.open(t)
	r.deliver(t, actions[len(actions)/2:])
	r.wantTaken(t, actions)
}

func testReopen(t *testing.T, r *run) {
	actions := Actions(6)
	for i := range actions {
		if err := r.target.Reopen(); err != nil {
			t.Fatalf("Reopen: %v", err)
		}
		r.deliver(t, actions[i:i+1])
	}
	r.wantTaken(t, actions)
}

func testEndedContext(t *testing.T, r *run) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	actions := Actions(1)
	outcomes, err := r.target.Deliver(ctx, Work(actions))
	if err == nil && len(outcomes) == 1 {
		err = outcomes[0].Err
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	r.deliver(t, actions)
	r.wantTaken(t, actions)
}

func testParallel(t *testing.T, r *run) {
	d := r.target.Describe()
	lanes := max(d.Parallel, 1)
	size := min(d.Batch, 20)
	actions := Actions(lanes * size * 3)
	var wg sync.WaitGroup
	for lane := range lanes {
		wg.Go(func() {
			for i := range 3 {
				at := (lane*3 + i) * size
				if outcomes, err := r.target.Deliver(t.Context(), Work(actions[at:at+size])); err != nil || len(outcomes) != size {
					t.Errorf("Deliver: %d outcomes, %v", len(outcomes), err)
				}
			}
		})
	}
	for range 5 {
		_ = r.target.Reopen()
		_ = r.target.Check(t.Context())
	}
	wg.Wait()
	keys := map[string]bool{}
	for _, x := range r.Taken(t) {
		keys[x.Key] = true
	}
	if len(keys) != len(actions) {
		t.Errorf("%d of %d taken", len(keys), len(actions))
	}
}

func testBroken(t *testing.T, r *run) {
	if r.Break == nil {
		t.Skip("the place cannot fail")
	}
	actions := Actions(3)
	r.deliver(t, actions[:1])
	r.Break(t)
	err := r.target.Check(t.Context())
	r.wantNoSecret(t, err)
	size := min(r.target.Describe().Batch, 2)
	outcomes, err := r.target.Deliver(t.Context(), Work(actions[1:1+size]))
	r.wantNoSecret(t, err)
	if err == nil {
		t.Fatalf("no error; outcomes %v", outcomes)
	}
	var classified *fault.Error
	if !errors.As(err, &classified) {
		t.Errorf("not classified: %v", err)
	}
	if text := err.Error(); strings.Contains(text, "acme.example") || strings.Contains(text, "Person") {
		t.Errorf("personal data in the error: %s", text)
	}
	r.Mend(t)
	r.deliver(t, actions[1:])
	r.wantTaken(t, actions)
}

func (r *run) wantNoSecret(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, secret := range r.Secrets {
		if strings.Contains(err.Error(), secret) || strings.Contains(fmt.Sprintf("%+v", err), secret) {
			t.Errorf("a secret in the error: %v", err)
		}
	}
}

func testRefused(t *testing.T, r *run) {
	if r.Refuse == nil {
		t.Skip("the place takes everything")
	}
	actions := Actions(min(max(r.target.Describe().Batch, 1), 9))
	bad := len(actions) / 2
	r.Refuse(t, actions[bad].Record)
	outcomes, err := r.target.Deliver(t.Context(), Work(actions))
	if err != nil {
		t.Fatalf("Deliver: %v", err)
	}
	for i, o := range outcomes {
		switch class := fault.ClassOf(o.Err); {
		case i == bad && (o.Err == nil || class.Retryable()):
			t.Errorf("the refused action: %v", o.Err)
		case i != bad && o.Err != nil:
			t.Errorf("its neighbour %d: %v", i, o.Err)
		}
		r.wantNoSecret(t, o.Err)
	}
	r.wantTaken(t, append(append([]directory.Action{}, actions[:bad]...), actions[bad+1:]...))
}
