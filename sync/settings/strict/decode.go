package strict

import (
	"encoding"
	"math"
	"reflect"
	"strconv"
	"time"

	"dirsyncd/sync/spelling"
)

// Decoder is a type that reads itself from a value. It is called for every value but an absent or empty one,
// and reports what is wrong through the value.
type Decoder interface{ DecodeStrict(v Value) }

// decoderType and textType are the interfaces by which a type takes part in its decoding. The error of
// UnmarshalText becomes the problem's message, so it must not quote what is secret.
var (
	decoderType  = reflect.TypeFor[Decoder]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	durationType = reflect.TypeFor[time.Duration]()
)

func custom(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(decoderType) || p.Implements(textType)
}

// Into decodes the value into what target points to. It returns false when it reported a problem.
func (v Value) Into(target any) bool { return v.IntoWith(target, nil) }

// IntoWith is Into for a struct with keys that are not known beforehand: every key that the struct does not
// have is offered to extra, which returns false when it does not know it either. Further keys to suggest
// instead of an unknown one follow.
func (v Value) IntoWith(target any, extra func(Entry) bool, more ...string) bool {
	rv := reflect.ValueOf(target)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		panic("strict: target must be a pointer")
	}
	mark := v.doc.Mark()
	if extra != nil {
		v.structure(rv.Elem(), extra, more)
	} else {
		v.decode(rv.Elem())
	}
	return v.doc.Mark() == mark
}

func (v Value) decode(rv reflect.Value) {
	if k := v.Kind(); k == Null || k == Odd {
		v.wrongType("a value", "")
		return
	}
	if rv.CanAddr() && rv.Addr().CanInterface() {
		switch target := rv.Addr().Interface().(type) {
		case Decoder:
			target.DecodeStrict(v)
			return
		case encoding.TextUnmarshaler:
			v.unmarshalText(target)
			return
		}
	}
	switch rv.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(rv.Type().Elem())
		v.decode(fresh.Elem())
		rv.Set(fresh)
	case reflect.Struct:
		v.structure(rv, nil, nil)
	case reflect.Map:
		v.mapInto(rv)
	case reflect.Slice:
		v.sliceInto(rv)
	case reflect.Interface:
		if plain := v.Plain(); plain != nil && rv.NumMethod() == 0 {
			rv.Set(reflect.ValueOf(plain))
		}
	default:
		v.scalar(rv)
	}
}

func (v Value) unmarshalText(target encoding.TextUnmarshaler) {
	text, ok := v.Text()
	if !ok {
		return
	}
	if err := target.UnmarshalText([]byte(text)); err != nil {
		v.Problem("", "%s: %v", v.Label(), err)
	}
}

func (v Value) structure(rv reflect.Value, extra func(Entry) bool, more []string) {
	entries, ok := v.Entries()
	if !ok {
		return
	}
	fields := fieldsOf(rv.Type())
	missing := make(map[string]bool)
	byKey := make(map[string]field, len(fields))
	for _, f := range fields {
		byKey[f.key], missing[f.key] = f, f.required
	}
	for _, e := range entries {
		f, known := byKey[e.Key]
		switch {
		case known:
			delete(missing, e.Key)
			e.Value.decode(rv.FieldByIndex(f.index))
		case extra != nil && extra(e):
		default:
			v.UnknownKey(e, append(keysOf(fields), more...))
		}
	}
	for _, f := range fields {
		if missing[f.key] {
			v.MissingKey(f.key, "")
		}
	}
}

// UnknownKey reports a key of the block that means nothing there.
func (v Value) UnknownKey(e Entry, known []string) {
	e.Value.KeyProblem(spelling.Suggest(e.Key, known), "unknown key %q%s", cut(e.Key), v.Where())
}

// MissingKey reports a key that the block must have.
func (v Value) MissingKey(key, hint string) {
	v.KeyProblem(hint, "missing key %q%s", key, v.Where())
}

func (v Value) mapInto(rv reflect.Value) {
	entries, ok := v.Entries()
	if !ok {
		return
	}
	fresh := reflect.MakeMapWithSize(rv.Type(), len(entries))
	for _, e := range entries {
		key := reflect.New(rv.Type().Key()).Elem()
		if key.Kind() != reflect.String {
			panic("strict: maps have text keys")
		}
		key.SetString(e.Key)
		item := reflect.New(rv.Type().Elem()).Elem()
		e.Value.decode(item)
		fresh.SetMapIndex(key, item)
	}
	rv.Set(fresh)
}

func (v Value) sliceInto(rv reflect.Value) {
	items, ok := v.Items()
	if !ok {
		return
	}
	fresh := reflect.MakeSlice(rv.Type(), len(items), len(items))
	for i, item := range items {
		item.decode(fresh.Index(i))
	}
	rv.Set(fresh)
}

func (v Value) scalar(rv reflect.Value) {
	switch {
	case rv.Type() == durationType:
		if d, ok := v.Duration(); ok {
			rv.SetInt(int64(d))
		}
	case rv.Kind() == reflect.String:
		if text, ok := v.Text(); ok {
			rv.SetString(text)
		}
	case rv.Kind() == reflect.Bool:
		if b, ok := v.Bool(); ok {
			rv.SetBool(b)
		}
	case rv.CanInt():
		if n, ok := v.Int(); ok && v.fits(!rv.OverflowInt(n)) {
			rv.SetInt(n)
		}
	case rv.CanUint():
		if n, ok := v.Int(); ok && v.fits(n >= 0 && !rv.OverflowUint(uint64(n))) {
			rv.SetUint(uint64(n))
		}
	case rv.CanFloat():
		v.float(rv)
	default:
		panic("strict: cannot decode into " + rv.Type().String())
	}
}

func (v Value) fits(ok bool) bool {
	if !ok {
		v.Problem("", "%s: %s is out of range", v.Label(), cut(v.Literal()))
	}
	return ok
}

func (v Value) float(rv reflect.Value) {
	if k := v.Kind(); k != Int && k != Float {
		v.wrongType("a number", v.typeHint(Float))
		return
	}
	f, err := strconv.ParseFloat(v.Literal(), 64)
	if v.fits(err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)) {
		rv.SetFloat(f)
	}
}

// Plain returns the value as string, bool, int64, float64, []any or map[string]any, for settings whose shape
// is the operator's own. It is nil for a value that is none of them, which it reports.
func (v Value) Plain() any {
	switch v.Kind() {
	case Text:
		return v.Literal()
	case Bool:
		b, _ := v.Bool()
		return b
	case Int:
		n, _ := v.Int()
		return n
	case Float:
		var f float64
		v.float(reflect.ValueOf(&f).Elem())
		return f
	case List:
		items, _ := v.Items()
		list := make([]any, len(items))
		for i, item := range items {
			list[i] = item.Plain()
		}
		return list
	case Block:
		entries, _ := v.Entries()
		m := make(map[string]any, len(entries))
		for _, e := range entries {
			m[e.Key] = e.Value.Plain()
		}
		return m
	}
	v.wrongType("a value", "")
	return nil
}
