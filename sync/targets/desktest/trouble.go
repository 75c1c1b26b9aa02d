package desktest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// Several at a time, and places that fail.

func testBatches(t *testing.T, s *suite) {
	k := &s.about.Kinds[0]
	var jobs []targets.Job
	for range s.about.Batch {
		jobs = append(jobs, s.job(k))
	}
	results, err := s.desk.Apply(t.Context(), jobs)
	if err != nil || len(results) != len(jobs) {
		t.Fatalf("%d results for %d jobs: %v", len(results), len(jobs), err)
	}
	ids := map[string]bool{}
	for i, r := range results {
		if r.Err != nil || ids[r.Entity.ID] {
			t.Errorf("job %d: %q, %v", i, r.Entity.ID, r.Err)
		}
		ids[r.Entity.ID] = true
	}
}

func testParallel(t *testing.T, s *suite) {
	k := &s.about.Kinds[0]
	ids := make([]string, s.about.Parallel)
	var group sync.WaitGroup
	for i := range ids {
		j := s.job(k)
		group.Go(func() {
			results, err := s.desk.Apply(t.Context(), []targets.Job{j})
			if err != nil || results[0].Err != nil {
				t.Errorf("%v %v", err, results)
				return
			}
			ids[i] = results[0].Entity.ID
		})
	}
	group.Wait()
	slices.Sort(ids)
	if len(slices.Compact(ids)) != s.about.Parallel {
		t.Errorf("%v", ids)
	}
}

func testEnded(t *testing.T, s *suite) {
	k := &s.about.Kinds[0]
	j := s.job(k)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	results, err := s.desk.Apply(ctx, []targets.Job{j})
	if err == nil && len(results) == 1 {
		err = results[0].Err
	}
	if fault.ClassOf(err) != fault.Canceled {
		t.Errorf("apply: %v", err)
	}
	if _, err := s.desk.Fetch(ctx, k.Kind, "1"); fault.ClassOf(err) != fault.Canceled {
		t.Errorf("fetch: %v", err)
	}
	if _, err := s.desk.Survey(ctx, k.Kind, func(*targets.Entity) error { return nil }); fault.ClassOf(err) != fault.Canceled {
		t.Errorf("survey: %v", err)
	}
}

// A place that fails is never taken for one that has nothing.
func testBroken(t *testing.T, s *suite) {
	if s.place.Break == nil {
		t.Skip("it cannot be broken")
	}
	k := &s.about.Kinds[0]
	j := s.job(k)
	made := s.apply(j)
	s.place.Break(t)
	retry := func(what string, err error) {
		s.tell(err)
		if class := fault.ClassOf(err); err == nil || !class.Retryable() && class != fault.Auth && class != fault.Configuration {
			t.Errorf("%s: %v, which is no reason to try again", what, err)
		}
	}
	retry("check", s.desk.Check(t.Context()))
	_, err := s.desk.Fetch(t.Context(), k.Kind, made.ID)
	retry("fetch", err)
	_, err = s.desk.Survey(t.Context(), k.Kind, func(*targets.Entity) error { return nil })
	retry("survey", err)
	if k.Marked {
		if _, err = s.desk.Find(t.Context(), k.Kind, targets.Mark, j.Mark); !errors.Is(err, targets.ErrCannotFind) {
			retry("find", err)
		}
	}
	retry("apply", s.try(targets.Job{Op: directory.Update, Kind: k.Kind, ID: made.ID, Key: "x" + s.run, Fields: j.Fields, Sent: j.Fields}).Err)
	s.place.Mend(t)
	s.fetch(k.Kind, made.ID)
}
