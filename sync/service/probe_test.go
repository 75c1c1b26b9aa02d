package service

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
)

func TestProbeSaysAHintOnce(t *testing.T) {
	r := withError(api.ProbeResult{}, &fault.Error{Op: "check folder", Where: "/nonexist", Err: errors.New("no such folder"), Hint: "create the folder"})
	if r.Error != "check folder: /nonexist: no such folder" || r.Hint != "create the folder" {
		t.Errorf("%+v", r)
	}
}

// What is for other workers is left to them, as far as several share a state.
func TestProbeLeavesToOthers(t *testing.T) {
	w := newWorld(t)
	defer w.store.Close()
	if err := os.WriteFile("config.yaml", []byte(`connections:
  hq: {connector: memory, mapping: staff, targets: [journal], workers: [a, b]}
  lab: {connector: memory, mapping: staff, targets: [journal], workers: [b, c]}
mappings: {staff: {rules: [{name: everyone, user: {name: = name}}]}}
targets: {journal: {target: file, workers: [b], file: {path: changes.jsonl}}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	w.load(t)
	for _, c := range []struct {
		database *config.Database
		want     string
	}{
		{&config.Database{}, "connection hq: asked; connection lab: [b c], not a; target journal: [b], not a; "},
		{nil, "connection hq: asked; connection lab: asked; target journal: asked; "},
	} {
		w.cfg.Database = c.database
		results, err := Probe(t.Context(), w.cfg, "a", w.parts)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, r := range results {
			got += r.Kind + " " + r.Name + ": "
			switch e := r.Elsewhere; {
			case e == nil && len(r.Findings) > 0 && r.Error == "":
				got += "asked; "
			case e != nil && len(r.Findings) == 0 && r.Error == "":
				got += fmt.Sprintf("%v, not %s; ", e.Workers, e.Here)
			default:
				got += fmt.Sprintf("%+v; ", r)
			}
		}
		if got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}
