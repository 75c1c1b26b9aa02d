package saml

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/crewjam/saml"

	"dirsyncd/sync/signin"
)

// Probe fetches the metadata and says what is in them. It is an error only when we are at fault.
func (p *Provider) Probe(ctx context.Context) ([]signin.Finding, error) {
	now := p.opts.Now()
	var list []signin.Finding
	add := func(ok bool, hint, format string, args ...any) {
		f := signin.Finding{OK: ok, Text: fmt.Sprintf(format, args...)}
		if !ok {
			f.Hint = hint
		}
		list = append(list, f)
	}
	_, _ = p.trust.get(ctx) // so that what is kept is known when the refresh fails
	if err := p.trust.refresh(ctx); err != nil {
		add(false, "is the address right, and may this machine go there?", "%v", err)
	}
	ours := p.Addresses()
	add(true, "", "to register at the provider: entity id %s, ACS %s by POST%s", ours.EntityID, ours.ACS, and(", logout ", ours.SLO))
	if p.key != nil {
		list = append(list, ends("our certificate", p.key.chain[0], now, ourKeyHint))
	}
	if p.next != nil {
		list = append(list, ends("the certificate of next_key", p.next.chain[0], now, nextKeyHint))
	}
	i := p.trust.current.Load()
	if i == nil {
		return list, nil
	}
	add(true, "", "provider %s, metadata of %s", i.entity.EntityID, stamp(i.at))
	if end := i.ends(); !end.IsZero() {
		list = append(list, signin.Finding{OK: now.Before(end), Text: "the metadata hold until " + stamp(end), Ends: end, Hint: unless(now.Before(end), metadataHint)})
	}
	for _, k := range i.keys {
		f := ends("the provider's certificate", k, now, theirKeyHint)
		f.OK = f.OK || p.cfg.CertificateDates == "ignore" || now.Add(signin.Soon).Before(i.lastKey()) // the next one is there
		f.Hint = unless(f.OK, f.Hint)
		list = append(list, f)
	}
	p.probeWays(i, add)
	if offset, said := p.trust.ahead(); said {
		add(offset.Abs() <= maxSkew, "set the clocks: chronyc tracking, w32tm /query /status", "the provider's clock is %s from ours", offset)
	}
	return list, nil
}

func (p *Provider) probeWays(i *idp, add func(ok bool, hint, format string, args ...any)) {
	binding, location := p.way(i.location)
	add(true, "", "people are sent to %s by %s", location, strings.TrimPrefix(binding, "urn:oasis:names:tc:SAML:2.0:bindings:"))
	for _, role := range i.entity.IDPSSODescriptors {
		if w := role.WantAuthnRequestsSigned; w != nil && *w {
			add(p.cfg.signs(), "set key, and sign_requests", "the provider wants signed requests")
		}
	}
	if p.cfg.SingleLogout {
		_, location := p.way(func(b string) string { requests, _ := i.logout(b); return requests })
		add(location != "", "single_logout: false, or let it publish one", "log-out at the provider: %s", or(location, "it has no address for it"))
	}
	if _, post := i.logout(saml.SOAPBinding); post != "" && p.cfg.SingleLogout {
		add(true, "", "log-outs by SOAP are not taken")
	}
}

// ends tells when a certificate does.
func ends(what string, c *x509.Certificate, now time.Time, hint string) signin.Finding {
	ok := !expired(c, now) && now.Add(signin.Soon).Before(c.NotAfter)
	return signin.Finding{
		OK: ok, Text: fmt.Sprintf("%s %s holds until %s", what, fingerprint(c.Raw), c.NotAfter.UTC().Format(time.DateOnly)),
		Hint: unless(ok, hint), Ends: c.NotAfter,
	}
}

func unless(ok bool, hint string) string {
	if ok {
		return ""
	}
	return hint
}

func and(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

func or(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
