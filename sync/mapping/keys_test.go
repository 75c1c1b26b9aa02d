package mapping

import (
	"strings"
	"testing"

	"dirsyncd/sync/directory"
)

// TestKeysOfOthers: a field may name another record by its key; what decides about records may not.
func TestKeysOfOthers(t *testing.T) {
	field := func(name, value string) FieldSpec { return FieldSpec{Name: name, Value: ValueSpec{Value: value}} }
	spec := func() Spec {
		return Spec{Name: "m", Rules: []RuleSpec{{Name: "all", Records: map[directory.RecordKind][]FieldSpec{directory.UserRecord: {
			field("manager", "= manager.key"), field("site", "= site.key ?? office")}}}}}
	}
	r, problems := Compile(spec())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	uses := r.Uses()
	if !uses.Keys[directory.Manager] || !uses.Keys[directory.AtSite] || uses.Keys[directory.OfCustomer] || !uses.Manager[directory.Person] || !uses.Site[directory.Person] {
		t.Errorf("%+v", uses)
	}
	for _, look := range r.Looks() {
		if look.Name == "key" {
			t.Errorf("a source is asked for %+v", look)
		}
	}
	o := &directory.Object{Kind: directory.Person, ID: "1"}
	o.SetText("office", "Oslo")
	for want, keys := range map[string]Keys{"hq/2 hq/s": {Manager: "hq/2", Site: "hq/s"}, " Oslo": {}} {
		res, err := r.Person(&Person{Object: o, Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		fields := res.Records[0].Fields
		if got := fields[0].Value.Text() + " " + fields[1].Value.Text(); got != want {
			t.Errorf("%+v: %q, want %q", keys, got, want)
		}
	}
	for name, edit := range map[string]func(*Spec){
		"a condition": func(s *Spec) { s.Rules[0].When = TextSpec{Text: "manager.key != nil"} },
		"a choice": func(s *Spec) {
			s.Choices = []ChoiceSpec{{Name: "boss", Lines: []LineSpec{{Is: ValueSpec{Value: "= manager.key"}}}}}
			s.Rules[0].Records[directory.UserRecord] = append(s.Rules[0].Records[directory.UserRecord], field("boss", "= choice.boss"))
		},
	} {
		s := spec()
		edit(&s)
		if _, problems := Compile(s); len(problems) == 0 || !strings.Contains(problems[0].Message, "manager.key is for fields") {
			t.Errorf("%s: %v", name, problems)
		}
	}
}
