package portal

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/web"
)

// formToken proves that a form comes from a page of ours that was shown to this session.
func (p *Portal) formToken(what string, key []byte) string {
	m := hmac.New(sha256.New, p.seal.key[:])
	m.Write([]byte(what))
	m.Write([]byte{0})
	m.Write(key)
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// askLogout shows the question; at an application's host it leads to the central one.
func (p *Portal) askLogout(w http.ResponseWriter, r *http.Request) {
	host := web.CallerOf(r.Context()).Host
	if p.appAt(host) != nil {
		http.Redirect(w, r, p.central("logout", nil), http.StatusSeeOther)
		return
	}
	if !strings.EqualFold(host, p.URL.Host) {
		http.NotFound(w, r)
		return
	}
	key, s, _, err := p.present(r.Context(), r, "")
	switch {
	case err != nil:
		p.fault(w, r, err)
	case s == nil:
		p.page(w, r, http.StatusOK, "out", nil)
	default:
		p.page(w, r, http.StatusOK, "logout", map[string]any{"Token": p.formToken("logout", key)})
	}
}

// logout ends the session, those at applications that came of it, and with SingleLogout the provider's.
func (p *Portal) logout(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	key, s, _, err := p.present(ctx, r, "")
	if err != nil {
		p.fault(w, r, err)
		return
	}
	if s != nil {
		if !same(r.PostFormValue("token"), p.formToken("logout", key)) {
			p.page(w, r, http.StatusForbidden, "logout", map[string]any{"Token": p.formToken("logout", key)})
			return
		}
		if err := p.endFamily(ctx, key, s.Owner, "signed out"); err != nil {
			p.fault(w, r, err)
			return
		}
	}
	dropCookie(w, sessionCookie)
	again(w)
	if s != nil {
		if provider := p.provider(s.Provider); provider != nil && provider.SingleLogout {
			to, err := provider.End(ctx, signin.Session{Subject: s.Subject, NameID: s.NameID, Session: s.Said, LoginHint: s.LoginHint, State: random()})
			if err == nil && to.Form != nil {
				p.post(w, r, to)
				return
			}
			if err == nil && to.URL != "" {
				p.goOn(w, r, to.URL)
				return
			}
			if err != nil {
				p.Log.Warn("the provider's session could not be ended", "provider", s.Provider, "attempt", s.Attempt, "err", err)
			}
		}
		p.page(w, r, http.StatusOK, "out", map[string]any{"Provider": s.Provider})
		return
	}
	p.page(w, r, http.StatusOK, "out", nil)
}

// endRequest is where a provider says that somebody has signed out there, or answers to that a request of ours.
func (p *Portal) endRequest(w http.ResponseWriter, r *http.Request) {
	provider := p.provider(r.PathValue("provider"))
	if provider == nil {
		http.NotFound(w, r)
		return
	}
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	r.Form.Set(signin.RawQuery, r.URL.RawQuery)
	ended, reply, err := provider.EndRequest(r.Context(), r.Form)
	if err != nil {
		p.record(Attempt{ID: newAttemptID(), At: p.Now(), Provider: provider.Name}, err)
		http.Error(w, "the request to sign out is not good", http.StatusBadRequest)
		return
	}
	if err := p.endSaid(r, provider, ended); err != nil {
		p.Log.Error("sessions could not be ended", "provider", provider.Name, "err", err)
		http.Error(w, "sessions could not be ended", http.StatusServiceUnavailable)
		return
	}
	switch {
	case reply.To.URL != "":
		p.to(w, r, reply.To)
	case reply.Status == 0: // the answer to a request of ours
		p.page(w, r, http.StatusOK, "out", nil)
	default:
		w.WriteHeader(reply.Status)
	}
}

// endSaid ends the sessions that a provider names; one that nobody has is ended already.
func (p *Portal) endSaid(r *http.Request, provider *Named, ended signin.Ended) error {
	var by [][]byte
	for _, said := range ended.Sessions {
		keys := saidKeys(provider.Name, ended.Subject, said)
		by = append(by, keys[len(keys)-1])
	}
	if len(by) == 0 && ended.Subject.Value != "" {
		by = saidKeys(provider.Name, ended.Subject, "")
	}
	for _, one := range by {
		if err := p.endOf(r.Context(), one, ended.Subject, "signed out at the provider"); err != nil {
			return err
		}
	}
	return nil
}

// endOf ends the sessions of an owner, and those at applications that came of them. Where the provider names the person, only theirs: it may call the
// sessions of several people the same (SAML core 2.7.2 asks for that). A person whom it names in another way than at sign-in is known by a session
// that only one has.
func (p *Portal) endOf(ctx context.Context, owner []byte, of signin.Subject, why string) error {
	type one struct {
		key []byte
		session
	}
	var list []one
	err := p.Items.Scan(ctx, spaceSession, owner, func(i store.Item) bool {
		s := one{key: i.Key}
		if !p.unreadable(ctx, spaceSession, i.Key, json.Unmarshal(i.Value, &s.session)) {
			list = append(list, s)
		}
		return true
	})
	if err != nil {
		return err
	}
	theirs := slices.DeleteFunc(slices.Clone(list), func(s one) bool { return s.Subject.Realm != of.Realm || s.Subject.Value != of.Value })
	several := slices.ContainsFunc(list, func(s one) bool { return s.Owner != list[0].Owner })
	if of.Value != "" && (len(theirs) > 0 || several) {
		list = theirs
	}
	for _, s := range list {
		err = errors.Join(err, p.endFamily(ctx, s.key, s.Owner, why))
	}
	return err
}

// metadata shows what the provider must know of us.
func (p *Portal) metadata(w http.ResponseWriter, r *http.Request) {
	provider := p.provider(r.PathValue("provider"))
	if provider == nil {
		http.NotFound(w, r)
		return
	}
	m, ok := provider.Provider.(signin.Registered)
	if !ok || !provider.SAML {
		http.NotFound(w, r)
		return
	}
	data, err := m.Metadata()
	if err != nil {
		p.fault(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml")
	_, _ = w.Write(data)
}
