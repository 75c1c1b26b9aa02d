package bolt

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
)

// maxProblems is how many problems Verify names before it gives up.
const maxProblems = 20

// Verify implements store.Verifier. It reads the whole file and checks that it is what this package writes: every value decodes, the
// counters are right, everything that is stored twice in different orders agrees, and bbolt's own pages are
// in order. The error names up to 20 problems, one per line, by bucket and number.
func (s *Store) Verify(ctx context.Context) error { return s.Check(ctx, nil) }

// Check implements store.Portable.
func (s *Store) Check(ctx context.Context, tell func(store.Progress)) error {
	select {
	case s.writer <- struct{}{}:
		defer func() { <-s.writer }()
	case <-ctx.Done():
		return ctx.Err()
	}
	c := &checked{ctx: ctx, tell: tell}
	if problems, err := s.verifyPages(ctx, c); err != nil || len(problems) > 0 {
		return s.unsound(problems, err)
	}
	return s.unsound(s.verifyPartitions(ctx, c))
}

// checked is how far a check is.
type checked struct {
	ctx  context.Context //nolint:containedctx // of one check
	tell func(store.Progress)
	told uint64 // entries
	store.Progress
}

// next notes one more entry of a table, and says so now and then. It reports whether anybody still waits.
func (c *checked) next(table string) bool {
	if c.Done++; table == c.Table && c.Done < c.told+store.ToldEvery {
		return true
	}
	if c.Table, c.told = table, c.Done; c.tell != nil {
		c.tell(c.Progress)
	}
	return c.ctx.Err() == nil
}

// VerifyFile checks a file that nobody writes to, as Verify does. Its pages are checked before anything follows them: bbolt
// believes what it reads.
func VerifyFile(ctx context.Context, path string) (err error) {
	s, err := open(path, Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	c := &checked{ctx: ctx}
	if problems, err := s.verifyPages(ctx, c); err != nil || len(problems) > 0 {
		return s.unsound(problems, err)
	}
	if err := s.migrate(migrations()); err != nil {
		return err
	}
	return s.unsound(s.verifyPartitions(ctx, c))
}

// unsound is the error of a check that found problems, or could not be made.
func (s *Store) unsound(problems []error, err error) error {
	if err != nil || len(problems) == 0 {
		return err
	}
	return damage("verify state", s.path, errors.Join(problems[:min(len(problems), maxProblems)]...))
}

func (s *Store) verifyPages(ctx context.Context, c *checked) (problems []error, err error) {
	err = s.transact(ctx, false, "verify state", func(*bbolt.Tx) (bool, error) {
		h, ok, err := readHeader(s.file)
		if err != nil || !ok {
			return false, errors.Join(err, damage("verify state", s.path, errors.New("it has no header")))
		}
		c.Total = h.high
		problems = checkPages(s.file, h, func(pages uint64) bool { c.Done += pages - 1; return c.next("pages") })
		c.Done, c.Total, c.told = 0, 0, 0
		return false, ctx.Err()
	})
	return problems, err
}

func (s *Store) verifyPartitions(ctx context.Context, c *checked) (problems []error, err error) {
	partitions, err := s.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	ofTargets, err := store.TargetPartitions(ctx, s)
	if err != nil {
		return nil, err
	}
	partitions = append(partitions, ofTargets...)
	columns := map[uint64]bool{}
	for _, p := range partitions {
		c.Partition, c.Table = p, ""
		err := s.View(ctx, p, func(r store.Reader) error {
			v := verifier{tx: r.(*tx), columns: columns, checked: c}
			if v.run(); ctx.Err() != nil { // what it found is not all there is
				return ctx.Err()
			}
			for _, problem := range v.problems {
				problems = append(problems, fmt.Errorf("%s: %w", p, problem))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, index := range []*partitionIndex{waiting(), awaiting()} {
		wrong, err := index.verify(ctx, s)
		if err != nil {
			return nil, err
		}
		problems = append(problems, wrong...)
	}
	wrong, err := s.verifyItems(ctx)
	return append(problems, wrong...), err
}

// verifier checks one partition.
type verifier struct {
	*tx
	columns  map[uint64]bool // the columns of names of other partitions
	checked  *checked
	problems []error
}

// all is that of the transaction. It ends early when nobody waits for the check any more.
func (v *verifier) all(p bucketID) iter.Seq2[[]byte, []byte] {
	table := p.String()
	return func(yield func(k, value []byte) bool) {
		for k, value := range v.tx.all(p) {
			if !v.checked.next(table) || !yield(k, value) {
				return
			}
		}
	}
}

func (v *verifier) run() {
	checks := []func(){
		v.names, v.objects, v.owners, v.referrers, v.members, v.digests, v.marks, v.streams, v.records, v.taken,
		v.outboxes, v.parked, v.parkedIndexes, v.runs, v.waits, v.links, v.due, v.match,
	}
	for _, check := range checks {
		if len(v.problems) < maxProblems && v.checked.ctx.Err() == nil {
			check()
		}
	}
}

// bad notes a problem.
func (v *verifier) bad(p bucketID, format string, args ...any) {
	if len(v.problems) < maxProblems {
		v.problems = append(v.problems, fmt.Errorf("%s: "+format, append([]any{p}, args...)...))
	}
}

// check notes an error, if there is one.
func (v *verifier) check(p bucketID, err error) bool {
	if err != nil {
		v.bad(p, "%w", err)
	}
	return err == nil
}

// equal notes a counter that is wrong.
func (v *verifier) equal(p bucketID, what string, counted, found uint64) {
	if counted != found {
		v.bad(p, "%d %s are counted, %d are there", counted, what, found)
	}
}
