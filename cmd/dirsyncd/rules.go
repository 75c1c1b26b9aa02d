package main

import (
	_ "embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/mapping/cases"
	"dirsyncd/sync/mapping/expression"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/spelling"
)

func newRulesCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "test your rules, list what they can say: test, list, fields",
		Long: `Runs your own cases against your rules, lists the names and functions that
rules can use, and prints fields to start from.`,
		Example: `  dirsyncd rules test cases.yaml
  dirsyncd rules list`,
	}
	asGroup(cmd)
	cmd.AddCommand(newRulesTestCommand(cli), newRulesListCommand(cli), newRulesFieldsCommand(cli))
	return cmd
}

func newRulesTestCommand(cli *cli) *cobra.Command {
	var only string
	cmd := &cobra.Command{
		Use:   "test FILE…",
		Short: "run your own cases against the rules",
		Long: `Runs cases from files against the rules of the configuration: a person, group,
licence, device, customer or site goes in, and what is mentioned under "want"
must come out. No source is asked and the state is left alone.

  mapping: staff              # may be left out when there is one mapping
  cases:
    - name: a technician
      person: {name: Ada, department: IT, groups: [Service Desk]}
      want: {rule: service desk, agent: {team: 1st Line}}
    - name: contractors stay out
      person: {department: Contractors}
      want: {ignored: true}
    - name: licences
      licence: {name: Office, quantity: 5}
      want: {licence: {name: Office}}

A case has one object: person, group, licence, device, customer or site. Under
"want": rule, ignored, none (no rule holds), fails (a part of the error), user,
agent, group, licence, asset, customer, site (fields; null is blank), exact
(nothing besides). A case's "at" is the moment of the run, for past, older_than
and due_within: 2026-01-31, or a time of RFC 3339.

Exit codes: 0 all cases passed, 1 one failed, 2 a file or the configuration is
wrong.`,
		Example: `  dirsyncd rules test cases.yaml
  dirsyncd rules test tests/*.yaml --mapping staff --json`,
		Args: takes(1, -1, "files with cases"),
		ValidArgsFunction: func(*cobra.Command, []string, string) (completions, directive) {
			return completions{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		cfg, err := cli.loadBlind()
		if err != nil {
			return err
		}
		var results []fileResult
		for _, file := range args {
			r, err := runCases(cfg, file, only)
			if err != nil {
				return err
			}
			results = append(results, r)
		}
		return cli.showCases(results)
	}
	cmd.Flags().StringVar(&only, "mapping", "", "the `name` of the mapping, for files that do not say")
	return cmd
}

// deskFields are fields that most service desks have.
//
//go:embed deskfields.yaml
var deskFields string

func newRulesFieldsCommand(cli *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "fields",
		Short: "print fields for a service desk, to be pasted under a mapping",
		Long: `Prints a block of fields for every kind of record that most service desks have,
to start from: paste it under a mapping, keep what your desk has and your source
tells, and change it as you like.

Exit codes: 0, or 2 for wrong usage.`,
		Example: `  dirsyncd rules fields`,
		Args:    takes(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			if cli.opts.json {
				var block map[string]any
				if err := yaml.Load([]byte(deskFields), &block); err != nil {
					return err
				}
				return cli.out.JSON(block)
			}
			cli.out.Raw(deskFields)
			return nil
		},
	}
}

// caseFile is what stands in a file of cases.
type caseFile struct {
	Mapping string       `yaml:"mapping"`
	Cases   []cases.Case `yaml:"cases" strict:"required"`
}

type fileResult struct {
	File    string     `json:"file"`
	Mapping string     `json:"mapping"`
	Cases   []caseLine `json:"cases"`
}

type caseLine struct {
	cases.Result
	Passed bool   `json:"passed"`
	Error  string `json:"error,omitempty"`
}

func runCases(cfg *config.Config, file, otherwise string) (fileResult, error) {
	given, err := readCases(file)
	if err != nil {
		return fileResult{}, err
	}
	if given.Mapping == "" {
		given.Mapping = otherwise
	}
	name, rules, err := chooseMapping(cfg, file, given.Mapping)
	if err != nil {
		return fileResult{}, err
	}
	result := fileResult{File: file, Mapping: name, Cases: []caseLine{}}
	for i, c := range given.Cases {
		if c.Name == "" {
			c.Name = fmt.Sprintf("case %d", i+1)
		}
		line := caseLine{Result: cases.Run(rules, c)}
		line.Passed = line.Result.Passed()
		if line.Err != nil {
			line.Error = line.Err.Error()
		}
		result.Cases = append(result.Cases, line)
	}
	return result, nil
}

// readCases decodes a file as strictly as the configuration: a misspelt expectation must not pass for one that
// was met.
func readCases(file string) (caseFile, error) {
	var given caseFile
	data, err := os.ReadFile(file)
	if err != nil {
		return given, &usageError{err.Error(), ""}
	}
	doc := strict.Parse(data, strict.Options{Dir: filepath.Dir(file)})
	if root := doc.Root(); root.Kind() != strict.None {
		root.Into(&given)
	}
	if len(doc.Problems()) == 0 {
		return given, nil
	}
	bad := &config.Error{}
	for _, p := range doc.Problems() {
		bad.Problems = append(bad.Problems,
			config.Problem{File: file, Line: p.Line, Column: p.Column, Message: p.Message, Hint: p.Hint})
	}
	return given, bad
}

func chooseMapping(cfg *config.Config, file, name string) (string, *mapping.Ruleset, error) {
	names := slices.Sorted(maps.Keys(cfg.Mappings))
	if name == "" && len(names) == 1 {
		name = names[0]
	}
	if name == "" {
		return "", nil, &usageError{file + " does not say which mapping it tests",
			"write `mapping: NAME` in it, or use --mapping; there are " + strings.Join(names, ", ")}
	}
	m, ok := cfg.Mappings[name]
	if !ok {
		text := fmt.Sprintf("%s: there is no mapping %q", file, name)
		return "", nil, &usageError{text, spelling.Suggest(name, names)}
	}
	return name, m.Rules, nil
}

func (cli *cli) showCases(results []fileResult) error {
	passed, failed := 0, 0
	for _, r := range results {
		for _, c := range r.Cases {
			if c.Passed {
				passed++
			} else {
				failed++
			}
		}
	}
	code := exitClean
	if failed > 0 {
		code = exitFailed
	}
	if cli.opts.json {
		if err := cli.out.JSON(results); err != nil {
			return err
		}
		return finished(code)
	}
	for _, r := range results {
		cli.out.Line("%s, mapping %s", cli.out.Paint(term.Bold, r.File), r.Mapping)
		for i := range r.Cases {
			cli.showCase(&r.Cases[i])
		}
	}
	cli.out.Line("")
	cli.out.Line("%s passed, %s failed", term.Number(passed), term.Number(failed))
	return finished(code)
}

func (cli *cli) showCase(c *caseLine) {
	if c.Passed {
		cli.out.Mark(term.Green, "  PASS  ", c.Name)
		return
	}
	cli.out.Mark(term.Red, "  FAIL  ", c.Name)
	if c.Error != "" {
		cli.out.Para("        ", c.Error)
	}
	for _, d := range c.Differences {
		cli.out.Para("        ", d)
	}
}

func newRulesListCommand(cli *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the names and functions that rules can use",
		Long: `Lists the names that rules of each kind of object can read, and the functions
that they can call, with examples.

Exit codes: 0, or 2 for wrong usage.`,
		Example: `  dirsyncd rules list
  dirsyncd rules list --json | jq -r '.functions[].signature'`,
		Args: takes(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			if cli.opts.json {
				return cli.out.JSON(struct {
					Person    []typedName           `json:"person"`
					Group     []typedName           `json:"group"`
					Licence   []typedName           `json:"licence"`
					Device    []typedName           `json:"device"`
					Customer  []typedName           `json:"customer"`
					Site      []typedName           `json:"site"`
					Functions []expression.Function `json:"functions"`
				}{
					namesOf(directory.Person), namesOf(directory.Group), namesOf(directory.Licence),
					namesOf(directory.Device), namesOf(directory.Customer), namesOf(directory.Site), expression.Functions(),
				})
			}
			for _, kind := range directory.Kinds() {
				cli.showNames("of a "+kind.String(), expression.NamesOf(kind).List())
			}
			cli.showFunctions()
			return nil
		},
	}
}

type typedName struct {
	expression.Name
	Type string `json:"type"`
}

func namesOf(kind directory.Kind) []typedName {
	names := expression.NamesOf(kind).List()
	list := make([]typedName, len(names))
	for i, n := range names {
		list[i] = typedName{n, expression.TypeWord(n.Type)}
	}
	return list
}

func (cli *cli) showNames(of string, names []expression.Name) {
	cli.out.Line("%s", cli.out.Paint(term.Bold, "Names "+of))
	t := &term.Table{Indent: "  ", Columns: []term.Column{term.Left(""), term.Left(""), term.Left("")}}
	for _, n := range names {
		t.Add(n.Name, term.Dim.Cell(expression.TypeWord(n.Type)), n.Help)
	}
	cli.out.Table(t)
	cli.out.Line("")
}

func (cli *cli) showFunctions() {
	cli.out.Line("%s", cli.out.Paint(term.Bold, "Functions"))
	for _, f := range expression.Functions() {
		cli.out.Para("  ", f.Signature)
		cli.out.Para("      ", f.Help)
		for _, e := range f.Examples {
			cli.out.ParaStyled(term.Dim, "      ", e.Expression+"  →  "+e.Result)
		}
	}
}
