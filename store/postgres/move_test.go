package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/store/encoding"
	"dirsyncd/store/move"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/signin/key"
)

var began = encoding.Moving{From: "elsewhere", Began: epoch}

// parts are those that are filled.
func filled() []store.Partition {
	return []store.Partition{{Connection: "ad"}, hq, {Connection: "hq", Tenant: "Übersee"}, store.TargetPartition("desk0")}
}

// history makes random changes to a state, and some of every kind that are many.
func history(t *testing.T, s interface {
	store.Store
	store.Keeper
}) {
	t.Helper()
	for i, p := range filled() {
		for seed := range uint64(40) {
			err := s.Update(t.Context(), p, func(w store.Writer) error {
				r := &script{Rand: rand.New(rand.NewPCG(seed, uint64(i)))}
				r.transaction(w)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Update(t.Context(), hq, crowd); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string][]byte{"a/b": {0, 255}, "a-b": {}, "é": []byte("x")} {
		if err := s.Ledger(t.Context(), name, func([]byte) ([]byte, error) { return value, nil }); err != nil {
			t.Fatal(err)
		}
	}
	items := s.Items()
	for _, space := range []string{"a", "a-b", "session"} {
		for n := range 40 {
			item := store.Item{Key: []byte{byte(n), 0, 255}, Value: []byte(strings.Repeat("v", n))}
			if n%2 == 0 {
				item.Owners, item.Until = [][]byte{{0, byte(n)}, []byte("somebody")}, epoch.Add(time.Duration(n)*time.Millisecond)
			}
			if err := items.Put(t.Context(), space, item); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := items.Once(t.Context(), []byte(space), epoch); err != nil {
			t.Fatal(err)
		}
	}
}

// crowd are so many that they do not fit into one transaction of a move.
func crowd(w store.Writer) error {
	const people = 3000
	err := w.SetMatching([]key.Field{{Kind: key.Mail, Name: directory.FieldEmail}})
	everybody, more := w.PutRow(&directory.Object{Kind: directory.Group, ID: "everybody"}, store.Here)
	err = errors.Join(err, more)
	var all []store.Num
	for i := range people {
		o := &directory.Object{Kind: directory.Person, ID: fmt.Sprint("person ", i), Handles: []string{fmt.Sprint("uid:p", i), fmt.Sprint("mail:p", i)},
			Links: []directory.Link{{Type: directory.Manager, To: fmt.Sprint("uid:p", i/10)}}}
		o.SetText(directory.FieldEmail, fmt.Sprintf("p%d@example.test", i))
		n, more := w.PutRow(o, store.Here)
		err = errors.Join(err, more, w.PutRecord(n, &directory.Record{Kind: directory.UserRecord, Key: o.ID, Active: true}),
			w.PutDue(directory.Person, n, epoch.Add(time.Duration(i)*time.Second)),
			w.Enqueue("desk0", &directory.Action{Op: directory.Create, Kind: directory.UserRecord, Key: o.ID}, epoch))
		all = append(all, n)
	}
	_, more = w.AddMembers(everybody, all, nil)
	return errors.Join(err, more, w.SetMemberDigest(everybody, store.MemberDigest{Count: people, Sum: [2]uint64{1, 1 << 63}}))
}

// dump is all that a state hands out, as lines.
func dump(t *testing.T, s store.Portable) (lines []string) {
	t.Helper()
	parts, err := s.Partitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ofTargets, err := store.TargetPartitions(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range slices.Concat(parts, ofTargets, []store.Partition{{}}) {
		last := store.Entry{}
		err := s.Export(t.Context(), p, func(e store.Entry) error {
			if e.Table == last.Table && string(e.Key) <= string(last.Key) {
				t.Errorf("%s: %s: %x comes after %x", p, e.Table, e.Key, last.Key)
			}
			last = store.Entry{Table: e.Table, Key: slices.Clone(e.Key)}
			lines = append(lines, fmt.Sprintf("%q %s %x %x", p, e.Table, e.Key, e.Value))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return lines
}

// equalLines compares what two states hand out.
func equalLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("%s: line %d of %d and %d:\n%s\nwant\n%s", what, i, len(got), len(want), strings.Join(got[min(i, len(got)):min(i+1, len(got))], ""), strings.Join(want[min(i, len(want)):min(i+1, len(want))], ""))
		}
	}
}

// boltFile makes a state file with a history.
func boltFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	s, err := bolt.Open(path, bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	history(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

type mover interface {
	move.From
	move.To
}

// closed closes what a test opened before it goes on.
func closed(t *testing.T, list ...interface{ Close() error }) {
	t.Helper()
	for _, s := range list {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func fromFile(t *testing.T, path string) mover {
	t.Helper()
	s, err := bolt.OpenToExport(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (r *rig) into(t *testing.T, schema string) (mover, *encoding.Moving) {
	t.Helper()
	s, before, err := postgres.OpenToImport(t.Context(), postgres.Options{URL: r.url, Schema: schema}, began)
	if err != nil {
		t.Fatal(err)
	}
	return s, before
}

// From a file into the database and back: everything is as it was, and both go on alike.
func moves(t *testing.T, r *rig) {
	path, schema := boltFile(t), r.schema(t)
	from := fromFile(t, path)
	want := dump(t, from)
	tables := map[string]uint64{}
	for _, line := range want {
		tables[strings.Fields(line[strings.LastIndex(line, `" `)+2:])[0]]++
	}
	for _, table := range append(encoding.Tables(), encoding.TableItems) {
		if tables[table] == 0 {
			t.Errorf("nothing was moved of %s: the test is worth nothing for it", table)
		}
	}
	to, before := r.into(t, schema)
	if before != nil {
		t.Errorf("a new schema says %v", before)
	}
	var stages []string
	report, err := move.Run(t.Context(), from, to, func(p move.Progress) {
		if !slices.Contains(stages, p.Stage) {
			stages = append(stages, p.Stage)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Partitions != len(filled()) || report.Entries != uint64(len(want)) || !maps.Equal(report.Tables, tables) ||
		!slices.Equal(stages, []string{move.Checking, move.Copying, move.Comparing, move.Verifying}) {
		t.Errorf("report %+v of %d entries, stages %q", report, len(want), stages)
	}
	equalLines(t, "the database", dump(t, to), want)
	closed(t, from, to)

	back := filepath.Join(t.TempDir(), "back.db")
	db, err := postgres.OpenToExport(t.Context(), postgres.Options{URL: r.url, Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	file, before, err := bolt.OpenToImport(t.Context(), back, began)
	if err != nil || before != nil {
		t.Fatal(before, err)
	}
	if _, err := move.Run(t.Context(), db, file, nil); err != nil {
		t.Fatal(err)
	}
	equalLines(t, "the file", dump(t, file), want)
	closed(t, db, file)

	other, err := bolt.Open(back, bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, other)
	sameAnswers(t, 100, 30, other, r.openSchema(t, postgres.Options{Schema: schema, LeaseFor: longLeases}))
}

// cutting is a state that fails after so many entries.
type cutting struct {
	mover
	left int
}

var errCut = errors.New("the cable was pulled")

func (c *cutting) Export(ctx context.Context, p store.Partition, put func(store.Entry) error) error {
	return c.mover.Export(ctx, p, func(e store.Entry) error {
		if c.left--; c.left < 0 {
			return errCut
		}
		return put(e)
	})
}

func (c *cutting) Accept(context.Context) error { return errCut }

// A move that is cut anywhere leaves what there was as it was, and where it went to is nobody's to begin with, until it is moved again.
func cutMoves(t *testing.T, r *rig) {
	path, schema := boltFile(t), r.schema(t)
	from := fromFile(t, path)
	defer closed(t, from)
	want := dump(t, from)
	first := len(want) / 3
	for i, cut := range []struct{ from, to int }{{0, 0}, {first, 0}, {len(want) - 1, 0}, {len(want), 0}, {len(want), first}, {len(want), len(want)}} {
		to, before := r.into(t, schema)
		if (before == nil) != (i == 0) || before != nil && *before != began {
			t.Errorf("cut %v: it was %v", cut, before)
		}
		_, err := move.Run(t.Context(), &cutting{from, cut.from}, &cutting{to, cut.to}, nil)
		if !errors.Is(err, errCut) {
			t.Fatalf("cut %v: %v", cut, err)
		}
		closed(t, to)
		for _, readOnly := range []bool{true, false} {
			_, err := postgres.Open(t.Context(), postgres.Options{URL: r.url, Schema: schema, ReadOnly: readOnly})
			if !errors.Is(err, encoding.ErrMoving) || !strings.Contains(fault.Hint(err), "run it again") {
				t.Errorf("cut %v: it is opened: %v", cut, err)
			}
		}
		back := filepath.Join(t.TempDir(), "state.db")
		for again := range 2 {
			file, before, err := bolt.OpenToImport(t.Context(), back, began)
			if err != nil || (before == nil) != (again == 0) {
				t.Fatal(before, err)
			}
			if _, err = move.Run(t.Context(), &cutting{from, cut.from}, &cutting{file, cut.to}, nil); !errors.Is(err, errCut) {
				t.Fatalf("cut %v: %v", cut, err)
			}
			closed(t, file)
			for _, readOnly := range []bool{true, false} {
				if _, err := bolt.Open(back, bolt.Options{ReadOnly: readOnly}); !errors.Is(err, encoding.ErrMoving) {
					t.Errorf("cut %v: it is opened: %v", cut, err)
				}
			}
		}
		if err := bolt.VerifyFile(t.Context(), back); !errors.Is(err, encoding.ErrMoving) {
			t.Errorf("cut %v: it is verified: %v", cut, err)
		}
	}
	to, before := r.into(t, schema)
	if before == nil {
		t.Error("nothing is said of the moves that were cut")
	}
	if _, err := move.Run(t.Context(), from, to, nil); err != nil {
		t.Fatal(err)
	}
	equalLines(t, "after all", dump(t, to), want)
	closed(t, to)
	closed(t, r.openSchema(t, postgres.Options{Schema: schema}))
}

// What is in use, not empty, or not what was moved, is refused, and says so.
func notMoved(t *testing.T, r *rig) {
	path, schema := boltFile(t), r.schema(t)
	opts := postgres.Options{URL: r.url, Schema: schema}
	refused := func(what string, err error, class fault.Class, text, hint string) {
		t.Helper()
		if fault.ClassOf(err) != class || !strings.Contains(fault.Text(err), text) || !strings.Contains(fault.Hint(err), hint) {
			t.Errorf("%s: %s: %v (%s)", what, fault.ClassOf(err), err, fault.Hint(err))
		}
	}
	_, err := postgres.OpenToExport(t.Context(), opts)
	refused("no state", err, fault.Configuration, "there is no state yet", "")
	worker := r.openSchema(t, postgres.Options{Schema: schema})
	_, err = postgres.OpenToExport(t.Context(), opts)
	refused("at work", err, fault.Transient, "in use by "+worker.Session(), "stop every daemon")
	held, release, err := worker.Lease(t.Context(), "something", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = postgres.OpenToImport(t.Context(), opts, began)
	refused("at work, with a name", err, fault.Transient, fmt.Sprintf("in use by %s", hostAndPID()), "stop every daemon")
	if err := worker.Update(held, hq, func(w store.Writer) error { return w.PutTenant(store.TenantState{Name: "x"}) }); err != nil {
		t.Error(err)
	}
	release()
	closed(t, worker)
	_, _, err = postgres.OpenToImport(t.Context(), opts, began)
	refused("not empty", err, fault.Configuration, "there is something already: the state of hq/contoso", "the first argument is the state that there is")
	reading, err := postgres.OpenToExport(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	_, err = postgres.Open(t.Context(), opts)
	refused("being read", err, fault.Transient, "it is being moved", "wait until that is over")
	looking := r.openSchema(t, postgres.Options{Schema: schema, ReadOnly: true})
	_, err = postgres.OpenToExport(t.Context(), opts)
	refused("being read, again", err, fault.Transient, "in use by "+reading.Session(), "")
	closed(t, reading, looking)

	_, _, err = bolt.OpenToImport(t.Context(), path, began)
	refused("a file that is not empty", err, fault.Configuration, "there is something already: the state of target desk0, ad, hq/contoso and 1 more", "")
	daemon, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = bolt.OpenToExport(path)
	refused("a file at work", err, fault.Transient, "another dirsyncd holds the state file: process ", "stop the daemon first")
	_, _, err = bolt.OpenToImport(t.Context(), path, began)
	refused("a file at work", err, fault.Transient, "another dirsyncd holds the state file: process ", "stop the daemon first")
	closed(t, daemon)

	// What differs is found, and named without what it is.
	for _, wrong := range []struct {
		spoil store.Entry
		want  string
	}{
		{store.Entry{Table: encoding.TableStreams, Key: []byte("zzz"), Value: []byte("{}")}, "streams: 2 entries were moved, and 3 are there"},
		{store.Entry{Table: encoding.TableTenant, Value: []byte(`{"name":"another"}`)}, "tenant: of 1 entries some are not as they were"},
	} {
		other := r.schema(t)
		to, _ := r.into(t, other)
		from := fromFile(t, path)
		_, err = move.Run(t.Context(), from, &spoiling{mover: to, by: wrong.spoil}, nil)
		refused("another one", err, fault.Internal, "ad: ", "go on with it")
		if !strings.Contains(fmt.Sprint(err), wrong.want) {
			t.Errorf("%v, want %s", err, wrong.want)
		}
		closed(t, to)
		_, err = postgres.Open(t.Context(), postgres.Options{URL: r.url, Schema: other})
		refused("what differs", err, fault.Configuration, "another state is being moved here", "run it again")
		// A session that was lost kept nobody away.
		to, _ = r.into(t, other)
		r.Exec("select pg_terminate_backend(pid) from pg_stat_activity where application_name = '" + to.(*postgres.Store).Session() + "'")
		if err := to.Accept(t.Context()); err == nil {
			t.Error("a move was accepted that could have been disturbed")
		}
		closed(t, from, to)
	}
	damaged := r.openSchema(t, postgres.Options{Schema: schema})
	r.Exec("update " + schema + ".partition set members = 7")
	closed(t, damaged)
	from, err := postgres.OpenToExport(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	file, _, err := bolt.OpenToImport(t.Context(), filepath.Join(t.TempDir(), "state.db"), began)
	if err != nil {
		t.Fatal(err)
	}
	_, err = move.Run(t.Context(), from, file, nil)
	refused("damaged", err, fault.Internal, "7 memberships are counted, 0 are there", "restore")
	closed(t, from, file)
}

// spoiling replaces or adds an entry.
type spoiling struct {
	mover
	by store.Entry
}

func (s *spoiling) Import(ctx context.Context, p store.Partition, entries []store.Entry) error {
	if s.by.Table == "" {
		return s.mover.Import(ctx, p, entries)
	}
	var list []store.Entry
	for i, e := range entries {
		if e.Table != s.by.Table || len(e.Key) > 0 {
			list = append(list, e)
		}
		if e.Table == s.by.Table && (i+1 == len(entries) || entries[i+1].Table != e.Table) {
			list = append(list, s.by)
			s.by = store.Entry{}
		}
	}
	return s.mover.Import(ctx, p, list)
}

// Every column of every table is moved, made anew, or of a process.
func everyColumn(t *testing.T, r *rig) {
	schema := r.open(t).Schema()
	known := postgres.MovedColumns()
	for table, columns := range map[string][]string{
		"meta": {"one", "format", "version"}, "worker": {"id", "name", "session", "started", "expires"}, "lease": {"name", "holder", "fence", "since"}, // of processes
		"partition":  {"id", "connection", "tenant", "last_num", "members", "present", "active", "desk"}, // counters
		"wait_count": {"part", "target", "cause", "n"}, "history": {"part", "bytes"},                     // made anew, or a counter
		"item": {"space", "key", "until", "owners", "by", "value"}, "used": {"key", "until"}, "ledger": {"name", "value"},
	} {
		known[table] = columns
	}
	rows, err := r.DB.QueryContext(t.Context(), "select table_name, column_name from information_schema.columns where table_schema = '"+schema+"' order by table_name, ordinal_position")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	found := map[string][]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		found[table] = append(found[table], column)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for table := range found {
		if slices.Sort(found[table]); !slices.Equal(found[table], sorted(known[table])) {
			t.Errorf("table %s has the columns %q; a move knows %q: add what is new to portableForms and package encoding", table, found[table], known[table])
		}
	}
	for table := range known {
		if found[table] == nil {
			t.Errorf("there is no table %s", table)
		}
	}
}

// hostAndPID is what this process is called where it has a lease.
func hostAndPID() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }
