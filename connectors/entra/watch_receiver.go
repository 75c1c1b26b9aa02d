package entra

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

const (
	// mostNotified is the largest call that is taken, in bytes. Graph puts some 500 bytes of each change into one.
	mostNotified = 1 << 20
	// mostCalls is how many calls are read at the same time; Graph comes again when there are more.
	mostCalls = 32
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

var errNoNotifications = errors.New("the body is no list of notifications")

// parseNotifications reads the body of a call. What a change is about is not read: the next read of the directory
// finds out, from Graph itself.
func parseNotifications(body []byte) ([]notification, error) {
	var doc struct {
		Value *[]notification `json:"value"`
	}
	if json.Unmarshal(body, &doc) != nil || doc.Value == nil {
		return nil, errNoNotifications
	}
	return *doc.Value, nil
}

// receiver takes Graph's calls. Whoever can reach it may call it: a call counts only with the secret that Graph was
// given with the subscription. One without it is answered like any other, so that nothing can be learned from the
// answer, and so that Graph does not repeat what an earlier process asked for.
type receiver struct {
	state  string // the secret
	tenant string // whose notifications are expected; empty: not known
	places chan struct{}
	// news is signalled when there is something to take.
	news chan struct{}

	mu      sync.Mutex
	changed bool
	renew   map[string]bool // subscriptions that Graph wants to be renewed
	replace map[string]bool // subscriptions that are gone, or that have missed something
}

func newReceiver(state, tenant string) *receiver {
	return &receiver{
		state: state, tenant: tenant, places: make(chan struct{}, mostCalls), news: make(chan struct{}, 1),
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
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	default:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, mostNotified))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	list, err := parseNotifications(body)
	if err != nil {
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

// note keeps what is genuine of a call.
func (r *receiver) note(list []notification) {
	genuine := false
	r.mu.Lock()
	for _, n := range list {
		same := subtle.ConstantTimeCompare([]byte(n.State), []byte(r.state)) == 1
		if !same || r.tenant != "" && !strings.EqualFold(n.Tenant, r.tenant) {
			continue
		}
		genuine = true
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
	if !genuine {
		return
	}
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
