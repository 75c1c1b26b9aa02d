package portal

import (
	"context"
	"encoding/json"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
)

// Session is somebody who is signed in.
type Session struct {
	Key            []byte // under which it is stored; it opens nothing
	Owner          signin.Owner
	Provider, Host string // Host is blank at the central one
	Attempt        string
	Created, Ends  time.Time
	Remembered     bool // the person chose to stay signed in
}

// of reports whether the session is that of somebody who is named by the key of a record, the object or the attempt.
func (s *Session) of(who string) bool {
	return who == s.Owner.Record || who == s.Owner.Scope.String()+"/"+s.Owner.ID || who == s.Attempt
}

// Sessions returns the sessions that count at a moment, of one person or, with a blank name, of all. What cannot be read is left out: it lets
// nobody in.
func Sessions(ctx context.Context, items Items, now time.Time, who string) (list []Session, err error) {
	err = items.Scan(ctx, spaceSession, nil, func(i store.Item) bool {
		var s session
		if json.Unmarshal(i.Value, &s) != nil {
			return true
		}
		one := Session{Key: i.Key, Owner: s.Owner, Provider: s.Provider, Host: s.Host, Attempt: s.Attempt, Created: s.Created, Ends: s.Ends, Remembered: s.Keep}
		if now.Before(s.Ends) && (who == "" || one.of(who)) {
			list = append(list, one)
		}
		return true
	})
	return list, err
}

// Used reports whether anybody has ever tried to sign in, as far as that is kept.
func Used(ctx context.Context, items Items) (bool, error) {
	for _, space := range []string{spaceSession, SpaceLink, spaceAttempt} {
		if n, err := items.Count(ctx, space); n > 0 || err != nil {
			return n > 0, err
		}
	}
	return false, nil
}

// EndSession ends a session; what proxies were told of it counts for half a minute more, but in this process.
func EndSession(ctx context.Context, items Items, key []byte) (ended bool, err error) {
	_, ended, err = items.Take(ctx, spaceSession, key)
	return ended, err
}

// Forget makes the next request of a session look at what is stored.
func (p *Portal) Forget(key []byte) { p.fresh.forget(key) }
