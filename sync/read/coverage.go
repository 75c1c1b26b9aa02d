package read

import (
	"encoding/binary"
	"fmt"
	"maps"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// coverage remembers what a full read has come across, so that its end can tell what it has not. It takes about a
// bit per object, and is stored in chunks beside the cursor of a read that can be resumed.
type coverage struct {
	objects *roaring.Bitmap
	// whole are the groups whose complete list of members came.
	whole *roaring.Bitmap
	// members are the handles that came for a group, of groups whose list came in parts.
	members map[store.Num]*roaring.Bitmap
	// unlisted are stored members that a complete list did not name. They are taken away when the read is
	// proven complete, not before.
	unlisted map[store.Num]*roaring.Bitmap
	// doubtful are those of the unlisted whose list may lack somebody (doubt.go).
	doubtful map[store.Num]*roaring.Bitmap
	// more is by how many the source counts more members than it lists, of groups of which it does.
	more map[store.Num]uint32
	// unreadable are the objects that could not be read; groups among them keep their members. After one there are no
	// more resume points, so it is never stored.
	unreadable *roaring.Bitmap
	// named counts the memberships that came.
	named int
}

func newCoverage() *coverage {
	return &coverage{
		objects: roaring.New(), whole: roaring.New(), unreadable: roaring.New(),
		members: map[store.Num]*roaring.Bitmap{}, unlisted: map[store.Num]*roaring.Bitmap{}, doubtful: map[store.Num]*roaring.Bitmap{},
		more: map[store.Num]uint32{},
	}
}

// merge adds what another one has seen.
func (c *coverage) merge(o *coverage) {
	c.objects.Or(o.objects)
	c.whole.Or(o.whole)
	c.unreadable.Or(o.unreadable)
	unionInto(c.members, o.members)
	unionInto(c.unlisted, o.unlisted)
	unionInto(c.doubtful, o.doubtful)
	maps.Copy(c.more, o.more)
	c.named += o.named
}

func unionInto(into, from map[store.Num]*roaring.Bitmap) {
	for n, b := range from {
		if into[n] == nil {
			into[n] = roaring.New()
		}
		into[n].Or(b)
	}
}

// A chunk is a number of sets, each with its name: a letter, and the group's number where there is one.
const (
	setObjects  = 'o'
	setWhole    = 'w'
	setMembers  = 'm'
	setUnlisted = 's'
	setDoubtful = 'd'
	setMore     = 'c' // the set holds the one number
)

// encode renders a chunk for the store.
func (c *coverage) encode() ([]byte, error) {
	buf := binary.AppendUvarint(nil, uint64(c.named))
	add := func(set byte, group store.Num, b *roaring.Bitmap) error {
		data, err := b.ToBytes()
		if err != nil {
			return err
		}
		buf = append(buf, set)
		buf = binary.AppendUvarint(buf, uint64(group))
		buf = binary.AppendUvarint(buf, uint64(len(data)))
		buf = append(buf, data...)
		return nil
	}
	if err := add(setObjects, 0, c.objects); err != nil {
		return nil, err
	}
	if err := add(setWhole, 0, c.whole); err != nil {
		return nil, err
	}
	for n, b := range c.members {
		if err := add(setMembers, n, b); err != nil {
			return nil, err
		}
	}
	for n, b := range c.unlisted {
		if err := add(setUnlisted, n, b); err != nil {
			return nil, err
		}
	}
	for n, b := range c.doubtful {
		if err := add(setDoubtful, n, b); err != nil {
			return nil, err
		}
	}
	for n, more := range c.more {
		if err := add(setMore, n, roaring.BitmapOf(more)); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

// load merges the stored chunks of a stream.
func (c *coverage) load(tx store.Reader, stream string) error {
	var bad error
	err := tx.Seen(stream, func(chunk []byte) bool {
		bad = c.decode(chunk)
		return bad == nil
	})
	if err == nil && bad != nil {
		err = &fault.Error{Class: fault.Internal, Op: "resume reading " + stream, Err: bad,
			Hint: "the state file is damaged; restore a backup"}
	}
	return err
}

// decode merges one chunk.
func (c *coverage) decode(chunk []byte) error {
	number := func() uint64 {
		n, size := binary.Uvarint(chunk)
		if size <= 0 {
			chunk = nil
			return 0
		}
		chunk = chunk[size:]
		return n
	}
	c.named += int(number())
	for len(chunk) > 0 {
		set := chunk[0]
		chunk = chunk[1:]
		group, size := store.Num(number()), number()
		if size > uint64(len(chunk)) {
			return fmt.Errorf("chunk: %w", directory.ErrCorrupt)
		}
		b := roaring.New()
		if err := b.UnmarshalBinary(chunk[:size]); err != nil {
			return fmt.Errorf("chunk: %w: %w", directory.ErrCorrupt, err)
		}
		chunk = chunk[size:]
		switch set {
		case setObjects:
			c.objects.Or(b)
		case setWhole:
			c.whole.Or(b)
		case setDoubtful:
			unionInto(c.doubtful, map[store.Num]*roaring.Bitmap{group: b})
		case setMore:
			if b.IsEmpty() {
				return fmt.Errorf("chunk: %w", directory.ErrCorrupt)
			}
			c.more[group] = b.Minimum()
		case setMembers:
			unionInto(c.members, map[store.Num]*roaring.Bitmap{group: b})
		case setUnlisted:
			unionInto(c.unlisted, map[store.Num]*roaring.Bitmap{group: b})
		default:
			return fmt.Errorf("chunk: %w", directory.ErrCorrupt)
		}
	}
	return nil
}
