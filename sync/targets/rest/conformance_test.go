package rest

import (
	"testing"

	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
)

// TestConformance runs the suite on a place that pages in every form.
func TestConformance(t *testing.T) {
	for by := range simPages() {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, by)
			desktest.Run(t, func(*testing.T) *desktest.Place {
				return &desktest.Place{
					Open:    func(t *testing.T) targets.Desk { return openSim(t, s, "") },
					Many:    130,
					Break:   func(*testing.T) { s.set(func(f *simFaults) { f.down = true }) },
					Mend:    func(*testing.T) { s.set(func(f *simFaults) { f.down = false }) },
					Secrets: []string{simToken},
				}
			})
			if s.mails > 0 {
				t.Errorf("%d mails went out: what is always sent was not sent", s.mails)
			}
		})
	}
}
