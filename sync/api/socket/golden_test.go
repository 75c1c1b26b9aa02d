package socket_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/api/apitest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestJSON pins what goes over the socket, byte for byte: scripts and commands of other versions read it.
func TestJSON(t *testing.T) {
	var got bytes.Buffer
	exchange(t, &got, "every field", apitest.EveryField())
	exchange(t, &got, "nothing", nothingAtAll())
	const golden = "testdata/socket.txt"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got:\n%s\nwant:\n%s", got.Bytes(), want)
	}
}

// exchange sends a request for every operation and writes down the answers.
func exchange(t *testing.T, log io.Writer, title string, ops api.Operations) {
	t.Helper()
	path := start(t, ops)
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	_, _ = fmt.Fprintf(log, "# %s\n", title)
	requests := []string{
		"GET /v1/status",
		"GET /v1/runs?connection=hq&limit=3",
		"GET /v1/why?kind=user&who=ada",
		`POST /v1/show {"who":"ada","connections":["hq"],"read":true}`,
		"GET /v1/parked",
		"GET /v1/matches?target=apps",
		`POST /v1/sync {"connections":["hq"],"full":true}`,
		`POST /v1/plan {"connections":["hq"],"full":true,"offline":true}`,
		`POST /v1/held {"hash":"h","kind":"user","op":"delete","who":"ada","from":50,"limit":25}`,
		`POST /v1/decisions {"limit":5}`,
		`POST /v1/runs/actions {"run":"ab12","kind":"user","op":"update","who":"ada","from":50,"limit":25,"position":7}`,
		`POST /v1/undo/plan {"run":"ab12","record":"hq/1","kind":"user","who":"ada","from":50,"limit":25}`,
		`POST /v1/undo {"run":"ab12","record":"hq/1","approve":"h"}`,
		`POST /v1/why/at {"kind":"user","who":"ada","at":"2026-01-31T11:00:00Z"}`,
		`POST /v1/approve {"hash":"h"}`,
		`POST /v1/discard {"hash":"h"}`,
		`POST /v1/drain {"worker":"south","end":true}`,
		`POST /v1/config/publish {}`,
		`POST /v1/resend {"target":"desk","connections":["hq"]}`,
		`POST /v1/parked/retry {"ids":["a"]}`,
		`POST /v1/parked/drop {"all":true}`,
		`POST /v1/matches/decide {"id":"apps:1","verdict":"accept","candidate":"7"}`,
		`POST /v1/adopt {"target":"apps"}`,
		`POST /v1/plan/target {"target":"apps","connections":["hq"],"offline":true,"limit":5}`,
		`POST /v1/audit {"target":"apps","kinds":["user"],"repair":true}`,
		`POST /v1/connection/rename {"from":"hq","to":"hq2"}`,
		`POST /v1/connection/retire {"connection":"hq"}`,
		`POST /v1/stored [{"connection":"hq","kind":"group","names":["name"]}]`,
		`POST /v1/signin/attempts {"refused":true,"since":"2026-01-31T11:00:00Z","limit":5}`,
		"GET /v1/signin/sessions?who=hq/1",
		`POST /v1/signin/sessions/end {"who":"hq/1"}`,
		`POST /v1/signin/who {"provider":"staff","says":{"mail":"ada@example.test"}}`,
		"GET /v1/signin/links?who=hq/1",
		`POST /v1/signin/links/forget {"who":"hq/1"}`,
		`POST /v1/signin/keys {"rotate":true}`,
	}
	if n := reflect.TypeFor[api.Operations]().NumMethod(); len(requests) != n-1 {
		t.Errorf("%d requests; api.Operations has %d methods, and all but Backup are asked here", len(requests), n)
	}
	for _, request := range requests {
		method, rest, _ := strings.Cut(request, " ")
		url, body, _ := strings.Cut(rest, " ")
		req, err := http.NewRequestWithContext(t.Context(), method, "http://dirsyncd"+url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s: %s", request, resp.Status, answer)
		}
		_, _ = fmt.Fprintf(log, "%s\n%s %s\n%s\n", request, resp.Status, resp.Header.Get("Content-Type"), answer)
	}
}

// nothingAtAll answers with values of which no field is set.
func nothingAtAll() *apitest.Fake {
	return &apitest.Fake{
		StatusFunc: func(context.Context) (api.Status, error) {
			return api.Status{
				Connections: []api.ConnectionStatus{{Tenants: make([]api.TenantStatus, 1)}}, Targets: make([]api.TargetStatus, 1),
			}, nil
		},
		SyncFunc: func(context.Context, api.SyncRequest, func(api.Progress)) (api.SyncResult, error) {
			return api.SyncResult{Runs: make([]api.Run, 1), Delivered: make([]api.Delivery, 1)}, nil
		},
		PlanFunc: func(_ context.Context, _ api.PlanRequest, visit func(api.PlannedAction)) (api.PlanResult, error) {
			visit(api.PlannedAction{})
			return api.PlanResult{}, nil
		},
		ApproveFunc: func(context.Context, string) (api.SyncResult, error) { return api.SyncResult{}, nil },
		DiscardFunc: func(context.Context, string) error { return nil },
		DrainFunc:   func(context.Context, api.DrainRequest) (int, error) { return 0, nil },
		PublishFunc: func(context.Context) (api.Publication, error) { return api.Publication{}, nil },
		HeldFunc:    func(context.Context, api.HeldRequest) (api.HeldActions, error) { return api.HeldActions{}, nil },
		DecisionsFunc: func(context.Context, api.DecisionsRequest) ([]api.Decision, error) {
			return nil, nil
		},
		RunActionsFunc: func(context.Context, api.RunActionsRequest) (api.RunActions, error) { return api.RunActions{}, nil },
		PlanUndoFunc:   func(context.Context, api.UndoRequest) (api.UndoPlan, error) { return api.UndoPlan{}, nil },
		UndoFunc:       func(context.Context, api.UndoApproval) (api.SyncResult, error) { return api.SyncResult{}, nil },
		WhyAtFunc:      func(context.Context, api.WhyAtRequest) ([]api.Past, error) { return nil, nil },
		ResendFunc:     func(context.Context, api.ResendRequest) (api.SyncResult, error) { return api.SyncResult{}, nil },
		RunsFunc:       func(context.Context, api.RunsRequest) ([]api.Run, error) { return nil, nil },
		WhyFunc:        func(context.Context, string, string) ([]api.Reason, error) { return make([]api.Reason, 1), nil },
		ShowFunc:       func(context.Context, api.ShowRequest) ([]api.Person, error) { return make([]api.Person, 1), nil },
		StoredFunc: func(context.Context, []api.StoredQuestion) ([]api.StoredRows, error) {
			return []api.StoredRows{{Rows: [][]string{{"x"}}}}, nil
		},
		ParkedFunc:  func(context.Context) ([]api.ParkedItem, error) { return nil, nil },
		ReplayFunc:  func(context.Context, []string, func(api.Progress)) (int, error) { return 0, nil },
		DropFunc:    func(context.Context, []string) (int, error) { return 0, nil },
		MatchesFunc: func(context.Context, string) ([]api.Match, error) { return nil, nil },
		DecideFunc:  func(context.Context, api.MatchDecision) (string, error) { return "", nil },
		AdoptFunc:   func(context.Context, api.AdoptRequest) ([]api.HeldAtTarget, error) { return nil, nil },
		PlanAtFunc:  func(context.Context, api.PlanAtRequest) (api.PlanAtResult, error) { return api.PlanAtResult{}, nil },
		AuditFunc:   func(context.Context, api.AuditRequest) (api.AuditResult, error) { return api.AuditResult{}, nil },
		RenameFunc:  func(context.Context, string, string) error { return nil },
		RetireFunc:  func(context.Context, string) (api.SyncResult, error) { return api.SyncResult{}, nil },

		SigninAttemptsFunc: func(context.Context, api.SigninRequest) ([]api.SigninAttempt, error) { return nil, nil },
		SigninSessionsFunc: func(context.Context, string) ([]api.SigninSession, error) { return nil, nil },
		EndSessionsFunc:    func(context.Context, string) (int, error) { return 0, nil },
		SigninWhoFunc:      func(context.Context, api.SigninWhoRequest) (api.SigninWho, error) { return api.SigninWho{}, nil },
		SigninLinksFunc:    func(context.Context, string) ([]api.SigninLink, error) { return nil, nil },
		UnlinkFunc:         func(context.Context, string) (int, error) { return 0, nil },
		SigninKeysFunc:     func(context.Context, api.SigninKeysRequest) ([]api.SigninKey, error) { return nil, nil },
	}
}
