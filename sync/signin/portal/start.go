package portal

import (
	"net/http"
	"net/url"
	"time"

	"dirsyncd/sync/signin"
)

// start begins a sign-in at the central host: with a session it goes straight on, else to a provider or to the page that lists them.
// An application that takes tokens is named by app, with a path and a nonce.
func (p *Portal) start(w http.ResponseWriter, r *http.Request) {
	p.startWith(w, r, r.URL.Query())
}

// startedByApp is the address that an application has for people who are to sign in, where it adds parameters of its own: return_to, or nonce and
// state. Nothing of it is believed but where to go, which is at the application.
func (p *Portal) startedByApp(w http.ResponseWriter, r *http.Request) {
	app := p.appNamed(r.PathValue("app"))
	if app == nil {
		http.NotFound(w, r)
		return
	}
	said, q := r.URL.Query(), url.Values{"rd": {app.URL.JoinPath("/").String()}}
	if to, ok := p.target(said.Get("return_to")); ok && to.app == app {
		q.Set("rd", to.url)
	}
	for _, carried := range []string{"nonce", "state"} {
		q.Set(carried, said.Get(carried))
	}
	p.startWith(w, r, q)
}

func (p *Portal) startWith(w http.ResponseWriter, r *http.Request, q url.Values) {
	begin := pending{Bind: q.Get("b"), Nonce: q.Get("nonce"), State: q.Get("state"), Keep: p.wantsToStay(r)}
	to, ok := p.wanted(q)
	if !ok || len(begin.Bind) > longestBind || len(begin.Nonce) > longestBind || len(begin.State) > longestState {
		p.page(w, r, http.StatusBadRequest, "nowhere", nil)
		return
	}
	begin.RD = to.url
	key, s, standing, err := p.present(r.Context(), r, "")
	if err != nil {
		p.fault(w, r, err)
		return
	}
	if s != nil && p.admitted(to.app, s, standing) {
		p.handOver(w, r, key, s, standing, &begin)
		return
	}
	name := q.Get("p")
	if name == "" && len(to.app.Providers) == 1 && to.app.Auto {
		name = to.app.Providers[0]
	}
	if name == "" {
		p.choose(w, r, to, q, begin.Keep)
		return
	}
	provider := p.provider(name)
	if provider == nil || !to.app.admits(name) {
		p.page(w, r, http.StatusBadRequest, "nowhere", nil)
		return
	}
	p.send(w, r, provider, &begin, signin.Start{SignUp: q.Get("new") != ""})
}

// wantsToStay reports whether the person chose on our own page to stay signed in on this device: a link of somebody else chooses nothing.
func (p *Portal) wantsToStay(r *http.Request) bool {
	return p.Remember > 0 && r.URL.Query().Get("keep") != "" && r.Header.Get("Sec-Fetch-Site") == "same-origin"
}

// longestBind and longestState are the lengths of what is carried along: a state is the application's own, and may be sealed.
const (
	longestBind  = 512
	longestState = 1024
)

// wanted returns where somebody wants to go.
func (p *Portal) wanted(q url.Values) (target, bool) {
	if name := q.Get("app"); name != "" {
		app := p.appNamed(name)
		if app == nil {
			return target{}, false
		}
		path := q.Get("rd")
		if path == "" || path[0] != '/' {
			path = "/" + path
		}
		return p.target("https://" + app.URL.Host + path)
	}
	return p.target(q.Get("rd"))
}

// choose is the page with a link for each provider. Links, not forms: under `form-action 'self'` Chromium stops a form whose answer leads to
// another host.
func (p *Portal) choose(w http.ResponseWriter, r *http.Request, to target, q url.Values, keep bool) {
	type choice struct{ Text, Host, Link string }
	link := func(provider string, keep bool) string {
		next := url.Values{"rd": {to.url}}
		for name, v := range map[string]string{"p": provider, "b": q.Get("b"), "nonce": q.Get("nonce"), "state": q.Get("state")} {
			if v != "" {
				next.Set(name, v)
			}
		}
		if keep {
			next.Set("keep", "1")
		}
		return "/auth/start?" + next.Encode()
	}
	var list []choice
	for _, name := range to.app.Providers {
		if n := p.provider(name); n != nil {
			text := n.Button
			if text == "" {
				text = n.Name
			}
			list = append(list, choice{text, n.Host, link(name, keep)})
		}
	}
	data := map[string]any{"App": to.app.Name, "Choices": list}
	if p.Remember > 0 {
		data["Days"], data["Keep"], data["Other"] = int(p.Remember/(24*time.Hour)), keep, link("", !keep)
	}
	p.page(w, r, http.StatusOK, "choose", data)
}

// send sends the browser to a provider.
func (p *Portal) send(w http.ResponseWriter, r *http.Request, provider *Named, begin *pending, s signin.Start) {
	begin.Attempt, begin.Provider = newAttemptID(), provider.Name
	if s.State == "" {
		s.State = random()
	}
	if _, err := r.Cookie(againCookie); err == nil {
		s.Again = true // who has just signed out is not signed in again without a question
	}
	began := p.Now()
	to, own, err := provider.Begin(r.Context(), s)
	p.took(provider.Name, stepBegin, began)
	if err != nil {
		p.refuse(w, r, Attempt{ID: begin.Attempt, At: p.Now(), Provider: provider.Name}, err)
		return
	}
	own.State, own.At = s.State, p.Now()
	begin.Own = own
	if err := p.keepPending(w, r, begin); err != nil {
		p.fault(w, r, err)
		return
	}
	p.to(w, r, to)
}

// to sends the browser on, by a redirect or by a form that posts itself.
func (p *Portal) to(w http.ResponseWriter, r *http.Request, to signin.To) {
	if to.Form == nil {
		http.Redirect(w, r, to.URL, http.StatusSeeOther)
		return
	}
	p.post(w, r, to)
}

// startedByPortal is where a provider's own list of applications leads (OpenID Connect Core, section 4). Nothing of it is believed but
// where to go.
func (p *Portal) startedByPortal(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("provider")
	provider := p.provider(name)
	if provider == nil {
		http.NotFound(w, r)
		return
	}
	i, ok := provider.Provider.(signin.Initiator)
	if !ok {
		http.NotFound(w, r)
		return
	}
	begin, where, err := i.Initiated(r.Context(), r.URL.Query())
	if err != nil {
		p.refuse(w, r, Attempt{ID: newAttemptID(), At: p.Now(), Provider: provider.Name}, err)
		return
	}
	begin.State = ""
	p.beginAnywhere(w, r, provider, where, begin)
}

// beginAnywhere begins at a provider for the application that is named, or the first that takes its people.
func (p *Portal) beginAnywhere(w http.ResponseWriter, r *http.Request, provider *Named, where string, s signin.Start) {
	to, ok := p.anywhere(provider, where)
	if !ok {
		p.page(w, r, http.StatusBadRequest, "nowhere", nil)
		return
	}
	if len(s.LoginHint) > longestBind {
		s.LoginHint = ""
	}
	p.send(w, r, provider, &pending{RD: to.url}, s)
}

// anywhere is the application that is named, or the first that takes people of the provider.
func (p *Portal) anywhere(provider *Named, where string) (target, bool) {
	if to, ok := p.target(where); ok && to.app.admits(provider.Name) {
		return to, true
	}
	for i := range p.Apps {
		if p.Apps[i].admits(provider.Name) && !p.Apps[i].Inside {
			return target{&p.Apps[i], p.Apps[i].URL.JoinPath("/").String()}, true
		}
	}
	return target{}, false
}

// home lists the applications.
func (p *Portal) home(w http.ResponseWriter, r *http.Request) {
	type choice struct{ Text, Host, Link string }
	list := make([]choice, len(p.Apps))
	for i := range p.Apps {
		list[i] = choice{p.Apps[i].Name, p.Apps[i].URL.Host, p.Apps[i].URL.JoinPath("/").String()}
	}
	p.page(w, r, http.StatusOK, "home", map[string]any{"Choices": list})
}

// again makes the next sign-in ask, for ten minutes.
func again(w http.ResponseWriter) { setCookie(w, againCookie, "1", againLife) }

// ends is when a session runs out.
func (p *Portal) ends(until time.Time, keep bool) time.Time {
	end := p.Now().Add(p.Lifetime)
	if keep {
		end = p.Now().Add(p.Remember)
	}
	if !until.IsZero() && until.Before(end) {
		return until
	}
	return end
}
