package portal

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"
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
	// mostKept are stored at a time: anybody can make attempts, and the oldest make room. Checks and claims of one are bounded, too.
	mostKept    = 50_000
	mostChecks  = 100
	longestText = 500
	attemptLife = 30 * 24 * time.Hour
	attemptSize = 12 // characters of base32
	tellEvery   = time.Minute
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

// take returns what is not stored yet.
func (a *attempts) take() []Attempt {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.list
	a.list = nil
	return list
}

// giveBack keeps what could not be stored for the next time.
func (a *attempts) giveBack(list []Attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	list = append(list, a.list...)
	a.list = list[:min(len(list), mostAttempts)]
}

// StoreAttempts stores the attempts since the last time: together, so that whoever tries very often costs little.
func (p *Portal) StoreAttempts(ctx context.Context) error {
	list := p.attempts.take()
	items := make([]store.Item, len(list))
	for i := range list {
		value, err := json.Marshal(&list[i])
		if err != nil {
			return err
		}
		items[i] = store.Item{Key: attemptKey(&list[i]), Owners: [][]byte{outcomeOwner(list[i].Reason != ""), numberOwner(list[i].ID)}, Value: value, Until: list[i].At.Add(attemptLife)}
	}
	if len(items) == 0 {
		return nil
	}
	if err := p.Items.Put(ctx, spaceAttempt, items...); err != nil {
		p.attempts.giveBack(list)
		return err
	}
	return p.makeRoom(ctx)
}

// makeRoom forgets the oldest attempts where there are too many.
func (p *Portal) makeRoom(ctx context.Context) error {
	n, err := p.Items.Count(ctx, spaceAttempt)
	if err != nil || n <= mostKept {
		return err
	}
	var oldest [][]byte
	err = p.Items.Scan(ctx, spaceAttempt, nil, func(i store.Item) bool {
		oldest = append(oldest, i.Key)
		return len(oldest) < n-mostKept
	})
	if err == nil {
		_, err = p.Items.Delete(ctx, spaceAttempt, oldest...)
	}
	return err
}

// attemptKey sorts attempts by their time.
func attemptKey(a *Attempt) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(a.At.UnixNano())), a.ID...)
}

// numberOwner is by what an attempt is found.
func numberOwner(id string) []byte { return []byte("number " + id) }

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
	err = items.Scan(ctx, spaceAttempt, owner, func(i store.Item) bool {
		if one := readAttempt(i); !one.At.Before(since) {
			list = append(list, one)
		}
		return true
	})
	slices.SortFunc(list, func(a, b Attempt) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
	return list, err
}

// readAttempt reads what is stored. Of what cannot be read the key says when it was, and its number.
func readAttempt(i store.Item) (one Attempt) {
	const stamp = 8 // bytes of a time
	if err := json.Unmarshal(i.Value, &one); err == nil || len(i.Key) < stamp {
		return one
	}
	return Attempt{ID: string(i.Key[stamp:]), At: time.Unix(0, int64(binary.BigEndian.Uint64(i.Key))).UTC(), Reason: signin.Internal, Text: "what was stored of this attempt cannot be read"}
}

// AttemptOf returns one attempt.
func AttemptOf(ctx context.Context, items Items, id string) (one Attempt, found bool, err error) {
	if len(id) != attemptSize {
		return one, false, nil
	}
	err = items.Scan(ctx, spaceAttempt, numberOwner(id), func(i store.Item) bool {
		one, found = readAttempt(i), true
		return false
	})
	return one, found && err == nil, err
}

// short is the beginning of a text, which may be from outside.
func short(s string) string {
	if len(s) > longestText {
		s = strings.ToValidUTF8(s[:longestText], "") + "…"
	}
	return s
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
	if one.Reason == signin.ProviderUnreachable && one.Hint == "" {
		one.Hint = "may this machine go there? `dirsyncd signin test " + one.Provider + "` asks it again"
	}
	one.Text, one.Hint, one.Code = short(one.Text), short(one.Hint), short(one.Code)
	one.Checks = slices.Clone(one.Checks[:min(len(one.Checks), mostChecks)])
	for i := range one.Checks {
		c := &one.Checks[i]
		c.Name, c.Found, c.Value = short(c.Name), short(c.Found), "" // which may be personal
	}
	if len(one.Claims) > mostChecks {
		one.Claims = nil
	}
	p.attempts.add(&one)
	p.Metrics.Attempt(one.Provider, outcomeOf(one.Reason), one.Reason)
	if err == nil {
		return
	}
	if unsaid, tell := p.attempts.worthTelling(one.Provider+" "+string(one.Reason), p.Now()); tell {
		attrs := []any{"attempt", one.ID, "provider", one.Provider, "reason", one.Reason}
		if one.Hint != "" {
			attrs = append(attrs, "hint", one.Hint)
		}
		if refusal == nil || one.Reason == signin.ProviderUnreachable {
			attrs = append(attrs, "detail", one.Text) // ours, or the network's; what a provider or a browser said may name people
		}
		if one.Code != "" {
			attrs = append(attrs, "code", one.Code)
		}
		if unsaid > 0 {
			attrs = append(attrs, "more", unsaid)
		}
		p.Log.Warn("sign-in refused", attrs...)
	}
}
