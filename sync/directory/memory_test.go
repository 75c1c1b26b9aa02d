package directory

import (
	"reflect"
	"testing"
	"time"
)

// Pieces are apart, empty and without room behind them, also when they are given out again.
func TestSlab(t *testing.T) {
	var s Slab[int]
	for range 3 {
		var kept [][]int
		for n := range 2 * mostPage {
			piece := s.Take(n % 7)
			if len(piece) != n%7 || cap(piece) != n%7 {
				t.Fatalf("%d items and room for %d, want %d", len(piece), cap(piece), n%7)
			}
			for i := range piece {
				if piece[i] != 0 {
					t.Fatalf("item %d of piece %d is %d", i, n, piece[i])
				}
				piece[i] = n
			}
			kept = append(kept, piece)
		}
		for n, piece := range kept {
			for i := range piece {
				if piece[i] != n {
					t.Fatalf("item %d of piece %d is %d", i, n, piece[i])
				}
			}
		}
		s.Reset()
		for n, piece := range kept {
			for i := range piece {
				if piece[i] != 0 {
					t.Fatalf("item %d of piece %d is %d after all were taken back", i, n, piece[i])
				}
			}
		}
	}
	if large := s.Take(3 * mostPage); len(large) != 3*mostPage {
		t.Errorf("a large piece has %d", len(large))
	}
}

// What is read into a memory is what is read without one, and good until it is taken back.
func TestParseIn(t *testing.T) {
	since := Stamp{Run: "r1", Time: time.Unix(1e9, 0).UTC()}
	fields := []Field{{FieldEmails, List("a@x", "b@x")}, {FieldName, Text("Ada")}}
	rec := Record{
		Kind: UserRecord, Key: "hq/1", Active: true, Rule: "all", Revision: 3, Changed: Stamp{Run: "r2", Time: since.Time}, Members: []uint32{1, 7},
		Fields: []RecordField{{fields[0], &since}, {fields[1], &Stamp{Run: "r2", Time: since.Time}}},
	}
	act := Action{
		Key: "k", Op: Update, Kind: UserRecord, Record: "hq/1", Rule: "all", Run: "r2", Time: since.Time, Fields: fields,
		Changes: []FieldChange{{FieldName, Text("Eva"), Text("Ada")}}, Once: []string{FieldName},
	}
	var m Memory
	for range 3 {
		gotRec, err := ParseRecordIn(&m, AppendRecord(nil, &rec))
		if err != nil || !reflect.DeepEqual(gotRec, rec) {
			t.Fatalf("%+v, %v", gotRec, err)
		}
		gotAct, err := ParseActionIn(&m, AppendAction(nil, &act))
		if err != nil || !reflect.DeepEqual(gotAct, act) {
			t.Fatalf("%+v, %v", gotAct, err)
		}
		copied, kept := m.Action(gotAct), m.Record(gotRec)
		if !reflect.DeepEqual(*copied, act) || !reflect.DeepEqual(*kept, rec) {
			t.Fatalf("%+v and %+v", *copied, *kept)
		}
		m.Reset()
		if copied.Key != "" || kept.Key != "" || gotRec.Fields[0].Since != nil || gotAct.Fields[0].Name != "" || gotAct.Changes[0].Name != "" {
			t.Error("something is left of what was taken back")
		}
	}
}
