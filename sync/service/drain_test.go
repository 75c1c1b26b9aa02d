package service

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/targets"
)

// relay is a target that takes nothing until another one has taken something.
type relay struct {
	after, done chan struct{}
	once        sync.Once
}

type relayConfig struct{}

func (r *relay) factory(name string) targets.Factory {
	return targets.New(name, "for tests", func() *relayConfig { return &relayConfig{} }, func(*relayConfig, targets.Env) (targets.Target, error) { return r, nil })
}

func (r *relay) Describe() targets.Description { return targets.Description{Batch: 100} }
func (r *relay) Check(context.Context) error   { return nil }
func (r *relay) Reopen() error                 { return nil }
func (r *relay) Close() error                  { return nil }

func (r *relay) Deliver(ctx context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	if r.after != nil {
		select {
		case <-r.after:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r.once.Do(func() { close(r.done) })
	return make([]targets.Outcome, len(work)), nil
}

// Whoever syncs waits for all targets, and none of them for another one that is slow.
func TestSyncBesideASlowTarget(t *testing.T) {
	w := newWorld(t)
	quick := &relay{done: make(chan struct{})}
	slow := &relay{after: quick.done, done: make(chan struct{})}
	w.parts.Targets = append(w.parts.Targets, slow.factory("slow"), quick.factory("quick"))
	text := strings.Replace(twoConnections, "{target: file, file: {path: changes.jsonl}}", "{target: slow, slow: {}}, other: {target: quick, quick: {}}", 1)
	text = strings.ReplaceAll(strings.Replace(text, "%s", "everyone", 1), "targets: [journal]", "targets: [journal, other]")
	if err := os.WriteFile("config.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.load(t)
	s := w.open(t)
	result, err := s.Sync(t.Context(), api.SyncRequest{}, nil)
	if err != nil || len(result.Delivered) != 2 {
		t.Fatalf("%+v, %v", result.Delivered, err)
	}
	for i, name := range []string{"journal", "other"} {
		if d := result.Delivered[i]; d.Target != name || d.Waiting != 0 || d.Error != "" || d.Delivered == 0 {
			t.Errorf("%+v", d)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
