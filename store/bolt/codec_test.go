package bolt

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

func FuzzParseRow(f *testing.F) {
	o := &directory.Object{Kind: directory.Person, ID: "1", Handles: []string{"a", "b"}}
	f.Add(appendRow(nil, store.Here, []store.Num{1, 1 << 31}, o))
	f.Add(appendRow(nil, store.EmptyListing, nil, o))
	f.Add([]byte{0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0})
	f.Add([]byte{9, 0, 1})
	f.Fuzz(func(t *testing.T, value []byte) {
		row, nums, err := parseRow(value, []store.Num{7})
		if err != nil {
			if !errors.Is(err, directory.ErrCorrupt) {
				t.Errorf("error %v", err)
			}
			return
		}
		if nums[0] != 7 || !slices.Equal(nums[1:], row.Handles) || len(row.Handles) > len(value) {
			t.Errorf("handles %v of %v", row.Handles, nums)
		}
		stored, err := directory.ParseObject(row.Data)
		if err != nil {
			return
		}
		again, _, err := parseRow(appendRow(nil, row.Gone, row.Handles, &stored), nil)
		if err != nil || again.Gone != row.Gone || !slices.Equal(again.Handles, row.Handles) {
			t.Errorf("row %+v came back as %+v, %v", row, again, err)
		}
	})
}

func FuzzParseQueued(f *testing.F) {
	a := &directory.Action{Key: "k", Op: directory.Create, Kind: directory.UserRecord, Record: "hq/1"}
	f.Add(seqKey(1), appendQueued(nil, time.Unix(5, 7), a))
	f.Add(seqKey(1<<63), appendQueued(nil, time.Time{}, a))
	f.Add([]byte("short"), []byte{0x80})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		q, err := parseQueued(key, value)
		if err != nil {
			if !errors.Is(err, directory.ErrCorrupt) {
				t.Errorf("error %v", err)
			}
			return
		}
		a, err := directory.ParseAction(q.Data)
		if err != nil {
			return
		}
		again, err := parseQueued(seqKey(q.Seq), appendQueued(nil, q.Queued, &a))
		if err != nil || again.Seq != q.Seq || !again.Queued.Equal(q.Queued) {
			t.Errorf("%+v came back as %+v, %v", q, again, err)
		}
	})
}

func FuzzParseParked(f *testing.F) {
	value, err := json.Marshal(store.Parked{ID: 3, Stage: "map", Object: "1", Action: []byte{0, 255}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seqKey(3), value)
	f.Add(seqKey(4), value)
	f.Add([]byte{}, []byte("{"))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		p, err := parseParked(key, value)
		if err != nil {
			if !errors.Is(err, directory.ErrCorrupt) {
				t.Errorf("error %v", err)
			}
			return
		}
		if !bytes.Equal(seqKey(p.ID), key) {
			t.Errorf("entry %d has key %x", p.ID, key)
		}
	})
}

func FuzzParseCounters(f *testing.F) {
	c := counters{lastNum: maxNum, members: 1 << 60, parked: 1, lastParked: 2}
	f.Add(c.append(nil), (&queue{last: 9, claimed: 7, depth: 2}).append(nil))
	f.Add([]byte{1, 2, 3}, []byte{255})
	f.Fuzz(func(t *testing.T, value, queued []byte) {
		var c counters
		if err := c.parse(value); err == nil && len(value) > 0 {
			var again counters
			if err := again.parse(c.append(nil)); err != nil || again != c {
				t.Errorf("%+v came back as %+v, %v", c, again, err)
			}
		}
		var q queue
		if err := q.parse(queued); err == nil {
			var again queue
			if err := again.parse(q.append(nil)); err != nil || again != q {
				t.Errorf("%+v came back as %+v, %v", q, again, err)
			}
		}
	})
}

// FuzzMergePairs merges changes into a value as a map of pairs would.
func FuzzMergePairs(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4}, []byte{1, 2, 0x83, 4, 31, 9})
	f.Fuzz(func(t *testing.T, old, changes []byte) {
		pairs := map[[2]byte]bool{}
		var value []byte
		log := func(data []byte) (log pairLog) {
			for c := range slices.Chunk(data, 2) {
				if len(c) < 2 {
					break
				}
				remove := c[0]&0x80 != 0
				a, b := c[0]%pairSpan, c[1]
				log = append(log, pairChange{remove: remove, pair: uint64(a)<<32 | uint64(b)})
				pairs[[2]byte{a, b}] = !remove
			}
			slices.SortStableFunc(log, func(c, d pairChange) int { return int(int64(c.pair) - int64(d.pair)) })
			return lastOfEach(log)
		}
		for _, data := range [][]byte{old, changes} {
			value = mergePairs(nil, value, log(data))
		}
		found := 0
		var last []byte
		for e := range slices.Chunk(value, pairSize) {
			if bytes.Compare(last, e) >= 0 {
				t.Fatalf("%x is not in order", value)
			}
			if !pairs[[2]byte{e[0], byte(binary.BigEndian.Uint32(e[1:]))}] {
				t.Errorf("%x is too much", e)
			}
			last = e
			found++
		}
		for _, in := range pairs {
			if in {
				found--
			}
		}
		if found != 0 {
			t.Errorf("%d pairs are missing", -found)
		}
	})
}

// FuzzReadHeader looks at files that others wrote.
func FuzzReadHeader(f *testing.F) {
	f.Add([]byte("no bbolt file"))
	f.Add(make([]byte, 9000))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, found, err := readHeader(bytes.NewReader(data)); err != nil || (found && len(data) < metaOffset+metaSize) {
			t.Errorf("%v, %v", found, err)
		}
	})
}

// FuzzCheckPages looks at pages that were spoilt in any way.
func FuzzCheckPages(f *testing.F) {
	page := func(id byte, flags, count byte, rest ...byte) []byte {
		p := append([]byte{id, 0, 0, 0, 0, 0, 0, 0, flags, 0, count, 0, 0, 0, 0, 0}, rest...)
		return append(p, make([]byte, 1024-len(p))...)
	}
	f.Add(slices.Concat(page(2, freePage, 0), page(3, leafPage, 1, 0, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 1)))
	f.Add(slices.Concat(page(2, freePage, 0xFF, 0xFF), page(3, branchPage, 1, 16, 0, 0, 0, 1, 0, 0, 0, 3)))
	f.Add(slices.Concat(page(2, freePage, 0), page(3, leafPage, 1, bucketFlag, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 40)))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := append(make([]byte, 2048), data...)
		checkPages(bytes.NewReader(file), header{pageSize: 1024, root: 3, freelist: 2, high: uint64(len(file) / 1024)}, func(uint64) bool { return true })
	})
}
