package bolt

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
	"dirsyncd/sync/directory"
)

func (v *verifier) streams() {
	for k, value := range v.all(streams) {
		var s store.StreamState
		if json.Unmarshal(value, &s) != nil {
			v.bad(streams, "stream %s is damaged", k)
		}
	}
	for k, value := range v.all(journal) {
		_, isSeq := keySeq(k)
		if _, ok := encoding.ParseJournal(value, nil); !ok || !isSeq {
			v.bad(journal, "part %x is damaged", k)
		}
	}
	for k := range v.all(seen) {
		for seq := range scan(v.bucket(seen).Bucket(k), nil, nil) {
			if _, ok := keySeq(seq); !ok {
				v.bad(seen, "chunk %x of stream %s is damaged", seq, k)
			}
		}
	}
}

func (v *verifier) records() {
	for _, kind := range directory.RecordKinds() {
		p := records + bucketID(kind)
		var active uint64
		for k, value := range v.all(p) {
			n, ok := keyNum(k)
			rec, err := directory.ParseRecord(value)
			if !ok || err != nil || rec.Kind != kind || v.checkNum(n) != nil {
				v.bad(p, "record %x is damaged", k)
				continue
			}
			if rec.Active {
				active++
			}
		}
		v.equal(p, "active records", v.count.active[kind], active)
	}
}

// taken checks the seats that are counted beside the records.
func (v *verifier) taken() {
	state, err := v.Tenant()
	if err != nil {
		return // told by runs
	}
	for _, seats := range state.Taken {
		kind, _ := directory.ParseRecordKind(seats.Kind)
		found := map[string]int{}
		err := v.Records(kind, 0, func(_ store.Num, rec directory.Record) bool {
			if value, ok := rec.Get(seats.Field); ok && rec.Active {
				found[value.String()]++
			}
			return true
		})
		if err != nil {
			return // told by records
		}
		for _, value := range slices.Sorted(maps.Keys(seats.Of)) {
			if n := seats.Of[value]; n != found[value] {
				v.bad(records+bucketID(kind), "%d active records with the %s %q are counted, %d are there", n, seats.Field, value, found[value])
			}
		}
	}
}

func (v *verifier) outboxes() {
	for k, value := range v.all(queues) {
		var q queue
		if q.parse(value) != nil {
			v.bad(queues, "queue of target %s is damaged", k)
			continue
		}
		if q.depth > 0 && (v.bucket(outbox) == nil || v.bucket(outbox).Bucket(k) == nil) {
			v.bad(outbox, "nothing is there for target %s, %d actions are counted", k, q.depth)
		}
	}
	for k := range v.all(outbox) {
		v.outbox(string(k))
	}
}

func (v *verifier) outbox(target string) {
	q, err := v.queue(target)
	if !v.check(queues, err) {
		return
	}
	var depth uint64
	for k, value := range scan(q.bucket, nil, nil) {
		if !v.checked.next("outbox") {
			return
		}
		queued, err := parseQueued(k, value)
		if err == nil {
			_, err = directory.ParseAction(queued.Data)
		}
		if err != nil || queued.Seq == 0 || queued.Seq > q.last {
			v.bad(outbox, "action %x of target %s is damaged", k, target)
		}
		depth++
	}
	v.equal(outbox, "actions of target "+target, q.depth, depth)
}

// parked checks the parked entries, and that each is found by what it is about.
func (v *verifier) parked() {
	var found uint64
	for k, value := range v.all(parked) {
		found++
		p, err := parseParked(k, value)
		if err != nil || p.ID > v.count.lastParked {
			v.bad(parked, "entry %x is damaged", k)
			continue
		}
		index, key, ok := parkedIndex(&p)
		if !ok {
			continue
		}
		if id, _ := v.get(index, key); !bytes.Equal(id, k) {
			v.bad(index, "entry %d is missing", p.ID)
		}
	}
	v.equal(parked, "entries", v.count.parked, found)
}

// parkedIndexes checks that what the indexes name is there.
func (v *verifier) parkedIndexes() {
	for _, index := range []bucketID{parkedObjects, parkedActions} {
		for k, id := range v.all(index) {
			value, ok := v.get(parked, id)
			p, err := parseParked(id, value)
			if !ok || err != nil {
				v.bad(index, "entry %x is not parked", id)
				continue
			}
			if at, key, _ := parkedIndex(&p); at != index || !bytes.Equal(key, k) {
				v.bad(index, "entry %d is about something else", p.ID)
			}
		}
	}
}

// runs checks the runs, their index, and the state of the tenant.
func (v *verifier) runs() {
	var kept, named uint64
	for k, value := range v.all(runs) {
		kept++
		r, err := parseRun(k, value)
		if err != nil {
			v.bad(runs, "run %x is damaged", k)
			continue
		}
		if seq, _ := v.get(runIDs, []byte(r.ID)); !bytes.Equal(seq, k) {
			v.bad(runIDs, "run %s is missing", r.ID)
		}
	}
	for range v.all(runIDs) {
		named++
	}
	v.equal(runIDs, "runs", kept, named)
	var bytes uint64
	for k, value := range v.all(runActions) {
		if _, _, err := v.part(k, value, ""); err != nil {
			v.bad(runActions, "part %x is damaged", k)
		}
		bytes += uint64(len(k) + len(value))
	}
	counted, err := v.keptBytes()
	v.check(runActions, err)
	v.equal(runActions, "bytes", uint64(counted), bytes)
	_, err = v.Tenant()
	v.check(runs, err)
}
