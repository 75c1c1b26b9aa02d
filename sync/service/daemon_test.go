package service

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/api/socket"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
)

// heard is a log that a test follows.
type heard struct{ lines chan slog.Record }

func (h heard) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (h heard) WithAttrs([]slog.Attr) slog.Handler               { return h }
func (h heard) WithGroup(string) slog.Handler                    { return h }
func (h heard) Handle(_ context.Context, r slog.Record) error {
	h.lines <- r
	return nil
}

// until waits for messages, in any order.
func (h heard) until(messages ...string) {
	for len(messages) > 0 {
		r := <-h.lines
		if i := slices.Index(messages, r.Message); i >= 0 {
			messages = slices.Delete(messages, i, i+1)
		}
	}
}

// A daemon reads newcomers at once, answers on its socket, reloads and syncs when it is told by a signal, and ends by one.
func TestDaemon(t *testing.T) {
	w := newWorld(t)
	w.cfg.Control, w.cfg.Listen, w.cfg.Readers = "c.sock", "", &config.Readers{Socket: "r.sock", Group: strconv.Itoa(os.Getgid())}
	log, signals, stop, ended := heard{make(chan slog.Record, 1000)}, make(chan os.Signal), make(chan os.Signal), make(chan error, 1)
	launch := Launch{
		Options: w.options(), Config: w.cfg, Written: FixedOf(w.cfg), Signals: signals, Stop: stop, Cut: func() { t.Error("cut") },
	}
	launch.Log = slog.New(log)
	go func() { ended <- Run(t.Context(), launch) }()
	log.until("started", "run ended", "run ended")

	client, err := socket.Dial(t.Context(), "c.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	st, err := client.Status(t.Context())
	if err != nil || !st.Daemon || st.PID != os.Getpid() || st.Started.IsZero() || len(st.Connections) != 2 {
		t.Errorf("status: %+v, %v", st, err)
	}
	readers, err := socket.Dial(t.Context(), "r.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer readers.Close()
	if st, err := readers.Status(t.Context()); err != nil || !st.Daemon {
		t.Errorf("who may look: %+v, %v", st, err)
	}
	if _, err := readers.Sync(t.Context(), api.SyncRequest{}, nil); fault.ClassOf(err) != fault.Forbidden {
		t.Errorf("who may look asks for a sync: %v", err)
	}
	w.join("bob", "Bob")
	signals <- syscall.SIGUSR1
	log.until("run ended", "run ended")
	if result, err := client.Sync(t.Context(), api.SyncRequest{}, nil); err != nil || len(result.Runs) != 2 || events(t) != 4 {
		t.Errorf("sync: %+v, %v; %d events", result, err, events(t))
	}
	w.write(t, "all of them")
	signals <- syscall.SIGHUP
	log.until("configuration reloaded")
	if reasons, err := client.Why(t.Context(), "user", "hq/bob"); err != nil || reasons[0].Rules[0].Rule != "all of them" {
		t.Errorf("why: %+v, %v", reasons, err)
	}
	stop <- syscall.SIGTERM
	log.until("stopped")
	if err := <-ended; err != nil || w.store.closed != 1 {
		t.Errorf("ended with %v; the state was closed %d times", err, w.store.closed)
	}
	for _, path := range []string{"c.sock", "r.sock"} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is left behind", path)
		}
	}
	close(stop)
}
