package tour

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

const deskConnection = `
  accounts:
    connector: ldap
    schedule: "@every 1m"
    mapping: accounts
    targets: [apps]
    ldap:
      servers: [%s]
      bind: {user: "%s", password: "%s"}
      base: %s

mappings:
  accounts:
    rules:
      - name: employees
        when: enabled and employee_type != "contractor"
        user: {name: = name, email: = email, login: = login ?? email, title: = title}
`

const deskTarget = `  apps:
    target: scim
    kinds: [user]
    match: {user: [{emails: = email}]}
    audit: {schedule: "0 4 * * *", fields: [title]}
    scim: {url: "%s", token: demo, updates: put, rate: 1000}
`

// employees are those whose records the journal says are in use: their addresses by name.
func (t *tour) employees() (map[string]string, error) {
	all := map[string]string{}
	for _, kind := range []string{"user", "agent"} {
		found, err := t.inUse(kind)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, found)
	}
	return all, nil
}

// alreadyThere brings the company to a service that has half of it: the first contact is held, and approved.
func (t *tour) alreadyThere(ctx context.Context) error {
	t.title("A place that knows half of them", "The company has accounts at a service (SCIM) which people have used for years.\n"+
		"   Nothing is made there, and nobody is taken over, before you have seen what would\n   happen.")
	people, err := t.employees()
	if err != nil {
		return err
	}
	t.accounts = openAccounts()
	names := slices.Sorted(maps.Keys(people))
	for i, name := range names[:len(names)/2] {
		t.accounts.add(fmt.Sprintf("old-login-%d", i), name, strings.ToUpper(people[name][:1])+people[name][1:], "")
	}
	t.accounts.add("shared", "Front desk", people[names[0]], "") // somebody's address is that of two
	t.accounts.add("vendor", "A vendor", "support@vendor.example", "")
	more := fmt.Sprintf(deskConnection, t.server.URL(), t.server.User(), t.server.Password(), t.server.Base())
	text, err := os.ReadFile(t.path("config.yaml"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(t.path("config.yaml"), append(text, fmt.Sprintf(deskTarget, t.accounts.URL)...), 0o600); err != nil {
		return err
	}
	if err := t.addConnection(ctx, more, nil); err != nil {
		return err
	}
	result, err := t.ops.Sync(ctx, api.SyncRequest{Connections: []string{"accounts"}}, nil)
	if err != nil {
		return err
	}
	t.ran(result.Runs...)
	held, err := t.ops.Adopt(ctx, api.AdoptRequest{Target: "apps"})
	if err != nil {
		return err
	}
	before, wrote := t.accounts.counts()
	if err := expect("the first contact is held", len(held) == 1 && held[0].First && wrote == 0); err != nil {
		return err
	}
	counts := held[0].Counts["user"]
	t.Out.Line("   $ dirsyncd sync accounts; dirsyncd adopt apps")
	t.Out.Line("     it would adopt %d accounts, make %d, ask about %d; %d more belong to nobody here", counts["adopt"], counts["create"], counts["review"], counts["others"])
	t.Out.Line("   $ dirsyncd approve %s", held[0].Hash)
	if _, err := t.ops.Approve(ctx, held[0].Hash); err != nil {
		return err
	}
	after, _ := t.accounts.counts()
	t.Out.Line("     %d accounts were there before, %d are now", before, after)
	return expect("what was shown is what was done", after == before+counts["create"] && counts["adopt"] == len(names)/2-1 && counts["review"] == 1)
}

// whoIsWho decides about the pair that is not clear.
func (t *tour) whoIsWho(ctx context.Context) error {
	t.title("Who is who?", "Two accounts have the same address. All others have gone on; this one waits for\n   you.")
	list, err := t.ops.Matches(ctx, "apps")
	if err != nil {
		return err
	}
	if err := expect("one waits for a human", len(list) == 1 && len(list[0].Candidates) == 2); err != nil {
		return err
	}
	m := &list[0]
	t.Out.Line("   $ dirsyncd match list")
	t.Out.Line("     %s: %s", m.ID, m.Reason)
	for _, c := range m.Candidates {
		t.Out.Line("       %s %s", c.ID, c.Name)
	}
	t.Out.Line("   $ dirsyncd match accept %s %s", m.ID, m.Candidates[0].ID)
	if _, err := t.ops.Decide(ctx, api.MatchDecision{ID: m.ID, Fingerprint: m.Fingerprint, Verdict: "accept", Candidate: m.Candidates[0].ID}); err != nil {
		return err
	}
	list, err = t.ops.Matches(ctx, "apps")
	if err != nil {
		return err
	}
	return expect("nothing waits", len(list) == 0)
}

// drift lets somebody at the service change what is ours, which an audit finds and puts right.
func (t *tour) drift(ctx context.Context) error {
	people, err := t.employees()
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(people))
	who := names[len(names)-1]
	was := t.accounts.title(who)
	t.title("Drift", "Somebody at the service makes %s “King”. A nightly audit finds\n   it, and puts right what the configuration names: titles.", who)
	t.accounts.edit(who, "King")
	found, err := t.ops.Audit(ctx, api.AuditRequest{Target: "apps", Repair: true})
	if err != nil {
		return err
	}
	t.Out.Line("   $ dirsyncd audit apps --repair")
	rows := &term.Table{Indent: "     ", Columns: []term.Column{term.Left("FOUND"), term.Left("FIELDS"), term.Left("PUT RIGHT")}}
	for _, d := range found.Differences {
		rows.Add(d.Finding, strings.Join(d.Fields, ", "), map[bool]string{true: "yes", false: "no"}[d.Repaired])
	}
	t.Out.Table(rows)
	again, err := t.ops.Audit(ctx, api.AuditRequest{Target: "apps"})
	if err != nil {
		return err
	}
	return expect("the title is put right", len(found.Differences) == 1 && found.Repaired == 1 && t.accounts.title(who) == was && len(again.Differences) == 0)
}
