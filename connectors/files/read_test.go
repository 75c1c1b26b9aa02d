package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// answer is what a read gave.
type answer struct {
	objects map[string]string // by id: the object in words
	members map[string][]string
	invalid []string
	notes   []string
	last    connectors.Page
	err     error
}

func (a *answer) doubt() string { return a.last.Proof.Doubt }

// read reads a stream after an earlier read, in full if there was none.
func (c *company) read(conn connectors.Connector, stream string, mode connectors.Mode, before *answer) *answer {
	c.tb.Helper()
	req := connectors.Request{Stream: stream, Mode: mode, Dry: c.dry}
	if before != nil {
		req.Known = before.last.Known
		if mode == connectors.Delta {
			req.Cursor = before.last.Cursor
		}
	}
	a := &answer{objects: map[string]string{}, members: map[string][]string{}}
	a.err = connectors.Guard(conn).Read(c.tb.Context(), req, func(p *connectors.Page) error {
		for i := range p.Objects {
			a.objects[p.Objects[i].ID] = inText(&p.Objects[i])
		}
		for _, m := range p.Members {
			a.members[m.Group] = append(a.members[m.Group], m.Add...)
		}
		for _, bad := range p.Invalid {
			a.invalid = append(a.invalid, bad.Where+": "+fault.Text(bad.Err))
		}
		a.notes = append(a.notes, p.Notes...)
		if p.Proof != nil {
			a.last = *p
			a.last.Known, a.last.Cursor = bytes.Clone(p.Known), bytes.Clone(p.Cursor)
		}
		return nil
	})
	return a
}

// must fails the test when a read failed.
func (c *company) must(a *answer) *answer {
	c.tb.Helper()
	if a.err != nil {
		c.tb.Fatal(a.err)
	}
	return a
}

func inText(o *directory.Object) string {
	var b strings.Builder
	for _, f := range o.Fields {
		fmt.Fprintf(&b, "%s=%s ", f.Name, f.Value)
	}
	for _, l := range o.Links {
		fmt.Fprintf(&b, "->%s ", l.To)
	}
	return strings.TrimSpace(b.String())
}

// folder is a company without files.
func folder(tb testing.TB) *company { return &company{tb: tb, folder: tb.TempDir()} }

// configured is a configuration of some kinds, with the key "id".
func (c *company) configured(kinds map[string]Kind) *Config {
	cfg := Defaults()
	cfg.Folder, cfg.Settle, cfg.Kinds = settings.Path(c.folder), 0, kinds
	return cfg
}

func kind(file, absent string) Kind { return Kind{File: settings.Names{file}, Absent: absent} }

func TestUnchangedCostsALook(t *testing.T) {
	c := newCompany(t)
	requests := []string{}
	cfg := c.config(absentGone)
	conn := open(cfg, connectors.Env{Observe: func(request string, _ time.Duration, _ error) { requests = append(requests, request) }})
	for _, s := range conn.Describe().Streams {
		first := c.must(c.read(conn, s.Name, connectors.Full, nil))
		requests = nil
		again := c.must(c.read(conn, s.Name, connectors.Delta, first))
		if len(again.objects) > 0 || !bytes.Equal(again.last.Cursor, first.last.Cursor) || !bytes.Equal(again.last.Known, first.last.Known) {
			t.Errorf("%s: nothing changed, and %d objects came, another cursor: %t", s.Name, len(again.objects), !bytes.Equal(again.last.Cursor, first.last.Cursor))
		}
		if len(requests) > 0 || !slices.Equal(again.last.Proof.Reads, first.last.Proof.Reads) {
			t.Errorf("%s: nothing changed: %v, reads %v", s.Name, requests, again.last.Proof.Reads)
		}
		// Written anew with the same in it: the hash is looked at, and what is known stays.
		c.writeOne(wordOf(s.Name))
		touched := c.must(c.read(conn, s.Name, connectors.Delta, first))
		if len(touched.objects) > 0 || !bytes.Equal(touched.last.Known, first.last.Known) || len(requests) != 1 {
			t.Errorf("%s: only touched: %d objects, known as before %t, %v", s.Name, len(touched.objects), bytes.Equal(touched.last.Known, first.last.Known), requests)
		}
	}
}

func TestChanged(t *testing.T) {
	c := folder(t)
	c.put("customers.csv", "id,name\n1,a\n2,b\n")
	keep := c.open(c.configured(map[string]Kind{"customer": kind("customers.csv", "")}))
	gone := c.open(c.configured(map[string]Kind{"customer": kind("customers.csv", absentGone)}))
	kept := c.must(c.read(keep, "customers", connectors.Full, nil))
	if len(kept.last.Unlisted) != 1 || !kept.last.Unlisted[0].Holds(&directory.Object{}) || kept.doubt() != "" {
		t.Errorf("absent: keep: %+v, %+v", kept.last.Unlisted, kept.last.Proof)
	}
	before := c.must(c.read(gone, "customers", connectors.Full, nil))
	if len(before.last.Unlisted) != 0 || before.doubt() != "" {
		t.Errorf("absent: gone: %+v, %+v", before.last.Unlisted, before.last.Proof)
	}
	c.put("customers.csv", "id,name\n1,c\n")
	if a := c.must(c.read(keep, "customers", connectors.Delta, kept)); len(a.objects) != 1 || a.objects["customer:1"] != "name=c" {
		t.Errorf("absent: keep: %v", a.objects)
	}
	if a := c.read(gone, "customers", connectors.Delta, before); fault.ClassOf(a.err) != fault.CursorExpired || !errors.Is(a.err, connectors.ErrListedAnew) {
		t.Errorf("absent: gone: %v, want the cursor to have expired", a.err)
	}
	other := c.open(c.configured(map[string]Kind{"customer": {File: settings.Names{"customers.csv"}, Header: -1}}))
	if a := c.read(other, "customers", connectors.Delta, kept); fault.ClassOf(a.err) != fault.CursorExpired || errors.Is(a.err, connectors.ErrListedAnew) {
		t.Errorf("under other settings: %v", a.err)
	}
}

// What speaks against a list being whole.
func TestDoubt(t *testing.T) {
	trailer := kind("c.csv", absentGone)
	trailer.Trailer = TrailerConfig{Begins: "TRL", Count: 2, Header: true}
	for _, tc := range []struct {
		name, text string
		kind       Kind
		doubt      string
		invalid    int
	}{
		{"none", "id,name\n1,a\n2,b\n", kind("c.csv", absentGone), "", 0},
		{"a key twice", "id,name\n1,a\n1,b\n2,c\n", kind("c.csv", absentGone), "1 rows have the key of another", 1},
		{"cut off", "id,name\n1,a\n2", kind("c.csv", absentGone), "c.csv: its last line (3) is cut off", 1},
		{"as its trailer says", "id,name\n1,a\n2,b\nTRL,3\n", trailer, "", 0},
		{"as its trailer says, with zeros", "id,name\n1,a\n2,b\nTRL,0000003\n", trailer, "", 0},
		{"other than its trailer says", "id,name\n1,a\nTRL,3\n", trailer, "c.csv: its trailer counts 3 rows, and there are 2", 0},
		{"without a count", "id,name\n1,a\nTRL,\n", trailer, "c.csv: its trailer holds no count", 0},
		{"behind its trailer", "id,name\n1,a\nTRL,3\n2,b\n", trailer, "c.csv: it goes on after its trailer", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := folder(t)
			c.put("c.csv", tc.text)
			a := c.must(c.read(c.open(c.configured(map[string]Kind{"customer": tc.kind})), "customers", connectors.Full, nil))
			if a.doubt() != tc.doubt || len(a.invalid) != tc.invalid {
				t.Errorf("doubt %q, want %q; invalid %q", a.doubt(), tc.doubt, a.invalid)
			}
			if a.objects["customer:1"] != "name=a" {
				t.Errorf("got %v", a.objects)
			}
		})
	}
}

// A list with other columns is another list: what it does not name waits for the operator.
func TestOtherColumns(t *testing.T) {
	c := folder(t)
	c.put("c.csv", "id,name,domain\n1,a,x\n2,b,y\n")
	conn := c.open(c.configured(map[string]Kind{"customer": kind("c.csv", absentGone)}))
	before := c.must(c.read(conn, "customers", connectors.Full, nil))
	c.put("c.csv", "domain,id,name\nx,1,a\ny,2,b\n")
	if a := c.must(c.read(conn, "customers", connectors.Full, before)); a.last.Proof.Scope != before.last.Proof.Scope {
		t.Errorf("another order of columns is another scope: %s", a.last.Proof.Scope)
	}
	c.put("c.csv", "id,name\n1,a\n")
	a := c.must(c.read(conn, "customers", connectors.Full, before))
	if a.last.Proof.Scope == before.last.Proof.Scope || slices.Equal(a.last.Proof.Reads, before.last.Proof.Reads) {
		t.Errorf("a column less: scope %q, reads %q", a.last.Proof.Scope, a.last.Proof.Reads)
	}
}

func TestBadRowsStopNobody(t *testing.T) {
	c := folder(t)
	c.put("p.csv", "id,name,created,enabled\n1,a,2024-01-31,yes\n2,b,soon,yes\n,c,,\n4,d,2024-02-01,perhaps\n5,\"e,,\n6,f,2024-02-02,no\n")
	a := c.must(c.read(c.open(c.configured(map[string]Kind{"person": kind("p.csv", absentGone)})), "users", connectors.Full, nil))
	if len(a.objects) != 2 || a.objects["person:1"] == "" || a.objects["person:6"] == "" {
		t.Errorf("got %v", a.objects)
	}
	for i, want := range []string{`p.csv, line 3: read users: column "created"`, `p.csv, line 4: read users: column "id" is empty`, `p.csv, line 5: read users: column "enabled"`, "p.csv, line 6: read users: a quotation mark"} {
		if i >= len(a.invalid) || !strings.Contains(a.invalid[i], want) {
			t.Errorf("invalid %q, want %q", a.invalid, want)
			break
		}
	}
	all := "id,created\n"
	for i := range 40 {
		all += fmt.Sprintf("%d,soon\n", i)
	}
	c.put("p.csv", all)
	if a := c.read(c.open(c.configured(map[string]Kind{"person": kind("p.csv", "")})), "users", connectors.Full, nil); fault.ClassOf(a.err) != fault.Invalid || !strings.Contains(a.err.Error(), "none of the first 20 rows") {
		t.Errorf("no row can be read: %v", a.err)
	}
}

func TestFilesThatDoNotFit(t *testing.T) {
	for _, tc := range []struct {
		name  string
		do    func(c *company)
		kind  Kind
		class fault.Class
		text  string
	}{
		{"not there", func(*company) {}, kind("c.csv", ""), fault.Transient, "c.csv: the file is not there"},
		{"empty", func(c *company) { c.put("c.csv", "") }, kind("c.csv", ""), fault.Invalid, "the file is empty"},
		{"no key", func(c *company) { c.put("c.csv", "Report\n\nid,name\n1,a\n") }, kind("c.csv", ""), fault.Invalid, "no column is the key"},
		{"a folder", func(c *company) { _ = os.Mkdir(c.path("c.csv"), 0o700) }, kind("c.csv", ""), fault.Configuration, "is no file"},
		{"a workbook that is none", func(c *company) { c.put("c.xlsx", "id,name\n") }, kind("c.xlsx", ""), fault.Invalid, "is no workbook"},
		{"a link out of the folder", func(c *company) { _ = os.Symlink("/etc/hostname", c.path("c.csv")) }, kind("c.csv", ""), fault.Transient, "escapes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := folder(t)
			tc.do(c)
			a := c.read(c.open(c.configured(map[string]Kind{"customer": tc.kind})), "customers", connectors.Full, nil)
			if fault.ClassOf(a.err) != tc.class || !strings.Contains(a.err.Error(), tc.text) {
				t.Errorf("%v (%s), want %s %q", a.err, fault.ClassOf(a.err), tc.class, tc.text)
			}
		})
	}
	c := folder(t)
	c.put("c.csv", "id,name\n1,"+strings.Repeat("x", 4096)+"\n")
	cfg := c.configured(map[string]Kind{"customer": kind("c.csv", "")})
	cfg.Limits.Size = 1024
	if a := c.read(c.open(cfg), "customers", connectors.Full, nil); fault.ClassOf(a.err) != fault.Invalid || !strings.Contains(a.err.Error(), "limits.size") {
		t.Errorf("too large: %v", a.err)
	}
}

// A file that changes while it is read is not believed at all.
func TestChangedWhileItIsRead(t *testing.T) {
	text := "id,name\n"
	for i := range 20_000 {
		text += fmt.Sprintf("%d,customer\n", i)
	}
	for name, change := range map[string]func(c *company) error{
		"another in its place": func(c *company) error { c.put("c.csv", text+"99999,x\n"); return nil },
		"cut":                  func(c *company) error { return os.Truncate(c.path("c.csv"), 1000) },
		"gone":                 func(c *company) error { return os.Remove(c.path("c.csv")) },
		"its times set back": func(c *company) error {
			info, err := os.Stat(c.path("c.csv"))
			if err == nil {
				err = os.WriteFile(c.path("c.csv"), []byte(strings.Replace(text, "19999,customer", "19999,CUSTOMER", 1)), 0o600)
			}
			if err == nil {
				err = os.Chtimes(c.path("c.csv"), info.ModTime(), info.ModTime())
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := folder(t)
			c.put("c.csv", text)
			conn := c.open(c.configured(map[string]Kind{"customer": kind("c.csv", absentGone)}))
			pages := 0
			err := conn.Read(t.Context(), connectors.Request{Stream: "customers", Mode: connectors.Full}, func(p *connectors.Page) error {
				if p.Proof != nil {
					t.Error("there is a proof")
				}
				if pages++; pages == 1 {
					return change(c)
				}
				return nil
			})
			if fault.ClassOf(err) != fault.Transient {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestFilesThatAreStillWritten(t *testing.T) {
	c := folder(t)
	c.put("c.csv", "id,name\n1,a\n")
	cfg := c.configured(map[string]Kind{"customer": kind("c.csv", "")})
	cfg.Settle = settings.Duration(10 * time.Second)
	now := time.Now()
	conn := c.open(cfg)
	conn.env.Now = func() time.Time { return now }
	a := c.read(conn, "customers", connectors.Full, nil)
	if fault.ClassOf(a.err) != fault.Transient || fault.After(a.err) <= 0 || fault.After(a.err) > 10*time.Second {
		t.Fatalf("just written: %v, after %v", a.err, fault.After(a.err))
	}
	now = now.Add(11 * time.Second)
	before := c.must(c.read(conn, "customers", connectors.Full, nil))
	c.put("c.csv", "id,name\n1,b\n")
	now = time.Now()
	a = c.must(c.read(conn, "customers", connectors.Delta, before))
	if len(a.objects) > 0 || len(a.notes) != 1 || !bytes.Equal(a.last.Cursor, before.last.Cursor) {
		t.Errorf("written again: %v %q", a.objects, a.notes)
	}
	now = now.Add(11 * time.Second)
	if a = c.must(c.read(conn, "customers", connectors.Delta, before)); a.objects["customer:1"] != "name=b" {
		t.Errorf("left alone: %v", a.objects)
	}
}

func TestSeveralFiles(t *testing.T) {
	c := folder(t)
	old := time.Now().Add(-time.Hour)
	for i, text := range []string{"id,name\n1,old\n2,b\n", "id,name\n1,new\n3,c\n"} {
		name := fmt.Sprintf("c-%d.csv", i)
		c.put(name, text)
		_ = os.Chtimes(c.path(name), old.Add(time.Duration(i)*time.Minute), old.Add(time.Duration(i)*time.Minute))
	}
	c.put("~$c-3.csv", "a lock")
	c.put(".c-4.csv", "hidden")
	c.put("c-5.csv.part", "half")
	all := c.must(c.read(c.open(c.configured(map[string]Kind{"customer": kind("c-*", "")})), "customers", connectors.Full, nil))
	if len(all.objects) != 3 || all.objects["customer:1"] != "name=new" || len(all.invalid) > 0 {
		t.Errorf("all: %v %v", all.objects, all.invalid)
	}
	conn := c.open(c.configured(map[string]Kind{"customer": kind("c-*", absentGone)}))
	newest := c.must(c.read(conn, "customers", connectors.Full, nil))
	if len(newest.objects) != 2 || newest.objects["customer:1"] != "name=new" || newest.doubt() != "" {
		t.Errorf("newest: %v, %s", newest.objects, newest.doubt())
	}
	if err := os.Remove(c.path("c-1.csv")); err != nil {
		t.Fatal(err)
	}
	if a := c.read(conn, "customers", connectors.Delta, newest); fault.ClassOf(a.err) != fault.CursorExpired {
		t.Errorf("an older one is the newest now: %v", a.err)
	}
	if a := c.must(c.read(conn, "customers", connectors.Full, newest)); !strings.HasPrefix(a.doubt(), "c-0.csv is older than what was read last") {
		t.Errorf("an older one is the newest now: %q", a.doubt())
	}
	_ = os.Remove(c.path("c-0.csv"))
	if a := c.must(c.read(conn, "customers", connectors.Full, newest)); len(a.last.Unlisted) != 1 || a.last.Proof.Scope != newest.last.Proof.Scope || !slices.Equal(a.last.Proof.Reads, newest.last.Proof.Reads) {
		t.Errorf("no file is left: %+v", a.last)
	}
}

func TestReferences(t *testing.T) {
	c := folder(t)
	c.put("people.csv", "id;name;E-Mail;boss;groups\n1;Ada;ada@x.test;;\n2;Ben;ben@x.test;Ada@X.test;g1\n")
	c.put("teams.csv", "team;title\ng1;One\ng2;Two\n")
	c.put("in.csv", "team;person\ng1;1\ng2;1\ng1;2\n;2\n")
	person, group, member := kind("people.csv", ""), kind("teams.csv", absentGone), kind("in.csv", "")
	person.Columns = map[string]columns.Source{"manager": columns.By("email", "boss")}
	group.Key, group.Columns = settings.Names{"team"}, map[string]columns.Source{"name": columns.Column("title")}
	member.Columns = map[string]columns.Source{"group": columns.Column("team"), "member": columns.Column("person")}
	conn := c.open(c.configured(map[string]Kind{"person": person, "group": group, "member": member}))
	people := c.must(c.read(conn, "users", connectors.Full, nil))
	if !strings.Contains(people.objects["person:2"], "->person.email:ada@x.test") || !strings.Contains(people.objects["person:2"], "->id:group:g1") {
		t.Errorf("people: %v", people.objects)
	}
	groups := c.must(c.read(conn, "groups", connectors.Full, nil))
	if !slices.Equal(groups.members["group:g1"], []string{"id:person:1", "id:person:2"}) || len(groups.members["group:g2"]) != 1 || len(groups.invalid) != 1 {
		t.Errorf("members: %v %v", groups.members, groups.invalid)
	}
	c.put("in.csv", "team;person\ng1;1\n")
	if a := c.read(conn, "groups", connectors.Delta, groups); fault.ClassOf(a.err) != fault.CursorExpired {
		t.Errorf("other members: %v", a.err)
	}
	// Groups without a file of members are not groups without members.
	if err := os.Remove(c.path("in.csv")); err != nil {
		t.Fatal(err)
	}
	member.File = settings.Names{"in*.csv"}
	conn = c.open(c.configured(map[string]Kind{"person": person, "group": group, "member": member}))
	if a := c.must(c.read(conn, "groups", connectors.Full, groups)); a.doubt() != "there is no file in*.csv with the members" {
		t.Errorf("no members: doubt %q", a.doubt())
	}
}

// Files are moved by the read after the one that took them, for only then it is certain that they are stored.
func TestDone(t *testing.T) {
	c := folder(t)
	c.put("c-1.csv", "id,name\n1,a\n2\"\",b\n,c\n")
	cfg := c.configured(map[string]Kind{"customer": kind("c-*.csv", ""), "device": kind("c-*.csv", "")})
	cfg.Done.Folder = "done"
	now := time.Date(2026, 11, 29, 18, 0, 0, 0, time.UTC)
	conn := c.open(cfg)
	conn.env.Now = func() time.Time { return now }
	customers, devices := c.must(c.read(conn, "customers", connectors.Full, nil)), c.must(c.read(conn, "devices", connectors.Full, nil))
	// A dry run, and one after a run whose store was lost, bring no word of what is stored: nothing is moved.
	c.must(c.read(conn, "devices", connectors.Full, nil))
	c.must(c.read(conn, "customers", connectors.Delta, customers))
	if _, err := os.Stat(c.path("c-1.csv")); err != nil {
		t.Fatalf("moved before the devices in it were stored: %v", err)
	}
	c.put("c-2.csv", "id,name\n3,c\n")
	c.dry = true
	a := c.must(c.read(conn, "devices", connectors.Delta, devices))
	if _, err := os.Stat(c.path("c-1.csv")); err != nil || len(a.objects) != 1 {
		t.Fatalf("a dry run: %v, %v", a.objects, err)
	}
	c.dry = false
	a = c.must(c.read(conn, "devices", connectors.Delta, devices))
	if len(a.objects) != 1 || len(a.notes) > 0 {
		t.Errorf("the next file: %v %q", a.objects, a.notes)
	}
	list, _ := filepath.Glob(c.path("done/*"))
	if len(list) != 2 || !strings.HasPrefix(filepath.Base(list[0]), "c-1-20261129T180000Z-") {
		t.Fatalf("done: %v", list)
	}
	report, err := os.ReadFile(list[1])
	if err != nil || !strings.Contains(string(report), "3 rows, 1 of them could not be read\n  line 4, column \"id\": is empty") {
		t.Errorf("report %v:\n%s", err, report)
	}
	_ = os.Remove(c.path("c-2.csv"))
	if a := c.must(c.read(conn, "devices", connectors.Full, a)); len(a.objects) != 0 || len(a.last.Unlisted) != 1 {
		t.Errorf("no file is left: %v", a.objects)
	}
}

func TestWatch(t *testing.T) {
	c := folder(t)
	c.put("c.csv", "id,name\n1,a\n")
	cfg := c.configured(map[string]Kind{"customer": kind("*.csv", "")})
	cfg.Watch = true
	for name, poll := range map[string]time.Duration{"told": time.Hour, "polled": time.Second} {
		t.Run(name, func(t *testing.T) {
			cfg.Poll = settings.Duration(poll)
			conn := c.open(cfg)
			ctx, cancel := context.WithCancel(t.Context())
			calls, ended := make(chan struct{}, 100), make(chan error, 1)
			go func() { ended <- conn.Watch(ctx, connectors.Tenant{}, func() { calls <- struct{}{} }) }()
			await := func(what string) {
				t.Helper()
				select {
				case <-calls:
				case <-time.After(5 * time.Minute):
					t.Fatalf("nobody was called: %s", what)
				}
			}
			await("at the beginning")
			c.put("c.csv", "id,name\n1,"+name+"\n")
			await("a file has changed")
			c.put(name+".csv", "id,name\n2,b\n")
			await("a file is new")
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
		})
	}
	cfg.Watch = false
	if err := c.open(cfg).Watch(t.Context(), connectors.Tenant{}, func() { t.Error("called") }); err != nil {
		t.Errorf("not to be watched: %v", err)
	}
}

func TestPreview(t *testing.T) {
	c := folder(t)
	c.put("p.csv", "id;name;E-Mail;shoe size\n1;Ada;ada@x.test;38\n1;Ben;;\n2;Cy;cy@x.test;40\n")
	v, err := Preview(t.Context(), c.path("p.csv"), PreviewOptions{Kind: "person", Rows: 1, Problems: 5})
	if err != nil {
		t.Fatal(err)
	}
	s := v.Sheets[0]
	if s.Header != 1 || s.Rows != 3 || s.Bad != 1 || len(s.First) != 1 || len(s.Problems) != 1 || s.Problems[0].Line != 3 {
		t.Errorf("%+v", s)
	}
	if !slices.Contains(s.Columns[0].Means, "key") || !slices.Contains(s.Columns[2].Means, "email") || len(s.Columns[3].Means) != 0 {
		t.Errorf("%+v", s.Columns)
	}
	v, err = Preview(t.Context(), filepath.Join("internal", "tables", "testdata", "libreoffice.xlsx"), PreviewOptions{Kind: "person", Rows: 5, Problems: 5})
	if err != nil || v.Sheets[0].Name != "People" || !slices.Equal(v.Unread, []string{"Lists"}) || v.Sheets[0].Bad != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := Preview(t.Context(), c.path("none.csv"), PreviewOptions{Kind: "person"}); fault.ClassOf(err) != fault.Transient {
		t.Errorf("not there: %v", err)
	}
}

func TestCheck(t *testing.T) {
	c := folder(t)
	c.put("good.csv", "id,name\n1,a\n")
	c.put("bad.csv", "number,name\n1,a\n")
	cfg := c.configured(map[string]Kind{"customer": kind("good.csv", ""), "device": kind("bad.csv", ""), "licence": kind("none.csv", ""), "person": kind("later-*.csv", "")})
	cfg.Done.Folder = "done"
	findings, err := c.open(cfg).Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, f := range findings {
		got += fmt.Sprintf("%s %t %s\n", f.Subject, f.OK, f.Detail)
	}
	for _, want := range []string{
		"customer good.csv true CSV", "person true there is no file later-*.csv now", "licence true there is no file none.csv now", "device bad.csv false no column is the key", "done true done",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%swant %q", got, want)
		}
	}
}

// An older file stays in doubt in every read, also when it was read before, and by whatever name it came.
func TestOlderFileStaysInDoubt(t *testing.T) {
	for _, tc := range []struct{ name, pattern, older string }{
		{"another file", "c-*.csv", "c-0.csv"},
		{"an old one put in its place", "c-1.csv", "c-1.csv"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := folder(t)
			at := time.Now().Add(-time.Hour)
			c.put("c-1.csv", "id,name\n1,new\n3,c\n")
			_ = os.Chtimes(c.path("c-1.csv"), at, at)
			conn := c.open(c.configured(map[string]Kind{"customer": kind(tc.pattern, absentGone)}))
			a := c.must(c.read(conn, "customers", connectors.Full, nil))
			_ = os.Remove(c.path("c-1.csv"))
			c.put(tc.older, "id,name\n1,old\n")
			_ = os.Chtimes(c.path(tc.older), at.Add(-time.Hour), at.Add(-time.Hour))
			for i := range 3 {
				if a = c.must(c.read(conn, "customers", connectors.Full, a)); !strings.HasPrefix(a.doubt(), tc.older+" is older than what was read last") {
					t.Errorf("read %d: doubt %q", i, a.doubt())
				}
			}
			// What is written anew is believed again.
			c.put(tc.older, "id,name\n1,old\n")
			if a = c.must(c.read(conn, "customers", connectors.Full, a)); a.doubt() != "" {
				t.Errorf("written anew: doubt %q", a.doubt())
			}
		})
	}
}

// The newest file that names a row holds, also when it cannot be read: an older one would set it back.
func TestBadRowOfTheNewestFile(t *testing.T) {
	c := folder(t)
	old := time.Now().Add(-time.Hour)
	c.put("l-0.csv", "id,name,quantity\n1,old,1\n2,b,2\n")
	_ = os.Chtimes(c.path("l-0.csv"), old, old)
	c.put("l-1.csv", "id,name,quantity\n1,new,many\n")
	a := c.must(c.read(c.open(c.configured(map[string]Kind{"licence": kind("l-*.csv", "")})), "licences", connectors.Full, nil))
	if len(a.objects) != 1 || len(a.invalid) != 1 {
		t.Errorf("got %v, invalid %q", a.objects, a.invalid)
	}
}

// A file stays where it is while another kind, which is read before, has not read it, whatever came in between.
func TestDoneWaitsForAll(t *testing.T) {
	c := folder(t)
	cfg := c.configured(map[string]Kind{"customer": kind("c-*.csv", ""), "device": kind("c-*.csv", "")})
	cfg.Done.Folder = "done"
	conn := c.open(cfg)
	c.put("c-0.csv", "id,name\n0,a\n")
	customers := c.must(c.read(conn, "customers", connectors.Full, nil))
	// It comes after the customers were looked for, and before the devices are.
	c.put("c-1.csv", "id,name\n1,a\n")
	devices := c.must(c.read(conn, "devices", connectors.Full, nil))
	// The customers of the next run wait for another file, which is being written.
	c.put("c-2.csv", "id,name\n2,a\n")
	conn.cfg.Settle = settings.Duration(time.Minute)
	now := time.Now()
	conn.env.Now = func() time.Time { return now } // it stays fresh, however busy the machine is
	old := now.Add(-time.Hour)
	_ = os.Chtimes(c.path("c-2.csv"), old, old)
	customers = c.must(c.read(conn, "customers", connectors.Delta, customers))
	conn.cfg.Settle = 0
	devices = c.must(c.read(conn, "devices", connectors.Delta, devices))
	if _, err := os.Stat(c.path("c-1.csv")); err != nil {
		t.Fatalf("moved before its customers were read: %v", err)
	}
	if customers = c.must(c.read(conn, "customers", connectors.Delta, customers)); customers.objects["customer:1"] == "" {
		t.Errorf("customers: %v", customers.objects)
	}
	c.must(c.read(conn, "devices", connectors.Delta, devices))
	c.must(c.read(conn, "customers", connectors.Delta, customers))
	c.must(c.read(conn, "devices", connectors.Delta, devices))
	if list, _ := filepath.Glob(c.path("c-*.csv")); len(list) > 0 {
		t.Errorf("left: %v", list)
	}
}

// Members without a file of their groups are no list: they wait for it, and are not moved away unread.
func TestMembersWaitForTheirGroups(t *testing.T) {
	c := folder(t)
	c.put("g-1.csv", "id,name\n1,a\n2,b\n")
	c.put("m-1.csv", "group,member\n1,7\n1,8\n2,8\n")
	cfg := c.configured(map[string]Kind{"group": kind("g-*.csv", ""), "member": kind("m-*.csv", "")})
	cfg.Done.Folder = "done"
	conn := c.open(cfg)
	a := c.must(c.read(conn, "groups", connectors.Full, nil))
	a = c.must(c.read(conn, "groups", connectors.Delta, a))
	c.put("m-2.csv", "group,member\n1,7\n")
	for range 2 {
		a = c.must(c.read(conn, "groups", connectors.Full, a))
		if len(a.members) > 0 || len(a.last.Unlisted) != 1 || !strings.Contains(strings.Join(a.notes, "; "), "m-2.csv waits") {
			t.Errorf("members %v, notes %q", a.members, a.notes)
		}
		if _, err := os.Stat(c.path("m-2.csv")); err != nil {
			t.Errorf("moved unread: %v", err)
		}
	}
	c.put("g-2.csv", "id,name\n1,a\n2,b\n")
	if a = c.must(c.read(conn, "groups", connectors.Full, a)); len(a.members["group:1"]) != 1 || len(a.objects) != 2 || a.doubt() != "" {
		t.Errorf("both: %v %v %q", a.objects, a.members, a.doubt())
	}
}

// A workbook by another name is called what it is, and not a damaged text.
func TestWorkbookThatIsNoCSV(t *testing.T) {
	for name, text := range map[string]string{
		"c.xls": "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" + strings.Repeat("\x00", 600),
		"c.csv": "PK\x03\x04" + strings.Repeat("\x00", 600),
	} {
		c := folder(t)
		c.put(name, text)
		a := c.read(c.open(c.configured(map[string]Kind{"customer": kind(name, "")})), "customers", connectors.Full, nil)
		if a.err == nil || !strings.Contains(a.err.Error(), "workbook") || !strings.Contains(fault.Hint(a.err), ".xlsx") {
			t.Errorf("%s: %v (%s)", name, a.err, fault.Hint(a.err))
		}
	}
}
