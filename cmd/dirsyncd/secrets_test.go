package main

import (
	"os"
	"strings"
	"testing"
)

// What needs no secret asks for none: those are the service's, and whoever looks has other rights and another environment.
func TestSecretsThatOnlyTheServiceSees(t *testing.T) {
	c := alone(t)
	if code := c.run("sync"); code != exitClean {
		t.Fatalf("exit code %d: %s", code, c.stderr.String())
	}
	text, err := os.ReadFile("config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	base, _, _ := strings.Cut(string(text), "\nmappings:")
	before, _, _ := strings.Cut(base, "password: ")
	_, after, _ := strings.Cut(base, "}, base:")
	rest := string(text[len(base):])
	others := `
  cloud: {connector: google, mapping: staff, targets: [journal], google: {customer: C01, subject: a@example.test, credentials: {credential: google-key}}}
  org: {connector: okta, mapping: staff, targets: [journal, desk], okta: {url: "https://org.okta.com", client_id: x, private_key: {file: none/key.pem}}}`
	rest = strings.Replace(rest, "changes.jsonl}}", "changes.jsonl}}, desk: {target: webhook, webhook: {url: {env: DESK_URL_NOT_SET}, secret: {env: DESK_KEY_NOT_SET}}}", 1)
	secretless := before + "password: {credential: ldap-password}}, base:" + after + others + rest
	if err := os.WriteFile("config.yaml", []byte(secretless), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args string
		code int
		says string
	}{
		{"status", exitClean, "ok"},
		{"runs", exitClean, "clean"},
		{"why user nobody", exitFailed, "is known as"},
		{"parked list", exitClean, "nothing is parked"},
		{"parked drop --all --yes", exitClean, "dropped 0 items"},
		{"state verify", exitClean, "sound"},
		{"plan --offline hq", exitClean, "nothing to do"},
		{"plan --offline org", exitUsage, "open: org: a secret of it cannot be read"},
		{"discard abc", exitUsage, "no plan with this hash"},
		// Who asks others needs them.
		{"plan", exitUsage, "ldap-password"},
		{"sync", exitUsage, "ldap-password"},
		{"parked replay --all", exitUsage, "ldap-password"},
		{"check", exitUsage, "ldap-password"},
	} {
		if code := c.run(strings.Fields(tc.args)...); code != tc.code || !strings.Contains(c.stdout.String()+c.stderr.String(), tc.says) {
			t.Errorf("%s: exit code %d, want %d\n%s%s", tc.args, code, tc.code, c.stdout.String(), c.stderr.String())
		}
	}
}

// `dirsyncd check && systemctl reload dirsyncd` works for whoever cannot see the service's credentials.
func TestCheckBesideADaemon(t *testing.T) {
	socket := serve(t, sample())
	text := "control: " + socket + "\n" + strings.Replace(goodConfig, "{server: ldap://hq}", "{server: ldap://hq, secret: {credential: desk}}", 1)
	c := withConfig(t, text)
	if code := c.run("check"); code != exitClean || !strings.Contains(strings.Join(strings.Fields(c.stdout.String()), " "), "this command cannot see it") {
		t.Errorf("exit code %d: %s%s", code, c.stdout.String(), c.stderr.String())
	}
	if code := c.run("check", "--probe"); code != exitUsage {
		t.Errorf("a probe needs the secret: exit code %d: %s", code, c.stdout.String())
	}
	c = withConfig(t, strings.Replace(text, "{credential: desk}", "{file: none.txt}", 1))
	if code := c.run("check"); code != exitUsage || !strings.Contains(c.stderr.String(), "does not exist") {
		t.Errorf("a file that is missing is missing for everybody: exit code %d: %s%s", code, c.stdout.String(), c.stderr.String())
	}
	c = withConfig(t, "listn: x\n"+text)
	if code := c.run("check"); code != exitUsage || !strings.Contains(c.stderr.String(), "listn") {
		t.Errorf("exit code %d: %s%s", code, c.stdout.String(), c.stderr.String())
	}
}
