package mapping

import (
	"encoding/json"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
)

func explained(t *testing.T, x Explanation) string {
	t.Helper()
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for _, r := range x.Rules {
		if err := enc.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range x.Fields {
		if err := enc.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func TestExplain(t *testing.T) {
	rs := mustCompile(t, deskSpec())
	p := jane()
	p.Groups = nil
	res, x := rs.ExplainPerson(p)
	if x.Err != nil || res.Rule != "everyone else" {
		t.Fatalf("got %+v, %v", res, x.Err)
	}
	want := `{"rule":"contractors stay out","when":"department == \"Contractors\"","outcome":"did not match","sources":{"department":"Sales"}}
{"rule":"service desk","when":"\"Service Desk\" in groups and enabled","outcome":"did not match: \"Service Desk\" in groups is false","sources":{"enabled":true,"groups":[]}}
{"rule":"everyone else","when":"enabled","outcome":"decided","sources":{"enabled":true}}
{"record":"user","field":"email","expression":"= email","from":"the mapping's fields","sources":{"email":"Zoe.Roe@Example.test"},"value":"Zoe.Roe@Example.test","on":"always","blank":"keep"}
{"record":"user","field":"manager","expression":"= manager.name","from":"the mapping's fields","sources":{"manager.name":"The Boss"},"value":"The Boss","on":"always","blank":"keep"}
{"record":"user","field":"name","expression":"= name","from":"the mapping's fields","sources":{"name":"Zoë Roe"},"value":"Zoë Roe","on":"always","blank":"keep"}
{"record":"user","field":"phone","expression":"= phone ?? mobile","from":"the mapping's fields","sources":{"mobile":"+44 7700","phone":null},"value":"+44 7700","on":"always","blank":"keep"}
{"record":"user","field":"site","expression":"= office ?? \"Head office\"","from":"rule \"everyone else\"","sources":{"office":"London"},"value":"London","on":"always","blank":"keep"}
`
	if got := explained(t, x); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestExplainNotReached(t *testing.T) {
	rs := mustCompile(t, deskSpec())
	_, x := rs.ExplainPerson(jane())
	if got := x.Rules[2]; got.Outcome != OutcomeNotReached || got.Sources != nil {
		t.Errorf("got %+v, want not reached", got)
	}
	// Literals have no sources.
	for _, f := range x.Fields {
		if f.Field == "role" && (f.Sources != nil || f.Value != "Technician" || f.Expression != "Technician") {
			t.Errorf("got %+v", f)
		}
	}
}

func TestExplainFailures(t *testing.T) {
	p := jane()
	p.Object.Set("enabled", directory.Null())
	res, x := mustCompile(t, deskSpec()).ExplainPerson(p)
	if x.Err == nil || res.Rule != "" || x.Fields != nil {
		t.Errorf("got %+v, %+v", res, x)
	}
	if got := x.Rules[1].Outcome; !strings.HasPrefix(got, "failed: the source did not tell enabled") {
		t.Errorf("got %q", got)
	}
	if got := x.Rules[2].Outcome; got != OutcomeNotReached {
		t.Errorf("got %q", got)
	}
	// Every field is shown, also those after the one that fails.
	rs := mustCompile(t, Spec{Name: "m", Rules: []RuleSpec{
		{Name: "r", Records: makes(user, "a", "= int(name)", "b", "= name", "c", "= manager.enabled")}}})
	_, x = rs.ExplainPerson(jane())
	if x.Err == nil || len(x.Fields) != 3 || x.Fields[0].Error == "" || x.Fields[1].Error != "" || x.Fields[2].Error == "" {
		t.Errorf("got %+v", x)
	}
}

func TestExplainAgreesWithPerson(t *testing.T) {
	rs := mustCompile(t, benchmarkSpec())
	for _, p := range []*Person{jane(), {}, benchmarkPerson(3, 20)} {
		res, x := rs.ExplainPerson(p)
		if got, want := render(res, x.Err), render(rs.Person(p)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestExplainObject(t *testing.T) {
	o := &directory.Object{Kind: directory.Group, ID: "g"}
	o.SetText("name", "Site Oslo")
	res, x := mustCompile(t, deskSpec()).ExplainObject(&View{Object: o})
	if res.Rule != "sites" || len(x.Fields) != 2 || x.Fields[1].Value != "Oslo" {
		t.Errorf("got %+v, %+v", res, x)
	}
}
