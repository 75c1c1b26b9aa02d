package strict

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

type shout string

func (s *shout) UnmarshalText(text []byte) error {
	if strings.ToUpper(string(text)) != string(text) {
		return errors.New("not in capitals")
	}
	*s = shout(text)
	return nil
}

type pairOf struct{ A, B int64 }

func (p *pairOf) DecodeStrict(v Value) {
	items, ok := v.Items()
	if !ok {
		return
	}
	if len(items) != 2 {
		v.Problem("write [1, 2]", "%s: expected two numbers", v.Label())
		return
	}
	p.A, _ = items[0].Int()
	p.B, _ = items[1].Int()
}

type shared struct {
	CA      string        `yaml:"ca"`
	Timeout time.Duration `yaml:"timeout"`
}

type rich struct {
	Text    string            `yaml:"text" strict:"required"`
	Flag    bool              `yaml:"flag"`
	Small   int8              `yaml:"small"`
	Count   uint16            `yaml:"count"`
	Ratio   float64           `yaml:"ratio"`
	List    []string          `yaml:"list"`
	Map     map[string]int    `yaml:"map"`
	Inner   *rich             `yaml:"inner"`
	Many    []shared          `yaml:"many"`
	Named   map[string]shared `yaml:"named"`
	Free    any               `yaml:"free"`
	Shout   shout             `yaml:"shout"`
	Pair    pairOf            `yaml:"pair"`
	shared  `yaml:",inline"`
	Ignored string
	Dash    string `yaml:"-"`
}

func decode(text string, target any) []string {
	doc := Parse([]byte(text), Options{})
	if root := doc.Root(); root.Kind() != None {
		root.Into(target)
	}
	var list []string
	for _, p := range doc.Problems() {
		list = append(list, p.String())
	}
	return list
}

func TestDecode(t *testing.T) {
	got := rich{Text: "default", List: []string{"default"}, Ignored: "kept", Dash: "kept"}
	got.CA = "default"
	problems := decode(`
text: 2026-01-31
flag: True
small: -128
count: 65535
ratio: 1e3
list: [a, "1", = b ?? c]
map: {a: 1, 2: 2, true: 3}
inner: {text: "", ratio: 5}
many:
  - {ca: x}
  - &second
    timeout: 1d
named: {n: {<<: *second, ca: y}}
free: {a: [1, 2.5, true, x], b: {}}
shout: LOUD
pair: [3, 4]
timeout: 1h30m
`, &got)
	want := rich{
		Text: "2026-01-31", Flag: true, Small: -128, Count: 65535, Ratio: 1000,
		List: []string{"a", "1", "= b ?? c"}, Map: map[string]int{"a": 1, "2": 2, "true": 3},
		Inner: &rich{Ratio: 5}, Many: []shared{{CA: "x"}, {Timeout: 24 * time.Hour}},
		Named: map[string]shared{"n": {"y", 24 * time.Hour}},
		Free:  map[string]any{"a": []any{int64(1), 2.5, true, "x"}, "b": map[string]any{}},
		Shout: "LOUD", Pair: pairOf{3, 4}, shared: shared{"default", 90 * time.Minute}, Ignored: "kept", Dash: "kept",
	}
	if problems != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("problems %v\n got %+v\nwant %+v", problems, got, want)
	}
}

func TestProblems(t *testing.T) {
	tests := []struct {
		text string
		want []string
	}{
		{"text: x", nil},
		{"flag: true", []string{`1:1: missing key "text"`}},
		{"text: 5", []string{"1:7: text: expected text, found a whole number (put it in quotes)"}},
		{"text: x\nflag: yes", []string{"2:7: flag: expected true or false, found text (write true or false, without quotes)"}},
		{"text: x\nsmall: 128\ncount: -1", []string{"2:8: small: 128 is out of range", "3:8: count: -1 is out of range"}},
		{"text: x\nsmall: 0x10", []string{"2:8: small: 0x10 is not a whole number in decimal digits that fits"}},
		{"text: x\nsmall: 99999999999999999999", []string{"2:8: small: 99999999999999999999 is not a whole number in decimal digits that fits"}},
		{"text: x\nratio: .inf", []string{"2:8: ratio: .inf is out of range"}},
		{"text: x\nratio: half", []string{"2:8: ratio: expected a number, found text (write digits only, without quotes)"}},
		{"text: x\nlist: {a: b}", []string{"2:7: list: expected a list, found a block of keys"}},
		{"text: x\nlist: [a, [b], ~]", []string{"2:11: list[1]: expected text, found a list",
			"2:16: list[2]: a value is missing (give it a value or remove the key)"}},
		{"text: x\nmap: {a: 1, a: 2}", []string{`2:13: key "a" is given twice in map; it stands in line 2 already`}},
		{"text: x\nmap: {~: 1, [a]: 2}", []string{"2:7: a key in map is not text (put it in quotes)", "2:13: a key in map is not text (put it in quotes)"}},
		{"text: x\nshout: quiet", []string{"2:8: shout: not in capitals"}},
		{"text: x\nshout: [A]", []string{"2:8: shout: expected text, found a list"}},
		{"text: x\npair: [1]", []string{"2:7: pair: expected two numbers (write [1, 2])"}},
		{"text: x\ntimeout: 5", []string{"2:10: timeout: a duration needs a unit (write a number and a unit: 30s, 5m, 2h, 30d)"}},
		{"text: x\nfree: !secret a", []string{"2:7: free: tag !secret means nothing here (remove the tag)"}},
		{"text: x\nfree: [!!set {a}]", []string{"2:8: free[0]: tag !!set means nothing here (remove the tag)"}},
		{"text: !!binary aGk=", []string{"1:7: text: tag !!binary means nothing here (remove the tag)"}},
		{"text: x\nIgnored: y\nDash: z", []string{
			`2:1: unknown key "Ignored" (known: text, flag, small, count, ratio, list, map, inner, many, named, free, shout, pair, ca, timeout)`,
			`3:1: unknown key "Dash" (known: text, flag, small, count, ratio, list, map, inner, many, named, free, shout, pair, ca, timeout)`}},
		{"text: x\ninner: {inner: {txet: a}}", []string{`2:1: missing key "text" in inner`, `2:9: missing key "text" in inner.inner`,
			`2:17: unknown key "txet" in inner.inner (did you mean "text"?)`}},
		{"text: x\n<<: [{flag: 1}, {flag: 2, bad: 3}]", []string{
			"2:13: flag: expected true or false, found a whole number", `2:27: unknown key "bad" ` +
				"(known: text, flag, small, count, ratio, list, map, inner, many, named, free, shout, pair, ca, timeout)"}},
		{"text: &t x\nlist: [*t, *t]\nmany: &m [{ca: *t}]\nnamed: {a: {ca: 1}}", []string{"4:17: named.a.ca: expected text, found a whole number (put it in quotes)"}},
		{"many: &m [{bad: 1}]\ntext: x\ninner: {text: x, many: *m}", []string{ // once, although it is decoded twice
			`1:12: unknown key "bad" in inner.many[0] (known: ca, timeout)`, `1:12: unknown key "bad" in many[0] (known: ca, timeout)`}},
	}
	for _, test := range tests {
		var target rich
		if got := decode(test.text, &target); !slices.Equal(got, test.want) {
			t.Errorf("%q\n got %q\nwant %q", test.text, got, test.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	tests := []struct{ text, want string }{
		{"", "1:1: the file is empty"},
		{"\ufeff", "1:1: the file is empty"},
		{"a: \xff", "1:4: byte 0xff is not UTF-8 text"},
		{"a: 1\nb: ü\xc3", "2:5: byte 0xc3 is not UTF-8 text"},
		{"\xff\xfea\x00:\x00", "1:1: byte 0xff is not UTF-8 text"},
		{"a: 1\r\nb: 2\rc: 3", "2:5: a carriage return that ends no line"},
		{"a: \x00", "1:4: control character 0x00"},
		{strings.Repeat("#", MaxSize+1), "the file is larger than 4 MiB"},
		{"a: " + deep, "1:104: values are nested deeper than 100 levels"},
		{"a: 1\n---\nb: 2", "2:1: a second document begins here"},
		{"a: 1\n---\n\tb: 2", "3:1: a tab cannot indent"},
		{"a: &a {b: &b [*a]}", "1:15: alias *a stands inside its own anchor"},
		{"a: &a\n  <<: *a", "2:7: alias *a stands inside its own anchor"},
		{"a: *b", "1:4: unknown anchor 'b' referenced"},
		{"a: `x`", "1:4: a value that begins with \"`\" needs quotes"},
		{"a: 'x", "1:4: the quote that opens here is never closed"},
		{"a: \"\\q\"", "1:5: found unknown escape character"},
		{"a: 'it's'", "1:8: expected a key and a colon (a value that begins with a quote must end with it"},
	}
	for _, test := range tests {
		doc := Parse([]byte(test.text), Options{})
		problems := doc.Problems()
		if len(problems) != 1 || !strings.HasPrefix(problems[0].String(), test.want) {
			t.Errorf("%.40q: %v, want %s", test.text, problems, test.want)
		}
	}
}

// TestAliasesAreCounted: how much aliases stand for is known without following them.
func TestAliasesAreCounted(t *testing.T) {
	var text strings.Builder
	text.WriteString("a0: &a0 x\n")
	for i := 1; i <= 60; i++ {
		fmt.Fprintf(&text, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	doc := Parse([]byte(text.String()), Options{})
	if p := doc.Problems(); len(p) != 1 || !strings.Contains(p[0].Message, "aliases repeat more than") {
		t.Errorf("%v", p)
	}

	// Two thousand connections that share a block of sixty attributes.
	text.Reset()
	text.WriteString("shared: &shared\n")
	for i := range 60 {
		fmt.Fprintf(&text, "  a%d: b%d\n", i, i)
	}
	for i := range 2000 {
		fmt.Fprintf(&text, "c%d: {attributes: *shared}\n", i)
	}
	if p := Parse([]byte(text.String()), Options{}).Problems(); len(p) != 0 {
		t.Errorf("%v", p)
	}
}

func TestAt(t *testing.T) {
	doc := Parse([]byte("bind:\n  user: x\nservers: [a, {url: b}]\nattributes: {x.y: z}\n"), Options{})
	tests := []struct {
		path         string
		line, column int
		whole        bool
	}{
		{"", 1, 1, true},
		{"bind.user", 2, 9, true},
		{"bind.password", 2, 3, false},
		{"servers[0]", 3, 11, true},
		{"servers[1].url", 3, 20, true},
		{"servers[7]", 3, 10, false},
		{"servers[", 3, 10, false},
		{"attributes.x.y", 4, 19, true},
		{"none.of.it", 1, 1, false},
	}
	for _, test := range tests {
		v, whole := doc.Root().At(test.path)
		if line, column := v.Pos(); line != test.line || column != test.column || whole != test.whole {
			t.Errorf("%q: %d:%d, %v", test.path, line, column, whole)
		}
	}
}

func TestKeys(t *testing.T) {
	type outer struct {
		One  shared            `yaml:"one"`
		Map  map[string]shared `yaml:"map"`
		Pair pairOf            `yaml:"pair"`
	}
	want := []string{"map", "map.ca", "map.timeout", "one", "one.ca", "one.timeout", "pair"}
	if got := Keys(&outer{}); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if !HasRequired(&rich{}) || HasRequired(outer{}) {
		t.Error("HasRequired is wrong")
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"text: x\nlist: [a, b]\nmap: {a: 1}\ninner: {text: y}\nmany: [{ca: x, timeout: 5m}]\n",
		"a: &a [*a]", "<<: [{a: 1}, *x]\n", "x: &x {<<: *x}", "? [a]\n: b\n", "a: !!binary x", "- - - -", "a: |\n b\n", "text: \"\\x00\"",
		"a: */15", "%YAML 1.1\n---\na: 1\n...\n---\nb", "a: {b: = c[0]}", "text: !!str 5\nsmall: +08\nratio: -.nan\nfree: {1: [~]}",
	} {
		f.Add([]byte(seed), "inner.many[0].ca")
	}
	f.Fuzz(func(t *testing.T, data []byte, path string) {
		var target rich
		doc := Parse(data, Options{})
		root := doc.Root()
		if root.Kind() == None {
			if len(doc.Problems()) == 0 {
				t.Fatal("no value and no problem")
			}
			return
		}
		ok := root.Into(&target)
		if !ok && len(doc.Problems()) == 0 {
			t.Fatal("failed without a problem")
		}
		v, _ := root.At(path)
		v.HasProblem()
		v.TextPos()
		// To YAML 1.1 these are line breaks, too.
		breaks := strings.NewReplacer("\u0085", "\n", "\u2028", "\n", "\u2029", "\n")
		lines := strings.Count(breaks.Replace(string(data)), "\n") + 2 // a value that is not written may stand after the end
		for _, p := range doc.Problems() {
			if p.Line < 0 || p.Line > lines || p.Line > 0 && p.Column < 1 || p.Message == "" {
				t.Fatalf("%+v", p)
			}
		}
	})
}
