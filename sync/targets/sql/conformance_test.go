package sql

import (
	"testing"

	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
)

// TestConformance runs the suite of places with things of their own.
func TestConformance(t *testing.T) {
	onAll(t, map[string]func(*testing.T, *site){"suite": func(t *testing.T, s *site) {
		s.make(t)
		desktest.Run(t, func(*testing.T) *desktest.Place {
			p := &desktest.Place{Open: func(t *testing.T) targets.Desk { return s.open(t, tables) }, Many: 230, Secrets: []string{s.secret}}
			if s.wire != nil {
				p.Break = func(*testing.T) { s.wire.CutAfter(0); s.wire.Cut() }
				p.Mend = func(*testing.T) { s.wire.Mend() }
			} else {
				p.Secrets = nil
			}
			return p
		})
	}})
}
