package directory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The canonical form: what the store keeps and what equality means. Two objects are the same exactly when
// their bytes are. Integers are unsigned varints, texts are length and bytes, lists are count and items.
// A form is never changed in place: a new layout is a new schema version of the store.

// ErrCorrupt is wrapped by every error of the Parse functions: the bytes are not what Append wrote.
var ErrCorrupt = errors.New("stored bytes are damaged")

// AppendObject appends the canonical form of an object. Partial is not part of it.
func AppendObject(buf []byte, o *Object) []byte {
	buf = append(buf, byte(o.Kind))
	buf = appendText(buf, o.ID)
	buf = appendTexts(buf, o.Handles)
	buf = appendFields(buf, o.Fields)
	buf = appendUvarint(buf, uint64(len(o.Links)))
	for _, l := range o.Links {
		buf = append(buf, byte(l.Type))
		buf = appendText(buf, l.To)
	}
	return buf
}

// ParseObject reads what AppendObject wrote. The object does not refer to data.
func ParseObject(data []byte) (Object, error) {
	o, _, err := ParseObjectInto(data, nil)
	return o, err
}

// ParseObjectInto is ParseObject for who reads many objects and knows when they are done with: the object's fields are
// appended to fields, which comes back.
func ParseObjectInto(data []byte, fields []Field) (Object, []Field, error) {
	r := reader{rest: string(data)}
	o := Object{Kind: Kind(r.byte()), ID: r.text(), Handles: r.texts()}
	o.Fields, fields = r.fields(fields)
	if n := r.count(2); n > 0 {
		o.Links = make([]Link, n)
		for i := range o.Links {
			o.Links[i] = Link{Type: LinkType(r.byte()), To: r.text()}
		}
	}
	return o, fields, r.close("object")
}

// AppendRecord appends the canonical form of a record.
func AppendRecord(buf []byte, rec *Record) []byte {
	// Most fields of a record come from one or two runs: the stamps are written once, fields point to them.
	var room [8]*Stamp
	stamps := append(room[:0], &rec.Changed)
	index := func(s *Stamp) uint64 {
		if s == nil {
			s = new(Stamp)
		}
		for i, known := range stamps {
			if known == s || *known == *s {
				return uint64(i)
			}
		}
		stamps = append(stamps, s)
		return uint64(len(stamps) - 1)
	}
	for i := range rec.Fields {
		index(rec.Fields[i].Since)
	}
	buf = append(buf, byte(rec.Kind))
	buf = appendText(buf, rec.Key)
	buf = append(buf, recordState(rec))
	buf = appendText(buf, rec.Rule)
	buf = appendUvarint(buf, rec.Revision)
	buf = appendUvarint(buf, uint64(len(stamps)))
	for _, s := range stamps {
		buf = appendText(buf, s.Run)
		buf = appendTime(buf, s.Time)
	}
	buf = appendUvarint(buf, uint64(len(rec.Fields)))
	for i := range rec.Fields {
		f := &rec.Fields[i]
		buf = appendUvarint(buf, index(f.Since))
		buf = appendField(buf, f.Field)
	}
	buf = appendNumbers(buf, rec.Members)
	if !rec.Active && rec.Reason != "" {
		buf = appendText(buf, rec.Reason)
	}
	if rec.Undone != nil {
		buf = appendUndone(buf, rec.Undone)
	}
	return buf
}

func appendUndone(buf []byte, u *Undone) []byte {
	buf = appendText(appendText(buf, u.Of), u.By)
	buf = appendTime(appendText(buf, u.At.Run), u.At.Time)
	buf = appendFields(append(buf, byte(u.Op)), u.Fields)
	return appendNumbers(appendNumbers(buf, u.Entered), u.Left)
}

func (r *reader) undone() *Undone {
	u := &Undone{Of: r.text(), By: r.text(), At: Stamp{Run: r.text(), Time: r.time()}, Op: Op(r.byte())}
	u.Fields, _ = r.fields(nil)
	u.Entered, u.Left = r.numbers(), r.numbers()
	return u
}

// The states of a record, as stored; they are appended to, never changed. A record whose reason is known has a state
// of its own, and the reason stands behind all else.
const (
	stateInactive = iota
	stateActive
	stateDeleted
	stateInactiveWhy
	stateDeletedWhy
)

// stateUpdateOnly is added to the state of a record with that mark, and stateUndone to that of one of which something was undone: what
// stands last of all then.
const (
	stateUpdateOnly = 1 << 4
	stateUndone     = 1 << 5
	stateMarks      = stateUpdateOnly | stateUndone
)

func recordState(rec *Record) byte {
	state := stateOf(rec)
	if rec.UpdateOnly {
		state |= stateUpdateOnly
	}
	if rec.Undone != nil {
		state |= stateUndone
	}
	return state
}

func stateOf(rec *Record) byte {
	switch {
	case rec.Deleted && rec.Reason != "":
		return stateDeletedWhy
	case rec.Deleted:
		return stateDeleted
	case !rec.Active && rec.Reason != "":
		return stateInactiveWhy
	case rec.Active:
		return stateActive
	default:
		return stateInactive
	}
}

// ParseRecord reads what AppendRecord wrote. The record does not refer to data.
func ParseRecord(data []byte) (Record, error) { return ParseRecordIn(nil, data) }

// ParseRecordIn is ParseRecord with the record's fields and stamps in a memory.
func ParseRecordIn(m *Memory, data []byte) (Record, error) {
	r := reader{rest: string(data)}
	rec := Record{Kind: RecordKind(r.byte()), Key: r.text()}
	state := r.byte()
	undone := state&stateUndone != 0
	rec.UpdateOnly, state = state&stateUpdateOnly != 0, state&^stateMarks
	rec.Active, rec.Deleted = state == stateActive, state == stateDeleted || state == stateDeletedWhy
	if state > stateDeletedWhy {
		r.fail()
	}
	rec.Rule, rec.Revision = r.text(), r.uvarint()
	stamps := m.Stamps(r.count(2))
	for i := range stamps {
		stamps[i] = Stamp{Run: r.text(), Time: r.time()}
	}
	if len(stamps) > 0 {
		rec.Changed = stamps[0]
	}
	if n := r.count(3); n > 0 {
		rec.Fields = m.RecordFields(n)
		for i := range rec.Fields {
			at := r.uvarint()
			if at >= uint64(len(stamps)) {
				r.fail()
				break
			}
			rec.Fields[i] = RecordField{Since: &stamps[at], Field: r.field()}
		}
	}
	rec.Members = r.numbers()
	if state == stateInactiveWhy || state == stateDeletedWhy {
		if rec.Reason = r.text(); rec.Reason == "" {
			r.fail()
		}
	}
	if undone {
		rec.Undone = r.undone()
	}
	return rec, r.close("record")
}

// RecordActive reads of what AppendRecord wrote whether the record is active, and looks at no more than it needs for that.
func RecordActive(data []byte) (bool, error) {
	if len(data) == 0 {
		return false, fmt.Errorf("record: %w", ErrCorrupt)
	}
	key, size := binary.Uvarint(data[1:])
	rest := data[1+max(size, 0):]
	if size <= 0 || key >= uint64(len(rest)) {
		return false, fmt.Errorf("record: %w", ErrCorrupt)
	}
	return rest[key]&^stateMarks == stateActive, nil
}

// AppendAction appends the canonical form of an action.
func AppendAction(buf []byte, a *Action) []byte {
	buf = append(buf, byte(a.Op), byte(a.Kind))
	for _, s := range []string{a.Key, a.Record, a.Origin.Connection, a.Origin.Connector, a.Origin.Tenant, a.Origin.ID, a.Rule, a.Run, a.Reason, a.Other} {
		buf = appendText(buf, s)
	}
	buf = appendTime(buf, a.Time)
	buf = appendFields(buf, a.Fields)
	buf = appendUvarint(buf, uint64(len(a.Changes)))
	for _, c := range a.Changes {
		buf = appendField(buf, Field{Name: c.Name, Value: c.From})
		buf = appendValue(buf, c.To)
	}
	buf = appendUvarint(buf, uint64(len(a.Sets)))
	for _, s := range a.Sets {
		buf = appendText(buf, s.Name)
		buf = appendTexts(buf, s.Added)
		buf = appendTexts(buf, s.Removed)
	}
	if a.Origin.Import != "" {
		buf = appendText(append(buf, partImport), string(a.Origin.Import))
	}
	if len(a.Once) > 0 {
		buf = appendTexts(append(buf, partOnce), a.Once)
	}
	if a.Initial {
		buf = append(buf, partInitial)
	}
	return buf
}

// Parts that only some actions have stand behind all else, each with its number, in the order of the numbers. Numbers are
// appended to, never changed: an action without a part has the bytes, and so the key, that it had before there was one.
const (
	partImport  = 1
	partOnce    = 2
	partInitial = 3
)

// ParseAction reads what AppendAction wrote. The action does not refer to data.
func ParseAction(data []byte) (Action, error) { return ParseActionIn(nil, data) }

// ParseActionIn is ParseAction with the action's fields and changes in a memory.
func ParseActionIn(m *Memory, data []byte) (Action, error) {
	r := reader{rest: string(data)}
	a := Action{Op: Op(r.byte()), Kind: RecordKind(r.byte())}
	for _, s := range []*string{&a.Key, &a.Record, &a.Origin.Connection, &a.Origin.Connector, &a.Origin.Tenant, &a.Origin.ID, &a.Rule, &a.Run, &a.Reason, &a.Other} {
		*s = r.text()
	}
	a.Time = r.time()
	if n := r.count(2); n > 0 {
		a.Fields = m.Fields(n)
		for i := range a.Fields {
			a.Fields[i] = r.field()
		}
	}
	if n := r.count(3); n > 0 {
		a.Changes = m.Changes(n)
		for i := range a.Changes {
			f := r.field()
			a.Changes[i] = FieldChange{Name: f.Name, From: f.Value, To: r.value()}
		}
	}
	if n := r.count(3); n > 0 {
		a.Sets = make([]SetChange, n)
		for i := range a.Sets {
			a.Sets[i] = SetChange{Name: r.text(), Added: r.texts(), Removed: r.texts()}
		}
	}
	if r.part(partImport) {
		if a.Origin.Import = Import(r.text()); a.Origin.Import == "" {
			r.fail()
		}
	}
	if r.part(partOnce) {
		if a.Once = r.texts(); len(a.Once) == 0 {
			r.fail()
		}
	}
	a.Initial = r.part(partInitial)
	return a, r.close("action")
}

func appendUvarint(buf []byte, n uint64) []byte { return binary.AppendUvarint(buf, n) }

func appendText(buf []byte, s string) []byte {
	return append(binary.AppendUvarint(buf, uint64(len(s))), s...)
}

func appendTexts(buf []byte, list []string) []byte {
	buf = appendUvarint(buf, uint64(len(list)))
	for _, s := range list {
		buf = appendText(buf, s)
	}
	return buf
}

// appendNumbers writes ascending numbers by the steps between them.
func appendNumbers(buf []byte, list []uint32) []byte {
	buf = appendUvarint(buf, uint64(len(list)))
	var last uint32
	for _, n := range list {
		buf = appendUvarint(buf, uint64(n-last))
		last = n
	}
	return buf
}

// appendTime writes seconds; the zero time is written as zero, which no run and no source uses.
func appendTime(buf []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendVarint(buf, 0)
	}
	return binary.AppendVarint(buf, t.Unix())
}

func appendFields(buf []byte, fields []Field) []byte {
	buf = appendUvarint(buf, uint64(len(fields)))
	for _, f := range fields {
		buf = appendField(buf, f)
	}
	return buf
}

// appendField writes a common field's name as its position plus one, any other name as zero and the text.
func appendField(buf []byte, f Field) []byte {
	if code, ok := commonFieldCode(f.Name); ok {
		buf = appendUvarint(buf, uint64(code)+1)
	} else {
		buf = appendUvarint(buf, 0)
		buf = appendText(buf, f.Name)
	}
	return appendValue(buf, f.Value)
}

func appendValue(buf []byte, v Value) []byte {
	buf = append(buf, byte(v.typ))
	switch v.typ {
	case TextType:
		buf = appendText(buf, v.text)
	case BoolType, NumberType, TimeType:
		buf = binary.AppendVarint(buf, v.num)
	case ListType:
		buf = appendTexts(buf, v.List())
	}
	return buf
}

// reader takes a canonical form apart. The first error sticks; every later read returns zero values.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) fail() { r.bad, r.rest = true, "" }

func (r *reader) close(what string) error {
	if r.bad || r.rest != "" {
		return fmt.Errorf("%s: %w", what, ErrCorrupt)
	}
	return nil
}

func (r *reader) byte() byte {
	if r.rest == "" {
		r.fail()
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

// part reports whether a part of this number comes next, and moves behind the number.
func (r *reader) part(number byte) bool {
	if r.rest == "" || r.rest[0] != number {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *reader) uvarint() uint64 {
	var n uint64
	for i := range min(len(r.rest), binary.MaxVarintLen64) {
		b := r.rest[i]
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			r.rest = r.rest[i+1:]
			return n
		}
	}
	r.fail()
	return 0
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	n := int64(u >> 1)
	if u&1 != 0 {
		n = ^n
	}
	return n
}

func (r *reader) time() time.Time {
	n := r.varint()
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// count reads how many items follow, each of at least size bytes: a damaged count must not allocate memory.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.rest)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) number() uint32 {
	n := r.uvarint()
	if n > 1<<32-1 {
		r.fail()
		return 0
	}
	return uint32(n)
}

func (r *reader) numbers() []uint32 {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	list := make([]uint32, n)
	var last uint64
	for i := range list {
		last += r.uvarint()
		if last > 1<<32-1 {
			r.fail()
			return nil
		}
		list[i] = uint32(last)
	}
	return list
}

func (r *reader) text() string {
	n := r.count(1)
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) texts() []string {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.text()
	}
	return list
}

// fields appends fields to all, and returns those that it has read, too.
func (r *reader) fields(all []Field) (these, more []Field) {
	n := r.count(2)
	if n == 0 {
		return nil, all
	}
	first := len(all)
	all = slices.Grow(all, n)
	for range n {
		all = append(all, r.field())
	}
	return all[first:len(all):len(all)], all
}

func (r *reader) field() Field {
	code := r.uvarint()
	switch {
	case code == 0:
		return Field{Name: r.text(), Value: r.value()}
	case code <= uint64(len(commonFields)):
		return Field{Name: commonFields[code-1].Name, Value: r.value()}
	default:
		r.fail()
		return Field{}
	}
}

func (r *reader) value() Value {
	v := Value{typ: ValueType(r.byte())}
	switch v.typ {
	case NullType:
	case TextType:
		v.text = r.text()
	case BoolType, NumberType, TimeType:
		v.num = r.varint()
	case ListType:
		v = listValue(r.texts())
	default:
		r.fail()
	}
	return v
}
