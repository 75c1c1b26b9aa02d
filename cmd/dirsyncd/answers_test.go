package main

import (
	"encoding/json"
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/sync/control"
	"dirsyncd/sync/control/controltest"
	"dirsyncd/sync/engine"
)

// TestAnswers pins what operators see of what is stored, and of what the engine says.
func TestAnswers(t *testing.T) {
	failure, held := controltest.Filled[store.Failure](), controltest.Filled[store.HeldPlan]()
	reasons := controltest.Filled[[]engine.Reason]()
	var got strings.Builder
	for _, answer := range []any{
		control.Run{Connection: "hq", Tenant: "t", TenantName: "T", Run: controltest.Filled[store.Run]()},
		failure, held, reasons[0], reasons,
		control.Run{}, store.Failure{}, store.HeldPlan{}, engine.Reason{Record: &engine.RecordReason{}},
	} {
		line, err := json.MarshalIndent(answer, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got.Write(append(line, '\n'))
	}
	golden(t, "answers.json", got.String())
}
