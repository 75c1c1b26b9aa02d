package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// maxProblems is how many problems Verify names before it gives up.
const maxProblems = 20

var _ store.Verifier = (*Store)(nil)

// Verify implements store.Verifier. It reads every partition, each as it is at one moment, and checks that it is what this package
// writes: every value decodes, the counters are right, and what is stored twice agrees. Of the database's own files it knows nothing: for
// those there are data checksums and pg_amcheck. The error names up to 20 problems, one per line, by table and number.
func (s *Store) Verify(ctx context.Context) error { return s.Check(ctx, nil) }

// Check implements store.Portable.
func (s *Store) Check(ctx context.Context, tell func(store.Progress)) error {
	if tell == nil {
		tell = func(store.Progress) {}
	}
	done := uint64(0)
	parts, err := s.Partitions(ctx)
	if err != nil {
		return err
	}
	ofTargets, err := store.TargetPartitions(ctx, s)
	if err != nil {
		return err
	}
	var problems []error
	for _, p := range append(parts, ofTargets...) {
		err := s.view(ctx, p, func(r store.Reader) error {
			v := &verifier{tx: r.(*tx), tell: tell, progress: store.Progress{Partition: p, Done: done}}
			err := v.run()
			done = v.progress.Done
			for _, problem := range v.problems {
				problems = append(problems, fmt.Errorf("%s: %w", p, problem))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	err = s.checkItems(ctx, func(table, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: "+format, append([]any{table}, args...)...))
	})
	if err != nil || len(problems) == 0 {
		return err
	}
	return &fault.Error{Class: fault.Internal, Op: "verify state", Where: s.where, Hint: hintDamage, Err: errors.Join(problems[:min(len(problems), maxProblems)]...)}
}

// verifier checks one partition.
type verifier struct {
	*tx
	tell     func(store.Progress)
	progress store.Progress
	problems []error
	names    map[nameHash]store.Num
	stated   map[pair]bool // handle, object
	links    map[referrer]bool
}

func (v *verifier) run() error {
	v.names, v.stated, v.links = map[nameHash]store.Num{}, map[pair]bool{}, map[referrer]bool{}
	for _, c := range []check{
		{"name", v.checkNames}, {"object", v.checkObjects}, {"owner", v.checkOwners}, {"link", v.checkLinks}, {"record", v.checkRecords},
		{"stream", v.checkStates}, {"member", v.checkNumbers}, {"outbox", v.checkQueues}, {"parked", v.checkParked}, {"wait", v.checkWaits},
		{"run", v.checkRuns}, {"desk_link", v.checkDeskLinks}, {"desk_review", v.checkReviews}, {"match", v.checkMatches},
	} {
		v.progress.Table = c.table
		v.tell(v.progress)
		if err := c.run(); err != nil || len(v.problems) >= maxProblems {
			return err
		}
	}
	return nil
}

// check is a part of a check, and the table that takes the most of it.
type check struct {
	table string
	run   func() error
}

// query is that of the transaction.
func (v *verifier) query(scan func(pgx.Rows) error, sql string, args ...any) error {
	return v.tx.query(v.counted(scan), sql, args...)
}

// queries is that of the transaction.
func (v *verifier) queries(list ...question) error {
	for i := range list {
		list[i].scan = v.counted(list[i].scan)
	}
	return v.tx.queries(list...)
}

// counted says now and then how many rows there were.
func (v *verifier) counted(scan func(pgx.Rows) error) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		v.next()
		return scan(rows)
	}
}

func (v *verifier) next() {
	if v.progress.Done++; v.progress.Done%store.ToldEvery == 0 {
		v.tell(v.progress)
	}
}

// bad notes a problem.
func (v *verifier) bad(table, format string, args ...any) {
	if len(v.problems) < maxProblems {
		v.problems = append(v.problems, fmt.Errorf("%s: "+format, append([]any{table}, args...)...))
	}
}

// equal notes a counter that is wrong.
func (v *verifier) equal(table, what string, counted, found uint64) {
	if counted != found {
		v.bad(table, "%d %s are counted, %d are there", counted, what, found)
	}
}

func (v *verifier) checkNames() error {
	last := store.Num(0)
	err := v.query(func(rows pgx.Rows) error {
		var h pgtype.UUID
		var n int32
		err := rows.Scan(&h, &n)
		if last++; store.Num(n) != last {
			v.bad("name", "number %d is in the place of %d", n, last)
		}
		v.names[h.Bytes] = store.Num(n)
		return err
	}, `select hash, num from @.name where part = $1 order by num`)
	v.equal("name", "names", v.count.lastNum, uint64(last))
	return err
}

func (v *verifier) checkObjects() error {
	for _, kind := range directory.Kinds() {
		var present uint64
		err := v.Rows(kind, 0, func(row store.Row) bool {
			if row.Gone == store.Here {
				present++
			}
			v.next()
			v.object(kind, row)
			return len(v.problems) < maxProblems
		})
		if err != nil {
			return err
		}
		v.equal("object", "objects of kind "+kind.String(), v.count.present[kind], present)
	}
	return nil
}

func (v *verifier) object(kind directory.Kind, row store.Row) {
	o, err := directory.ParseObject(row.Data)
	if err != nil || o.Kind != kind || v.names[hashName(directory.IDHandle(o.ID))] != row.Num {
		v.bad("object", "row %d is damaged or another object's", row.Num)
		return
	}
	var handles []store.Num
	for _, handle := range o.Handles {
		handles = append(handles, v.names[hashName(handle)])
	}
	if !slices.Equal(handles, row.Handles) {
		v.bad("object", "row %d lists other handles than its object", row.Num)
	}
	for _, h := range handles {
		v.stated[pair{h, row.Num}] = true
	}
	for _, l := range o.Links {
		v.links[referrer{link{l.Type, v.names[hashName(l.To)]}, row.Num}] = true
	}
}

// checkOwners checks that whoever states a handle has it or contests it, and nobody else does.
func (v *verifier) checkOwners() error {
	owner := map[store.Num]store.Num{}
	contested := map[pair]bool{}
	err := v.queries(
		question{scanPair(func(h, n store.Num) { owner[h] = n }), `select handle, num from @.owner where part = $1`, nil},
		question{scanPair(func(h, n store.Num) { contested[pair{h, n}] = true }), `select handle, num from @.contested where part = $1`, nil},
	)
	if err != nil {
		return err
	}
	for p := range v.stated {
		if p.a != p.b && (owner[p.a] == p.b) == contested[p] {
			v.bad("owner", "object %d states handle %d, and must have it or contest it", p.b, p.a)
		}
	}
	for h, n := range owner {
		if !v.stated[pair{h, n}] {
			v.bad("owner", "object %d does not state handle %d", n, h)
		}
	}
	for p := range contested {
		if !v.stated[p] {
			v.bad("contested", "object %d does not state handle %d", p.b, p.a)
		}
	}
	return nil
}

func (v *verifier) checkLinks() error {
	found := map[referrer]bool{}
	err := v.query(func(rows pgx.Rows) error {
		var kind int16
		var target, num int32
		err := rows.Scan(&kind, &target, &num)
		r := referrer{link{directory.LinkType(kind), store.Num(target)}, store.Num(num)}
		if found[r] = true; !v.links[r] {
			v.bad("link", "object %d does not state the link to handle %d", num, target)
		}
		return err
	}, `select type, target, num from @.link where part = $1`)
	for r := range v.links {
		if !found[r] {
			v.bad("link", "the link of object %d to handle %d is missing", r.num, r.link.to)
		}
	}
	return err
}

func (v *verifier) checkRecords() error {
	for _, kind := range directory.RecordKinds() {
		var active uint64
		err := v.query(func(rows pgx.Rows) error {
			var num int32
			var is bool
			var data []byte
			if err := rows.Scan(&num, &is, &data); err != nil {
				return err
			}
			if is {
				active++
			}
			rec, err := directory.ParseRecord(data)
			if err != nil || rec.Kind != kind || rec.Active != is || v.checkNum(store.Num(num)) != nil {
				v.bad("record", "record %d of kind %s is damaged", num, kind)
			}
			return nil
		}, `select num, active, data from @.record where part = $1 and kind = $2`, int16(kind))
		if err != nil {
			return err
		}
		v.equal("record", "active records of kind "+kind.String(), v.count.active[kind], active)
	}
	return nil
}

// checkStates checks what is JSON, and the journal.
func (v *verifier) checkStates() error {
	if _, err := v.Tenant(); err != nil {
		v.bad("tenant", "it is damaged")
	}
	names, err := v.Streams()
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := v.Stream(name); err != nil {
			v.bad("stream", "stream %s is damaged", name)
		}
	}
	err = v.Journal(0, func(uint64, []store.JournalEntry) bool { return true })
	if v.failed == nil && err != nil {
		v.bad("journal", "a part is damaged")
	}
	return v.failed
}

// checkNumbers checks what is counted, and that numbers are some that were given.
func (v *verifier) checkNumbers() error {
	var members int64
	questions := []question{{func(rows pgx.Rows) error { return rows.Scan(&members) }, `select count(*) from @.member where part = $1`, nil}}
	wrong := map[string]*int64{}
	for table, where := range map[string]string{
		"member": "grp not between 1 and $2 or handle not between 1 and $2", "digest": "grp not between 1 and $2",
		"dirty": fmt.Sprintf("num not between 1 and $2 or why not between 1 and %d", allReasons), "due": "num not between 1 and $2",
	} {
		n := new(int64)
		wrong[table] = n
		questions = append(questions, question{func(rows pgx.Rows) error { return rows.Scan(n) },
			`select count(*) from @.` + table + ` where part = $1 and (` + where + `)`, []any{int64(v.count.lastNum)}})
	}
	if err := v.queries(questions...); err != nil {
		return err
	}
	v.equal("member", "memberships", v.count.members, uint64(members))
	for table, n := range wrong {
		if *n > 0 {
			v.bad(table, "%d rows are damaged", *n)
		}
	}
	return nil
}

// Size returns how many bytes the state takes at the database, indexes included.
func (s *Store) Size(ctx context.Context) (size int64, err error) {
	err = s.ask(ctx, "measure state", func(rows pgx.Rows) error { return rows.Scan(&size) },
		`select coalesce(sum(pg_total_relation_size(c.oid)), 0)::int8 from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where n.nspname = $1 and c.relkind = 'r'`, s.schema)
	return size, err
}
