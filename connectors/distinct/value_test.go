package distinct

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
)

// TestIDs: spellings of one text have one id, and different texts have different ones.
func TestIDs(t *testing.T) {
	site := made{Make{"site", "customer"}, directory.Site, true}
	long := strings.Repeat("x", 300)
	for _, test := range []struct{ value, within, want string }{
		{"London", "Acme", "site:acme/london"},
		{tidy("  LONDON  "), "ACME", "site:acme/london"},
		{tidy("Head \t office"), "Acme", "site:acme/head office"},
		{"Straße", "Acme", "site:acme/strasse"},
		{"Ｌｅｅｄｓ", "Acme", "site:acme/leeds"},
		{"b/c", "a", "site:a/b%2Fc"},
		{"c", "a/b", "site:a%2Fb/c"},
		{"a%2Fb", "", "site:/a%252fb"},
		{"#1", "", "site:/%231"},
		{long, "", "site:/#" + part(long)[1:]},
	} {
		if got := site.idOf(tidy(test.value), tidy(test.within)); got != test.want {
			t.Errorf("%q within %q: %s, want %s", test.value, test.within, got, test.want)
		}
	}
	if part(long) == part(long+"y") || len(part(long)) > longest {
		t.Error("long texts are not told apart, or not cut")
	}
	if alone := (&made{Make{Value: "site"}, directory.Site, false}).idOf("London", ""); alone != "site:london" {
		t.Error(alone)
	}
}

func TestUsual(t *testing.T) {
	for want, counts := range map[string]map[string]int{
		"London": {"London": 2, "LONDON": 1}, "LONDON": {"London": 1, "LONDON": 1}, "london": {"london": 3, "LONDON": 2},
	} {
		if got := usual(counts); got != want {
			t.Errorf("%v: %s", counts, got)
		}
	}
}

// TestTallies: what comes and goes again leaves nothing.
func TestTallies(t *testing.T) {
	c := valid()
	c.Blank = []string{"Nowhere"}
	all, touched := tallies{}, map[string]made{}
	rec := func(fields ...string) func(string) directory.Value {
		return func(name string) directory.Value {
			for i := 0; i < len(fields); i += 2 {
				if fields[i] == name && strings.Contains(fields[i+1], "|") {
					return directory.List(strings.Split(fields[i+1], "|")...)
				} else if fields[i] == name {
					return directory.Text(fields[i+1])
				}
			}
			return directory.Null()
		}
	}
	list := [][]string{
		{"customer", "Acme", "site", "London"}, {"customer", "ACME", "site", "london "}, {"site", "London"}, {"customer", "Acme", "site", "nowhere"},
		{"customer", "-", "site", "Leeds", "department", "Sales|Finance"},
	}
	for _, fields := range list {
		all.count(c, rec(fields...), 1, touched)
	}
	want := []string{"customer:acme", "group:finance", "group:sales", "site:/leeds", "site:/london", "site:acme/london"}
	if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, want) {
		t.Errorf("named %q, want %q", got, want)
	}
	for _, fields := range list {
		all.count(c, rec(fields...), -1, touched)
	}
	if len(all) > 0 || !slices.Equal(slices.Sorted(maps.Keys(touched)), want) {
		t.Errorf("left %v, touched %v", all, touched)
	}
	all.count(c, rec("site", "Oslo"), -1, touched)
	if all["site:/oslo"].sound() {
		t.Error("less than nothing counts as sound")
	}
}

func FuzzPart(f *testing.F) {
	for _, text := range []string{"", "London", "a/b", "a%2Fb", "#", "\xff", strings.Repeat("é", 150)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = directory.Text(text).String() // no value has other bytes than UTF-8, of which no normal form is known
		id := part(tidy(text))
		if strings.Contains(id, "/") || part(tidy(" "+text+"\n ")) != id {
			t.Errorf("%q: %q", text, id)
		}
	})
}
