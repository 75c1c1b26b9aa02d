package saml

import (
	"context"
	"time"

	"dirsyncd/sync/signin"
)

var _ signin.Watched = (*Provider)(nil)

// Hints for what ends.
const (
	ourKeyHint   = "make a new key, put it into next_key, and tell the provider"
	nextKeyHint  = "it ends before it was used: make a new one"
	theirKeyHint = "the provider must add the next one to its metadata"
	metadataHint = "the provider must publish fresh ones, and this machine must be able to fetch them"
)

// Seen implements signin.Watched. What was kept counts where nothing was fetched yet.
func (p *Provider) Seen(ctx context.Context) signin.Seen {
	var s signin.Seen
	if p.key != nil {
		s.Ends = append(s.Ends, signin.End{Use: signin.UseOurKey, At: p.key.chain[0].NotAfter, Hint: ourKeyHint})
	}
	if p.next != nil {
		s.Ends = append(s.Ends, signin.End{Use: signin.UseNextKey, At: p.next.chain[0].NotAfter, Hint: nextKeyHint})
	}
	i := p.trust.current.Load()
	if i == nil {
		i = p.trust.remembered(ctx)
	}
	if i == nil {
		return s
	}
	s.At = i.at
	if ahead, said := p.trust.ahead(); said {
		s.Ahead = &ahead
	}
	if end := i.lastKey(); p.cfg.CertificateDates != "ignore" {
		s.Ends = append(s.Ends, signin.End{Use: signin.UseTheirSigning, At: end, Hint: theirKeyHint})
	}
	if end := i.ends(); !end.IsZero() && p.cfg.Metadata.URL != "" {
		s.Ends = append(s.Ends, signin.End{Use: signin.UseMetadata, At: end, Renewed: true, Hint: metadataHint})
	}
	return s
}

// lastKey is when the last certificate ends by which the provider may sign. One that ends before is no trouble: the next one is there.
func (i *idp) lastKey() (end time.Time) {
	for _, k := range i.keys {
		if k.NotAfter.After(end) {
			end = k.NotAfter
		}
	}
	return end
}
