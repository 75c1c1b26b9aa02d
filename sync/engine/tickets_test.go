package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// ticketRig is a rig whose mapping opens tickets, and its clock.
type ticketRig struct {
	*rig
	now time.Time
}

func newTicketRig(t *testing.T, edit ...func(*mapping.Spec)) *ticketRig {
	t.Helper()
	r := &ticketRig{rig: newRig(t), now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	r.engine.opts.Now = func() time.Time { return r.now }
	r.conn.Guard = nil
	r.opens(edit...)
	for i := range 3 {
		r.add(fmt.Sprint(i), fmt.Sprint("P", i))
	}
	return r
}

// opens gives the mapping its usual tickets, and what an edit makes of it.
func (r *ticketRig) opens(edit ...func(*mapping.Spec)) {
	r.Helper()
	spec := mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{
		agent("technicians", `enabled and department == "Desk"`), user("everyone", "enabled"),
	}, Tickets: []mapping.TicketSpec{
		{Name: "joiner", On: mapping.Joining, For: directory.UserRecord, Fields: []mapping.FieldSpec{field("summary", `= "New starter: " + name`), field("type", "Onboarding")}},
		{Name: "leaver", On: mapping.Leaving, For: directory.UserRecord, Fields: []mapping.FieldSpec{field("summary", `= "Leaver: " + name`)}},
	}}
	for _, fn := range edit {
		fn(&spec)
	}
	r.mapping(spec)
}

// run syncs a day later and returns the tickets that this opened, by their keys.
func (r *ticketRig) run() string {
	r.Helper()
	r.now = r.now.Add(24 * time.Hour)
	from := len(r.journal)
	if _, res := r.sync(); res.Err != nil {
		r.Error(res.Err)
	}
	return ticketsIn(r.journal[from:])
}

func ticketsIn(journal []directory.Action) string {
	var keys []string
	for i := range journal {
		if a := &journal[i]; a.Kind == directory.TicketRecord {
			keys = append(keys, strings.TrimPrefix(a.Record, "hq/"))
			if a.Op != directory.Create {
				keys = append(keys, a.Op.String())
			}
		}
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}

func (r *ticketRig) opened(what, want string) {
	r.Helper()
	if got := r.run(); got != want {
		r.Errorf("%s: opened %q, want %q", what, got, want)
	}
}

func (r *ticketRig) off(id string) { p := r.people[id]; p.disabled = true; r.people[id] = p }
func (r *ticketRig) on(id string)  { p := r.people[id]; p.disabled = false; r.people[id] = p }
func (r *ticketRig) in(id, department string) {
	p := r.people[id]
	p.department = department
	r.people[id] = p
}

// A ticket says whom it is about by the key of the record, and comes behind it.
func TestTicketOfAJoiner(t *testing.T) {
	r := newTicketRig(t)
	r.opened("the first sync", "")
	r.add("7", "Ada")
	r.opened("a joiner", "7/ticket/joiner/1")
	n := len(r.journal)
	person, ticket := r.journal[n-2], r.journal[n-1]
	if person.Kind != directory.UserRecord || ticket.Kind != directory.TicketRecord || ticket.Initial || ticket.Key == person.Key {
		t.Fatalf("%+v %+v", person, ticket)
	}
	var fields []string
	for _, f := range ticket.Fields {
		fields = append(fields, f.Name+"="+f.Value.String())
	}
	if got, want := strings.Join(fields, " "), "summary=New starter: Ada type=Onboarding user=hq/7"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if ticket.Name() != "New starter: Ada" || ticket.Rule != "joiner" {
		t.Errorf("%q by %q", ticket.Name(), ticket.Rule)
	}
	r.opened("nothing happened", "")
}

// Who stays, whatever becomes of him, has his tickets already.
func TestTicketOnce(t *testing.T) {
	r := newTicketRig(t)
	r.conn.Targets = []string{target}
	r.run()
	r.add("7", "Ada")
	r.opened("joins", "7/ticket/joiner/1")
	r.people["7"] = person{name: "Ada Lovelace"}
	r.opened("renamed", "")
	r.people["7"] = person{name: "Ada Lovelace", handle: "p:other"}
	r.opened("another handle", "")
	r.in("7", "Sales")
	r.opened("moves", "")
	r.in("7", "Desk")
	r.opened("becomes an agent", "")
	r.in("7", "Sales")
	r.opened("is a user again", "")
	r.off("7")
	r.opened("disabled", "7/ticket/leaver/1")
	r.on("7")
	r.opened("back", "")
	r.off("7")
	r.opened("disabled again", "")
	delete(r.people, "7")
	r.opened("gone", "")
	r.add("7", "Ada")
	r.opened("back after that", "")
	r.off("0")
	r.opened("one of the first sync leaves", "0/ticket/leaver/1")
	r.job.Full = true
	r.opened("a full read", "")
	r.add("8", "Technician")
	r.in("8", "Desk")
	r.opened("an agent joins, and no ticket is for agents", "")
	r.in("8", "")
	r.opened("and becomes a user", "")
}

// A return after long enough is another stay.
func TestTicketOfARehire(t *testing.T) {
	for _, leavers := range []mapping.Leavers{mapping.DeactivateLeavers, mapping.DeleteLeavers} {
		r := newTicketRig(t, func(s *mapping.Spec) {
			s.Leavers = leavers
			for i := range s.Tickets {
				s.Tickets[i].AgainAfter = 90 * 24 * time.Hour
			}
		})
		r.run()
		r.add("7", "Ada")
		r.opened("joins", "7/ticket/joiner/1")
		delete(r.people, "7")
		r.opened("leaves", "7/ticket/leaver/1")
		r.add("7", "Ada")
		r.opened("is back the next day", "")
		delete(r.people, "7")
		r.opened("and gone the day after", "")
		r.now = r.now.Add(100 * 24 * time.Hour)
		r.add("7", "Ada")
		r.opened("rehired", "7/ticket/joiner/2")
		delete(r.people, "7")
		r.opened("leaves for good", "7/ticket/leaver/2")
		r.off("0")
		r.run()
		r.now = r.now.Add(100 * 24 * time.Hour)
		r.on("0")
		r.opened("one of the first sync is rehired", "0/ticket/joiner/1")
	}
}

// With a grace period a return is that of the same stay; who comes back when it is over is told from a joiner, too.
func TestTicketAndGrace(t *testing.T) {
	r := newTicketRig(t, func(s *mapping.Spec) { s.DeleteAfter = 10 * 24 * time.Hour })
	r.run()
	r.add("7", "Ada")
	r.run()
	r.off("7")
	r.opened("leaves", "7/ticket/leaver/1")
	r.on("7")
	r.opened("back in time", "")
	r.off("7")
	r.run()
	r.now = r.now.Add(20 * 24 * time.Hour)
	r.opened("deleted", "")
	r.on("7")
	r.opened("made anew", "")
}

// How long somebody was away counts from the leaving, not from when the record was deleted.
func TestTicketAndTimeAway(t *testing.T) {
	r := newTicketRig(t, func(s *mapping.Spec) {
		s.DeleteAfter = 10 * 24 * time.Hour
		s.Tickets[0].AgainAfter = 90 * 24 * time.Hour
	})
	r.run()
	r.add("7", "Ada")
	r.run()
	r.off("7")
	r.run()
	r.now = r.now.Add(60 * 24 * time.Hour)
	r.opened("deleted", "")
	r.now = r.now.Add(40 * 24 * time.Hour)
	r.on("7")
	r.opened("back after 102 days", "7/ticket/joiner/2")
}

// What of a first sync waits for an approval was there all the time, too.
func TestTicketAndHeldFirstSync(t *testing.T) {
	limit := 2
	r := newTicketRig(t)
	r.conn.Guard = plan.Guard{directory.Create: {Count: &limit}}
	r.opened("held", "")
	if res := r.engine.Approve(r.Context(), r.conn, connectors.Tenant{}, r.state().Held.Hash); res.Err != nil {
		t.Fatal(res.Err)
	}
	r.drain()
	r.add("7", "Ada")
	r.opened("a joiner", "7/ticket/joiner/1")
	if got := ticketsIn(r.journal); got != "7/ticket/joiner/1" || len(r.journal) != 5 {
		t.Errorf("%q, %d actions", got, len(r.journal))
	}
}

// An edit of rules, of tickets, of what is read or of the scope brings nobody.
func TestTicketAndEdits(t *testing.T) {
	r := newTicketRig(t, func(s *mapping.Spec) {
		s.Rules = s.Rules[:1]
		s.Tickets = nil
		s.Rules = append(s.Rules, user("some", `enabled and department == "Sales"`))
	})
	r.in("0", "Sales") // so that no edit takes everybody away
	r.opened("the first sync, without tickets", "")
	r.opens(func(s *mapping.Spec) { s.Rules[1] = user("some", `enabled and department == "Sales"`) })
	r.opened("tickets are written", "")
	r.opens()
	r.add("7", "Ada")
	r.opened("the rules make users of all, and one joins", "7/ticket/joiner/1")
	r.opens(func(s *mapping.Spec) { s.Rules[1] = user("some", `enabled and department == "Sales"`) })
	r.off("7")
	r.opened("the rules make users of few, and one leaves", "7/ticket/leaver/1")
	r.opens()
	r.opened("and of all again", "")
	r.opens(func(s *mapping.Spec) { s.Tickets[0].Name, s.Tickets[0].Fields[0] = "onboarding", field("summary", "x") })
	r.opened("a ticket gets another name", "")

	r.scope = "more"
	r.add("8", "Bob")
	r.opened("another scope lists more", "")
	r.add("9", "Cy")
	r.opened("and then somebody joins", "9/ticket/onboarding/1")
}

// A target that is new hears of no ticket, and one that is told everything again of none again.
func TestTicketAndNewTarget(t *testing.T) {
	r := newTicketRig(t)
	r.run()
	r.add("7", "Ada")
	r.run()
	r.conn.Targets = append(r.conn.Targets, "new")
	r.add("8", "Bob")
	r.opened("with a new target", "8/ticket/joiner/1")
	if got := r.waiting("new"); got != "8/ticket/joiner/1" {
		t.Errorf("the new target hears of %q", got)
	}
	r.job.Resend = target
	r.opened("told again", "")
}

// waiting lists the tickets that wait for a target.
func (r *ticketRig) waiting(name string) string {
	r.Helper()
	var list []directory.Action
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) error {
		list = nil
		return tx.Outbox(name, 0, func(q store.Queued) bool {
			a, err := directory.ParseAction(q.Data)
			if err != nil {
				r.Fatal(err)
			}
			list = append(list, a)
			return true
		})
	})
	if err != nil {
		r.Fatal(err)
	}
	return ticketsIn(list)
}

// A ticket waits with the person, comes once with an approval, and never with what was thrown away.
func TestTicketIsHeld(t *testing.T) {
	limit := 0
	r := newTicketRig(t)
	r.run()
	r.conn.Guard = plan.Guard{directory.Create: {Count: &limit}, directory.Deactivate: {Count: &limit}}
	r.add("7", "Ada")
	r.opened("the creation is held", "")
	r.opened("still", "")
	held := r.state().Held
	if held == nil || held.Counts["ticket"]["create"] != 1 {
		t.Fatalf("%+v", held)
	}
	if res := r.engine.Approve(r.Context(), r.conn, connectors.Tenant{}, held.Hash); res.Err != nil {
		t.Fatal(res.Err)
	}
	r.drain()
	if got := ticketsIn(r.journal); got != "7/ticket/joiner/1" {
		t.Errorf("approved: %q", got)
	}
	r.off("7")
	r.opened("the leaver is held", "")
	if err := r.engine.Discard(r.Context(), r.part(), r.state().Held.Hash); err != nil {
		t.Fatal(err)
	}
	r.opened("thrown away", "")
	r.on("7")
	r.opened("stays", "")
	// As many tickets as there are people do not count against a limit of theirs.
	two := 2
	r.conn.Guard = plan.Guard{directory.Create: {Count: &two}}
	r.add("8", "Bob")
	r.add("9", "Cy")
	r.opened("within the limit", "8/ticket/joiner/1 9/ticket/joiner/1")
}

// Where there is no proof that somebody left, no ticket says so, also when the operator lets the record go.
func TestTicketNeedsProof(t *testing.T) {
	r := newTicketRig(t)
	r.run()
	r.scope = "less"
	delete(r.people, "1")
	r.opened("out of the new scope", "")
	if res := r.engine.Approve(r.Context(), r.conn, connectors.Tenant{}, r.state().Held.Hash); res.Err != nil {
		t.Fatal(res.Err)
	}
	if r.drain(); ticketsIn(r.journal) != "" {
		t.Errorf("approved: %q", ticketsIn(r.journal))
	}
}

// An import carries over what is elsewhere.
func TestTicketOfAnImport(t *testing.T) {
	for _, mode := range []directory.Import{directory.ImportSync, directory.ImportCreateOnly, directory.ImportUpdateOnly} {
		r := newTicketRig(t)
		r.conn.Import = mode
		r.run()
		r.add("7", "Ada")
		r.opened(string(mode), "")
	}
}

// A condition decides when somebody comes. What cannot be computed holds up a joiner, and nobody who leaves.
func TestTicketCondition(t *testing.T) {
	r := newTicketRig(t, func(s *mapping.Spec) {
		s.Tickets[0].When = mapping.TextSpec{Text: `department != "Contractors"`}
		s.Tickets[1].Fields = []mapping.FieldSpec{field("summary", `= "Leaver: " + string(date(department))`)}
	})
	r.run()
	r.people["7"] = person{name: "Ada", department: "Contractors"}
	r.opened("a contractor", "")
	r.in("7", "Sales")
	r.opened("is hired", "")
	r.off("7")
	r.opened("leaves", "7/ticket/leaver/1")
	if last := r.journal[len(r.journal)-1]; last.Name() != "ticket leaver" {
		t.Errorf("%q", last.Name())
	}
	r.opens(func(s *mapping.Spec) {
		s.Tickets[0].Fields = append(s.Tickets[0].Fields, field("due", "= string(date(department))"))
	})
	r.run()
	r.people["8"] = person{name: "Bob", department: "x"}
	if _, res := r.sync(); res.Run.Outcome != Parked {
		t.Errorf("%+v", res.Run)
	}
	if got := ticketsIn(r.journal); strings.Contains(got, "8/") {
		t.Errorf("opened %q", got)
	}
	r.opens()
	r.people["8"] = person{name: "Bob", department: "2026-01-31"}
	r.opened("mended", "8/ticket/joiner/1")
}

// Pulled at any transaction, before or after it is durable, every ticket comes once, for each of two targets.
func TestTicketSurvivesKills(t *testing.T) {
	for cut := 1; cut < 40; cut++ {
		for _, after := range []bool{false, true} {
			r := newTicketRig(t)
			r.conn.Targets = []string{target, "second"}
			for i := range 6 {
				r.add(fmt.Sprint(i), fmt.Sprint("P", i))
			}
			r.queue()
			for i := 5; i < 10; i++ {
				r.add(fmt.Sprint(i), fmt.Sprint("P", i))
			}
			r.off("0")
			delete(r.people, "1")
			whole := r.store
			mortal := &cutStore{Store: whole, left: cut, after: after}
			r.engine.store = mortal
			r.queue()
			r.engine.store = whole
			done := !mortal.dead.Load()
			r.now = r.now.Add(time.Minute)
			r.queue()
			r.job.Full = true
			r.queue()
			const want = "0/ticket/leaver/1 1/ticket/leaver/1 6/ticket/joiner/1 7/ticket/joiner/1 8/ticket/joiner/1 9/ticket/joiner/1"
			for _, name := range r.conn.Targets {
				if got := r.waiting(name); got != want {
					t.Fatalf("cut at %d, %t: %s hears of %q", cut, after, name, got)
				}
			}
			if done {
				return
			}
		}
	}
	t.Error("the run never came to its end")
}

// What of an edit of the rules waits for an approval brings nobody either when it comes, and takes nobody away.
func TestTicketAndHeldEdit(t *testing.T) {
	some := func(s *mapping.Spec) { s.Rules[1] = user("some", `enabled and department == "Sales"`) }
	limit := 1
	guard := plan.Guard{directory.Create: {Count: &limit}, directory.Deactivate: {Count: &limit}}
	r := newTicketRig(t, some)
	r.in("0", "Sales")
	r.add("7", "Ada")
	r.in("7", "Sales")
	r.opened("the first sync", "")
	approve := func(what, want string) {
		t.Helper()
		held := r.state().Held
		if held == nil {
			t.Fatal(what, "nothing is held")
		}
		from := len(r.journal)
		if res := r.engine.Approve(r.Context(), r.conn, connectors.Tenant{}, held.Hash); res.Err != nil {
			t.Fatal(res.Err)
		}
		r.drain()
		if got := ticketsIn(r.journal[from:]); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	r.conn.Guard = guard
	r.opens()
	r.opened("the rules make users of all", "")
	r.people["1"] = person{name: "P1 the second"}
	r.add("8", "Bob")
	r.opened("something about one of them changes, and one joins", "")
	approve("approved", "8/ticket/joiner/1")
	r.conn.Guard = nil
	r.add("9", "Cy")
	r.opened("a joiner", "9/ticket/joiner/1")
	r.conn.Guard = guard
	r.opens(some)
	r.opened("the rules make users of few", "")
	r.off("9")
	r.opened("and one leaves", "")
	approve("approved", "9/ticket/leaver/1")
}

// Who waited for a seat since the first sync, or since the rules were edited, has not come when he gets one.
func TestTicketAndSeats(t *testing.T) {
	seats := func(n int) func(s *mapping.Spec) {
		return func(s *mapping.Spec) {
			s.Seats = map[directory.RecordKind]mapping.Seats{directory.UserRecord: {Total: new(n)}}
		}
	}
	r := newTicketRig(t, seats(2))
	r.opened("the first sync, one waits", "")
	r.add("7", "Ada")
	r.opened("a joiner waits", "")
	r.opens(seats(4))
	r.opened("two more seats", "7/ticket/joiner/1")
}

// For whom a ticket cannot be made nobody else has to wait for a seat.
func TestTicketFailsBesideSeats(t *testing.T) {
	r := newTicketRig(t, func(s *mapping.Spec) {
		s.Seats = map[directory.RecordKind]mapping.Seats{directory.UserRecord: {Total: new(4)}}
		s.Tickets[0].Fields[0] = field("summary", `= "x" + string(int(name))`)
	})
	r.run()
	r.add("7", "Ada")
	r.add("8", "42")
	r.opened("one seat is left, and one ticket fails", "8/ticket/joiner/1")
}

// Whom another scope lists, and who waits for a seat then, has not come either when he gets one.
func TestTicketAndSeatsOfAScope(t *testing.T) {
	seats := func(n int) func(s *mapping.Spec) {
		return func(s *mapping.Spec) {
			s.Seats = map[directory.RecordKind]mapping.Seats{directory.UserRecord: {Total: new(n)}}
		}
	}
	r := newTicketRig(t, seats(3))
	r.opened("the first sync", "")
	r.scope = "more"
	r.add("7", "Ada")
	r.opened("another scope lists more, and one waits", "")
	r.add("8", "Bob")
	r.opened("one joins, and waits", "")
	r.opens(seats(5))
	r.opened("two more seats", "8/ticket/joiner/1")
}
