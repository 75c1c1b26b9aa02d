package bolt

import (
	"bytes"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
	"dirsyncd/sync/directory"
)

func sampleLink() store.Link {
	return store.Link{
		Subject: "user/hq/1", Kind: directory.UserRecord, ID: "7", State: store.Linked, Owner: store.Adopted, Active: true, Mark: "hq/1", Parent: "3",
		Revision: "W/1", LastKey: "k", Contributor: store.Partition{Connection: "hq", Tenant: "a"}, Why: "moved",
		Since: time.Unix(1_800_000_000, 0).UTC(), Changed: time.Unix(1_800_000_100, 0).UTC(),
		Sent: map[string]store.Digest{"a": store.DigestOf("1"), "b": store.DigestOf("2"), "c": store.DigestOf("3")},
		Saw:  map[string]store.Digest{"a": store.DigestOf("1"), "b": store.DigestOf("4"), "d": store.DigestOf("5")},
		Once: []string{"a"}, Members: []string{"8", "9"},
	}
}

func FuzzParseLink(f *testing.F) {
	l := sampleLink()
	f.Add(encoding.AppendLink(nil, &l))
	f.Add(encoding.AppendLink(nil, &store.Link{Subject: "s", State: store.LinkDead}))
	f.Add([]byte{1, 1, 255})
	f.Fuzz(func(t *testing.T, value []byte) {
		l, err := parseLink(value)
		if err != nil {
			if !errors.Is(err, directory.ErrCorrupt) {
				t.Errorf("error %v", err)
			}
			return
		}
		again, err := parseLink(encoding.AppendLink(nil, &l))
		if err != nil || !reflect.DeepEqual(again, l) {
			t.Errorf("%+v came back as %+v, %v", l, again, err)
		}
	})
}

func FuzzParseWait(f *testing.F) {
	w := store.Wait{ID: 3, Target: "halo", Subject: "user/hq/1", Action: []byte{1, 0, 255}, Cause: "busy", Key: "k", Text: "t",
		Due: time.Unix(0, 5).UTC(), Since: time.Unix(9, 9).UTC(), Tried: true}
	f.Add(waitKey("halo", 3), encoding.AppendWait(nil, &w))
	f.Add([]byte("halo"), encoding.AppendWait(nil, &store.Wait{}))
	f.Add([]byte{}, []byte{255})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		w, err := parseWait(key, value)
		if err != nil {
			if !errors.Is(err, directory.ErrCorrupt) {
				t.Errorf("error %v", err)
			}
			return
		}
		again, err := parseWait(waitKey(w.Target, w.ID), encoding.AppendWait(nil, &w))
		if err != nil || !reflect.DeepEqual(again, w) {
			t.Errorf("%+v came back as %+v, %v", w, again, err)
		}
	})
}

// TestVerifyDesk: what is stored twice and does not agree is noticed.
func TestVerifyDesk(t *testing.T) {
	hq, desk := store.Partition{Connection: "hq"}, store.TargetPartition("halo")
	first := func(b *bbolt.Bucket) []byte { k, _ := b.Cursor().First(); return k }
	drop := func(b *bbolt.Bucket) error { return b.Delete(first(b)) }
	for _, c := range []struct {
		p      store.Partition
		bucket bucketID
		spoil  func(*bbolt.Bucket) error
		want   string
	}{
		{hq, waits, drop, "waits.subject"},
		{hq, waitSubjects, drop, "waits.subject"},
		{hq, waitKeys, drop, "waits.key"},
		{hq, waitDue, drop, "waits.due"},
		{hq, waitCounts, drop, "waits.count"},
		{hq, due, drop, "due.of"},
		{hq, dueOf, drop, "due.of"},
		{hq, due, func(b *bbolt.Bucket) error { return b.Put([]byte("x"), nil) }, "due: entry"},
		{hq, waits, func(b *bbolt.Bucket) error { return b.Put(first(b), []byte("x")) }, "waits: wait"},
		{hq, waitCounts, func(b *bbolt.Bucket) error { return b.Put(first(b), []byte{9}) }, "waits.count"},
		{desk, links, drop, "links.id"},
		{desk, linkIDs, drop, "links.id"},
		{desk, linkIDs, func(b *bbolt.Bucket) error {
			return b.Put(append(bytes.Clone(first(b)[:18]), make([]byte, 16)...), nil)
		}, "two records"},
		{desk, links, func(b *bbolt.Bucket) error { return b.Put(first(b), []byte("x")) }, "links: link"},
		{desk, reviewSubjects, drop, "reviews.subject"},
		{desk, reviews, drop, "reviews"},
		{desk, rejected, func(b *bbolt.Bucket) error { return b.Put(first(b), []byte("{}")) }, "rejected"},
	} {
		path := filepath.Join(t.TempDir(), "state.db")
		s, err := Open(path, Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		a := directory.Action{Op: directory.Create, Kind: directory.UserRecord, Record: "hq/1"}
		l := sampleLink()
		err = errors.Join(
			s.Update(t.Context(), hq, func(w store.Writer) error {
				_, err := w.PutWait(store.Wait{Target: "halo", Subject: "user/hq/1", Action: directory.AppendAction(nil, &a), Cause: "busy", Key: "k", Due: time.Unix(5, 0)})
				nums, more := w.Intern([]string{"id:1"}, nil)
				if err = errors.Join(err, more); err != nil {
					return err
				}
				return w.PutDue(directory.Person, nums[0], time.Unix(5, 0))
			}),
			s.Update(t.Context(), desk, func(w store.Writer) error {
				_, err := w.PutReview(store.Review{Subject: "user/hq/1", Cause: "ambiguous"})
				return errors.Join(err, w.PutLink(l), w.Reject(store.Rejection{Subject: "user/hq/1", ID: "8"}))
			}),
			s.Verify(t.Context()),
			s.db.Update(func(tx *bbolt.Tx) error {
				key, err := partitionKey(c.p)
				return errors.Join(err, c.spoil(tx.Bucket(key).Bucket([]byte(c.bucket.String()))))
			}),
		)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s spoilt: %v, want %q", c.bucket, err, c.want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
