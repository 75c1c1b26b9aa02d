package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/spelling"
)

func newTablesCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "tables",
		Short:   "fill in the tables that rules look up: export",
		Long:    `Looks after the tables of the configuration, in which rules look things up.`,
		Example: `  dirsyncd tables export customers > tenants.csv`,
	}
	asGroup(cmd)
	cmd.AddCommand(newTablesExportCommand(cli))
	return cmd
}

// exportable is something whose names a table can be about.
type exportable struct {
	kind  string   // as of api.StoredQuestion
	names []string // the columns, the usual key first
	value string   // what the column to fill in is called where there is no table yet
}

func exportables() map[string]exportable {
	return map[string]exportable{
		"customers": {api.StoredKindTenant, []string{"id", directory.FieldName, directory.FieldDomain, directory.FieldDomains}, "customer"},
		"groups":    {directory.Group.String(), []string{directory.FieldName, "id", directory.FieldDescription}, "role"},
		"licences":  {directory.Licence.String(), []string{directory.FieldName, "sku", "id"}, "licence"},
		"units":     {directory.Person.String(), []string{directory.FieldPath}, "site"},
	}
}

func newTablesExportCommand(cli *cli) *cobra.Command {
	var connection, table string
	words := slices.Sorted(maps.Keys(exportables()))
	cmd := &cobra.Command{
		Use:   "export customers|groups|licences|units",
		Short: "write what was read as a CSV file, ready to be filled in",
		Long: `Writes a row for everything of a kind that was read, as CSV for a table of the
configuration, to be filled in by hand: the tenants of a source (customers), its
groups, its licences, or the organizational units in which its people are.

Rows that the present table has are kept as they are filled in, also those of
which nothing was read. The table is the one that the rules look up by such a
name, or the one that --table names. No source is asked: what the last runs read
counts.

A cell that a spreadsheet would take for a formula (=, +, -, @) gets an
apostrophe before it, which is not part of it when the table is read.

Exit codes: 0 written, 1 failed, 2 wrong usage or configuration.`,
		Example: `  dirsyncd tables export customers > tenants.csv
  dirsyncd tables export groups --connection hq-ad --table roles
  dirsyncd tables export licences --json`,
		Args:      takes(1, 1, "what: "+strings.Join(words, ", ")),
		ValidArgs: words,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		what, ok := exportables()[args[0]]
		if !ok {
			return &usageError{fmt.Sprintf("%q cannot be exported", args[0]), spelling.Suggest(args[0], words)}
		}
		cfg, err := cli.loadBlind()
		if err != nil {
			return err
		}
		if _, ok := cfg.Connection(connection); connection != "" && !ok {
			return knownAmong(connectionNames(cfg), []string{connection})
		}
		present, key, unit, err := presentTable(cfg, what, table)
		if err != nil {
			return err
		}
		return cli.with(toRead, func(ctx context.Context, ops api.Operations, _ []string) error {
			rows, err := exported(ctx, ops, cfg, connection, what, key, unit)
			if err != nil {
				return err
			}
			return cli.writeTable(present, what, key, rows)
		})(cmd, args)
	}
	cmd.Flags().StringVar(&connection, "connection", "", "only what was read of the connection of this `name`")
	cmd.Flags().StringVar(&table, "table", "", "the `name` of the table whose rows are kept")
	return cmd
}

// presentTable finds the table that is to be filled in, by which of the names its rows are found, and whether by the unit
// of a path. There need not be one.
func presentTable(cfg *config.Config, what exportable, name string) (t *config.Table, key string, unit bool, err error) {
	key = what.names[0]
	if name != "" {
		if t = cfg.Tables[name]; t == nil {
			return nil, "", false, &usageError{fmt.Sprintf("there is no table %q", name), spelling.Suggest(name, slices.Sorted(maps.Keys(cfg.Tables)))}
		}
	}
	found := map[string]mapping.Mention{}
	for _, m := range cfg.Mappings {
		for _, at := range m.Rules.Mentions() {
			if at.Table != nil && kindWord(at.Kind) == what.kind && slices.Contains(what.names, at.Name) && (name == "" || at.Table.Name() == name) {
				found[at.Table.Name()] = at
			}
		}
	}
	names := slices.Sorted(maps.Keys(found))
	switch {
	case len(names) > 1:
		return nil, "", false, &usageError{"the rules look such names up in several tables", "say which with --table: " + strings.Join(names, ", ")}
	case len(names) == 1:
		t, key, unit = cfg.Tables[names[0]], found[names[0]].Name, found[names[0]].Part == "ou"
	}
	return t, key, unit, nil
}

func kindWord(kind directory.Kind) string {
	if kind == 0 {
		return api.StoredKindTenant
	}
	return kind.String()
}

// exported returns the rows of what was read: the key, and the other columns.
func exported(ctx context.Context, ops api.Operations, cfg *config.Config, connection string, what exportable, key string, unit bool) ([][]string, error) {
	names := slices.Insert(slices.DeleteFunc(slices.Clone(what.names), func(n string) bool { return n == key }), 0, key)
	var questions []api.StoredQuestion
	for _, name := range connectionNames(cfg) {
		if connection == "" || connection == name {
			questions = append(questions, api.StoredQuestion{Connection: name, Kind: what.kind, Names: names})
		}
	}
	answers, err := ops.Stored(ctx, questions)
	if err != nil {
		return nil, err
	}
	domains, err := domainsOfTenants(ctx, ops, questions)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	seen := map[string]bool{}
	for _, a := range answers {
		for _, row := range a.Rows {
			if len(row) != len(names) {
				continue
			}
			if units := mapping.Units(row[0]); unit && len(units) > 0 {
				row = slices.Clone(row)
				row[0] = units[0]
			}
			if row[0] != "" && !seen[row[0]] {
				seen[row[0]] = true
				rows = append(rows, row)
			}
		}
	}
	id, at := slices.Index(names, "id"), slices.Index(names, directory.FieldDomains)
	for i := range rows {
		if all, known := domains[rows[i][max(id, 0)]]; known {
			rows[i][at] = all
		}
	}
	return rows, nil
}

// domainsOfTenants are all domains of tenants, by their ids, as the objects of customers say that were read of the connections
// whose tenants are asked for. Tenants themselves know one domain only.
func domainsOfTenants(ctx context.Context, ops api.Operations, tenants []api.StoredQuestion) (map[string]string, error) {
	var questions []api.StoredQuestion
	for _, q := range tenants {
		if q.Kind == api.StoredKindTenant {
			questions = append(questions, api.StoredQuestion{
				Connection: q.Connection, Kind: directory.Customer.String(), Names: []string{"id", directory.FieldDomains},
			})
		}
	}
	if len(questions) == 0 {
		return nil, nil
	}
	answers, err := ops.Stored(ctx, questions)
	domains := map[string]string{}
	for _, a := range answers {
		for _, row := range a.Rows {
			domains[row[0]] = row[1]
		}
	}
	return domains, err
}

// tableRow is a row that is written.
type tableRow struct {
	Key string `json:"key"`
	// Read: something of this key was read.
	Read  bool              `json:"read"`
	Cells map[string]string `json:"cells"`
}

// writeTable writes what was read, with what the present table says of it.
func (cli *cli) writeTable(present *config.Table, what exportable, key string, read [][]string) error {
	known := slices.DeleteFunc(slices.Clone(what.names), func(n string) bool { return n == key })
	header, own := key, []string{what.value}
	if present != nil {
		if header = key; present.Key != "" {
			header = present.Key
		}
		own = slices.DeleteFunc(slices.Clone(present.Spec.Columns), func(c string) bool { return slices.Contains(known, c) })
		if slices.Equal(own, []string{""}) {
			own = []string{what.value}
		}
	}
	filled := func(k string) map[string]string {
		cells := map[string]string{}
		if present == nil {
			return cells
		}
		row, _, ok := present.Rows.Find(k)
		for i, c := range present.Spec.Columns {
			if c == "" {
				c = what.value
			}
			if ok {
				cells[c] = row.Cells[i]
			}
		}
		return cells
	}
	rows, there, blank := []tableRow{}, map[string]bool{}, 0
	for _, r := range read {
		cells := filled(r[0])
		if present != nil {
			there[present.Rows.Same(r[0])] = true
		}
		for i, name := range known {
			cells[name] = r[1+i]
		}
		if !slices.ContainsFunc(own, func(c string) bool { return cells[c] != "" }) {
			blank++
		}
		rows = append(rows, tableRow{r[0], true, cells})
	}
	if present != nil {
		for _, r := range present.Rows.Rows() {
			if !there[present.Rows.Same(r.Key)] {
				rows = append(rows, tableRow{r.Key, false, filled(r.Key)})
			}
		}
	}
	if cli.opts.json {
		return cli.out.JSON(rows)
	}
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	columns := slices.Concat(known, own)
	lines := [][]string{append([]string{header}, columns...)}
	for _, r := range rows {
		line := []string{config.GuardedCell(r.Key)}
		for _, c := range columns {
			line = append(line, config.GuardedCell(r.Cells[c]))
		}
		lines = append(lines, line)
	}
	if err := w.WriteAll(lines); err != nil {
		return err
	}
	cli.out.Raw(text.String())
	note := term.Many(len(read), "row") + " of what was read, " + term.Number(blank) + " of them to be filled in"
	if more := len(rows) - len(read); more > 0 {
		note += "; " + term.Many(more, "row") + " of which nothing was read"
	}
	cli.err.Line("%s", note)
	return nil
}
