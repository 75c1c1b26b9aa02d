package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"dirsyncd/sync/config/strict"
)

// renderings prints a value in every way that comes to mind.
func renderings(t *testing.T, v any) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T %v", "%10.3v", "%!"} {
		all[verb] = fmt.Sprintf(verb, v, v) // the verbs are wrong on purpose
	}
	for name, marshal := range map[string]func(any) ([]byte, error){
		"json": json.Marshal, "yaml": func(v any) ([]byte, error) { return yaml.Dump(v) }, "xml": xml.Marshal,
	} {
		text, err := marshal(v)
		all[name] = fmt.Sprint(string(text), err)
	}
	var out bytes.Buffer
	debug := &slog.HandlerOptions{Level: slog.LevelDebug}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, debug), slog.NewJSONHandler(&out, debug)} {
		slog.New(h).Info("x", "v", v, "p", &v, "group", slog.GroupValue(slog.Any("v", v)))
	}
	all["slog"] = out.String()
	all["error"] = fmt.Errorf("wrapped: %v", v).Error()
	return all
}

func TestSecretHides(t *testing.T) {
	secret := NewSecret("hunter2")
	type wrap struct {
		Open   Secret `json:"open"`
		closed Secret
		list   []Secret
		Map    map[string]Secret `xml:"-"`
		Any    any
	}
	w := wrap{secret, secret, []Secret{secret}, map[string]Secret{"k": secret}, secret}
	for name, v := range map[string]any{
		"secret": secret, "pointer": &secret, "struct": w, "struct pointer": &w, "list": []Secret{secret},
		"map": map[string]Secret{"k": secret}, "nested": []any{[]any{w}},
	} {
		for how, text := range renderings(t, v) {
			if strings.Contains(text, "hunter") || strings.Contains(text, fmt.Sprintf("%x", "hunter2")) {
				t.Errorf("%s as %s shows the secret: %s", name, how, text)
			}
		}
	}
	if got := fmt.Sprintf("%v %s %q %d", secret, secret, secret, secret); got != "*** *** *** ***" {
		t.Errorf("rendered %q", got)
	}
	if secret.Reveal() != "hunter2" || !secret.Equal(NewSecret("hunter2")) || secret.Equal(NewSecret("hunter3")) || secret.IsZero() {
		t.Error("the secret does not hold its value")
	}
	if zero := (Secret{}); zero.Reveal() != "" || !zero.IsZero() || zero.String() != hidden {
		t.Error("the zero secret is not empty")
	}
	_ = w.closed
	_ = w.list
}

func TestConfigHidesSecrets(t *testing.T) {
	cfg := everything(t)
	texts := renderings(t, cfg)
	for how, text := range renderings(t, *cfg) {
		texts["value as "+how] = text
	}
	for i := range cfg.Connections {
		for how, text := range renderings(t, cfg.Connections[i].Block) {
			texts[cfg.Connections[i].Name+" as "+how] = text
		}
	}
	for i := range cfg.Targets {
		for how, text := range renderings(t, cfg.Targets[i]) {
			texts[cfg.Targets[i].Name+" as "+how] = text
		}
	}
	printed, err := cfg.Print()
	if err != nil {
		t.Fatal(err)
	}
	texts["Print"] = string(printed)
	for how, text := range texts {
		for _, secret := range []string{"env-hunter", "file-hunter", "credential-hunter", "pa'ss", "literal"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %q: %s", how, secret, text)
			}
		}
	}
	if !strings.Contains(texts["json"], `"password":"***"`) || !strings.Contains(texts["Print"], "password: '***'") {
		t.Errorf("the stars are missing:\n%s\n%s", texts["json"], printed)
	}
}

// TestPrintedConfigLoads: what Print shows is a configuration with the same meaning.
func TestPrintedConfigLoads(t *testing.T) {
	first, err := everything(t).Print()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(first, "printed.yaml", testParts(nil))
	if err != nil {
		t.Fatalf("%v\n%s", err, first)
	}
	second, err := again.Print()
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("%v\nfirst:\n%s\nsecond:\n%s", err, first, second)
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "lines"), "one\n\n", 0o600)
	write(t, filepath.Join(dir, "shared"), "x", 0o620)
	write(t, filepath.Join(dir, "empty"), "\n", 0o600)
	write(t, filepath.Join(dir, "huge"), strings.Repeat("x", maxSecret+1), 0o600)
	tests := []struct{ source, value, problem string }{
		{"{file: lines}", "one\n", ""},
		{"{file: " + dir + "/lines}", "one\n", ""},
		{"{credential: lines}", "one\n", ""},
		{"{env: E}", "from env\n", ""},
		{"literal", "literal", ""},
		{"{env: EMPTY}", "", "the secret is empty"},
		{"{env: }", "", "a value is missing"},
		{"{env: [E]}", "", "expected text, found a list"},
		{"{file: ''}", "", "the path is empty"},
		{"{file: none}", "", "none does not exist"},
		{"{file: shared}", "", "others may write"},
		{"{file: empty}", "", "the secret is empty"},
		{"{file: huge}", "", "is larger than 64 KiB"},
		{"{file: .}", "", "is not a regular file"},
		{"{file: /dev/zero}", "", "is not a regular file"},
		{"{credential: none}", "", "credential none: "},
		{"{credential: ../x}", "", "is not a file name"},
		{"{credential: .}", "", "is not a file name"},
		{"{}", "", "a secret has one source, found 0"},
	}
	env := map[string]string{"E": "from env\n", "EMPTY": "", credentialsVar: dir}
	for _, test := range tests {
		doc := strict.Parse([]byte("s: "+test.source), strict.Options{Dir: dir,
			LookupEnv: func(n string) (string, bool) { v, ok := env[n]; return v, ok }})
		var got struct {
			S Secret `yaml:"s"`
		}
		ok := doc.Root().Into(&got)
		problems := fmt.Sprint(doc.Problems())
		if ok != (test.problem == "") || got.S.Reveal() != test.value || !strings.Contains(problems, test.problem) {
			t.Errorf("%s: %q, %s", test.source, got.S.Reveal(), problems)
		}
	}
	if os.Getuid() != 0 {
		write(t, filepath.Join(dir, "locked"), "x", 0o000)
		if _, _, err := readSecret(filepath.Join(dir, "locked")); err == nil || !strings.Contains(err.Error(), "may not be read") {
			t.Errorf("%v", err)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{
		"30s": "30s", "90s": "1m30s", "1h": "1h", "24h": "1d", "30d": "30d", "1w": "7d", "1d12h": "1d12h", "1500ms": "1.5s", "0s": "0s",
	} {
		d, err := strict.ParseDuration(text)
		if err != nil || Duration(d).String() != want {
			t.Errorf("%s: %v, %v, want %s", text, Duration(d), err, want)
		}
		again, err := strict.ParseDuration(Duration(d).String())
		if err != nil || again != d {
			t.Errorf("%s: %v does not come back", text, Duration(d))
		}
	}
	for _, text := range []string{"", "d", "1", "-5m", "1d-5m", "5x", "1.5d", "99999999999d", "300000w", "1h1d"} {
		if d, err := strict.ParseDuration(text); err == nil {
			t.Errorf("%q is taken as %v", text, d)
		}
	}
}

func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := Parse(data, "c", testParts(map[string]string{"E": "x"}))
		if err != nil {
			return
		}
		if _, err := cfg.Print(); err != nil {
			t.Fatal(err)
		}
	})
}
