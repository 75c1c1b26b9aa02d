package settle

import (
	"context"
	"errors"

	"dirsyncd/sync/directory"
)

var errEnough = errors.New("enough")

// Visit shows the actions of the plan as Preview does, until visit returns false: it works out no more than that, and stores
// nothing. An action is good until visit returns. What is worked out of a plan that waits is what waits. The Settlement is of no use for anything else then.
func (s *Settlement) Visit(ctx context.Context, visit func(*directory.Action) bool) error {
	if s.counted {
		if err := s.assignSeats(ctx); err != nil {
			return err
		}
	}
	err := s.pass(ctx, nil, func(_ context.Context, b *batch) error {
		for i := range b.outcomes {
			for _, a := range b.outcomes[i].again {
				if !visit(a) {
					return errEnough
				}
			}
			for _, step := range b.outcomes[i].steps {
				if step.Action != nil && !visit(step.Action) {
					return errEnough
				}
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
