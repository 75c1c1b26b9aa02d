package directory

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"
)

func sampleRunActions() []RunAction {
	return []RunAction{
		{Op: Create, Kind: UserRecord, Num: 1, Key: "hq/5f1c", Name: "Ada", Rule: "everyone", Revision: 1},
		{Op: Update, Kind: UserRecord, Num: 70_000, Key: "hq/5f2c", Rule: "everyone", Reason: "was agent", Revision: 300,
			Changes: []FieldChange{{"email", Null(), Text("b@x")}, {"old", List("x", "y"), Null()}}},
		{Op: Update, Kind: GroupRecord, Num: 9, Key: "hq/6", Rule: "teams", Revision: 2, Added: 2, Removed: 1, Entered: []uint32{1, 400_000}, Left: []uint32{7}},
	}
}

func TestRunActions(t *testing.T) {
	all := sampleRunActions()
	data := AppendRunActions(nil, all)
	for _, tc := range []struct {
		key  string
		want []RunAction
	}{
		{"", all}, {"hq/5f1c", all[:1]}, {"hq/6", all[2:]}, {"hq/5f", nil}, {"hq/", nil}, {"other/5f1c", nil}, {"h", nil},
	} {
		got, err := ParseRunActions(data, tc.key)
		if err != nil || len(got) != len(tc.want) || len(got) > 0 && !reflect.DeepEqual(got, tc.want) {
			t.Errorf("of %q: %v\n got %+v\nwant %+v", tc.key, err, got, tc.want)
		}
	}
	if one, err := ParseRunActions(AppendRunActions(nil, all[1:2]), "hq/5f2c"); err != nil || len(one) != 1 {
		t.Errorf("of a part with one alone: %v, %+v", err, one)
	}
	for n := range data {
		if _, err := ParseRunActions(data[:n], ""); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
}

// TestUndoneOfARecord: what was undone comes back with the record, and a record of which nothing was is stored as ever.
func TestUndoneOfARecord(t *testing.T) {
	rec := sampleRecord()
	plain := AppendRecord(nil, &rec)
	for _, state := range []Record{{Active: true}, {}, {Reason: "gone"}, {Deleted: true, Reason: "gone"}} {
		rec := rec
		rec.Active, rec.Deleted, rec.Reason = state.Active, state.Deleted, state.Reason
		rec.Undone = &Undone{Of: "run-2", By: "ada", At: Stamp{"run-3", time.Unix(1_700_001_000, 0).UTC()}, Op: Reactivate,
			Fields: []Field{{"email", Text("b@x")}, {"phone", Null()}}, Entered: []uint32{3, 9}, Left: []uint32{4}}
		data := AppendRecord(nil, &rec)
		if got, err := ParseRecord(data); err != nil || !reflect.DeepEqual(got, rec) {
			t.Errorf("%v\n got %+v\nwant %+v", err, got, rec)
		}
		if _, err := ParseRecord(data[:len(data)-1]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut: %v", err)
		}
	}
	if !bytes.Equal(AppendRecord(nil, &rec), plain) {
		t.Error("a record of which nothing was undone is stored in another form")
	}
}

func FuzzRunActions(f *testing.F) {
	f.Add(AppendRunActions(nil, sampleRunActions()), "hq/6")
	f.Add(AppendRunActions(nil, nil), "")
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		list, err := ParseRunActions(data, "")
		if err != nil {
			return
		}
		again, err := ParseRunActions(AppendRunActions(nil, list), "")
		if err != nil || !reflect.DeepEqual(again, list) {
			t.Fatalf("%v\n got %+v\nwant %+v", err, again, list)
		}
		var want []RunAction
		for _, a := range list {
			if key != "" && a.Key == key {
				want = append(want, a)
			}
		}
		if got, err := ParseRunActions(AppendRunActions(nil, list), key); key != "" && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Fatalf("of %q: %v\n got %+v\nwant %+v", key, err, got, want)
		}
	})
}
