package portal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
)

// visit is that somebody went into an application which has sessions of its own and wants to be told when they end (App.LogoutURL). It outlives the
// session: whatever has ended that, in whatever process, the next round finds it gone and tells the application.
type visit struct {
	App     string       `json:"app"`
	Session []byte       `json:"session"` // key of the central one
	Owner   signin.Owner `json:"owner"`
	SID     string       `json:"sid"` // as in the tokens that the application got
	Attempt string       `json:"attempt"`
	Ends    time.Time    `json:"ends"`

	Ended time.Time `json:"ended,omitzero"` // when a round found that the session has ended
	Tries int       `json:"tries,omitempty"`
	Next  time.Time `json:"next,omitzero"` // not told before
}

const (
	// tellRound is how often is looked for sessions that have ended.
	tellRound = 30 * time.Second
	// tellFor is how long an application that does not answer is tried, and longestPause the pause between two tries at most.
	tellFor      = 24 * time.Hour
	longestPause = 5 * time.Minute
	// tellPatience is how long an application may take for an answer.
	tellPatience = 10 * time.Second
	// tellMost is how many an application is told of in one round.
	tellMost = 500
	// logoutLife is how long a logout token counts.
	logoutLife = 2 * time.Minute
	// mostAnswer is how much is read of an answer, so that its connection can be used again.
	mostAnswer = 16 << 10
)

// logoutEvent is what a logout token is about (OpenID Connect Back-Channel Logout 1.0, section 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// sidOf is what tokens call a session.
func sidOf(s *session) string { return hashedText(s.Attempt) }

// keepVisit remembers that somebody goes into an application, before they do. key is that of the central session.
func (p *Portal) keepVisit(ctx context.Context, app *App, key []byte, s *session) error {
	if app.LogoutURL == nil {
		return nil
	}
	item, err := visitItem(visitKey(app.Name, s), &visit{App: app.Name, Session: key, Owner: s.Owner, SID: sidOf(s), Attempt: s.Attempt, Ends: s.Ends})
	if err != nil {
		return err
	}
	return p.Items.Put(ctx, spaceVisit, item)
}

func visitKey(app string, s *session) []byte { return hashed("visit\x00" + app + "\x00" + s.Attempt) }

func visitItem(key []byte, v *visit) (store.Item, error) {
	value, err := json.Marshal(v)
	return store.Item{Key: key, Owners: [][]byte{v.Session}, Value: value, Until: v.Ends.Add(tellFor + longestPause)}, err
}

// changeVisit stores a visit anew, unless it was forgotten meanwhile.
func (p *Portal) changeVisit(ctx context.Context, key []byte, v *visit) error {
	item, err := visitItem(key, v)
	if err == nil {
		_, err = p.Items.Replace(ctx, spaceVisit, item)
	}
	return err
}

// adoptVisits makes visits of one central session those of another, when the same person has signed in anew.
func (p *Portal) adoptVisits(ctx context.Context, from, to []byte, ends time.Time) error {
	list, err := p.visits(ctx, from)
	for _, e := range list {
		e.Session, e.Ends = to, ends
		err = errors.Join(err, p.changeVisit(ctx, e.key, &e.visit))
	}
	return err
}

// keptVisit is a visit with its key.
type keptVisit struct {
	key []byte
	visit
}

func (p *Portal) visits(ctx context.Context, session []byte) (list []keptVisit, err error) {
	err = p.Items.Scan(ctx, spaceVisit, session, func(i store.Item) bool {
		v := keptVisit{key: bytes.Clone(i.Key)}
		if json.Unmarshal(i.Value, &v.visit) == nil {
			list = append(list, v)
		}
		return true
	})
	return list, err
}

// runTelling tells applications until the context ends.
func (p *Portal) runTelling(ctx context.Context) {
	tick := time.NewTicker(tellRound)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := p.Tell(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error("applications could not be told of sessions that have ended", "err", err)
		}
	}
}

// Tell tells applications of the sessions that have ended: one round. Each application has a line of its own, so that one which hangs holds up no
// other, and is given up for the round when it does not answer. Workers beside each other may tell of a session twice.
func (p *Portal) Tell(ctx context.Context) error {
	list, err := p.visits(ctx, nil)
	if err != nil {
		return err
	}
	due := make(map[string][]keptVisit)
	var bad error
	for _, v := range list {
		app := p.appNamed(v.App)
		if app == nil || app.LogoutURL == nil {
			_, err := p.Items.Delete(ctx, spaceVisit, v.key)
			bad = errors.Join(bad, err)
			continue
		}
		if p.Now().Before(v.Next) || len(due[v.App]) >= tellMost {
			continue
		}
		if v.Ended.IsZero() {
			ended, err := p.hasEnded(ctx, &v)
			if err != nil || !ended {
				bad = errors.Join(bad, err) // unknown is not ended
				continue
			}
			v.Ended = p.Now()
		}
		due[v.App] = append(due[v.App], v)
	}
	var telling sync.WaitGroup
	for name, visits := range due {
		telling.Go(func() { p.tellApp(ctx, p.appNamed(name), visits) })
	}
	telling.Wait()
	return bad
}

// hasEnded reports whether the session of a visit is over: somebody has ended it, its time has come, or its person does not stand any more. One that
// is merely not used goes on: nobody sees how busy somebody is at an application with sessions of its own.
func (p *Portal) hasEnded(ctx context.Context, v *keptVisit) (bool, error) {
	kept, there, err := p.Items.Get(ctx, spaceSession, v.Session)
	if err != nil {
		return false, err
	}
	if !there {
		item, known, err := p.Items.Get(ctx, spaceVisit, v.key)
		var now visit
		return err == nil && known && json.Unmarshal(item.Value, &now) == nil && bytes.Equal(now.Session, v.Session), err // else it was adopted meanwhile
	}
	if !p.Now().Before(v.Ends) {
		return true, nil
	}
	var s session
	if json.Unmarshal(kept.Value, &s) == nil && s.Keep {
		if over, err := p.keptTooLong(ctx, &s); over || err != nil {
			return over, err
		}
	}
	standing, err := p.People.Standing(ctx, v.Owner)
	return err == nil && (!standing.There || !standing.Enabled || len(standing.Kinds) == 0), err
}

// tellApp tells one application of what is due, and keeps what it did not take.
func (p *Portal) tellApp(ctx context.Context, app *App, visits []keptVisit) {
	round, cancel := context.WithTimeout(ctx, tellRound)
	defer cancel()
	over := ctx.Done()
	ctx = context.WithoutCancel(ctx) // what was told is stored in any case
	told, failed := 0, error(nil)
	for i := range visits {
		v := &visits[i]
		if failed == nil {
			failed = p.tell(round, app, &v.visit)
		}
		if failed != nil && round.Err() != nil {
			break // the next round goes on here
		}
		var err error
		if failed == nil {
			told++
			_, err = p.Items.Delete(ctx, spaceVisit, v.key)
		} else {
			err = p.later(ctx, app, v)
		}
		if err != nil {
			p.Log.Error("what an application was told could not be stored", "app", app.Name, "err", err)
		}
		if unheard := (*refusedToken)(nil); errors.As(failed, &unheard) {
			p.Log.Warn("an application does not take a logout token, and is told again", "app", app.Name, "status", unheard.status, "attempt", v.Attempt,
				"hint", "`logout_url` of the application answers 200 to what docs/sign-in.md describes")
			failed = nil // the others may be taken
		}
	}
	if told > 0 {
		p.Log.Info("application told of sessions that ended", "app", app.Name, "count", told)
	}
	select {
	case <-over: // the daemon stops
		return
	default:
	}
	if failed != nil {
		p.Log.Warn("an application cannot be told that sessions have ended, and is tried again", "app", app.Name, "waiting", len(visits)-told, "err", failed)
	}
}

// later puts a visit off, or gives it up.
func (p *Portal) later(ctx context.Context, app *App, v *keptVisit) error {
	now := p.Now()
	if now.Sub(v.Ended) >= tellFor {
		p.Log.Error("an application was not told for a day that a session has ended, and is not told any more", "app", app.Name, "attempt", v.Attempt)
		_, err := p.Items.Delete(ctx, spaceVisit, v.key)
		return err
	}
	v.Tries++
	v.Next = now.Add(min(tellRound<<min(v.Tries-1, 10), longestPause))
	return p.changeVisit(ctx, v.key, &v.visit)
}

// refusedToken is an answer other than success.
type refusedToken struct{ status int }

func (e *refusedToken) Error() string { return fmt.Sprintf("it answers %d", e.status) }

// tell posts a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.5).
func (p *Portal) tell(ctx context.Context, app *App, v *visit) error {
	token, err := p.logoutToken(app, v)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, app.LogoutURL.String(), strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := *p.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err
		}
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, mostAnswer))
	_ = resp.Body.Close()
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case slices.Contains([]int{http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, resp.StatusCode):
		return errors.New(resp.Status) // nobody is there
	default:
		return &refusedToken{resp.StatusCode}
	}
}

// logoutToken makes a token that says to one application that a session has ended.
func (p *Portal) logoutToken(app *App, v *visit) (string, error) {
	now := p.Now()
	t := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": p.URL.String(), "aud": app.Name, "sub": v.Owner.Record, "sid": v.SID, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(logoutLife).Unix(), "events": map[string]any{logoutEvent: map[string]any{}},
	})
	key := p.Keys.Sign()
	t.Header["kid"], t.Header["typ"] = key.ID, "logout+jwt"
	return t.SignedString(key.Private)
}
