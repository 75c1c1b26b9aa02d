package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
)

// Import implements store.Portable. Entries are written from where they are: bbolt keeps values until the transaction ends.
func (s *Store) Import(ctx context.Context, p store.Partition, entries []store.Entry) error {
	if p == (store.Partition{}) {
		return s.importBeside(ctx, entries)
	}
	key, err := partitionKey(p)
	if err != nil {
		return err
	}
	return s.transact(ctx, true, "write state", func(btx *bbolt.Tx) (bool, error) {
		t, err := s.begin(btx, key)
		if err != nil {
			return false, err
		}
		if err := t.create(); err != nil {
			return false, err
		}
		forms := portableForms()
		for group := range byTable(entries) {
			f, known := forms[group[0].Table]
			if !known {
				return false, misuse("there is no table %q", group[0].Table)
			}
			if err := t.addEntries(f, group); err != nil {
				return false, fmt.Errorf("%s: %w", group[0].Table, err)
			}
		}
		return true, t.flush()
	})
}

// byTable cuts entries where the table becomes another one.
func byTable(entries []store.Entry) func(func([]store.Entry) bool) {
	return func(yield func([]store.Entry) bool) {
		for len(entries) > 0 {
			n := 1
			for n < len(entries) && entries[n].Table == entries[0].Table {
				n++
			}
			if !yield(entries[:n]) {
				return
			}
			entries = entries[n:]
		}
	}
}

// addEntries stores entries of one table.
func (t *tx) addEntries(f portableForm, entries []store.Entry) error {
	if f.key == countersKey {
		return t.addCounters(entries)
	}
	for i := range entries {
		if err := t.addEntry(f, entries[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) addEntry(f portableForm, e store.Entry) error {
	switch {
	case f.add != nil:
		return f.add(t, e)
	case f.key != "":
		return t.putValue(f.key, e.Value)
	case f.kinds:
		kind, n, ok := kindAndNum(e.Key)
		if !ok {
			return malformed()
		}
		return t.put(f.bucket+bucketID(kind), t.numKey(n), e.Value)
	case f.nested:
		return t.addNested(f.bucket, e)
	case f.pairs:
		return t.addPair(f, e.Key)
	case len(e.Key) == 0:
		return malformed()
	default:
		return t.put(f.bucket, e.Key, e.Value)
	}
}

func malformed() error { return misuse("an entry is not what its table has") }

// addNested stores a numbered entry within the bucket of its name. The numbers that this gives next follow it.
func (t *tx) addNested(p bucketID, e store.Entry) error {
	name, seq, ok := bytes.Cut(e.Key, []byte{0})
	n, isSeq := keySeq(seq)
	if !ok || !isSeq || len(name) == 0 {
		return malformed()
	}
	parent, err := t.writable(p)
	if err != nil {
		return err
	}
	b, err := parent.CreateBucketIfNotExists(name)
	if err != nil {
		return t.failed(err)
	}
	b.FillPercent = p.fill()
	if p == seen {
		if err := b.SetSequence(n); err != nil {
			return t.failed(err)
		}
	}
	return t.failed(b.Put(seq, e.Value))
}

func (t *tx) addPair(f portableForm, key []byte) error {
	tag := uint8(0)
	if f.tagged && len(key) > 0 {
		tag, key = key[0], key[1:]
	}
	if len(key) != 8 {
		return malformed()
	}
	return t.changePair(f.bucket, tag, store.Num(binary.BigEndian.Uint32(key)), store.Num(binary.BigEndian.Uint32(key[4:])), false)
}

// addNames stores a block of hashes, and counts them: what follows names their numbers.
func (t *tx) addNames(e store.Entry) error {
	block, ok := keyNum(e.Key)
	if !ok || len(e.Value) == 0 || len(e.Value)%nameSize != 0 || len(e.Value) > perBlock*nameSize || uint64(block)*perBlock != t.count.lastNum {
		return malformed()
	}
	b, err := t.writable(names)
	if err != nil {
		return err
	}
	if err := t.numberNames(b); err != nil {
		return err
	}
	t.count.lastNum += uint64(len(e.Value) / nameSize)
	return t.failed(b.Put(e.Key, e.Value))
}

func (t *tx) addMemberEntry(e store.Entry) error {
	if len(e.Key) != 8 {
		return malformed()
	}
	var list []store.Num
	if !encoding.ParseMembers(e.Value, func(h store.Num) bool { list = append(list, h); return true }) {
		return malformed()
	}
	_, err := t.AddMembers(store.Num(binary.BigEndian.Uint32(e.Key)), list, nil)
	return err
}

func (t *tx) addDue(e store.Entry) error {
	if _, _, ok := kindAndNum(e.Key); !ok || len(e.Value) != 8 {
		return malformed()
	}
	if err := t.put(due, dueKey(dueTime(e.Value), e.Key), nil); err != nil {
		return err
	}
	return t.put(dueOf, e.Key, e.Value)
}

func (t *tx) addQueue(e store.Entry) error {
	var q queue
	if len(e.Key) == 0 || q.parse(e.Value) != nil {
		return malformed()
	}
	if q.depth > 0 {
		if err := waiting().note(t, waitingKey(string(e.Key), t.key), true); err != nil {
			return err
		}
	}
	return t.put(queues, e.Key, e.Value)
}

func (t *tx) addParked(e store.Entry) error {
	p, err := parseParked(e.Key, e.Value)
	if err != nil {
		return malformed()
	}
	if index, key, ok := parkedIndex(&p); ok {
		if err := t.put(index, key, seqKey(p.ID)); err != nil {
			return err
		}
	}
	return t.put(parked, e.Key, e.Value)
}

func (t *tx) addRun(e store.Entry) error {
	r, err := parseRun(e.Key, e.Value)
	if err != nil {
		return malformed()
	}
	b, err := t.writable(runs)
	if err != nil {
		return err
	}
	if err := b.SetSequence(binary.BigEndian.Uint64(e.Key)); err != nil {
		return t.failed(err)
	}
	if err := t.put(runIDs, []byte(r.ID), e.Key); err != nil {
		return err
	}
	return t.put(runs, e.Key, e.Value)
}

func (t *tx) addWait(e store.Entry) error {
	w, err := parseWait(e.Key, e.Value)
	if err != nil {
		return malformed()
	}
	if err := t.put(waitSubjects, waitSubjectKey(w.Target, w.Subject), seqKey(w.ID)); err != nil {
		return err
	}
	return t.storeWait(&w)
}

func (t *tx) addLink(e store.Entry) error {
	l, err := parseLink(e.Value)
	if err != nil || !bytes.Equal(linkKey(l.Subject), e.Key) {
		return malformed()
	}
	if at := linkIDKey(&l); at != nil {
		if err := t.put(linkIDs, at, nil); err != nil {
			return err
		}
	}
	return t.put(links, e.Key, e.Value)
}

func (t *tx) addReview(e store.Entry) error {
	r, err := parseReview(e.Key, e.Value)
	if err != nil {
		return malformed()
	}
	if err := t.put(reviewSubjects, linkKey(r.Subject), e.Key); err != nil {
		return err
	}
	return t.put(reviews, e.Key, e.Value)
}

// addCounters brings all counters to what they were. They are the last of a partition, and come together.
func (t *tx) addCounters(entries []store.Entry) error {
	c := encoding.Counters{}
	for _, e := range entries {
		if !c.Take(e) {
			return malformed()
		}
	}
	if n := c.Remove(encoding.CounterHandles); n != t.count.lastNum {
		return misuse("%d handles are counted, and %d have names", n, t.count.lastNum)
	}
	t.count = counters{
		lastNum: t.count.lastNum, members: c.Remove(encoding.CounterMemberships),
		parked: c.Remove(encoding.CounterParked), lastParked: c.Remove(encoding.CounterLastParked),
	}
	desk, err := t.deskCounts()
	if err != nil {
		return err
	}
	desk.reviews = c.Remove(encoding.CounterReviews)
	for i := range maxKinds {
		t.count.present[i] = c.Remove(encoding.CounterOf(encoding.CounterPresent, i))
		t.count.active[i] = c.Remove(encoding.CounterOf(encoding.CounterActive, i))
	}
	for i := range desk.links {
		desk.links[i] = c.Remove(encoding.CounterOf(encoding.CounterLinks, i))
	}
	for p, last := range map[bucketID]uint64{waits: c.Remove(encoding.CounterLastWait), reviews: c.Remove(encoding.CounterLastReview)} {
		if last == 0 {
			continue
		}
		b, err := t.writable(p)
		if err == nil {
			err = t.failed(b.SetSequence(last))
		}
		if err != nil {
			return err
		}
	}
	if n := c.Remove(encoding.CounterHistory); n > 0 {
		if err := t.putKeptBytes(int64(n)); err != nil {
			return err
		}
	}
	for name, n := range c {
		if n > 0 {
			return misuse("nobody counts %q here", name)
		}
	}
	return nil
}

func (s *Store) importBeside(ctx context.Context, entries []store.Entry) error {
	return s.transact(ctx, true, "write state", func(btx *bbolt.Tx) (bool, error) {
		t := s.itemsTx(btx)
		for _, e := range entries {
			if e.Table == encoding.TableLedger {
				ledgers, err := btx.CreateBucketIfNotExists([]byte(ledgerBucket))
				if err == nil {
					err = ledgers.Put(e.Key, e.Value)
				}
				if err != nil {
					return false, classify("write state", s.path, err)
				}
				t.changed = true
				continue
			}
			space, key, ok := cutItemKey(e.Key, 0)
			item, also := encoding.ParseItem(e.Value)
			if !ok || !also || len(key) == 0 {
				return false, malformed()
			}
			item.Key = key
			if err := t.put(space, &item); err != nil {
				return false, err
			}
		}
		return t.changed, nil
	})
}
