// Package move brings a whole state from one store into another one, whatever they are, and proves that nothing was lost on the way.
//
// Nobody works on either store meanwhile; to see to that is for who opens them. What goes over is what Export hands out (store.Portable): numbers,
// counters and times as they are, so that nothing is settled again and nothing is sent twice.
package move

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
	"dirsyncd/sync/fault"
)

// From is a store that is handed out.
type From interface {
	store.Portable
	// Undisturbed reports whether nobody else could open it for work since it was opened.
	Undisturbed(ctx context.Context) error
	// MarkMoved makes it a state that says that it was moved: nobody opens it any more.
	MarkMoved(ctx context.Context, m encoding.Moved) error
}

// To is a store that is being filled.
type To interface {
	store.Portable
	// Begin removes the state that was moved from here before, if there is one, and returns what it said of itself: it is older than what comes.
	Begin(ctx context.Context) (replaced *encoding.Moved, err error)
	// Accept makes it a state as any other, in which everything is.
	Accept(ctx context.Context) error
}

// The stages of a move, in order.
const (
	Checking  = "check"   // the state that there is
	Copying   = "copy"    //
	Comparing = "compare" // what came over is read back
	Verifying = "verify"  // the state that there is now
)

// Progress is how far a move is.
type Progress struct {
	Stage string
	store.Progress
}

// Report is what was moved.
type Report struct {
	Partitions int               // those of targets included
	Entries    uint64            // of all tables
	Tables     map[string]uint64 // by table; those without entries are missing
	// Replaced is the state that was moved from there before, and was removed; nil: there was none.
	Replaced *encoding.Moved
}

// Run moves a state. from is only read: its mark (MarkMoved) is for the caller to make when nothing can fail any more. What to had before is
// removed when from was found to be sound, and not earlier. Where it fails, from is as it was, and to is not accepted. A difference between the two is an error of class fault.Internal
// that names the partition and the table. tell may be nil.
func Run(ctx context.Context, from From, to To, tell func(Progress)) (Report, error) {
	if tell == nil {
		tell = func(Progress) {}
	}
	m := &mover{from: from, to: to, tell: tell, report: Report{Tables: map[string]uint64{}}}
	for _, step := range []func(context.Context) error{m.check, m.begin, m.copy, m.compare, m.verify, from.Undisturbed, to.Accept} {
		if err := step(ctx); err != nil {
			return Report{}, err
		}
	}
	return m.report, nil
}

type mover struct {
	from   From
	to     To
	tell   func(Progress)
	parts  []store.Partition
	sums   []sums // of parts
	report Report
}

// check reads the state that there is.
func (m *mover) check(ctx context.Context) error {
	m.at(Checking, store.Progress{})
	if err := m.from.Check(ctx, func(p store.Progress) { m.at(Checking, p) }); err != nil {
		return err
	}
	var err error
	m.parts, err = partitions(ctx, m.from)
	return err
}

func (m *mover) begin(ctx context.Context) (err error) {
	m.report.Replaced, err = m.to.Begin(ctx)
	return err
}

func (m *mover) at(stage string, p store.Progress) { m.tell(Progress{stage, p}) }

// partitions lists all partitions, and the zero one for what is in none.
func partitions(ctx context.Context, s store.Store) ([]store.Partition, error) {
	parts, err := s.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	ofTargets, err := store.TargetPartitions(ctx, s)
	return slices.Concat(parts, ofTargets, []store.Partition{{}}), err
}

func (m *mover) copy(ctx context.Context) error {
	m.report.Partitions = len(m.parts) - 1
	for _, p := range m.parts {
		found := sums{}
		b := batch{take: func(entries []store.Entry) error { return m.to.Import(ctx, p, entries) }}
		err := m.from.Export(ctx, p, func(e store.Entry) error {
			found.add(e)
			m.report.Entries++
			if m.report.Tables[e.Table]++; m.report.Entries%store.ToldEvery == 0 {
				m.at(Copying, store.Progress{Partition: p, Table: e.Table, Done: m.report.Entries})
				if err := ctx.Err(); err != nil {
					return err
				}
			}
			return b.add(e)
		})
		if err == nil {
			err = b.flush()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name(p), err)
		}
		m.sums = append(m.sums, found.end())
	}
	return nil
}

// compare reads back what was stored.
func (m *mover) compare(ctx context.Context) error {
	parts, err := partitions(ctx, m.to)
	if err != nil {
		return err
	}
	if !slices.Equal(parts, m.parts) {
		return different(fmt.Errorf("%d tenants and targets were moved, and %d are there, or others", len(m.parts)-1, len(parts)-1))
	}
	done := uint64(0)
	for i, p := range parts {
		found := sums{}
		err := m.to.Export(ctx, p, func(e store.Entry) error {
			found.add(e)
			if done++; done%store.ToldEvery == 0 {
				m.at(Comparing, store.Progress{Partition: p, Table: e.Table, Done: done, Total: m.report.Entries})
				return ctx.Err()
			}
			return nil
		})
		if err == nil {
			err = m.sums[i].differ(found.end())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name(p), err)
		}
	}
	return nil
}

func (m *mover) verify(ctx context.Context) error {
	m.at(Verifying, store.Progress{})
	return m.to.Check(ctx, func(p store.Progress) { m.at(Verifying, p) })
}

// name names a partition to people.
func name(p store.Partition) string {
	if target, ok := p.Target(); ok {
		return "target " + target
	}
	if p == (store.Partition{}) {
		return "what no tenant has"
	}
	return p.String()
}

// sums are a hash and a number of the entries of each table.
type sums map[string]*sum

type sum struct {
	count  uint64
	hash   hash.Hash // nil when all were added
	digest []byte
	size   [16]byte
}

// end makes the digests. What a hash takes is much for many small partitions.
func (s sums) end() sums {
	for _, t := range s {
		t.digest, t.hash = t.hash.Sum(nil), nil
	}
	return s
}

func (s sums) add(e store.Entry) {
	t := s[e.Table]
	if t == nil {
		t = &sum{hash: sha256.New()}
		s[e.Table] = t
	}
	t.count++
	binary.BigEndian.PutUint64(t.size[:], uint64(len(e.Key)))
	binary.BigEndian.PutUint64(t.size[8:], uint64(len(e.Value)))
	t.hash.Write(t.size[:])
	t.hash.Write(e.Key)
	t.hash.Write(e.Value)
}

// differ says in which tables others are.
func (s sums) differ(others sums) error {
	var all []error
	for _, table := range slices.Sorted(maps.Keys(s)) {
		was, is := s[table], others[table]
		switch {
		case is == nil:
			all = append(all, fmt.Errorf("%s: %d entries were moved, and none is there", table, was.count))
		case is.count != was.count:
			all = append(all, fmt.Errorf("%s: %d entries were moved, and %d are there", table, was.count, is.count))
		case !bytes.Equal(is.digest, was.digest):
			all = append(all, fmt.Errorf("%s: of %d entries some are not as they were", table, was.count))
		}
	}
	for _, table := range slices.Sorted(maps.Keys(others)) {
		if s[table] == nil {
			all = append(all, fmt.Errorf("%s: there are %d entries, and none was moved", table, others[table].count))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return different(all...)
}

func different(found ...error) error {
	return &fault.Error{Class: fault.Internal, Op: "compare the moved state", Err: errors.Join(found...),
		Hint: "the state that was to be moved is whole: go on with it. Tell the makers of dirsyncd the lines above, in which is nothing of anybody"}
}

// batch gathers entries until they are worth a transaction.
type batch struct {
	take    func([]store.Entry) error
	entries []store.Entry
	room    []byte
}

// How much is stored in a transaction.
const (
	batchBytes   = 4 << 20
	batchEntries = 20_000
)

func (b *batch) add(e store.Entry) error {
	full := len(b.entries) >= batchEntries || len(b.room)+len(e.Key)+len(e.Value) > cap(b.room)
	if last := len(b.entries) - 1; full && last >= 0 && !(e.Table == encoding.TableCounters && b.entries[last].Table == e.Table) { // these come together
		if err := b.flush(); err != nil {
			return err
		}
	}
	if b.room == nil {
		b.room = make([]byte, 0, batchBytes)
	}
	at := len(b.room)
	b.room = append(append(b.room, e.Key...), e.Value...) // one that is larger than all the room has its own
	middle := at + len(e.Key)
	b.entries = append(b.entries, store.Entry{Table: e.Table, Key: b.room[at:middle:middle], Value: b.room[middle:]})
	return nil
}

func (b *batch) flush() error {
	if len(b.entries) == 0 {
		return nil
	}
	err := b.take(b.entries)
	b.entries, b.room = b.entries[:0], b.room[:0]
	return err
}
