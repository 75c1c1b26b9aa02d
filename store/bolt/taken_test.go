package bolt_test

import (
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
)

// TestVerifyTaken: seats that are counted otherwise than their records say are noticed.
func TestVerifyTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for n, want := range map[int]string{2: "", 3: `3 active records with the licence "Full" are counted, 2 are there`} {
		err := s.Update(t.Context(), store.Partition{Connection: "hq"}, func(w store.Writer) error {
			nums, err := w.Intern([]string{"person:1", "person:2", "person:3", "person:4"}, nil)
			for i, num := range nums {
				rec := directory.Record{Kind: directory.AgentRecord, Key: "hq/" + string(rune('a'+i)), Active: i > 0, Revision: 1}
				licence := "Full"
				if i == 3 {
					licence = "Light"
				}
				rec.Fields = []directory.RecordField{{Field: directory.Field{Name: "licence", Value: directory.Text(licence)}}}
				if err == nil {
					err = w.PutRecord(num, &rec)
				}
			}
			if err != nil {
				return err
			}
			return w.PutTenant(store.TenantState{Taken: []store.TakenSeats{{Kind: "agent", Field: "licence", Of: map[string]int{"Full": n, "None": 0}}}})
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(t.Context()); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v, want %q", n, err, want)
		}
	}
}
