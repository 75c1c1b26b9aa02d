package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// workerHeader tells a witness which worker sends: its value comes from the worker's environment, which may differ among workers whose
// configurations are the same.
const workerHeader = "X-Worker"

// witness is a service desk that takes events by webhook, has troubles of its own, and remembers whatever should not have come.
type witness struct {
	address string

	mu      sync.Mutex
	rnd     *rand.Rand
	wrong   []string
	world   world
	taken   map[string]string   // bodies by idempotency key
	again   int                 // requests that had been taken before
	history map[string][]string // what came of each record, for complaints
	refuse  map[string]bool     // subjects
	refused map[string]bool     // subjects of which it took nothing since it refused something
	trouble trouble
	hold    *hold
}

// trouble is how many of the requests to come go wrong, and how.
type trouble struct {
	failing int // answered 503
	closing int // closed without an answer, and not taken
	losing  int // taken, and closed without an answer
	picky   int // refused, as all further ones of the same record
	slowly  time.Duration
}

// hold is an answer that is held back: of the first event of a user that is new to the desk.
type hold struct {
	by, key string
	event   event
	taken   chan struct{} // closed when the event is taken; the fields above are set
	let     chan struct{} // closed when it may be answered
	others  time.Time     // when another worker sent something
	other   time.Time     // when another worker sent the same
	again   chan struct{} // closed then
}

// Helper and Errorf implement judge. The caller has the lock.
func (w *witness) Helper() {}

func (w *witness) Errorf(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

func openWitness(t *testing.T, seed uint64) *witness {
	t.Helper()
	w := &witness{rnd: rand.New(rand.NewPCG(seed, 3)), world: world{}, taken: map[string]string{}, history: map[string][]string{}, refuse: map[string]bool{}, refused: map[string]bool{}}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	t.Cleanup(w.letGo) // the server waits for what it serves
	w.address = server.Listener.Addr().String()
	return w
}

// block is the target's block of a configuration.
func (w *witness) block() string {
	return `  desk:
    target: webhook
    webhook:
      url: http://` + w.address + `/hooks
      secret: {env: WEBHOOK_SECRET}
      headers: {Authorization: {env: WEBHOOK_TOKEN}, ` + workerHeader + `: {env: WORKER_NAME}}
`
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed or gave up
	}
	w.mu.Lock()
	before, after := time.Duration(w.rnd.Int64N(int64(time.Millisecond)+int64(w.trouble.slowly))), time.Duration(w.rnd.Int64N(int64(time.Millisecond)+int64(w.trouble.slowly)))
	w.mu.Unlock()
	time.Sleep(before) // as a slow desk does
	status, let := w.take(r, body)
	if let != nil {
		<-let
	}
	time.Sleep(after)
	switch status {
	case 0:
		panic(http.ErrAbortHandler)
	case http.StatusServiceUnavailable:
		rw.Header().Set("Retry-After", "1")
	}
	rw.WriteHeader(status)
}

// take takes an event, and says what to answer; zero is nothing. Before that it is waited for let, unless that is nil.
func (w *witness) take(r *http.Request, body []byte) (status int, let <-chan struct{}) {
	key, by := r.Header.Get("Idempotency-Key"), r.Header.Get(workerHeader)
	w.mu.Lock()
	defer w.mu.Unlock()
	if wrong := checkRequest(r, body); wrong != "" {
		w.Errorf("%s", wrong)
		return http.StatusBadRequest, nil
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil || e.ID != key {
		w.Errorf("not an event with the key %s: %v: %s", key, err, body)
		return http.StatusBadRequest, nil
	}
	defer func() {
		w.history[e.Subject] = append(w.history[e.Subject], fmt.Sprintf("%s %s %s %s: %d", time.Now().Format("15:04:05.000"), by, key, e.inShort(), status))
	}()
	h := w.hold
	switch {
	case h == nil || h.by == "":
	case h.by == by:
		let = h.let
	case h.others.IsZero():
		h.others = time.Now()
	}
	if before, known := w.taken[key]; known {
		w.again++
		if before != string(body) {
			w.Errorf("key %s came with two bodies:\n%s\n%s", key, before, body)
		}
		if h != nil && h.key == key && h.by != by && h.other.IsZero() {
			h.other = time.Now()
			close(h.again)
		}
		return http.StatusNoContent, let
	}
	first := h != nil && h.by == "" && e.Data.Kind == "user"
	if !first {
		if status, fails := w.fails(&e); fails {
			w.refused[e.Subject] = w.refused[e.Subject] || status == http.StatusUnprocessableEntity
			return status, let
		}
	}
	w.taken[key] = string(body)
	before := len(w.wrong)
	if w.refused[e.Subject] {
		w.world.allow(&e)
		delete(w.refused, e.Subject)
	}
	w.world.apply(w, &e)
	for i := range w.wrong[before:] {
		w.wrong[before+i] += fmt.Sprintf("\n  with %s of %s, after\n  %s", key, by, strings.Join(w.history[e.Subject], "\n  "))
	}
	switch {
	case first:
		h.by, h.key, h.event, let = by, key, e, h.let
		close(h.taken)
	case w.trouble.losing > 0:
		w.trouble.losing--
		return 0, let
	}
	return http.StatusNoContent, let
}

// allow makes room for what an event may say once more after a refusal (docs/events.md): where the record stands, and who is in its set. Where
// its fields stood must be right all the same.
func (w world) allow(e *event) {
	r := w[e.Subject]
	if r == nil && (e.Data.Op == "deactivate" || e.Data.Op == "reactivate") { // whose creation was refused, and who went before it came again
		r = &record{fields: e.Data.Record, members: map[string]bool{}}
		w[e.Subject] = r
		maps.DeleteFunc(e.Data.Changes, func(name string, _ change) bool { return !isSet(name) }) // nobody knows from where
	}
	switch e.Data.Op {
	case "deactivate", "reactivate":
		if r != nil {
			r.active = e.Data.Op == "deactivate"
		}
	}
	for name, c := range e.Data.Changes {
		switch {
		case !isSet(name):
		case e.Data.Op == "create":
			c.Removed = nil
			e.Data.Changes[name] = c
		case r != nil:
			for _, m := range c.Added {
				delete(r.members, m)
			}
			for _, m := range c.Removed {
				r.members[m] = true
			}
		}
	}
}

// fails reports whether an event meets with trouble before it is taken.
func (w *witness) fails(e *event) (status int, fails bool) {
	t := &w.trouble
	switch {
	case w.refuse[e.Subject]:
		return http.StatusUnprocessableEntity, true
	case t.failing > 0:
		t.failing--
		return http.StatusServiceUnavailable, true
	case t.closing > 0:
		t.closing--
		return 0, true
	case t.picky > 0:
		t.picky--
		w.refuse[e.Subject] = true
		return http.StatusUnprocessableEntity, true
	}
	return 0, false
}

// hurt makes things go wrong until rest, refusals among them or not. It says what.
func (w *witness) hurt(refuses bool) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trouble = trouble{failing: w.rnd.IntN(3), closing: w.rnd.IntN(3), losing: w.rnd.IntN(4)}
	if refuses {
		w.trouble.picky = w.rnd.IntN(3)
	}
	if w.rnd.IntN(3) == 0 {
		w.trouble.slowly = 200 * time.Millisecond
	}
	return fmt.Sprintf("%+v", w.trouble)
}

// rest undoes hurt.
func (w *witness) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trouble = trouble{}
	clear(w.refuse)
}

// complaints are what should not have come.
func (w *witness) complaints() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.wrong)
}

// holdNext holds back the answer to the next event of a user that is new, and to whatever else its worker sends, until letGo.
func (w *witness) holdNext() *hold {
	h := &hold{taken: make(chan struct{}), let: make(chan struct{}), again: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = h
	return h
}

// letGo gives the answers that are held back, some of them to nobody. That the event comes again is still noticed.
func (w *witness) letGo() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hold == nil {
		return
	}
	select {
	case <-w.hold.let:
	default:
		close(w.hold.let)
	}
}
