package main

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settings"
)

// TestEveryKeyIsDocumented looks for every key of the blocks of connectors and targets in docs/configuration.md or in
// their own page, and for those of targets in config.yaml too, which calls itself complete.
func TestEveryKeyIsDocumented(t *testing.T) {
	read := func(name string) string {
		data, err := os.ReadFile("../../" + name)
		if err != nil {
			return ""
		}
		return string(data)
	}
	page, root := read("docs/configuration.md"), read("config.yaml")
	for _, f := range connectorRegistry() {
		words := codeWords(page + "\n" + read("docs/"+f.Name+".md"))
		for _, key := range keysOf(reflect.TypeOf(f.NewConfig())) {
			if !words[key] {
				t.Errorf("connector %s: neither docs/configuration.md nor docs/%s.md names %s", f.Name, f.Name, key)
			}
		}
	}
	for _, f := range targetRegistry() {
		head := "### The block `" + f.Name + "`"
		_, own, ok := strings.Cut(page, head)
		if !ok {
			t.Errorf("target %s: docs/configuration.md has no section %q", f.Name, head)
		}
		own, _, _ = strings.Cut(own, "\n#")
		words, more := codeWords(own), codeWords(read("docs/"+f.Name+".md"))
		top := topOf(reflect.TypeOf(f.NewConfig()))
		for _, key := range keysOf(reflect.TypeOf(f.NewConfig())) {
			if more[key] && !slices.Contains(top, key) {
				continue // what stands deeper may have a page of its own
			}
			if !words[key] {
				t.Errorf("target %s: docs/configuration.md does not name %s", f.Name, key)
			}
			if !regexp.MustCompile(`[ {]` + key + `:`).MatchString(root) {
				t.Errorf("target %s: config.yaml does not show %s", f.Name, key)
			}
		}
	}
}

// TestKindsOfEvents holds docs/events.md to the kinds of record that rules can make: no other ever leaves.
func TestKindsOfEvents(t *testing.T) {
	data, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	_, row, _ := strings.Cut(string(data), "`data.op`, `data.kind`, `data.key`")
	row, _, _ = strings.Cut(row, "\n")
	var made, ops []string
	for _, op := range directory.Ops() {
		ops = append(ops, "`"+op.String()+"`")
	}
	for _, kind := range directory.RecordKinds() {
		for _, object := range directory.Kinds() {
			if slices.Contains(mapping.RecordsOf(object), kind) {
				made = append(made, "`"+kind.String()+"`")
			}
		}
		if kind == directory.TicketRecord { // opened about people
			made = append(made, "`"+kind.String()+"`")
		}
	}
	if want := strings.Join(ops, ", ") + "; " + strings.Join(made, ", ") + " |"; !strings.HasSuffix(row, want) {
		t.Errorf("docs/events.md:\n%s\nwant at its end\n%s", row, want)
	}
}

// codeWords are the words that stand as code, in a line or in a block of lines.
func codeWords(page string) map[string]bool {
	words, fenced := map[string]bool{}, false
	span, word := regexp.MustCompile("`[^`]+`"), regexp.MustCompile(`[a-z0-9_]+`)
	for line := range strings.Lines(page) {
		code := []string{line}
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
			continue
		case !fenced:
			code = span.FindAllString(line, -1)
		}
		for _, w := range word.FindAllString(strings.Join(code, " "), -1) {
			words[w] = true
		}
	}
	return words
}

// topOf lists the keys that a configuration type itself has.
func topOf(t reflect.Type) []string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var keys []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "" && f.Anonymous {
			keys = append(keys, topOf(f.Type)...)
		}
		keys = append(keys, name)
	}
	return keys
}

// keysOf lists the keys of a configuration type, those of the blocks and lists in it included.
func keysOf(t reflect.Type) []string {
	for slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, t.Kind()) {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[settings.Secret]() {
		return nil
	}
	var keys []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name != "" {
			keys = append(keys, name)
		}
		keys = append(keys, keysOf(f.Type)...)
	}
	return keys
}

func TestKeysOf(t *testing.T) {
	type inner struct {
		A string          `yaml:"a"`
		B settings.Secret `yaml:"b"`
	}
	type Inline struct {
		C string `yaml:"c"`
	}
	type outer struct {
		Inline `yaml:",inline"`
		D      *inner           `yaml:"d"`
		E      []inner          `yaml:"e"`
		F      map[string]inner `yaml:"f"`
		G      string           `yaml:"-"`
	}
	if got, want := keysOf(reflect.TypeFor[*outer]()), strings.Fields("c d a b e a b f a b"); !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
}
