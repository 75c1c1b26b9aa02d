package portal

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"dirsyncd/sync/signin"
	"dirsyncd/sync/web"
)

// proxy is the way in which a kind of reverse proxy asks. There are two addresses with one family of headers each and nothing between
// them: each proxy passes a client's headers of the other family on.
type proxy struct {
	original func(h http.Header) (address, method string)
	// redirects: an answer that is no 2xx reaches the client as it is. nginx knows 401 and 403 only, and takes all else for a fault.
	redirects bool
}

// verifyNginx answers auth_request of nginx.
func (p *Portal) verifyNginx(w http.ResponseWriter, r *http.Request) {
	p.verify(w, r, proxy{original: func(h http.Header) (address, method string) {
		return only(h, "X-Original-Url"), only(h, "X-Original-Method")
	}})
}

// verifyForward answers forward_auth of Caddy and forwardAuth of Traefik.
func (p *Portal) verifyForward(w http.ResponseWriter, r *http.Request) {
	p.verify(w, r, proxy{redirects: true, original: func(h http.Header) (address, method string) {
		return only(h, "X-Forwarded-Proto") + "://" + only(h, "X-Forwarded-Host") + only(h, "X-Forwarded-Uri"), only(h, "X-Forwarded-Method")
	}})
}

// only returns the value of a header that is there once.
func only(h http.Header, name string) string {
	if v := h.Values(name); len(v) == 1 {
		return v[0]
	}
	return ""
}

// verify tells a proxy whether a request may pass, and whose it is. The query of this request itself means nothing: Caddy may append the client's.
func (p *Portal) verify(w http.ResponseWriter, r *http.Request, by proxy) {
	if !web.CallerOf(r.Context()).Proxied {
		http.NotFound(w, r)
		return
	}
	began, answer, to := p.Now(), answerForbidden, target{}
	defer func() {
		app := ""
		if to.app != nil {
			app = to.app.Name
		}
		p.Metrics.Verified(app, answer, p.Now().Sub(began))
	}()
	address, method := by.original(r.Header)
	to, ok := p.target(address)
	if !ok || to.app.Inside {
		http.Error(w, "no application has this address", http.StatusForbidden)
		return
	}
	who, err := p.whose(r, to.app)
	switch {
	case err != nil:
		answer = answerBroken
		p.Log.Error("a request could not be verified", "app", to.app.Name, "err", err)
		if by.redirects {
			http.Error(w, "sign-in cannot be asked", http.StatusServiceUnavailable)
		} else {
			http.Error(w, "sign-in cannot be asked", http.StatusForbidden)
		}
	case who == nil:
		answer = answerSignIn
		p.askToSignIn(w, r, by, to, method)
	case !who.admitted:
		http.Error(w, "this account has no access here", http.StatusForbidden)
	default:
		answer = answerIn
		h := w.Header()
		for _, one := range who.headers { // blank ones, too: Caddy copies a placeholder's text for one that is not there
			h[one.name] = []string{one.value}
		}
		w.WriteHeader(http.StatusOK)
	}
}

// askToSignIn answers who has no session. Only a browser that shows a page is sent away: what a script fetches would fail without a reason.
func (p *Portal) askToSignIn(w http.ResponseWriter, r *http.Request, by proxy, to target, method string) {
	status := http.StatusUnauthorized
	if navigates(r.Header, method) {
		w.Header().Set("Location", to.app.at("begin", url.Values{"rd": {to.url}}))
		if by.redirects {
			status = http.StatusFound
		}
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"error":"login_required"}` + "\n"))
		return
	}
	w.WriteHeader(status)
}

// navigates reports whether a browser asks for a page to be shown (Fetch Metadata; without it, by what is accepted).
func navigates(h http.Header, method string) bool {
	if method != http.MethodGet && method != http.MethodHead {
		return false
	}
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate" && h.Get("Sec-Fetch-Dest") == "document"
	}
	return strings.Contains(h.Get("Accept"), "text/html")
}

// identity is what a proxy is told.
type identity struct {
	admitted bool
	headers  []header
	until    time.Time // when it has to be asked anew
	host     string
}

type header struct{ name, value string }

// freshFor is how long an answer about a session counts: whoever is disabled is out so long after that is stored.
const freshFor = 30 * time.Second

// fresh holds the answers of the last half minute, by the key of the session.
type fresh struct {
	mu    sync.Mutex
	list  map[string]*identity
	ended uint64 // how many sessions have ended
}

const mostFresh = 100_000

func newFresh() *fresh { return &fresh{list: make(map[string]*identity)} }

func (f *fresh) get(key []byte, now time.Time) *identity {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := f.list[string(key)]; i != nil && now.Before(i.until) {
		return i
	}
	return nil
}

// ends returns how many sessions have ended so far, which put wants to know.
func (f *fresh) ends() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended
}

// put keeps an answer, unless a session has ended since ends was asked: it may be this one.
func (f *fresh) put(key []byte, i *identity, ends uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended != ends {
		return
	}
	if len(f.list) >= mostFresh {
		clear(f.list)
	}
	f.list[string(key)] = i
}

func (f *fresh) forget(key []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended++
	delete(f.list, string(key))
}

// whose returns whose request it is; nil for nobody's.
func (p *Portal) whose(r *http.Request, app *App) (*identity, error) {
	now, ends := p.Now(), p.fresh.ends()
	for _, key := range cookieKeys(r) {
		if i := p.fresh.get(key, now); i != nil && i.host == app.URL.Host {
			return i, nil
		}
	}
	key, s, standing, err := p.present(r.Context(), r, app.URL.Host)
	if err != nil || s == nil {
		return nil, err
	}
	i := &identity{until: now.Add(freshFor), host: app.URL.Host, admitted: p.admitted(app, s, standing)}
	if s.Ends.Before(i.until) {
		i.until = s.Ends
	}
	if i.admitted {
		token, err := p.token(app, s, standing, "")
		if err != nil {
			return nil, err
		}
		i.headers = app.headers(s, standing, token)
	}
	p.fresh.put(key, i, ends)
	return i, nil
}

// tokenHeader has the proof; the others are a convenience.
const tokenHeader = "X-Dirsyncd-Token"

// mostHeaders is the size of all headers together: nginx takes an answer with more than 4 KiB of headers for a fault.
const mostHeaders = 3000

func (a *App) headers(s *session, standing signin.Standing, token string) []header {
	name := func(own, usual string) string {
		if own == "" {
			return usual
		}
		return http.CanonicalHeaderKey(own)
	}
	groups := strings.Join(groupsOf(standing), ", ")
	list := []header{
		{name(a.Headers.User, "Remote-User"), s.Owner.Record},
		{name(a.Headers.Email, "Remote-Email"), standing.Fields["email"]},
		{name(a.Headers.Name, "Remote-Name"), standing.Fields["name"]},
		{tokenHeader, token},
		{name(a.Headers.Groups, "Remote-Groups"), groups},
	}
	left := mostHeaders
	for i := range list {
		list[i].value = headerText(list[i].value)
		if left -= len(list[i].name) + len(list[i].value); left < 0 {
			list[i].value = "" // never a part of it
		}
	}
	return list
}

func groupsOf(standing signin.Standing) (list []string) {
	for _, f := range []string{"role", "roles", "team", "teams"} {
		if v := standing.Fields[f]; v != "" {
			list = append(list, v)
		}
	}
	return list
}

// headerText leaves out what would end a header.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}
