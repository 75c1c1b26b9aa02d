package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"dirsyncd/sync/signin"
)

// Probe fetches what the provider publishes, says who we are at its token endpoint, and lists what must be registered there.
func (p *Provider) Probe(ctx context.Context) ([]signin.Finding, error) {
	var all []signin.Finding
	for _, at := range p.preset.all() {
		found, err := p.probe(ctx, p.site(at))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	for _, e := range p.ends() {
		all = append(all, e.Finding(p.o.Now()))
	}
	for _, a := range []struct{ what, address string }{
		{"redirect address", p.o.Callback}, {"address after signing out", p.o.SignedOut},
		{"logout address, front and back channel", p.o.Logout}, {"address that begins a sign-in (initiate_login_uri)", p.o.Login},
	} {
		if a.address != "" {
			all = append(all, signin.Finding{OK: true, Text: "to register at the provider: " + a.what + " " + a.address})
		}
	}
	return all, nil
}

// probe looks at one authority.
func (p *Provider) probe(ctx context.Context, s *site) ([]signin.Finding, error) {
	d, err := s.doc.anew(ctx)
	if err != nil {
		return failed(ctx, err)
	}
	found := []signin.Finding{{OK: true, Text: "discovery: " + s.at.discovery + ", issuer " + d.Issuer}}
	if ahead, ok, _ := s.ahead(); ok {
		f := signin.Finding{OK: ahead.Abs() <= skew, Text: fmt.Sprintf("clock: the provider's is %s ahead of ours", ahead)}
		if !f.OK {
			f.Hint = "set the clock (NTP): tokens are refused when it differs by more than 2 minutes"
		}
		found = append(found, f)
	}
	if s.at.frame == "" {
		more, err := p.probeKeys(ctx, s, d)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	if len(d.Challenges) > 0 && !slices.Contains(d.Challenges, "S256") {
		found = append(found, signin.Finding{Text: "the provider does not list PKCE with S256", Hint: "it is sent all the same; see whether a sign-in works"})
	}
	auth, err := p.probeClient(ctx, d)
	return append(found, auth), err
}

func failed(ctx context.Context, err error) ([]signin.Finding, error) {
	r, ok := unreachable(err).(*signin.Refusal) //nolint:errorlint // ours are not wrapped
	if !ok || ctx.Err() != nil {
		return nil, err
	}
	return []signin.Finding{{Text: r.Text, Hint: r.Hint}}, nil
}

func (p *Provider) probeKeys(ctx context.Context, s *site, d *discovery) ([]signin.Finding, error) {
	set, err := s.keySet(d.Keys).anew(ctx)
	if err != nil {
		return failed(ctx, err)
	}
	var found []signin.Finding
	for _, k := range set.keys {
		// Providers let the certificate beside a key run out and go on with the key; nothing depends on it.
		found = append(found, signin.Finding{OK: true, Text: "key " + bounded(k.id) + ", fingerprint " + k.print, Ends: k.ends})
	}
	return found, nil
}

// probeClient redeems a code that cannot exist: whether the refusal is of the code or of the client tells whether the client is known.
func (p *Provider) probeClient(ctx context.Context, d *discovery) (signin.Finding, error) {
	method, refused := p.method(d)
	if refused != nil {
		return signin.Finding{Text: refused.Text, Hint: refused.Hint}, nil
	}
	status, body, err := p.token(ctx, d, url.Values{
		"grant_type": {"authorization_code"}, "code": {"probe"}, "redirect_uri": {p.o.Callback}, "code_verifier": {random() + random()},
	})
	if ctx.Err() != nil {
		return signin.Finding{}, ctx.Err()
	}
	if err != nil {
		return signin.Finding{Text: "client authentication: " + err.Error()}, nil
	}
	var answer struct {
		Code string `json:"error"`
		Text string `json:"error_description"`
	}
	_ = json.Unmarshal(body, &answer)
	code, hint := explain(answer.Code, answer.Text)
	switch {
	case status == http.StatusUnauthorized, slices.Contains([]string{"invalid_client", "unauthorized_client"}, answer.Code):
		return signin.Finding{Text: "client authentication by " + method + " is refused: " + code, Hint: hint}, nil
	case answer.Code == "invalid_grant", answer.Code == "invalid_request":
		return signin.Finding{OK: true, Text: "client authentication by " + method + ": the client is known (a code that does not exist was refused as such)"}, nil
	}
	return signin.Finding{
		OK: status < 500, Text: strings.TrimSpace(fmt.Sprintf("client authentication by %s: status %d %s", method, status, code)),
		Hint: "whether the client is known cannot be told from this answer",
	}, nil
}
