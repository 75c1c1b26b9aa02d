package jsonscan

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// tree makes of a value what encoding/json would, and false when it is not JSON.
func tree(v Value) (any, bool) {
	switch {
	case v.IsObject():
		m, good := map[string]any{}, true
		s := Enter(v)
		for s.More() {
			name := s.Name()
			one, ok := tree(s.Value())
			m[name], good = one, good && ok
		}
		return m, good && s.Err() == nil
	case v.IsList():
		list, good := []any{}, true
		s := Enter(v)
		for s.More() {
			one, ok := tree(s.Value())
			list, good = append(list, one), good && ok
		}
		return list, good && s.Err() == nil
	case !json.Valid([]byte(v)):
		return nil, false
	case v.Null():
		return nil, true
	case v == "true", v == "false":
		return v == "true", true
	}
	if text, ok := v.Text(); ok {
		return text, true
	}
	return json.Number(v), true
}

// elements is tree for the lists of an object, read in place.
func elements(text string) (map[string]any, bool) {
	m, good := map[string]any{}, true
	s := Object(text)
	for s.More() {
		name := s.Name()
		if !s.AtList() {
			one, ok := tree(s.Value())
			m[name], good = one, good && ok
			continue
		}
		list := []any{}
		for e := range s.Elements {
			one, ok := tree(e)
			list, good = append(list, one), good && ok && text[s.At()-len(e):s.At()] == string(e)
		}
		m[name] = list
	}
	return m, good && s.Err() == nil
}

// FuzzScan compares with encoding/json, whether a text is JSON and what it says.
func FuzzScan(f *testing.F) {
	for _, text := range []string{
		`{}`, `[]`, ` { "a" : [ 1 , -2.5e3 , "x\"\\\u00e9\n" , null , true , false , {} , [ [ ] ] ] , "b\u0041":"" } `, `"\\\\\""`, `{"a":{"b":{"c":"}]"}}}`,
		`12`, `[{"id":"a","@removed":{"reason":"changed"}}]`, `"\ud800"`, "\"\xff\"",

		`{"kind":"x","users":[{"a":"]}\\\""},null,[1,[2]],"\u0041", -1.5e3 ,true],"nextPageToken":"t","other":{"users":[1]}}`, ` { "users" : null } `,
		`{"users":[],"users":[1]}`, `{"users":[x],"users":[1]}`, `{"users":[1,]}`, `{"users":[1}`, `{"kind":1}`, `{"a":tru}`, `{"users":{}}`, `{"users":[{]}]}`, `{"kind":"x"}x`, `{} x`,

		``, ` `, `{`, `[`, `"`, `{"a"`, `{"a":`, `{"a":[`, `{"a":[]`, `{"a":[1 2]}`, `{"a":1 "b":2}`, `{,}`, `[,1]`, `{"a":,}`, `{"a"::1}`, `{1:2}`, `[1]]`, `{"a":[1]]`, `["\"]`, "\v{}", `[]{}`, "{\"\x00\":[]}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		trimmed := strings.Trim(text, " \t\r\n")
		got, ok := tree(Value(trimmed))
		if valid := json.Valid([]byte(text)); ok != valid {
			t.Fatalf("%q: taken for JSON %t, is JSON %t", text, ok, valid)
		}
		inPlace, alike := elements(text)
		if alike != (ok && Value(trimmed).IsObject()) {
			t.Fatalf("%q: in place taken for an object %t, else for JSON %t", text, alike, ok)
		}
		if alike && !reflect.DeepEqual(any(inPlace), got) {
			t.Errorf("%q\n in place %#v\n else %#v", text, inPlace, got)
		}
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var want any
		if ok && d.Decode(&want) == nil && !reflect.DeepEqual(clean(got), clean(want)) {
			t.Errorf("%q\n got %#v\nwant %#v", text, got, want)
		}
	})
}

// clean replaces what is not UTF-8, which the two leave in different states, as every value of ours does.
func clean(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ToValidUTF8(strings.ReplaceAll(v, "\uFFFD", ""), "")
	case []any:
		for i := range v {
			v[i] = clean(v[i])
		}
	case map[string]any:
		c := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			c[clean(name).(string)] = clean(v[name])
		}
		return c
	}
	return v
}

func TestKinds(t *testing.T) {
	for v, want := range map[Value]string{
		"": "absent", `"x"`: "a text", "{}": "an object", "[]": "a list", "true": "a truth value", "false": "a truth value", "null": "null", "-1": "a number",
	} {
		if v.Kind() != want || v.Null() != (want == "absent" || want == "null") || v.IsList() != (want == "a list") || v.IsObject() != (want == "an object") {
			t.Errorf("%s: %s", v, v.Kind())
		}
		if _, ok := v.Text(); ok != (want == "a text") {
			t.Errorf("%s is a text: %t", v, ok)
		}
	}
}

func TestMember(t *testing.T) {
	const v = Value(`{"a":{"b":1},"b":[2],"a":3}`)
	for name, want := range map[string]Value{"a": `{"b":1}`, "b": "[2]", "c": ""} {
		if got := v.Member(name); got != want {
			t.Errorf("%s is %s", name, got)
		}
	}
	if got := Value(`["a"]`).Member("a"); got != "" {
		t.Errorf("a list has a member %s", got)
	}
}
