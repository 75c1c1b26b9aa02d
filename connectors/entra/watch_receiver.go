package entra

import (
	"cmp"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Limits of a call, which anybody may make: what is in memory of one is an entry and not the call.
const (
	mostNotified = 256 << 10 // bytes; Graph puts some 500 of each change into a call
	largestEntry = 16 << 10  // bytes of one change
	mostEntries  = 500       // are looked at
	// longestToken is more than any validation token needs.
	longestToken = 4096
)

// notification is one entry of a call: of a change, or of the life of a subscription.
type notification struct {
	Subscription string `json:"subscriptionId"`
	Tenant       string `json:"tenantId"`
	State        string `json:"clientState"`
	Lifecycle    string `json:"lifecycleEvent"` // empty for a change
}

var (
	errNoNotifications = errors.New("the body is no list of notifications")
	errTooLarge        = errors.New("the body, or one entry of it, is too large")
)

// parseNotifications reads the body of a call and returns those that genuine says yes to. What a change is about is not
// read: the next read of the directory finds out, from Graph itself. Entries beyond mostEntries count as not told.
func parseNotifications(body io.Reader, genuine func(notification) bool) ([]notification, error) {
	from := &bounded{from: body, left: mostNotified, entry: largestEntry}
	list, err := readNotifications(json.NewDecoder(from), from, genuine)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, errTooLarge
	case err != nil:
		return nil, errNoNotifications
	}
	return list, nil
}

// readNotifications reads {"value":[…]}, whatever else the object holds. What follows the list is of no interest.
func readNotifications(doc *json.Decoder, from *bounded, genuine func(notification) bool) ([]notification, error) {
	if token, err := doc.Token(); err != nil || token != json.Delim('{') {
		return nil, cmp.Or(err, errNoNotifications)
	}
	for doc.More() {
		key, err := doc.Token()
		if err != nil {
			return nil, err
		}
		if name, _ := key.(string); strings.EqualFold(name, "value") {
			break
		}
		var other json.RawMessage
		if err := doc.Decode(&other); err != nil {
			return nil, err
		}
	}
	if token, err := doc.Token(); err != nil || token != json.Delim('[') {
		return nil, cmp.Or(err, errNoNotifications)
	}
	var list []notification
	for n := 0; doc.More(); n++ {
		if n == mostEntries {
			return list, nil
		}
		from.entry = largestEntry
		var one notification
		if err := doc.Decode(&one); err != nil {
			return nil, err
		}
		if genuine(one) {
			list = append(list, one)
		}
	}
	_, err := doc.Token()
	return list, err
}

// bounded reads no more than is left in all, and of one entry.
type bounded struct {
	from        io.Reader
	left, entry int
}

func (b *bounded) Read(p []byte) (int, error) {
	most := min(len(p), b.left, b.entry)
	if most <= 0 {
		return 0, errTooLarge
	}
	n, err := b.from.Read(p[:most])
	b.left -= n
	b.entry -= n
	return n, err
}

// receiver takes Graph's calls. Whoever can reach it may call it: a call counts only with the secret that Graph was
// given with the subscription. One without it is answered like any other, so that nothing can be learned from the
// answer, and so that Graph does not repeat what an earlier process asked for.
type receiver struct {
	state  string // the secret
	tenant string // whose notifications are expected; empty: not known
	// news is signalled when there is something to take.
	news chan struct{}

	mu      sync.Mutex
	changed bool
	renew   map[string]bool // subscriptions that Graph wants to be renewed
	replace map[string]bool // subscriptions that are gone, or that have missed something
}

func newReceiver(state, tenant string) *receiver {
	return &receiver{
		state: state, tenant: tenant, news: make(chan struct{}, 1),
		renew: map[string]bool{}, replace: map[string]bool{},
	}
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if query := req.URL.Query(); query.Has("validationToken") {
		validate(w, query.Get("validationToken"))
		return
	}
	list, err := parseNotifications(req.Body, r.genuine)
	switch {
	case errors.Is(err, errTooLarge):
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.note(list)
	w.WriteHeader(http.StatusAccepted)
}

// validate answers the call by which Graph finds out whether somebody is there who wants its calls.
func validate(w http.ResponseWriter, token string) {
	if token == "" || len(token) > longestToken {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	// Nothing may take the token, which anybody could have written, for a page.
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, token) // the other side may have hung up
}

// genuine reports whether Graph made a notification, for a subscription of this process.
func (r *receiver) genuine(n notification) bool {
	same := subtle.ConstantTimeCompare([]byte(n.State), []byte(r.state)) == 1
	return same && (r.tenant == "" || strings.EqualFold(n.Tenant, r.tenant))
}

// note keeps what genuine notifications say.
func (r *receiver) note(list []notification) {
	if len(list) == 0 {
		return
	}
	r.mu.Lock()
	for _, n := range list {
		switch n.Lifecycle {
		case "":
			r.changed = true
		case "reauthorizationRequired":
			r.renew[n.Subscription] = true
		default: // subscriptionRemoved, missed, and what may come to be
			r.changed = true
			r.replace[n.Subscription] = true
		}
	}
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// lost notes that changes may have gone untold.
func (r *receiver) lost() {
	r.mu.Lock()
	r.changed = true
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// take hands over what came since the last time.
func (r *receiver) take() (changed bool, renew, replace map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed, renew, replace = r.changed, r.renew, r.replace
	r.changed, r.renew, r.replace = false, map[string]bool{}, map[string]bool{}
	return changed, renew, replace
}
