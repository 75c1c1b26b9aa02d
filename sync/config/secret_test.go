package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"dirsyncd/sync/settings"
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
	secret := settings.NewSecret("hunter2")
	type wrap struct {
		Open   settings.Secret `json:"open"`
		closed settings.Secret
		list   []settings.Secret
		Map    map[string]settings.Secret `xml:"-"`
		Any    any
	}
	w := wrap{secret, secret, []settings.Secret{secret}, map[string]settings.Secret{"k": secret}, secret}
	for name, v := range map[string]any{
		"secret": secret, "pointer": &secret, "struct": w, "struct pointer": &w, "list": []settings.Secret{secret},
		"map": map[string]settings.Secret{"k": secret}, "nested": []any{[]any{w}},
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
	if secret.Reveal() != "hunter2" || !secret.Equal(settings.NewSecret("hunter2")) || secret.Equal(settings.NewSecret("hunter3")) || secret.IsZero() {
		t.Error("the secret does not hold its value")
	}
	if zero := (settings.Secret{}); zero.Reveal() != "" || !zero.IsZero() || zero.String() != "***" {
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
		for _, secret := range []string{"env-hunter", "file-hunter", "credential-hunter", "shared-hunter", "PRIVATE KEY", "pa'ss", "literal"} {
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
	// Secrets whose form is looked at: the address of a webhook, a key, what is shared with Zendesk.
	key, _ := json.Marshal(rsaKey(t)) // a text
	text := bytes.ReplaceAll(first, []byte("url: '***'"), []byte("url: https://chat.example.test"))
	text = bytes.ReplaceAll(text, []byte("private_key: '***'"), append([]byte("private_key: "), key...))
	text = bytes.ReplaceAll(text, []byte("access/jwt\n      secret: '***'"), []byte("access/jwt\n      secret: "+strings.Repeat("shared", 6)))
	again, err := Parse(text, "printed.yaml", testParts(nil))
	if err != nil {
		t.Fatalf("%v\n%s", err, first)
	}
	cfg := everything(t)
	for i := range cfg.Connections {
		was, is := cfg.Connections[i], again.Connections[i]
		was.Block, is.Block = nil, nil
		if !reflect.DeepEqual(was, is) {
			t.Errorf("connection %s:\n%+v\nwas\n%+v", was.Name, is, was)
		}
	}
	for i := range cfg.Targets {
		was, is := cfg.Targets[i], again.Targets[i]
		if was.Block, is.Block = nil, nil; !reflect.DeepEqual(was, is) {
			t.Errorf("target %s:\n%+v %+v\nwas\n%+v %+v", was.Name, is, is.Desk, was, was.Desk)
		}
	}
	second, err := again.Print()
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("%v\nfirst:\n%s\nsecond:\n%s", err, first, second)
	}
}

// TestPrintedSignin: all that sign-in goes by is shown.
func TestPrintedSignin(t *testing.T) {
	text, err := everything(t).Print()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"keys: /", "remember: 30d", "domains:\n", "match:\n", "button: Sign in with", "require:\n", "unknown: create", "per_day: 20", "customer: by_domain", "issuer: https://idp.example.test",
		"url: https://desk.example.test:8443", "logout_url: https://desk.example.test:8443/out", "user: X-Auth-User", "token_url: https://acme.zendesk.test/access/jwt", "private_key: '***'", "hand_over: token", "auto: true",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
	given := Config{Signin: &Signin{KeyText: settings.NewSecret("shared-hunter")}}
	if text, err := given.Print(); err != nil || !strings.Contains(string(text), "keys: '***'") {
		t.Errorf("keys that are given: %s, error %v", text, err)
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
