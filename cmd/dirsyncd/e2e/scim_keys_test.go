package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"dirsyncd/sync/targets/scim/scimtest"
)

// TestServiceWithoutPages: of a service that answers every page with the first one nobody can tell who is there. That is said at once; with
// `look: keys` each record is looked up by its user name. Who is found is to be adopted, wherever in the list he stands. The search of
// this service minds the case, so that nobody is found proves nothing: a human is asked.
func TestServiceWithoutPages(t *testing.T) {
	t.Parallel()
	a := apps{scimtest.Scimmy(t, scimtest.Express5), t}
	const there, all = 104, 106 // a page holds 100
	for i := range there {
		a.add(fmt.Sprintf("login%d", i), fmt.Sprintf("p%d@example.test", i), "")
	}
	began := a.Requests(t)["POST"]
	in := install(t, fmt.Sprintf(`
state: state.db
connections:
  hr:
    connector: files
    mapping: staff
    targets: [apps]
    files: {folder: in, settle: 0s, kinds: {person: {file: people.csv, key: id, attributes: []}}}
mappings:
  staff:
    rules: [{name: everyone, user: {name: = name, login: = login, email: = email}}]
    guard: {create: {count: 100000}}
targets:
  apps:
    target: scim
    kinds: [user]
    scim: {url: %q, token: {env: SCIM_TOKEN}, rate: 1000, parallel: 4}
`, a.URL))
	in.env = append(in.env, "SCIM_TOKEN="+a.Token)
	if err := os.Mkdir(in.path("in"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in.path("in/people.csv"), []byte(people(all)), 0o600); err != nil {
		t.Fatal(err)
	}
	in.run("sync")
	out, err := in.command("adopt").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "look: keys") {
		t.Fatalf("%s: %v", out, err)
	}
	text := string(mustRead(t, in.path("config.yaml")))
	text = strings.Replace(text, "    kinds: [user]\n", "    kinds: [user]\n    look: keys\n", 1)
	if err := os.WriteFile(in.path("config.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	held := ask[[]struct {
		Hash   string
		Counts map[string]map[string]int
	}](in, 3, "adopt")
	if len(held) != 1 || held[0].Counts["user"]["adopt"] != there || held[0].Counts["user"]["review"] != all-there || held[0].Counts["user"]["create"] != 0 {
		t.Fatalf("%+v", held)
	}
	if n := a.Requests(t)["POST"]; n != began {
		t.Errorf("%d were made before the approval", n-began)
	}
}
