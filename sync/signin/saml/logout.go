package saml

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/crewjam/saml"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/signin"
)

// End makes a signed LogoutRequest; none without single_logout, or where the provider takes none.
func (p *Provider) End(ctx context.Context, s signin.Session) (to signin.To, err error) {
	defer fault.Recover("make a SAML log-out request", &err)
	if !p.cfg.SingleLogout || s.NameID == "" {
		return signin.To{}, nil
	}
	var id saml.NameID
	if err := xml.Unmarshal([]byte(s.NameID), &id); err != nil {
		return signin.To{}, fmt.Errorf("read the NameID of a session: %w", err)
	}
	i, err := p.idp(ctx)
	if err != nil {
		return signin.To{}, err
	}
	binding, location := p.way(func(b string) string { requests, _ := i.logout(b); return requests })
	if location == "" {
		return signin.To{}, nil
	}
	sp := p.service(i.entity, p.opts.Now())
	req, err := sp.MakeLogoutRequest(location, id.Value, saml.WithSessionIndex(s.Session), func(r *saml.LogoutRequest) { r.NameID = &id })
	if err != nil {
		return signin.To{}, err
	}
	if binding == saml.HTTPPostBinding {
		return form(location, "SAMLRequest", req.Element(), s.State)
	}
	return redirect(sp.RedirectLogoutRequestURL(req, s.State))
}

// EndRequest reads a LogoutRequest and makes the LogoutResponse, which says Success: whoever calls sends it after the sessions
// ended. It reads a LogoutResponse, too: one that says that sessions are left at the provider is a refusal.
func (p *Provider) EndRequest(ctx context.Context, values url.Values) (ended signin.Ended, reply signin.Reply, err error) {
	defer fault.Recover("read a SAML log-out message", &err)
	t := &trail{}
	if !p.cfg.SingleLogout {
		return ended, reply, t.refuse(signin.Malformed, "form", "a log-out", "single_logout: true takes it", "single_logout is off")
	}
	r, m, refusal := p.openLogout(t, values)
	if refusal != nil {
		return ended, reply, refusal
	}
	i, err := p.idp(ctx)
	if err != nil {
		return ended, reply, err
	}
	now := p.opts.Now()
	if m.name.Local == "LogoutResponse" {
		return ended, reply, p.answered(t, r, m, i, now)
	}
	req, err := p.logoutRequest(ctx, r, i, now)
	if errors.Is(err, saml.ErrUntrustedCertificate) || errors.Is(err, saml.ErrInvalidSignature) || isDetached(err) {
		// The query's signature names no certificate: a new key looks like a bad signature.
		if fresh := p.trust.hurry(ctx, i); fresh != i {
			i = fresh
			req, err = p.logoutRequest(ctx, r, i, now)
		}
	}
	var fault onceError
	if errors.As(err, &fault) {
		return ended, reply, fault.err
	}
	if err != nil {
		return ended, reply, p.explainLogout(t, err, m, i, now)
	}
	if req.NameID == nil || strings.TrimSpace(req.NameID.Value) == "" {
		return ended, reply, t.refuse(signin.Malformed, "name id", "none", "", "the request to end sessions names nobody")
	}
	ended.Subject = p.subject(req.NameID)
	for _, index := range req.AllSessionIndexes() {
		if index.Value != "" {
			ended.Sessions = append(ended.Sessions, index.Value)
		}
	}
	reply, err = p.logoutReply(i, req.ID, relayOf(values), now)
	return ended, reply, err
}

// openLogout makes a request of the form that the library can read, and looks at the message first.
func (p *Provider) openLogout(t *trail, values url.Values) (*http.Request, *message, *signin.Refusal) {
	query, byQuery := p.query(values)
	source := values
	if byQuery {
		parsed, err := url.ParseQuery(query)
		if err != nil {
			return nil, nil, t.refuse(signin.Malformed, "form", "a query that cannot be read", "", "the query cannot be read")
		}
		source = parsed
	}
	field := "SAMLRequest"
	if source.Has("SAMLResponse") {
		field = "SAMLResponse"
	}
	if len(source["SAMLRequest"])+len(source["SAMLResponse"]) != 1 || len(source["RelayState"]) > 1 || source.Has("SAMLart") {
		return nil, nil, t.refuse(signin.Malformed, "form", "not one message", "", "there is not exactly one SAMLRequest or SAMLResponse")
	}
	data, err := decode(source.Get(field))
	if err == nil && byQuery {
		data, err = inflate(data)
	}
	var m *message
	if err == nil {
		m, err = readMessage(data)
	}
	want := xml.Name{Space: nsProtocol, Local: strings.Replace(field, "SAML", "Logout", 1)}
	if err == nil && m.name != want {
		err = fmt.Errorf("it is no %s of SAML 2.0", want.Local)
	}
	if err != nil {
		return nil, nil, t.refuse(signin.Malformed, "xml", err.Error(), "", "the message cannot be read: %v", err)
	}
	t.ok("xml", fmt.Sprintf("%d bytes, no document type", len(data)))
	target := p.slo
	if byQuery {
		target.RawQuery = query
		return &http.Request{Method: http.MethodGet, URL: &target}, m, nil
	}
	body := url.Values{field: {strings.NewReplacer("\r", "", "\n", "", " ", "", "\t", "").Replace(source.Get(field))}}
	return &http.Request{Method: http.MethodPost, URL: &target, Form: body, PostForm: body}, m, nil
}

// query is the query of the redirect binding, and whether it is that binding at all.
func (p *Provider) query(values url.Values) (string, bool) {
	raw := values.Get(signin.RawQuery)
	if parsed, err := url.ParseQuery(raw); err == nil && (parsed.Has("SAMLRequest") || parsed.Has("SAMLResponse")) {
		return raw, true
	}
	if !values.Has("Signature") {
		return "", false
	}
	// Somebody called without the query. In this order, in the most common spelling, the signature may hold.
	var parts []string
	for _, name := range []string{"SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature"} {
		for _, v := range values[name] {
			parts = append(parts, name+"="+url.QueryEscape(v))
		}
	}
	return strings.Join(parts, "&"), true
}

func relayOf(values url.Values) string {
	if relay := values.Get("RelayState"); relay != "" {
		return relay
	}
	parsed, err := url.ParseQuery(values.Get(signin.RawQuery))
	if err != nil {
		return ""
	}
	return parsed.Get("RelayState")
}

func (p *Provider) logoutRequest(ctx context.Context, r *http.Request, i *idp, now time.Time) (*saml.LogoutRequest, error) {
	sp := p.service(i.entity, now)
	sp.ReplayCache = replay{ctx, p}
	return sp.ValidateLogoutRequest(r)
}

// replay is signin.Once as crewjam wants it, for one message.
type replay struct {
	ctx context.Context //nolint:containedctx // the library's interface has none
	p   *Provider
}

// onceError is a fault of ours, which the message is not to blame for.
type onceError struct{ err error }

func (e onceError) Error() string { return e.err.Error() }

func (r replay) Consume(id string, until time.Time) error {
	fresh, err := r.p.opts.Once.Once(r.ctx, r.p.onceKey("logout", id), until.Add(maxSkew))
	if err != nil {
		return onceError{fmt.Errorf("remember the log-out request: %w", err)}
	}
	if !fresh {
		return saml.ErrAssertionReplayed
	}
	return nil
}

// answered looks at the answer to a LogoutRequest of ours.
func (p *Provider) answered(t *trail, r *http.Request, m *message, i *idp, now time.Time) error {
	if !ourRequest.MatchString(m.inResponseTo) {
		return t.refuse(signin.NotBegunHere, "request", m.inResponseTo, "", "the answer is to no request of ours")
	}
	_, err := p.service(i.entity, now).ParseLogoutResponse(r, []string{m.inResponseTo})
	var bad saml.ErrBadStatus
	if err != nil && !errors.As(err, &bad) {
		return p.explainLogout(t, err, m, i, now)
	}
	if err == nil && innermost(m.codes) == saml.StatusSuccess {
		return nil
	}
	refusal := t.refuse(signin.ProviderError, "status", strings.Join(m.codes, " "), statusHint(m.codes), "the provider answers %s", strings.Join(m.codes, " "))
	refusal.Code = innermost(m.codes)
	return refusal
}

// detached is how crewjam begins, without a class, what it says of signatures in a query.
const detached = "cannot validate signature:"

func isDetached(err error) bool {
	var invalid *saml.InvalidResponseError
	return errors.As(err, &invalid) && strings.HasPrefix(invalid.PrivateErr.Error(), detached)
}

func (p *Provider) explainLogout(t *trail, err error, m *message, i *idp, now time.Time) *signin.Refusal {
	if isDetached(err) {
		if strings.Contains(dates(i, now), " ") && p.cfg.CertificateDates != "ignore" && len(i.keys) == 1 {
			return p.explain(t, saml.ErrCertificateNotValidNow, m, i, now)
		}
		return p.explain(t, fmt.Errorf("the signature of the query does not hold: %w", saml.ErrInvalidSignature), m, i, now)
	}
	return p.explain(t, err, m, i, now)
}

// logoutReply is sent to where the provider takes answers, which may be another place than the one for requests.
func (p *Provider) logoutReply(i *idp, request, relay string, now time.Time) (signin.Reply, error) {
	binding, location := p.way(func(b string) string { _, answers := i.logout(b); return answers })
	if location == "" {
		return signin.Reply{Status: http.StatusOK}, nil
	}
	// crewjam takes its address for redirects from the metadata, and there the one for requests.
	entity := *i.entity
	entity.IDPSSODescriptors = []saml.IDPSSODescriptor{{SSODescriptor: saml.SSODescriptor{
		SingleLogoutServices: []saml.Endpoint{{Binding: binding, Location: location}},
	}}}
	sp := p.service(&entity, now)
	if binding == saml.HTTPRedirectBinding {
		to, err := redirect(sp.MakeRedirectLogoutResponse(request, relay))
		return signin.Reply{To: to}, err
	}
	answer, err := sp.MakeLogoutResponse(location, request)
	if err != nil {
		return signin.Reply{}, err
	}
	to, err := form(location, "SAMLResponse", answer.Element(), relay)
	return signin.Reply{To: to}, err
}
