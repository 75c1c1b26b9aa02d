package e2e

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestTenThousandPeople follows a company of 10,000 from its first sync through a day of changes. After every
// sync the journal holds exactly what changed and nothing else.
func TestTenThousandPeople(t *testing.T) {
	t.Parallel()
	c := large(10_000)
	s := c.open(t)
	in := install(t, of(s).configuration())

	// The first sync creates what the LDIF file, read by other eyes, says must be there.
	in.expect(0, "sync")
	want := wants(withIDs(t, entriesOf(t, c, s.Suffix), s))
	known := replay(t, in.journal())
	known.mustBe(t, want)
	for _, e := range in.journal() {
		if e.Data.Op != "create" {
			t.Fatalf("a first sync did %s %s", e.Data.Op, e.Subject)
		}
	}
	kinds := map[string]int{}
	for subject := range want {
		kind, _, _ := strings.Cut(subject, "/")
		kinds[kind]++
	}
	t.Logf("records: %v", kinds)
	if kinds["agent"] < 500 || kinds["user"] < 8000 || kinds["group"] != 2 {
		t.Errorf("the population is not as this test wants it: %v", kinds)
	}

	// Nothing happened: nothing is written, whichever way it is looked at.
	before, err := os.ReadFile(in.path("changes.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	in.expect(0, "sync")
	in.expect(0, "sync", "--full")
	after, err := os.ReadFile(in.path("changes.jsonl"))
	if err != nil || !bytes.Equal(before, after) {
		t.Fatalf("an idle sync wrote to the journal (%v)", err)
	}

	// A day of changes.
	id := func(uid string) string { return connection + "/" + s.UUID(s.PersonDN(uid)) }
	group := func(cn string) string { return "group/" + connection + "/" + s.UUID(s.GroupDN(cn)) }
	mustBe := func(kind, uid string) {
		t.Helper()
		if want[kind+"/"+id(uid)] == nil {
			t.Fatalf("%s is no %s: this test wants another population", uid, kind)
		}
	}
	for _, uid := range []string{"p9002", "p9003", "p9004", "p9005", "p9006", "p9007", "m0"} {
		mustBe("user", uid)
	}
	mustBe("agent", "p5")
	day := []string{
		"update user/" + id("p9002") + " phone",
		"update user/" + id("p9003") + " login",
		"deactivate user/" + id("p9004"), "create agent/" + id("p9004"),
		"deactivate agent/" + id("p5"), "create user/" + id("p5"),
		"deactivate user/" + id("p9005"),
		"deactivate user/" + id("p9006"),
		"update user/" + id("p9007") + " manager",
		"update user/" + id("m0") + " phone,site",
		"create user/" + id("d0"),
		"create agent/" + id("c0"),
		"update " + group("Service Desk") + " members",
		"update " + group("Service Desk Night") + " members",
	}
	s.Replace(s.PersonDN("p9002"), "telephoneNumber", "+44 20 7946 9999")
	s.Replace(s.PersonDN("p9002"), "roomNumber", "17") // nobody asked for it
	s.Rename(s.PersonDN("p9003"), "uid=moved", "ou=services,"+s.Suffix)
	weekend := s.AddGroup("Service Desk Weekend", s.PersonDN("p9004"))
	s.AddValues(s.GroupDN("Service Desk Night"), "member", weekend)
	s.DeleteValues(s.GroupDN("Service Desk Night"), "member", s.PersonDN("p5"))
	s.Replace(s.PersonDN("p9005"), "pwdAccountLockedTime", "000001010000Z")
	s.Delete(s.PersonDN("p9006"))
	s.Replace(s.PersonDN("p9007"), "manager", s.PersonDN("m0"))
	s.Replace(s.PersonDN("m0"), "mobile")
	s.Replace(s.PersonDN("m0"), "l", "Porto")
	s.Replace(s.PersonDN("d0"), "pwdAccountLockedTime")
	s.Replace(s.PersonDN("c0"), "employeeType", "staff")
	s.AddPerson("joiner", map[string][]string{"cn": {"Zoe New"}, "telephoneNumber": {"+44 20 3"}})
	// A manager's new name reaches all who report to him.
	s.Replace(s.PersonDN("p950"), "displayName", "Newly Named")
	day = append(day, "create user/"+id("joiner"), "create "+group("Service Desk Weekend"))

	in.expect(0, "sync")
	events := in.journal()[len(want):]
	now := wants(directoryNow(t, s))
	mustSay(t, events, known.eventsBetween(now))
	for _, line := range day {
		if !slices.ContainsFunc(events, func(e event) bool { return e.inShort() == line }) {
			t.Errorf("the journal does not say: %s", line)
		}
	}
	reports := 0
	for i := range events {
		if events[i].Data.Changes["manager"].To == "Newly Named" {
			reports++
		}
	}
	if reports < 5 {
		t.Errorf("a manager's name reached %d reports", reports)
	}
	known.learn(t, events)
	known.mustBe(t, now)
	kindChange(t, events, "user/"+id("p9004"), "agent/"+id("p9004"))

	// A group leaves the service desk, and with it all who are below it through that group only.
	was := len(in.journal())
	s.DeleteValues(s.GroupDN("g24"), "member", s.GroupDN("g97"))
	in.expect(3, "sync") // more agents than the guard allows
	held := in.status().Connections[0].Tenants[0].Held
	if held == nil {
		t.Fatal("no plan is held")
	}
	in.expect(0, "approve", held.Hash)
	now = wants(directoryNow(t, s))
	mustSay(t, in.journal()[was:], known.eventsBetween(now))
	replay(t, in.journal()).mustBe(t, now)
}

// kindChange demands that two events are a deactivation and a creation, in that order, that name each other.
func kindChange(t *testing.T, events []event, from, to string) {
	t.Helper()
	gone := slices.IndexFunc(events, func(e event) bool { return e.Subject == from && e.Data.Op == "deactivate" })
	here := slices.IndexFunc(events, func(e event) bool { return e.Subject == to && e.Data.Op == "create" })
	if gone < 0 || here < gone {
		t.Fatalf("%s at %d, %s at %d", from, gone, to, here)
	}
	if events[gone].Data.ReplacedBy != to || events[here].Data.Replaces != from {
		t.Errorf("%s is replaced by %q, %s replaces %q", from, events[gone].Data.ReplacedBy, to, events[here].Data.Replaces)
	}
}
