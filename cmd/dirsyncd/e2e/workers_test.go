package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/sync/database/postgrestest"
)

// slowDesk is a service desk whose answers can be held back: what it was sent it has taken then.
type slowDesk struct {
	*desk
	mu   sync.Mutex
	gate chan struct{} // open when closed, or nil
	held chan struct{} // an answer is being held back
}

func openSlowDesk(t *testing.T) *slowDesk {
	t.Helper()
	d := &slowDesk{desk: &desk{t: t, world: world{}, taken: map[string]string{}, refuse: map[string]string{}}, held: make(chan struct{}, 1)}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	t.Cleanup(d.answer) // the server waits for what it serves
	d.address = server.Listener.Addr().String()
	return d
}

func (d *slowDesk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.desk.ServeHTTP(w, r)
	d.mu.Lock()
	gate := d.gate
	d.mu.Unlock()
	if gate == nil {
		return
	}
	select {
	case d.held <- struct{}{}:
	default:
	}
	<-gate
}

// holdBack keeps answers until answer is called.
func (d *slowDesk) holdBack() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gate = make(chan struct{})
}

func (d *slowDesk) answer() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gate != nil {
		close(d.gate)
		d.gate = nil
	}
}

// workers are those that a daemon's status shows, and what each works on.
func (in *installation) workers() (list []string) {
	in.t.Helper()
	st := ask[struct {
		Workers []struct {
			Name, State string
			Holds       []string
		}
	}](in, 0, "status")
	for _, w := range st.Workers {
		list = append(list, strings.Join(append([]string{w.Name, w.State}, w.Holds...), " "))
	}
	return list
}

// The schedule of these workers.
const (
	everySoOften = 2 * time.Second
	spec         = "@every 2s"
)

// TestWorkers: two daemons on one state. One is killed while it reads and while the desk has taken something of which
// it does not know yet; the other one goes on with both. No event is lost, none comes under another key, and the schedule fires once for all.
func TestWorkers(t *testing.T) {
	t.Parallel()
	pg := postgrestest.Start(t)
	db := pg.Database(t)
	s := small().open(t)
	desk := openSlowDesk(t)
	cfg := of(s)
	cfg.targets, cfg.more, cfg.schedule = "desk", desk.block(), spec
	worker := func(name string) *installation {
		state := fmt.Sprintf("state: {url: \"postgres://%s@127.0.0.1:%d/%s?sslmode=verify-full&sslrootcert=%s\", password: {env: STATE_PASSWORD}, worker: %s}\ncontrol: control.sock",
			postgrestest.Admin, pg.Port, db.Name, pg.CAFile, name)
		text := strings.Replace(cfg.configuration(), "state: state.db", state, 1)
		in := install(t, strings.Replace(text, "  journal: {target: file, file: {path: changes.jsonl}}\n", "", 1))
		in.env = append(in.env, "STATE_PASSWORD="+postgrestest.AdminPassword)
		return in
	}
	expected := func(what string) {
		t.Helper()
		want := wants(directoryNow(t, s))
		eventually(t, what, func() bool { return desk.count() >= len(want) || t.Failed() })
	}
	inA, inB := worker("a"), worker("b")
	a := inA.startReady("-v")
	expected("all are created")
	first := desk.count()

	desk.holdBack()
	s.Replace(s.PersonDN("p40"), "telephoneNumber", "+44 20 0001")
	<-desk.held // taken, and a does not know
	var suspended time.Time
	eventually(t, "the directory is suspended while nobody reads", func() bool { // who reads now would wait there, with a run that had begun before
		tx, err := db.DB.BeginTx(t.Context(), nil)
		fatal(t, err)
		defer func() { _ = tx.Rollback() }()
		var busy bool
		fatal(t, tx.QueryRowContext(t.Context(), "SELECT bool_or(holder IS NOT NULL) FROM (SELECT holder FROM dirsyncd_fleet.unit FOR UPDATE) u").Scan(&busy))
		if !busy { // and nobody begins before the transaction ends
			s.Suspend()
			fatal(t, tx.QueryRowContext(t.Context(), "SELECT clock_timestamp()").Scan(&suspended))
		}
		return !busy
	})
	defer s.Resume()
	eventually(t, "a begins to read, and waits for the directory", func() (waits bool) { // a run that began before may have read all
		fatal(t, db.DB.QueryRowContext(t.Context(), "SELECT count(*) > 0 FROM dirsyncd_fleet.unit WHERE holder IS NOT NULL AND since > $1", suspended).Scan(&waits))
		return waits
	})
	b := inB.startReady("-v")
	for _, in := range []*installation{inA, inB} {
		eventually(t, "each worker knows both", func() bool { return slices.Equal(in.workers(), []string{"a working run hq deliver desk", "b working"}) })
	}
	killed := time.Now()
	_ = a.cmd.Process.Kill()
	<-a.ended
	s.Resume()
	desk.answer()
	s.Replace(s.PersonDN("p41"), "telephoneNumber", "+44 20 0002")
	eventually(t, "b has taken over", func() bool { return desk.count() >= first+2 })
	t.Logf("b took over within %v", time.Since(killed).Round(time.Millisecond))
	desk.with(func() {
		if desk.again == 0 {
			t.Error("what a did not know of was not sent again")
		}
	})

	again := inA.startReady("-v")
	for _, in := range []*installation{inA, inB} {
		eventually(t, "each worker knows both again", func() bool {
			names := in.workers()
			return len(names) == 2 && strings.HasPrefix(names[0], "a working") && strings.HasPrefix(names[1], "b working")
		})
	}
	for i := range 4 { // nobody asks for it but the schedule
		s.Replace(s.PersonDN("p42"), "telephoneNumber", fmt.Sprintf("+44 20 001%d", i))
		eventually(t, "the schedule finds a change", func() bool { return desk.count() >= first+3+i })
	}
	inB.expect(0, "drain", "a").says(t, "takes no more")
	eventually(t, "a is drained", func() bool { return inA.workers()[0] == "a draining" })
	s.Replace(s.PersonDN("p42"), "telephoneNumber", "+44 20 0020")
	eventually(t, "b alone finds a change", func() bool { return desk.count() >= first+7 })
	again.stop()
	b.stop()
	desk.mustBe(t, wants(directoryNow(t, s)))
	if n := desk.count(); n != first+7 {
		t.Errorf("%d events, want %d", n, first+7)
	}
	firedOnce(t, a, b, again)
}

// firedOnce demands that all daemons together ran no more often than one alone would have. They have ended.
func firedOnce(t *testing.T, daemons ...*daemon) {
	t.Helper()
	var began []time.Time
	for _, d := range daemons {
		for _, l := range d.logged("run started") {
			if l.text("trigger") != "schedule" {
				continue
			}
			at, err := time.Parse(time.RFC3339Nano, l.text("time"))
			fatal(t, err)
			began = append(began, at)
		}
	}
	slices.SortFunc(began, time.Time.Compare)
	// The first may be late; what came due while it was under way is one more.
	took := began[len(began)-1].Sub(began[0])
	if most := int(took/everySoOften) + 3; len(began) > most || len(began) < 4 {
		t.Errorf("%d runs by schedule in %v, want %d at most", len(began), took, most)
	}
	t.Logf("%d runs by schedule in %v", len(began), took.Round(time.Millisecond))
}
