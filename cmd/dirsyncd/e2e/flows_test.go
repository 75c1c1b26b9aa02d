package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// flow is a page of docs/flows: a configuration, what the source has, and what must come out. Its blocks are fenced as
// ```yaml NAME, and its files as ```csv FILE.
type flow struct {
	t      *testing.T
	blocks map[string]string
	files  map[string]string
}

// flowRecord is the one record that a line of a page speaks of: its kind and its fields.
type flowRecord map[string]map[string]any

// flowStep is something that happens at the source, in words, and the events that must come of it: each has the
// operation with the kind of record, the record's name, and the fields that changed.
type flowStep struct {
	When string `yaml:"when"`
	// Full: everything is read after it.
	Full  bool             `yaml:"full"`
	Comes []map[string]any `yaml:"comes"`
}

func readFlow(t *testing.T, name string) *flow {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../../docs/flows", name+".md"))
	fatal(t, err)
	f := &flow{t: t, blocks: map[string]string{}, files: map[string]string{}}
	parts := strings.Split(string(data), "\n```")
	for i := 1; i < len(parts); i += 2 {
		info, text, _ := strings.Cut(parts[i], "\n")
		language, name, _ := strings.Cut(info, " ")
		switch {
		case language == "csv" && name != "":
			f.files[name] = text + "\n"
		case name != "":
			if _, twice := f.blocks[name]; twice {
				t.Fatalf("two blocks %q", name)
			}
			f.blocks[name] = text + "\n"
		}
	}
	return f
}

// block decodes a block of the page. One that nothing decodes would rot, so a key without a field is an error.
func flowBlock[T any](f *flow, name string) (v T) {
	f.t.Helper()
	text, ok := f.blocks[name]
	if !ok {
		f.t.Fatalf("the page has no block %q", name)
	}
	if err := yaml.Load([]byte(text), &v, yaml.WithKnownFields()); err != nil {
		f.t.Fatalf("block %q: %v", name, err)
	}
	return v
}

// install checks the configuration as it stands in the page, and makes an installation of it in which texts of the page
// (addresses) are replaced, in pairs. Secrets are written where credentials are looked for.
func (f *flow) install(secrets map[string]string, replace ...string) *installation {
	f.t.Helper()
	in := install(f.t, f.blocks["config"])
	in.env = append(in.env, "CREDENTIALS_DIRECTORY="+in.path("credentials"))
	fatal(f.t, os.Mkdir(in.path("credentials"), 0o700))
	for name, secret := range secrets {
		fatal(f.t, os.WriteFile(in.path("credentials/"+name), []byte(secret), 0o600))
	}
	for name, text := range f.files {
		fatal(f.t, os.WriteFile(in.path(name), []byte(text), 0o600))
	}
	if r := in.expect(0, "check"); strings.Contains(r.out+r.err, "warning") {
		f.t.Errorf("check warns:\n%s%s", r.out, r.err)
	}
	text := f.blocks["config"]
	for pair := range slices.Chunk(append(replace, "/var/lib/dirsyncd/", "", "/var/log/dirsyncd/", ""), 2) {
		if !strings.Contains(text, pair[0]) {
			f.t.Fatalf("the configuration does not say %q", pair[0])
		}
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	in.configure(text)
	return in
}

// records holds the records of the first sync against the block "records".
func (f *flow) records(in *installation) {
	f.t.Helper()
	names, got := map[string]string{}, []string{}
	for _, e := range in.journal() {
		names[e.Data.Key] = fmt.Sprint(e.Data.Record["name"])
	}
	for _, e := range in.journal() {
		if e.Data.Op != "create" {
			f.t.Errorf("a first sync did %s", e.inShort())
			continue
		}
		fields := maps.Clone(e.Data.Record)
		for _, list := range []string{"members", "holders"} {
			if c, ok := e.Data.Changes[list]; ok {
				fields[list] = flowNames(names, c.Added)
			}
		}
		got = append(got, flowLine(e.Data.Kind, fields))
	}
	var want []string
	for _, r := range flowBlock[[]flowRecord](f, "records") {
		for kind, fields := range r {
			want = append(want, flowLine(kind, fields))
		}
	}
	f.same("the records of the first sync", got, want)
}

// then does what the steps of the page say, syncs after each, and holds what comes against what the page says.
func (f *flow) then(in *installation, sync []string, does map[string]func()) {
	f.t.Helper()
	steps := flowBlock[[]flowStep](f, "then")
	for _, step := range steps {
		do, ok := does[step.When]
		if !ok {
			f.t.Fatalf("nothing does %q", step.When)
		}
		delete(does, step.When)
		before := len(in.journal())
		do()
		args := sync
		if step.Full {
			args = append(slices.Clone(sync), "--full")
		}
		in.expect(0, args...)
		names, got := map[string]string{}, []string{}
		for _, e := range in.journal() {
			names[e.Data.Key] = fmt.Sprint(e.Data.Record["name"])
		}
		for _, e := range in.journal()[before:] {
			said := map[string]any{e.Data.Op: e.Data.Kind}
			if name, ok := e.Data.Record["name"]; ok { // a ticket has none
				said["name"] = name
			}
			for field, c := range e.Data.Changes {
				switch field {
				case "members", "holders":
					for word, list := range map[string][]string{"added": c.Added, "removed": c.Removed} {
						if len(list) > 0 {
							said[word] = flowNames(names, list)
						}
					}
				default:
					said[field] = c.To
				}
			}
			got = append(got, flowLine("", flowOnly(said, e.Data.Op, e.Data.Record, step.Comes)))
		}
		var want []string
		for _, comes := range step.Comes {
			want = append(want, flowLine("", comes))
		}
		f.same(step.When, got, want)
	}
	for left := range does {
		f.t.Errorf("the page does not say %q", left)
	}
}

// flowOnly adds, of a record that was made, the fields that the page mentions of it: a page need not repeat all of them.
func flowOnly(said map[string]any, op string, record map[string]any, comes []map[string]any) map[string]any {
	for _, want := range comes {
		if want[op] != said[op] || want["name"] != said["name"] || op != "create" && op != "reactivate" {
			continue
		}
		for field := range want {
			if v, ok := record[field]; ok {
				said[field] = v
			}
		}
	}
	return said
}

func flowNames(names map[string]string, keys []string) []any {
	list := make([]string, len(keys))
	for i, key := range keys {
		list[i] = key
		if name := names[key]; name != "" {
			list[i] = name
		}
	}
	slices.Sort(list)
	all := make([]any, len(list))
	for i := range list {
		all[i] = list[i]
	}
	return all
}

// flowLine is a record in one line, or an event, which has no kind. Lists have no order.
func flowLine(kind string, fields map[string]any) string {
	var b strings.Builder
	b.WriteString(kind)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		v := fields[name]
		if v == nil {
			if kind == "" { // of an event: the field was cleared
				fmt.Fprintf(&b, " %s=null", name)
			}
			continue
		}
		if list := reflect.ValueOf(v); list.Kind() == reflect.Slice {
			texts := make([]string, list.Len())
			for i := range texts {
				texts[i] = fmt.Sprint(list.Index(i).Interface())
			}
			slices.Sort(texts)
			v = texts
		}
		fmt.Fprintf(&b, " %s=%v", name, v)
	}
	return strings.TrimSpace(b.String())
}

// same compares lines in any order.
func (f *flow) same(what string, got, want []string) {
	f.t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		f.t.Errorf("%s: came\n  %s\nthe page says\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// cloudAddress is the first line of a block with the addresses of Microsoft's simulator below it.
func cloudAddress(block, url string) string {
	text := "\n    " + block + ":\n      authority: \"" + url + "\"\n      graph: \"" + url + "\"\n      ca_file: ca.pem\n"
	if block == "csp" {
		text += "      partner_center: \"" + url + "\"\n"
	}
	return text
}

func writeCA(in *installation, ca []byte) error { return os.WriteFile(in.path("ca.pem"), ca, 0o600) }
