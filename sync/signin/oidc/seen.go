package oidc

import (
	"context"
	"time"

	"dirsyncd/sync/signin"
)

var _ signin.Watched = (*Provider)(nil)

// Hints for what ends.
const (
	certificateHint = "make a new one, register it at the provider, then replace `certificate`"
	secretHint      = "make a new one at the provider, then replace `client_secret` and `client_secret_ends`"
)

// Seen implements signin.Watched. The certificates beside a provider's keys are left out: providers let them run out and go on with the key.
func (p *Provider) Seen(ctx context.Context) signin.Seen {
	s := signin.Seen{Ends: p.ends()}
	if at, refused := p.preset.entry(p.preset.flow(signin.Start{})); refused == nil {
		p.site(at).remember(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var when time.Time
	for _, site := range p.sites {
		if at := site.last(); at.After(s.At) {
			s.At = at
		}
		ahead, said, asked := site.ahead()
		if said && asked.After(when) {
			s.Ahead, when = &ahead, asked
		}
	}
	return s
}

// ends are those of what proves who we are.
func (p *Provider) ends() (list []signin.End) {
	if c := p.creds.certificate; c != nil {
		list = append(list, signin.End{Use: signin.UseOurKey, At: c.NotAfter, Hint: certificateHint})
	}
	if end := p.preset.client.SecretEnds; !end.IsZero() {
		list = append(list, signin.End{Use: signin.UseSecret, At: end.Time(), Hint: secretHint})
	}
	return list
}

// remember takes the copy of the discovery document that is kept, once; nobody is waited for.
func (s *site) remember(ctx context.Context) {
	select {
	case s.doc.turn <- struct{}{}:
		defer s.doc.release()
		s.doc.load(ctx)
	default: // somebody fetches it
	}
}

// last is when one of the site's documents was last fetched.
func (s *site) last() time.Time {
	at := s.doc.fetched()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, keys := range s.keys {
		if k := keys.fetched(); k.After(at) {
			at = k
		}
	}
	return at
}

// fetched is when the last good copy was fetched; zero when there is none.
func (d *document[T]) fetched() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}
