package entra

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/fault"
)

// watching is a watch under way: of a simulated tenant, with a clock that the test moves.
type watching struct {
	*world
	t     *testing.T
	c     *Connector
	front *front
	calls chan struct{}
	ended chan error
	ticks chan time.Time
	stop  context.CancelFunc
	waits *pauses
	taken *atomic.Int64 // how often the address is taken
}

// pauses are the waits that were asked for.
type pauses struct {
	mu   sync.Mutex
	last time.Duration
}

func (p *pauses) note(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = d
}

func (p *pauses) get() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// patience is how long a test waits for what must come, on a busy machine.
const patience = 5 * time.Minute

// prepare makes a connector that listens for notifications; nothing runs yet.
func prepare(t *testing.T, edit func(*Config)) *watching {
	t.Helper()
	w := &watching{
		world: newWorld(t, microsoftsim.TenantOptions{Population: microsoftsim.Population{People: 10, Groups: 2}}, microsoftsim.Pages{}), t: t, waits: &pauses{},
		taken: &atomic.Int64{},
	}
	w.front = newFront(t)
	w.openWatching(edit)
	return w
}

// front is a public address at which one handler may be.
type front struct {
	*httptest.Server
	mu      sync.Mutex
	handler http.Handler // nil: nobody is there
}

func newFront(t *testing.T) *front {
	t.Helper()
	f := &front{}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	h := f.handler
	f.mu.Unlock()
	if h == nil {
		h = http.NotFoundHandler()
	}
	h.ServeHTTP(w, r)
}

func (f *front) set(h http.Handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handler = h
}

func (w *watching) openWatching(edit func(*Config)) {
	w.t.Helper()
	w.calls, w.ended, w.ticks = make(chan struct{}, 1000), make(chan error, 1), make(chan time.Time)
	cfg := w.config(func(c *Config) {
		c.Notifications = true
		if edit != nil {
			edit(c)
		}
	})
	ticks, place := w.ticks, w.front
	public := func(h http.Handler) (string, func(), error) {
		if w.taken.Add(-1) >= 0 {
			return "", nil, &fault.Error{Class: fault.Transient, Op: "serve"}
		}
		place.set(h)
		return place.URL + "/hook", func() { place.set(nil) }, nil
	}
	var err error
	w.c, err = openWith(cfg, connectors.Env{Connection: "test", Now: w.now, Sleep: noWait, Public: public}, tuning{
		farewell: patience,
		after: func(d time.Duration) <-chan time.Time {
			w.waits.note(d)
			return ticks
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	c := w.c
	w.t.Cleanup(func() { _ = c.Close() })
}

func (w *watching) begin() *watching {
	ctx, cancel := context.WithCancel(w.t.Context())
	w.stop = cancel
	c, calls, ended := w.c, w.calls, w.ended
	go func() {
		ended <- connectors.Guard(c).(connectors.Watcher).Watch(ctx, connectors.Tenant{}, func() { calls <- struct{}{} })
	}()
	w.t.Cleanup(cancel)
	return w
}

func (w *watching) called(what string) {
	w.t.Helper()
	select {
	case <-w.calls:
	case err := <-w.ended:
		w.t.Fatalf("%s: the watch ended: %v", what, err)
	case <-time.After(patience):
		w.t.Fatalf("%s: no call", what)
	}
}

// quiet waits until everything so far was dealt with, and there was no call for it.
func (w *watching) quiet(what string) {
	w.t.Helper()
	w.tick(0)
	w.tick(0)
	if n := len(w.calls); n > 0 {
		w.t.Fatalf("%s: %d calls", what, n)
	}
}

// tick moves the clock and lets the watch look at it.
func (w *watching) tick(d time.Duration) {
	w.t.Helper()
	w.shift.Add(int64(d))
	select {
	case w.ticks <- time.Time{}:
	case err := <-w.ended:
		w.t.Fatalf("the watch ended: %v", err)
	case <-time.After(patience):
		w.t.Fatal("the watch does not look at the clock")
	}
}

func (w *watching) over() error {
	w.t.Helper()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(patience):
		w.t.Fatal("the watch does not end")
		return nil
	}
}

// told makes the service tell what has changed.
func (w *watching) told() {
	w.t.Helper()
	if n, err := w.s.Notify(w.t.Context(), w.tenant); n == 0 || err != nil {
		w.t.Fatalf("%d notifications taken, error %v", n, err)
	}
}

func (w *watching) subscriptions() []string {
	return slices.Sorted(maps.Keys(w.s.SubscriptionEnds(w.tenant.ID())))
}

func TestWatch(t *testing.T) {
	w := prepare(t, nil).begin()
	w.called("in place")
	if n := len(w.subscriptions()); n != 2 {
		t.Fatalf("%d subscriptions", n)
	}
	for what, change := range map[string]func(){
		"change": func() { w.tenant.Set(w.tenant.PersonID(1), microsoftsim.Props{"jobTitle": "Wizard"}) },
		"delete": func() { w.tenant.SoftDelete(w.tenant.PersonID(2)) },
		"group":  func() { w.tenant.AddGroup(microsoftsim.Props{"displayName": "New"}) },
	} {
		change()
		w.told()
		w.called(what)
	}
	// What the service tells of shows in its lists a little later.
	if d := w.waits.get(); d > echo {
		t.Errorf("the next look is in %v", d)
	}
	w.quiet("too early")
	w.tick(echo)
	w.called("once more")
	w.quiet("and no more")
	w.stop()
	if err := w.over(); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
	if n := len(w.subscriptions()); n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
	client := &http.Client{Timeout: patience}
	resp, err := client.Post(w.front.URL+"/hook", "application/json", strings.NewReader(`{"value":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _ = resp.Body.Close(); resp.StatusCode != http.StatusNotFound {
		t.Errorf("somebody still takes calls: %s", resp.Status)
	}
}

func TestWatchOff(t *testing.T) {
	w := newWorld(t, microsoftsim.TenantOptions{}, microsoftsim.Pages{})
	if err := w.open(nil).Watch(t.Context(), connectors.Tenant{}, func() { t.Error("called") }); err != nil {
		t.Errorf("a watch that nobody asked for: %v", err)
	}
	if n := w.s.Requests(""); n != 0 {
		t.Errorf("%d requests", n)
	}
	c := prepare(t, func(c *Config) { c.Groups = false }).begin()
	c.called("in place")
	if n := len(c.subscriptions()); n != 1 {
		t.Errorf("%d subscriptions without groups", n)
	}
}

func TestRenewal(t *testing.T) {
	w := prepare(t, nil).begin()
	w.called("in place")
	before := w.s.SubscriptionEnds(w.tenant.ID())
	for id, end := range before {
		if life := end.Sub(w.now()); life > lifetime || life < lifetime-time.Hour {
			t.Errorf("%s lives for %v", id, life)
		}
	}
	w.tick(lifetime/2 - time.Hour)
	w.quiet("not yet")
	if n := w.s.Requests("PATCH"); n != 0 {
		t.Fatalf("%d renewals too early", n)
	}
	for range 5 { // beyond the first life
		w.tick(lifetime/2 + time.Minute)
		w.quiet("renewed")
	}
	after := w.s.SubscriptionEnds(w.tenant.ID())
	for id := range before {
		if !after[id].After(w.now().Add(lifetime / 3)) {
			t.Errorf("%s ends at %v, now it is %v", id, after[id], w.now())
		}
	}
	// Lost without a word: found at the next renewal at the latest.
	w.s.DropSubscriptions(w.tenant.ID())
	w.tick(lifetime/2 + time.Minute)
	w.called("after the loss")
	if n := len(w.subscriptions()); n != 2 {
		t.Errorf("%d subscriptions", n)
	}
	w.s.Misbehave(microsoftsim.Fault{Method: http.MethodPatch, Status: http.StatusServiceUnavailable})
	w.tick(lifetime/2 + time.Minute)
	if err := w.over(); fault.ClassOf(err) != fault.Transient {
		t.Errorf("a renewal that fails: %v", err)
	}
	if n := len(w.subscriptions()); n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}

func TestLifecycle(t *testing.T) {
	w := prepare(t, nil).begin()
	w.called("in place")
	first := w.subscriptions()
	lifecycle := func(what string) {
		t.Helper()
		if err := w.s.NotifyLifecycle(t.Context(), w.tenant, what); err != nil {
			t.Fatal(err)
		}
	}
	w.shift.Add(int64(time.Hour))
	lifecycle("reauthorizationRequired")
	w.quiet("a renewal is no change")
	for id, end := range w.s.SubscriptionEnds(w.tenant.ID()) {
		if end.Sub(w.now()) < lifetime-time.Minute {
			t.Errorf("%s was not renewed", id)
		}
	}
	if !slices.Equal(first, w.subscriptions()) {
		t.Error("other subscriptions")
	}
	for _, what := range []string{"missed", "subscriptionRemoved", "somethingNew"} {
		before := w.subscriptions()
		lifecycle(what)
		w.called(what)
		w.tick(0)
		w.tick(0)
		after := w.subscriptions()
		if len(after) != 2 || slices.ContainsFunc(after, func(id string) bool { return slices.Contains(before, id) }) {
			t.Errorf("%s: subscriptions %v, before %v", what, after, before)
		}
		for len(w.calls) > 0 {
			<-w.calls
		}
	}
	w.tenant.Set(w.tenant.PersonID(1), microsoftsim.Props{"jobTitle": "Wizard"})
	w.told()
	w.called("a change after all that")
}

// TestWatchRefused: what was begun is taken back when not all of it can be had.
func TestWatchRefused(t *testing.T) {
	forbidden := microsoftsim.Fault{Method: http.MethodPost, Path: "/subscriptions", Skip: 1, Status: http.StatusForbidden, Body: `{"error":{"code":"ExtensionError"}}`}
	for name, tc := range map[string]struct {
		away  bool // nobody is at the address
		fault *microsoftsim.Fault
		class fault.Class
		hint  string
	}{
		"nobody at the address": {true, nil, fault.Transient, "from the internet"},
		"no permission":         {false, &forbidden, fault.Forbidden, "Group.Read.All"},
		"a busy service":        {false, &microsoftsim.Fault{Method: http.MethodPost, Path: "/subscriptions", Status: http.StatusServiceUnavailable}, fault.Transient, ""},
		"an answer of no use":   {false, &microsoftsim.Fault{Method: http.MethodPost, Path: "/subscriptions", Status: http.StatusCreated, Body: `{"id":"../users"}`}, fault.Transient, ""},
		"no sign-in":            {false, &microsoftsim.Fault{Path: "/token", Status: http.StatusBadRequest, Body: `{"error":"invalid_client","error_codes":[7000215]}`}, fault.Auth, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := prepare(t, nil)
			if tc.away {
				w.front.Close()
			}
			if tc.fault != nil {
				w.s.Misbehave(*tc.fault)
			}
			err := w.begin().over()
			if fault.ClassOf(err) != tc.class || !strings.Contains(fault.Hint(err), tc.hint) || len(w.calls) > 0 {
				t.Errorf("%d calls, class %s, error %v", len(w.calls), fault.ClassOf(err), err)
			}
			if n := len(w.subscriptions()); n != 0 {
				t.Errorf("%d subscriptions are left", n)
			}
		})
	}
}

// TestWatchWaitsForItsAddress: the watch before this one may still be taking leave.
func TestWatchWaitsForItsAddress(t *testing.T) {
	w := prepare(t, nil)
	w.taken.Store(3)
	w.begin()
	for range 3 {
		w.tick(0)
	}
	w.called("in place")
	w.stop()
	_ = w.over()
	w.taken.Store(1000)
	w.begin()
	for range 10 {
		w.tick(0)
	}
	if err := w.over(); fault.ClassOf(err) != fault.Transient {
		t.Errorf("an address that stays taken: %v", err)
	}
	w.begin()
	w.tick(0)
	w.stop()
	if err := w.over(); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

// TestWatchWithoutFront: `check` finds that first.
func TestWatchWithoutFront(t *testing.T) {
	w := prepare(t, nil)
	w.c.public = nil
	if err := w.begin().over(); fault.ClassOf(err) != fault.Configuration {
		t.Error(err)
	}
}

// TestWatchSweeps: what a killed process has left behind is removed by the next one, and nothing else.
func TestWatchSweeps(t *testing.T) {
	w := prepare(t, nil).begin()
	w.called("in place")
	disarm := w.s.Misbehave(microsoftsim.Fault{Method: http.MethodDelete, Status: http.StatusServiceUnavailable})
	w.stop()
	_ = w.over()
	left := w.subscriptions()
	if len(left) != 2 {
		t.Fatalf("%d subscriptions are left", len(left))
	}
	disarm()
	w.openWatching(nil)
	w.begin().called("in place again")
	if now := w.subscriptions(); len(now) != 2 || slices.ContainsFunc(now, func(id string) bool { return slices.Contains(left, id) }) {
		t.Errorf("subscriptions %v, left were %v", now, left)
	}
	// Another address is another's.
	second := *w
	second.front = newFront(t)
	second.openWatching(nil)
	second.begin().called("a second one")
	if n := len(w.subscriptions()); n != 4 {
		t.Errorf("%d subscriptions", n)
	}
}

// TestWatchByDomain: the tenant's id, which notifications name, is that of the token.
func TestWatchByDomain(t *testing.T) {
	w := prepare(t, nil)
	w.openWatching(func(c *Config) { c.Tenant = w.tenant.Domain() })
	w.begin().called("in place")
	w.tenant.Set(w.tenant.PersonID(1), microsoftsim.Props{"jobTitle": "Wizard"})
	w.told()
	w.called("change")
}

// TestForgedCalls: whoever has not got the secret changes nothing, over the wire.
func TestForgedCalls(t *testing.T) {
	w := prepare(t, nil).begin()
	w.called("in place")
	client := &http.Client{Timeout: patience}
	for _, body := range []string{
		`{"value":[{"clientState":"guess","tenantId":"` + w.tenant.ID() + `"}]}`,
		`{"value":[{"clientState":"","tenantId":"` + w.tenant.ID() + `","lifecycleEvent":"missed","subscriptionId":"` + w.subscriptions()[0] + `"}]}`,
		`{"value":[]}`,
	} {
		resp, err := client.Post(w.front.URL+"/hook", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			t.Errorf("%s: %d", body, resp.StatusCode)
		}
		w.quiet(body)
	}
}
