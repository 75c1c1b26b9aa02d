package ldap

import (
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/fault"
)

// told is what a read ended with, and whom it found, in full or changed.
type told struct {
	cursor, known []byte
	proof         *connectors.Proof
	ids           map[string]bool
}

// readOn reads users after an earlier read.
func readOn(t *testing.T, c *Connector, mode connectors.Mode, after told, older bool) (told, error) {
	t.Helper()
	got := told{ids: map[string]bool{}}
	req := connectors.Request{Stream: streamUsers, Mode: mode, Known: after.known, Older: older}
	if mode == connectors.Delta {
		req.Cursor = after.cursor
	}
	err := connectors.Guard(c).Read(t.Context(), req, func(p *connectors.Page) error {
		for _, o := range p.Objects {
			got.ids[o.ID] = true
		}
		if p.Proof != nil {
			got.cursor, got.known, got.proof = append([]byte(nil), p.Cursor...), append([]byte(nil), p.Known...), p.Proof
		}
		return nil
	})
	return got, err
}

// TestServerBehind: a server that knows less than was read from another is not read, whatever the mode, until it has
// caught up or the operator takes it as it is.
func TestServerBehind(t *testing.T) {
	first := slapdtest.Start(t, slapdtest.Options{SessionLog: 100})
	first.AddPerson("ada", nil)
	lagging := first.Copy()
	for name, filling := range map[string]bool{"behind": false, "still being filled": true} {
		t.Run(name, func(t *testing.T) {
			joiner := first.UUID(first.AddPerson(strings.Fields(name)[0], nil))
			if filling {
				lagging.Reconfigure(func(o *slapdtest.Options) { o.Access = []string{"access to attrs=contextCSN by * none"} })
			}
			open := func(servers ...string) *Connector {
				return openFor(t, first, func(c *Config) { c.Servers = servers })
			}
			before, err := readOn(t, open(first.URL), connectors.Full, told{}, false)
			if err != nil || !before.ids[joiner] || len(before.known) == 0 {
				t.Fatalf("first read: %v, known %s, error %v", before.ids, before.known, err)
			}
			for _, mode := range []connectors.Mode{connectors.Delta, connectors.Full} {
				got, err := readOn(t, open(lagging.URL), mode, before, false)
				if fault.ClassOf(err) != fault.Transient || got.proof != nil || len(got.ids) > 0 {
					t.Errorf("%s read of the one behind: %v, proof %v, error %v", mode, got.ids, got.proof, err)
				}
				if err == nil || !strings.Contains(err.Error(), lagging.URL) || !strings.Contains(fault.Hint(err), "--full") {
					t.Errorf("%s read: the error does not say which server or what to do: %v", mode, err)
				}
				got, err = readOn(t, open(lagging.URL, first.URL), mode, before, false)
				if err != nil || got.proof.Older != "" || mode == connectors.Full && !got.ids[joiner] {
					t.Errorf("%s read with another server to turn to: %v, error %v", mode, got.ids, err)
				}
			}
			got, err := readOn(t, open(lagging.URL), connectors.Full, before, true)
			if err != nil || got.proof.Older == "" || got.ids[joiner] {
				t.Errorf("read that takes what is older: %v, proof %v, error %v", got.ids, got.proof, err)
			}
			if got, err := readOn(t, open(lagging.URL), connectors.Full, told{}, false); err != nil || got.proof.Older != "" {
				t.Errorf("first read of the one behind: proof %v, error %v", got.proof, err)
			}
		})
	}
}
