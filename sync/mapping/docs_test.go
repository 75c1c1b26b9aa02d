package mapping

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"dirsyncd/sync/directory"
)

const reference = "../../docs/rules.md"

var update = flag.Bool("update", false, "write the table of functions into docs/rules.md")

// docRules is a block of rules in the reference.
type docRules struct {
	Rules     []docRule                       `yaml:"rules"`
	Groups    []docRule                       `yaml:"groups"`
	Licences  []docRule                       `yaml:"licences"`
	Devices   []docRule                       `yaml:"devices"`
	Customers []docRule                       `yaml:"customers"`
	Fields    map[string]map[string]yaml.Node `yaml:"fields"`
	Leavers   Leavers                         `yaml:"leavers"`
	Cases     []Case                          `yaml:"cases"`
}

type docRule struct {
	Name     string               `yaml:"name"`
	When     string               `yaml:"when"`
	Ignore   bool                 `yaml:"ignore"`
	User     map[string]yaml.Node `yaml:"user"`
	Agent    map[string]yaml.Node `yaml:"agent"`
	Group    map[string]yaml.Node `yaml:"group"`
	Licence  map[string]yaml.Node `yaml:"licence"`
	Asset    map[string]yaml.Node `yaml:"asset"`
	Customer map[string]yaml.Node `yaml:"customer"`
}

func docFields(t *testing.T, nodes map[string]yaml.Node) []FieldSpec {
	var fields []FieldSpec
	for name, node := range nodes {
		var long struct {
			Value any   `yaml:"value"`
			On    On    `yaml:"on"`
			Blank Blank `yaml:"blank"`
		}
		var err error
		if node.Kind == yaml.MappingNode {
			err = node.Decode(&long)
		} else {
			err = node.Decode(&long.Value)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		fields = append(fields, FieldSpec{Name: name, Value: ValueSpec{Value: long.Value}, On: long.On, Blank: long.Blank})
	}
	return fields
}

func (d *docRules) spec(t *testing.T) Spec {
	spec := Spec{Name: "doc", Leavers: d.Leavers, Fields: map[directory.RecordKind][]FieldSpec{}}
	for word, fields := range d.Fields {
		kind, ok := directory.ParseRecordKind(word)
		if !ok {
			t.Fatalf("fields of %q", word)
		}
		spec.Fields[kind] = docFields(t, fields)
	}
	convert := func(rules []docRule) []RuleSpec {
		var specs []RuleSpec
		for _, r := range rules {
			s := RuleSpec{Name: r.Name, When: TextSpec{Text: r.When}, Ignore: r.Ignore, Records: map[directory.RecordKind][]FieldSpec{}}
			for kind, fields := range map[directory.RecordKind]map[string]yaml.Node{
				user: r.User, agent: r.Agent, group: r.Group,
				directory.LicenceRecord: r.Licence, directory.AssetRecord: r.Asset, directory.CustomerRecord: r.Customer,
			} {
				if fields != nil {
					s.Records[kind] = docFields(t, fields)
				}
			}
			specs = append(specs, s)
		}
		return specs
	}
	spec.Rules, spec.Groups = convert(d.Rules), convert(d.Groups)
	spec.Licences, spec.Devices, spec.Customers = convert(d.Licences), convert(d.Devices), convert(d.Customers)
	return spec
}

// TestReferenceExamples compiles every example of the reference and runs its cases.
func TestReferenceExamples(t *testing.T) { runExamples(t, readPage(t, reference), 12) }

// TestServiceAccountExamples does the same with the recipes for service accounts.
func TestServiceAccountExamples(t *testing.T) {
	_, section, ok := strings.Cut(readPage(t, "../../docs/entra.md"), "\n## Service accounts\n")
	if !ok {
		t.Fatal("there is no such section")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	runExamples(t, section, 4)
}

// runExamples compiles the blocks of a text, of which there are at least so many. Cases are run on the rules before
// them.
func runExamples(t *testing.T, text string, atLeast int) {
	t.Helper()
	var rs *Ruleset
	blocks := regexp.MustCompile("(?ms)^```(yaml|expr)\n(.*?)^```").FindAllStringSubmatch(text, -1)
	if len(blocks) < atLeast {
		t.Fatalf("only %d examples found", len(blocks))
	}
	for _, b := range blocks {
		if b[1] == "expr" {
			for line := range strings.Lines(b[2]) {
				if _, flaws := newLanguage(personVocabulary()).compile(strings.TrimSpace(line), false); flaws != nil {
					t.Errorf("%s: %+v", line, flaws)
				}
			}
			continue
		}
		var doc docRules
		dec := yaml.NewDecoder(strings.NewReader(b[2]))
		dec.KnownFields(true)
		if err := dec.Decode(&doc); err != nil {
			t.Fatalf("%v in\n%s", err, b[2])
		}
		if doc.Cases == nil {
			var problems []Problem
			if rs, problems = Compile(doc.spec(t)); problems != nil {
				t.Fatalf("%+v in\n%s", problems, b[2])
			}
		}
		for _, c := range doc.Cases {
			if got := RunCase(rs, c); !got.Passed() {
				t.Errorf("%s: %v, %q", c.Name, got.Err, got.Differences)
			}
		}
	}
}

func readPage(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestReferenceIsCurrent: the table of functions is that of Functions, and every name is mentioned.
// With -update the table is written.
func TestReferenceIsCurrent(t *testing.T) {
	text := readPage(t, reference)
	start, end := "<!-- functions -->\n", "<!-- end of functions -->\n"
	head, rest, ok1 := strings.Cut(text, start)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for the functions", reference)
	}
	current := head + start + functionReference() + end + tail
	if *update {
		if err := os.WriteFile(reference, []byte(current), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if current != text {
		t.Errorf("the table of functions is old: go test ./sync/mapping -run ReferenceIsCurrent -update")
	}
	names := append(NamesOf(directory.Person), NamesOf(directory.Group)...)
	for _, n := range names {
		if strings.HasPrefix(n.Name, "manager.") {
			continue
		}
		if !strings.Contains(text, "`"+n.Name+"`") {
			t.Errorf("the reference does not mention %s", n.Name)
		}
	}
	for _, word := range slices.Concat([]string{"`manager.NAME`", "`attributes.NAME`", "`attribute_values.NAME`"},
		[]string{string(KeepBlank), string(ClearBlank), string(OnCreate), string(OnAlways)}) {
		if !strings.Contains(text, word) {
			t.Errorf("the reference does not mention %s", word)
		}
	}
}

func functionReference() string {
	var out strings.Builder
	cell := func(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
	out.WriteString("| function | is | for example |\n|---|---|---|\n")
	for _, f := range Functions() {
		var examples []string
		for _, e := range f.Examples {
			examples = append(examples, fmt.Sprintf("`%s` is `%s`", e.Expression, e.Result))
		}
		signatures := strings.ReplaceAll(f.Signature, "), ", ")`, `")
		fmt.Fprintf(&out, "| `%s` | %s | %s |\n", cell(signatures), cell(f.Help), cell(strings.Join(examples, ", ")))
	}
	return out.String()
}
