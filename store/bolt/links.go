package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Who is who at a target. "links" has the links by hash16 of the subject; "links.id" finds them by kind1, hash16 of the id at the
// place, 0 for who has the thing and 1 for others, hash16 of the subject. Subjects and ids are hashed: they may be longer than a key of
// bbolt can be, and are as good as random anyway.

// parseLink reads a stored link. The link does not refer to data.
func parseLink(data []byte) (store.Link, error) {
	l, ok := encoding.ParseLink(data)
	if !ok {
		return store.Link{}, corrupt(links.String())
	}
	return l, nil
}

func linkKey(subject string) []byte {
	h := hashName([]byte(subject))
	return h[:]
}

// linkIDPrefix begins the entries of the links that name a thing.
func linkIDPrefix(kind directory.RecordKind, id string) []byte {
	h := hashName([]byte(id))
	return append([]byte{byte(kind)}, h[:]...)
}

// linkIDKey is where a link is found by the thing that it names; nil when it names none.
func linkIDKey(l *store.Link) []byte {
	if l.ID == "" {
		return nil
	}
	other := byte(1)
	if l.State == store.Linked {
		other = 0
	}
	return append(append(linkIDPrefix(l.Kind, l.ID), other), linkKey(l.Subject)...)
}

func (t *tx) linkAt(key []byte) (store.Link, bool, error) {
	value, ok := t.get(links, key)
	if !ok {
		return store.Link{}, false, nil
	}
	l, err := parseLink(value)
	if err != nil {
		return store.Link{}, false, t.corrupt(links)
	}
	return l, true, nil
}

// LinksOf implements store.Reader.
func (t *tx) LinksOf(subjects []string) ([]store.Link, error) {
	list := make([]store.Link, len(subjects))
	for i, subject := range subjects {
		var err error
		if list[i], _, err = t.linkAt(linkKey(subject)); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// LinksAt implements store.Reader.
func (t *tx) LinksAt(kind directory.RecordKind, ids []string) ([]store.Link, error) {
	var list []store.Link
	for _, id := range ids {
		prefix := linkIDPrefix(kind, id)
		var keys [][]byte
		for k := range scan(t.bucket(linkIDs), prefix, prefix) {
			keys = append(keys, k[len(prefix)+1:])
		}
		for _, key := range keys {
			l, found, err := t.linkAt(key)
			if err == nil && !found {
				err = t.corrupt(linkIDs)
			}
			if err != nil {
				return nil, err
			}
			list = append(list, l)
		}
	}
	return list, nil
}

// Links implements store.Reader.
func (t *tx) Links(after string, fn func(store.Link) bool) error {
	var from []byte
	if after != "" {
		from = append(linkKey(after), 0)
	}
	for _, v := range scan(t.bucket(links), from, nil) {
		l, err := parseLink(v)
		if err != nil {
			return t.corrupt(links)
		}
		if !fn(l) {
			return nil
		}
	}
	return nil
}

// LinkCounts implements store.Reader.
func (t *tx) LinkCounts() (map[store.LinkState]int, error) {
	c, err := t.deskCounts()
	if err != nil {
		return nil, err
	}
	counts := map[store.LinkState]int{}
	for _, s := range store.LinkStates() {
		if n := c.links[s]; n > 0 {
			counts[s] = int(n)
		}
	}
	return counts, nil
}

// PutLink implements store.Writer.
func (t *tx) PutLink(l store.Link) error {
	if l.Subject == "" || !l.State.Known() || !l.Owner.Known() || (l.State == store.Linked) && l.ID == "" {
		return misuse("link of %q cannot be stored: state %d, owner %d, id %q", l.Subject, l.State, l.Owner, l.ID)
	}
	if _, err := recordsOf(l.Kind); err != nil {
		return err
	}
	l.Once, l.Members = sortedTexts(l.Once), sortedTexts(l.Members)
	if l.State == store.Linked {
		if err := t.isFree(&l); err != nil {
			return err
		}
	}
	key := linkKey(l.Subject)
	old, found, err := t.linkAt(key)
	if err != nil {
		return err
	}
	counts, err := t.deskCounts()
	if err != nil {
		return err
	}
	if found {
		counts.links[old.State]--
	}
	counts.links[l.State]++
	was, is := linkIDKey(&old), linkIDKey(&l)
	if !bytes.Equal(was, is) {
		if was != nil {
			if err := t.del(linkIDs, was); err != nil {
				return err
			}
		}
		if is != nil {
			if err := t.put(linkIDs, is, nil); err != nil {
				return err
			}
		}
	}
	return t.put(links, key, encoding.AppendLink(nil, &l))
}

// isFree checks that no other record has the thing of a link.
func (t *tx) isFree(l *store.Link) error {
	prefix := append(linkIDPrefix(l.Kind, l.ID), 0)
	own := linkKey(l.Subject)
	for k := range scan(t.bucket(linkIDs), prefix, prefix) {
		if bytes.Equal(k[len(prefix):], own) {
			continue
		}
		other, _, err := t.linkAt(k[len(prefix):])
		if err != nil {
			return err
		}
		return &fault.Error{Class: fault.Conflict, Op: "link a record",
			Err: fmt.Errorf("%s and %s would both be %s %s at the target", other.Subject, l.Subject, l.Kind, l.ID)}
	}
	return nil
}

func sortedTexts(list []string) []string {
	if slices.IsSorted(list) {
		return slices.Compact(slices.Clone(list))
	}
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// DeleteLink implements store.Writer.
func (t *tx) DeleteLink(subject string) (bool, error) {
	key := linkKey(subject)
	old, found, err := t.linkAt(key)
	if err != nil || !found {
		return false, err
	}
	counts, err := t.deskCounts()
	if err != nil {
		return false, err
	}
	counts.links[old.State]--
	if at := linkIDKey(&old); at != nil {
		if err := t.del(linkIDs, at); err != nil {
			return false, err
		}
	}
	return true, t.del(links, key)
}

// deskCounts are how many links there are by state, and how many reviews. They are kept beside the buckets, under countsKey.
type deskCounts struct {
	links   [8]uint64
	reviews uint64
}

const deskCountsKey = "desk.counts"

func (c *deskCounts) fields() []*uint64 {
	var list []*uint64
	for i := range c.links {
		list = append(list, &c.links[i])
	}
	return append(list, &c.reviews)
}

func (c *deskCounts) append(buf []byte) []byte {
	for _, n := range c.fields() {
		buf = binary.AppendUvarint(buf, *n)
	}
	return buf
}

func (c *deskCounts) parse(data []byte) bool {
	if len(data) == 0 {
		return true
	}
	for _, n := range c.fields() {
		var size int
		if *n, size = binary.Uvarint(data); size <= 0 {
			return false
		}
		data = data[size:]
	}
	return len(data) == 0
}

// deskCounts returns the counts, to be changed; flushDesk writes them.
func (t *tx) deskCounts() (*deskCounts, error) {
	if t.desk == nil {
		var c deskCounts
		if !c.parse(t.value(deskCountsKey)) {
			return nil, damage("read state", t.s.path, corrupt(deskCountsKey))
		}
		t.desk, t.storedDesk = &c, c
	}
	return t.desk, nil
}

func (t *tx) flushDesk() error {
	if t.desk == nil || *t.desk == t.storedDesk {
		return nil
	}
	t.storedDesk = *t.desk
	return t.putValue(deskCountsKey, t.desk.append(nil))
}

// compareRejections puts pairs of one record in order.
func compareRejections(a, b store.Rejection) int {
	if a.Kind != b.Kind {
		return int(a.Kind) - int(b.Kind)
	}
	return strings.Compare(a.ID, b.ID)
}
