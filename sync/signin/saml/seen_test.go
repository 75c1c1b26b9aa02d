package saml

import (
	"context"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/saml/samltest"
)

// TestSeen: nobody is asked; of several certificates of the provider the last one counts, and of metadata their end.
func TestSeen(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.NextKey = settings.NewSecret(samltest.NewPair(t, 2, start.Add(-time.Hour), start.Add(2000*time.Hour)).PEM())
	})
	ends := func(s signin.Seen) string {
		var list []string
		for _, e := range s.Ends {
			if e.Hint == "" || e.Renewed != (e.Use == signin.UseMetadata) {
				t.Errorf("%+v", e)
			}
			list = append(list, string(e.Use)+" "+e.At.Sub(start).String())
		}
		return strings.Join(list, ", ")
	}
	const ours = "our_key 1000h0m0s, next_key 2000h0m0s"
	if s := r.Seen(t.Context()); ends(s) != ours || !s.At.IsZero() || s.Ahead != nil || r.asked.Load() != 0 {
		t.Errorf("before: %+v, asked %d times", s, r.asked.Load())
	}
	later := samltest.NewPair(t, 1, start.Add(-time.Hour), start.Add(3000*time.Hour))
	r.idp.Former = []samltest.Pair{later}
	r.serve(strings.Replace(r.idp.Metadata(), "<md:EntityDescriptor ", `<md:EntityDescriptor validUntil="`+start.Add(48*time.Hour).Format(time.RFC3339)+`" `, 1))
	if err := r.trust.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := ours + ", their_signing 3000h0m0s, metadata 48h0m0s"
	if s := r.Seen(t.Context()); ends(s) != want || !s.At.Equal(r.now()) || s.Ahead == nil || *s.Ahead != 0 {
		t.Errorf("%s, want %s; %+v", ends(s), want, s)
	}
	r.open(t) // a restart: what was kept counts
	if s := r.Seen(context.Background()); ends(s) != want || s.Ahead != nil {
		t.Errorf("after a restart: %s; %+v", ends(s), s)
	}
	r.cfg.CertificateDates = "ignore"
	r.open(t)
	if s := r.Seen(t.Context()); strings.Contains(ends(s), "their_signing") {
		t.Errorf("dates that do not count: %s", ends(s))
	}
	// What ends while the next one is there is no finding.
	r.cfg.CertificateDates = "check"
	r.open(t)
	r.pass(900 * time.Hour)
	found, err := r.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if strings.HasPrefix(f.Text, "the provider's certificate") && !f.OK {
			t.Errorf("%+v", f)
		}
		if strings.HasPrefix(f.Text, "our certificate") && f.OK {
			t.Errorf("%+v", f)
		}
	}
}
