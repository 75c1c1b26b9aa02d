package bolt

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
	"dirsyncd/sync/directory"
)

var _ store.Portable = (*Store)(nil)

// portableForm says how a table that all stores have (package encoding) is kept here. Exactly one of the ways is set.
type portableForm struct {
	bucket bucketID // a bucket whose keys and values are the table's, as far as nothing below says otherwise
	// key is where a table of a single value is, beside the buckets.
	key string
	// kinds: there is a bucket for each kind, which the key begins with in the table. nested: there is one within for each name.
	kinds, nested bool
	// pairs: it is a pair set; tagged: the tag begins the key in the table.
	pairs, tagged bool
	// export and add are for a table that is like no other; add alone for one of which more is kept here.
	export func(*tx, func(store.Entry) error) error
	add    func(*tx, store.Entry) error
}

// portableForms are those of all tables of a partition.
func portableForms() map[string]portableForm {
	return map[string]portableForm{
		encoding.TableNames:     {bucket: names, add: (*tx).addNames},
		encoding.TableOwner:     {bucket: owner},
		encoding.TableContested: {bucket: contested, pairs: true},
		encoding.TableObjects:   {bucket: objects, kinds: true},
		encoding.TableReferrers: {bucket: referrers, pairs: true, tagged: true},
		encoding.TableMembers:   {bucket: members, export: (*tx).exportMembers, add: (*tx).addMemberEntry},
		encoding.TableDigests:   {bucket: digests},
		encoding.TableDirty:     {bucket: dirty, kinds: true},
		encoding.TableDue:       {bucket: dueOf, add: (*tx).addDue},
		encoding.TableTenant:    {key: tenantKey},
		encoding.TableStreams:   {bucket: streams},
		encoding.TableSeen:      {bucket: seen, nested: true},
		encoding.TableJournal:   {bucket: journal},
		encoding.TableRecords:   {bucket: records, kinds: true},
		encoding.TableQueues:    {bucket: queues, add: (*tx).addQueue},
		encoding.TableOutbox:    {bucket: outbox, nested: true},
		encoding.TableParked:    {bucket: parked, add: (*tx).addParked},
		encoding.TableRuns:      {bucket: runs, add: (*tx).addRun},
		encoding.TableActions:   {bucket: runActions},
		encoding.TableWaits:     {bucket: waits, add: (*tx).addWait},
		encoding.TableLinks:     {bucket: links, add: (*tx).addLink},
		encoding.TableRejected:  {bucket: rejected},
		encoding.TableReviews:   {bucket: reviews, add: (*tx).addReview},
		encoding.TableDesk:      {key: deskKey},
		encoding.TableMatching:  {key: matchingKey},
		encoding.TableMatch:     {bucket: match},
		encoding.TableCounters:  {key: countersKey, export: (*tx).exportCounters},
	}
}

// derived are the buckets that follow from others; countedElsewhere the values of a partition that are within its table of counters.
func derived() []bucketID {
	return []bucketID{memberOf, parkedObjects, parkedActions, runIDs, waitSubjects, waitKeys, waitDue, waitCounts, linkIDs, reviewSubjects, due}
}

func countedElsewhere() []string { return []string{deskCountsKey, keptBytesKey} }

// besidePartitions are the buckets of the file that are no partition's. Items and ledgers are handed out, the indexes follow from the partitions.
func besidePartitions() []string {
	return []string{metaBucket, waiting().bucket, awaiting().bucket, itemsBucket, ledgerBucket}
}

// Export implements store.Portable.
func (s *Store) Export(ctx context.Context, p store.Partition, put func(store.Entry) error) error {
	if p == (store.Partition{}) {
		return s.exportBeside(ctx, put)
	}
	key, err := partitionKey(p)
	if err != nil {
		return err
	}
	return s.transact(ctx, false, "read state", func(btx *bbolt.Tx) (bool, error) {
		t, err := s.begin(btx, key)
		if err != nil || t.root == nil {
			return false, err
		}
		forms := portableForms()
		if err := t.knowsAll(forms); err != nil {
			return false, err
		}
		for _, table := range encoding.Tables() {
			if err := t.export(table, forms[table], put); err != nil {
				return false, err
			}
		}
		return false, nil
	})
}

// knowsAll refuses a partition in which there is something that no table has: it would stay behind.
func (t *tx) knowsAll(forms map[string]portableForm) error {
	known := map[string]bool{}
	for _, f := range forms {
		switch {
		case f.key != "":
			known[f.key] = true
		case f.kinds:
			for kind := range maxKinds {
				known[(f.bucket + bucketID(kind)).String()] = true
			}
		default:
			known[f.bucket.String()] = true
		}
	}
	for _, p := range derived() {
		known[p.String()] = true
	}
	for _, key := range countedElsewhere() {
		known[key] = true
	}
	for k := range scan(t.root, nil, nil) {
		if !known[string(k)] {
			return damage("read state", t.s.path, fmt.Errorf("there is a bucket %q, which nobody knows", k))
		}
	}
	return nil
}

func (t *tx) export(table string, f portableForm, put func(store.Entry) error) error {
	switch {
	case f.export != nil:
		return f.export(t, put)
	case f.key != "":
		if value := t.value(f.key); value != nil {
			return put(store.Entry{Table: table, Value: value})
		}
		return nil
	case f.kinds:
		for kind := range maxKinds {
			if err := t.exportBucket(table, t.bucket(f.bucket+bucketID(kind)), []byte{byte(kind)}, put); err != nil {
				return err
			}
		}
		return nil
	case f.nested:
		parent := t.bucket(f.bucket)
		for name := range scan(parent, nil, nil) {
			if err := t.exportBucket(table, parent.Bucket(name), append(slices.Clone(name), 0), put); err != nil {
				return err
			}
		}
		return nil
	case f.pairs:
		return t.exportPairs(table, f, put)
	default:
		return t.exportBucket(table, t.bucket(f.bucket), nil, put)
	}
}

// exportBucket hands out a bucket whose keys have a prefix in the table.
func (t *tx) exportBucket(table string, b *bbolt.Bucket, prefix []byte, put func(store.Entry) error) error {
	key := slices.Clone(prefix)
	for k, v := range scan(b, nil, nil) {
		key = append(key[:len(prefix)], k...)
		if err := put(store.Entry{Table: table, Key: key, Value: v}); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) exportPairs(table string, f portableForm, put func(store.Entry) error) error {
	var key []byte
	for k, entries := range t.all(f.bucket) {
		if len(k) != 5 || len(entries)%pairSize != 0 {
			return t.corrupt(f.bucket)
		}
		high := binary.BigEndian.Uint32(k[1:]) << pairBits
		for e := range slices.Chunk(entries, pairSize) {
			if key = key[:0]; f.tagged {
				key = append(key, k[0])
			}
			key = binary.BigEndian.AppendUint32(key, high|uint32(e[0]))
			key = append(key, e[1:]...)
			if err := put(store.Entry{Table: table, Key: key}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tx) exportMembers(put func(store.Entry) error) error {
	entries := encoding.MemberEntries{Put: put}
	for k, value := range t.all(members) {
		group, _, ok := boundOf(k)
		var err error
		whole := encoding.ParseMembers(value, func(h store.Num) bool { err = entries.Add(group, h); return err == nil })
		switch {
		case err != nil:
			return err
		case !ok || !whole:
			return t.corrupt(members)
		}
	}
	return entries.End()
}

func (t *tx) exportCounters(put func(store.Entry) error) error {
	desk, err := t.deskCounts()
	if err != nil {
		return err
	}
	history, err := t.keptBytes()
	if err != nil {
		return err
	}
	c := encoding.Counters{
		encoding.CounterHandles: t.count.lastNum, encoding.CounterMemberships: t.count.members,
		encoding.CounterParked: t.count.parked, encoding.CounterLastParked: t.count.lastParked,
		encoding.CounterLastWait: t.sequence(waits), encoding.CounterLastReview: t.sequence(reviews), encoding.CounterReviews: desk.reviews,
		encoding.CounterHistory: uint64(history),
	}
	for i := range maxKinds {
		c[encoding.CounterOf(encoding.CounterPresent, i)], c[encoding.CounterOf(encoding.CounterActive, i)] = t.count.present[i], t.count.active[i]
	}
	for i, n := range desk.links {
		c[encoding.CounterOf(encoding.CounterLinks, i)] = n
	}
	return c.Export(put)
}

// sequence is the number that a bucket gave last.
func (t *tx) sequence(p bucketID) uint64 {
	if b := t.bucket(p); b != nil {
		return b.Sequence()
	}
	return 0
}

func (s *Store) exportBeside(ctx context.Context, put func(store.Entry) error) error {
	return s.transact(ctx, false, "read state", func(btx *bbolt.Tx) (bool, error) {
		c := btx.Cursor()
		for name, _ := c.First(); name != nil && name[0] == 0; name, _ = c.Next() {
			if !slices.Contains(besidePartitions(), string(name)) {
				return false, damage("read state", s.path, fmt.Errorf("there is a bucket %q, which nobody knows", name))
			}
		}
		for k, v := range scan(s.itemsTx(btx).bucket(itemsOf), nil, nil) {
			if err := put(store.Entry{Table: encoding.TableItems, Key: k, Value: v}); err != nil {
				return false, err
			}
		}
		if ledgers := btx.Bucket([]byte(ledgerBucket)); ledgers != nil {
			for k, v := range scan(ledgers, nil, nil) {
				if err := put(store.Entry{Table: encoding.TableLedger, Key: k, Value: v}); err != nil {
					return false, err
				}
			}
		}
		return false, nil
	})
}

// kindAndNum reads a kind and a number.
func kindAndNum(key []byte) (kind directory.Kind, n store.Num, ok bool) {
	if len(key) != dueOfSize {
		return 0, 0, false
	}
	return directory.Kind(key[0]), store.Num(binary.BigEndian.Uint32(key[1:])), key[0] < maxKinds
}
