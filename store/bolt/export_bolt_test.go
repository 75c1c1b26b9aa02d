package bolt

import (
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
)

// Every bucket of a partition is handed out or follows from others, once.
func TestEveryBucketIsPortable(t *testing.T) {
	found := map[string]int{}
	forms := portableForms()
	for _, f := range forms {
		switch {
		case f.key != "":
		case f.kinds:
			for kind := range maxKinds {
				found[(f.bucket+bucketID(kind)).String()]++
			}
		default:
			found[f.bucket.String()]++
		}
	}
	for _, p := range derived() {
		found[p.String()]++
	}
	for p := range bucketCount {
		if n := found[p.String()]; n != 1 {
			t.Errorf("bucket %s is handed out or derived %d times: add what is new to portableForms and package encoding, or to derived", p, n)
		}
		delete(found, p.String())
	}
	if len(found) > 0 {
		t.Errorf("there are no buckets %v", found)
	}
	for _, table := range encoding.Tables() {
		if _, ok := forms[table]; !ok {
			t.Errorf("table %s is not here", table)
		}
		delete(forms, table)
	}
	if len(forms) > 0 {
		t.Errorf("tables %v are handed out by nobody", forms)
	}
}

// What nobody knows does not stay behind without a word.
func TestExportKnowsAll(t *testing.T) {
	p := store.Partition{Connection: "hq"}
	for name, strange := range map[string]func(*bbolt.Tx) error{
		"a bucket of a partition": func(tx *bbolt.Tx) error {
			_, err := tx.Bucket([]byte("hq\x00")).CreateBucket([]byte("strange"))
			return err
		},
		"a value of a partition": func(tx *bbolt.Tx) error { return tx.Bucket([]byte("hq\x00")).Put([]byte("strange"), []byte("x")) },
		"a bucket of the file":   func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("\x00strange")); return err },
	} {
		s, err := Open(filepath.Join(t.TempDir(), "state.db"), Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		if err := s.Update(t.Context(), p, func(w store.Writer) error { return w.PutTenant(store.TenantState{Name: "x"}) }); err != nil {
			t.Fatal(err)
		}
		if err := s.db.Update(strange); err != nil {
			t.Fatal(err)
		}
		nothing := func(store.Entry) error { return nil }
		first, second := s.Export(t.Context(), p, nothing), s.Export(t.Context(), store.Partition{}, nothing)
		if (first == nil) == (second == nil) {
			t.Errorf("%s: %v, %v", name, first, second)
		}
		for _, err := range []error{first, second} {
			if err != nil && !strings.Contains(err.Error(), "strange") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
