package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take before a test gives up. It is long: machines are busy.
const patience = 5 * time.Minute

// eventually polls a condition until it holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if !within(patience, holds) {
		t.Fatalf("waited %v in vain until %s", patience, what)
	}
}

// within polls a condition and reports whether it held in time.
func within(limit time.Duration, holds func() bool) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if holds() {
			return true
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return holds()
		}
	}
}

// installation is a folder with a configuration, a state and a journal.
type installation struct {
	t   *testing.T
	dir string
	env []string

	events []event // of the journal, as far as it was read
	read   int64
}

// install makes an installation from a configuration.
func install(t *testing.T, configuration string) *installation {
	t.Helper()
	in := &installation{t: t, dir: t.TempDir()}
	in.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + in.dir, "TZ=UTC", "GORACE=halt_on_error=1 exitcode=66 atexit_sleep_ms=0",
		"LDAP_PASSWORD=" + readerPassword, "WEBHOOK_SECRET=" + webhookSecret(), "WEBHOOK_TOKEN=" + headerToken,
	}
	in.configure(configuration)
	return in
}

func (in *installation) path(name string) string { return filepath.Join(in.dir, name) }

// configure writes the configuration.
func (in *installation) configure(text string) {
	in.t.Helper()
	if err := os.WriteFile(in.path("config.yaml"), []byte(text), 0o600); err != nil {
		in.t.Fatal(err)
	}
}

func (in *installation) command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, append([]string{"--config", in.path("config.yaml")}, args...)...)
	cmd.Dir, cmd.Env = in.dir, in.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// result is how a command ended.
type result struct {
	code     int
	out, err string
}

// run runs a command to its end.
func (in *installation) run(args ...string) result {
	in.t.Helper()
	cmd := in.command(args...)
	of := in.t.Name() + ": dirsyncd " + strings.Join(args, " ")
	out, errs := everything.record(of, false), everything.record(of, false)
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Start(); err != nil {
		in.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			_ = cmd.Process.Signal(syscall.SIGQUIT) // shows what it was doing
		}
	})()
	began := time.Now()
	_ = cmd.Wait()
	in.t.Logf("dirsyncd %s: %v, %v of computing", strings.Join(args, " "), time.Since(began).Round(time.Millisecond),
		(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Round(time.Millisecond))
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// expect runs a command that must end with an exit code.
func (in *installation) expect(code int, args ...string) result {
	in.t.Helper()
	r := in.run(args...)
	if r.code != code {
		in.t.Fatalf("dirsyncd %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.out, r.err)
	}
	return r
}

// says demands that the output holds every text, whatever its line breaks.
func (r result) says(t *testing.T, texts ...string) {
	t.Helper()
	all := strings.Join(strings.Fields(r.out+" "+r.err), " ")
	for _, text := range texts {
		if !strings.Contains(all, text) {
			t.Errorf("the output does not say %q:\n%s%s", text, r.out, r.err)
		}
	}
}

// ask runs a command with --json and decodes its answer.
func ask[T any](in *installation, code int, args ...string) T {
	in.t.Helper()
	r := in.expect(code, append(args, "--json")...)
	var answer T
	if err := json.Unmarshal([]byte(r.out), &answer); err != nil {
		in.t.Fatalf("dirsyncd %s --json: %v\n%s", strings.Join(args, " "), err, r.out)
	}
	return answer
}

// The parts of JSON answers that the tests look at.
type (
	runView struct {
		Connection, ID, Trigger, Mode, Outcome, Error, Class, Held string
		Read, Changed, Removed, Parked                             int
		Started                                                    time.Time
		Notes                                                      []string
		Counts                                                     map[string]map[string]int
		HeldReasons                                                []string `json:"held_reasons"`
	}
	syncView struct {
		Runs      []runView
		Delivered []struct {
			Target, Error              string
			Delivered, Parked, Waiting int
		}
	}
	heldView struct {
		Hash    string
		Reasons []string
		Counts  map[string]map[string]int
	}
	statusView struct {
		Daemon      bool
		PID         int
		Problem     string
		Connections []struct {
			Name    string
			Running bool
			Next    time.Time
			Tenants []struct {
				State   string
				Proven  time.Time
				Failing *struct {
					Class, Text string
					Runs        int
				}
				Held    *heldView
				Objects map[string]int
				Records map[string]int
				Parked  int
			}
		}
		Targets []struct {
			Name, State, Error string
			Waiting, Parked    int
		}
	}
	planView struct {
		Actions []plannedView
		Runs    []runView
		Held    bool
	}
	plannedView struct {
		Op, Kind, Key, Name, Rule, Reason string
		Changes                           []struct {
			Field    string
			From, To any
		}
		Added, Removed int
	}
	parkedView struct {
		ID, Stage, Target, Subject, Op, Class, Reason string
	}
)

func (in *installation) status() statusView {
	in.t.Helper()
	return ask[statusView](in, 0, "status")
}

// daemon is a running `dirsyncd run`.
type daemon struct {
	*installation
	cmd    *exec.Cmd
	log    *tape
	notify *notifySocket
	ended  chan struct{}
}

// start starts the daemon without waiting for it to be ready.
func (in *installation) start(extra ...string) *daemon {
	in.t.Helper()
	verbose := slices.Contains(extra, "-v")
	d := &daemon{installation: in, ended: make(chan struct{}), notify: listenNotify(in.t), cmd: in.command(append([]string{"run"}, extra...)...)}
	d.log = everything.record(in.t.Name()+": log of dirsyncd run", !verbose)
	d.cmd.Env = append(slices.Clone(in.env), "NOTIFY_SOCKET="+d.notify.path, "WATCHDOG_USEC=600000")
	d.cmd.Stdout, d.cmd.Stderr = everything.record(in.t.Name()+": output of dirsyncd run", true), d.log
	if err := d.cmd.Start(); err != nil {
		in.t.Fatal(err)
	}
	go func() {
		_ = d.cmd.Wait()
		close(d.ended)
	}()
	in.t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		<-d.ended
		if in.t.Failed() {
			text := d.log.String()
			in.t.Logf("the end of the daemon's log:\n%s", text[max(0, len(text)-6000):])
		}
	})
	return d
}

// startReady starts the daemon and waits until it says READY.
func (in *installation) startReady(extra ...string) *daemon {
	in.t.Helper()
	d := in.start(extra...)
	eventually(in.t, "the daemon says READY", func() bool { return d.notify.got("READY=1") > 0 || d.over() })
	if d.over() {
		in.t.Fatalf("the daemon ended at once with %d:\n%s", d.cmd.ProcessState.ExitCode(), d.log)
	}
	return d
}

func (d *daemon) over() bool {
	select {
	case <-d.ended:
		return true
	default:
		return false
	}
}

func (d *daemon) signal(sig syscall.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(sig); err != nil {
		d.t.Fatalf("signal %v: %v", sig, err)
	}
}

// wait returns the exit code.
func (d *daemon) wait() int {
	d.t.Helper()
	eventually(d.t, "the daemon ends", d.over)
	return d.cmd.ProcessState.ExitCode()
}

// stop ends the daemon cleanly.
func (d *daemon) stop() {
	d.t.Helper()
	d.signal(syscall.SIGTERM)
	if code := d.wait(); code != 0 {
		d.t.Fatalf("a stopped daemon ended with %d:\n%s", code, d.log)
	}
}

// logLine is one line of a daemon's log.
type logLine map[string]any

func (l logLine) text(key string) string { s, _ := l[key].(string); return s }
func (l logLine) number(key string) int  { n, _ := l[key].(float64); return int(n) }

// lines parses the log. Every line must be JSON: nobody watches.
func (d *daemon) lines() (list []logLine) {
	d.t.Helper()
	for text := range strings.Lines(d.log.String()) {
		if !strings.HasSuffix(text, "\n") {
			break // being written
		}
		var l logLine
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			d.t.Fatalf("a log line is not JSON: %s", text)
		}
		list = append(list, l)
	}
	return list
}

// logged returns the lines with a message, and all further texts in any field.
func (d *daemon) logged(msg string, also ...string) (found []logLine) {
	d.t.Helper()
	for _, l := range d.lines() {
		all := fmt.Sprint(l)
		if l.text("msg") == msg && !slices.ContainsFunc(also, func(s string) bool { return !strings.Contains(all, s) }) {
			found = append(found, l)
		}
	}
	return found
}

// awaitLog waits until a message was logged n times.
func (d *daemon) awaitLog(n int, msg string, also ...string) []logLine {
	d.t.Helper()
	eventually(d.t, fmt.Sprintf("%q %q was logged %d times", msg, also, n), func() bool { return len(d.logged(msg, also...)) >= n })
	return d.logged(msg, also...)
}

// notifySocket is the other end of systemd's notifications.
type notifySocket struct {
	path string
	tape tape
}

func listenNotify(t *testing.T) *notifySocket {
	t.Helper()
	s := &notifySocket{path: filepath.Join(t.TempDir(), "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			_, _ = s.tape.Write(append(buf[:n:n], '\n'))
		}
	}()
	return s
}

// got counts the messages with a line.
func (s *notifySocket) got(line string) (n int) {
	for l := range strings.Lines(s.tape.String()) {
		if strings.TrimSpace(l) == line || strings.HasSuffix(line, "=") && strings.HasPrefix(l, line) {
			n++
		}
	}
	return n
}
