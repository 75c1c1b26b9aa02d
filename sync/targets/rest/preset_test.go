package rest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// configOf is a configuration of a preset as an operator would write it.
func configOf(t testing.TB, preset string, names nameMap) *Config {
	t.Helper()
	cfg := defaults()
	if !loadPreset(cfg, preset) {
		t.Fatal("there is no such preset")
	}
	cfg.Preset, cfg.URL, cfg.Names = preset, "https://desk.example.test/api", names
	cfg.Auth.Token = settings.NewSecret("s3cret-token")
	if issues := cfg.Validate(); len(issues) > 0 {
		t.Fatal(issues)
	}
	return cfg
}

// TestPresets: every preset can be used with nothing but an address and a secret, and says where it is from.
func TestPresets(t *testing.T) {
	for _, name := range Presets() {
		cfg := configOf(t, name, nil)
		if cfg.Tried == "" || cfg.Source == "" {
			t.Errorf("%s: says not on what it was tried, or where it is from", name)
		}
		about := describe(cfg)
		for i := range about.Kinds {
			if about.Kinds[i].Marked {
				t.Errorf("%s: %s has a mark, and nobody said where", name, about.Kinds[i].Kind)
			}
		}
	}
}

// TestPrinted: a description that is printed is read as the same one.
func TestPrinted(t *testing.T) {
	for _, name := range Presets() {
		cfg := readConfig(t, "preset: "+name+"\nurl: https://desk.example.test\nauth: {token: x}\nkinds: {user: {create: {post: /x}, busy: none, fields: {email: none, title: {at: a, write: none}}}}\n")
		text, err := yaml.Dump(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var tree map[string]any
		if err := yaml.Load(text, &tree); err != nil {
			t.Fatal(err)
		}
		auth := tree["auth"].(map[string]any)
		auth["token"] = "x"
		delete(auth, "user")
		delete(auth, "password")
		delete(tree, "proxy")
		if text, err = yaml.Dump(pruned(tree)); err != nil {
			t.Fatal(err)
		}
		again := readConfig(t, string(text))
		a, b := compile(cfg, ignored), compile(again, ignored)
		if have, want := fmt.Sprint(describe(again)), fmt.Sprint(describe(cfg)); have != want || len(a.errors) != len(b.errors) {
			t.Errorf("%s: %s, want %s", name, have, want)
		}
		u, v := a.kinds[directory.UserRecord], b.kinds[directory.UserRecord]
		if u.busy != nil || v.busy != nil || fmt.Sprint(u.fields) != fmt.Sprint(v.fields) || len(u.find) != len(v.find) {
			t.Errorf("%s: %v, want %v", name, v.fields, u.fields)
		}
	}
}

// pruned is a tree without what is empty, as the configuration is printed.
func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, x := range v {
			if x = pruned(x); x == nil || x == "" {
				delete(v, key)
			} else {
				v[key] = x
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
		if len(v) == 0 {
			return nil
		}
	}
	return v
}

func ignored(string, string, string, ...any) {}

// TestDocumented: every key stands in docs/rest.md, and every preset.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/rest.md")
	if err != nil {
		t.Fatal(err)
	}
	words := Presets()
	for _, v := range []any{plainConfig{}, Pages{}, Auth{}, plainKind{}, plainRequest{}, Lookup{}, plainField{}, Reference{}, Key{}, Test{}, ErrorRule{}} {
		for _, key := range strict.Keys(v) {
			words = append(words, key[strings.LastIndex(key, ".")+1:])
		}
	}
	for class := range classes() {
		words = append(words, class)
	}
	for _, word := range append(words, requestWords()...) {
		if !strings.Contains(string(page), "`"+word+"`") {
			t.Errorf("docs/rest.md does not explain `%s`", word)
		}
	}
}

// TestBadDescriptions: what cannot be meant is told, with its place and what to write.
func TestBadDescriptions(t *testing.T) {
	for text, want := range map[string]string{
		"preset: zamad":                                                          `there is no preset "zamad"`,
		"kinds: {person: none}":                                                  "is no kind of record",
		"names: {marck: 7}":                                                      "unknown key",
		"kinds: {user: {lst: none}}":                                             "unknown key",
		"kinds: {user: {list: none}}":                                            "kinds.user.list is missing",
		"kinds: {user: {get: {get: users}}}":                                     "must begin with a slash",
		"kinds: {user: {get: {put: /users}}}":                                    "changes something",
		"kinds: {user: {get: {get: /a, post: /b}}}":                              "has two methods",
		"kinds: {user: {get: {get: '/users/{value}'}}}":                          "{value} stands for nothing here",
		"kinds: {user: {create: {post: '/users/{names.team}'}}}":                 `needs the name "team"`,
		"kinds: {user: {find: {shoe: {get: '/users?x={value}'}}}}":               `"shoe" is no key`,
		"kinds: {user: {id: 'a[b'}}":                                             "is no path",
		"kinds: {user: {id: 'a..b'}}":                                            "is no path",
		"kinds: {user: {title: shoe}}":                                           `"shoe" is no key`,
		"kinds: {user: {fields: {name: {at: a, as: int}}}}":                      `unknown word "int"`,
		"kinds: {user: {fields: {name: {at: a, none: nil}}}}":                    `unknown word "nil"`,
		"kinds: {user: {active: {at: a}}}":                                       "says not what the value must be",
		"kinds: {user: {active: {at: a, matches: '('}}}":                         "is no regular expression",
		"kinds: {user: {reactivate: none}}":                                      "reactivate is missing",
		"kinds: {user: {verify: look}}":                                          "must be one of two words",
		"kinds: {user: {references: {boss: {kind: chief, at: a}}}}":              `"chief" is no kind`,
		"kinds: {user: {list: {get: /a, pages: {by: pages}}}}":                   `unknown word "pages"`,
		"errors: [{class: lost, status: [400]}]":                                 `unknown word "lost"`,
		"errors: [{class: gone}]":                                                "would hold for every answer",
		"errors: [{class: gone, on: [look], status: [400]}]":                     `unknown word "look"`,
		"pages: {by: cursor, page: p, next: ''}":                                 "next is missing",
		"auth: {user: a}":                                                        "has more than one",
		"rate: 0":                                                                "more than 0",
		"url: ftp://x":                                                           "is not an http",
		"url: https://a:b@c/":                                                    "holds more than a host",
		"self: {get: /me}":                                                       "self.id is missing",
		"kinds: {group: {remove: none}}":                                         "remove is missing",
		"kinds: {user: {list: {get: /a, only: {at: a}}}}":                        "says not what",
		"kinds: {user: {delete: {delete: '/u/{id}', lookup: {get: /x, id: a}}}}": "goes with remove only",
	} {
		cfg := defaults()
		base := "preset: redmine\nurl: https://desk.example.test\nauth: {token: x}\n"
		key, _, _ := strings.Cut(text, ":")
		var lines []string
		for line := range strings.Lines(base) {
			if !strings.HasPrefix(line, key+":") || key == "auth" {
				lines = append(lines, line)
			}
		}
		if key == "auth" {
			lines, text = lines[:2], "auth: {token: x, user: a}"
		}
		doc := strict.Parse([]byte(strings.Join(lines, "")+text), strict.Options{})
		doc.Root().Into(cfg)
		said := fmt.Sprint(doc.Problems())
		for _, issue := range cfg.Validate() {
			said += " " + issue.Path + " " + issue.Message
		}
		if !strings.Contains(said, want) {
			t.Errorf("%s: said %q, want %q", text, said, want)
		}
	}
}
