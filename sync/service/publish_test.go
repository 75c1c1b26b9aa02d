package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/fleet"
)

// TestPublish: what a daemon works by that waited becomes the current configuration, and the others are said to have another one.
func TestPublish(t *testing.T) {
	band := newBand(t)
	a := band.join("a", fmt.Sprintf(unplacedConfig, ""))
	<-band.deliveries // it has joined
	b := band.join("b", fmt.Sprintf(unplacedConfig, ", workers: [a, b]"))
	b.log.until("started")
	ofA, ofB := band.dial("a"), band.dial("b")
	for st := (api.Status{}); len(st.Workers) < 2; { // it registers after it has started
		var err error
		if st, err = ofA.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p, err := ofA.Publish(t.Context())
	if err != nil || !p.Already || p.By != "a" || fmt.Sprint(p.Workers) != "[{a true false} {b false false}]" || p.Workers == nil {
		t.Errorf("what is current: %+v, %v", p, err)
	}
	was := p.Configuration
	p, err = ofB.Publish(t.Context())
	if err != nil || p.Already || p.By != "b" || p.Configuration == was || p.Published.IsZero() || !strings.HasSuffix(p.File, "config.yaml") || fmt.Sprint(p.Workers) != "[{a false false} {b true false}]" {
		t.Errorf("another one: %+v, %v", p, err)
	}
	_, err = ofA.Publish(t.Context())
	if fault.ClassOf(err) != fault.Configuration || !strings.Contains(err.Error(), `target "journal"`) {
		t.Errorf("what is for one alone: %v", err)
	}
	for _, m := range []*member{a, b} {
		if err := m.end(); err != nil {
			t.Error(err)
		}
	}
}

// publishing is a fleet that answers in a certain way.
type publishing struct {
	fleet.Fleet
	says fleet.Publication
	err  error
}

func (p *publishing) Publish(context.Context) (fleet.Publication, error)   { return p.says, p.err }
func (p *publishing) Workers(context.Context) ([]fleet.WorkerState, error) { return nil, nil }

// Who published, and who was refused, is kept; that it was the current one already is no decision.
func TestPublicationIsADecision(t *testing.T) {
	for name, c := range map[string]struct {
		shared bool
		fleet  *publishing
		class  fault.Class // of the refusal
		says   string
		kept   string
	}{
		"a file":     {false, nil, fault.Configuration, "the state is a file", "publish a  refused"},
		"no daemon":  {true, nil, fault.Configuration, "no daemon is asked", "publish a  refused"},
		"not joined": {true, &publishing{err: fleet.ErrNoWorker}, fault.Transient, "has not joined", "publish a  refused"},
		"away":       {true, &publishing{err: errors.New("connection refused")}, fault.Transient, "connection refused", "publish a  refused"},
		"published":  {true, &publishing{says: fleet.Publication{Generation: "g"}}, "", "", "publish a g "},
		"already":    {true, &publishing{says: fleet.Publication{Generation: "g", Already: true}}, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			opts := Options{Parts: w.parts, Store: w.store.Store, Shared: c.shared, Worker: "a", Log: slog.New(slog.DiscardHandler)}
			if c.fleet != nil {
				opts.Fleet = c.fleet
			}
			s, err := New(w.cfg, opts)
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Operations().Publish(t.Context())
			if refused := c.class != ""; refused != (err != nil) || refused && (fault.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.says) || fault.Hint(err) == "") {
				t.Errorf("%v", err)
			}
			list, err := s.Decisions(t.Context(), api.DecisionsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			kept := ""
			for _, d := range list {
				outcome := ""
				if d.Error != "" {
					outcome = "refused"
				}
				kept += fmt.Sprintf("%s %s %s %s", d.What, d.Of, d.Detail, outcome)
			}
			if kept != c.kept {
				t.Errorf("kept: %q, want %q", kept, c.kept)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
