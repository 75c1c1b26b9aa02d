package bolt

import (
	"bytes"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
	"dirsyncd/sync/directory"
)

// waits checks what waits, and that each is found by subject, by key and by time.
func (v *verifier) waits() {
	counts := map[string]uint64{} // target NUL cause
	indexed := map[bucketID]uint64{}
	want := func(w *store.Wait, index bucketID, key []byte) {
		indexed[index]++
		if _, ok := v.get(index, key); !ok {
			v.bad(index, "entry of wait %d is missing", w.ID)
		}
	}
	for k, value := range v.all(waits) {
		w, err := parseWait(k, value)
		if err == nil {
			_, err = directory.ParseAction(w.Action)
		}
		if err != nil || !bytes.Equal(encoding.AppendWait(nil, &w), value) || w.ID == 0 || w.ID > v.bucket(waits).Sequence() {
			v.bad(waits, "wait %x is damaged", k)
			continue
		}
		counts[w.Target+"\x00"+w.Cause]++
		want(&w, waitSubjects, waitSubjectKey(w.Target, w.Subject))
		if w.Key != "" {
			want(&w, waitKeys, append(waitKeyPrefix(w.Target, w.Key), seqKey(w.ID)...))
		}
		if !w.Due.IsZero() {
			want(&w, waitDue, waitDueKey(w.Target, w.Due, w.ID))
		}
	}
	for _, index := range []bucketID{waitSubjects, waitKeys, waitDue} {
		v.equal(index, "entries", v.entries(index), indexed[index])
	}
	v.equal(waitCounts, "causes", v.entries(waitCounts), uint64(len(counts)))
	for _, target := range must1(v.waitTargets()) {
		counted, err := v.WaitCounts(target)
		if !v.check(waitCounts, err) {
			return
		}
		for cause, n := range counted {
			v.equal(waitCounts, cause+" of target "+target, uint64(n), counts[target+"\x00"+cause])
		}
	}
}

func must1[T any](v T, _ error) T { return v }

// entries counts what is in a bucket.
func (v *verifier) entries(p bucketID) (n uint64) {
	for range v.all(p) {
		n++
	}
	return n
}

// links checks the links, that each is found by the thing that it names, and that no thing is two records'.
func (v *verifier) links() {
	var found deskCounts
	var named uint64
	for k, value := range v.all(links) {
		l, err := parseLink(value)
		if err != nil || !bytes.Equal(encoding.AppendLink(nil, &l), value) || !bytes.Equal(linkKey(l.Subject), k) {
			v.bad(links, "link %x is damaged", k)
			continue
		}
		found.links[l.State]++
		if at := linkIDKey(&l); at != nil {
			named++
			if _, ok := v.get(linkIDs, at); !ok {
				v.bad(linkIDs, "entry of link %x is missing", k)
			}
		}
	}
	v.equal(linkIDs, "entries", v.entries(linkIDs), named)
	var last []byte
	for k := range v.all(linkIDs) {
		prefix := k[:min(len(k), 1+len(nameHash{})+1)]
		if prefix[len(prefix)-1] == 0 && bytes.Equal(prefix, last) {
			v.bad(linkIDs, "a thing is two records': %x", prefix)
		}
		last = prefix
	}
	for k, value := range v.all(reviews) {
		r, err := parseReview(k, value)
		if err != nil || r.Number > v.bucket(reviews).Sequence() {
			v.bad(reviews, "review %x is damaged", k)
			continue
		}
		found.reviews++
		if number, _ := v.get(reviewSubjects, linkKey(r.Subject)); !bytes.Equal(number, k) {
			v.bad(reviewSubjects, "review %d is missing", r.Number)
		}
	}
	v.equal(reviewSubjects, "entries", v.entries(reviewSubjects), found.reviews)
	for k, value := range v.all(rejected) {
		if _, err := parseRejection(k, value); err != nil {
			v.bad(rejected, "pair %x is damaged", k)
		}
	}
	counts, err := v.deskCounts()
	if v.check(links, err) {
		for _, s := range store.LinkStates() {
			v.equal(links, "links in state "+s.String(), counts.links[s], found.links[s])
		}
		v.equal(reviews, "reviews", counts.reviews, found.reviews)
	}
	_, err = v.Desk()
	v.check(links, err)
}
