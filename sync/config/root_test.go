package config

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dirsyncd/sync/settings/strict"
)

const rootFile = "../../config.yaml"

func TestRootFile(t *testing.T) {
	cfg, err := Load(rootFile, testParts(map[string]string{"LDAP_PASSWORD": "secret"}))
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) > 0 {
		t.Errorf("%v", cfg.Warnings)
	}
	hq, ok := cfg.Connection("hq-ad")
	if !ok || hq.Incremental == nil || hq.Complete == nil || cfg.Mappings["staff"].Rules == nil || len(cfg.Targets) != 1 {
		t.Errorf("%+v", cfg)
	}
}

// uncommented returns the root file with its optional parts switched on. What is an alternative to a part that
// is on already is left off.
func uncommented(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(rootFile)
	if err != nil {
		t.Fatal(err)
	}
	option := regexp.MustCompile(`^( *)# ( *(?:- )?[a-z0-9_]+:(?: .*)?)$`)
	nested := regexp.MustCompile(`^( *)#( +# .*)$`)
	prose := []string{"level: debug, ", "format: text, ", "on: always ", "blank: keep ", "deactivate (the", "{"}
	seen := make(map[string]bool)
	var lines []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\n")
		if m := option.FindStringSubmatch(line); m != nil && !slices.ContainsFunc(prose, func(p string) bool {
			return strings.HasPrefix(strings.TrimSpace(m[2]), p)
		}) {
			line = m[1] + m[2]
			seen[strings.TrimSpace(line)] = true
		} else if m := nested.FindStringSubmatch(line); m != nil {
			line = m[1] + m[2]
		}
		lines = append(lines, line)
	}
	// A database is an alternative to the file.
	text := strings.Replace(strings.Join(lines, "\n"), "state: /var/lib/dirsyncd/state.db\n", "", 1)
	// The long forms of the user's fields are an alternative to the line above them.
	return strings.Replace(text, "      user: {name: = name, email: = email, phone: = phone ?? mobile}\n", "", 1)
}

// TestRootFileOptions switches on everything that the root file shows as a comment.
func TestRootFileOptions(t *testing.T) {
	text := uncommented(t)
	cfg, err := Parse([]byte(text), "config.yaml", testParts(map[string]string{
		"LDAP_PASSWORD": "secret", "DESK_TOKEN": "token", "CREDENTIALS_DIRECTORY": credentialFolder(t),
	}))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	block := cfg.Connections[0].Block.(*ldapBlock)
	if !block.StartTLS || block.CAFile == "" || block.Preset == "" || block.Users.Filter == "" || block.Groups.Base == "" {
		t.Errorf("ldap: %+v", block)
	}
	if s := cfg.Signin; s == nil || len(s.Providers) != 2 || len(s.Apps) != 4 || s.Apps[3].TokenURL == nil || s.Apps[3].LogoutURL == nil || s.Apps[2].TokenURL == nil || s.Apps[1].HandOver != "freshworks" || len(cfg.MatchOf("hq-ad")) != 1 {
		t.Errorf("sign-in: %+v", s)
	}
	if d := cfg.Database; d == nil || d.Schema != "dirsyncd" || d.Connections != 12 || d.Password.Reveal() != "x" {
		t.Errorf("state: %+v", d)
	}
	if len(cfg.Targets) != 7 || cfg.Control == "" || len(cfg.Mappings["staff"].Spec.Groups) != 1 || len(cfg.Mappings["staff"].Guard.Tenant) != 3 {
		t.Errorf("%+v", cfg)
	}
}

func credentialFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir+"/desk-webhook", "whsec_x", 0o400)
	write(t, dir+"/apps", "x", 0o400)
	write(t, dir+"/halo", "x", 0o400)
	write(t, dir+"/database", "x", 0o400)
	write(t, dir+"/staff-oidc", "x", 0o400)
	write(t, dir+"/delinea", "x", 0o400)
	write(t, dir+"/zendesk", "a shared secret as Zendesk makes them", 0o400)
	write(t, dir+"/freshworks", rsaKey(t), 0o400)
	write(t, dir+"/smtp", "x", 0o400)
	write(t, dir+"/chat-hook", "https://chat.example.com/hook", 0o400)
	write(t, dir+"/helpdesk", "x", 0o400)
	write(t, dir+"/register", "x", 0o400)
	write(t, dir+"/console-ann", "a long token of the first one", 0o400)
	write(t, dir+"/console-helpdesk", "a long token of the help desk", 0o400)
	write(t, dir+"/desk-webhook-old", "whsec_y", 0o400)
	return dir
}

// rsaKey is a private key in PEM.
func rsaKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// TestDocumentation looks for every key of the configuration in docs/configuration.md and in config.yaml.
func TestDocumentation(t *testing.T) {
	var keys []string
	for _, v := range []any{
		topKeys{}, signinKeys{}, identityKeys{}, applicationKeys{}, consoleKeys{}, consoleUserKeys{}, consoleSigninKeys{}, longTable{}, lineKeys{}, connectionKeys{}, tenantKeys{}, importKeys{}, targetKeys{}, mappingKeys{}, fieldsKeys{}, personRuleKeys{}, groupRuleKeys{},
		longField{}, Limit{}, ldapBlock{}, fileBlock{}, webhookBlock{}, natsBlock{}, scimBlock{}, haloBlock{}, restBlock{}, sqlBlock{}, deskKeys{}, Reference{}, Leaver{}, DeskLimit{}, auditKeys{},
	} {
		for _, key := range strict.Keys(v) {
			keys = append(keys, key[strings.LastIndex(key, ".")+1:])
		}
	}
	keys = append(keys, connectionsKey, mappingsKey, targetsKey, tablesKey, "env", "credential", "ldap", "webhook")
	keys = append(keys, opWords()...)
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(rootFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if !strings.Contains(string(page), "`"+key+"`") {
			t.Errorf("docs/configuration.md does not explain `%s`", key)
		}
		if !regexp.MustCompile(`\b` + key + `\b`).Match(root) {
			t.Errorf("config.yaml does not show %s", key)
		}
	}
}
