package google

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/fault"
)

const (
	// eventPage is the most that Google puts on a page.
	eventPage = 1000
	// mostEvents is from how many events on a full read is cheaper, and certainly no slower to be right.
	mostEvents = 50_000
)

// event is one thing that an administrator, or a program in an administrator's name, has done (Reports API,
// activities, application admin). It names people and groups by the addresses that they had then.
type event struct {
	mark  uint64 // of the activity that it is a part of
	at    time.Time
	kind  string // USER_SETTINGS, GROUP_SETTINGS, ORG_SETTINGS, …
	name  string
	user  string // folded
	group string // folded
	value string // what something was changed to, as it is
	unit  string
}

type activity struct {
	ID struct {
		Time      string `json:"time"`
		Qualifier string `json:"uniqueQualifier"`
		Customer  string `json:"customerId"`
	} `json:"id"`
	Events many[struct {
		Type       string `json:"type"`
		Name       string `json:"name"`
		Parameters many[struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		}] `json:"parameters"`
	}] `json:"events"`
}

// log is what the audit log says since a cursor.
type log struct {
	news  []event
	marks map[uint64]time.Time // of every activity that was listed
	from  time.Time
}

// readLog lists what happened since the cursor and was not acted upon. The log's order does not matter: every event
// leads to reading what is there now.
func (r *reading) readLog(ctx context.Context, c cursor) (*log, error) {
	seen, err := unpackMarks(c.Seen)
	if err != nil {
		return nil, r.expired("not a cursor of this source")
	}
	l := &log{from: time.UnixMilli(c.Since).Add(-r.connector.cfg.Overlap.Std())}
	restart := func() { l.news, l.marks = nil, map[uint64]time.Time{} }
	restart()
	list := &pager{
		op: r.op, restart: restart, entries: func(d *listPage) []json.RawMessage { return d.Items },
		fetch: func(ctx context.Context, token string) ([]byte, error) {
			return r.askLog(ctx, l.from, token, eventPage)
		},
		take: func(entries []json.RawMessage) error {
			for _, raw := range entries {
				if err := r.note(l, raw, seen); err != nil {
					return err
				}
			}
			if len(l.news) > mostEvents {
				return r.expired(fmt.Sprintf("more than %d events since the last read", mostEvents))
			}
			return nil
		},
	}
	if err := list.follow(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

func (r *reading) askLog(ctx context.Context, from time.Time, token string, size int64) ([]byte, error) {
	return ask(ctx, "list events", func(ctx context.Context) error {
		call := r.events.Activities.List("all", "admin").Context(ctx).StartTime(from.UTC().Format("2006-01-02T15:04:05.000Z07:00")).MaxResults(size)
		call.Fields("kind,etag,nextPageToken,items(id(time,uniqueQualifier,customerId),events(type,name,parameters(name,value)))")
		if r.party.customer != myCustomer {
			call.CustomerId(r.customer)
		}
		if token != "" {
			call.PageToken(token)
		}
		_, err := call.Do()
		return err
	})
}

// note takes one activity into the log. One that cannot be read may have been about anything.
func (r *reading) note(l *log, raw json.RawMessage, seen map[uint64]bool) error {
	var a activity
	if err := json.Unmarshal(raw, &a); err != nil {
		return r.expired(fmt.Sprintf("an event cannot be read: %v", shapeOnly(err)))
	}
	at, ok := parseTime(a.ID.Time)
	if !ok {
		return r.expired("an event has no time")
	}
	if a.ID.Customer != "" && a.ID.Customer != r.customer {
		return nil
	}
	sum := sha256.Sum256([]byte(a.ID.Time + "\n" + a.ID.Qualifier + "\n" + string(eventNames(&a))))
	mark := binary.BigEndian.Uint64(sum[:8])
	if _, twice := l.marks[mark]; twice {
		return nil
	}
	l.marks[mark] = at
	if seen[mark] {
		return nil
	}
	for _, e := range a.Events {
		n := event{mark: mark, at: at, kind: e.Type, name: e.Name}
		for _, p := range e.Parameters {
			switch p.Name {
			case "USER_EMAIL":
				n.user = fold(p.Value)
			case "GROUP_EMAIL":
				n.group = fold(p.Value)
			case "NEW_VALUE":
				n.value = p.Value
			case "ORG_UNIT_NAME":
				n.unit = p.Value
			}
		}
		l.news = append(l.news, n)
	}
	return nil
}

// eventNames tells activities apart that share a time and have no qualifier.
func eventNames(a *activity) (names []byte) {
	for _, e := range a.Events {
		names = append(append(names, e.Name...), '\n')
		for _, p := range e.Parameters {
			names = append(append(names, p.Value...), '\n')
		}
	}
	return names
}

// delta reads what the audit log leads to. Without permission to read the log, and nothing said about it, the
// stream is read in full.
func (r *reading) delta(ctx context.Context, data []byte) error {
	c, err := r.parseCursor(data)
	if err != nil {
		return err
	}
	l, err := r.readLog(ctx, c)
	if err != nil && scopeMissing(err) && r.connector.cfg.Events != eventsOn {
		hint := "grant " + scopePrefix + eventScopes()[0] + ", or set events: off"
		if statusOf(err) == http.StatusUnauthorized {
			hint = fault.Hint(err)
		}
		return &fault.Error{
			Class: fault.CursorExpired, Op: r.op, Err: fmt.Errorf("the audit log may not be read: %s", fault.Text(err)), Hint: hint,
		}
	}
	if err != nil {
		return err
	}
	d := &deltaReading{reading: r, cursor: c, log: l, held: map[uint64]time.Time{}}
	switch r.stream.Name {
	case streamUsers:
		err = d.users(ctx)
	case streamGroups:
		err = d.groups(ctx)
	default:
		err = d.licences(ctx)
	}
	if err != nil {
		return err
	}
	for _, p := range d.pages {
		if err := r.emit(p); err != nil {
			return err
		}
	}
	last := &connectors.Page{Removed: d.removed, Proof: &connectors.Proof{Scope: r.scope(), Count: -1}, Cursor: d.next().bytes()}
	return r.emit(last)
}

// deltaReading is one read from a cursor.
type deltaReading struct {
	*reading
	cursor cursor
	log    *log
	pages  []*connectors.Page
	// removed are ids that Google says are gone.
	removed []removal
	// held are activities that lead nowhere yet: what they are about is neither there nor known to be gone.
	held map[uint64]time.Time
}

// patience is how long an event may lead nowhere before everything is read.
const patience = 2 * time.Hour

// hold keeps an event for later reads. It returns an error when that has been going on for too long.
func (d *deltaReading) hold(e *event) error {
	if e.at.Before(d.full()) {
		return nil // the full read has settled it
	}
	if d.began.Sub(e.at) > patience {
		return d.expired("an event of the audit log leads to nobody")
	}
	d.held[e.mark] = e.at
	return nil
}

// full is the time before which nothing that happened needs a full read.
func (d *deltaReading) full() time.Time { return time.UnixMilli(d.cursor.Full).Add(-skew) }

// next is the cursor after this read. It stays at the oldest event that is held.
func (d *deltaReading) next() cursor {
	since := d.began
	for _, at := range d.held {
		if at.Before(since) {
			since = at
		}
	}
	if last := time.UnixMilli(d.cursor.Since); len(d.held) == 0 && since.Before(last) {
		since = last
	}
	from := since.Add(-d.connector.cfg.Overlap.Std())
	marks := map[uint64]bool{}
	for mark, at := range d.log.marks {
		if _, held := d.held[mark]; !held && !at.Before(from) {
			marks[mark] = true
		}
	}
	c := d.cursor
	c.Since, c.Seen = since.UnixMilli(), packMarks(marks)
	return c
}
