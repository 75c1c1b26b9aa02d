package e2e

import (
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors/ldap/slapdtest"
)

// TestChangesArriveAtOnce: without any schedule, the directory tells of its changes, and only these are read: somebody
// is renamed, moves into the service desk, leaves; and the server is restarted in between.
func TestChangesArriveAtOnce(t *testing.T) {
	t.Parallel()
	starting.Lock()
	s := slapdtest.Start(t, slapdtest.Options{Load: small().WriteLDIF, SessionLog: 500})
	starting.Unlock()
	in := install(t, strings.Replace(of(s).configuration(), "incremental: off   # these stories are about listings", "watch: true", 1)+"log: {level: debug}\n")
	d := in.startReady()
	events := len(in.awaitJournal(len(wants(directoryNow(t, s)))))
	d.awaitLog(1, "run ended", "change")

	expect := func(change func(), want ...string) {
		t.Helper()
		change()
		var news []string
		for _, e := range in.awaitJournal(events + len(want))[events:] {
			news = append(news, e.Data.Op+" "+e.Data.Kind)
		}
		events += len(news)
		slices.Sort(news)
		if slices.Sort(want); !slices.Equal(news, want) {
			t.Errorf("got %q, want %q", news, want)
		}
	}
	expect(func() { s.Replace(s.PersonDN("p40"), "displayName", "Newly Named") }, "update user")
	expect(func() { s.AddPerson("joiner", nil) }, "create user")
	expect(func() { s.AddValues(s.GroupDN("Service Desk"), "member", s.PersonDN("joiner")) },
		"deactivate user", "create agent", "update group", "update group") // two, for one contains the other
	s.Restart()
	expect(func() { s.Delete(s.PersonDN("joiner")) }, "deactivate agent", "update group", "update group")
	d.stop()
	if status := in.status(); status.Connections[0].Tenants[0].State != "ok" {
		t.Errorf("%+v", status)
	}
	delta := 0
	for _, run := range ask[[]runView](in, 0, "runs") {
		if run.Trigger == "change" && run.Mode == "delta" {
			delta++
		}
	}
	if delta < 3 {
		t.Errorf("%d runs read changes only, want at least 3", delta)
	}
}
