package apitest

import (
	"fmt"
	"reflect"
	"time"
)

// Filled returns a value of which every field is set, those of the structs, lists and maps in it included, each to
// something of its own, however they are nested. It is the same at every call. T must not refer to itself.
func Filled[T any]() T {
	var v T
	n := 0
	fill(reflect.ValueOf(&v).Elem(), "value", &n)
	return v
}

// Fill sets every field of a value that can be set, as Filled does.
func Fill(v reflect.Value) {
	n := 0
	fill(v, "value", &n)
}

func fill(v reflect.Value, name string, n *int) {
	count := func() int { *n++; return *n }
	text := func() string { return fmt.Sprintf("%s <%d>", name, count()) }
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, 1, 31, 12, 0, count(), 123, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(count()))
	case reflect.Uint8:
		v.SetUint(uint64(count()))
	case reflect.Interface:
		v.Set(reflect.ValueOf(text()))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name, n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), name, n)
		}
	case reflect.Map:
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, name, n)
		fill(elem, name, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, elem)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), v.Type().Field(i).Name, n)
		}
	default:
		panic("apitest: no value for " + v.Type().String())
	}
}
