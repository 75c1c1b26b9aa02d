package main

import (
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"slices"
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
// ldapsearch needs for the same people and attributes, in turn, since machines change their pace. Run it with -benchtime=5x.
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
	search := func() time.Duration {
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
		return search.ProcessState.UserTime() + search.ProcessState.SystemTime()
	}
	own := func(do func()) func() time.Duration {
		return func() time.Duration {
			before := cpuTime()
			do()
			return cpuTime() - before
		}
	}
	var known *engine.Engine
	ways := []*reading{
		{name: "search", read: search},
		{name: "first", read: own(func() { known = open(b); sync(b, known) })},
		{name: "unchanged", read: own(func() { sync(b, known) })},
	}
	for b.Loop() {
		for _, way := range ways {
			way.once(b, s.PID())
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, way := range ways {
		way.report(b, ways[0])
	}
}

// reading is one of the ways in which a directory is read, in turn.
type reading struct {
	name string
	read func() (own time.Duration) // returns the processor time of the one who reads

	took, own, server []time.Duration
}

func (r *reading) once(b *testing.B, server int) {
	b.Helper()
	before, began := processorTimeOf(b, server), time.Now()
	own := r.read()
	r.took, r.own, r.server = append(r.took, time.Since(began)), append(r.own, own), append(r.server, processorTimeOf(b, server)-before)
}

// report adds medians: the time, how many times that of another way it is, and the processor time of both sides.
func (r *reading) report(b *testing.B, than *reading) {
	b.Helper()
	median := func(list []time.Duration) float64 { return slices.Sorted(slices.Values(list))[len(list)/2].Seconds() }
	b.ReportMetric(median(r.took), r.name+"-s")
	if r != than {
		b.ReportMetric(median(r.took)/median(than.took), r.name+"-times-"+than.name)
	}
	b.ReportMetric(median(r.own), r.name+"-own-CPU-s")
	b.ReportMetric(median(r.server), r.name+"-server-CPU-s")
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
