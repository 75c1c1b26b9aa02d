package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dirsyncd/sync/targets/rest/redminetest"
	"dirsyncd/sync/targets/rest/rttest"
)

// realDesk is a service desk that people used before: a program of others, on a database of its own.
type realDesk struct {
	target string   // the block of the target
	mail   string   // the key of the address
	env    []string // its secrets
	dump   func(t *testing.T) map[string]map[string]string
	mails  func(t *testing.T) int
	writes func() int
	cut    func(n int, writing, done bool, f func())
	before *counter // stands before it, and does not cut
	mark   string   // the name of our mark in a dump
	moves  []string // what the desk itself moves when a thing is changed
	// team makes a group of people who are there, by their numbers.
	team func(t *testing.T, name string, members ...string)
	// name and login are the names of those of a group and a person in a dump.
	name, login string
}

// crowd is how many people there are.
type crowd struct {
	staff, known int // known of the staff are at the desk already
	shared       int // addresses that two of the staff have
	others       int // people at the desk who are nobody of the staff
	teams        int // groups of the staff; the first is at the desk already, with two others in it
	kills        int
}

// ofSize is 500 people, 300 known and 200 kills with DIRSYNCD_DESKS=full (make desks), and less of it in the gate: real desks are slow.
func ofSize(inGate crowd) *crowd {
	if os.Getenv("DIRSYNCD_DESKS") == "full" {
		return &crowd{staff: 500, known: 300, shared: 3, others: 40, teams: 12, kills: 200}
	}
	return &inGate
}

// colleagues are those who are at the desk before: known of the staff, half of them under other names, and others. Some have been taken
// out of use, some have fields that are nobody's business.
func (c *crowd) colleagues() []rttest.Person {
	var all []rttest.Person
	for i := range c.known {
		p := rttest.Person{Login: fmt.Sprintf("Login%d", i), Mail: fmt.Sprintf("p%d@example.test", i), Given: "As", Family: fmt.Sprintf("written there %d", i)}
		if i%2 == 1 {
			p.Login = fmt.Sprintf("former-name-%d", i)
		}
		if i%7 == 0 {
			p.Remark = fmt.Sprintf("of a human %d", i)
		}
		all = append(all, p)
	}
	for i := range c.others {
		all = append(all, rttest.Person{
			Login: fmt.Sprintf("other%d", i), Mail: fmt.Sprintf("other%d@elsewhere.test", i), Given: "Person", Family: strconv.Itoa(i),
			Remark: "not of the staff", Gone: i%4 == 0,
		})
	}
	return all
}

// staffFile is the company: the last of the staff share their addresses with others of it.
func (c *crowd) file() string {
	var b strings.Builder
	b.WriteString("id,login,given_name,family_name,email\n")
	for i := range c.staff {
		mail := i
		if i >= c.staff-c.shared {
			mail = 2*(i-c.staff+c.shared) + 1
		}
		fmt.Fprintf(&b, "e%d,login%d,Person,Number %d,p%d@example.test\n", i, i, i, mail)
	}
	return b.String()
}

// inTeam reports whether one of the staff is in a team: nobody is of whom a human is asked who he is.
func (c *crowd) inTeam(i, team int) bool {
	return i%c.teams == team && i < c.staff-c.shared && (i%2 == 0 || i > 2*c.shared)
}

// teamFiles are the teams and who is in them.
func (c *crowd) teamFiles() (teams, members string) {
	teams, members = "id,name\n", "group,member\n"
	for n := range c.teams {
		teams += fmt.Sprintf("t%d,Team %d\n", n, n)
		for i := range c.staff {
			if c.inTeam(i, n) {
				members += fmt.Sprintf("t%d,e%d\n", n, i)
			}
		}
	}
	return teams, members
}

// TestCompanyAtRequestTracker and TestCompanyAtRedmine: a company of whom many are at a real service desk already is adopted there,
// without one account too many and without a change to anybody who is not ours, also when the program is killed again and
// again and when an older state comes back.
func TestCompanyAtRequestTracker(t *testing.T) {
	t.Parallel()
	c := ofSize(crowd{staff: 16, known: 10, shared: 1, others: 4, teams: 2, kills: 8})
	s := rttest.Start(t, rttest.Options{People: c.colleagues()})
	before := count(t, s.REST, func(*http.Request) bool { return true })
	atRealDesk(t, c, &realDesk{
		target: fmt.Sprintf(`{preset: request-tracker, url: %q, auth: {user: %s, password: {env: DESK_SECRET}}, names: {mark: %[3]q, group_mark: %[3]q}, rate: 1000, parallel: 2}`,
			before.URL, rttest.User, rttest.Mark),
		mail: "EmailAddress",
		env:  []string{"DESK_SECRET=" + rttest.Password},
		dump: func(t *testing.T) map[string]map[string]string { return s.Dump(t) }, mails: func(t *testing.T) int { return s.Mails(t) }, writes: s.Writes, cut: s.Cut, before: before,
		mark: "CustomField." + rttest.Mark, moves: []string{"LastUpdated", "LastUpdatedBy"}, name: "Name", login: "Name",
		team: func(t *testing.T, name string, members ...string) {
			var made struct{ ID json.Number }
			s.Do(t, "POST", "/REST/2.0/group", map[string]string{"Name": name}, &made)
			s.Do(t, "PUT", "/REST/2.0/group/"+made.ID.String()+"/members", members, nil)
		},
	})
}

func TestCompanyAtRedmine(t *testing.T) {
	t.Parallel()
	c := ofSize(crowd{staff: 50, known: 30, shared: 3, others: 8, teams: 4, kills: 20})
	s := redminetest.Start(t, c.colleagues())
	before := count(t, s.URL, func(*http.Request) bool { return true })
	atRealDesk(t, c, &realDesk{
		target: fmt.Sprintf(`{preset: redmine, url: %q, auth: {token: {env: DESK_SECRET}}, names: {mark: %d, group_mark: %d}, rate: 1000, parallel: 2}`, before.URL, redminetest.UserMark, redminetest.GroupMark),
		mail:   "mail",
		env:    []string{"DESK_SECRET=" + redminetest.Key},
		dump:   func(t *testing.T) map[string]map[string]string { return s.Dump(t) }, mails: func(t *testing.T) int { return s.Mails(t) }, writes: s.Writes, cut: s.Cut, before: before,
		mark: "custom.dirsync", moves: []string{"updated_on"}, name: "lastname", login: "login",
		team: func(t *testing.T, name string, members ...string) {
			s.Do(t, "POST", "/groups.json", map[string]any{"group": map[string]any{"name": name, "user_ids": members}}, nil)
		},
	})
}

func atRealDesk(t *testing.T, c *crowd, d *realDesk) {
	var others []string
	for id, thing := range d.dump(t) {
		if number, person := strings.CutPrefix(id, "user/"); person && slices.Contains([]string{"other1", "other2"}, thing[d.login]) {
			others = append(others, number)
		}
	}
	d.team(t, "Team 0", others...)
	before := d.dump(t)
	in := install(t, fmt.Sprintf(`
state: state.db
connections:
  hr:
    connector: files
    mapping: staff
    targets: [desk]
    files: {folder: in, settle: 0s, kinds: {person: {file: people.csv, key: id, attributes: []}, group: {file: teams.csv, key: id, attributes: []}, member: {file: members.csv}}}
mappings:
  staff:
    rules:
      - {name: everyone, user: {name: '= given_name + " " + family_name', given_name: = given_name, family_name: = family_name, login: = login, email: = email}}
    groups: [{name: teams, group: {name: = name}}]
    guard: {create: {count: 100000}}
targets:
  desk:
    target: rest
    match: {user: [{%s: = email}]} # half of the log-ins differ, which would be a contradiction
    rest: %s
`, d.mail, d.target))
	in.env = append(in.env, d.env...)
	if err := os.Mkdir(in.path("in"), 0o700); err != nil {
		t.Fatal(err)
	}
	teams, members := c.teamFiles()
	for name, text := range map[string]string{"people": c.file(), "teams": teams, "members": members} {
		if err := os.WriteFile(in.path("in/"+name+".csv"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	writes := d.writes()
	in.run("plan")
	in.run("sync")
	held := ask[[]struct {
		Target, Hash string
		Counts       map[string]map[string]int
	}](in, 3, "adopt")
	want := map[string]int{"adopt": c.known - c.shared, "create": c.staff - c.known - c.shared, "review": 2 * c.shared}
	if len(held) != 1 {
		t.Fatalf("held: %+v", held)
	}
	for what, n := range want {
		if held[0].Counts["user"][what] != n {
			t.Fatalf("held: %+v, want %+v", held, want)
		}
	}
	// A name is no proof: whether their team is ours is asked.
	if groups := held[0].Counts["group"]; groups["create"] != c.teams-1 || groups["review"] != 1 {
		t.Fatalf("held: %+v, want %d groups to make and one to ask about", held, c.teams-1)
	}
	in.run("check", "--probe")
	if n := d.writes() - writes; n != 0 {
		t.Fatalf("%d writing requests before the approval", n)
	}
	seed := rand.New(rand.NewPCG(7, 1))
	killed := 0
	for i := range c.kills {
		cmd, after := in.command("sync"), 1+seed.IntN(30)
		if i == 0 {
			cmd, after = in.command("approve", held[0].Hash), 5 // it delivers, too
		}
		// Killed before a request arrives, or when it was done and its answer is on the way.
		if cut(t, cmd, after, seed.IntN(2) == 0, func(n int, done bool, kill func()) func(<-chan struct{}) {
			d.cut(n, i == 0, done, kill)
			return func(ended <-chan struct{}) { <-ended; d.before.quiet(); d.cut(0, false, false, nil) }
		}) {
			killed++
		} else if i == 0 {
			t.Error("the approval was not killed")
		}
		if i == 1 {
			if err := os.WriteFile(in.path("older.db"), mustRead(t, in.path("state.db")), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("killed %d times", killed)
	if killed < c.kills/2 {
		t.Errorf("killed %d times only", killed)
	}
	settle := func(reviews int) {
		t.Helper()
		for range 20 {
			cmd := in.command("sync") // it may take longer than others do
			if out, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() > 4 {
				t.Fatalf("sync: %v\n%s", err, out)
			}
			st := ask[struct {
				Targets []struct {
					Waiting, Parked int
					Waits           map[string]int
				}
			}](in, 0, "status").Targets[0]
			if st.Parked > 0 {
				t.Fatalf("%+v", st)
			}
			if st.Waiting == 0 && st.Waits["review"] == reviews && len(st.Waits) == 1 {
				return
			}
			t.Logf("%+v", st)
		}
		t.Fatal("there is always something left to do")
	}
	settle(2*c.shared + 1)
	in.run("match", "accept", "--all", "--kind", "group")
	settle(2 * c.shared)
	d.check(t, c, before)

	writes = d.writes()
	in.run("sync")
	in.run("audit", "desk")
	in.run("adopt")
	if n := d.writes() - writes; n != 0 {
		t.Errorf("runs without changes sent %d writing requests", n)
	}

	if err := os.Rename(in.path("older.db"), in.path("state.db")); err != nil {
		t.Fatal(err)
	}
	settle(2 * c.shared)
	d.check(t, c, before)
	if n := d.mails(t); n != 0 {
		t.Errorf("%d mails", n)
	}
}

// check holds what is at the desk against what was there before.
func (d *realDesk) check(t *testing.T, c *crowd, before map[string]map[string]string) {
	t.Helper()
	now := d.dump(t)
	if want := len(before) + c.staff - c.known - c.shared + c.teams - 1; len(now) != want {
		t.Errorf("%d things, and not %d", len(now), want)
	}
	marks := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(now)) {
		thing, was := now[id], before[id]
		mark := thing[d.mark]
		if mark != "" {
			if other := marks[mark]; other != "" {
				t.Errorf("%s is there twice: %s and %s", mark, other, id)
			}
			marks[mark] = id
		}
		if was == nil {
			if mark == "" {
				t.Errorf("%s was made without a mark: %v", id, thing)
			}
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(thing)) {
			if name == "members" && mark != "" {
				continue // see below
			}
			if thing[name] == was[name] || mark != "" && (name == d.mark || slices.Contains(d.moves, name) || slices.Contains([]string{"", "NULL"}, was[name])) {
				continue
			}
			t.Errorf("%s (mark %q): %s was %q and is %q", id, mark, name, was[name], thing[name])
		}
	}
	for id := range before {
		if now[id] == nil {
			t.Errorf("%s is gone", id)
		}
	}
	if want := c.staff - 2*c.shared + c.teams; len(marks) != want {
		t.Errorf("%d are ours, and not %d", len(marks), want)
	}
	for n := range c.teams {
		team := marks[fmt.Sprint("hr/group:t", n)]
		var members []string
		if before[team] != nil {
			members = strings.Fields(before[team]["members"]) // those of others stay
		}
		for i := range c.staff {
			if c.inTeam(i, n) {
				members = append(members, strings.TrimPrefix(marks[fmt.Sprint("hr/person:e", i)], "user/"))
			}
		}
		have := strings.Fields(now[team]["members"])
		slices.Sort(members)
		slices.Sort(have)
		if !slices.Equal(have, members) || now[team][d.name] != fmt.Sprint("Team ", n) {
			t.Errorf("%s is %s %q with %v, and not %v", marks[fmt.Sprint("hr/group:t", n)], team, now[team][d.name], have, members)
		}
	}
}
