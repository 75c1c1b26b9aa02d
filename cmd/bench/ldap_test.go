package main

import (
	"bytes"
	"log/slog"
	"os/exec"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/settings"
)

// BenchmarkLDAP syncs a real directory of 100,000 people through the whole program, side by side with what
// ldapsearch needs for the same people and attributes. Run it with -benchtime=3x.
func BenchmarkLDAP(b *testing.B) {
	const people = 100_000
	s := slapdtest.Start(b, slapdtest.Options{Load: slapdtest.Population{People: people, Groups: 2_000}.WriteLDIF})
	cfg := ldap.Defaults()
	cfg.Servers = []string{s.URL}
	cfg.Bind = ldap.BindConfig{User: s.ReplicatorDN, Password: settings.NewSecret(slapdtest.ReplicatorPassword)}
	cfg.Base = ldap.Names{s.Suffix}
	source, err := ldap.Factory().Open(cfg, connectors.Env{Connection: "hq", Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	conn := &engine.Connection{Name: "hq", Connector: "ldap", Source: source, Rules: rules("Head office"), Guard: plan.DefaultGuard()}
	open := func(b *testing.B) *engine.Engine {
		b.Helper()
		st, err := bolt.Open(b.TempDir()+"/state.db", bolt.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = st.Close() })
		return engine.New(st, engine.Options{Log: slog.New(slog.DiscardHandler), Now: time.Now})
	}
	sync := func(b *testing.B, e *engine.Engine) {
		b.Helper()
		if res := e.Run(b.Context(), conn, connectors.Tenant{}, engine.Job{Full: true}); res.Err != nil || res.Run.Read < people {
			b.Fatalf("read %d: %v", res.Run.Read, res.Err)
		}
	}
	b.Run("ldapsearch", func(b *testing.B) {
		for b.Loop() {
			args := []string{
				"-x", "-LLL", "-E", "pr=1000/noprompt", "-H", s.URL, "-D", s.ReplicatorDN, "-w", slapdtest.ReplicatorPassword,
				"-b", s.Suffix, "(objectClass=*)",
				"entryUUID", "uid", "cn", "displayName", "givenName", "sn", "mail", "title", "departmentNumber", "telephoneNumber", "mobile",
				"l", "manager", "employeeNumber", "employeeType", "pwdAccountLockedTime", "createTimestamp", "member",
			}
			out, err := exec.CommandContext(b.Context(), "ldapsearch", args...).Output()
			if err != nil || bytes.Count(out, []byte("\ndn: ")) < people {
				b.Fatal(err)
			}
		}
	})
	b.Run("first sync", func(b *testing.B) {
		for b.Loop() {
			sync(b, open(b))
		}
	})
	b.Run("unchanged full read", func(b *testing.B) {
		e := open(b)
		sync(b, e)
		for b.Loop() {
			sync(b, e)
		}
	})
}
