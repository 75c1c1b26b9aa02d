package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
)

// A plan is that of the file, also when the daemon runs by another one: it never says of edited rules what those before
// the edit would do.
func TestPlanOfTheFile(t *testing.T) {
	var asked []api.PlanRequest
	fake, sum := reloaded(), ""
	fake.StatusFunc = func(context.Context) (api.Status, error) {
		st := sampleStatus()
		st.ConfigSum, st.Problem = sum, ""
		return st, nil
	}
	fake.PlanFunc = func(_ context.Context, req api.PlanRequest, _ func(api.PlannedAction)) (api.PlanResult, error) {
		asked = append(asked, req)
		return api.PlanResult{}, nil
	}
	socket := serve(t, fake)
	text := "control: " + socket + "\n" + goodConfig
	c := withConfig(t, text)
	candidate := strings.Replace(text, "  branch:", "  annex:", 1)
	if err := os.WriteFile("candidate.yaml", []byte(candidate), 0o600); err != nil {
		t.Fatal(err)
	}
	sum = (&config.Text{Data: []byte(text)}).Sum()
	for _, tc := range []struct {
		args, sent, says string
		code             int
	}{
		{"plan hq-ad", "", "", exitClean},
		{"plan annex", "", `there is no connection "annex"`, exitUsage},
		{"plan --offline --config candidate.yaml annex", candidate, "candidate.yaml as it is now; the daemon runs by another configuration", exitClean},
		{"plan --config candidate.yaml branch", "", `there is no connection "branch"`, exitUsage},
		{"plan --control " + socket, "", "", exitClean},
		{"plan --control " + socket + " --config candidate.yaml", candidate, "by another configuration", exitClean},
	} {
		asked = nil
		if code := c.run(strings.Fields(tc.args)...); code != tc.code || !strings.Contains(c.stderr.String(), tc.says) {
			t.Errorf("%s: exit code %d: %s", tc.args, code, c.stderr.String())
		}
		sent := ""
		if len(asked) > 0 && asked[0].Config != nil {
			sent = asked[0].Config.Text
		}
		if sent != tc.sent || tc.says == "" && c.stderr.Len() > 0 {
			t.Errorf("%s: sent %q; stderr: %s", tc.args, sent, c.stderr.String())
		}
	}
	// An edit that does not hold is no reason to plan by what was there before.
	asked = nil
	if err := os.WriteFile("config.yaml", []byte("listn: x\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := c.run("plan", "--offline"); code != exitUsage || len(asked) > 0 || !strings.Contains(c.stderr.String(), "listn") {
		t.Errorf("exit code %d, asked %d times: %s", code, len(asked), c.stderr.String())
	}
}
