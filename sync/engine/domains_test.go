package engine

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// newDomainRig is a rig whose source tells the mail domains of its tenant, or does not.
func newDomainRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, user("own", `department in tenant.domains`))
	r.conn.Guard = nil
	for i, domain := range []string{"acme.test", "acme.test", "other.test"} {
		r.people[fmt.Sprint(i)] = person{name: fmt.Sprint("P", i), department: domain}
	}
	return r
}

// looked runs once and says what was queued and how many people were looked at.
func (r *rig) looked(what, want string, people int) {
	r.Helper()
	got, res := r.sync()
	n := 0
	for _, of := range res.Run.Rules["person"] {
		n += of
	}
	if got != want || res.Err != nil || n != people {
		r.Errorf("%s: %q, looked at %d people, %v; want %q, %d", what, got, n, res.Err, want, people)
	}
}

// No domains are not none: as long as nobody has told them nobody is let in or taken out.
func TestUnknownDomains(t *testing.T) {
	r := newDomainRig(t)
	got, res := r.sync()
	if got != "" || res.Run.Outcome != Parked || res.Run.Parked != 3 {
		t.Fatalf("the first run: %q, %+v", got, res.Run)
	}
	if got, res := r.sync(); got != "" || res.Run.Outcome != Parked {
		t.Fatalf("they are still not told: %q, %+v", got, res.Run)
	}
	r.domains = []string{"Acme.test"}
	r.looked("they are told", "create user 0; create user 1", 3)
	r.domains = nil
	r.looked("a request fails", "", 0)
	r.engine = New(r.store, Options{Log: slog.New(slog.DiscardHandler), Now: time.Now}) // another process
	r.job.Full = true
	r.looked("a restart, and a request fails", "", 0)
	r.people["0"] = person{name: "New", department: "acme.test"}
	r.looked("somebody is edited meanwhile", "update user 0 name:P0>New", 1)
}

// Everybody is looked at when the domains are others, and only then.
func TestDomainsChange(t *testing.T) {
	r := newDomainRig(t)
	r.domains = []string{"acme.test", "acme.example"}
	r.looked("the first run", "create user 0; create user 1", 3)
	r.domains = []string{"ACME.example", "acme.test", "acme.example", " "}
	r.looked("in another spelling", "", 0)
	r.domains = append(r.domains, "other.test")
	r.looked("one more", "create user 2", 3)
	r.looked("nothing new", "", 0)
	r.domains = []string{"other.test"}
	r.looked("two are gone", "deactivate user 0; deactivate user 1", 3)
	r.rules(user("own", "enabled"))
	r.looked("rules that do not look at them", "reactivate user 0; reactivate user 1", 3)
	r.domains = []string{"elsewhere.test"}
	r.looked("they concern nobody any more", "", 0)
}

// Whoever asks why sees what the rules saw.
func TestWhyOfDomains(t *testing.T) {
	r := newDomainRig(t)
	r.domains = []string{"acme.test"}
	r.looked("the first run", "create user 0; create user 1", 3)
	for _, id := range []string{"0", "2"} {
		reasons, err := r.engine.Why(t.Context(), r.conn, connectors.Tenant{}, directory.UserRecord, "hq/"+id)
		if err != nil || len(reasons) != 1 || reasons[0].Error != "" || len(reasons[0].Rules) != 1 {
			t.Fatalf("%s: %+v, %v", id, reasons, err)
		}
		if got := fmt.Sprint(reasons[0].Rules[0].Sources["tenant.domains"]); got != "[acme.test]" {
			t.Errorf("%s: the rule saw %s", id, got)
		}
	}
}

// An edit of the rules that asks for domains nobody has told yet takes no record away.
func TestRulesAskForUnknownDomains(t *testing.T) {
	r := newDomainRig(t)
	asking := r.spec.Rules
	r.rules(user("own", "enabled"))
	r.looked("everybody", "create user 0; create user 1; create user 2", 3)
	r.rules(asking...)
	r.expect("rules that ask", Parked)
	r.domains = []string{"acme.test"}
	r.looked("they are told", "deactivate user 2", 3)
}

// A first sync in which nobody could be made, for nobody told the domains, is not over: who is made then was there all the time.
func TestFirstSyncWithoutDomains(t *testing.T) {
	r := newTicketRig(t, func(s *mapping.Spec) { s.Rules = []mapping.RuleSpec{user("own", `department in tenant.domains`)} })
	for id := range r.people {
		r.in(id, "acme.test")
	}
	r.opened("nobody tells", "")
	r.opened("still nobody", "")
	r.domains = []string{"acme.test"}
	r.opened("they are told", "")
	if len(r.journal) != 3 || !r.journal[0].Initial || !r.journal[2].Initial {
		t.Errorf("%+v", r.journal)
	}
	r.add("7", "Ada")
	r.in("7", "acme.test")
	r.opened("a joiner", "7/ticket/joiner/1")
}
