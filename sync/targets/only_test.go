package targets

import (
	"context"
	"errors"
	"testing"

	"dirsyncd/sync/directory"
)

// spy answers each action with an error that is its key.
type spy struct {
	Target
	got []string
}

func (s *spy) Deliver(_ context.Context, work []Delivery) ([]Outcome, error) {
	out := make([]Outcome, len(work))
	for i := range work {
		s.got = append(s.got, work[i].Action.Key)
		out[i].Err = errors.New(work[i].Action.Key)
	}
	return out, nil
}

type wakingSpy struct{ spy }

func (*wakingSpy) WakeBy(func(...string)) {}

func (*wakingSpy) CatchUp(context.Context) error { return nil }

func TestOnly(t *testing.T) {
	work := make([]Delivery, 4)
	for i, kind := range []directory.RecordKind{directory.GroupRecord, directory.UserRecord, directory.AgentRecord, directory.UserRecord} {
		work[i].Action = directory.Action{Key: string(rune('a' + i)), Kind: kind}
	}
	s := &spy{}
	out, err := Only([]directory.RecordKind{directory.UserRecord, directory.AssetRecord}, s).Deliver(t.Context(), work)
	if err != nil || len(out) != 4 || len(s.got) != 2 {
		t.Fatalf("%v, %v, got %v", out, err, s.got)
	}
	for i, want := range []string{"", "b", "", "d"} {
		if got := out[i].Err; (got == nil) != (want == "") || got != nil && got.Error() != want {
			t.Errorf("%d: %v, not %q", i, got, want)
		}
	}
	if out, err := Only([]directory.RecordKind{directory.SiteRecord}, s).Deliver(t.Context(), work); err != nil || len(out) != 4 || len(s.got) != 2 {
		t.Errorf("%v, %v, got %v", out, err, s.got)
	}
	if Only(nil, s) != Target(s) {
		t.Error("all kinds: there is nothing to put around it")
	}
	if _, wakes := Only([]directory.RecordKind{directory.UserRecord}, &wakingSpy{}).(Waker); !wakes {
		t.Error("who wakes does so no more")
	}
	if _, wakes := Only([]directory.RecordKind{directory.UserRecord}, s).(Waker); wakes {
		t.Error("who does not wake does")
	}
}
