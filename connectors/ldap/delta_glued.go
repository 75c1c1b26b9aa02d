package ldap

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/ldap/internal/wire"
)

// Another database may be glued below the one whose contextCSN is read (slapd.conf: "subordinate"), and have changes of its
// own. What follows from an unchanged contextCSN, and from changes since one, is not said of it.

// containers finds where trees begin, and so the topmost entry of a glued database, by attributes with an index.
const containers = "(|(objectClass=organizationalUnit)(objectClass=organization)(objectClass=dcObject)(objectClass=domain)" +
	"(objectClass=container)(objectClass=locality)(objectClass=country))"

// covered looks whether contextCSN speaks of all below a naming context, and says what does not fit: another database that
// is glued to this one ("subordinate") has changes of its own. Its topmost entry shows a contextCSN of its own, or it has
// entries that are newer than contextCSN. Ordinary searches tell: content synchronization says less of it, and not every
// server bears being asked for what is newer than all it has.
func (r *reading) covered(a area, csn []string) (why string, err error) {
	if why, known := r.session.covered[a.suffix]; known {
		return why, nil
	}
	conn, err := r.session.stream(r.op)
	if err != nil {
		return "", err
	}
	err = r.eachEntry(conn, a.suffix, ldap.ScopeWholeSubtree, containers, "contextCSN", func(dn, _ string) {
		if !strings.EqualFold(dn, a.suffix) {
			why = "a glued database begins at " + dn
		}
	})
	if err == nil && why == "" {
		why, err = r.newer(a, csn)
	}
	if err != nil {
		return "", err
	}
	if why != "" {
		why = "contextCSN of " + a.suffix + " does not speak of all below it, " + why + " (OpenLDAP: write `overlay glue` before `overlay syncprov`)"
	}
	if r.session.covered == nil {
		r.session.covered = make(map[string]string)
	}
	r.session.covered[a.suffix] = why
	return why, nil
}

// newer says which entry below a naming context is newer than its contextCSN; nothing when there is none.
func (r *reading) newer(a area, csn []string) (why string, err error) {
	conn, err := r.session.stream(r.op)
	if err != nil {
		return "", err
	}
	last := slices.Max(csn)
	newest, where := last, ""
	filter := "(&(entryCSN>=" + last + ")(!(entryCSN=" + last + ")))"
	err = r.eachEntry(conn, a.suffix, ldap.ScopeWholeSubtree, filter, "entryCSN", func(dn, value string) {
		if value > newest {
			newest, where = value, dn
		}
	})
	if err != nil || where == "" {
		return "", err
	}
	// It may have been written since contextCSN was read, which follows a moment after the entry, and waits for those who
	// are writing at the same time.
	for range 5 {
		err = r.eachEntry(conn, a.suffix, ldap.ScopeBaseObject, "(objectClass=*)", "contextCSN", func(_, value string) {
			last = max(last, value)
		})
		if err != nil || last >= newest {
			return "", err
		}
		if err := r.session.wait(200 * time.Millisecond); err != nil {
			return "", err
		}
	}
	return "a glued database has " + where, nil
}

// newerWhileIdle is newer, for a read that finds contextCSN as it was. Without an index on entryCSN the server looks at every
// entry for it; then it is asked rarely.
func (r *reading) newerWhileIdle(a area, csn []string) (why string, err error) {
	looks, key, now := &r.connector.looks, r.session.server+" "+a.suffix, r.connector.env.Now()
	if looks.rest(key, now) {
		return "", nil
	}
	began := time.Now()
	if why, err = r.newer(a, csn); err == nil && why == "" {
		looks.took(key, now, time.Since(began)-r.session.roundTrip)
	}
	return why, err
}

// How rarely a server is asked for what is newer than contextCSN, by how long it takes: what takes less than cheapLook costs
// nothing, all else no more than a share of one in lookShare of the server's time, and longestRest is the longest.
const (
	cheapLook   = 2 * time.Millisecond
	lookShare   = 50_000
	longestRest = time.Hour
)

// idleLooks remembers until when nobody asks, by server and naming context. It is the memory of one connector, for the
// reads of all its streams.
type idleLooks struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (l *idleLooks) rest(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := l.until[key].Sub(now)
	return wait > 0 && wait <= longestRest // not after a clock that was ahead
}

func (l *idleLooks) took(key string, now time.Time, took time.Duration) {
	if took < cheapLook {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until == nil {
		l.until = make(map[string]time.Time)
	}
	l.until[key] = now.Add(min(took, longestRest/lookShare) * lookShare)
}

// eachEntry hands out the values of one attribute of what a search finds, as far as the server's limits go.
func (r *reading) eachEntry(conn *wire.Conn, base string, scope int, filter, attribute string, take func(dn, value string)) (err error) {
	began := time.Now()
	defer func() { r.session.requested("search", began, err) }()
	if err := conn.Send(wire.Search{Base: base, Scope: scope, Filter: filter, Attributes: []string{attribute}}); err != nil {
		return operationError(r.op, r.session.server, err)
	}
	var entry wire.Entry
	for {
		item, _, err := conn.Next(&entry)
		switch {
		case err != nil:
			return transportError(r.op, r.session.server, err)
		case item == wire.DoneItem:
			return nil
		case item == wire.EntryItem:
			for _, a := range entry.Attributes {
				for _, value := range a.Values {
					take(strings.Clone(entry.DN), strings.Clone(value))
				}
			}
		}
	}
}
