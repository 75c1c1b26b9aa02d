package console

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/web"
)

// Role is what somebody may do.
type Role uint8

// The roles, each of which may do what those before it may.
const (
	Reader   Role = iota + 1 // sees every page
	Operator                 // decides
)

// User is somebody who may use the console, and who shows a token to come in.
type User struct {
	Name  string
	Role  Role
	Token settings.Secret
}

const (
	cookie = "__Host-dirsyncd-console"
	// sessionLife is how long somebody stays signed in: a working day. A restart of the daemon ends it.
	sessionLife = 10 * time.Hour
	// mostSessions bounds what is kept; the oldest goes.
	mostSessions = 1000
	// mostWrong is how many wrong tokens an address, or a network of version 6, may show in wrongTime.
	mostWrong = 10
	wrongTime = time.Minute
)

// session is somebody who is signed in.
type session struct {
	user  User
	by    string // in the trail of decisions
	since time.Time
	form  string // every form holds it
	// signedIn at a provider of identity, and not by a token.
	signedIn bool
}

// sent reports whether a form that was posted is one of the session's.
func (s *session) sent(r *http.Request) bool {
	return subtle.ConstantTimeCompare([]byte(r.PostFormValue("form")), []byte(s.form)) == 1
}

// sessions are in memory: they hold no more than a process.
type sessions struct {
	now func() time.Time

	mu    sync.Mutex
	all   map[[sha256.Size]byte]*session // by the digest of what the cookie holds
	tried map[netip.Addr][]time.Time     // when tokens were shown that were not right, by web.Client
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, all: make(map[[sha256.Size]byte]*session), tried: make(map[netip.Addr][]time.Time)}
}

// begin signs somebody in and returns what the cookie holds.
func (s *sessions) begin(u User) string {
	value := random()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	var oldest [sha256.Size]byte
	var since time.Time
	for k, one := range s.all {
		if now.Sub(one.since) >= sessionLife {
			delete(s.all, k)
		} else if since.IsZero() || one.since.Before(since) {
			oldest, since = k, one.since
		}
	}
	if len(s.all) >= mostSessions {
		delete(s.all, oldest)
	}
	s.all[sha256.Sum256([]byte(value))] = &session{user: u, by: u.Name + " (console)", since: now, form: random()}
	return value
}

// of returns who asks; nil for nobody.
func (s *sessions) of(r *http.Request) *session {
	c, err := r.Cookie(cookie)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[sha256.Sum256([]byte(c.Value))]
	if one == nil || s.now().Sub(one.since) >= sessionLife {
		return nil
	}
	return one
}

func (s *sessions) end(r *http.Request) {
	if c, err := r.Cookie(cookie); err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, sha256.Sum256([]byte(c.Value)))
	}
}

// who returns who asks: by a token of the console, or signed in at a provider.
func (c *Console) who(r *http.Request) (*session, error) {
	if s := c.sessions.of(r); s != nil || c.People == nil {
		return s, nil
	}
	p, ok, err := c.People.Who(r)
	if err != nil || !ok {
		return nil, err
	}
	u := User{Name: p.Name, Role: p.Role}
	if u.Name == "" {
		u.Name = p.Key
	}
	// The key comes first: a name may be somebody's own text, and look like a key.
	return &session{user: u, by: p.Key + " (" + u.Name + ", console)", form: c.formOf(p.Session), signedIn: true}, nil
}

// formOf is what the forms of a session hold that is not the console's own.
func (c *Console) formOf(session string) string {
	mac := hmac.New(sha256.New, c.secret)
	mac.Write([]byte(session))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// mayTry reports whether an address may show another token, and counts that it does: guesses that come at the same time are several.
func (s *sessions) mayTry(a netip.Addr) bool {
	a = web.Client(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for addr, times := range s.tried {
		if now.Sub(times[len(times)-1]) >= wrongTime {
			delete(s.tried, addr)
		}
	}
	recent := slices.DeleteFunc(s.tried[a], func(t time.Time) bool { return now.Sub(t) >= wrongTime })
	if len(recent) >= mostWrong {
		return false
	}
	s.tried[a] = append(recent, now)
	return true
}

// wasRight takes back one of what mayTry has counted.
func (s *sessions) wasRight(a netip.Addr) {
	a = web.Client(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if list := s.tried[a]; len(list) > 1 {
		s.tried[a] = list[:len(list)-1]
	} else {
		delete(s.tried, a)
	}
}

// userOf finds whose token it is, in a time that does not depend on it.
func (c *Console) userOf(token string) (found User, ok bool) {
	given := sha256.Sum256([]byte(token))
	for _, u := range c.Users {
		own := sha256.Sum256([]byte(u.Token.Reveal()))
		if subtle.ConstantTimeCompare(given[:], own[:]) == 1 && !u.Token.IsZero() {
			found, ok = u, true
		}
	}
	return found, ok
}

// askToken shows the page on which somebody signs in.
func (c *Console) askToken(w http.ResponseWriter, r *http.Request) {
	c.page(w, r, nil, http.StatusOK, "login", c.loginPage(ownAddress(r.FormValue("to")), ""))
}

// loginPage is what the page shows on which somebody signs in.
func (c *Console) loginPage(to, why string) map[string]any {
	data := map[string]any{"Title": "Sign in", "To": to, "Why": why, "Tokens": len(c.Users) > 0}
	if c.People != nil {
		data["Begin"] = c.People.Begin(to)
	}
	return data
}

func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	from, to := web.CallerOf(r.Context()).Address, ownAddress(r.PostFormValue("to"))
	again := func(status int, why string) {
		c.page(w, r, nil, status, "login", c.loginPage(to, why))
	}
	if !c.sessions.mayTry(from) {
		again(http.StatusTooManyRequests, "There were too many wrong tokens. Wait a minute.")
		return
	}
	u, ok := c.userOf(strings.TrimSpace(r.PostFormValue("token")))
	if !ok {
		c.Log.Warn("a wrong token was shown at the console", "address", from.String())
		again(http.StatusForbidden, "This is nobody's token.")
		return
	}
	c.sessions.wasRight(from)
	c.sessions.end(r)
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: c.sessions.begin(u), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	c.Log.Info("signed in at the console", "user", u.Name)
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request, s *session) error {
	if s.signedIn {
		http.Redirect(w, r, "/auth/logout", http.StatusSeeOther) // which asks, and ends it everywhere
		return nil
	}
	c.sessions.end(r)
	http.SetCookie(w, &http.Cookie{Name: cookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1})
	http.Redirect(w, r, "/console/login", http.StatusSeeOther)
	return nil
}

// ownAddress is an address of the console, made anew of its parts; the first page for anything else.
func ownAddress(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(u.Path, "/console/") || strings.HasPrefix(u.Path, "/console/login") || strings.Contains(u.Path, "..") {
		return "/console/"
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}

func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
