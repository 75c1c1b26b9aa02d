package notices

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/notices/recipient"
)

// Recipient is somebody who is told.
type Recipient struct {
	Name   string
	Sender recipient.Sender
	About  []string // kinds of condition; none: all
}

func (r *Recipient) wants(kind string) bool {
	return len(r.About) == 0 || slices.Contains(r.About, kind)
}

// Options are a Teller's surroundings. All of them must be set, but for Sent.
type Options struct {
	Recipients []Recipient
	Pace       Pace
	Items      store.Items
	Now        func() time.Time
	Host       string
	Log        *slog.Logger
	// Sent hears of every attempt at a message.
	Sent func(recipient string, err error)
}

// Teller tells recipients what there is to tell. It belongs to one goroutine, of one process at a time.
type Teller struct {
	Options
	book  map[string]*entry // nil until it was read
	posts map[string]*post  // by recipient
}

// post is how it goes with a recipient.
type post struct {
	Sent []time.Time `json:"sent"` // the messages of the last hour
	// failures in a row, how many of them were refusals for good, and until when it is left alone: all begin anew with the process.
	failures, refused int
	until             time.Time
}

// New makes a teller.
func New(o Options) *Teller { return &Teller{Options: o} }

// The spaces of the store's items: conditions by key, and the pace of recipients by name.
const (
	bookSpace = "notices"
	postSpace = "notices-sent"
)

const (
	// tries bounds one attempt at a message: a recipient that says nothing delays the others by no more.
	tries = 30 * time.Second
	// longestWait is the longest that a recipient is left alone who cannot be reached.
	longestWait = 30 * time.Minute
	// mostNotices is how many notices a message has, and half of that after each time that it was refused for good: chats take no long
	// texts. The rest is counted.
	mostNotices = 100
	// storeTime bounds what is stored after a message is out, though the daemon stops.
	storeTime = 10 * time.Second
)

// Step takes up what is so now, and tells whom there is to be told. The error is of the store; that somebody cannot be reached is
// logged, and tried again by a later step. It may take as long as the slowest recipient, tries at most.
func (t *Teller) Step(ctx context.Context, conditions []Condition) error {
	if err := t.load(ctx); err != nil {
		return err
	}
	now := t.Now().UTC()
	if err := t.keep(ctx, see(t.book, now, conditions)); err != nil {
		t.book = nil // what is remembered and what is stored must not differ
		return err
	}
	var mail []*letter
	for i := range t.Recipients {
		if l := t.write(&t.Recipients[i], now); l != nil {
			mail = append(mail, l)
		}
	}
	mail = t.send(ctx, mail)
	// What is out is out, though the daemon stops now.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	if err := t.remember(ctx, now, mail); err != nil {
		t.book = nil
		return err
	}
	return t.forget(ctx, now)
}

// letter is a message on its way.
type letter struct {
	to      *Recipient
	message recipient.Message
	states  map[string]string // of the entries in it, by key
	err     error
}

// write makes the message that a recipient is to get now; nil for none.
func (t *Teller) write(to *Recipient, now time.Time) *letter {
	p := t.posts[to.Name]
	if p == nil {
		p = &post{}
		t.posts[to.Name] = p
	}
	p.Sent = slices.DeleteFunc(p.Sent, func(at time.Time) bool { return now.Sub(at) >= time.Hour || at.After(now) })
	if now.Before(p.until) || len(p.Sent) >= t.Pace.AtMost || len(p.Sent) > 0 && now.Sub(p.Sent[len(p.Sent)-1]) < t.Pace.Gather {
		return nil
	}
	l := &letter{to: to, states: map[string]string{}}
	some := false
	for key, e := range t.book {
		if !to.wants(e.Condition.Kind) {
			continue
		}
		if state, due := t.Pace.state(e, to.Name, now); state != "" && (due || state == recipient.New) {
			l.states[key], some = state, some || due
		}
	}
	if !some {
		return nil
	}
	l.message = recipient.Message{Time: now, Host: t.Host}
	keys, most := t.inOrder(l.states), max(1, mostNotices>>p.refused)
	sum := sha256.New()
	for i, key := range keys {
		e := t.book[key]
		_, _ = fmt.Fprintln(sum, key, l.states[key], e.First.UnixNano(), e.Told[to.Name].UnixNano()) // a hash never fails
		if i < most {
			c := &e.Condition
			l.message.Notices = append(l.message.Notices, recipient.Notice{Kind: c.Kind, State: l.states[key], Where: c.Where, Text: c.Text, Hint: hintOf(c, l.states[key]), Since: c.Since})
		}
	}
	if more := len(keys) - most; more > 0 {
		l.message.Notices = append(l.message.Notices, recipient.Notice{Kind: "to be seen", State: recipient.New, Where: fmt.Sprintf("%d more", more), Hint: "`dirsyncd status` has them all"})
	}
	_, _ = fmt.Fprintln(sum, to.Name)
	l.message.ID = hex.EncodeToString(sum.Sum(nil)[:12])
	return l
}

func hintOf(c *Condition, state string) string {
	if state == recipient.Over {
		return ""
	}
	return c.Hint
}

// inOrder puts what is new before what lasts, and that before what is over; then by place.
func (t *Teller) inOrder(states map[string]string) []string {
	rank := map[string]int{recipient.New: 0, recipient.Lasting: 1, recipient.Over: 2}
	return slices.SortedFunc(maps.Keys(states), func(a, b string) int {
		if d := rank[states[a]] - rank[states[b]]; d != 0 {
			return d
		}
		x, y := &t.book[a].Condition, &t.book[b].Condition
		return strings.Compare(x.Where+"\x00"+x.Kind+"\x00"+a, y.Where+"\x00"+y.Kind+"\x00"+b)
	})
}

// send sends all messages at the same time, each within its time. It returns those of which it is known whether they were taken.
func (t *Teller) send(ctx context.Context, mail []*letter) []*letter {
	var wg sync.WaitGroup
	for _, l := range mail {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, tries)
			defer cancel()
			defer fault.Recover("send notices", &l.err)
			l.err = l.to.Sender.Send(ctx, &l.message)
		})
	}
	wg.Wait()
	if ctx.Err() != nil { // who was not told because we stop has not failed
		mail = slices.DeleteFunc(mail, func(l *letter) bool { return l.err != nil })
	}
	for _, l := range mail {
		if t.Sent != nil {
			t.Sent(l.to.Name, l.err)
		}
	}
	return mail
}

// remember stores what recipients were told.
func (t *Teller) remember(ctx context.Context, now time.Time, mail []*letter) error {
	changed := map[string]bool{}
	for _, l := range mail {
		p := t.posts[l.to.Name]
		if l.err != nil {
			p.failures++
			if fault.ClassOf(l.err) == fault.Invalid {
				p.refused++
			}
			p.until = now.Add(min(time.Minute<<min(p.failures-1, 8), longestWait))
			if p.failures == 1 {
				t.Log.Error("notices cannot be sent", "recipient", l.to.Name, "err", l.err, "notices", len(l.states))
			}
			continue
		}
		if p.failures > 0 {
			t.Log.Info("notices can be sent again", "recipient", l.to.Name, "failed", p.failures)
		}
		p.failures, p.refused, p.until, p.Sent = 0, 0, time.Time{}, append(p.Sent, now)
		t.Log.Info("notices sent", "recipient", l.to.Name, "notices", len(l.states))
		for key, state := range l.states {
			e := t.book[key]
			if state == recipient.Over {
				e.Over = put(e.Over, l.to.Name, true)
			} else {
				e.Told = put(e.Told, l.to.Name, now)
			}
			changed[key] = true
		}
		data, err := json.Marshal(p)
		if err == nil {
			err = t.Items.Put(ctx, postSpace, store.Item{Key: postKey(l.to.Name), Value: data, Until: now.Add(2 * time.Hour)})
		}
		if err != nil {
			return err
		}
	}
	return t.keep(ctx, slices.Sorted(maps.Keys(changed)))
}

func put[V any](m map[string]V, key string, v V) map[string]V {
	if m == nil {
		m = map[string]V{}
	}
	m[key] = v
	return m
}

// keep stores entries.
func (t *Teller) keep(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	items := make([]store.Item, len(keys))
	for i, key := range keys {
		data, err := json.Marshal(t.book[key])
		if err != nil {
			return err
		}
		items[i] = store.Item{Key: []byte(key), Value: data}
	}
	return t.Items.Put(ctx, bookSpace, items...)
}

// forget deletes what is over.
func (t *Teller) forget(ctx context.Context, now time.Time) error {
	var keys [][]byte
	for key, e := range t.book {
		if t.Pace.done(e, t.Recipients, now) {
			keys = append(keys, []byte(key))
			delete(t.book, key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	_, err := t.Items.Delete(ctx, bookSpace, keys...)
	return err
}

// load reads what was told before, once.
func (t *Teller) load(ctx context.Context) error {
	if t.book != nil {
		return nil
	}
	book, posts := map[string]*entry{}, map[string]*post{}
	var damaged [][]byte
	err := t.Items.Scan(ctx, bookSpace, nil, func(item store.Item) bool {
		e := &entry{}
		if json.Unmarshal(item.Value, e) != nil {
			damaged = append(damaged, item.Key) // told again, if it is still so
			return true
		}
		book[string(item.Key)] = e
		return true
	})
	if err != nil {
		return err
	}
	for i := range t.Recipients {
		p := &post{}
		if old := t.posts[t.Recipients[i].Name]; old != nil {
			p.failures, p.refused, p.until = old.failures, old.refused, old.until
		}
		item, ok, err := t.Items.Get(ctx, postSpace, postKey(t.Recipients[i].Name))
		if err != nil {
			return err
		}
		if ok && json.Unmarshal(item.Value, p) != nil {
			p.Sent = nil
		}
		posts[t.Recipients[i].Name] = p
	}
	if len(damaged) > 0 {
		if _, err := t.Items.Delete(ctx, bookSpace, damaged...); err != nil {
			return err
		}
	}
	t.book, t.posts = book, posts
	return nil
}

func postKey(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:16]
}
