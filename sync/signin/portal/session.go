package portal

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
)

// Spaces of Items.
const (
	spaceSession = "session" // key: hash of the cookie; owners: the person, and what the provider calls the session and the person
	spaceUsed    = "used"    // key: of the session; there until it is idle for too long
	spaceCode    = "code"    // key: hash of the code
	spaceOutcome = "outcome" // key: hash of the address
	spaceAttempt = "attempt" // key: when, and what the person was shown; owners: how it ended, and what the person was shown
	spaceVisit   = "visit"   // key: attempt and application; owners: the central session
	spaceMoved   = "moved"   // key: the person who was found to be another one
)

// session is somebody who is signed in at a host. Its key is the hash of the cookie.
type session struct {
	Owner     signin.Owner   `json:"owner"`
	Host      string         `json:"host,omitempty"`   // of the application; blank: the central one
	Parent    []byte         `json:"parent,omitempty"` // key of the central one
	Provider  string         `json:"provider"`
	Subject   signin.Subject `json:"subject"`
	Said      string         `json:"said,omitempty"` // OIDC sid, SAML SessionIndex
	NameID    string         `json:"name_id,omitempty"`
	LoginHint string         `json:"login_hint,omitempty"`
	Context   string         `json:"context,omitempty"`
	Methods   []string       `json:"methods,omitempty"`
	Attempt   string         `json:"attempt"`
	Keep      bool           `json:"keep,omitempty"` // the person chose to stay signed in on this device
	At        time.Time      `json:"at"`             // when the provider saw the person
	Created   time.Time      `json:"created"`
	Ends      time.Time      `json:"ends"`
}

// ownerKey is by what the sessions of a person are found.
func ownerKey(o signin.Owner) []byte {
	return hashed("owner\x00" + o.Connection + "\x00" + o.Tenant + "\x00" + o.ID)
}

// saidKeys are by what a provider names a session: as itself, and by its person.
func saidKeys(provider string, s signin.Subject, said string) [][]byte {
	list := [][]byte{hashed("subject\x00" + provider + "\x00" + s.Realm + "\x00" + s.Value)}
	if said != "" {
		list = append(list, hashed("session\x00"+provider+"\x00"+said))
	}
	return list
}

// putSession stores a session.
func (p *Portal) putSession(ctx context.Context, key []byte, s *session) error {
	owners := [][]byte{ownerKey(s.Owner)}
	if s.Parent == nil {
		owners = append(owners, saidKeys(s.Provider, s.Subject, s.Said)...)
	}
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := p.use(ctx, p.idle(s), key); err != nil {
		return err
	}
	return p.Items.Put(ctx, spaceSession, store.Item{Key: key, Owners: owners, Value: value, Until: s.Ends})
}

// loadSession returns a session that has not run out, and has been used.
func (p *Portal) loadSession(ctx context.Context, key []byte) (*session, error) {
	item, ok, err := p.Items.Get(ctx, spaceSession, key)
	if err != nil || !ok {
		return nil, err
	}
	var s session
	if p.unreadable(ctx, spaceSession, key, json.Unmarshal(item.Value, &s)) {
		return nil, nil //nolint:nilnil // there is none
	}
	if !p.Now().Before(s.Ends) {
		return nil, nil //nolint:nilnil // there is none
	}
	if s.Keep {
		if over, err := p.keptTooLong(ctx, &s); over || err != nil {
			return nil, err
		}
	}
	used, ok, err := p.Items.Get(ctx, spaceUsed, key)
	if err != nil || !ok || !p.Now().Before(used.Until) {
		return nil, err
	}
	const share = 8 // of Idle: it is written down not more often than it matters
	if idle := p.idle(&s); used.Until.Sub(p.Now()) < idle-idle/share {
		// Whoever works at an application is at the central host, too: else nobody could sign out there later.
		err = p.use(ctx, idle, key, s.Parent)
	}
	return &s, err
}

// keptTooLong reports whether a session that was to stay is older than the settings let it be by now, or than that of which it came.
func (p *Portal) keptTooLong(ctx context.Context, s *session) (bool, error) {
	if !p.Now().Before(s.Created.Add(max(p.Lifetime, p.Remember))) {
		return true, nil
	}
	if s.Parent == nil {
		return false, nil
	}
	parent, err := p.loadSession(ctx, s.Parent)
	return parent == nil, err
}

// idle is how long a session counts when it is not used.
func (p *Portal) idle(s *session) time.Duration {
	if s.Keep && p.Remember > 0 {
		return p.Remember
	}
	return p.Idle
}

// life is that of the cookie of a session: zero, until the browser ends, unless the person chose to stay signed in.
func (p *Portal) life(s *session) time.Duration {
	if !s.Keep {
		return 0
	}
	return s.Ends.Sub(p.Now())
}

// use remembers that sessions are used. That is no part of the session itself, which would come back by it after somebody has ended it.
func (p *Portal) use(ctx context.Context, idle time.Duration, keys ...[]byte) error {
	var list []store.Item
	for _, key := range keys {
		if key != nil {
			list = append(list, store.Item{Key: key, Until: p.Now().Add(idle)})
		}
	}
	return p.Items.Put(ctx, spaceUsed, list...)
}

// cookieKeys are the keys of the sessions that a browser claims to have: there may be several cookies of the name.
func cookieKeys(r *http.Request) (list [][]byte) {
	const most = 4
	for _, c := range r.CookiesNamed(sessionCookie) {
		if _, err := base64.RawURLEncoding.DecodeString(c.Value); err == nil && len(c.Value) == len(random()) && len(list) < most {
			list = append(list, hashed(c.Value))
		}
	}
	return list
}

// present returns the session of this browser at a host, blank for the central one, if it has one that is good and whose person stands. Whoever
// does not stand any more loses it.
func (p *Portal) present(ctx context.Context, r *http.Request, host string) (key []byte, s *session, standing signin.Standing, err error) {
	for _, key := range cookieKeys(r) {
		s, err := p.loadSession(ctx, key)
		if err != nil {
			return nil, nil, signin.Standing{}, err
		}
		if s == nil || s.Host != host {
			continue
		}
		standing, err := p.People.Standing(ctx, s.Owner)
		if err != nil {
			return nil, nil, signin.Standing{}, err
		}
		why := ""
		switch {
		case !standing.There:
			why = string(signin.Gone)
		case !standing.Enabled:
			why = string(signin.Disabled)
		case len(standing.Kinds) == 0:
			why = string(signin.NoRecord)
		}
		if why != "" {
			if err := p.end(ctx, key, why); err != nil {
				return nil, nil, signin.Standing{}, err
			}
			continue
		}
		return key, s, standing, nil
	}
	return nil, nil, signin.Standing{}, nil
}

// admitted reports whether somebody who is signed in may come into an application, as things stand: the settings and the kind of record may have
// been others when they signed in. What is at the central host itself is not for a device that is to stay signed in for weeks.
func (p *Portal) admitted(app *App, s *session, standing signin.Standing) bool {
	if app.Inside && !p.Now().Before(s.Created.Add(p.Lifetime)) {
		return false
	}
	by := p.provider(s.Provider)
	return by != nil && app.admits(s.Provider) && by.Policy.Names(s.Owner) && by.Policy.Admission.Admits(standing.Kinds) && app.Admission.Admits(standing.Kinds)
}

// end ends a session.
func (p *Portal) end(ctx context.Context, key []byte, why string) error {
	item, ok, err := p.Items.Take(ctx, spaceSession, key)
	p.fresh.forget(key)
	if err != nil || !ok {
		return err
	}
	var s session
	if json.Unmarshal(item.Value, &s) == nil {
		p.Log.Info("session ended", "why", why, "provider", s.Provider, "host", s.Host, "attempt", s.Attempt)
	}
	return nil
}

// endFamily ends a central session and those at applications that came of it: also one that is entered meanwhile, of which enter takes back
// what it stored after the central one was gone.
func (p *Portal) endFamily(ctx context.Context, key []byte, owner signin.Owner, why string) error {
	if err := p.endChildren(ctx, key, owner, why); err != nil {
		return err // the central one is there, and the person can try again
	}
	if err := p.end(ctx, key, why); err != nil {
		return err
	}
	return p.endChildren(ctx, key, owner, why)
}

func (p *Portal) endChildren(ctx context.Context, parent []byte, owner signin.Owner, why string) error {
	children, err := p.children(ctx, parent, owner)
	for _, k := range children {
		err = errors.Join(err, p.end(ctx, k, why))
	}
	return err
}

// supersede ends what a browser had at the central host before. What the same person has at applications goes on, and ends with the new session:
// another tab may have it. What somebody else has there ends.
func (p *Portal) supersede(ctx context.Context, former, key []byte, now *session) error {
	const why = "signed in anew"
	item, ok, err := p.Items.Get(ctx, spaceSession, former)
	if err != nil || !ok {
		return err
	}
	var was session
	if p.unreadable(ctx, spaceSession, former, json.Unmarshal(item.Value, &was)) {
		return nil
	}
	if was.Owner != now.Owner || was.Provider != now.Provider {
		return p.endFamily(ctx, former, was.Owner, why)
	}
	if err := p.adopt(ctx, former, key, now); err != nil {
		return err
	}
	if err := p.end(ctx, former, why); err != nil {
		return err
	}
	return p.adopt(ctx, former, key, now) // who entered meanwhile
}

// adopt makes sessions at applications come of another central one. None goes on for longer than that one.
func (p *Portal) adopt(ctx context.Context, from, to []byte, now *session) error {
	children, err := p.children(ctx, from, now.Owner)
	for _, k := range children {
		item, ok, fault := p.Items.Get(ctx, spaceSession, k)
		var s session
		if fault == nil && ok {
			fault = json.Unmarshal(item.Value, &s)
		}
		if fault == nil && ok {
			s.Parent, s.Keep = to, now.Keep
			if now.Ends.Before(s.Ends) {
				s.Ends, item.Until = now.Ends, now.Ends
			}
			item.Value, fault = json.Marshal(&s)
		}
		if fault == nil && ok {
			_, fault = p.Items.Replace(ctx, spaceSession, item) // one that has ended meanwhile does not come back
		}
		err = errors.Join(err, fault)
	}
	return errors.Join(err, p.adoptVisits(ctx, from, to, now.Ends))
}

func (p *Portal) children(ctx context.Context, parent []byte, owner signin.Owner) (list [][]byte, err error) {
	err = p.Items.Scan(ctx, spaceSession, ownerKey(owner), func(i store.Item) bool {
		var s session
		if json.Unmarshal(i.Value, &s) == nil && bytes.Equal(s.Parent, parent) {
			list = append(list, bytes.Clone(i.Key))
		}
		return true
	})
	return list, err
}

// unreadable reports whether a stored value cannot be read, as it may be after a fault of the disk or from another version: that is told, and the
// value forgotten, so that whoever it kept out signs in anew.
func (p *Portal) unreadable(ctx context.Context, space string, key []byte, err error) bool {
	if err == nil {
		return false
	}
	_, fault := p.Items.Delete(ctx, space, key)
	p.Log.Error("something that sign-in has stored cannot be read; it is forgotten", "what", space, "err", errors.Join(err, fault))
	return true
}
