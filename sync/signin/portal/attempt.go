package portal

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"sync"
	"time"

	"dirsyncd/sync/signin"
)

// Attempt is one try to sign in, from the moment at which a provider has sent a browser back. It has no secrets.
type Attempt struct {
	ID       string          `json:"id"`
	At       time.Time       `json:"at"`
	Took     time.Duration   `json:"took"`
	Provider string          `json:"provider"`
	App      string          `json:"app,omitempty"`
	Owner    signin.Owner    `json:"owner"`
	By       string          `json:"by,omitempty"`
	Reason   signin.Reason   `json:"reason,omitempty"` // blank: they are in
	Text     string          `json:"text,omitempty"`
	Hint     string          `json:"hint,omitempty"`
	Code     string          `json:"code,omitempty"`
	Checks   []signin.Check  `json:"checks,omitempty"`
	Claims   map[string]int  `json:"claims,omitempty"` // how many values each has
	Steps    []time.Duration `json:"-"`
}

// attempts are the last ones, those of all providers.
type attempts struct {
	mu   sync.Mutex
	list []Attempt // a ring
	next int
	told map[string]told
}

// told is how often a reason has been met since it was last logged.
type told struct {
	at    time.Time
	since int
}

const (
	mostAttempts = 10_000
	attemptSize  = 12 // characters of base32
	tellEvery    = time.Minute
)

func newAttempts() *attempts { return &attempts{told: make(map[string]told)} }

// newAttemptID returns what a person sees and the operator asks for.
func newAttemptID() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])[:attemptSize]
}

func (a *attempts) add(one Attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.list) < mostAttempts {
		a.list = append(a.list, one)
		return
	}
	a.list[a.next] = one
	a.next = (a.next + 1) % mostAttempts
}

// worthTelling reports whether a refusal is to be logged: the first of its kind in a minute, with the number of those that were not.
func (a *attempts) worthTelling(kind string, now time.Time) (unsaid int, tell bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, known := a.told[kind]
	if known && now.Sub(t.at) < tellEvery {
		t.since++
		a.told[kind] = t
		return 0, false
	}
	a.told[kind] = told{at: now}
	return t.since, true
}

// Attempts calls fn with the last attempts, the newest first, until it returns false.
func (p *Portal) Attempts(fn func(Attempt) bool) {
	p.attempts.mu.Lock()
	list := make([]Attempt, 0, len(p.attempts.list))
	for i := range p.attempts.list {
		list = append(list, p.attempts.list[(p.attempts.next+i)%len(p.attempts.list)])
	}
	p.attempts.mu.Unlock()
	for i := len(list) - 1; i >= 0; i-- {
		if !fn(list[i]) {
			return
		}
	}
}

// record keeps what became of an attempt, and logs it.
func (p *Portal) record(one Attempt, err error) {
	one.Took = p.Now().Sub(one.At)
	var refusal *signin.Refusal
	switch {
	case err == nil:
		p.Log.Info("signed in", "attempt", one.ID, "provider", one.Provider, "app", one.App, "by", one.By, "took", one.Took)
	case errors.As(err, &refusal):
		one.Reason, one.Text, one.Hint, one.Code = refusal.Reason, refusal.Text, refusal.Hint, refusal.Code
		one.Checks = append(one.Checks, refusal.Checks...)
	default:
		one.Reason, one.Text = signin.Internal, err.Error()
	}
	p.attempts.add(one)
	if err == nil {
		return
	}
	if unsaid, tell := p.attempts.worthTelling(one.Provider+" "+string(one.Reason), p.Now()); tell {
		attrs := []any{"attempt", one.ID, "provider", one.Provider, "reason", one.Reason, "detail", one.Text, "hint", one.Hint}
		if one.Code != "" {
			attrs = append(attrs, "code", one.Code)
		}
		if unsaid > 0 {
			attrs = append(attrs, "more", unsaid)
		}
		p.Log.Warn("sign-in refused", attrs...)
	}
}
