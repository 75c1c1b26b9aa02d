package cases

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/mapping/expression"
)

const reference = "../../../docs/rules.md"

// docRules is a block of rules in the reference.
type docRules struct {
	Rules     []docRule                       `yaml:"rules"`
	Groups    []docRule                       `yaml:"groups"`
	Licences  []docRule                       `yaml:"licences"`
	Devices   []docRule                       `yaml:"devices"`
	Customers []docRule                       `yaml:"customers"`
	Sites     []docRule                       `yaml:"sites"`
	Fields    map[string]map[string]yaml.Node `yaml:"fields"`
	Leavers   mapping.Leavers                 `yaml:"leavers"`
	Tables    yaml.Node                       `yaml:"tables"`
	Choices   yaml.Node                       `yaml:"choices"`
	Tickets   yaml.Node                       `yaml:"tickets"`
	Cases     []Case                          `yaml:"cases"`
}

type docRule struct {
	Name       string               `yaml:"name"`
	When       string               `yaml:"when"`
	Ignore     bool                 `yaml:"ignore"`
	NewOnly    bool                 `yaml:"new_only"`
	UpdateOnly bool                 `yaml:"update_only"`
	Always     []string             `yaml:"always"`
	User       map[string]yaml.Node `yaml:"user"`
	Agent      map[string]yaml.Node `yaml:"agent"`
	Group      map[string]yaml.Node `yaml:"group"`
	Licence    map[string]yaml.Node `yaml:"licence"`
	Asset      map[string]yaml.Node `yaml:"asset"`
	Customer   map[string]yaml.Node `yaml:"customer"`
	Site       map[string]yaml.Node `yaml:"site"`
}

func docFields(t *testing.T, nodes map[string]yaml.Node) []mapping.FieldSpec {
	var fields []mapping.FieldSpec
	for name, node := range nodes {
		var long struct {
			Value any           `yaml:"value"`
			On    mapping.On    `yaml:"on"`
			Blank mapping.Blank `yaml:"blank"`
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
		fields = append(fields, mapping.FieldSpec{Name: name, Value: mapping.ValueSpec{Value: long.Value}, On: long.On, Blank: long.Blank})
	}
	return fields
}

func (d *docRules) spec(t *testing.T) mapping.Spec {
	spec := mapping.Spec{Name: "doc", Leavers: d.Leavers, Fields: map[directory.RecordKind][]mapping.FieldSpec{}}
	for word, fields := range d.Fields {
		kind, ok := directory.ParseRecordKind(word)
		if !ok {
			t.Fatalf("fields of %q", word)
		}
		spec.Fields[kind] = docFields(t, fields)
	}
	convert := func(rules []docRule) []mapping.RuleSpec {
		var specs []mapping.RuleSpec
		for _, r := range rules {
			s := mapping.RuleSpec{Name: r.Name, When: mapping.TextSpec{Text: r.When}, Ignore: r.Ignore, NewOnly: r.NewOnly, UpdateOnly: r.UpdateOnly, Always: r.Always, Records: map[directory.RecordKind][]mapping.FieldSpec{}}
			for kind, fields := range map[directory.RecordKind]map[string]yaml.Node{
				directory.UserRecord: r.User, directory.AgentRecord: r.Agent, directory.GroupRecord: r.Group,
				directory.LicenceRecord: r.Licence, directory.AssetRecord: r.Asset, directory.CustomerRecord: r.Customer,
				directory.SiteRecord: r.Site,
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
	spec.Licences, spec.Devices, spec.Customers, spec.Sites = convert(d.Licences), convert(d.Devices), convert(d.Customers), convert(d.Sites)
	spec.Tickets = docTickets(t, &d.Tickets)
	spec.Tables, spec.Choices = docTables(t, &d.Tables), docChoices(t, &d.Choices)
	return spec
}

// TestReferenceExamples compiles every example of the reference and runs its cases.
func TestReferenceExamples(t *testing.T) { runExamples(t, readPage(t, reference), 12) }

// TestComingFromExamples does the same with the page about mapping lines of other products.
func TestComingFromExamples(t *testing.T) {
	runExamples(t, readPage(t, "../../../docs/coming-from.md"), 10)
}

// TestReferenceHasPolicies: the words for what a field does are mentioned.
func TestReferenceHasPolicies(t *testing.T) {
	text := readPage(t, reference)
	for _, word := range []string{string(mapping.KeepBlank), string(mapping.ClearBlank), string(mapping.OnCreate), string(mapping.OnAlways)} {
		if !strings.Contains(text, word) {
			t.Errorf("the reference does not mention %s", word)
		}
	}
}

// TestServiceAccountExamples does the same with the recipes for service accounts.
func TestServiceAccountExamples(t *testing.T) {
	_, section, ok := strings.Cut(readPage(t, "../../../docs/entra.md"), "\n## Service accounts\n")
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
	var rs *mapping.Ruleset
	blocks := regexp.MustCompile("(?ms)^```(yaml|expr)\n(.*?)^```").FindAllStringSubmatch(text, -1)
	if len(blocks) < atLeast {
		t.Fatalf("only %d examples found", len(blocks))
	}
	people := expression.NewLanguage(directory.Person)
	for _, b := range blocks {
		if b[1] == "expr" {
			for line := range strings.Lines(b[2]) {
				if _, diagnostics := people.Value(strings.TrimSpace(line)); diagnostics != nil {
					t.Errorf("%s: %+v", line, diagnostics)
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
			var problems []mapping.Problem
			if rs, problems = mapping.Compile(doc.spec(t)); problems != nil {
				t.Fatalf("%+v in\n%s", problems, b[2])
			}
		}
		for _, c := range doc.Cases {
			if got := Run(rs, c); !got.Passed() {
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
