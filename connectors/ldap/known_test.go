package ldap

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
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

// vectorBytes is a value of replUpToDateVector as Samba's domain controllers show it, with the invocationId and number in it.
func vectorBytes(t *testing.T) (value []byte, database string, number uint64) {
	t.Helper()
	value, err := base64.StdEncoding.DecodeString("AgAAAAAAAAABAAAAAAAAAMdiEyTfgnRKhVIcxtSozhZmDwAAAAAAAACAPtXesZ0B")
	if err != nil {
		t.Fatal(err)
	}
	return value, "c7621324df82744a85521cc6d4a8ce16", 3942
}

func TestUpToDatenessVector(t *testing.T) {
	value, database, number := vectorBytes(t)
	vector := map[string]uint64{}
	parseUpToDateness(value, vector)
	if len(vector) != 1 || vector[database] != number {
		t.Errorf("vector %v", vector)
	}
	for name, bad := range map[string][]byte{"cut": value[:len(value)-1], "empty": nil, "another version": append([]byte{3}, value[1:]...)} {
		vector := map[string]uint64{}
		if parseUpToDateness(bad, vector); len(vector) > 0 {
			t.Errorf("%s: vector %v", name, vector)
		}
	}
}

// TestControllerBehind: what was read from one domain controller counts on another as far as that has heard of it.
func TestControllerBehind(t *testing.T) {
	vector, database, number := vectorBytes(t)
	raw, err := hex.DecodeString(database)
	if err != nil {
		t.Fatal(err)
	}
	// The last change in the domain has the number that is in the vector of the other one; the controller is further.
	controller := func(host, invocation string, last uint64, own map[string][]string) *fakeDirectory {
		d := fakeAD()
		d.root["highestCommittedUSN"], d.root["dnsHostName"] = []string{fmt.Sprint(last)}, []string{host}
		d.root["dsServiceName"] = []string{"CN=NTDS Settings,CN=" + host}
		d.entries = append(d.entries, fakeEntry{"CN=NTDS Settings,CN=" + host, "nTDSDSA", map[string][]string{
			"invocationId": {invocation}, "objectGUID": {fakeGUID(901)},
		}})
		own["objectGUID"] = []string{fakeGUID(902)}
		d.entries = append(d.entries, fakeEntry{"DC=example,DC=test", "domainDNS", own})
		return d
	}
	first := func(last, changed uint64) *fakeDirectory {
		return controller("dc1", string(raw), last, map[string][]string{"uSNChanged": {fmt.Sprint(changed)}})
	}
	second := func(vector []byte) *fakeDirectory {
		own := map[string][]string{"uSNChanged": {"77"}}
		if vector != nil {
			own["replUpToDateVector"] = []string{string(vector)}
		}
		return controller("dc2", fakeGUID(900), 80, own)
	}
	for name, tc := range map[string]struct {
		before, now *fakeDirectory
		want        string
	}{
		"the same":                    {first(number+9, number), first(number+9, number), ""},
		"one that has heard of it":    {first(number+9, number), second(vector), ""},
		"one that has not":            {first(number+9, number+1), second(vector), "the last 1 changes of the domain controller 241362c7-82df-4a74-8552-1cc6d4a8ce16"},
		"one that does not say":       {first(number+9, number), second(nil), "has heard nothing of the domain controller"},
		"the same, from a snapshot":   {first(number+9, number), first(number-1, number-1), "1 changes before what was read from it"},
		"one that shows no number":    {first(number+9, number), fakeAD(), "does not say how much it knows"},
		"back from one that has more": {second(vector), first(number+9, number), "has heard nothing of the domain controller"},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := readOn(t, newFakeServer(t, tc.before).open(t, nil), connectors.Full, told{}, false)
			if err != nil || len(before.known) == 0 {
				t.Fatalf("first read: known %s, error %v", before.known, err)
			}
			got, err := readOn(t, newFakeServer(t, tc.now).open(t, nil), connectors.Full, before, false)
			switch {
			case tc.want == "":
				if err != nil {
					t.Error(err)
				}
			case fault.ClassOf(err) != fault.Transient || !strings.Contains(err.Error(), tc.want) || got.proof != nil:
				t.Errorf("proof %v, error %v, want %q", got.proof, err, tc.want)
			}
		})
	}
}
