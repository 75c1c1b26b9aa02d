package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/fault"
)

// That the target takes nothing is kept in the store, in the target's own partition, so that a process that is started again and again does
// not try each time: who asked to be left alone is, and an account is not locked. It is written when it begins, ends or is of another
// class, and at most once a minute otherwise.

// rememberEvery is how often an outage that goes on is written.
const rememberEvery = time.Minute

// memoryOfOutage is what the store has.
type memoryOfOutage struct {
	known bool
	class fault.Class // empty: there is no outage
	at    time.Time   // when it was written
}

// recall takes up, once, the outage that a process before this one was in. An outage that a human mends, such as wrong credentials, waits a
// minute at most: starting anew is what humans do next. Who drains by hand does not wait for it at all.
func (s *sweep) recall(ctx context.Context) error {
	if !s.memory.known {
		var kept *store.Outage
		err := s.store.View(ctx, store.TargetPartition(s.name), func(tx store.Reader) error {
			desk, err := tx.Desk()
			kept = desk.Outage
			return err
		})
		if err != nil {
			return fmt.Errorf("recall how the target does: %w", err)
		}
		s.memory.known = true
		if kept != nil {
			s.memory.class, s.memory.at = fault.Class(kept.Class), kept.Stored
			s.takeUp(kept)
		}
	}
	if !s.standing {
		s.mu.Lock()
		if s.outage != nil && s.outage.recalled {
			s.outage.next = s.opts.Now()
		}
		s.mu.Unlock()
	}
	return nil
}

func (s *sweep) takeUp(kept *store.Outage) {
	now := s.opts.Now()
	next := kept.Next
	if class := fault.Class(kept.Class); !class.Retryable() && next.After(kept.Stored.Add(s.opts.Backoff.Stuck)) {
		next = kept.Stored.Add(s.opts.Backoff.Stuck)
	}
	if s.opts.Afresh || next.Sub(now) > longestTold+longestTold/10 || next.Before(now) {
		next = now
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage != nil {
		return
	}
	s.outage = &outage{
		attempts: kept.Attempts, next: next, recalled: true,
		err: &fault.Error{Class: fault.Class(kept.Class), Err: errors.New(kept.Text), Hint: kept.Hint},
	}
	s.since = kept.Since
	if s.opts.Afresh {
		s.outage.attempts = 0
	}
}

// remember writes an outage, or that it is over, if that is to be known to the next process.
func (s *sweep) remember(ctx context.Context) error {
	if len(s.turns) == 0 && len(s.parts) == 0 {
		s.mu.Lock()
		if s.outage != nil && s.outage.recalled {
			s.outage, s.since = nil, s.opts.Now() // nothing is left that shows whether it still does
		}
		s.mu.Unlock()
	}
	now, at := s.snapshot(), s.opts.Now()
	var kept *store.Outage
	if o := now.outage; o != nil {
		kept = &store.Outage{
			Class: string(fault.ClassOf(o.err)), Text: fault.Text(o.err), Hint: fault.Hint(o.err),
			Since: now.since, Attempts: o.attempts, Next: o.next, Stored: at,
		}
	}
	class := fault.Class("")
	if kept != nil {
		class = fault.Class(kept.Class)
	}
	if !s.memory.known || class == s.memory.class && (kept == nil || now.outage.recalled || at.Sub(s.memory.at) < rememberEvery) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	err := s.store.Update(ctx, store.TargetPartition(s.name), func(tx store.Writer) error {
		desk, err := tx.Desk()
		if err != nil {
			return err
		}
		desk.Outage = kept
		return tx.PutDesk(desk)
	})
	if err != nil {
		return fmt.Errorf("remember how the target does: %w", err)
	}
	s.memory.class, s.memory.at = class, at
	return nil
}
