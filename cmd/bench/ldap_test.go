package main

import (
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/settings"
)

// BenchmarkLDAP syncs a real directory of 100,000 people through the whole program, side by side with what
// ldapsearch needs for the same people and attributes. Run it with -benchtime=3x.
func BenchmarkLDAP(b *testing.B) {
	const people = 100_000
	s := slapdtest.Start(b, slapdtest.Options{Load: slapdtest.Population{People: people, Groups: 2_000}.WriteLDIF})
	cfg := ldap.Defaults()
	cfg.Servers = []string{s.URL}
	cfg.Bind = ldap.BindConfig{User: s.ReplicatorDN, Password: settings.NewSecret(slapdtest.ReplicatorPassword)}
	cfg.Base = ldap.Names{s.Suffix}
	source, err := ldap.Factory().Open(cfg, connectors.Env{Connection: "hq", Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	conn := &engine.Connection{Name: "hq", Connector: "ldap", Source: source, Rules: rules("Head office"), Guard: plan.DefaultGuard()}
	open := func(b *testing.B) *engine.Engine {
		b.Helper()
		st, err := bolt.Open(b.TempDir()+"/state.db", bolt.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = st.Close() })
		return engine.New(st, engine.Options{Log: slog.New(slog.DiscardHandler), Now: time.Now, Program: func() string { return "bench" }})
	}
	sync := func(b *testing.B, e *engine.Engine) {
		b.Helper()
		if res := e.Run(b.Context(), conn, connectors.Tenant{}, engine.Job{Full: true}); res.Err != nil || res.Run.Read < people {
			b.Fatalf("read %d: %v", res.Run.Read, res.Err)
		}
	}
	b.Run("ldapsearch", func(b *testing.B) {
		used := processorTime{server: s.PID()}
		used.begin(b)
		for b.Loop() {
			args := []string{
				"-x", "-LLL", "-E", "pr=1000/noprompt", "-H", s.URL, "-D", s.ReplicatorDN, "-w", slapdtest.ReplicatorPassword,
				"-b", s.Suffix, "(objectClass=*)",
				"entryUUID", "uid", "cn", "displayName", "givenName", "sn", "mail", "title", "departmentNumber", "telephoneNumber", "mobile",
				"l", "manager", "employeeNumber", "employeeType", "pwdAccountLockedTime", "createTimestamp", "member",
			}
			search := exec.CommandContext(b.Context(), "ldapsearch", args...)
			out, err := search.Output()
			if err != nil || bytes.Count(out, []byte("\ndn: ")) < people {
				b.Fatal(err)
			}
			used.client += search.ProcessState.UserTime() + search.ProcessState.SystemTime()
		}
		used.report(b)
	})
	b.Run("first sync", func(b *testing.B) {
		used := processorTime{server: s.PID(), self: true}
		used.begin(b)
		for b.Loop() {
			sync(b, open(b))
		}
		used.report(b)
	})
	b.Run("unchanged full read", func(b *testing.B) {
		e := open(b)
		sync(b, e)
		used := processorTime{server: s.PID(), self: true}
		used.begin(b)
		for b.Loop() {
			sync(b, e)
		}
		used.report(b)
	})
}

// processorTime is what a benchmark's two sides have used of the processors, which other work on the machine spoils less than time.
type processorTime struct {
	server int  // the process that answers
	self   bool // this process asks; otherwise client is added to
	client time.Duration
	before time.Duration // of the server
}

func (p *processorTime) begin(b *testing.B) {
	b.Helper()
	p.before = processorTimeOf(b, p.server)
	if p.self {
		p.client = -cpuTime()
	}
}

// report adds both to the benchmark's figures, for each round.
func (p *processorTime) report(b *testing.B) {
	b.Helper()
	if p.self {
		p.client += cpuTime()
	}
	b.ReportMetric(p.client.Seconds()/float64(b.N), "own-CPU-s/op")
	b.ReportMetric((processorTimeOf(b, p.server)-p.before).Seconds()/float64(b.N), "server-CPU-s/op")
}

// processorTimeOf is that of another process, in the hundredths of a second that Linux counts in (proc(5)).
func processorTimeOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // after the name, which may hold spaces
	fields := strings.Fields(rest)
	var ticks int
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
