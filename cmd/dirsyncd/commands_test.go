package main

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/api"
	"dirsyncd/sync/api/apitest"
)

func TestOutput(t *testing.T) {
	for _, tc := range []struct {
		golden string
		args   string
		code   int
	}{
		{"status.txt", "status", exitClean},
		{"status.json", "status --json", exitClean},
		{"sync.txt", "sync hq-ad", exitClean},
		{"sync-list.txt", "sync --list", exitClean},
		{"sync.json", "sync --json", exitClean},
		{"sync-worst.txt", "sync --full", exitFailed},
		{"plan.txt", "plan", exitClean},
		{"plan.json", "plan --json", exitClean},
		{"plan-worst.txt", "plan --offline", exitFailed},
		{"plan-limit.txt", "plan --limit 1", exitClean},
		{"held.txt", "held " + sampleHash, exitClean},
		{"held-none.txt", "held " + sampleHash + " --who nobody", exitClean},
		{"held.json", "held --json --from 50 " + sampleHash, exitClean},
		{"approve.txt", "approve " + sampleHash, exitClean},
		{"discard.txt", "discard " + sampleHash, exitClean},
		{"discard.json", "discard --json " + sampleHash, exitClean},
		{"publish.txt", "config publish", exitClean},
		{"publish.json", "config publish --json", exitClean},
		{"resend.txt", "resend desk", exitClean},
		{"resend.json", "resend desk hq-ad --json", exitClean},
		{"runs.txt", "runs", exitClean},
		{"runs.json", "runs -n 1 --json hq-ad", exitClean},
		{"run.txt", "runs ab12", exitClean},
		{"run.json", "runs 20260131T115950-ab12 --json", exitClean},
		{"run-actions.txt", "runs show ab12 --from 50", exitClean},
		{"run-actions.json", "runs show ab12 --json", exitClean},
		{"undo.txt", "undo ab12", exitClean},
		{"undo.json", "undo ab12 --record hq-ad/5f1c --json", exitClean},
		{"undo-nothing.txt", "undo ab12 --who nobody", exitClean},
		{"undo-record.txt", "undo ab12 --record hq-ad/nobody", exitClean},
		{"undo-kind.txt", "undo ab12 --kind user", exitClean},
		{"undo-approved.txt", "undo ab12 --approve " + sampleHash, exitClean},
		{"events-replay.txt", "events replay desk --from 24h", exitClean},
		{"events-replay-dry.txt", "events replay desk --from 2026-01-30 --dry-run", exitClean},
		{"why-at.txt", "why user ada@example.test --at 24h", exitClean},
		{"why-at.json", "why user ada@example.test --at 2026-01-30T08:00:00Z --json", exitClean},
		{"decisions.txt", "decisions", exitClean},
		{"decisions.json", "decisions --json", exitClean},
		{"why.txt", "why user ada@example.test", exitClean},
		{"why.json", "why user ada@example.test --json", exitClean},
		{"show.txt", "show ada", exitClean},
		{"show-read.txt", "show ada hq-ad --read", exitClean},
		{"show.json", "show ada --json", exitClean},
		{"parked.txt", "parked list", exitClean},
		{"parked-all.txt", "parked list --all", exitClean},
		{"parked.json", "parked list --json", exitClean},
		{"replay.txt", "parked replay hq-ad:99", exitClean},
		{"replay-again.txt", "parked replay hq-ad:12", exitParked},
		{"replay.json", "parked retry hq-ad:12 --json", exitParked},
		{"drop.txt", "parked drop --all --yes", exitClean},
		{"matches.txt", "match list", exitHeld},
		{"match.txt", "match show apps:7", exitClean},
		{"match-accept.txt", "match accept apps:7 2819c223", exitClean},
		{"match-new.json", "match accept apps:7 --new --json", exitClean},
		{"match-reject.txt", "match reject apps:7", exitClean},
		{"match-undo.txt", "match undo apps user/hq-ad/5f1c", exitClean},
		{"adopt.txt", "adopt", exitFailed},
		{"audit.txt", "audit apps", exitHeld},
		{"plan-target.txt", "plan --target apps", exitHeld},
		{"matches-page.txt", "match list --limit 1", exitHeld},
		{"match-many.txt", "match accept --all", exitHeld},
		{"match-from.txt", "match accept --from testdata/decisions.csv", exitClean},
		{"match-reject-many.json", "match reject --all --cause leaving apps --json", exitClean},
		{"rename.txt", "state rename corp-ldap hq-ad", exitClean},
		{"rename.json", "state rename corp-ldap hq-ad --json", exitClean},
		{"retire.txt", "state retire corp-ldap", exitHeld},
		{"drop.json", "parked drop --all --yes --json", exitClean},
		{"rules-fields.txt", "rules fields", exitClean},
		{"rules-fields.json", "rules fields --json", exitClean},
		{"preview.txt", "preview testdata/preview/sites.csv", exitFailed},
		{"preview.json", "preview testdata/preview/sites.csv --rows 1 --json", exitFailed},
		{"preview-members.txt", "preview testdata/preview/team-members.csv", exitClean},
	} {
		t.Run(tc.golden, func(t *testing.T) {
			fake := reloaded()
			if strings.HasPrefix(tc.args, "status") {
				fake = sample()
			}
			c := newCommandLine(t, fake)
			if code := c.run(strings.Fields(tc.args)...); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if c.stderr.Len() > 0 {
				t.Errorf("stderr: %s", c.stderr.String())
			}
			golden(t, tc.golden, c.stdout.String())
			if strings.HasSuffix(tc.golden, ".json") && !json.Valid(c.stdout.Bytes()) {
				t.Error("the output is no JSON")
			}
			if strings.ContainsRune(c.stdout.String(), '\x1b') {
				t.Error("an escape character reached the output")
			}
		})
	}
}

// Whoever syncs or plans by a configuration that is not the one on the disk is told.
func TestRefusedReloadIsSaid(t *testing.T) {
	for _, args := range []string{"sync", "sync --json", "plan", "plan --json", "config publish"} {
		c := newCommandLine(t, sample())
		c.run(strings.Fields(args)...)
		if got := c.stderr.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "the last reload was refused") {
			t.Errorf("%s: stderr %q", args, got)
		}
		if strings.Contains(args, "--json") && !json.Valid(c.stdout.Bytes()) {
			t.Errorf("%s: the output is no JSON", args)
		}
	}
}

// TestEveryField pins what --json prints, byte for byte: scripts read it.
func TestEveryField(t *testing.T) {
	var got strings.Builder
	all := []string{
		"status", "sync", "plan", "held h", "approve h", "discard h", "resend desk", "runs", "why user ada", "show ada", "parked list", "parked replay --all", "parked drop --all --yes",
		"state rename a b", "state retire a", "match list", "match undo a user/hq/1", "adopt", "audit a", "drain a", "config publish", "plan --target a",
		"decisions", "runs show ab12 -n 1", "undo ab12", "undo ab12 --approve h", "why user ada --at 24h", "signin log", "signin sessions", "signin end a", "signin who staff mail=ada@example.test", "signin links", "signin unlink a", "signin keys",
	}
	if n := reflect.TypeFor[api.Operations]().NumMethod(); len(all) < n-2 {
		t.Errorf("%d commands; api.Operations has %d methods, and all but Backup and Stored are asked here", len(all), n)
	}
	for _, args := range all {
		c := newCommandLine(t, apitest.EveryField())
		c.run(strings.Fields(args + " --json")...)
		if c.stdout.Len() == 0 {
			t.Errorf("%s: no answer: %s", args, c.stderr.String())
		}
		got.WriteString("$ dirsyncd " + args + " --json\n" + c.stdout.String())
	}
	golden(t, "every-field.json", got.String())
}

// What is left to do after a publication depends on who has it.
func TestPublication(t *testing.T) {
	for file, p := range map[string]api.Publication{
		"publish-already.txt": {Already: true, Published: at(2 * time.Hour), By: "south", Workers: []api.PublishedTo{{Name: "north", Current: true}}},
		"publish-nobody.txt":  {Workers: []api.PublishedTo{{Name: "north", Current: true, Draining: true}, {Name: "south", Draining: true}}},
	} {
		p.File = "/etc/dirsyncd/config.yaml"
		fake := reloaded()
		fake.PublishFunc = func(context.Context) (api.Publication, error) { return p, nil }
		c := newCommandLine(t, fake)
		if code := c.run("config", "publish"); code != exitClean || c.stderr.Len() > 0 {
			t.Errorf("%d: %s", code, c.stderr.String())
		}
		golden(t, file, c.stdout.String())
	}
}
