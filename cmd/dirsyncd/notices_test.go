package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"dirsyncd/sync/api"
)

// A test message is sent to whom the configuration names, and what came of it is said and is the exit code.
func TestNoticesTest(t *testing.T) {
	t.Chdir(t.TempDir())
	var status atomic.Int32
	status.Store(http.StatusOK)
	var bodies atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies.Store(string(body))
		w.WriteHeader(int(status.Load()))
	}))
	defer server.Close()
	text := `state: state.db
notices: {to: {chat: {webhook: {url: "` + server.URL + `/t0ken"}}}}
connections: {hq: {connector: ldap, mapping: m, targets: [j], ldap: {servers: ["ldap://127.0.0.1"], base: "dc=x"}}}
mappings: {m: {rules: [{name: everyone, when: enabled, user: {name: = name}}]}}
targets: {j: {target: file, file: {path: j.jsonl}}}
`
	if err := os.WriteFile("config.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) string {
		t.Helper()
		c := newCommandLine(t, nil)
		code := c.run(append([]string{"notices", "test"}, args...)...)
		if code != want {
			t.Errorf("%v: exit code %d, want %d: %s", args, code, want, c.stderr.String())
		}
		if out := c.stdout.String() + c.stderr.String(); strings.Contains(out, "t0ken") {
			t.Errorf("a secret is shown: %s", out)
		}
		return c.stdout.String()
	}
	if out := run(0); !strings.Contains(out, "chat") {
		t.Errorf("out %s", out)
	}
	if body, _ := bodies.Load().(string); !strings.Contains(body, "notices reach you") {
		t.Errorf("body %s", body)
	}
	status.Store(http.StatusForbidden)
	var results []api.ProbeResult
	if err := json.Unmarshal([]byte(run(1, "chat", "--json")), &results); err != nil || len(results) != 1 || results[0].Kind != "recipient" || results[0].Error == "" || results[0].Hint == "" {
		t.Errorf("%+v, %v", results, err)
	}
	run(2, "nobody")
}
