// Package notices tells those who look after dirsyncd what they have to know: once when it begins, again while it lasts, and
// when it is over; much at the same time in one message. What was told is stored, so that a restart does not repeat it. It is told
// what there is to tell (Condition) and asks nobody; how a message gets to somebody is package recipient's.
package notices

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/notices/recipient"
)

// Condition is something that somebody has to know as long as it is so.
type Condition struct {
	Kind  string
	Where string // what it is about, in words: "connection hq-ad"; with Kind it says which condition it is
	About string // tells conditions of one kind and place apart, such as the hash of a plan
	Text  string
	Hint  string
	Since time.Time // zero: not known
	Ends  time.Time // of what runs out
	// Stage is how near that is. Something is told again at each stage, and not between them.
	Stage string
}

func (c *Condition) key() string {
	of := []string{c.Kind, c.Where, c.About}
	if c.Stage != "" {
		of = append(of, c.Stage)
	}
	return digest(of)
}

func digest(of []string) string {
	sum := sha256.Sum256([]byte(strings.Join(of, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// place is what conditions share of which one takes the place of another, such as the next plan of a connection. Seats of several
// kinds, and things that run out, are side by side: each is over by itself. A stage takes the place of the one before.
func (c *Condition) place() string {
	if c.Kind == recipient.Seats || c.Kind == recipient.Expiring {
		return digest([]string{c.Kind, c.Where, c.About})
	}
	return c.Kind + "\x00" + c.Where
}

// entry is what is remembered of a condition, and how it is stored.
type entry struct {
	Condition Condition `json:"condition"`
	First     time.Time `json:"first"`         // when it was first seen
	Gone      time.Time `json:"gone,omitzero"` // since when it is not seen any more
	// Replaced says that another condition has its place: nobody is told that it is over, for the place is as it was.
	Replaced bool `json:"replaced,omitempty"`
	// Told is when each recipient was last told, and Over which of them were told that it is over.
	Told map[string]time.Time `json:"told,omitempty"`
	Over map[string]bool      `json:"over,omitempty"`
}

// Pace says how fast is told.
type Pace struct {
	// Gather is how long a condition must last before somebody is told, and be gone before it is over: what comes meanwhile is
	// told together. It is also the least time between two messages.
	Gather time.Duration
	// Repeat is how long after it was told something is told again while it lasts; zero: never.
	Repeat time.Duration
	// AtMost is how many messages a recipient gets within an hour; what comes more waits, and is told together.
	AtMost int
}

// state says in which state a condition is due for a recipient; "" when it is not. soon: it is, or could be told besides.
func (p Pace) state(e *entry, who string, now time.Time) (state string, due bool) {
	told, was := e.Told[who]
	switch {
	case !e.Gone.IsZero() && (e.Replaced || e.Over[who] || !was && e.Gone.Sub(e.First) < p.Gather):
		return "", false
	case !e.Gone.IsZero():
		return recipient.Over, now.Sub(e.Gone) >= p.Gather
	case !was || e.Over[who]:
		return recipient.New, now.Sub(e.First) >= p.Gather
	case p.Repeat > 0 && now.Sub(told) >= p.Repeat && (e.Condition.Stage == "" || !now.Before(e.Condition.Ends)):
		return recipient.Lasting, true
	default:
		return "", false
	}
}

// see takes up what is so now. It returns the keys of the entries that changed.
func see(book map[string]*entry, now time.Time, conditions []Condition) (changed []string) {
	seen, places := map[string]bool{}, map[string]bool{}
	for i := range conditions {
		c := conditions[i]
		key := c.key()
		places[c.place()] = true
		if seen[key] {
			continue
		}
		seen[key] = true
		e := book[key]
		switch {
		case e == nil:
			book[key] = &entry{Condition: c, First: now}
			changed = append(changed, key)
		case !e.Gone.IsZero():
			// It came back before it was over for all: who was told that it is over is told anew.
			e.Gone, e.Replaced, e.Condition = time.Time{}, false, c
			for who := range e.Over {
				delete(e.Told, who)
			}
			e.Over = nil
			changed = append(changed, key)
		default:
			e.Condition = c
		}
	}
	for key, e := range book {
		if seen[key] {
			continue
		}
		gone, replaced := e.Gone.IsZero(), !e.Replaced && places[e.Condition.place()]
		if gone {
			e.Gone = now
		}
		e.Replaced = e.Replaced || replaced
		if gone || replaced {
			changed = append(changed, key)
		}
	}
	slices.Sort(changed)
	return changed
}

// done reports whether nobody has to be told anything of an entry any more.
func (p Pace) done(e *entry, who []Recipient, now time.Time) bool {
	if e.Gone.IsZero() || now.Sub(e.Gone) < p.Gather {
		return false
	}
	if now.Sub(e.Gone) > unreachable {
		return true
	}
	return !slices.ContainsFunc(who, func(r Recipient) bool {
		state, _ := p.state(e, r.Name, now)
		return state != "" && r.wants(e.Condition.Kind)
	})
}

// unreachable is how long it is remembered for somebody who cannot be reached that something was so and is over.
const unreachable = 7 * 24 * time.Hour
