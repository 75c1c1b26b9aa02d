package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// everything loads testdata/good/everything.yaml with its secrets beside it.
func everything(t *testing.T) *Config {
	t.Helper()
	dir := t.TempDir()
	data, err := os.ReadFile("testdata/good/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.yaml")
	write(t, file, string(data), 0o600)
	write(t, filepath.Join(dir, "signing.key"), "file-hunter\r\n", 0o600)
	write(t, filepath.Join(dir, "desk-token"), "credential-hunter\n", 0o400)
	write(t, filepath.Join(dir, "zendesk"), strings.Repeat("shared-hunter", 3)+"\n", 0o400)
	write(t, filepath.Join(dir, "freshworks"), rsaKey(t), 0o400)
	cfg, err := Load(file, testParts(map[string]string{"LDAP_PASSWORD": "env-hunter", "CREDENTIALS_DIRECTORY": dir}))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func write(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
}

func TestEverything(t *testing.T) {
	cfg := everything(t)
	if len(cfg.Warnings) != 0 {
		t.Errorf("warnings: %v", cfg.Warnings)
	}
	if !cfg.FromStart {
		t.Error("secrets that only a restart renews are not noticed")
	}
	if got := string(cfg.State); got != filepath.Join(cfg.Dir, "state/state.db") {
		t.Errorf("state = %s", got)
	}
	if cfg.Control != "/run/dirsyncd/control.sock" || cfg.Listen != "[::1]:9440" || cfg.Log != (Log{"debug", "text"}) {
		t.Errorf("control %s, listen %s, log %v", cfg.Control, cfg.Listen, cfg.Log)
	}
	var names []string
	for _, e := range cfg.Entries() {
		names = append(names, e.Name)
	}
	if !reflect.DeepEqual(names, []string{"branch.2", "branch_3", "hq-ad", "lab", "staff"}) {
		t.Errorf("connections: %v", names)
	}
	hq, _ := cfg.Connection("hq-ad")
	if hq.Schedule != "*/15 * * * *" || hq.Timezone.String() != "Europe/London" || hq.Jitter.Std() != 30*time.Second {
		t.Errorf("hq-ad: %+v", hq)
	}
	sunday := hq.Complete.Next(time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)).UTC()
	if want := time.Date(2026, 7, 5, 2, 0, 0, 0, time.UTC); !sunday.Equal(want) {
		t.Errorf("full read at %v, want %v", sunday, want)
	}
	if third, _ := cfg.Connection("branch_3"); hq.Import != directory.ImportUpdateOnly || third.Import != "" {
		t.Errorf("imports: %q, %q", hq.Import, third.Import)
	}
	block := hq.Block.(*ldapBlock)
	if block.Bind.Password.Reveal() != "env-hunter" || block.PageSize != 500 || block.Timeout.Std() != time.Minute {
		t.Errorf("ldap: %+v", block)
	}
	third, _ := cfg.Connection("branch_3")
	if b := third.Block.(*ldapBlock); b.PageSize != 7 || b.Base != "dc=branch,dc=test" || b.Timeout.Std() != 30*time.Second {
		t.Errorf("merged block: %+v", b)
	}
	if lab, _ := cfg.Connection("lab"); lab.Incremental != nil || lab.Block.(*memoryBlock).People != 10 {
		t.Errorf("lab: %+v", lab)
	}
	hook := cfg.Targets[0].Block.(*webhookBlock)
	if hook.Secret.Reveal() != "file-hunter" || hook.Headers["authorization"].Reveal() != "credential-hunter" {
		t.Error("webhook secrets were not read")
	}
}

func TestMappingSpec(t *testing.T) {
	spec := everything(t).Mappings["staff"].Spec
	if spec.Leavers != mapping.KeepLeavers || len(spec.Rules) != 4 || len(spec.Groups) != 2 || !spec.Rules[0].Ignore {
		t.Fatalf("%+v", spec)
	}
	desk := spec.Rules[1].Records
	if len(desk) != 2 || desk[directory.UserRecord] == nil || len(desk[directory.UserRecord]) != 0 {
		t.Errorf("service desk: %v", desk)
	}
	if got := spec.Rules[2].When.Text; got != "title contains \"Head\"\n  and enabled\n" {
		t.Errorf("block of text: %q", got)
	}
	want := []struct {
		name  string
		value any
		on    mapping.On
		blank mapping.Blank
	}{
		{"customer", "Acme", mapping.OnAlways, mapping.KeepBlank},
		{"site", `= office ?? "Head office"`, mapping.OnAlways, mapping.KeepBlank},
		{"vip", false, mapping.OnAlways, mapping.KeepBlank},
		{"level", int64(3), mapping.OnAlways, mapping.KeepBlank},
		{"started", "2026-01-31", mapping.OnAlways, mapping.KeepBlank},
		{"tags", []string{"a", "2"}, mapping.OnAlways, mapping.KeepBlank},
		{"phone", "= phone ?? mobile", mapping.OnCreate, mapping.KeepBlank},
		{"mobile", "= mobile", mapping.OnAlways, mapping.ClearBlank},
	}
	got := spec.Rules[3].Records[directory.UserRecord]
	for i, w := range want {
		f := got[i]
		if f.Name != w.name || !reflect.DeepEqual(f.Value.Value, w.value) || f.On != w.on || f.Blank != w.blank {
			t.Errorf("field %d: %+v, want %+v", i, f, w)
		}
	}
	if f := spec.Fields[directory.UserRecord][2]; f.Value.Value != `= office ?? "Head office"` {
		t.Errorf("plain expression with quotes inside: %v", f.Value.Value)
	}
}

// TestPositions checks that the mapping gets the place of the first character of every text.
func TestPositions(t *testing.T) {
	cfg, err := Parse([]byte(strings.TrimPrefix(`
connections: {lab: {connector: memory, mapping: m, targets: [j]}}
targets: {j: {target: file, file: {path: x}}}
mappings:
  m:
    rules:
      - name: plain
        when: enabled
        user: {a: = name, b: '= email'}
      - name: block
        when: |
          enabled
        agent: {value: 1}
`, "\n")), "c", testParts(nil))
	if err != nil {
		t.Fatal(err)
	}
	rules := cfg.Mappings["m"].Spec.Rules
	fields := rules[0].Records[directory.UserRecord]
	for _, test := range []struct {
		what      string
		got, want mapping.Pos
	}{
		{"rule", rules[0].Pos, mapping.Pos{Line: 6, Column: 9}},
		{"plain text", rules[0].When.Pos, mapping.Pos{Line: 7, Column: 15}},
		{"field", fields[0].Pos, mapping.Pos{Line: 8, Column: 16}},
		{"value in a flow", fields[0].Value.Pos, mapping.Pos{Line: 8, Column: 19}},
		{"quoted value", fields[1].Value.Pos, mapping.Pos{Line: 8, Column: 31}},
		{"block of text", rules[1].When.Pos, mapping.Pos{Line: 11, Column: 11}},
	} {
		if test.got != test.want {
			t.Errorf("%s stands at %v, want %v", test.what, test.got, test.want)
		}
	}
}

func TestGuard(t *testing.T) {
	guard := everything(t).Mappings["staff"].Guard
	if l := guard.Tenant[directory.Deactivate]; *l.Count != 50 || *l.Percent != 10 || *l.Minimum != 20 || *l.Few != 3 {
		t.Errorf("deactivate: %+v", l)
	}
	if l := guard.Tenant[directory.Create]; *l.Count != 0 || l.Percent != nil || l.Minimum != nil {
		t.Errorf("create: %+v", l)
	}
	if l := guard.Tenant[directory.Update]; *l.Percent != 12.5 {
		t.Errorf("update: %+v", l)
	}
	if m := guard.Memberships; *m.Count != 200 || *m.Percent != 10 || *m.Few != 5 || *m.List != 50 || *m.Minimum != 10 {
		t.Errorf("memberships: %+v", m)
	}
	if l := guard.Connection[directory.Deactivate]; *l.Count != 200 || *l.Percent != 5 || *l.Minimum != 200 || *l.Few != 10 {
		t.Errorf("connection: %+v", l)
	}
}

func TestDefaults(t *testing.T) {
	data, err := os.ReadFile("testdata/good/smallest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := Parse(data, "/etc/dirsyncd/config.yaml", testParts(nil))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.State != DefaultState || cfg.Control != "/var/lib/dirsyncd/control.sock" || cfg.Listen != "" || cfg.Log != (Log{"info", "auto"}) {
		t.Errorf("state %s, control %s, listen %q, log %v", cfg.State, cfg.Control, cfg.Listen, cfg.Log)
	}
	if cfg.Mappings["all"].Spec.Leavers != mapping.DeactivateLeavers || cfg.Mappings["all"].Rules == nil {
		t.Error("the mapping has no default for leavers, or is not compiled")
	}
	if got := cfg.Targets[0].Block.(*fileBlock).Path; got != "/etc/dirsyncd/changes.jsonl" {
		t.Errorf("path = %s", got)
	}
	if c := cfg.Connections[0]; c.Timezone != time.UTC || c.Incremental != nil || c.Complete != nil {
		t.Errorf("%+v", c)
	}
}

func TestWarnings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	write(t, filepath.Join(dir, "key"), "x", 0o644)
	write(t, file, `connections:
  a: {connector: entra, mapping: m, targets: [j], entra: {client_secret: literal}}
  b: {connector: entra, mapping: m, targets: [j], entra: {client_secret: "${TOKEN}"}}
  c: {connector: entra, mapping: m, targets: [j], entra: {client_secret: {file: key}}}
mappings:
  m: {rules: [{name: all, user: true}]}
  spare: {rules: [{name: all, user: true}]}
targets:
  j: {target: file, file: {path: x}}
  k: {target: file, file: {path: y}}
`, 0o644)
	cfg, err := Load(file, testParts(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		":2:74: entra.client_secret: a secret in a file that everybody can read (chmod 0640 the file, or write {file: PATH})",
		":3:74: entra.client_secret: variables are not expanded in a text; this is taken as the secret itself (write {env: NAME})",
		":4:81: entra.client_secret.file: everybody on this machine can read " + dir + "/key (chmod o-r " + dir + "/key)",
		`:7:3: no connection uses mapping "spare"`,
		`:10:3: no connection uses target "k"`,
	}
	if len(cfg.Warnings) != len(want) {
		t.Fatalf("%v", cfg.Warnings)
	}
	for i, w := range want {
		if got := cfg.Warnings[i].String(); got != file+w {
			t.Errorf("got  %s\nwant %s", got, file+w)
		}
	}
}

func TestMissingFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"), Parts{})
	var bad *Error
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "none.yaml: the configuration file does not exist") {
		t.Errorf("%v", err)
	}
	if _, err := Load(t.TempDir(), Parts{}); !errors.As(err, &bad) || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("%v", err)
	}
}

func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	if got, err := Find("elsewhere.yaml"); got != "elsewhere.yaml" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := os.Stat("/etc/dirsyncd/config.yaml"); err == nil {
		t.Skip("this machine has a configuration of its own")
	}
	if _, err := Find(""); err == nil || !strings.Contains(err.Error(), "/etc/dirsyncd/config.yaml") {
		t.Errorf("%v", err)
	}
	write(t, "config.yaml", "", 0o600)
	if got, err := Find(""); got != "config.yaml" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestBlockBeforeConnector: the block may stand before the key that says whose it is.
func TestBlockBeforeConnector(t *testing.T) {
	cfg, err := Parse([]byte(`{targets: {j: {file: {path: x}, target: file}}, mappings: {m: {rules: [{name: a, user: true}]}},
connections: {c: {memory: {people: 3}, targets: [j], mapping: m, connector: memory}}}`), "c", testParts(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Connections[0].Block.(*memoryBlock).People; got != 3 {
		t.Errorf("people = %d", got)
	}
}

// One mistake that was made in thousands of places does not fill the log.
func TestManyProblems(t *testing.T) {
	bad := &Error{}
	for i := range 2000 {
		bad.Problems = append(bad.Problems, Problem{File: "c.yaml", Line: i + 1, Column: 1, Message: "unknown key"})
	}
	text := bad.Error()
	if n := strings.Count(text, "\n"); n != 20 || !strings.Contains(text, "c.yaml:20:1") || !strings.Contains(text, "1980 more") {
		t.Errorf("%d lines: %s", n, text)
	}
}
