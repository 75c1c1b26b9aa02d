package service

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/console"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/file"
)

// BenchmarkHeldPlan opens a held plan of 100,000 actions, at its beginning and at its end. docs/benchmarks.md has the figures.
func BenchmarkHeldPlan(b *testing.B) {
	const people = 100_000
	b.Chdir(b.TempDir())
	source := memory.NewSource()
	id := func(i int) string { return fmt.Sprintf("p%06d", i) }
	for i := range people + 1 {
		o := directory.Object{Kind: directory.Person, ID: id(i)}
		o.SetText(directory.FieldName, "Person "+id(i))
		source.Put("", o)
	}
	parts := Parts{Connectors: connectors.Registry{memory.FactoryOf(source, memory.Options{})}, Targets: targets.Registry{file.Factory()}}
	cfg, err := config.Parse(fmt.Appendf(nil, twoConnections, "everyone"), "config.yaml", parts.Config())
	if err != nil {
		b.Fatal(err)
	}
	st, err := bolt.Open("state.db", bolt.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	s, err := New(cfg, Options{Parts: parts, Store: st, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Sync(b.Context(), api.SyncRequest{Connections: []string{"hq"}}, nil); err != nil {
		b.Fatal(err)
	}
	for i := range people {
		source.Remove("", directory.Ref{Kind: directory.Person, ID: id(i)})
	}
	res, err := s.Sync(b.Context(), api.SyncRequest{Connections: []string{"hq"}}, nil)
	if err != nil || res.Runs[0].Held == "" {
		b.Fatalf("%+v, %v", res, err)
	}
	hash := res.Runs[0].Held
	for _, from := range []int{0, people / 2, people - 50} {
		b.Run(fmt.Sprintf("from %d", from), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				answer, err := s.Held(b.Context(), api.HeldRequest{Hash: hash, From: from})
				if err != nil || len(answer.Actions) != 50 {
					b.Fatalf("%d actions, %v", len(answer.Actions), err)
				}
			}
		})
	}
	b.Run("page", func(b *testing.B) {
		c := console.New(console.Options{Operations: s.Operations(), Users: []console.User{{Name: "ann", Role: console.Operator, Token: consoleOf("a token that is long enough").Users[0].Token}}, Log: slog.New(slog.DiscardHandler), Now: s.now})
		defer c.Close()
		in := httptest.NewRequest(http.MethodPost, "/console/login?token=x", nil)
		in.PostForm = map[string][]string{"token": {"a token that is long enough"}}
		w := httptest.NewRecorder()
		c.ServeHTTP(w, in)
		for b.Loop() {
			r := httptest.NewRequest(http.MethodGet, "/console/held/"+hash, nil)
			r.Header.Set("Cookie", w.Header().Get("Set-Cookie"))
			page := httptest.NewRecorder()
			c.ServeHTTP(page, r)
			if page.Code != http.StatusOK {
				b.Fatal(page.Code)
			}
		}
	})
}
