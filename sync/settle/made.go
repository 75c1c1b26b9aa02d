package settle

import (
	"context"

	"dirsyncd/sync/directory"
)

// What the first pass works out is what the second one would, where nothing waits, nobody approves and no list depends on who is left alone.
// A small plan is kept for Apply then. A larger one is worked out twice, so that the memory of a settling does not follow the size of the
// tenant. Whatever changes between the two is what may change between working out a batch and storing it: One, and commit looks for that.

// made is a plan that is kept.
type made struct {
	batches []*batch
	size    int
	over    bool // it is too large, or the second pass would come to something else
}

// keepsPlan reports whether the second pass may do with what the first one has worked out.
func (s *Settlement) keepsPlan() bool {
	return s.Approve == "" && !s.counted && len(s.Replaces) == 0 && !s.uses.Records[directory.Group] && !s.uses.Records[directory.Licence]
}

// keep takes a batch from the pass, with its memory. All of a plan together is as large as a batch of a larger one.
func (m *made) keep(s *Settlement, b *batch) {
	m.size += len(b.outcomes)
	m.over = m.over || m.size > s.Chunk
	for i := range b.outcomes {
		m.over = m.over || b.outcomes[i].differsInApply()
	}
	if m.over {
		m.batches = nil
		return
	}
	m.batches = append(m.batches, &batch{kind: b.kind, outcomes: b.outcomes})
	b.outcomes, b.room = nil, nil
}

// differsInApply reports whether the second pass may come to another outcome, or at another time.
func (o *outcome) differsInApply() bool {
	postponed := o.leaves && (o.kind == directory.Customer || o.kind == directory.Site)
	return o.unprovenRemoval || o.deferred || o.waits || o.beyond || len(o.again) > 0 || postponed
}

// applyMade hands on what was kept, as a pass would.
func (s *Settlement) applyMade(ctx context.Context, use func(context.Context, *batch) error) error {
	batches, done := s.made.batches, 0
	s.made = nil
	for i, b := range batches {
		batches[i] = nil
		if err := use(ctx, b); err != nil {
			return err
		}
		done += len(b.outcomes)
		s.Progress(done, s.amount())
	}
	return nil
}
