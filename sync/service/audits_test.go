package service

import (
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets/desktest"
)

func repairing(more string) string {
	return strings.Replace(oneDesk, "    sim: {}", "    first: go\n    after: adopt\n"+more+"    sim: {}", 1)
}

// edit lets somebody at the desk rename whoever has a log-in.
func edit(t *testing.T, sim *desktest.Sim, login string) {
	t.Helper()
	for _, p := range sim.Things(directory.UserRecord) {
		if p.Fields["login"] == login {
			sim.Human(p.Kind, p.ID, "edit", func(t *desktest.Thing) { t.Fields["name"] = "by hand" })
			return
		}
	}
	t.Fatal("nobody has the log-in " + login)
}

func nameAt(sim *desktest.Sim, login string) string {
	for _, p := range sim.Things(directory.UserRecord) {
		if p.Fields["login"] == login {
			return p.Fields["name"]
		}
	}
	return ""
}

// An audit puts right what the target's configuration names, and nothing unasked.
func TestAuditRepairs(t *testing.T) {
	w, sim := deskWorld(t, repairing("    audit: {repair: [missing], fields: [name]}\n"))
	s, ctx := w.open(t), t.Context()
	if _, err := s.Sync(ctx, api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	edit(t, sim, "l4")
	if r, err := s.Audit(ctx, api.AuditRequest{Target: "help"}); err != nil || len(r.Differences) != 1 || r.Repaired != 0 || nameAt(sim, "l4") != "by hand" {
		t.Errorf("%+v, %v", r, err)
	}
	r, err := s.Audit(ctx, api.AuditRequest{Target: "help", Repair: true})
	if err != nil || r.Repaired != 1 || len(r.Differences) != 1 || !r.Differences[0].Repaired || nameAt(sim, "l4") != "Person 4" {
		t.Errorf("%+v, %v, %q", r, err, nameAt(sim, "l4"))
	}
	if st, err := s.Status(ctx); err != nil || st.Targets[0].Audit["user"]["repaired"] != 1 || st.Targets[0].Audited.IsZero() {
		t.Errorf("%+v, %v", st.Targets, err)
	}
	if r, err := s.Audit(ctx, api.AuditRequest{Target: "help", Repair: true}); err != nil || len(r.Differences) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if problems := sim.Problems(nil); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestAuditRepairsNothingUnlessConfigured(t *testing.T) {
	w, _ := deskWorld(t, oneDesk)
	if _, err := w.open(t).Audit(t.Context(), api.AuditRequest{Target: "help", Repair: true}); fault.ClassOf(err) != fault.Configuration {
		t.Error(err)
	}
}

// A daemon audits by schedule.
func TestAuditBySchedule(t *testing.T) {
	w, sim := deskWorld(t, repairing("    audit: {schedule: \"@every 1s\", fields: [name]}\n"))
	w.cfg.Control, w.cfg.Listen = "c.sock", ""
	log, signals, stop, ended := heard{make(chan slog.Record, 10_000)}, make(chan os.Signal), make(chan os.Signal), make(chan error, 1)
	launch := Launch{Options: w.options(), Config: w.cfg, Written: FixedOf(w.cfg), Signals: signals, Stop: stop, Cut: func() { t.Error("cut") }}
	launch.Log = slog.New(log)
	go func() { ended <- Run(t.Context(), launch) }()
	for nameAt(sim, "l4") == "" {
		log.until("audited")
	}
	edit(t, sim, "l4")
	for nameAt(sim, "l4") != "Person 4" {
		log.until("audited")
	}
	stop <- syscall.SIGTERM
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(stop)
}
