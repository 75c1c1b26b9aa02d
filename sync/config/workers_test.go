package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Local implements local.
func (b *fileBlock) Local() string { return "the file " + string(b.Path) }

// TestWorkers: who runs what is said by names, and has to be said where several share the state and one machine is not as good as another.
func TestWorkers(t *testing.T) {
	const text = `state: STATE
connections:
  hq: {connector: ldap, mapping: all, targets: [journal], CONNECTION ldap: {servers: ["ldap://127.0.0.1"], base: "dc=example,dc=test"}}
mappings: {all: {rules: [{name: r, user: true}]}}
targets:
  journal: {target: file, TARGET file: {path: j}}
`
	const database = "postgres://dirsyncd@db/dirsyncd"
	for name, test := range map[string]struct {
		state, connection, target string
		bad, warned               string // all problems, all warnings
		unplaced                  string
	}{
		"a file has one process":    {state: "state.db", unplaced: `target "journal"`},
		"nothing said":              {state: database, unplaced: `target "journal"`, warned: `of one machine, and nothing says which; a second worker is refused until that is said`},
		"said":                      {state: database, connection: "workers: [north, south],", target: "workers: [north],"},
		"said where nobody is":      {state: "state.db", target: "workers: [north],", warned: `workers: no others share a state that is a file, so this says nothing`},
		"nobody":                    {state: database, target: "workers: [],", bad: "workers: there is none"},
		"twice":                     {state: database, target: "workers: [north, south, north],", bad: `workers: "north" is named twice`},
		"an empty name":             {state: database, target: `workers: [""],`, bad: "workers: a name is empty"},
		"not a list":                {state: database, connection: "workers: north,", target: "workers: [north],", bad: "workers"},
		"of a connection, no names": {state: database, connection: "workers: [],", target: "workers: [north],", bad: "workers: there is none"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := Parse([]byte(strings.NewReplacer("STATE", test.state, "CONNECTION", test.connection, "TARGET", test.target).Replace(text)), "c", testParts(nil))
			var bad *Error
			if errors.As(err, &bad) != (test.bad != "") || err != nil && !strings.Contains(err.Error(), test.bad) {
				t.Fatalf("%v", err)
			}
			if err != nil {
				return
			}
			var warned []string
			for _, w := range cfg.Warnings {
				warned = append(warned, w.Message)
			}
			if got := strings.Join(warned, "\n"); !strings.Contains(got, test.warned) || test.warned == "" && got != "" {
				t.Errorf("warned: %s", got)
			}
			if got := strings.Join(cfg.Unplaced(), ", "); got != test.unplaced {
				t.Errorf("unplaced: %s", got)
			}
			if printed := cfg.String(); strings.Contains(printed, "workers:") != (test.connection+test.target != "") {
				t.Errorf("%s", printed)
			}
			if test.connection != "" && !slices.Equal(cfg.Connections[0].Workers, []string{"north", "south"}) {
				t.Errorf("%q", cfg.Connections[0].Workers)
			}
		})
	}
}
