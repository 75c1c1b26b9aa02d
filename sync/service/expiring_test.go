package service

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/notices/recipient"
	"dirsyncd/sync/settings"
)

// certificateUntil writes a certificate in PEM that is good until a time.
func certificateUntil(t *testing.T, file string, ends time.Time) settings.Path {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	like := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: ends}
	made, err := x509.CreateCertificate(rand.Reader, like, like, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made}), 0o600); err != nil {
		t.Fatal(err)
	}
	return settings.Path(file)
}

// perishing is a block that names files.
type perishing []settings.Perishable

func (p perishing) Perishables() []settings.Perishable { return p }

// TestExpiring: whatever the configuration names and runs out is told from a month ahead on, in the state, in notices and once at each stage in the log.
func TestExpiring(t *testing.T) {
	t.Chdir(t.TempDir())
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	in := func(days int) time.Time { return now.Add(time.Duration(days) * day) }
	block := func(name string, ends time.Time) perishing {
		return perishing{{Key: "cert", File: certificateUntil(t, name+".pem", ends)}, {Key: "gone", File: "no.pem"}}
	}
	cfg := &config.Config{
		Web:         &config.Web{Cert: certificateUntil(t, "web.pem", in(29))},
		Connections: []config.Connection{{Name: "hq", Connector: "ldap", Block: block("hq", in(13))}, {Name: "later", Connector: "ldap", Block: block("later", in(31))}, {Name: "partner", Connector: cspConnector}},
		Targets:     []config.Target{{Name: "desk", Block: block("desk", in(-1))}},
		Notices: &config.Notices{Expiring: settings.Duration(30 * day), Late: settings.Duration(time.Hour), To: []config.Recipient{
			{Name: "ops", Mail: &recipient.Mail{CAFile: certificateUntil(t, "mail.pem", in(6))}}, {Name: "chat", Webhook: &recipient.Webhook{CAFile: certificateUntil(t, "hook.pem", in(5))}},
		}},
	}
	st, err := bolt.Open("state.db", bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	var log bytes.Buffer
	s := &Service{store: st, now: func() time.Time { return now }, log: slog.New(slog.NewTextHandler(&log, nil)), generation: &generation{cfg: cfg}}
	// A customer of a partner: a relationship, and subscriptions of which one ends for good.
	p := store.Partition{Connection: "partner", Tenant: "c1"}
	err = st.Update(t.Context(), p, func(tx store.Writer) error {
		if err := tx.PutTenant(store.TenantState{Name: "Quay Motors"}); err != nil {
			return err
		}
		for id, renews := range map[string]string{"ends": "no", "goes-on": "yes", "unknown": "", "long-gone": "no"} {
			o := directory.Object{Kind: directory.Licence, ID: id}
			o.SetText(directory.FieldName, id)
			o.Set(directory.FieldExpires, directory.Time(in(3)))
			if id == "long-gone" {
				o.Set(directory.FieldExpires, directory.Time(in(-40)))
			}
			if renews != "" {
				o.Set(directory.FieldAutoRenew, directory.Bool(renews == "yes"))
			}
			if err := putObject(tx, &o); err != nil {
				return err
			}
		}
		o := directory.Object{Kind: directory.Customer, ID: "c1"}
		o.SetText(directory.FieldName, "Quay Motors")
		o.Set(directory.AttributePrefix+gdapEnds, directory.Time(in(20)))
		return putObject(tx, &o)
	})
	if err != nil {
		t.Fatal(err)
	}
	status := &api.Status{Providers: []api.ProviderStatus{{Name: "staff", Ends: []api.ProviderEnd{
		{Use: "our_key", At: in(2), Soon: true}, {Use: "metadata", At: in(1)}, {Use: "client_secret", At: in(300)},
	}}}}
	list, err := s.conditions(t.Context(), cfg, status)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range list {
		got = append(got, list[i].Where+": "+list[i].Text+" ("+list[i].Stage+")")
	}
	slices.Sort(got)
	want := []string{
		"connection hq: cert runs out on 2026-03-14 (14)",
		"connection partner, customer Quay Motors: the GDAP relationship runs out on 2026-03-21 (30)",
		"connection partner, customer Quay Motors: the subscription ends runs out on 2026-03-04 (7)",
		"recipient chat: webhook.ca_file runs out on 2026-03-06 (7)",
		"recipient ops: mail.ca_file runs out on 2026-03-07 (7)",
		"sign-in at staff: what it signs in with: our_key runs out on 2026-03-03 (7)",
		"target desk: cert ran out on 2026-02-28 (0)",
		"the public front: web.tls.cert runs out on 2026-03-30 (30)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	tell := func() int {
		t.Helper()
		log.Reset()
		if err := s.tellExpiring(t.Context()); err != nil {
			t.Fatal(err)
		}
		return strings.Count(log.String(), "something runs out")
	}
	if n := tell(); n != 7 { // all but that of sign-in, which tells its own
		t.Errorf("%d are told in the log:\n%s", n, log.String())
	}
	if n := tell(); n != 0 {
		t.Errorf("%d are told twice:\n%s", n, log.String())
	}
	now = in(16) // the front's has come to its next stage, the partner's relationship, the one that was early, and what has run out since
	if n := tell(); n != 7 || !strings.Contains(log.String(), "cert ran out on 2026-03-14") || strings.Contains(log.String(), "2026-02-28") {
		t.Errorf("%d are told two weeks later:\n%s", n, log.String())
	}
}

// putObject stores an object.
func putObject(tx store.Writer, o *directory.Object) error {
	_, err := tx.PutRow(o, store.Here)
	return err
}
