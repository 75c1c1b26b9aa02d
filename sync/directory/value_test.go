package directory

import (
	"encoding/json"
	"testing"
	"time"
)

func TestValueJSON(t *testing.T) {
	for _, c := range []struct {
		value Value
		want  string
	}{
		{Null(), `null`},
		{Text("a\u00e9"), `"aé"`},
		{Text("bad \xff byte"), `"bad � byte"`},
		{Bool(true), `true`},
		{Number(-7), `-7`},
		{Time(time.Date(2026, 1, 2, 3, 4, 5, 999, time.FixedZone("", 3600))), `"2026-01-02T02:04:05Z"`},
		{List("b", "a", "b"), `["a","b"]`},
		{List(), `[]`},
	} {
		got, err := json.Marshal(c.value)
		if err != nil || string(got) != c.want {
			t.Errorf("%v: %s, %v; want %s", c.value, got, err, c.want)
		}
		if c.value.Type() == TimeType {
			continue // JSON has no times
		}
		var back Value
		if err := json.Unmarshal(got, &back); err != nil || !back.Equal(c.value) {
			t.Errorf("%s came back as %v, %v", got, back, err)
		}
	}
	for _, bad := range []string{`1.5`, `{}`, `[1]`, `[`} {
		var v Value
		if err := json.Unmarshal([]byte(bad), &v); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestBlank(t *testing.T) {
	for _, v := range []Value{Null(), Text(""), List()} {
		if !v.Blank() {
			t.Errorf("%v %v is not blank", v.Type(), v)
		}
	}
	for _, v := range []Value{Text(" "), Bool(false), Number(0), List("")} {
		if v.Blank() {
			t.Errorf("%v %v is blank", v.Type(), v)
		}
	}
}

func TestSetKeepsOrder(t *testing.T) {
	var o Object
	for _, name := range []string{"name", "email", "title", "email"} {
		o.SetText(name, name+" value")
	}
	o.SetText("city", "")
	if len(o.Fields) != 3 || o.Fields[0].Name != "email" || o.Fields[2].Name != "title" {
		t.Errorf("fields: %+v", o.Fields)
	}
	if v, ok := o.Get("title"); !ok || v.Text() != "title value" {
		t.Errorf("title: %v %v", v, ok)
	}
	if _, ok := o.Get("city"); ok {
		t.Error("an empty text was stored")
	}
}
