package service

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/connectors/merge"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/file"
)

// merged is a company with three directories and one connection that is made of them.
type merged struct {
	*testing.T
	ad, entra, hr *memory.Source
	service       *Service
	store         store.Store
	parts         Parts
}

const mergedConfig = `state: state.db
connections:
  hq-ad: {connector: ad, targets: []}
  entra: {connector: entra, targets: []}
  hr: {connector: hr, targets: []}
  people:
    connector: merge
    mapping: staff
    targets: [journal]
    merge:
      from: [hq-ad, entra, hr]
      leader: hr
      leaver: %s
      join:
        - {fields: {hq-ad: id, entra: attributes.immutableId}, as: guid}
        - {field: employee_id}
        - {field: email, domains: [acme.test]}
      fields: {title: [hr, hq-ad], phone: [entra]}
mappings:
  staff:
    rules:
      - name: staff
        when: enabled ?? true
        user:
          name: = name
          title: {value: = title, blank: clear}
          phone: {value: = phone, blank: clear}
          boss: {value: = manager.name, blank: clear}
          teams: {value: '= join(groups, ",")', blank: clear}
    guard: {deactivate: {percent: 100}}
targets: {journal: {target: file, file: {path: changes.jsonl}}}
`

func newMerged(t *testing.T, leaver string) *merged {
	t.Helper()
	t.Chdir(t.TempDir())
	m := &merged{T: t, ad: memory.NewSource(), entra: memory.NewSource(), hr: memory.NewSource()}
	named := func(name string, s *memory.Source) connectors.Factory {
		f := memory.FactoryOf(s, memory.Options{PageSize: 3})
		f.Name = name
		return f
	}
	m.parts = Parts{Connectors: connectors.Registry{named("ad", m.ad), named("entra", m.entra), named("hr", m.hr), merge.Factory()},
		Targets: targets.Registry{file.Factory()}}
	m.must(os.WriteFile("config.yaml", fmt.Appendf(nil, mergedConfig, leaver), 0o600))
	m.open()
	return m
}

// pageSize opens it anew with larger pages of the sources.
func (m *merged) pageSize(n int) {
	m.Helper()
	m.must(m.service.Close())
	m.must(m.store.Close())
	for i, s := range []*memory.Source{m.ad, m.entra, m.hr} {
		f := memory.FactoryOf(s, memory.Options{PageSize: n})
		f.Name = []string{"ad", "entra", "hr"}[i]
		m.parts.Connectors[i] = f
	}
	m.open()
}

func (m *merged) open() {
	m.Helper()
	cfg, err := config.Load("config.yaml", m.parts.Config())
	m.must(err)
	m.store, err = bolt.Open("state.db", bolt.Options{NoSync: true})
	m.must(err)
	m.service, err = New(cfg, Options{Parts: m.parts, Store: m.store, Log: slog.New(slog.DiscardHandler), Version: "1.2.3"})
	m.must(err)
	m.Cleanup(func() { _ = m.service.Close() })
}

func (m *merged) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *merged) put(s *memory.Source, id string, fields ...string) {
	o := directory.Object{Kind: directory.Person, ID: id}
	for i := 0; i < len(fields); i += 2 {
		switch {
		case fields[i] == "manager":
			o.Links = append(o.Links, directory.Link{Type: directory.Manager, To: directory.IDHandle(fields[i+1])})
		case fields[i] == "enabled":
			o.Set("enabled", directory.Bool(fields[i+1] == "true"))
		default:
			o.SetText(fields[i], fields[i+1])
		}
	}
	s.Put("", o)
}

func (m *merged) sync(full bool, names ...string) []api.Run {
	m.Helper()
	result, err := m.service.Sync(m.Context(), api.SyncRequest{Connections: names, Full: full}, nil)
	m.must(err)
	for _, r := range result.Runs {
		if r.Error != "" {
			m.Fatalf("%s: %s", r.Connection, r.Error)
		}
	}
	return result.Runs
}

// records are the merged people's active records, without those of the contributors.
func (m *merged) records() []string {
	m.Helper()
	lines := []string{}
	m.must(m.store.View(m.Context(), store.Partition{Connection: "people"}, func(tx store.Reader) error {
		return tx.Records(directory.UserRecord, 0, func(_ store.Num, rec directory.Record) bool {
			if !rec.Active {
				return true
			}
			line := strings.TrimPrefix(rec.Key, "people/") + ":"
			for _, f := range rec.Fields {
				if f.Value.String() != "" {
					line += " " + f.Name + "=" + f.Value.String()
				}
			}
			lines = append(lines, line)
			return true
		})
	}))
	slices.Sort(lines)
	return lines
}

func (m *merged) want(what string, lines ...string) {
	m.Helper()
	if got := m.records(); !slices.Equal(got, lines) {
		m.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(lines, "\n     "))
	}
}

// The bytes of 00112233-4455-6677-8899-aabbccddeeff, as Active Directory stores them, in base64.
const (
	adaGUID      = "00112233-4455-6677-8899-aabbccddeeff"
	adaImmutable = "MyIRAFVEd2aImaq7zN3u/w=="
)

func TestMerge(t *testing.T) {
	m := newMerged(t, "last")
	m.put(m.ad, adaGUID, "name", "Ada", "title", "old", "email", "ada@acme.test", "manager", "g2")
	m.put(m.ad, "g2", "name", "Bob", "employee_id", "2")
	m.put(m.entra, "e1", "name", "Ada L", "attributes.immutableId", adaImmutable, "phone", "1", "employee_id", "1")
	m.put(m.entra, "e9", "name", "Guest")
	m.put(m.hr, "1", "name", "Lovelace, Ada", "employee_id", "1", "title", "Countess")
	m.put(m.hr, "2", "name", "Bobby", "employee_id", "2")
	m.ad.Put("", directory.Object{Kind: directory.Group, ID: "staff", Fields: []directory.Field{{Name: "name", Value: directory.Text("Staff")}}})
	m.ad.AddMembers("", "staff", directory.IDHandle("g2"))
	m.sync(false)
	m.want("first", "entra/e9: name=Guest", "hr/1: boss=Bobby name=Lovelace, Ada phone=1 title=Countess", "hr/2: name=Bobby teams=Staff")
	runs := m.sync(false)
	for _, r := range runs {
		if r.Changed+r.Removed+len(r.Counts) > 0 {
			t.Errorf("an idle run of %s changed something: %+v", r.Connection, r)
		}
	}
	m.put(m.hr, "1", "name", "Lovelace, Ada", "employee_id", "1", "title", "")
	m.put(m.entra, "e1", "name", "Ada L", "attributes.immutableId", adaImmutable, "phone", "2", "employee_id", "1")
	m.ad.AddMembers("", "staff", directory.IDHandle(adaGUID))
	m.ad.RemoveMembers("", "staff", directory.IDHandle("g2"))
	runs = m.sync(false)
	if r := runs[len(runs)-1]; r.Connection != "people" || r.Mode != "delta" {
		t.Errorf("%+v", r)
	}
	m.want("edited", "entra/e9: name=Guest", "hr/1: boss=Bobby name=Lovelace, Ada phone=2 teams=Staff title=old", "hr/2: name=Bobby")
	// The number moves to somebody else: split. The leader's keeps the key.
	m.put(m.entra, "e1", "name", "Ada L", "attributes.immutableId", adaImmutable, "phone", "2", "employee_id", "7")
	m.sync(false)
	m.want("split", "entra/e9: name=Guest", "hq-ad/"+adaGUID+": boss=Bobby name=Ada phone=2 teams=Staff title=old", "hr/1: name=Lovelace, Ada", "hr/2: name=Bobby")
	m.put(m.entra, "e1", "name", "Ada L", "attributes.immutableId", adaImmutable, "phone", "2", "employee_id", "1")
	m.sync(false)
	m.want("joined again", "entra/e9: name=Guest", "hr/1: boss=Bobby name=Lovelace, Ada phone=2 teams=Staff title=old", "hr/2: name=Bobby")
	// Leavers, one source after the other.
	m.hr.Remove("", directory.Ref{Kind: directory.Person, ID: "1"})
	m.entra.Remove("", directory.Ref{Kind: directory.Person, ID: "e1"}, directory.Ref{Kind: directory.Person, ID: "e9"})
	m.sync(false)
	m.want("the first leave", "hr/1: boss=Bobby name=Ada teams=Staff title=old", "hr/2: name=Bobby")
	m.ad.Remove("", directory.Ref{Kind: directory.Person, ID: adaGUID})
	m.sync(false)
	m.want("the last leaves", "hr/2: name=Bobby")
	before := m.records()
	m.sync(true)
	m.want("in full", before...)
}

func TestMergeWaits(t *testing.T) {
	m := newMerged(t, "last")
	m.put(m.ad, "g1", "name", "Ada", "email", "ada@acme.test")
	m.put(m.hr, "1", "name", "Ada L", "email", "ada@acme.test")
	m.sync(false, "hq-ad")
	if _, err := m.service.Sync(t.Context(), api.SyncRequest{Connections: []string{"people"}}, nil); err != nil {
		t.Fatal(err)
	}
	m.want("two were never read")
	m.sync(false)
	m.want("all were", "hr/1: name=Ada L")
}

func TestMergeLeader(t *testing.T) {
	m := newMerged(t, "leader")
	m.put(m.ad, "g1", "name", "Ada", "employee_id", "1", "enabled", "true")
	m.put(m.ad, "g2", "name", "Service", "enabled", "true")
	m.put(m.hr, "1", "name", "Ada L", "employee_id", "1", "enabled", "true")
	m.sync(false)
	m.want("all", "hq-ad/g2: name=Service", "hr/1: name=Ada L")
	m.hr.Remove("", directory.Ref{Kind: directory.Person, ID: "1"})
	m.sync(false)
	m.want("the leader has her no longer", "hq-ad/g2: name=Service")
	m.sync(true)
	m.want("in full", "hq-ad/g2: name=Service")
	m.put(m.hr, "1", "name", "Ada L", "employee_id", "1", "enabled", "true")
	m.sync(false)
	m.want("she is back", "hq-ad/g2: name=Service", "hr/1: name=Ada L")
}

// Who is held at a contributor is there in what is made of it.
func TestMergeHeld(t *testing.T) {
	m := newMerged(t, "last")
	for i := range 60 {
		m.put(m.ad, fmt.Sprint("g", i), "name", fmt.Sprint("P", i))
		m.put(m.hr, fmt.Sprint("h", i), "name", fmt.Sprint("H", i))
		m.put(m.entra, fmt.Sprint("e", i), "name", fmt.Sprint("E", i))
	}
	m.sync(false)
	if n := len(m.records()); n != 180 {
		t.Fatalf("%d records", n)
	}
	for i := range 50 {
		m.ad.Remove("", directory.Ref{Kind: directory.Person, ID: fmt.Sprint("g", i)})
	}
	held := ""
	for range 2 {
		for _, r := range m.sync(held != "") {
			held = max(held, r.Held)
		}
		if n := len(m.records()); n != 180 || held == "" {
			t.Fatalf("%d records, held %q", n, held)
		}
	}
	var triggered []string
	m.service.host = &host{runs: t.Context(), next: func(string) time.Time { return time.Time{} }, trigger: func(name string) { triggered = append(triggered, name) }}
	if _, err := m.service.Approve(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(triggered, []string{"people"}) {
		t.Errorf("the approval triggered %q", triggered)
	}
	m.sync(false, "people")
	if n := len(m.records()); n != 130 {
		t.Errorf("%d records after the approval", n)
	}
}

// TestMergeAnyOrder changes three sources at random, and lets two installations read them in orders of their own, one of
// them now and then in full and from a state that it was given anew. What they make of them is the same, keys and all.
func TestMergeAnyOrder(t *testing.T) {
	seed := connectortest.Seed(t)
	for story := range uint64(6) {
		t.Run(fmt.Sprint(story), func(t *testing.T) {
			var lives [2]*merged
			var dirs [2]string
			for i := range lives {
				lives[i] = newMerged(t, "last")
				dirs[i], _ = os.Getwd()
			}
			rnd := rand.New(rand.NewPCG(seed, story))
			for round := range 12 {
				for range 1 + rnd.IntN(25) {
					what := rnd.Uint64()
					for _, m := range lives {
						m.edit(rand.New(rand.NewPCG(what, 1)))
					}
				}
				for i, m := range lives {
					t.Chdir(dirs[i])
					order := []string{"hq-ad", "entra", "hr"}
					rnd.Shuffle(3, func(a, b int) { order[a], order[b] = order[b], order[a] })
					for _, name := range order {
						m.sync(rnd.IntN(4) == 0, name)
					}
					m.sync(i == 1 && rnd.IntN(3) == 0, "people")
				}
				got, want := lives[1].records(), lives[0].records()
				if !slices.Equal(got, want) {
					t.Fatalf("round %d: %s", round, diffOf(got, want))
				}
			}
		})
	}
}

// edit changes one of the three sources: somebody comes, leaves, or has other anchors.
func (m *merged) edit(rnd *rand.Rand) {
	source := []*memory.Source{m.ad, m.entra, m.hr}[rnd.IntN(3)]
	n := rnd.IntN(12)
	id := fmt.Sprintf("%08d-0000-0000-0000-000000000000", n)
	if rnd.IntN(4) == 0 {
		source.Remove("", directory.Ref{Kind: directory.Person, ID: id})
		return
	}
	fields := []string{"name", fmt.Sprint("N", rnd.IntN(100)), "manager", fmt.Sprintf("%08d-0000-0000-0000-000000000000", rnd.IntN(12))}
	near := func() int { return max(0, n+rnd.IntN(5)/4) } // mostly one's own
	if rnd.IntN(2) == 0 {
		fields = append(fields, "employee_id", fmt.Sprint(near()))
	}
	if rnd.IntN(2) == 0 {
		fields = append(fields, "email", fmt.Sprintf("p%d@acme.test", near()))
	}
	if source == m.entra && rnd.IntN(2) == 0 {
		fields = append(fields, "attributes.immutableId", fmt.Sprintf("%08d-0000-0000-0000-000000000000", near()))
	}
	m.put(source, id, fields...)
}

func diffOf(got, want []string) string {
	all := map[string]int{}
	for _, l := range got {
		all[l]++
	}
	for _, l := range want {
		all[l] -= 2
	}
	maps.DeleteFunc(all, func(_ string, n int) bool { return n == -1 })
	return fmt.Sprint(all)
}

// Two in one source have the address of one in another: they wait, a human says which one it is, and is held to what was shown.
func TestMergeAsks(t *testing.T) {
	m := newMerged(t, "last")
	m.put(m.hr, "1", "name", "Ada", "email", "ada@acme.test")
	m.put(m.ad, "g1", "name", "Ada L", "email", "ada@acme.test")
	m.put(m.ad, "g2", "name", "ada-admin", "email", "ADA@acme.test ")
	m.put(m.entra, "e1", "name", "Bob")
	m.sync(false)
	m.want("the leader's and others go on", "entra/e1: name=Bob", "hr/1: name=Ada")
	list, err := m.service.Matches(t.Context(), "")
	m.must(err)
	if len(list) != 2 || list[0].ID != "people:hq-ad/g1" || list[0].Connection != "people" || list[0].Cause != "ambiguous" || len(list[0].Candidates) != 1 ||
		fmt.Sprint(list[0].Candidates[0]) != fmt.Sprint(api.Candidate{ID: "hr/1", Name: "Ada", Key: "email"}) {
		t.Fatalf("%+v", list)
	}
	decide := func(by api.MatchDecision, want string) {
		t.Helper()
		if _, err := m.service.Decide(t.Context(), by); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Fatalf("%+v: %v, want %q", by, err, want)
		}
	}
	decide(api.MatchDecision{ID: "people:hq-ad/g1", Verdict: "accept", Fingerprint: "other"}, "has changed since")
	decide(api.MatchDecision{ID: "people:hq-ad/g7", Verdict: "accept"}, "nothing waits")
	decide(api.MatchDecision{ID: "people:hq-ad/g1", Verdict: "accept", Candidate: "hr/2"}, "no such candidate")
	decide(api.MatchDecision{ID: "people:hq-ad/g1", Verdict: "accept", Candidate: "hr/1", Fingerprint: list[0].Fingerprint}, "")
	m.want("joined, and the other one is somebody else", "entra/e1: name=Bob", "hq-ad/g2: name=ada-admin", "hr/1: name=Ada")
	m.sync(true)
	m.want("in full", "entra/e1: name=Bob", "hq-ad/g2: name=ada-admin", "hr/1: name=Ada")
	// A side changes: the decision lapses, they stay as they are, and it is asked again.
	m.put(m.ad, "g1", "name", "Ada L", "email", "ada.l@acme.test", "phone", "7")
	m.sync(false)
	m.want("lapsed", "entra/e1: name=Bob", "hq-ad/g2: name=ada-admin", "hr/1: name=Ada phone=7")
	if list, err = m.service.Matches(t.Context(), "people"); err != nil || len(list) != 1 || list[0].Cause != "lapsed" {
		t.Fatalf("%+v, %v", list, err)
	}
	decide(api.MatchDecision{ID: "people:hq-ad/g1", Verdict: "new"}, "")
	m.want("parted, and the address is that of one other", "entra/e1: name=Bob", "hq-ad/g1: name=Ada L phone=7", "hr/1: name=Ada")
	decide(api.MatchDecision{Target: "people", Subject: "hq-ad/g2", Verdict: "undo"}, "nothing was decided")
	m.put(m.ad, "g1", "name", "Ada L", "email", "ada@acme.test", "phone", "7")
	m.sync(false)
	m.want("open again, and nobody is moved meanwhile", "entra/e1: name=Bob", "hq-ad/g1: name=Ada L phone=7", "hr/1: name=Ada")
	decide(api.MatchDecision{Target: "people", Subject: "hq-ad/g1", Verdict: "undo"}, "")
}

func TestMergeConfiguration(t *testing.T) {
	for name, test := range map[string]struct{ old, new, want string }{
		"as it is":              {"", "", ""},
		"of itself":             {"from: [hq-ad, entra, hr]", "from: [hq-ad, entra, hr, people]", `"people" is made of others itself`},
		"of nobody":             {"from: [hq-ad, entra, hr]", "from: [hq-ad, entra, hr, okta]", `there is no connection "okta"`},
		"nobody is made of it":  {"  people:", "  lab: {connector: ad, targets: []}\n  people:", "targets: there is none"},
		"targets and no rules":  {"connector: ad, targets: []", "connector: ad, targets: [journal]", `missing key "mapping"`},
		"targets and rules":     {"connector: ad, targets: []", "connector: ad, mapping: staff, targets: [journal]", ""},
		"rules and no targets":  {"connector: ad, targets: []", "connector: ad, mapping: staff, targets: []", ""},
		"neither rules nor any": {"connector: ad, targets: []", "connector: ad", `missing key`},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMerged(t, "last")
			text := strings.Replace(fmt.Sprintf(mergedConfig, "last"), test.old, test.new, 1)
			_, err := config.Parse([]byte(text), "config.yaml", m.parts.Config())
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestMergeWhy(t *testing.T) {
	m := newMerged(t, "last")
	m.put(m.ad, "g1", "name", "Ada", "employee_id", "1", "title", "Clerk", "manager", "g2")
	m.put(m.ad, "g2", "name", "Bob")
	m.put(m.hr, "1", "name", "Ada L", "employee_id", "1")
	m.sync(false)
	reasons, err := m.service.Why(t.Context(), "user", "people/hr/1")
	m.must(err)
	if len(reasons) != 1 || fmt.Sprint(reasons[0].Object["attributes.merged_from"]) != "[hq-ad/g1 hr/1]" {
		t.Fatalf("%+v", reasons)
	}
	got := map[string]string{}
	for _, f := range reasons[0].Fields {
		for name, by := range f.Contributors {
			got[f.Field+" of "+name] = by
		}
	}
	want := map[string]string{"boss of manager.name": "hq-ad", "name of name": "hr", "title of title": "hq-ad"}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A daemon runs what is made of a connection when that has changed, and only then.
func TestMergeIsTriggered(t *testing.T) {
	m := newMerged(t, "last")
	var triggered []string
	m.service.host = &host{runs: t.Context(), next: func(string) time.Time { return time.Time{} }, trigger: func(name string) { triggered = append(triggered, name) }}
	m.put(m.hr, "1", "name", "Ada")
	m.sync(false, "hr")
	m.sync(false, "hr")
	if !slices.Equal(triggered, []string{"people"}) {
		t.Errorf("triggered %q", triggered)
	}
}

// What is stored of a contributor whose read broke off is of two times: nobody is merged by it.
func TestMergeOfAHalfReadContributor(t *testing.T) {
	synctest.Test(t, mergeOfAHalfReadContributor) // for it is tried again
}

func mergeOfAHalfReadContributor(t *testing.T) {
	m := newMerged(t, "last")
	group := func(id string) {
		m.ad.Put("", directory.Object{Kind: directory.Group, ID: id, Fields: []directory.Field{{Name: "name", Value: directory.Text(id)}}})
	}
	m.put(m.ad, "g1", "name", "Ada")
	m.put(m.entra, "e1", "name", "Eve")
	m.put(m.hr, "h1", "name", "Hal")
	group("a")
	group("b")
	m.ad.AddMembers("", "a", directory.IDHandle("g1"))
	m.sync(false)
	all := []string{"entra/e1: name=Eve", "hq-ad/g1: name=Ada teams=a", "hr/h1: name=Hal"}
	m.want("first", all...)
	m.ad.RemoveMembers("", "a", directory.IDHandle("g1"))
	for i := range 5 {
		group(fmt.Sprint("c", i))
	}
	m.ad.AddMembers("", "b", directory.IDHandle("g1"))
	trouble := memory.FailWith(1, fault.Auth)
	trouble.Stream = memory.StreamOf(directory.Group)
	m.ad.Script(trouble)
	failed := func(name string) string {
		result, err := m.service.Sync(t.Context(), api.SyncRequest{Connections: []string{name}}, nil)
		m.must(err)
		return result.Runs[0].Error
	}
	if failed("hq-ad") == "" {
		t.Fatal("it was read to its end")
	}
	if text := failed("people"); !strings.Contains(text, "half-way") {
		t.Errorf("merged of half of it: %q", text)
	}
	m.want("broken off", all...)
	m.ad.Script()
	m.sync(false)
	m.want("mended", "entra/e1: name=Eve", "hq-ad/g1: name=Ada teams=b", "hr/h1: name=Hal")
}

// Who was joined with somebody by mistake, and whose removal waits or is kept, comes back under the same key.
func TestMergeComesBack(t *testing.T) {
	m := newMerged(t, "last")
	m.must(m.service.Close())
	m.must(m.store.Close())
	data, err := os.ReadFile("config.yaml")
	m.must(err)
	m.must(os.WriteFile("config.yaml", []byte(strings.Replace(string(data), "percent: 100", "count: 0", 1)), 0o600))
	m.open()
	m.put(m.ad, "g1", "name", "Ada")
	m.put(m.entra, "e1", "name", "Eve")
	m.put(m.hr, "1", "name", "Hal", "employee_id", "1")
	m.sync(false)
	all := []string{"entra/e1: name=Eve", "hq-ad/g1: name=Ada", "hr/1: name=Hal"}
	m.want("first", all...)
	m.put(m.ad, "g1", "name", "Ada", "employee_id", "1")
	runs := m.sync(false)
	if runs[len(runs)-1].Held == "" {
		t.Fatal("nothing is held")
	}
	m.want("joined", all...)
	m.put(m.ad, "g1", "name", "Ada")
	runs = m.sync(false)
	if r := runs[len(runs)-1]; r.Held != "" {
		t.Errorf("still held: %+v", r)
	}
	m.want("split again", all...)
}

// A merge that failed because a contributor's read had broken off runs when that has come back, whether or not anything changed.
func TestMergeIsTriggeredWhenAContributorIsBack(t *testing.T) {
	synctest.Test(t, mergeIsTriggeredWhenAContributorIsBack) // for it is tried again
}

func mergeIsTriggeredWhenAContributorIsBack(t *testing.T) {
	m := newMerged(t, "last")
	for _, s := range []*memory.Source{m.ad, m.entra, m.hr} {
		m.put(s, "1", "name", "Ada")
	}
	m.sync(false)
	half := func(is bool) {
		m.must(m.store.Update(t.Context(), store.Partition{Connection: "hr"}, func(tx store.Writer) error {
			state, err := tx.Tenant()
			if err != nil {
				return err
			}
			state.HalfRead = is
			return tx.PutTenant(state)
		}))
	}
	var triggered []string
	m.service.host = &host{runs: t.Context(), next: func(string) time.Time { return time.Time{} }, trigger: func(name string) { triggered = append(triggered, name) }}
	half(true)
	result, err := m.service.Sync(t.Context(), api.SyncRequest{Connections: []string{"people"}}, nil)
	m.must(err)
	if !strings.Contains(result.Runs[0].Error, "half-way") {
		t.Fatalf("%+v", result)
	}
	m.sync(false, "entra")
	m.sync(false, "hr")
	if !slices.Equal(triggered, []string{"people"}) {
		t.Errorf("triggered %q", triggered)
	}
	m.sync(false, "people")
	m.sync(false, "hr")
	if len(triggered) != 1 {
		t.Errorf("triggered %q", triggered)
	}
}

// Who is kept by a contributor's own list is there in what is made of it, until the list lets go of them.
func TestMergeOfAContributorThatKeeps(t *testing.T) {
	m := newMerged(t, "last")
	reopen := func(edits ...string) {
		m.must(m.service.Close())
		m.must(m.store.Close())
		data, err := os.ReadFile("config.yaml")
		m.must(err)
		m.must(os.WriteFile("config.yaml", []byte(strings.NewReplacer(edits...).Replace(string(data))), 0o600))
		m.open()
	}
	reopen("hr: {connector: hr, targets: []}", "hr: {connector: hr, mapping: keeps, targets: []}", "mappings:", `mappings:
  keeps:
    rules: [{name: staff, user: {name: = name, title: = title}}]
    keep: [{name: board, when: title == "Board"}]
    guard: {deactivate: {percent: 100}}`)
	m.put(m.ad, "9", "name", "Other")
	m.put(m.entra, "9", "name", "Third")
	m.put(m.hr, "1", "name", "Chair", "title", "Board")
	m.put(m.hr, "2", "name", "Clerk")
	m.put(m.hr, "3", "name", "Clark")
	m.sync(false)
	m.hr.Remove("", directory.Ref{Kind: directory.Person, ID: "1"}, directory.Ref{Kind: directory.Person, ID: "2"})
	rest := []string{"entra/9: name=Third", "hq-ad/9: name=Other", "hr/1: name=Chair title=Board", "hr/3: name=Clark"}
	m.sync(false)
	m.want("one is kept", rest...)
	m.sync(true)
	m.want("in full", rest...)
	reopen(`    keep: [{name: board, when: title == "Board"}]`, "")
	m.sync(false)
	m.want("kept no longer", "entra/9: name=Third", "hq-ad/9: name=Other", "hr/3: name=Clark")
}

// Status says how many people wait for a human.
func TestMergeStatus(t *testing.T) {
	m := newMerged(t, "last")
	m.put(m.hr, "1", "name", "Ada", "email", "ada@acme.test")
	m.put(m.ad, "g1", "name", "Ada L", "email", "ada@acme.test")
	m.put(m.ad, "g2", "name", "ada-admin", "email", "ada@acme.test")
	m.put(m.entra, "e1", "name", "Bob")
	m.sync(false)
	status, err := m.service.Status(t.Context())
	m.must(err)
	for _, c := range status.Connections {
		if want := map[string]int{"people": 2}[c.Name]; c.Questions != want {
			t.Errorf("%s: %d wait, want %d", c.Name, c.Questions, want)
		}
	}
}

// TestMergeOfThousands: two installations that read three large sources in orders of their own, one of them in full now and then, make the
// same of them. DIRSYNCD_MERGE_PEOPLE says how many people there are in each.
func TestMergeOfThousands(t *testing.T) {
	n := 3000
	if text := os.Getenv("DIRSYNCD_MERGE_PEOPLE"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	rnd := rand.New(rand.NewPCG(connectortest.Seed(t), 7))
	var lives [2]*merged
	var dirs [2]string
	for i := range lives {
		lives[i] = newMerged(t, "last")
		lives[i].pageSize(1000)
		dirs[i], _ = os.Getwd()
	}
	edit := func(i, round int) {
		number := max(0, i+rnd.IntN(30)/29) // sometimes the neighbour's
		source, id := rnd.IntN(3), fmt.Sprintf("%08d-0000-0000-0000-000000000000", i)
		fields := []string{"name", fmt.Sprintf("N%d.%d", i, round), "employee_id", fmt.Sprint(number), "manager", fmt.Sprintf("%08d-0000-0000-0000-000000000000", i/10)}
		for _, m := range lives {
			for at, s := range []*memory.Source{m.ad, m.entra, m.hr} {
				if round == 0 || at == source {
					m.put(s, id, fields...)
				}
			}
		}
	}
	for i := range n {
		edit(i, 0)
	}
	for round, orders := range [][2][]string{
		{{"hq-ad", "entra", "hr"}, {"hr", "hq-ad", "entra"}},
		{{"entra", "hr", "hq-ad"}, {"hq-ad", "hr", "entra"}},
	} {
		for range n / 30 * round {
			edit(rnd.IntN(n), round)
		}
		for i, m := range lives {
			t.Chdir(dirs[i])
			for _, name := range orders[i] {
				m.sync(i == 1, name)
			}
			m.sync(i == 1, "people")
		}
		got, want := lives[1].records(), lives[0].records()
		if len(want) < n*9/10 || !slices.Equal(got, want) {
			t.Fatalf("round %d, %d and %d records", round, len(want), len(got))
		}
	}
}
