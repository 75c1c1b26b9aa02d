package read

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

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
// Triples are in chunks (store.Writer.AppendSeen), the later ones in place of the earlier; each begins with the hash of what they hold for:
// this program, and the connector's basis. When most of what is kept is of no use, it is made anew.
const (
	basisSize  = 16
	formSize   = 8
	digestSize = 12
	tripleSize = 4 + digestSize + formSize
	// sameRows is how many rows are looked at in one view.
	sameRows = 20_000
	// uselessTriples is how many may be of no use, beside one for each that is, before all are made anew.
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

// same is by what entries are known again in one read. A nil one knows none.
type same struct {
	basis [basisSize]byte
	// known are the objects that are stored as they were made. It is written before the first page, and only read then.
	known map[connectors.Digest]store.Num
	// anew: what is kept is forgotten with the first write.
	anew bool
	// stored are those that this read has stored, and the groups whose members it has changed.
	stored *roaring.Bitmap
}

// lookUpSame is the request's Same.
func (l *listing) lookUpSame(ctx context.Context, basis string) (func(connectors.Digest) bool, error) {
	program := l.Program()
	if program == "" {
		return nil, nil
	}
	sum := sha256.Sum256([]byte(program + "\x00" + basis))
	s := &same{basis: [basisSize]byte(sum[:]), known: map[connectors.Digest]store.Num{}, stored: roaring.New()}
	kept, all, err := l.keptTriples(ctx, s.basis)
	if err != nil {
		return nil, err
	}
	for _, kind := range l.stream.Kinds {
		if err := l.matchSame(ctx, s, kind, kept); err != nil {
			return nil, err
		}
	}
	if s.anew = all > 2*len(s.known)+uselessTriples; s.anew {
		clear(s.known)
	}
	l.same = s
	return func(d connectors.Digest) bool { return s.known[d] != 0 }, nil
}

// keptTriples returns what is kept by number, and how many triples that is with those that hold no longer.
func (l *listing) keptTriples(ctx context.Context, basis [basisSize]byte) (kept map[store.Num]triple, all int, err error) {
	err = l.State.View(ctx, func(tx store.Reader) error {
		kept, all = map[store.Num]triple{}, 0
		damaged := false
		err := tx.Seen(sameBy(l.stream.Name), func(chunk []byte) bool {
			if damaged = len(chunk) < basisSize || (len(chunk)-basisSize)%tripleSize != 0; damaged {
				return false
			}
			holds := bytes.Equal(chunk[:basisSize], basis[:])
			for data := range slices.Chunk(chunk[basisSize:], tripleSize) {
				all++
				if holds {
					t := parseTriple(data)
					kept[t.num] = t
				}
			}
			return true
		})
		if err == nil && damaged {
			err = &fault.Error{Class: fault.Internal, Op: "read " + l.stream.Name, Err: directory.ErrCorrupt, Hint: "the state file is damaged; restore a backup"}
		}
		return err
	})
	return kept, all, err
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

// matchSame finds those of a kind that are there and stored as they were made. Whoever states a handle that others state, too, is not among
// them, for that is told at each read; nor is a group whose members have changed since.
func (l *listing) matchSame(ctx context.Context, s *same, kind directory.Kind, kept map[store.Num]triple) error {
	for after, more := store.Num(0), len(kept) > 0; more; {
		var list []candidate
		last := after
		err := l.State.View(ctx, func(tx store.Reader) (err error) {
			list, more = nil, false
			var handles []store.Num
			rows := 0
			err = tx.Rows(kind, after, func(row store.Row) bool {
				if t, ok := kept[row.Num]; ok && row.Gone == store.Here {
					if stored := formOf(row.Data); kind == directory.Group || stored == t.form {
						first := len(handles)
						handles = append(handles, row.Handles...)
						list = append(list, candidate{t, stored, handles[first:]})
					}
				}
				last = row.Num
				rows++
				more = rows == sameRows
				return !more
			})
			if err != nil {
				return err
			}
			if list, err = alone(tx, list, handles); err == nil && kind == directory.Group {
				list, err = withMembers(tx, list)
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, c := range list {
			s.known[c.digest] = c.num
		}
		after = last
	}
	return nil
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
		if l.same.known[d] == 0 {
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
		nums[i] = l.same.known[digest]
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
