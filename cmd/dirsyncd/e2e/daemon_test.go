package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dirsyncd/connectors/ldap/slapdtest"
)

// freeAddress returns an address on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	return "127.0.0.1:" + slapdtest.FreePort(t)
}

// fetch gets a page of the daemon's own listener.
func (d *daemon) fetch(address, path string) (status int, body string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		d.t.Fatalf("GET %s: %v", path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// awaitJournal waits until the journal has a number of events.
func (in *installation) awaitJournal(n int) []event {
	in.t.Helper()
	eventually(in.t, fmt.Sprintf("the journal has %d events", n), func() bool { return len(in.journal()) >= n })
	return in.journal()
}

// TestDaemon is a day of a daemon that runs on demand only: it starts, is asked and told, and stops.
func TestDaemon(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	cfg := of(s)
	cfg.listen = freeAddress(t)
	in := install(t, cfg.configuration())
	d := in.startReady()

	// A connection that was never read is read at once.
	d.awaitLog(1, "run ended")
	want := wants(directoryNow(t, s))
	events := len(in.awaitJournal(len(want)))
	replay(t, in.journal()).mustBe(t, want)
	d.aRunIsTwoLines(want)

	t.Log("USR1: everything, incrementally")
	s.Replace(s.PersonDN("p40"), "displayName", "Newly Named")
	d.signal(syscall.SIGUSR1)
	d.awaitLog(1, "run started", "signal USR1")
	d.awaitLog(2, "run ended")
	events = len(in.awaitJournal(events + 1))

	t.Log("USR2: everything, in full")
	d.signal(syscall.SIGUSR2)
	if line := d.awaitLog(1, "run started", "signal USR2")[0]; line.text("mode") != "full" {
		t.Errorf("USR2 started a run in mode %q", line.text("mode"))
	}
	d.awaitLog(3, "run ended")

	t.Log("commands go through the daemon")
	status := in.status()
	if !status.Daemon || status.PID != d.cmd.Process.Pid || status.Problem != "" || status.Targets[0].State == "unknown" {
		t.Errorf("status: %+v", status)
	}
	s.Replace(s.PersonDN("p41"), "displayName", "Newly Named As Well")
	if planned := ask[planView](in, 0, "plan"); len(planned.Actions) != 1 {
		t.Errorf("%d actions planned", len(planned.Actions))
	}
	synced := ask[syncView](in, 0, "sync")
	if len(synced.Runs) != 1 || synced.Runs[0].Trigger != "operator" || synced.Delivered[0].Waiting != 0 {
		t.Errorf("sync: %+v", synced)
	}
	if len(d.logged("operator asks for a sync")) != 1 || len(d.logged("run started", "operator", synced.Runs[0].ID)) != 1 {
		t.Error("the sync did not go through the daemon")
	}
	if events++; len(in.journal()) != events {
		t.Errorf("%d events after a sync, want %d", len(in.journal()), events)
	}
	in.expect(0, "why", "user", "p41").says(t, "Newly Named As Well")
	in.expect(0, "runs").says(t, "(by ", "signal USR1")
	in.expect(0, "parked", "list").says(t, "nothing is parked")
	in.expect(2, "sync", "hw")

	t.Log("a held plan")
	deleteShare(t, in, s, 5)
	in.expect(3, "sync")
	held := in.status().Connections[0].Tenants[0].Held
	in.expect(3, "plan", "--offline").says(t, held.Hash)
	if len(in.journal()) != events {
		t.Error("a held plan was delivered")
	}
	if _, metrics := d.fetch(cfg.listen, "/metrics"); !strings.Contains(metrics, `dirsyncd_held{connection="hq",tenant=""} 1`) {
		t.Error("the metrics do not tell of a held plan")
	}
	in.expect(2, "approve", "000000000000")
	in.expect(0, "approve", held.Hash)
	want = wants(directoryNow(t, s))
	replay(t, in.journal()).mustBe(t, want)

	d.healthPages(cfg.listen, want)

	t.Log("a second daemon on the same state is refused, and leaves the first one alone")
	second := in.start()
	if code := second.wait(); code == 0 {
		t.Error("a second daemon ran")
	}
	(result{0, "", second.log.String()}).says(t, "another dirsyncd holds the state", "stop it first")
	if second.notify.got("READY=1") > 0 {
		t.Error("a refused daemon said READY")
	}
	if status := in.status(); status.PID != d.cmd.Process.Pid {
		t.Errorf("afterwards, process %d answers", status.PID)
	}

	eventually(t, "the watchdog is told", func() bool { return d.notify.got("WATCHDOG=1") > 1 })
	d.signal(syscall.SIGTERM)
	if code := d.wait(); code != 0 {
		t.Errorf("stopped with %d", code)
	}
	eventually(t, "systemd was told that it stops", func() bool { return d.notify.got("STOPPING=1") > 0 }) // what it said last may still be on the way
	if d.notify.got("STOPPING=1") != 1 || len(d.logged("stopped")) != 1 {
		t.Errorf("systemd was told:\n%s", d.notify.tape.String())
	}
	if _, err := os.Stat(in.path("control.sock")); err == nil {
		t.Error("the control socket was left behind")
	}
	if status := in.status(); status.Daemon || status.Connections[0].Tenants[0].State != "ok" {
		t.Errorf("status without the daemon: %+v", status)
	}
}

// aRunIsTwoLines looks at the log of a first sync: one line when the run starts, one when it ends, with the counts.
func (d *daemon) aRunIsTwoLines(want wanted) {
	d.t.Helper()
	started, ended := d.logged("run started"), d.logged("run ended")
	if len(started) != 1 || len(ended) != 1 {
		d.t.Fatalf("%d runs started, %d ended", len(started), len(ended))
	}
	l := ended[0]
	if started[0].text("run") != l.text("run") || l.text("connection") != connection || l.text("outcome") != "clean" || started[0].text("trigger") != "startup" {
		d.t.Errorf("the two lines of a run: %v, %v", started[0], l)
	}
	if l.number("created") != len(want) || l.number("read") < len(want) || l["duration"] == nil ||
		l.number("updated")+l.number("deactivated")+l.number("parked") != 0 {
		d.t.Errorf("the line of a run's end: %v, want %d created", l, len(want))
	}
	for _, about := range d.lines() {
		if about.text("run") == l.text("run") && about.text("msg") != "run started" && about.text("msg") != "run ended" {
			d.t.Errorf("a third line about a run: %v", about)
		}
	}
}

// healthPages looks at what monitoring sees.
func (d *daemon) healthPages(address string, want wanted) {
	d.t.Helper()
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, body := d.fetch(address, path); status != http.StatusOK || body != "ok\n" {
			d.t.Errorf("%s: %d %q", path, status, body)
		}
	}
	if status, _ := d.fetch(address, "/debug/pprof/"); status != http.StatusNotFound {
		d.t.Errorf("/debug/pprof/: %d", status)
	}
	agents := 0
	for subject := range want {
		if strings.HasPrefix(subject, "agent/") {
			agents++
		}
	}
	_, metrics := d.fetch(address, "/metrics")
	for _, line := range []string{
		`dirsyncd_failing{connection="hq",tenant=""} 0`, `dirsyncd_held{connection="hq",tenant=""} 0`, `dirsyncd_parked{connection="hq",tenant=""} 0`,
		fmt.Sprintf(`dirsyncd_active_records{connection="hq",kind="agent",tenant=""} %d`, agents),
		`dirsyncd_outbox_depth{target="journal"} 0`, `dirsyncd_runs_total{connection="hq",outcome="held"} 1`,
		fmt.Sprintf(`dirsyncd_delivered_total{op="update",target="journal"} %d`, d.count("update")),
		fmt.Sprintf(`dirsyncd_delivered_total{op="create",target="journal"} %d`, d.count("create")),
	} {
		if !strings.Contains(metrics, line+"\n") {
			d.t.Errorf("the metrics do not say %s", line)
		}
	}
	for _, name := range []string{"last_proven_timestamp_seconds", "proven_age_seconds", "run_duration_seconds_bucket", "source_request_seconds_count", "delivery_seconds_count", "outbox_age_seconds"} {
		if !strings.Contains(metrics, "dirsyncd_"+name) {
			d.t.Errorf("there is no metric %s", name)
		}
	}
}

// count counts the events of an operation in the journal.
func (in *installation) count(op string) (n int) {
	for _, e := range in.journal() {
		if e.Data.Op == op {
			n++
		}
	}
	return n
}

// TestScheduleEverySecond: a daemon follows its schedule, and finds what changes by itself.
func TestScheduleEverySecond(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	cfg := of(s)
	cfg.schedule = "@every 1s"
	in := install(t, cfg.configuration()+"log: {level: debug}\n")
	d := in.startReady()
	d.awaitLog(2, "run started", "schedule")
	events := len(in.awaitJournal(len(wants(directoryNow(t, s)))))
	s.Replace(s.PersonDN("p40"), "displayName", "Newly Named")
	if e := in.awaitJournal(events + 1)[events]; e.Data.Record["name"] != "Newly Named" {
		t.Errorf("unexpected: %s", e.inShort())
	}
	d.stop()
	// A run never begins before the one before it has ended.
	under := 0
	for _, l := range d.lines() {
		switch l.text("msg") {
		case "run started":
			under++
		case "run ended", "run stopped", "run failed":
			under--
		}
		if under < 0 || under > 1 {
			t.Fatalf("%d runs at a time", under)
		}
	}
}

// TestScheduleEveryMinute: five cron fields, on the minute.
func TestScheduleEveryMinute(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	cfg := of(s)
	cfg.schedule = "* * * * *"
	in := install(t, cfg.configuration()+"log: {level: debug}\n")
	d := in.startReady()
	d.awaitLog(1, "run ended", "clean")
	next := in.status().Connections[0].Next
	if next.Second() != 0 || time.Until(next) > time.Minute {
		t.Errorf("the next run is at %v", next)
	}
	eventually(t, fmt.Sprintf("a run due at %v starts then", next), func() bool {
		return slices.ContainsFunc(d.logged("run started", "trigger:schedule"), func(l logLine) bool {
			at, err := time.Parse(time.RFC3339, l.text("time"))
			return err == nil && !at.Before(next)
		})
	})
	d.stop()
}

// TestReload: HUP takes another configuration, or refuses it as a whole.
func TestReload(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	in := install(t, of(s).configuration())
	d := in.startReady()
	want := wants(directoryNow(t, s))
	events := len(in.awaitJournal(len(want)))
	d.awaitLog(1, "run ended")
	reload := func(n int) {
		t.Helper()
		d.signal(syscall.SIGHUP)
		eventually(t, "the reload is over", func() bool { return d.notify.got("READY=1") == n+1 })
		if d.notify.got("RELOADING=1") != n || d.notify.got("MONOTONIC_USEC=") != n {
			t.Errorf("systemd was told:\n%s", d.notify.tape.String())
		}
	}

	t.Log("an edited rule reaches everybody, though the source is away")
	s.Stop()
	cfg := of(s)
	cfg.team = "2nd Line"
	in.configure(cfg.configuration())
	reload(1)
	agents := 0
	for _, fields := range want {
		if fields["team"] != "" {
			agents++
		}
	}
	for _, e := range in.awaitJournal(events + agents)[events:] {
		if e.inShort() != "update "+e.Subject+" team" || e.Data.Record["team"] != "2nd Line" {
			t.Fatalf("unexpected: %s", e.inShort())
		}
	}
	if news := len(in.journal()) - events; news != agents {
		t.Errorf("an edited rule led to %d events, want %d", news, agents)
	}
	events = len(in.journal())

	t.Log("an invalid file is refused, and the old one stays in force")
	in.configure(strings.Replace(cfg.configuration(), "schedule", "scheduel", 1) + "surprise: true\n")
	reload(2)
	refused := d.awaitLog(1, "the configuration was refused; the present one stays")[0]
	if !strings.Contains(refused.text("err"), "config.yaml:") || !strings.Contains(refused.text("err"), "surprise") {
		t.Errorf("the log does not say what is wrong where: %v", refused)
	}
	if problem := in.status().Problem; !strings.Contains(problem, "surprise") {
		t.Errorf("the status says %q", problem)
	}
	in.expect(0, "status").says(t, "surprise")
	s.Restart()
	in.expect(0, "sync")
	if len(in.journal()) != events {
		t.Error("the refused configuration had an effect")
	}

	t.Log("a new schedule comes into force")
	cfg.schedule = "@every 1s"
	in.configure(cfg.configuration())
	reload(3)
	if problem := in.status().Problem; problem != "" {
		t.Errorf("the status still says %q", problem)
	}
	since := time.Now()
	eventually(t, "the schedule is kept", func() bool { return in.status().Connections[0].Tenants[0].Proven.After(since) })
	cfg.schedule = ""
	in.configure(cfg.configuration())
	reload(4)

	t.Log("the journal is rotated by renaming it")
	rotated := in.path("changes.jsonl.1")
	if err := os.Rename(in.path("changes.jsonl"), rotated); err != nil {
		t.Fatal(err)
	}
	reload(5)
	s.Replace(s.PersonDN("p40"), "displayName", "Newly Named")
	in.expect(0, "sync")
	old, _ := readEvents(t, rotated, 0)
	young, _ := readEvents(t, in.path("changes.jsonl"), 0)
	if len(old) != events || len(young) != 1 || young[0].Data.Record["name"] != "Newly Named" {
		t.Errorf("%d events in the old file, want %d, and %d in the new one", len(old), events, len(young))
	}
	cfg.team = "1st Line"
	in.configure(cfg.configuration())
	reload(6)
	eventually(t, "the old rule is back", func() bool { young, _ = readEvents(t, in.path("changes.jsonl"), 0); return len(young) == 1+agents })
	replay(t, append(old, young...)).mustBe(t, wants(directoryNow(t, s)))

	t.Log("the level of the log follows the file; what only a restart changes is named")
	cfg.listen = freeAddress(t)
	in.configure(cfg.configuration() + "log: {level: debug}\n")
	if n := len(d.logged("page")); n > 0 {
		t.Errorf("%d debug lines before", n)
	}
	reload(7)
	d.awaitLog(1, "some settings were edited that only a restart changes; the former ones stay", "listen")
	in.expect(0, "sync")
	d.awaitLog(1, "page")
	cfg.listen = ""

	t.Log("the state cannot move while the daemon runs")
	in.configure(strings.Replace(cfg.configuration(), "state: state.db", "state: other.db", 1))
	reload(8)
	if problem := in.status().Problem; !strings.Contains(problem, "restart") {
		t.Errorf("the status says %q", problem)
	}
	d.stop()
}

// TestReloadOfSource: another account of the source is used from the next run on; a connection that is new is
// read at once.
func TestReloadOfSource(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	in := install(t, of(s).configuration())
	d := in.startReady()
	events := len(in.awaitJournal(len(wants(directoryNow(t, s)))))
	f := newFuse(t, s)
	through := of(s)
	through.url = f.url()
	branch := `
  branch:
    connector: ldap
    mapping: staff
    targets: [journal]
    ldap:
      servers: ["` + f.url() + `"]
      bind: {user: "cn=reader,ou=services,` + s.Suffix + `", password: {env: LDAP_PASSWORD}}
      base: "` + s.Suffix + `"
mappings:`
	in.configure(strings.Replace(through.configuration(), "\nmappings:", branch, 1))
	d.signal(syscall.SIGHUP)
	all := in.awaitJournal(2 * events)
	if n := slices.IndexFunc(all[events:], func(e event) bool { return e.Source != "dirsyncd/branch" }); n >= 0 || len(all) != 2*events {
		t.Errorf("%d events, one of them from elsewhere: %d", len(all), n)
	}
	f.reset()
	in.expect(0, "sync", "hq")
	if f.reset().connections == 0 {
		t.Error("the new address of the server is not used")
	}
	d.stop()
}

// TestStopInMidRead: TERM ends a run at the next page; what was read is kept, and the next daemon goes on by itself.
func TestStopInMidRead(t *testing.T) {
	t.Parallel()
	s := large(3000).open(t)
	f := newFuse(t, s)
	cfg := of(s)
	cfg.url = f.url()
	in := install(t, cfg.configuration())
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		started, blown := make(chan *daemon, 1), make(chan struct{})
		f.set(400_000, func() { s.Suspend(); (<-started).signal(sig); close(blown) })
		d := in.start()
		started <- d
		<-blown
		if code := d.wait(); code != 0 {
			t.Errorf("stopped with %d", code)
		}
		s.Resume()
		if len(d.logged("run stopped")) != 1 || len(d.logged("run failed"))+len(d.logged("connection is failing")) != 0 {
			t.Errorf("a stopped run is no failure:\n%s", d.log)
		}
		if len(in.journal()) > 0 {
			t.Error("half of a listing was delivered")
		}
	}
	d := in.startReady()
	want := wants(directoryNow(t, s))
	in.awaitJournal(len(want))
	d.stop()
	replay(t, in.journal()).mustBe(t, want)
}

// TestInterruptedSync: Ctrl-C ends a sync without a daemon at the next page; with a daemon, it only ends the waiting.
func TestInterruptedSync(t *testing.T) {
	t.Parallel()
	s := large(1500).open(t)
	f := newFuse(t, s)
	cfg := of(s)
	cfg.url = f.url()
	in := install(t, cfg.configuration())
	v := &victim{installation: in, command: []string{"sync"}}
	interrupt := func() {
		t.Helper()
		blown := make(chan struct{})
		f.set(300_000, func() { s.Suspend(); close(blown) })
		v.start()
		<-blown
		_ = v.cmd.Process.Signal(os.Interrupt)
		<-v.ended
		s.Resume()
		if code := v.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(v.log.String(), "dirsyncd: stopped") {
			t.Errorf("an interrupted sync ended with %d and said %q", code, v.log)
		}
	}
	interrupt()
	in.intact(0)
	if state := in.status().Connections[0].Tenants[0]; state.State != "ok" {
		t.Errorf("an interrupted sync left the connection %s: %+v", state.State, state.Failing)
	}
	in.expect(0, "sync")
	want := wants(directoryNow(t, s))
	replay(t, in.journal()).mustBe(t, want)

	d := in.startReady()
	events := len(in.journal())
	s.Replace(s.PersonDN("p400"), "displayName", "Newly Named")
	interrupt()
	in.awaitJournal(events + 1)
	d.awaitLog(1, "run ended", "clean")
	d.stop()
}

// TestTriggersAreRememberedOnce: however often a run is asked for while one is under way, one more follows, and
// it is a full one if one of them was to be full.
func TestTriggersAreRememberedOnce(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	in := install(t, of(s).configuration())
	d := in.startReady()
	d.awaitLog(1, "run ended")
	s.Suspend()
	d.signal(syscall.SIGUSR1)
	d.awaitLog(2, "run started")
	for n := range 4 {
		d.signal(syscall.SIGUSR1)
		d.awaitLog(n+2, "signal USR1: syncing everything incrementally")
	}
	d.signal(syscall.SIGUSR2)
	d.awaitLog(1, "signal USR2: syncing everything in full")
	s.Resume()
	d.awaitLog(3, "run ended")
	in.expect(0, "sync")
	d.awaitLog(4, "run ended")
	var triggers []string
	for _, l := range d.logged("run started") {
		triggers = append(triggers, l.text("trigger")+" "+l.text("mode"))
	}
	if want := []string{"startup", "signal USR1", "signal USR2 full", "operator"}; len(triggers) != len(want) || triggers[2] != want[2] {
		t.Errorf("runs: %q", triggers)
	}
	d.stop()
}

// TestStopWhileReloading: a reload that waits for a run does not keep the daemon from stopping.
func TestStopWhileReloading(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	in := install(t, of(s).configuration())
	d := in.startReady()
	d.awaitLog(1, "run ended")
	s.Suspend()
	defer s.Resume()
	d.signal(syscall.SIGUSR1)
	d.awaitLog(2, "run started")
	cfg := of(s)
	cfg.team = "2nd Line" // must wait for the run
	in.configure(cfg.configuration())
	d.signal(syscall.SIGHUP)
	eventually(t, "the reload has begun", func() bool { return d.notify.got("RELOADING=1") == 1 })
	d.stop()
	if len(d.logged("source failed, trying again")) > 0 {
		t.Error("the daemon stopped only after the source had failed")
	}
}

// TestStopAmongReloads: no number of other signals makes the one to stop get lost, or drives out another.
func TestStopAmongReloads(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	in := install(t, of(s).configuration())
	for range 3 {
		d := in.startReady()
		for range 50 {
			d.signal(syscall.SIGHUP)
		}
		d.signal(syscall.SIGUSR2)
		d.awaitLog(1, "signal USR2: syncing everything in full")
		for range 50 {
			d.signal(syscall.SIGHUP)
		}
		d.stop()
	}
}

// TestSecondSignalCuts: where a clean stop is not possible, because a target hangs, a second signal ends the
// process, and nothing is lost.
func TestSecondSignalCuts(t *testing.T) {
	t.Parallel()
	s := large(3000).open(t)
	cfg := of(s)
	cfg.journal = "pipe"
	in := install(t, cfg.configuration())
	if err := syscall.Mkfifo(in.path("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(in.path("pipe"), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	d := in.startReady()
	d.awaitLog(1, "run ended")
	d.signal(syscall.SIGTERM)
	d.awaitLog(1, "stopping; a second signal cuts")
	if within(500*time.Millisecond, d.over) {
		t.Fatal("the daemon stopped: the target did not hang, as this test wants")
	}
	d.signal(syscall.SIGTERM)
	if code := d.wait(); code != 1 || len(d.logged("cut by a second signal")) != 1 {
		t.Errorf("cut with %d", code)
	}
	in.configure(of(s).configuration())
	want := wants(directoryNow(t, s))
	d = in.startReady()
	in.awaitJournal(len(want))
	d.stop()
	replay(t, in.journal()).mustBe(t, want)
}
