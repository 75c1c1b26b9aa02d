package service

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets"
)

// hatch is a target of which every opening is noted. The first one takes nothing until its call is ended.
type hatch struct {
	called chan struct{}

	mu     sync.Mutex
	opened []*opening
}

type hatchConfig struct {
	Path   string        `yaml:"path"`
	CAFile settings.Path `yaml:"ca_file"`
}

func (c *hatchConfig) Files() []settings.Path { return []settings.Path{c.CAFile} }

type opening struct {
	*hatch
	first                  bool
	calls, closed, tooLate int // tooLate: called when closed, or closed beside a call
}

func (h *hatch) factory() targets.Factory {
	return targets.New("hatch", "for tests", func() *hatchConfig { return &hatchConfig{} }, func(*hatchConfig, targets.Env) (targets.Target, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		o := &opening{hatch: h, first: len(h.opened) == 0}
		h.opened = append(h.opened, o)
		return o, nil
	})
}

func (o *opening) Describe() targets.Description { return targets.Description{Batch: 1} }
func (o *opening) Check(context.Context) error   { return nil }
func (o *opening) Reopen() error                 { return nil }

func (o *opening) Deliver(ctx context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	o.count(&o.calls, 1)
	defer o.count(&o.calls, -1)
	if o.first {
		o.called <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return make([]targets.Outcome, len(work)), nil
}

func (o *opening) Close() error {
	o.count(&o.closed, 1)
	return nil
}

func (o *opening) count(what *int, n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if *what += n; o.calls > 0 && o.closed > 0 {
		o.tooLate++
	}
}

// A target that a reload replaces is closed once, when nobody delivers to it any more, and its successor delivers the rest.
func TestReloadEndsADelivery(t *testing.T) {
	w, h := newWorld(t), &hatch{called: make(chan struct{})}
	w.parts.Targets = append(w.parts.Targets, h.factory())
	edit := func(path string) {
		text := strings.Replace(twoConnections, "target: file, file: {path: changes.jsonl}", "target: hatch, hatch: {path: "+path+"}", 1)
		if err := os.WriteFile("config.yaml", []byte(strings.Replace(text, "%s", "everyone", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edit("first")
	w.load(t)
	s, ctx := w.open(t), t.Context()
	results := make(chan api.SyncResult)
	go func() {
		result, err := s.Sync(ctx, api.SyncRequest{}, nil)
		if err != nil {
			t.Error(err)
		}
		results <- result
	}()
	<-h.called
	edit("second")
	if err := s.reload(ctx, "config.yaml", nobodyElse); err != nil {
		t.Fatal(err)
	}
	if result := <-results; len(result.Delivered) != 1 || result.Delivered[0].Error == "" {
		t.Errorf("the delivery that was ended: %+v", result.Delivered)
	}
	if result, err := s.Sync(ctx, api.SyncRequest{}, nil); err != nil || result.Delivered[0].Waiting != 0 || result.Delivered[0].Error != "" {
		t.Errorf("the next delivery: %+v, %v", result.Delivered, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, o := range h.opened {
		if o.closed != 1 || o.tooLate != 0 {
			t.Errorf("opening %d: closed %d times, %d times beside a call", i, o.closed, o.tooLate)
		}
	}
	if len(h.opened) != 2 {
		t.Errorf("opened %d times", len(h.opened))
	}
}

// A renewed file that a part read when it was opened counts as an edit; the same file does not.
func TestReloadNoticesARenewedFile(t *testing.T) {
	w, h := newWorld(t), &hatch{}
	w.parts.Targets = append(w.parts.Targets, h.factory())
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.Replace(twoConnections, "target: file, file: {path: changes.jsonl}", "target: hatch, hatch: {ca_file: ca.pem}", 1)
	write("config.yaml", strings.Replace(text, "%s", "everyone", 1))
	write("ca.pem", "one authority")
	w.load(t)
	s := w.open(t)
	for _, step := range []struct {
		content string
		opened  int
	}{{"one authority", 1}, {"another one", 2}, {"another one", 2}} {
		write("ca.pem", step.content)
		if err := s.reload(t.Context(), "config.yaml", nobodyElse); err != nil {
			t.Fatal(err)
		}
		if len(h.opened) != step.opened {
			t.Errorf("with %q it was opened %d times", step.content, len(h.opened))
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// nobodyElse has to be told of a reload.
func nobodyElse(*generation) bool { return true }

// What is under way goes on by edited rules; those are applied to what is stored only when all workers know of them.
func TestRunUnderWay(t *testing.T) {
	w := newWorld(t)
	s, ctx := w.open(t), t.Context()
	if _, err := s.Sync(ctx, api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	is := func(what string, c *connection, now *connection, superseded bool) {
		t.Helper()
		if got := c.Current(); got != &now.Connection {
			t.Errorf("%s: it goes on with another connection", what)
		}
		if got, err := c.Superseded(ctx); err != nil || got != superseded {
			t.Errorf("%s: superseded %t, %v", what, got, err)
		}
	}
	rule := func() string {
		t.Helper()
		s.background.Wait()
		reasons, err := s.Why(ctx, "user", "hq/ada")
		if err != nil {
			t.Fatal(err)
		}
		return reasons[0].Record.Rule
	}
	former := s.current().connections["hq"]
	is("before", former, former, false)
	w.write(t, "all")
	if err := s.reload(ctx, "config.yaml", func(*generation) bool { return false }); err != nil {
		t.Fatal(err)
	}
	now := s.current().connections["hq"]
	is("the former one", former, now, true)
	is("the new one", now, now, false)
	if got := rule(); got != "everyone" {
		t.Errorf("nobody knows of the rules, and %q decided", got)
	}
	s.superseded = func(context.Context, string) (string, error) { return "north", nil }
	is("the new one, which others have not", now, now, true)
	s.superseded = func(context.Context, string) (string, error) { return "", nil }
	w.write(t, "any")
	if err := s.reload(ctx, "config.yaml", nobodyElse); err != nil {
		t.Fatal(err)
	}
	if got := rule(); got != "any" {
		t.Errorf("%q decided", got)
	}
}
