package portal

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/signin"
	"dirsyncd/sync/web"
)

// callback is where a provider of OpenID Connect sends the browser back.
func (p *Portal) callback(w http.ResponseWriter, r *http.Request) {
	provider := p.provider(r.PathValue("provider"))
	if provider == nil || provider.SAML {
		http.NotFound(w, r)
		return
	}
	q := r.URL.Query()
	try := Attempt{ID: newAttemptID(), At: p.Now(), Provider: provider.Name}
	state := q.Get("state")
	begun, refusal := p.takePending(w, r, provider.Name, handle(state))
	if begun != nil {
		try.ID = begun.Attempt
	}
	if refusal == nil && !same(begun.Own.State, state) {
		refusal = &signin.Refusal{Reason: signin.NotBegunHere, Text: "the state is another one than this browser was given", Hint: "begin anew at the application"}
	}
	if refusal != nil {
		if p.signedInAlready(w, r) {
			return
		}
		p.refuse(w, r, try, refusal)
		return
	}
	began := p.Now()
	assertion, err := provider.Finish(r.Context(), q, &begun.Own)
	p.took(provider.Name, stepFinish, began)
	if errors.As(err, &refusal) && refusal.Restart != nil {
		p.send(w, r, provider, begun, *refusal.Restart)
		return
	}
	if err != nil {
		p.refuse(w, r, try, err)
		return
	}
	p.admit(w, r, provider, begun, try, assertion)
}

func handle(state string) string {
	if len(state) < handleSize {
		return ""
	}
	return state[:handleSize]
}

// signedInAlready helps a tab that was reloaded: with a session there is no reason to complain.
func (p *Portal) signedInAlready(w http.ResponseWriter, r *http.Request) bool {
	_, s, _, err := p.present(r.Context(), r, "")
	if err != nil || s == nil {
		return false
	}
	http.Redirect(w, r, p.central("", nil)+"/", http.StatusSeeOther)
	return true
}

// outcome is what an assertion consumer has verified, until the browser comes to fetch it: the POST of another site comes without our cookies.
type outcome struct {
	Attempt   Attempt
	Relay     string // what came as RelayState: a handle of ours, or where the provider wants people to go
	Assertion signin.Assertion
}

const outcomeLife = time.Minute

// consume is the assertion consumer of SAML. It checks what came, and writes only what is signed.
func (p *Portal) consume(w http.ResponseWriter, r *http.Request) {
	provider := p.provider(r.PathValue("provider"))
	if provider == nil || !provider.SAML {
		http.NotFound(w, r)
		return
	}
	if !p.limits.allow("answer "+provider.Name, answersPerProvider) {
		p.page(w, r, http.StatusTooManyRequests, "busy", nil)
		return
	}
	try := Attempt{ID: newAttemptID(), At: p.Now(), Provider: provider.Name}
	if err := r.ParseForm(); err != nil {
		p.refuse(w, r, try, &signin.Refusal{Reason: signin.Malformed, Text: "the form cannot be read", Hint: "this is for whoever runs the provider"})
		return
	}
	assertion, err := provider.Finish(r.Context(), r.PostForm, nil)
	p.took(provider.Name, stepFinish, try.At)
	var refusal *signin.Refusal
	if errors.As(err, &refusal) && refusal.Restart != nil {
		relay := r.PostForm.Get("RelayState")
		if isRestarted(relay) { // without an end
			p.refuse(w, r, try, goesRound(refusal.Checks))
			return
		}
		// Its cookies, which come along with what follows, say whether this browser goes round.
		http.Redirect(w, r, p.central("saml/"+provider.Name+"/again", url.Values{"relay": {carried(relay)}}), http.StatusSeeOther)
		return
	}
	if err != nil {
		p.refuse(w, r, try, err)
		return
	}
	relay := carried(r.PostForm.Get("RelayState"))
	h, err := p.putOutcome(r.Context(), &outcome{try, relay, *assertion})
	if err != nil {
		p.fault(w, r, err)
		return
	}
	http.Redirect(w, r, p.central("saml/"+provider.Name+"/done", url.Values{"h": {h}}), http.StatusSeeOther)
}

// carried is what is carried along of a RelayState.
func carried(relay string) string {
	if len(relay) > longestAddress {
		return ""
	}
	return relay
}

func goesRound(checks []signin.Check) *signin.Refusal {
	return &signin.Refusal{Reason: signin.NotBegunHere, Text: "the provider answers a request of ours, and does not say so (InResponseTo)",
		Hint: "let the provider answer requests of a service provider; it must set InResponseTo", Checks: checks}
}

// mostRestarts is how many sign-ins of one browser may be under way, within restartsWithin, that were begun in the place of an answer that nobody
// asked for. A provider that says neither what it answers nor gives RelayState back sends a browser round in a second or two; a person who
// comes by a tile again takes longer, or has come in.
const (
	mostRestarts   = 3
	restartsWithin = time.Minute
)

// beginAgain begins anew in the place of an answer that nobody asked for, and that was thrown away.
func (p *Portal) beginAgain(w http.ResponseWriter, r *http.Request) {
	provider := p.provider(r.PathValue("provider"))
	if provider == nil || !provider.SAML {
		http.NotFound(w, r)
		return
	}
	rounds := 0
	for _, c := range r.Cookies() {
		var had pending
		if strings.HasPrefix(c.Name, pendingPrefix+restart) && p.seal.open(c.Name, c.Value, &had) == nil && had.Provider == provider.Name && p.Now().Sub(had.Own.At) < restartsWithin {
			rounds++
		}
	}
	if rounds >= mostRestarts {
		p.refuse(w, r, Attempt{ID: newAttemptID(), At: p.Now(), Provider: provider.Name}, goesRound(nil))
		return
	}
	p.beginAnywhere(w, r, provider, r.URL.Query().Get("relay"), signin.Start{State: restarted()})
}

// restart is how the state of a sign-in begins that was begun in the place of an answer that nobody asked for. Its handle travels as RelayState:
// with the answer itself the browser's cookies do not come along.
const restart = "r-"

func restarted() string { return restart + random()[len(restart):] }

func isRestarted(relay string) bool {
	return len(relay) == handleSize && strings.HasPrefix(relay, restart)
}

// done is where the browser goes on after the consumer, with its cookies.
func (p *Portal) done(w http.ResponseWriter, r *http.Request) {
	provider := p.provider(r.PathValue("provider"))
	if provider == nil || !provider.SAML {
		http.NotFound(w, r)
		return
	}
	came := p.takeOutcome(w, r, provider, r.URL.Query().Get("h"))
	if came == nil {
		return
	}
	if came.Assertion.Request == "" { // begun at the provider, which takes these as they come
		p.askToAccept(w, r, provider, came)
		return
	}
	begun, refusal := p.takePending(w, r, provider.Name, handle(came.Relay))
	if refusal == nil && !same(begun.Own.Request, came.Assertion.Request) {
		refusal = &signin.Refusal{Reason: signin.NotBegunHere, Text: "the answer is to another request than this browser made", Hint: "begin anew at the application", Checks: came.Assertion.Checks}
	}
	if refusal != nil {
		p.refuse(w, r, came.Attempt, refusal)
		return
	}
	came.Attempt.ID = begun.Attempt
	p.admit(w, r, provider, begun, came.Attempt, &came.Assertion)
}

// admit finds out who somebody is, makes a session and hands over to the application.
func (p *Portal) admit(w http.ResponseWriter, r *http.Request, provider *Named, begun *pending, try Attempt, a *signin.Assertion) {
	ctx := r.Context()
	try.Checks = a.Checks
	try.Claims = make(map[string]int, len(a.Claims))
	for name, values := range a.Claims {
		try.Claims[name] = len(values)
	}
	to, ok := p.target(begun.RD)
	if !ok || !to.app.admits(provider.Name) { // the configuration has changed meanwhile
		p.page(w, r, http.StatusBadRequest, "nowhere", nil)
		return
	}
	try.App = to.app.Name
	required, err := provider.Policy.Required(a, p.Now())
	if err != nil {
		p.refuse(w, r, try, err)
		return
	}
	try.Checks = append(slices.Clone(try.Checks), required...)
	began := p.Now()
	decided, err := provider.Policy.Who(ctx, p.People, p, a)
	p.took(provider.Name, stepWho, began)
	try.Owner, try.By = decided.Owner, decided.By
	if err == nil {
		try.Checks = append(try.Checks, decided.Checks...)
		if !to.app.Admission.Admits(decided.Standing.Kinds) {
			err = &signin.Refusal{Reason: signin.WrongAudience, Text: "the application is for " + string(to.app.Admission) + " only", Hint: "`audience` of the application says who may come in"}
		}
	}
	if err == nil && !p.limits.allow("person "+string(ownerKey(decided.Owner)), signInsPerPerson) {
		err = &signin.Refusal{Reason: signin.RateLimited, Text: "the person has signed in very often within a minute", Hint: "a client that keeps no cookies asks again and again"}
	}
	if err != nil {
		p.refuse(w, r, try, err)
		return
	}
	began = p.Now()
	cookie := random()
	key := hashed(cookie)
	s := &session{
		Owner: decided.Owner, Provider: provider.Name, Subject: a.Subject, Said: a.Session, NameID: a.NameID, LoginHint: a.LoginHint,
		Context: a.Context, Methods: a.Methods, Attempt: try.ID, At: a.At, Created: p.Now(), Ends: p.ends(a.Until, begun.Keep), Keep: begun.Keep,
	}
	if err := p.putSession(ctx, key, s); err != nil {
		p.fault(w, r, err)
		return
	}
	// What this browser had before is not taken over: whoever planted it would be signed in, too.
	for _, former := range cookieKeys(r) {
		if err := p.supersede(ctx, former, key, s); err != nil {
			p.fault(w, r, err)
			return
		}
	}
	p.took(provider.Name, stepSession, began)
	setCookie(w, sessionCookie, cookie, p.life(s))
	dropCookie(w, againCookie)
	p.record(try, nil)
	p.handOver(w, r, key, s, decided.Standing, begun)
}

// refuse tells the person that they are not in, and the operator why.
func (p *Portal) refuse(w http.ResponseWriter, r *http.Request, try Attempt, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // the browser has left
	}
	p.record(try, err)
	var refusal *signin.Refusal
	if !errors.As(err, &refusal) {
		p.page(w, r, http.StatusInternalServerError, "broken", map[string]any{"Attempt": try.ID})
		return
	}
	data := map[string]any{"Attempt": try.ID, "Provider": try.Provider, "App": try.App}
	if isCode(refusal.Code) {
		data["Code"] = refusal.Code
	}
	if n := p.provider(try.Provider); n != nil && n.Button != "" {
		data["Provider"] = n.Host
	}
	switch refusal.Reason {
	case signin.UnknownPerson, signin.Ambiguous, signin.Disabled, signin.Gone, signin.NoRecord, signin.WrongAudience, signin.TenantNotAllowed, signin.DomainNotAllowed,
		signin.MailNotVerified, signin.ClaimRefused, signin.Requirement, signin.NotCreated:
		// One text for all: nobody learns whether an account is known.
		p.page(w, r, http.StatusForbidden, "refused", data)
	case signin.NotBegunHere, signin.TooLate, signin.UsedAlready:
		data["Host"] = web.CallerOf(r.Context()).Host
		p.page(w, r, http.StatusBadRequest, "lost", data)
	case signin.Held:
		p.page(w, r, http.StatusForbidden, "held", data)
	case signin.RateLimited:
		p.page(w, r, http.StatusTooManyRequests, "busy", data)
	default:
		p.page(w, r, http.StatusBadGateway, "failed", data)
	}
}

// isCode reports whether a text is a code and no message to the reader: whoever sends a browser here may have written it.
func isCode(s string) bool {
	return len(s) <= 100 && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789:._-") == ""
}

// fault answers when something of ours does not work: nobody is let in or out by it.
func (p *Portal) fault(w http.ResponseWriter, r *http.Request, err error) {
	id := newAttemptID()
	p.Log.Error("a sign-in could not be answered", "attempt", id, "err", err)
	p.page(w, r, http.StatusServiceUnavailable, "broken", map[string]any{"Attempt": id})
}
