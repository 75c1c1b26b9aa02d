package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/spelling"
)

func newRulesCommand(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "test your rules, list what they can say: test, list",
		Long: `Runs your own cases against your rules, and lists the names and functions that
rules can use.`,
		Example: `  dirsyncd rules test cases.yaml
  dirsyncd rules list`,
	}
	asGroup(cmd)
	cmd.AddCommand(newRulesTestCommand(sh), newRulesListCommand(sh))
	return cmd
}

func newRulesTestCommand(sh *shell) *cobra.Command {
	var only string
	cmd := &cobra.Command{
		Use:   "test FILE…",
		Short: "run your own cases against the rules",
		Long: `Runs cases from files against the rules of the configuration: a person, group,
licence, device or customer goes in, and what is mentioned under "want" must
come out. No source is asked and the state is left alone.

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

A case has one object: person, group, licence, device or customer. Under "want":
rule, ignored, none (no rule holds), fails (a part of the error), user, agent,
group, licence, asset, customer (fields; null is blank), exact (nothing
besides).

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
		cfg, err := sh.loadConfig()
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
		return sh.showCases(results)
	}
	cmd.Flags().StringVar(&only, "mapping", "", "the `name` of the mapping, for files that do not say")
	return cmd
}

// caseFile is what stands in a file of cases.
type caseFile struct {
	Mapping string         `yaml:"mapping"`
	Cases   []mapping.Case `yaml:"cases" strict:"required"`
}

type fileResult struct {
	File    string     `json:"file"`
	Mapping string     `json:"mapping"`
	Cases   []caseLine `json:"cases"`
}

type caseLine struct {
	mapping.CaseResult
	Passed bool   `json:"passed"`
	Error  string `json:"error,omitempty"`
}

func runCases(cfg *config.Config, file, otherwise string) (fileResult, error) {
	cases, err := readCases(file)
	if err != nil {
		return fileResult{}, err
	}
	if cases.Mapping == "" {
		cases.Mapping = otherwise
	}
	name, rules, err := chooseMapping(cfg, file, cases.Mapping)
	if err != nil {
		return fileResult{}, err
	}
	result := fileResult{File: file, Mapping: name, Cases: []caseLine{}}
	for i, c := range cases.Cases {
		if c.Name == "" {
			c.Name = fmt.Sprintf("case %d", i+1)
		}
		line := caseLine{CaseResult: mapping.RunCase(rules, c)}
		line.Passed = line.CaseResult.Passed()
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
	var cases caseFile
	data, err := os.ReadFile(file)
	if err != nil {
		return cases, &usageError{err.Error(), ""}
	}
	doc := strict.Parse(data, strict.Options{Dir: filepath.Dir(file)})
	if root := doc.Root(); root.Kind() != strict.None {
		root.Into(&cases)
	}
	if len(doc.Problems()) == 0 {
		return cases, nil
	}
	bad := &config.Error{}
	for _, p := range doc.Problems() {
		bad.Problems = append(bad.Problems,
			config.Problem{File: file, Line: p.Line, Column: p.Column, Message: p.Message, Hint: p.Hint})
	}
	return cases, bad
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

func (sh *shell) showCases(results []fileResult) error {
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
	if sh.opts.json {
		if err := sh.out.json(results); err != nil {
			return err
		}
		return finished(code)
	}
	for _, r := range results {
		sh.out.line("%s, mapping %s", sh.out.paint(bold, r.File), r.Mapping)
		for i := range r.Cases {
			sh.showCase(&r.Cases[i])
		}
	}
	sh.out.line("")
	sh.out.line("%s passed, %s failed", number(passed), number(failed))
	return finished(code)
}

func (sh *shell) showCase(c *caseLine) {
	if c.Passed {
		sh.out.mark(green, "  PASS  ", c.Name)
		return
	}
	sh.out.mark(red, "  FAIL  ", c.Name)
	if c.Error != "" {
		sh.out.para("        ", c.Error)
	}
	for _, d := range c.Differences {
		sh.out.para("        ", d)
	}
}

func newRulesListCommand(sh *shell) *cobra.Command {
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
			if sh.opts.json {
				return sh.out.json(struct {
					Person    []typedName        `json:"person"`
					Group     []typedName        `json:"group"`
					Licence   []typedName        `json:"licence"`
					Device    []typedName        `json:"device"`
					Customer  []typedName        `json:"customer"`
					Functions []mapping.Function `json:"functions"`
				}{
					namesOf(directory.Person), namesOf(directory.Group), namesOf(directory.Licence),
					namesOf(directory.Device), namesOf(directory.Customer), mapping.Functions(),
				})
			}
			for _, kind := range directory.Kinds() {
				sh.showNames("of a "+kind.String(), mapping.NamesOf(kind))
			}
			sh.showFunctions()
			return nil
		},
	}
}

type typedName struct {
	mapping.Name
	Type string `json:"type"`
}

func namesOf(kind directory.Kind) []typedName {
	names := mapping.NamesOf(kind)
	list := make([]typedName, len(names))
	for i, n := range names {
		list[i] = typedName{n, n.TypeWord()}
	}
	return list
}

func (sh *shell) showNames(of string, names []mapping.Name) {
	sh.out.line("%s", sh.out.paint(bold, "Names "+of))
	t := &table{indent: "  ", columns: []column{left(""), left(""), left("")}}
	for _, n := range names {
		t.add(n.Name, cell{n.TypeWord(), dim}, n.Help)
	}
	sh.out.table(t)
	sh.out.line("")
}

func (sh *shell) showFunctions() {
	sh.out.line("%s", sh.out.paint(bold, "Functions"))
	for _, f := range mapping.Functions() {
		sh.out.para("  ", f.Signature)
		sh.out.para("      ", f.Help)
		for _, e := range f.Examples {
			sh.out.paraStyled(dim, "      ", e.Expression+"  →  "+e.Result)
		}
	}
}
