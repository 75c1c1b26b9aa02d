package service

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/sync/api/apitest"
	"dirsyncd/sync/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestAnswers pins what operators see of what is stored, and of what the engine says.
func TestAnswers(t *testing.T) {
	p := store.Partition{Connection: "hq", Tenant: "t"}
	run, failure, held := apitest.Filled[store.Run](), apitest.Filled[store.Failure](), apitest.Filled[store.HeldPlan]()
	reasons := apitest.Filled[[]engine.Reason]()
	var got strings.Builder
	for _, answer := range []any{
		runAnswer(p, "T", &run), failureAnswer(&failure), heldAnswer(&held), reasonAnswer(&reasons[0]), each(reasons, reasonAnswer),
		runAnswer(store.Partition{}, "", &store.Run{}), failureAnswer(&store.Failure{}), heldAnswer(&store.HeldPlan{}),
		reasonAnswer(&engine.Reason{Record: &engine.RecordReason{}}),
	} {
		line, err := json.MarshalIndent(answer, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got.Write(append(line, '\n'))
	}
	const golden = "testdata/answers.json"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
	}
}
