package e2e

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/ldap/slapdtest"
)

// deleteShare deletes every nth person of those that have a user record and no reports.
func deleteShare(t *testing.T, in *installation, s *slapdtest.Server, nth int) (deleted int) {
	t.Helper()
	conn := connect(t, s)
	defer func() { _ = conn.Close() }()
	for i, e := range in.journal() {
		if i%nth > 0 || e.Data.Op != "create" || e.Data.Kind != "user" {
			continue
		}
		if err := conn.Del(ldap.NewDelRequest(s.PersonDN(e.Data.Record["login"].(string)), nil)); err != nil {
			t.Fatal(err)
		}
		deleted++
	}
	return deleted
}

// TestGuard: a fifth of the company vanishes from the directory. Nobody is removed before somebody says so.
func TestGuard(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	in := install(t, of(s).configuration())
	in.expect(0, "sync")
	known := replay(t, in.journal())
	was := len(in.journal())
	if n := deleteShare(t, in, s, 5); n < 30 {
		t.Fatalf("only %d people were deleted", n)
	}
	// A joiner need not wait for that.
	s.AddPerson("joiner", nil)

	in.expect(3, "sync").says(t, "held", "deactivate", "the limit is 10%", "dirsyncd approve")
	if news := in.journal()[was:]; len(news) != 1 || news[0].Data.Op != "create" || news[0].Data.Record["login"] != "joiner" {
		t.Fatalf("somebody joined, and the journal says %d things", len(news))
	}
	calm := was + 1
	untouched := func() {
		t.Helper()
		if news := in.journal()[calm:]; len(news) > 0 {
			t.Fatalf("the plan is held, but the journal says %s", news[0].inShort())
		}
	}
	untouched()
	held := in.status().Connections[0].Tenants[0].Held
	if held == nil || len(held.Reasons) == 0 {
		t.Fatalf("held: %+v", held)
	}
	in.expect(0, "status").says(t, held.Hash, "held")
	in.expect(3, "plan", "--offline").says(t, held.Hash)
	if planned := ask[planView](in, 3, "plan"); !planned.Held || planned.Runs[0].Held != held.Hash {
		t.Errorf("a plan that reads again is %s, held is %s", planned.Runs[0].Held, held.Hash)
	}
	if runs := ask[[]runView](in, 0, "runs"); runs[0].Outcome != "held" || runs[0].Held != held.Hash {
		t.Errorf("the last run: %+v", runs[0])
	}

	// Thrown away, it comes back, since the source still says so.
	in.expect(0, "discard", held.Hash)
	untouched()
	in.expect(0, "status").says(t, "due", "the next run reads everything: plan "+held.Hash+" was discarded")
	in.expect(2, "approve", held.Hash).says(t, "no plan with this hash is held")
	in.expect(3, "sync")
	untouched()
	again := in.status().Connections[0].Tenants[0].Held
	if again == nil || again.Hash != held.Hash {
		t.Fatalf("held again: %+v, want %s", again, held.Hash)
	}

	// Another hash than that of the held plan does nothing.
	in.expect(2, "approve", strings.Repeat("0", len(held.Hash))).says(t, "dirsyncd status")
	in.expect(2, "discard", strings.Repeat("0", len(held.Hash)))
	in.expect(2, "approve")
	untouched()

	now := wants(directoryNow(t, s))
	in.expect(0, "approve", held.Hash)
	mustSay(t, in.journal()[was:], known.eventsBetween(now))
	replay(t, in.journal()).mustBe(t, now)
	if in.status().Connections[0].Tenants[0].Held != nil {
		t.Error("an approved plan is still held")
	}
	calm = len(in.journal())
	in.expect(0, "sync")
	untouched()
}

// TestHeldPlanChanges: what is approved is what was shown. When the source says something else meanwhile, the
// old hash is worth nothing, and the refusal says what is different; who joins makes no difference.
func TestHeldPlanChanges(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	in := install(t, of(s).configuration())
	in.expect(0, "sync")
	deleteShare(t, in, s, 5)
	in.expect(3, "sync")
	first := in.status().Connections[0].Tenants[0].Held
	s.AddPerson("joiner", nil)
	in.expect(3, "sync")
	if same := in.status().Connections[0].Tenants[0].Held; same.Hash != first.Hash {
		t.Errorf("somebody joined: held is %+v, was %+v", same, first)
	}
	was := len(in.journal())
	another := ""
	for i, e := range in.journal() {
		if i%5 == 1 && e.Data.Op == "create" && e.Data.Kind == "user" {
			another = e.Data.Record["login"].(string)
		}
	}
	conn := connect(t, s)
	defer func() { _ = conn.Close() }()
	if err := conn.Del(ldap.NewDelRequest(s.PersonDN(another), nil)); err != nil {
		t.Fatal(err)
	}
	in.expect(3, "sync")
	second := in.status().Connections[0].Tenants[0].Held
	if second == nil || second.Hash == first.Hash {
		t.Fatalf("held at first: %+v, then %+v", first, second)
	}
	in.expect(2, "approve", first.Hash).says(t, "it is "+second.Hash, "holds besides 1 user: ", "dirsyncd approve "+second.Hash)
	if len(in.journal()) != was {
		t.Error("a superseded plan was applied")
	}
	in.expect(0, "approve", second.Hash)
	replay(t, in.journal()).mustBe(t, wants(directoryNow(t, s)))
}
