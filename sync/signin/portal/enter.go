package portal

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
)

// code is what takes somebody from the central host to an application's, once.
type code struct {
	Session []byte `json:"session"` // key of the central one
	App     string `json:"app"`
	RD      string `json:"rd"`
	Bind    string `json:"bind"` // hash of the cookie that the browser got at the application's host
}

const codeLife = time.Minute

// begin is the first step at an application's host: this browser gets a cookie, without which nobody enters later. Else whoever is sent a link
// would be signed in as its sender.
func (p *Portal) begin(w http.ResponseWriter, r *http.Request, app *App) {
	to, ok := p.target(r.URL.Query().Get("rd"))
	if !ok || to.app != app {
		p.page(w, r, http.StatusBadRequest, "nowhere", nil)
		return
	}
	secret := random()
	bind := hashedText(secret)
	setCookie(w, bindPrefix+bind[:handleSize], secret, pendingLife)
	p.dropOldBindings(w, r)
	http.Redirect(w, r, p.central("start", url.Values{"rd": {to.url}, "b": {bind}}), http.StatusSeeOther)
}

// dropOldBindings keeps the number of cookies small. Browsers send the oldest first (RFC 6265, 5.4).
func (p *Portal) dropOldBindings(w http.ResponseWriter, r *http.Request) {
	var names []string
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, bindPrefix) {
			names = append(names, c.Name)
		}
	}
	for _, name := range names[:max(len(names)-mostPending+1, 0)] {
		dropCookie(w, name)
	}
}

// handOver takes somebody who is signed in at the central host to where they want to go.
func (p *Portal) handOver(w http.ResponseWriter, r *http.Request, key []byte, s *session, standing signin.Standing, begun *pending) {
	to, ok := p.target(begun.RD)
	if !ok {
		p.page(w, r, http.StatusBadRequest, "nowhere", nil)
		return
	}
	if to.app.Inside {
		p.goOn(w, r, to.url)
		return
	}
	if to.app.Product != nil || to.app.TokenURL != nil {
		p.handToken(w, r, to, key, s, standing, begun)
		return
	}
	if begun.Bind == "" { // begun at the provider, or by a bookmark
		p.goOn(w, r, to.app.at("begin", url.Values{"rd": {to.url}}))
		return
	}
	if !p.limits.allow("entry "+string(key)+string(hashed(to.url)), entriesPerSession) {
		p.page(w, r, http.StatusBadRequest, "circle", map[string]any{"Host": to.app.URL.Host})
		return
	}
	value, err := json.Marshal(code{key, to.app.Name, to.url, begun.Bind})
	if err != nil {
		p.fault(w, r, err)
		return
	}
	secret := random()
	if err := p.Items.Put(r.Context(), spaceCode, store.Item{Key: hashed(secret), Value: value, Until: p.Now().Add(codeLife)}); err != nil {
		p.fault(w, r, err)
		return
	}
	p.goOn(w, r, to.app.at("enter", url.Values{"code": {secret}}))
}

// enter is the last step at an application's host: the code becomes a cookie.
func (p *Portal) enter(w http.ResponseWriter, r *http.Request, app *App) {
	lost := func() {
		p.page(w, r, http.StatusBadRequest, "lost", map[string]any{"Host": app.URL.Host, "Attempt": newAttemptID()})
	}
	ctx := r.Context()
	item, ok, err := p.Items.Take(ctx, spaceCode, hashed(r.URL.Query().Get("code")))
	if err != nil {
		p.fault(w, r, err)
		return
	}
	var c code
	if !ok || !p.Now().Before(item.Until) || json.Unmarshal(item.Value, &c) != nil || c.App != app.Name || len(c.Bind) < handleSize {
		lost()
		return
	}
	bind, err := r.Cookie(bindPrefix + c.Bind[:handleSize])
	if err != nil || !same(hashedText(bind.Value), c.Bind) {
		lost()
		return
	}
	parent, err := p.loadSession(ctx, c.Session)
	if err != nil {
		p.fault(w, r, err)
		return
	}
	if parent == nil {
		lost()
		return
	}
	if err := p.keepVisit(ctx, app, c.Session, parent); err != nil {
		p.fault(w, r, err)
		return
	}
	secret := random()
	child := *parent
	child.Host, child.Parent, child.Created = app.URL.Host, c.Session, p.Now()
	if err := p.putSession(ctx, hashed(secret), &child); err != nil {
		p.fault(w, r, err)
		return
	}
	// Whoever signed out between the two has ended what was there then.
	if parent, err = p.loadSession(ctx, c.Session); err != nil || parent == nil {
		if err := errors.Join(err, p.end(ctx, hashed(secret), "signed out")); err != nil {
			p.fault(w, r, err)
			return
		}
		lost()
		return
	}
	dropCookie(w, bind.Name)
	setCookie(w, sessionCookie, secret, p.life(&child))
	http.Redirect(w, r, c.RD, http.StatusSeeOther)
}
