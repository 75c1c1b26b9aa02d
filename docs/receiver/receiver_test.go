package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets"
	envelope "dirsyncd/sync/targets/event"
	"dirsyncd/sync/targets/targettest"
	"dirsyncd/sync/targets/webhook"
)

// Both receivers are run as a person would run them, and are sent events by the webhook target itself and by hand.

// asReceiver makes the test's own program the receiver in Go.
const asReceiver = "DIRSYNCD_TEST_AS_RECEIVER"

func TestMain(m *testing.M) {
	if os.Getenv(asReceiver) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience is how long anything may take before a test gives up. It is long: machines are busy.
const patience = 5 * time.Minute

const secret = "whsec_ZGlyc3luY2QgZXhhbXBsZSBrZXkgb2YgMzIgYnl0ZXM="

// running is a receiver under way.
type running struct {
	*testing.T
	command func(args ...string) *exec.Cmd
	file    []string // the flags that name its table
	url     string
	stop    func()
}

func runReceiver(t *testing.T, language string) *running {
	t.Helper()
	r := &running{T: t}
	table := filepath.Join(t.TempDir(), "desk")
	switch language {
	case "python":
		python, err := exec.LookPath("python3")
		if err != nil {
			const how = "python3 is not installed (Debian: apt-get install python3)"
			if os.Getenv("DIRSYNCD_REQUIRE_REAL") != "" || os.Getenv("CI") != "" {
				t.Fatal(how)
			}
			t.Skip(how)
		}
		r.file = []string{"--db", table}
		r.command = func(args ...string) *exec.Cmd {
			return exec.CommandContext(t.Context(), python, append([]string{"-B", "receiver.py"}, args...)...)
		}
	default:
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		r.file = []string{"-table", table}
		r.command = func(args ...string) *exec.Cmd {
			cmd := exec.CommandContext(t.Context(), self, args...)
			cmd.Env = append(os.Environ(), asReceiver+"=1")
			return cmd
		}
	}
	r.start(secret)
	return r
}

// start runs it until stop, or until the test ends.
func (r *running) start(secrets string) {
	r.Helper()
	cmd := r.command(append(r.file, "--listen", "127.0.0.1:0")...)
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "WEBHOOK_SECRET="+secrets)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.Fatal(err)
	}
	r.stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	r.Cleanup(r.stop)
	said, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		r.Fatalf("it says %q, %v", said, err)
	}
	_, r.url, _ = strings.Cut(strings.TrimSpace(said), "listening on ")
}

// table is what the receiver has, in its own words.
func (r *running) table() string {
	r.Helper()
	out, err := r.command(append(r.file, "--list")...).Output()
	if err != nil {
		r.Fatalf("list: %v", err)
	}
	var rows []string
	for line := range strings.Lines(string(out)) {
		var row struct {
			Subject string
			Active  bool
			Record  map[string]any
			Members []string
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			r.Fatal(err)
		}
		text := fmt.Sprintf("%s %t %v", row.Subject, row.Active, row.Record["name"])
		if len(row.Members) > 0 {
			text += " " + strings.Join(row.Members, "+")
		}
		rows = append(rows, text)
	}
	return strings.Join(rows, "; ")
}

// deliver sends actions as dirsyncd does, and returns what the receiver refused.
func (r *running) deliver(batch int, actions ...directory.Action) (refused []string) {
	r.Helper()
	factory := webhook.Factory()
	cfg, ok := factory.NewConfig().(*webhook.Config)
	if !ok {
		r.Fatal("no configuration")
	}
	cfg.URL, cfg.Secret, cfg.Batch, cfg.Timeout = settings.NewSecret(r.url), settings.NewSecret(secret), batch, settings.Duration(patience)
	target, err := factory.Open(cfg, targets.Env{})
	if err != nil {
		r.Fatal(err)
	}
	defer func() { _ = target.Close() }()
	outcomes, err := target.Deliver(r.Context(), targettest.Work(actions))
	if err != nil {
		r.Fatal(err)
	}
	for i, o := range outcomes {
		if o.Err != nil {
			refused = append(refused, actions[i].Key+": "+o.Err.Error())
		}
	}
	return refused
}

// post sends a body, signed under a key for a time, and returns the answer's status.
func (r *running) post(key, id, body string, at time.Time) int {
	r.Helper()
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, "whsec_"))
	if err != nil {
		r.Fatal(err)
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, raw)
	_, _ = io.WriteString(mac, id+"."+stamp+"."+body)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.url, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", stamp)
	req.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	// A connection of its own: one that was idle for long might be closed just when it is used again.
	resp, err := (&http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		r.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

func act(key string, op directory.Op, kind directory.RecordKind, id, name string, sets ...directory.SetChange) directory.Action {
	origin := directory.Origin{Connection: "hq", Connector: "ldap", ID: id}
	return directory.Action{
		Key: key, Op: op, Kind: kind, Record: origin.RecordKey(), Origin: origin, Rule: "everyone", Run: "run-1",
		Time: time.Date(2026, 1, 31, 8, 15, 0, 0, time.UTC), Fields: []directory.Field{{Name: "name", Value: directory.Text(name)}}, Sets: sets,
	}
}

func members(added, removed []string) directory.SetChange {
	return directory.SetChange{Name: "members", Added: added, Removed: removed}
}

func TestReceivers(t *testing.T) {
	for _, language := range []string{"python", "go"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			r := runReceiver(t, language)
			has := func(what, want string) {
				t.Helper()
				if got := r.table(); got != want {
					t.Errorf("%s: it has\n%s\nwant\n%s", what, got, want)
				}
			}
			create, update, deactivate := directory.Create, directory.Update, directory.Deactivate
			user, group := directory.UserRecord, directory.GroupRecord

			r.deliver(1, act("k1", create, user, "1", "Ada King"))
			has("a joiner", "user/hq/1 true Ada King")
			r.deliver(1, act("k2", update, user, "1", "Ada Lovelace"))
			has("a new name", "user/hq/1 true Ada Lovelace")
			r.deliver(1, act("k1", create, user, "1", "Ada King"))
			has("an event that comes again, late", "user/hq/1 true Ada Lovelace")
			r.deliver(1, act("k3", deactivate, user, "1", "Ada Lovelace"))
			has("a leaver", "user/hq/1 false Ada Lovelace")
			r.deliver(1, act("k4", directory.Reactivate, user, "1", "Ada Lovelace"))
			has("who comes back", "user/hq/1 true Ada Lovelace")
			r.deliver(1, act("k5", update, user, "2", "Bob 日本 <&>"))
			has("an update of somebody unknown", "user/hq/1 true Ada Lovelace; user/hq/2 true Bob 日本 <&>")

			bad := act("k7", directory.Op(99), user, "3", "Eve")
			refused := r.deliver(10, act("k6", create, group, "g", "Staff", members([]string{"hq/1", "hq/2"}, nil)), bad,
				act("k8", directory.Delete, user, "2", "Bob"), act("k9", directory.Delete, user, "4", "Nobody"))
			if len(refused) != 1 || !strings.Contains(refused[0], "k7") || !strings.Contains(refused[0], "unknown operation") {
				t.Errorf("refused %q", refused)
			}
			has("a batch with one that it refuses", "group/hq/g true Staff hq/1+hq/2; user/hq/1 true Ada Lovelace")
			r.deliver(10, act("k10", update, group, "g", "Staff", members([]string{"hq/3"}, []string{"hq/1"})))
			has("a changed list", "group/hq/g true Staff hq/2+hq/3; user/hq/1 true Ada Lovelace")
			again := act("k11", create, group, "g", "All staff", members([]string{"hq/3"}, nil))
			again.Reason = directory.SentAgain
			r.deliver(10, again)
			has("a list that is sent again is the whole list", "group/hq/g true All staff hq/3; user/hq/1 true Ada Lovelace")

			eve := act("k12", create, user, "9", "Eve")
			body, now := string(envelope.Append(nil, &eve, nil)), time.Now()
			other := "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("x"), 32))
			for what, got := range map[string]int{
				"another key":    r.post(other, "k12", body, now),
				"an old request": r.post(secret, "k12", body, now.Add(-6*time.Minute)),
				"of the future":  r.post(secret, "k12", body, time.Now().Add(6*time.Minute+patience)),
			} {
				if got != http.StatusUnauthorized {
					t.Errorf("%s: %d", what, got)
				}
			}
			if got := r.post(secret, "x", "no JSON", now); got != http.StatusBadRequest {
				t.Errorf("no JSON: %d", got)
			}
			has("nothing of that was taken", "group/hq/g true All staff hq/3; user/hq/1 true Ada Lovelace")

			// It is killed and started with a second secret: nothing is forgotten, neither is what was taken before.
			r.stop()
			r.start(other + " " + secret)
			r.deliver(10, act("k2", update, user, "1", "an old event"), act("k13", update, user, "1", "Ada, Countess"))
			if got := r.post(other, "k12", body, time.Now()); got != http.StatusOK {
				t.Errorf("the second secret: %d", got)
			}
			has("after a restart", "group/hq/g true All staff hq/3; user/hq/1 true Ada, Countess; user/hq/9 true Eve")
		})
	}
}
