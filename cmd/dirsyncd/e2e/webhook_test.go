package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// desk is a service desk that takes events by webhook. It checks every request as Standard Webhooks demands,
// and can fail on command.
type desk struct {
	t       *testing.T
	address string

	mu      sync.Mutex
	server  *http.Server
	world   world
	taken   map[string]string // bodies by idempotency key
	events  []event           // taken, in order, each once
	refuse  map[string]string // records by subject, and what to say
	failing int               // so many requests get 503
	failed  int
	losing  int // the answers to so many requests get lost
	forbids bool
	again   int // requests that had been taken before
}

func openDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, address: freeAddress(t), world: world{}, taken: map[string]string{}, refuse: map[string]string{}}
	d.open()
	t.Cleanup(d.close)
	return d
}

// open begins to listen, again at the same address.
func (d *desk) open() {
	d.t.Helper()
	var l net.Listener
	eventually(d.t, "the desk's address is free", func() (ok bool) {
		var err error
		l, err = net.Listen("tcp", d.address)
		return err == nil
	})
	d.address = l.Addr().String()
	d.server = &http.Server{Handler: d, ReadHeaderTimeout: time.Minute}
	go func(s *http.Server) { _ = s.Serve(l) }(d.server)
}

// close goes away: connections are refused.
func (d *desk) close() { _ = d.server.Close() }

// block is the target's block of a configuration.
func (d *desk) block() string {
	return `  desk:
    target: webhook
    webhook:
      url: http://` + d.address + `/hooks
      secret: {env: WEBHOOK_SECRET}
      headers: {Authorization: {env: WEBHOOK_TOKEN}}
`
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed or gave up
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failing > 0 {
		d.failing--
		d.failed++
		w.Header().Set("Retry-After", "1")
		http.Error(w, "down for maintenance", http.StatusServiceUnavailable)
		return
	}
	if d.forbids {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if wrong := checkRequest(r, body); wrong != "" {
		d.t.Error(wrong)
		http.Error(w, wrong, http.StatusBadRequest)
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if before, again := d.taken[key]; again {
		d.again++
		if before != string(body) {
			d.t.Errorf("key %s came with two bodies:\n%s\n%s", key, before, body)
		}
		return
	}
	e := parseEvent(d.t, body)
	if e.ID != key {
		d.t.Errorf("event %s came under the key %s", e.ID, key)
	}
	if why := d.refuse[e.Subject]; why != "" {
		http.Error(w, why, http.StatusUnprocessableEntity)
		return
	}
	d.taken[key] = string(body)
	d.events = append(d.events, e)
	d.world.apply(d.t, &e)
	if d.losing > 0 {
		d.losing--
		panic(http.ErrAbortHandler)
	}
}

// checkRequest verifies a request as https://www.standardwebhooks.com says, and returns what is wrong with it.
func checkRequest(r *http.Request, body []byte) string {
	id, stamp := r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp")
	sent, err := strconv.ParseInt(stamp, 10, 64)
	if age := time.Since(time.Unix(sent, 0)).Abs(); err != nil || age > 5*time.Minute {
		return fmt.Sprintf("the time stamp %q is of another time", stamp)
	}
	mac := hmac.New(sha256.New, []byte(webhookKey))
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); r.Header.Get("Webhook-Signature") != want {
		return fmt.Sprintf("the signature is %q, want %q", r.Header.Get("Webhook-Signature"), want)
	}
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/hooks":
		return r.Method + " " + r.URL.Path
	case r.Header.Get("Content-Type") != "application/cloudevents+json":
		return "content type " + r.Header.Get("Content-Type")
	case r.Header.Get("Authorization") != headerToken:
		return "the header of the configuration is missing"
	case id == "" || id != r.Header.Get("Idempotency-Key"):
		return fmt.Sprintf("the idempotency key %q is not the message's id %q", r.Header.Get("Idempotency-Key"), id)
	}
	return ""
}

// with does something while no request is served.
func (d *desk) with(do func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do()
}

func (d *desk) count() (n int) {
	d.with(func() { n = len(d.events) })
	return n
}

func (d *desk) mustBe(t *testing.T, want wanted) {
	t.Helper()
	d.with(func() { d.world.mustBe(t, want) })
}

// TestWebhook is the life of a service desk that is reached by webhook: it fails, it refuses, and it goes away.
func TestWebhook(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	desk := openDesk(t)
	cfg := of(s)
	cfg.targets, cfg.more = "journal, desk", desk.block()
	in := install(t, cfg.configuration())
	want := wants(directoryNow(t, s))
	id := func(uid string) string { return "user/" + connection + "/" + s.UUID(s.PersonDN(uid)) }

	// It is down for maintenance for the first requests, and asks for patience. Two answers get lost on the way,
	// so that the same events come again under the same keys. One record it does not like.
	picky := id("p40")
	desk.with(func() {
		desk.failing, desk.losing = 3, 2
		desk.refuse[picky] = "the phone number must have ten digits, Björn"
	})
	delivered, parkedAt := map[string]int{}, map[string]int{}
	eventually(t, "nothing waits", func() bool { // one sync alone waits ten seconds for what is tried again, which may be too few
		r, waiting := in.run("sync", "--json"), false
		var synced syncView
		if err := json.Unmarshal([]byte(r.out), &synced); err != nil {
			t.Fatalf("%v: %s%s", err, r.out, r.err)
		}
		for _, d := range synced.Delivered {
			delivered[d.Target] += d.Delivered
			parkedAt[d.Target] += d.Parked
			waiting = waiting || d.Waiting > 0
			if !waiting && d.Error != "" {
				t.Errorf("delivered: %+v", d)
			}
		}
		if !waiting && r.code != 4 {
			t.Errorf("exit code %d", r.code)
		}
		return !waiting
	})
	for target, missing := range map[string]int{"journal": 0, "desk": 1} {
		if parkedAt[target] != missing || delivered[target] != len(want)-missing {
			t.Errorf("%s: delivered %d, parked %d", target, delivered[target], parkedAt[target])
		}
	}
	if desk.count() != len(want)-1 || len(in.journal()) != len(want) || desk.failed != 3 {
		t.Errorf("the desk has %d events, the journal %d, want %d; %d requests failed", desk.count(), len(in.journal()), len(want), desk.failed)
	}
	if desk.again < 2 {
		t.Errorf("%d requests came again", desk.again)
	}
	in.expect(0, "parked", "list").says(t, picky, "422", "ten digits", "parked retry")
	parked := ask[[]parkedView](in, 0, "parked", "list")
	if len(parked) != 1 || parked[0].Subject != picky || parked[0].Stage != "deliver" || parked[0].Class != "invalid" || parked[0].Target != "desk" || parked[0].Op != "create" {
		t.Fatalf("parked: %+v", parked)
	}
	in.expect(4, "sync") // it is still parked
	in.expect(0, "status").says(t, "parked")

	// Replayed too early it is parked again; mended, it arrives.
	in.expect(4, "parked", "replay", parked[0].ID).says(t, "parked again", picky)
	parked = ask[[]parkedView](in, 0, "parked", "list")
	if len(parked) != 1 || parked[0].Subject != picky {
		t.Fatalf("parked again: %+v", parked)
	}
	desk.with(func() { clear(desk.refuse) })
	in.expect(0, "parked", "replay", parked[0].ID)
	in.expect(0, "parked", "list").says(t, "nothing is parked")
	desk.mustBe(t, want)
	in.expect(0, "sync")

	// Something is refused that nobody will ever want: it is dropped. The record's next change arrives, and
	// with it all that the desk has missed.
	desk.with(func() { desk.refuse[picky] = "no" })
	s.Replace(s.PersonDN("p40"), "telephoneNumber", "+44 20 0000")
	in.expect(4, "sync")
	parked = ask[[]parkedView](in, 0, "parked", "list")
	in.expect(2, "parked", "drop", parked[0].ID).says(t, "--yes")
	in.expect(0, "parked", "drop", parked[0].ID, "--yes")
	in.expect(0, "sync")
	if desk.count() != len(want) {
		t.Errorf("%d events after a drop, want %d", desk.count(), len(want))
	}
	// The world of the desk has not heard of the dropped number, which the next change names as what was before.
	desk.with(func() { clear(desk.refuse); desk.world[picky].fields["phone"] = "+44 20 0000" })
	s.Replace(s.PersonDN("p40"), "telephoneNumber", "+44 20 1111")
	in.expect(0, "sync")
	desk.mustBe(t, wants(directoryNow(t, s)))
	replay(t, in.journal()).mustBe(t, wants(directoryNow(t, s)))

	deskGoesAway(t, in, desk, s.Replace, s.PersonDN, func() wanted { return wants(directoryNow(t, s)) })
}

// TestWebhookIsMended: through a daemon, too, whoever asks for a delivery gets an attempt at once, however long the desk
// would be left alone, and learns what came of it.
func TestWebhookIsMended(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	desk := openDesk(t)
	cfg := of(s)
	cfg.targets, cfg.more = "journal, desk", desk.block()
	in := install(t, cfg.configuration())
	want := wants(directoryNow(t, s))
	desk.with(func() { desk.forbids = true })
	d := in.startReady()
	d.awaitLog(1, "target failing", "desk")
	in.expect(1, "sync").says(t, "desk", "403") // it would be left alone for half a minute at least
	// The desk is mended when the sync has begun: what the worker of the daemon delivers from there on counts in any case.
	s.Suspend()
	began, answer := len(d.logged("run started")), make(chan syncView, 1)
	go func() {
		defer close(answer)
		answer <- ask[syncView](in, 0, "sync")
	}()
	d.awaitLog(began+1, "run started")
	desk.with(func() { desk.forbids = false })
	s.Resume()
	synced := <-answer
	for _, delivered := range synced.Delivered {
		if delivered.Target == "desk" && (delivered.Delivered != len(want) || delivered.Waiting != 0) {
			t.Errorf("delivered: %+v", delivered)
		}
	}
	desk.mustBe(t, want)

	// What the worker of the daemon delivers while the run is still under way counts, too.
	s.Replace(s.PersonDN("p40"), "telephoneNumber", "+44 20 0000")
	for _, delivered := range ask[syncView](in, 0, "sync").Delivered {
		if delivered.Delivered != 1 {
			t.Errorf("delivered: %+v", delivered)
		}
	}

	desk.with(func() { desk.refuse["user/"+connection+"/"+s.UUID(s.PersonDN("p40"))] = "no" })
	s.Replace(s.PersonDN("p40"), "telephoneNumber", "+44 20 1111")
	in.expect(4, "sync")
	in.expect(4, "parked", "replay", "--all").says(t, "parked again")
	desk.with(func() { clear(desk.refuse) })
	in.expect(0, "parked", "replay", "--all")

	desk.with(func() { desk.forbids = true })
	s.Replace(s.PersonDN("p40"), "telephoneNumber", "+44 20 2222")
	in.expect(1, "sync")
	desk.with(func() { desk.forbids = false })
	d.signal(syscall.SIGHUP)
	eventually(t, "a reload is an attempt, too", func() bool { return in.status().Targets[1].Waiting == 0 })
	d.stop()
}

// deskGoesAway: while the desk is away, people change again and again. The daemon goes on reading and writing
// the journal; afterwards the desk learns all, in order, and the daemon may be killed in between.
func deskGoesAway(t *testing.T, in *installation, desk *desk, replace func(dn, attribute string, values ...string), dn func(string) string, now func() wanted) {
	t.Helper()
	d := in.startReady()
	events, journal := desk.count(), len(in.journal())
	desk.close()
	const people, rounds = 8, 3
	for round := range rounds {
		for i := range people {
			replace(dn(fmt.Sprintf("p%d", 60+i)), "l", fmt.Sprintf("Nowhere %d", round))
			replace(dn(fmt.Sprintf("p%d", 60+i)), "physicalDeliveryOfficeName", fmt.Sprintf("Office %d", round))
		}
		in.expect(1, "sync").says(t, "desk", "refused", "tried again")
		if round == 1 {
			d.signal(9)
			d.wait()
			d = in.startReady()
		}
	}
	in.awaitJournal(journal + 3*usersAmong(in, 60, people))
	status := in.status()
	for _, target := range status.Targets {
		if failing := target.State == "failing"; failing != (target.Name == "desk") {
			t.Errorf("target %s is %s: %s", target.Name, target.State, target.Error)
		}
	}
	in.expect(0, "status").says(t, "desk", "failing")
	desk.open()
	want := now()
	eventually(t, "the desk has learnt all", func() (all bool) {
		desk.with(func() { all = len(want) == len(desk.world.records()) && desk.worldIs(want) })
		return all
	})
	desk.mustBe(t, want)
	eventually(t, "nothing waits", func() bool { return in.status().Targets[1].Waiting == 0 })
	d.awaitLog(1, "target recovered", "desk")
	d.stop()
	// Changes that waited were folded: nobody had to hear of all of them.
	if got := desk.count() - events; got < people/2 || got > people*rounds {
		t.Errorf("the desk got %d events for %d people that changed %d times", got, people, rounds)
	}
	in.expect(0, "sync")
	replay(t, in.journal()).mustBe(t, want)
}

// usersAmong counts users among numbered people: agents have no site that could change.
func usersAmong(in *installation, first, n int) (users int) {
	logins := map[string]bool{}
	for i := range n {
		logins[fmt.Sprintf("p%d", first+i)] = true
	}
	for _, e := range in.journal() {
		if login, _ := e.Data.Record["login"].(string); e.Data.Op == "create" && logins[login] {
			users++
		}
	}
	return users
}

func (d *desk) worldIs(want wanted) bool {
	for subject, fields := range d.world.records() {
		if fmt.Sprint(fields) != fmt.Sprint(want[subject]) {
			return false
		}
	}
	return true
}

// TestWebhookIsSafe: what is checked above is really checked.
func TestWebhookIsSafe(t *testing.T) {
	body := []byte(`{}`)
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(webhookKey))
	_, _ = mac.Write([]byte("key." + stamp + ".{}"))
	good := map[string]string{
		"Webhook-Id": "key", "Idempotency-Key": "key", "Webhook-Timestamp": stamp, "Authorization": headerToken,
		"Content-Type": "application/cloudevents+json", "Webhook-Signature": "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}
	for spoilt := range good {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://desk/hooks", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range good {
			r.Header.Set(name, value)
		}
		if wrong := checkRequest(r, body); wrong != "" {
			t.Fatal(wrong)
		}
		r.Header.Set(spoilt, strings.Repeat("1", 9))
		if checkRequest(r, body) == "" {
			t.Errorf("a wrong %s is not noticed", spoilt)
		}
	}
}
