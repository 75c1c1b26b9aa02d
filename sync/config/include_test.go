package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	includingFile = `include: ["parts/*.yaml", rules.yaml]
connections:
  hq: {connector: ldap, mapping: staff, targets: [journal], ldap: {servers: ["ldap://127.0.0.1"], base: "dc=x"}}
targets:
  journal: {target: file, file: {path: changes.jsonl}}
`
	partOfConnections = `x-shared: &at {servers: ["ldap://127.0.0.1"], base: "dc=x", ca_file: ca.pem}
connections:
  leeds: {connector: ldap, mapping: staff, targets: [journal], ldap: *at}
`
	partOfRules = "mappings:\n  staff: {rules: [{name: everyone, when: enabled, user: true}]}\n"
)

// files writes a configuration and what it includes, and returns the main file.
func files(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, text, 0o600)
	}
	return filepath.Join(dir, "config.yaml")
}

// TestInclude: connections, mappings and targets may stand in files of their own, whose paths start where they are.
func TestInclude(t *testing.T) {
	texts := map[string]string{
		"config.yaml": includingFile, "parts/leeds.yaml": partOfConnections, "parts/.leeds.yaml": "nonsense: [", "parts/leeds.yaml~": "nonsense", "rules.yaml": partOfRules,
	}
	file := files(t, texts)
	cfg, err := Load(file, testParts(nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Connections) != 2 || cfg.Mappings["staff"] == nil || len(cfg.Warnings) > 0 {
		t.Errorf("%+v", cfg)
	}
	leeds, _ := cfg.Connection("leeds")
	if got, want := string(leeds.Block.(*ldapBlock).CAFile), filepath.Join(filepath.Dir(file), "parts", "ca.pem"); got != want {
		t.Errorf("a path of an included file is %s, want %s", got, want)
	}
	text, err := Read(file)
	if err != nil || text.Sum() != cfg.Sum {
		t.Errorf("sums %s and %s, %v", text.Sum(), cfg.Sum, err)
	}
	write(t, filepath.Join(filepath.Dir(file), "rules.yaml"), partOfRules+"# edited\n", 0o600)
	if text, err = Read(file); err != nil || text.Sum() == cfg.Sum {
		t.Errorf("an edit of an included file is not seen: %v", err)
	}
}

// TestIncludeErrors: what is wrong in an included file is told with that file's name, and what is wrong with it, at the place
// that names it.
func TestIncludeErrors(t *testing.T) {
	for name, c := range map[string]struct {
		edit map[string]string
		want string
	}{
		"unknown key":   {map[string]string{"parts/leeds.yaml": partOfConnections + "targts: {}\n"}, `parts/leeds.yaml:4:1: unknown key "targts" (did you mean "targets"?)`},
		"main key":      {map[string]string{"rules.yaml": partOfRules + "state: x.db\n"}, `rules.yaml:3:1: key "state" is not for a file that is included (write it in config.yaml)`},
		"include again": {map[string]string{"rules.yaml": partOfRules + "include: [x.yaml]\n"}, `rules.yaml:3:1: key "include" is not for a file that is included (write it in config.yaml)`},
		"same name":     {map[string]string{"parts/other.yaml": strings.ReplaceAll(partOfConnections, "leeds", "hq")}, `parts/other.yaml:3:3: connection "hq" is given twice; it stands in config.yaml already`},
		"rule":          {map[string]string{"rules.yaml": strings.ReplaceAll(partOfRules, "enabled", "enabeld")}, `rules.yaml:2:42: rule "everyone": when: unknown name enabeld…`},
		"syntax":        {map[string]string{"rules.yaml": "mappings: [\n"}, `rules.yaml:…`},
		"no such file":  {map[string]string{"config.yaml": strings.Replace(includingFile, "rules.yaml", "rulez.yaml", 1)}, `config.yaml:1:27: include[1]: rulez.yaml: the configuration file does not exist (relative names start in the folder of config.yaml)`},
		"no pattern":    {map[string]string{"config.yaml": strings.Replace(includingFile, "rules.yaml", "\"[\"", 1)}, `config.yaml:1:27: include[1]: "[" is not a pattern of names`},
		"no list":       {map[string]string{"config.yaml": strings.Replace(includingFile, `["parts/*.yaml", rules.yaml]`, "rules.yaml", 1)}, `config.yaml:1:10: include: expected a list, found text (put it in brackets: [ … ])`},
	} {
		t.Run(name, func(t *testing.T) {
			texts := map[string]string{"config.yaml": includingFile, "parts/leeds.yaml": partOfConnections, "rules.yaml": partOfRules}
			for file, text := range c.edit {
				texts[file] = text
			}
			file := files(t, texts)
			_, err := Load(file, testParts(nil))
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.ReplaceAll(err.Error(), filepath.Dir(file)+"/", "")
			begin, open := strings.CutSuffix(c.want, "…")
			for line := range strings.Lines(got) {
				if line = strings.TrimSuffix(line, "\n"); line == c.want || open && strings.HasPrefix(line, begin) {
					return
				}
			}
			t.Errorf("got  %s\nwant %s", got, c.want)
		})
	}
}

// TestIncludeOfNothing: a pattern that names no file is odd, and no more than that.
func TestIncludeOfNothing(t *testing.T) {
	file := files(t, map[string]string{"config.yaml": includingFile, "rules.yaml": partOfRules})
	cfg, err := Load(file, testParts(nil))
	if err != nil || len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0].Message, "there is no file parts/*.yaml") {
		t.Errorf("%v, %v", cfg, err)
	}
}

// TestOneMistakeHidesNoOther: what cannot be read keeps nobody from hearing of what is wrong elsewhere, and is not taken for
// mistakes of those who refer to it.
func TestOneMistakeHidesNoOther(t *testing.T) {
	const tables = "tables: {roles: {file: roles.csv}}\n"
	rules := strings.Replace(partOfRules, "user: true", "user: {role: '= table.roles[groups]', site: = ofice}", 1)
	const mistake = `rules.yaml:2:97: rule "everyone": user.site: unknown name ofice`
	for name, c := range map[string]struct {
		edit map[string]string
		want []string
	}{
		"a file is missing": {map[string]string{"config.yaml": strings.Replace(includingFile, `"parts/*.yaml"`, "targets.yaml", 1) + "listen: 9440\n" + tables, "roles.csv": "g,role\nA,x\n"},
			[]string{"config.yaml:1:11: include[0]: targets.yaml: the configuration file does not exist", "config.yaml:6:9: listen", mistake}},
		"a file is half written": {map[string]string{"parts/leeds.yaml": "connections:\n  leeds: {connector: ldap,\n", "config.yaml": includingFile + tables, "roles.csv": "g,role\nA,x\n"},
			[]string{"parts/leeds.yaml:", mistake}},
		"rows": {map[string]string{"config.yaml": includingFile + tables, "roles.csv": "g,role\nA,x,y\nB,\"z\"z\nC,x\nc,y\n,q\n"},
			[]string{`roles.csv:2:5: the row has more cells than the header`, `roles.csv:3:5: extraneous or missing "`, `roles.csv:5:1: table roles: the key "c" stands in line 4 already`, `roles.csv:6:1: table roles: the row has no key`, mistake}},
		"no rows at all": {map[string]string{"config.yaml": includingFile + tables},
			[]string{`config.yaml:6:24: file cannot be read: no such file or directory`, mistake}},
	} {
		t.Run(name, func(t *testing.T) {
			texts := map[string]string{"config.yaml": includingFile, "parts/leeds.yaml": partOfConnections, "rules.yaml": rules}
			for file, text := range c.edit {
				texts[file] = text
			}
			file := files(t, texts)
			_, err := Load(file, testParts(nil))
			var bad *Error
			if !errors.As(err, &bad) {
				t.Fatalf("%v", err)
			}
			got := strings.ReplaceAll(err.Error(), filepath.Dir(file)+"/", "")
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("without %s", want)
				}
			}
			if len(bad.Problems) != len(c.want) {
				t.Errorf("%d problems, want %d", len(bad.Problems), len(c.want))
			}
			if t.Failed() {
				t.Log(got)
			}
		})
	}
}

// TestManyBadRows: of a mistake that is made in every row some are told, and that there are more.
func TestManyBadRows(t *testing.T) {
	_, err := parseTables(t, map[string]string{"t.csv": "g,role\n" + strings.Repeat("A,x,y\n", 100000)},
		"tables: {r: {file: t.csv}}\nmappings: {staff: {rules: [{name: r, user: {role: '= table.r[groups]'}}]}}")
	var bad *Error
	if !errors.As(err, &bad) || len(bad.Problems) != mostRowProblems+1 || !strings.Contains(bad.Problems[mostRowProblems].Message, "too many mistakes") {
		t.Errorf("%v", err)
	}
}

// TestGuardedCell: what a spreadsheet would take for a formula comes back as it was.
func TestGuardedCell(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "Acme": "Acme", "=1+1": "'=1+1", "+44 20": "'+44 20", "-x": "'-x", "@all": "'@all", "'=1": "''=1", "'Acme": "'Acme", "a=b": "a=b", "'": "'",
	} {
		if got := GuardedCell(text); got != want || plainCell(got) != text {
			t.Errorf("%q is written as %q and read as %q, want %q", text, got, plainCell(got), want)
		}
	}
	cfg, err := parseTables(t, map[string]string{"t.csv": "g,role\n'=A,'-x\n+B,'y\n"},
		"tables: {r: {file: t.csv}}\nmappings: {staff: {rules: [{name: r, user: {role: '= table.r[groups]'}}]}}")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"=A": "-x", "+B": "'y"} {
		if row, _, ok := cfg.Tables["r"].Rows.Find(key); !ok || row.Cells[0] != want {
			t.Errorf("%s: %q, %v", key, row, ok)
		}
	}
}
