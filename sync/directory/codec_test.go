package directory

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"
)

func sampleObject() Object {
	o := Object{Kind: Person, ID: "5f1c", Handles: []string{"dn:uid=a,dc=x", "uid:a"}, Links: []Link{{Manager, "dn:uid=b,dc=x"}}}
	o.SetText(FieldName, "Ada Adams")
	o.SetText(FieldEmail, "ada@example.test")
	o.Set(FieldEmails, List("b@example.test", "a@example.test", "b@example.test"))
	o.Set(FieldEnabled, Bool(true))
	o.Set(FieldCreated, Time(time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC)))
	o.Set(AttributePrefix+"costCentre", Text("42"))
	o.Set("attributes.cleared", Null())
	return o
}

func sampleRecord() Record {
	first := Stamp{"run-1", time.Unix(1_700_000_000, 0).UTC()}
	second := Stamp{"run-2", time.Unix(1_700_000_900, 0).UTC()}
	return Record{
		Kind: UserRecord, Key: "hq/5f1c", Active: true, Rule: "everyone", Revision: 7, Changed: second,
		Fields: []RecordField{
			{Field{"email", Text("a@x")}, &first}, {Field{"name", Text("Ada")}, &second}, {Field{"vip", Bool(true)}, &first},
		},
		Members: []uint32{3, 4, 400_000},
	}
}

func sampleUndone() *Undone {
	return &Undone{Of: "run-2", By: "ada", At: Stamp{"run-3", time.Unix(1_700_001_000, 0).UTC()}, Op: Reactivate}
}

func sampleAction() Action {
	return Action{
		Key: "k1", Op: Update, Kind: UserRecord, Record: "hq/5f1c", Rule: "everyone", Run: "run-2", Reason: "why not",
		Origin: Origin{Connection: "hq", Connector: "ldap", ID: "5f1c"}, Time: time.Unix(1_700_000_900, 0).UTC(), Other: "agent/hq/5f1c",
		Fields:  []Field{{"email", Text("b@x")}, {"size", Number(-3)}},
		Changes: []FieldChange{{"email", Text("a@x"), Text("b@x")}, {"old", Text("x"), Null()}},
		Sets:    []SetChange{{Name: "members", Added: []string{"hq/1"}, Removed: []string{"hq/2", "hq/3"}}},
	}
}

// TestRecordsAreStoredAsEver: what former versions have stored is read, and the same is stored of the same, whoever shares a stamp.
func TestRecordsAreStoredAsEver(t *testing.T) {
	first := Stamp{Run: "20260101T000000-aaaa", Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	again, second := first, Stamp{Run: "20260102T000000-bbbb", Time: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}
	rec := Record{Kind: UserRecord, Key: "hq/5f1c", Active: true, Rule: "everyone", Revision: 7, Changed: second, Reason: "r", Members: []uint32{3, 4, 400_000},
		Fields: []RecordField{{Field{"email", Text("a@x")}, &first}, {Field{"extra", Number(3)}, nil}, {Field{"name", Text("Ada")}, &second}, {Field{"vip", Bool(true)}, &again}}}
	common := Record{Kind: UserRecord, Key: "k"}
	for _, f := range CommonFields() {
		common.Fields = append(common.Fields, RecordField{Field: Field{f.Name, Text("x")}})
	}
	for i, want := range []string{
		"030768712f35663163010865766572796f6e650703143230323630313032543030303030302d6262626280aab8950d143230323630313031543030303030302d6161616180e4ad950d0000040105010361407802000565787472610306000201034164610100037669700202030301fcb418",
		"03016b0000000100002f000101017800020101780003010178000401017800050101780006010178000701017800080101780009010178000a010178000b010178000c010178000d010178000e010178000f0101780010010178001101017800120101780013010178001401017800150101780016010178001701017800180101780019010178001a010178001b010178001c010178001d010178001e010178001f0101780020010178002101017800220101780023010178002401017800250101780026010178002701017800280101780029010178002a010178002b010178002c010178002d010178002e010178002f01017800",
	} {
		is := []*Record{&rec, &common}[i]
		if got := fmt.Sprintf("%x", AppendRecord(nil, is)); got != want {
			t.Errorf("record %d is stored as\n%s, not\n%s", i, got, want)
		}
		data, _ := hex.DecodeString(want)
		read, err := ParseRecord(data)
		if err != nil || !bytes.Equal(AppendRecord(nil, &read), data) || len(read.Fields) != len(is.Fields) {
			t.Fatalf("record %d is read as %+v, %v", i, read, err)
		}
		for k, f := range is.Fields {
			since := Stamp{}
			if f.Since != nil {
				since = *f.Since
			}
			if got := read.Fields[k]; got.Name != f.Name || !got.Value.Equal(f.Value) || *got.Since != since {
				t.Errorf("record %d: field %+v, want %+v", i, got, f)
			}
		}
	}
}

func TestRoundTrip(t *testing.T) {
	o, rec, a := sampleObject(), sampleRecord(), sampleAction()
	gotO, err := ParseObject(AppendObject(nil, &o))
	if err != nil || !reflect.DeepEqual(gotO, o) {
		t.Errorf("object: %v\n got %+v\nwant %+v", err, gotO, o)
	}
	gotR, err := ParseRecord(AppendRecord(nil, &rec))
	if err != nil || !reflect.DeepEqual(gotR, rec) {
		t.Errorf("record: %v\n got %+v\nwant %+v", err, gotR, rec)
	}
	gotA, err := ParseAction(AppendAction(nil, &a))
	if err != nil || !reflect.DeepEqual(gotA, a) {
		t.Errorf("action: %v\n got %+v\nwant %+v", err, gotA, a)
	}
}

// Why a record was taken away stays with it; records without a reason are stored as they always were.
// TestOnceOfAnAction: an action without the names of fields that are left alone is stored as it ever was, and has the key that
// it ever had.
func TestOnceOfAnAction(t *testing.T) {
	const stored = "0203026b310768712f35663163026871046c6461700004356631630865766572796f6e650572756e2d3207776879206e6f740d6167656e742f68712f3566316388d29fd50c02050103624078000473697a65030502050103614078010362407800036f6c640101780001076d656d62657273010468712f31020468712f320468712f33"
	const key = "skox56hjjsudmyeoexerna6mghmm2y3d"
	a := sampleAction()
	if got := fmt.Sprintf("%x", AppendAction(nil, &a)); got != stored {
		t.Errorf("stored as %s", got)
	}
	sealed := a
	sealed.SealKey(4)
	if sealed.Key != key {
		t.Errorf("key %s", sealed.Key)
	}
	with := a
	with.Once = []string{"email", "size"}
	data := AppendAction(nil, &with)
	if got, err := ParseAction(data); err != nil || !reflect.DeepEqual(got, with) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, with)
	}
	first := with
	first.Initial = true
	if got, err := ParseAction(AppendAction(nil, &first)); err != nil || !reflect.DeepEqual(got, first) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, first)
	}
	if first.SealKey(4); first.Key != key {
		t.Errorf("what was there all the time has another key: %s", first.Key)
	}
	// A list that is there has names, and nothing follows.
	bare := AppendAction(nil, &a)
	for _, bad := range [][]byte{append(bare[:len(bare):len(bare)], partOnce, 0), append(bare[:len(bare):len(bare)], partOnce), append(data, 0)} {
		if got, err := ParseAction(bad); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%x: %v, %+v", bad[len(bare):], err, got.Once)
		}
	}
}

func TestReasonOfARecord(t *testing.T) {
	for name, change := range map[string]func(*Record){
		"active":      func(*Record) {},
		"inactive":    func(r *Record) { r.Active = false },
		"deleted":     func(r *Record) { r.Active, r.Deleted = false, true },
		"and why":     func(r *Record) { r.Active, r.Reason = false, "removed at the source" },
		"update only": func(r *Record) { r.Active, r.UpdateOnly = true, true },
		"both":        func(r *Record) { r.Active, r.UpdateOnly, r.Reason = false, true, "ended" },
		"deleted why": func(r *Record) { r.Active, r.Deleted, r.Reason = false, true, "no rule applies" },
		"undone":      func(r *Record) { r.Undone = sampleUndone() },
		"undone, out": func(r *Record) { r.Active, r.Reason, r.Undone = false, "undo of run r7", sampleUndone() },
	} {
		rec := sampleRecord()
		change(&rec)
		form := AppendRecord(nil, &rec)
		if got, err := ParseRecord(form); err != nil || !reflect.DeepEqual(got, rec) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", name, err, got, rec)
		}
		if active, err := RecordActive(form); err != nil || active != rec.Active {
			t.Errorf("%s: active %t, %v", name, active, err)
		}
		for _, cut := range []int{0, 1, 2, 8} {
			if _, err := RecordActive(form[:cut]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s cut to %d of %d bytes: %v", name, cut, len(form), err)
			}
		}
		for cut := range form {
			if _, err := ParseRecord(form[:cut]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s cut to %d of %d bytes: %v", name, cut, len(form), err)
			}
		}
	}
}

// Every strict prefix and every extension of a canonical form is damaged, never something else.
func TestDamageIsNoticed(t *testing.T) {
	o, rec, a := sampleObject(), sampleRecord(), sampleAction()
	forms := map[string]struct {
		data  []byte
		parse func([]byte) error
	}{
		"object": {AppendObject(nil, &o), func(b []byte) error { _, err := ParseObject(b); return err }},
		"record": {AppendRecord(nil, &rec), func(b []byte) error { _, err := ParseRecord(b); return err }},
		"action": {AppendAction(nil, &a), func(b []byte) error { _, err := ParseAction(b); return err }},
	}
	for name, form := range forms {
		for cut := range form.data {
			if err := form.parse(form.data[:cut]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s cut to %d of %d bytes: %v", name, cut, len(form.data), err)
			}
		}
		if err := form.parse(append(bytes.Clone(form.data), 0)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s with a byte too many: %v", name, err)
		}
	}
}

// TestImportMark: the mark of an import is kept, and what has none has the bytes and the key that it had before there were any.
func TestImportMark(t *testing.T) {
	a := sampleAction()
	a.SealKey(7)
	if want := "cw5s7yetegeqa66tx5mzey34ta5ejyvb"; a.Key != want {
		t.Errorf("key %s, want %s", a.Key, want)
	}
	plain, key := AppendAction(nil, &a), a.Key
	a.Origin.Import = ImportCreateOnly
	a.SealKey(7)
	if a.Key == key {
		t.Error("the mark has no part in the key")
	}
	marked := AppendAction(nil, &a)
	if got, err := ParseAction(marked); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range [][]byte{append(bytes.Clone(plain), partImport), append(bytes.Clone(plain), partImport, 0), append(bytes.Clone(plain), 9, 1, 'x')} {
		if _, err := ParseAction(bad); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%x was taken", bad[len(plain):])
		}
	}
}

// What parses must render to something that parses to the same again.
func FuzzParse(f *testing.F) {
	o, rec, a := sampleObject(), sampleRecord(), sampleAction()
	f.Add(AppendObject(nil, &o))
	site := Object{Kind: Site, ID: "oslo", Links: []Link{{OfCustomer, "key:acme"}, {AtSite, "key:oslo"}}}
	site.SetText(FieldReference, "0042")
	f.Add(AppendObject(nil, &site))
	f.Add(AppendRecord(nil, &rec))
	gone := rec
	gone.Active, gone.Reason = false, "removed at the source"
	f.Add(AppendRecord(nil, &gone))
	undone := rec
	undone.Undone = sampleUndone()
	f.Add(AppendRecord(nil, &undone))
	f.Add(AppendAction(nil, &a))
	a.Origin.Import = ImportSync
	f.Add(AppendAction(nil, &a))
	f.Fuzz(func(t *testing.T, data []byte) {
		if o, err := ParseObject(data); err == nil {
			again, err := ParseObject(AppendObject(nil, &o))
			if err != nil || !reflect.DeepEqual(o, again) {
				t.Errorf("object %+v became %+v: %v", o, again, err)
			}
		}
		if rec, err := ParseRecord(data); err == nil {
			again, err := ParseRecord(AppendRecord(nil, &rec))
			if err != nil || !reflect.DeepEqual(rec, again) {
				t.Errorf("record %+v became %+v: %v", rec, again, err)
			}
			if active, err := RecordActive(data); err != nil || active != rec.Active {
				t.Errorf("record %+v: active %t, %v", rec, active, err)
			}
		}
		_, _ = RecordActive(data)
		if a, err := ParseAction(data); err == nil {
			again, err := ParseAction(AppendAction(nil, &a))
			if err != nil || !reflect.DeepEqual(a, again) {
				t.Errorf("action %+v became %+v: %v", a, again, err)
			}
		}
	})
}

func TestSealKey(t *testing.T) {
	a, b := sampleAction(), sampleAction()
	b.Run, b.Time, b.Key = "another run", time.Now(), "another key"
	a.SealKey(4)
	b.SealKey(4)
	if a.Key != b.Key {
		t.Errorf("the same action in another run has another key: %s, %s", a.Key, b.Key)
	}
	b.Once = []string{"email"}
	b.SealKey(4)
	if a.Key != b.Key {
		t.Errorf("what is left alone changes the key: %s, %s", a.Key, b.Key)
	}
	b.SealKey(5)
	if a.Key == b.Key {
		t.Error("the next revision has the same key")
	}
	b.Fields[0].Value = Text("c@x")
	b.SealKey(4)
	if a.Key == b.Key {
		t.Error("another content has the same key")
	}
}

func BenchmarkAppendObject(b *testing.B) {
	o := sampleObject()
	var buf []byte
	for b.Loop() {
		buf = AppendObject(buf[:0], &o)
	}
}

func BenchmarkParseObject(b *testing.B) {
	o := sampleObject()
	buf := AppendObject(nil, &o)
	for b.Loop() {
		if _, err := ParseObject(buf); err != nil {
			b.Fatal(err)
		}
	}
}
