package cases

import (
	"slices"
	"testing"

	"go.yaml.in/yaml/v4"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// docFile is what is in the file of a table in the reference.
func docFile(name string) mapping.TableSpec {
	if name != "tenants.csv" {
		return mapping.TableSpec{Columns: []string{""}}
	}
	return mapping.TableSpec{Columns: []string{"name", "domain", "customer"}, Rows: []mapping.RowSpec{
		{Key: "T1", Cells: []string{"Contoso Ltd", "contoso.test", "Contoso"}}, {Key: "T2", Cells: []string{"Fabrikam", "fabrikam.test", ""}},
	}}
}

// docTables reads tables as the configuration does, which this package does not know.
func docTables(t *testing.T, block *yaml.Node) map[string]*mapping.Table {
	all := map[string]*mapping.Table{}
	for name, node := range pairs(block) {
		spec := mapping.TableSpec{Columns: []string{""}}
		keys := map[string]*yaml.Node{}
		for key, value := range pairs(node) {
			keys[key] = value
		}
		switch {
		case keys["file"] != nil:
			spec = docFile(keys["file"].Value)
		case keys["rows"] != nil:
			spec.Exact = keys["case"] != nil && keys["case"].Value == "exact"
			node = keys["rows"]
			fallthrough
		default:
			docRows(&spec, node)
		}
		spec.Name = name
		table, problems := mapping.NewTable(&spec)
		if problems != nil {
			t.Fatalf("%+v", problems)
		}
		all[name] = table
	}
	return all
}

func docRows(spec *mapping.TableSpec, node *yaml.Node) {
	for _, row := range pairs(node) {
		for column := range pairs(row) {
			if spec.Columns[0] == "" {
				spec.Columns = nil
			}
			if !slices.Contains(spec.Columns, column) {
				spec.Columns = append(spec.Columns, column)
			}
		}
	}
	for key, row := range pairs(node) {
		r := mapping.RowSpec{Key: key, Cells: make([]string, len(spec.Columns))}
		if row.Kind == yaml.ScalarNode {
			r.Cells[0] = row.Value
		}
		for column, cell := range pairs(row) {
			r.Cells[slices.Index(spec.Columns, column)] = cell.Value
		}
		spec.Rows = append(spec.Rows, r)
	}
}

// pairs goes over a block in the order of the page.
func pairs(n *yaml.Node) func(func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, n.Content[i+1]) {
				return
			}
		}
	}
}

func docChoices(t *testing.T, block *yaml.Node) (all []mapping.ChoiceSpec) {
	for name, node := range pairs(block) {
		spec := mapping.ChoiceSpec{Name: name}
		var lines []struct {
			When string `yaml:"when"`
			Is   any    `yaml:"is"`
		}
		if err := node.Decode(&lines); err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			spec.Lines = append(spec.Lines, mapping.LineSpec{When: mapping.TextSpec{Text: l.When}, Is: mapping.ValueSpec{Value: l.Is}})
		}
		all = append(all, spec)
	}
	return all
}

// docTickets reads the tickets of an example.
func docTickets(t *testing.T, block *yaml.Node) (all []mapping.TicketSpec) {
	for name, node := range pairs(block) {
		var keys struct {
			On     mapping.Occasion     `yaml:"on"`
			For    string               `yaml:"for"`
			When   string               `yaml:"when"`
			Again  string               `yaml:"again_after"`
			Fields map[string]yaml.Node `yaml:"fields"`
		}
		if err := node.Decode(&keys); err != nil {
			t.Fatal(err)
		}
		kind, known := directory.ParseRecordKind(keys.For)
		if !known {
			kind = directory.UserRecord
		}
		all = append(all, mapping.TicketSpec{Name: name, On: keys.On, For: kind, When: mapping.TextSpec{Text: keys.When}, Fields: docFields(t, keys.Fields)})
	}
	return all
}
