package control_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"dirsyncd/sync/control"
	"dirsyncd/sync/control/controltest"
	"dirsyncd/sync/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestJSON pins what goes over the socket, byte for byte: scripts and commands of other versions read it.
func TestJSON(t *testing.T) {
	var got bytes.Buffer
	exchange(t, &got, "every field", controltest.EveryField())
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
func exchange(t *testing.T, log io.Writer, title string, ops control.Operations) {
	t.Helper()
	path := start(t, ops)
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	_, _ = fmt.Fprintf(log, "# %s\n", title)
	for _, request := range []string{
		"GET /v1/status",
		"GET /v1/runs?connection=hq&limit=3",
		"GET /v1/why?kind=user&who=ada",
		"GET /v1/parked",
		`POST /v1/sync {"connections":["hq"],"full":true}`,
		`POST /v1/plan {"connections":["hq"],"full":true,"offline":true}`,
		`POST /v1/approve {"hash":"h"}`,
		`POST /v1/discard {"hash":"h"}`,
		`POST /v1/parked/replay {"ids":["a"]}`,
		`POST /v1/parked/drop {"all":true}`,
	} {
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
		_, _ = fmt.Fprintf(log, "%s\n%s %s\n%s\n", request, resp.Status, resp.Header.Get("Content-Type"), answer)
	}
}

// nothingAtAll answers with values of which no field is set.
func nothingAtAll() *controltest.Fake {
	return &controltest.Fake{
		StatusFunc: func(context.Context) (control.Status, error) {
			return control.Status{
				Connections: []control.ConnectionStatus{{Tenants: make([]control.TenantStatus, 1)}}, Targets: make([]control.TargetStatus, 1),
			}, nil
		},
		SyncFunc: func(context.Context, control.SyncRequest, func(control.Progress)) (control.SyncResult, error) {
			return control.SyncResult{Runs: make([]control.Run, 1), Delivered: make([]control.Delivery, 1)}, nil
		},
		PlanFunc: func(_ context.Context, _ control.PlanRequest, visit func(control.PlannedAction)) ([]control.Run, error) {
			visit(control.PlannedAction{})
			return nil, nil
		},
		ApproveFunc: func(context.Context, string) (control.SyncResult, error) { return control.SyncResult{}, nil },
		DiscardFunc: func(context.Context, string) error { return nil },
		RunsFunc:    func(context.Context, control.RunsRequest) ([]control.Run, error) { return nil, nil },
		WhyFunc:     func(context.Context, string, string) ([]engine.Reason, error) { return make([]engine.Reason, 1), nil },
		ParkedFunc:  func(context.Context) ([]control.ParkedItem, error) { return nil, nil },
		ReplayFunc:  func(context.Context, []string) (int, error) { return 0, nil },
		DropFunc:    func(context.Context, []string) (int, error) { return 0, nil },
	}
}
