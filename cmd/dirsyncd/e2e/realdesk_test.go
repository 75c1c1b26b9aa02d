package e2e

import (
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
}

// crowd is how many people there are.
type crowd struct {
	staff, known int // known of the staff are at the desk already
	shared       int // addresses that two of the staff have
	others       int // people at the desk who are nobody of the staff
	kills        int
}

// ofSize is 500 people, 300 known and 200 kills with DIRSYNCD_DESKS=full (make desks), and a tenth of it in the gate: real desks are slow.
func ofSize() *crowd {
	if os.Getenv("DIRSYNCD_DESKS") == "full" {
		return &crowd{staff: 500, known: 300, shared: 3, others: 40, kills: 200}
	}
	return &crowd{staff: 50, known: 30, shared: 3, others: 8, kills: 20}
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

// TestCompanyAtRequestTracker and TestCompanyAtRedmine: a company of whom many are at a real service desk already is adopted there,
// without one account too many and without a change to anybody who is not ours, also when the program is killed again and
// again and when an older state comes back.
func TestCompanyAtRequestTracker(t *testing.T) {
	if os.Getenv("DIRSYNCD_DESKS") == "" {
		t.Skip("Request Tracker takes its time: make desks, or DIRSYNCD_DESKS=some for a tenth of it")
	}
	t.Parallel()
	c := ofSize()
	s := rttest.Start(t, rttest.Options{People: c.colleagues()})
	before := count(t, s.REST, func(*http.Request) bool { return true })
	atRealDesk(t, c, &realDesk{
		target: fmt.Sprintf(`{preset: request-tracker, url: %q, auth: {user: %s, password: {env: DESK_SECRET}}, names: {mark: %q}, rate: 1000, parallel: 2}`,
			before.URL, rttest.User, rttest.Mark),
		mail: "EmailAddress",
		env:  []string{"DESK_SECRET=" + rttest.Password},
		dump: func(t *testing.T) map[string]map[string]string { return s.Dump(t) }, mails: func(t *testing.T) int { return s.Mails(t) }, writes: s.Writes, cut: s.Cut, before: before,
		mark: "CustomField." + rttest.Mark, moves: []string{"LastUpdated", "LastUpdatedBy"},
	})
}

func TestCompanyAtRedmine(t *testing.T) {
	t.Parallel()
	c := ofSize()
	s := redminetest.Start(t, c.colleagues())
	before := count(t, s.URL, func(*http.Request) bool { return true })
	atRealDesk(t, c, &realDesk{
		target: fmt.Sprintf(`{preset: redmine, url: %q, auth: {token: {env: DESK_SECRET}}, names: {mark: %d}, rate: 1000, parallel: 2}`, before.URL, redminetest.UserMark),
		mail:   "mail",
		env:    []string{"DESK_SECRET=" + redminetest.Key},
		dump:   func(t *testing.T) map[string]map[string]string { return s.Dump(t) }, mails: func(t *testing.T) int { return s.Mails(t) }, writes: s.Writes, cut: s.Cut, before: before,
		mark: "custom.dirsync", moves: []string{"updated_on"},
	})
}

func atRealDesk(t *testing.T, c *crowd, d *realDesk) {
	before := d.dump(t)
	in := install(t, fmt.Sprintf(`
state: state.db
connections:
  hr:
    connector: files
    mapping: staff
    targets: [desk]
    files: {folder: in, settle: 0s, kinds: {person: {file: people.csv, key: id, attributes: []}}}
mappings:
  staff:
    rules:
      - {name: everyone, user: {name: '= given_name + " " + family_name', given_name: = given_name, family_name: = family_name, login: = login, email: = email}}
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
	if err := os.WriteFile(in.path("in/people.csv"), []byte(c.file()), 0o600); err != nil {
		t.Fatal(err)
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
	settle := func() {
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
			if st.Waiting == 0 && st.Waits["review"] == 2*c.shared && len(st.Waits) == 1 {
				return
			}
			t.Logf("%+v", st)
		}
		t.Fatal("there is always something left to do")
	}
	settle()
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
	settle()
	d.check(t, c, before)
	if n := d.mails(t); n != 0 {
		t.Errorf("%d mails", n)
	}
}

// check holds what is at the desk against what was there before.
func (d *realDesk) check(t *testing.T, c *crowd, before map[string]map[string]string) {
	t.Helper()
	now := d.dump(t)
	if want := len(before) + c.staff - c.known - c.shared; len(now) != want {
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
	if len(marks) != c.staff-2*c.shared {
		t.Errorf("%d are ours, and not %d", len(marks), c.staff-2*c.shared)
	}
}
