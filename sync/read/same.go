package read

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/relations"
)

// Of most entries a full read finds the same bytes as before. What they became is kept as a triple: the object's number, the digest of the
// entry, and the beginning of the hash of the stored form that was made of it, of a group with the list of its members. Nobody needs to
// take a triple back: it holds for as long as the object is stored in that very form, with that list, whoever has stored it since.
//
// Triples are in chunks (store.Writer.AppendSeen), of one object there may be several; each begins with the hash of what they hold for:
// this program, and the connector's basis. When most of what is kept is of no use, it is made anew.
const (
	basisSize  = 16
	formSize   = 8
	digestSize = 12
	tripleSize = 4 + digestSize + formSize
	// sameRows is how many rows are looked at in one view, or a few more.
	sameRows = 5_000
	// uselessTriples is how many may be of no use, beside two for each object that is there, before all are made anew.
	uselessTriples = 1000
	// worthWriting is of how many entries one must be unknown to make a write of a page that has nothing else to write.
	worthWriting = 10
)

// sameBy is the name of a stream's triples.
func sameBy(stream string) string { return stream + " same" }

type form [formSize]byte

// formOf is of an object's canonical form.
func formOf(data []byte) form {
	sum := sha256.Sum256(data)
	return form(sum[:])
}

// withList is the form of a group with the list of its members.
func (f form) withList(d store.MemberDigest) form {
	data := binary.BigEndian.AppendUint64(f[:], d.Count)
	data = binary.BigEndian.AppendUint64(data, d.Sum[0])
	return formOf(binary.BigEndian.AppendUint64(data, d.Sum[1]))
}

// triple is what became of an entry.
type triple struct {
	num    store.Num
	digest connectors.Digest
	form   form
}

// same is by what entries are known again in one read. What is kept is held against the rows while the source is asked: a source lists in the
// order of last time more often than not, and so did what is kept. A nil one knows none.
type same struct {
	basis [basisSize]byte
	// anew: what is kept is forgotten with the first write.
	anew bool
	// stored are those that this read has stored, and the groups whose members it has changed.
	stored *roaring.Bitmap

	mu    sync.Mutex
	grown sync.Cond
	// known are the objects that are stored as they were made, as far as they are matched.
	known map[connectors.Digest]store.Num
	// matched: there is nothing more to come. err is why, if there could have been more.
	matched bool
	err     error

	stop context.CancelFunc
	done chan struct{}
}

// knows is what the request's Same returns. It waits until the digest is matched, or all are.
func (s *same) knows(d connectors.Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.known[d] == 0 && !s.matched {
		s.grown.Wait()
	}
	return s.known[d] != 0
}

// numOf is the number of the object that is stored as it was made of the entry with a digest; zero if there is none so far. It never waits:
// a view of the store that waited for another one would stand in the way of whoever writes, and he in the way of the other.
func (s *same) numOf(d connectors.Digest) store.Num {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[d]
}

// add makes objects known.
func (s *same) add(list []candidate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range list {
		s.known[c.digest] = c.num
	}
	s.grown.Broadcast()
}

func (s *same) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.matched, s.err = true, err
	s.grown.Broadcast()
}

// failed returns why not everything could be matched.
func (s *same) failed() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// close ends the matching, and returns when it has ended.
func (s *same) close() {
	if s != nil {
		s.stop()
		<-s.done
	}
}

// lookUpSame is the request's Same.
func (l *listing) lookUpSame(ctx context.Context, basis string) (func(connectors.Digest) bool, error) {
	program := l.Program()
	if program == "" {
		return nil, nil
	}
	sum := sha256.Sum256([]byte(program + "\x00" + basis))
	s := &same{basis: [basisSize]byte(sum[:]), known: map[connectors.Digest]store.Num{}, stored: roaring.New(), done: make(chan struct{})}
	s.grown.L = &s.mu
	kept, err := l.keptTriples(ctx, s)
	if err != nil {
		return nil, err
	}
	l.same.close()
	ctx, s.stop = context.WithCancel(ctx)
	go func() {
		defer close(s.done)
		s.end(l.matchSame(ctx, s, kept))
	}()
	l.same = s
	return s.knows, nil
}

// keptTriples returns what is kept under a basis, in chunks without theirs; nothing where most of all that is kept is of no use.
func (l *listing) keptTriples(ctx context.Context, s *same) (kept [][]byte, err error) {
	all, here, objects := 0, 0, roaring.New()
	err = l.State.View(ctx, func(tx store.Reader) error {
		kept, all, here = nil, 0, 0
		objects.Clear()
		for _, kind := range l.stream.Kinds {
			n, err := tx.Count(kind)
			if err != nil {
				return err
			}
			here += n
		}
		damaged := false
		err := tx.Seen(sameBy(l.stream.Name), func(chunk []byte) bool {
			if damaged = len(chunk) < basisSize || (len(chunk)-basisSize)%tripleSize != 0; damaged {
				return false
			}
			triples := chunk[basisSize:]
			all += len(triples) / tripleSize
			if !bytes.Equal(chunk[:basisSize], s.basis[:]) {
				return true
			}
			kept = append(kept, bytes.Clone(triples))
			for data := range slices.Chunk(triples, tripleSize) {
				objects.Add(binary.BigEndian.Uint32(data))
			}
			return true
		})
		if err == nil && damaged {
			err = &fault.Error{Class: fault.Internal, Op: "read " + l.stream.Name, Err: directory.ErrCorrupt, Hint: "the state file is damaged; restore a backup"}
		}
		return err
	})
	// Of those that are kept, leavers are of no use.
	if s.anew = all > 2*min(here, int(objects.GetCardinality()))+uselessTriples; s.anew {
		kept = nil
	}
	return kept, err
}

func parseTriple(data []byte) (t triple) {
	t.num = store.Num(binary.BigEndian.Uint32(data))
	copy(t.form[:], data[4+copy(t.digest[:], data[4:]):])
	return t
}

func appendTriple(buf []byte, t triple) []byte {
	buf = binary.BigEndian.AppendUint32(buf, uint32(t.num))
	return append(append(buf, t.digest[:]...), t.form[:]...)
}

// candidate is an object that may be stored as it was made.
type candidate struct {
	triple
	stored  form // of the object alone
	handles []store.Num
}

// matchSame makes those known that are there and stored as they were made, a part at a time. Whoever states a handle that others state, too,
// is not among them, for that is told at each read; nor is a group whose members have changed since. It lets go of what it has matched.
func (l *listing) matchSame(ctx context.Context, s *same, kept [][]byte) (err error) {
	defer fault.Recover("read "+l.stream.Name, &err)
	for len(kept) > 0 {
		var list []triple
		for ; len(kept) > 0 && len(list) < sameRows; kept = kept[1:] {
			for data := range slices.Chunk(kept[0], tripleSize) {
				list = append(list, parseTriple(data))
			}
			kept[0] = nil
		}
		for _, kind := range l.stream.Kinds {
			var found []candidate
			err := l.State.View(ctx, func(tx store.Reader) (err error) {
				found, err = storedAsMade(tx, kind, list)
				return err
			})
			if ctx.Err() != nil {
				return nil // nobody asks any more
			}
			if err != nil {
				return err
			}
			s.add(found)
		}
	}
	return nil
}

// storedAsMade returns those objects of a kind that are there, and stored as triples say that they were made.
func storedAsMade(tx store.Reader, kind directory.Kind, triples []triple) (list []candidate, err error) {
	nums := make([]store.Num, len(triples))
	for i := range triples {
		nums[i] = triples[i].num
	}
	rows, err := tx.RowsOf(kind, nums, nil)
	if err != nil {
		return nil, err
	}
	var handles []store.Num
	for i := range rows {
		row, t := &rows[i], &triples[i]
		if row.Num == 0 || row.Gone != store.Here {
			continue
		}
		if stored := formOf(row.Data); kind == directory.Group || stored == t.form {
			handles = append(handles, row.Handles...)
			list = append(list, candidate{*t, stored, row.Handles})
		}
	}
	if list, err = alone(tx, list, handles); err == nil && kind == directory.Group {
		list, err = withMembers(tx, list)
	}
	return list, err
}

// alone returns those whose handles nobody else states.
func alone(tx store.Reader, list []candidate, handles []store.Num) ([]candidate, error) {
	shared := roaring.New()
	err := tx.Contestants(handles, func(handle, _ store.Num) bool { shared.Add(uint32(handle)); return true })
	if err != nil || shared.IsEmpty() {
		return list, err
	}
	return slices.DeleteFunc(list, func(c candidate) bool {
		return slices.ContainsFunc(c.handles, func(h store.Num) bool { return shared.Contains(uint32(h)) })
	}), nil
}

// withMembers returns the groups that are stored as they were made, and whose members are those of the list that was read then.
func withMembers(tx store.Reader, list []candidate) ([]candidate, error) {
	kept := list[:0]
	for _, c := range list {
		digest, err := tx.MemberDigest(c.num)
		if err != nil {
			return nil, err
		}
		if c.stored.withList(digest) != c.form {
			continue
		}
		empty := true
		if digest.Count == 0 { // of a list of nobody there is none
			if err := tx.Members(c.num, func(store.Num) bool { empty = false; return false }); err != nil {
				return nil, err
			}
		}
		if empty {
			kept = append(kept, c)
		}
	}
	return kept, nil
}

// errTwice says that an entry came as it was before and otherwise: which one holds, only another read can tell.
var errTwice = errors.New("an entry came twice, and changed in between")

// validateSame refuses digests that nobody asked for.
func (l *listing) validateSame(p *connectors.Page) error {
	switch {
	case len(p.Same) == 0 && len(p.Digests) == 0:
		return nil
	case l.same == nil || p.MayLack != nil || len(p.Digests) > 0 && len(p.Digests) != len(p.Objects):
		return internal("read "+l.stream.Name, "the connector sent %d digests of %d objects, and %d that are the same", len(p.Digests), len(p.Objects), len(p.Same))
	}
	for _, d := range p.Same {
		if l.same.numOf(d) == 0 {
			return internal("read "+l.stream.Name, "the connector sent a digest that is not known")
		}
	}
	return nil
}

// compareSame notes that objects are there as they are stored. rows are those of the page's other objects.
func (l *listing) compareSame(tx store.Reader, p *connectors.Page, rows []store.Row, d *pageDiff) error {
	if len(p.Same) == 0 {
		return nil
	}
	nums := make([]store.Num, len(p.Same))
	for i, digest := range p.Same {
		nums[i] = l.same.numOf(digest)
	}
	found := relations.Set(nums)
	twice := found.Intersects(l.same.stored) || slices.ContainsFunc(rows, func(r store.Row) bool { return found.Contains(uint32(r.Num)) })
	if twice {
		return &fault.Error{Class: fault.Transient, Op: "read " + l.stream.Name, Err: errTwice}
	}
	d.found.objects.Or(found)
	if !l.stream.Members {
		return nil
	}
	d.found.whole.Or(found)
	for _, n := range nums {
		digest, err := tx.MemberDigest(n)
		if err != nil {
			return err
		}
		d.found.named += int(digest.Count)
		l.nameAllMembers(d, n)
	}
	return nil
}

// digestOfEntry is the digest of the entry of which a page's object was made; zero where it is not to be kept.
func (l *listing) digestOfEntry(p *connectors.Page, i int) connectors.Digest {
	if l.same == nil || len(p.Digests) == 0 || p.Objects[i].Partial {
		return connectors.Digest{}
	}
	return p.Digests[i]
}

// listOf is the digest of the list of a page's group. Lists stand mostly in the order of their groups.
func listOf(p *connectors.Page, i int) store.MemberDigest {
	group := p.Objects[i].ID
	if i >= len(p.Members) || p.Members[i].Group != group {
		i = slices.IndexFunc(p.Members, func(m connectors.Members) bool { return m.Group == group })
	}
	if i < 0 {
		return digestOf(nil)
	}
	return digestOf(p.Members[i].Add)
}

// worthKeeping reports whether so many of a page's triples are unknown that they are worth a write of their own. A few cost less when they
// are made anew each time.
func (l *listing) worthKeeping(p *connectors.Page, d *pageDiff) bool {
	return len(d.triples) > 0 && len(d.triples)*worthWriting >= len(p.Objects)+len(p.Same)
}

// keepTriples stores what became of a page's entries, in the page's transaction.
func (l *listing) keepTriples(tx store.Writer, triples []triple) error {
	if len(triples) == 0 {
		return nil
	}
	if l.same.anew {
		if err := tx.ClearSeen(sameBy(l.stream.Name)); err != nil {
			return err
		}
	}
	chunk := append(make([]byte, 0, basisSize+len(triples)*tripleSize), l.same.basis[:]...)
	for _, t := range triples {
		chunk = appendTriple(chunk, t)
	}
	return tx.AppendSeen(sameBy(l.stream.Name), chunk)
}
