package portal

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
)

// Attempt is one try to sign in, from the moment at which a provider has sent a browser back. It has no secrets.
type Attempt struct {
	ID       string         `json:"id"`
	At       time.Time      `json:"at"`
	Took     time.Duration  `json:"took"`
	Provider string         `json:"provider"`
	App      string         `json:"app,omitempty"`
	Owner    signin.Owner   `json:"owner"`
	By       string         `json:"by,omitempty"`
	Reason   signin.Reason  `json:"reason,omitempty"` // blank: they are in
	Text     string         `json:"text,omitempty"`
	Hint     string         `json:"hint,omitempty"`
	Code     string         `json:"code,omitempty"`
	Checks   []signin.Check `json:"checks,omitempty"`
	Claims   map[string]int `json:"claims,omitempty"` // how many values each has
}

// attempts are those that are not stored yet.
type attempts struct {
	mu   sync.Mutex
	list []Attempt
	told map[string]told
}

// told is how often a reason has been met since it was last logged.
type told struct {
	at    time.Time
	since int
}

const (
	// mostAttempts are stored together, once a second; what is more than that is counted only.
	mostAttempts = 1000
	attemptLife  = 30 * 24 * time.Hour
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

func (a *attempts) add(one *Attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.list) < mostAttempts {
		a.list = append(a.list, *one)
	}
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

// StoreAttempts stores the attempts since the last time: together, so that whoever tries very often costs little.
func (p *Portal) StoreAttempts(ctx context.Context) error {
	p.attempts.mu.Lock()
	list := p.attempts.list
	p.attempts.list = nil
	p.attempts.mu.Unlock()
	items := make([]store.Item, len(list))
	for i := range list {
		value, err := json.Marshal(&list[i])
		if err != nil {
			return err
		}
		items[i] = store.Item{Key: []byte(list[i].ID), Owners: [][]byte{outcomeOwner(list[i].Reason != "")}, Value: value, Until: list[i].At.Add(attemptLife)}
	}
	if len(items) == 0 {
		return nil
	}
	return p.Items.Put(ctx, spaceAttempt, items...)
}

// outcomeOwner is by what those who were refused are found.
func outcomeOwner(refused bool) []byte {
	if refused {
		return []byte("refused")
	}
	return []byte("in")
}

// Attempts returns the attempts of the last 30 days that are stored, since a time, the newest first; only those who were refused if so asked.
func Attempts(ctx context.Context, items Items, refused bool, since time.Time) (list []Attempt, err error) {
	var owner []byte
	if refused {
		owner = outcomeOwner(true)
	}
	var bad error
	err = items.Scan(ctx, spaceAttempt, owner, func(i store.Item) bool {
		var one Attempt
		if bad = json.Unmarshal(i.Value, &one); bad != nil {
			return false
		}
		if !one.At.Before(since) {
			list = append(list, one)
		}
		return true
	})
	slices.SortFunc(list, func(a, b Attempt) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
	return list, errors.Join(err, bad)
}

// AttemptOf returns one attempt.
func AttemptOf(ctx context.Context, items Items, id string) (one Attempt, found bool, err error) {
	item, found, err := items.Get(ctx, spaceAttempt, []byte(id))
	if err == nil && found {
		err = json.Unmarshal(item.Value, &one)
	}
	return one, found && err == nil, err
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
	one.Checks = slices.Clone(one.Checks)
	for i := range one.Checks {
		one.Checks[i].Value = "" // may be personal
	}
	p.attempts.add(&one)
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
