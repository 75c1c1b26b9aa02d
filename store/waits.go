package store

import "time"

// Wait is an action that a target neither took nor refused: it waits for something (targets.Outcome.Wait). There is at most
// one about a record and target, and nothing about that record is parked there. What is queued about the record comes
// after it.
type Wait struct {
	ID      uint64
	Target  string
	Subject string // directory.Subject
	Action  []byte // directory.AppendAction
	// Cause is the word of a targets.Cause. Key is what it waits for, if that has a name.
	Cause string
	Key   string
	// Due is when to hand it over again even if nobody says so; zero: never. What was woken is due at once.
	Due  time.Time
	Text string
	// Since is when the record began to wait for this cause.
	Since time.Time
	// Tried: it may have been sent, and may have had its effect.
	Tried bool
}

// WaitReader reads what waits in a partition.
type WaitReader interface {
	// Waits iterates over what waits at a target in ascending order of the ids, beginning after one.
	Waits(target string, after uint64, fn func(Wait) bool) error
	// WaitsOf returns what waits about records at a target, in the order of the subjects; nothing for a record that does not wait.
	WaitsOf(target string, subjects []string) ([]Wait, error)
	// WaitsDue iterates over what is due at a target by a time, the earliest first.
	WaitsDue(target string, by time.Time, fn func(Wait) bool) error
	// NextWait returns when the first of those that have a time is due; zero when none has.
	NextWait(target string) (time.Time, error)
	// WaitCounts returns how many wait at a target, by cause; those that were woken count until they are answered.
	WaitCounts(target string) (map[string]int, error)
}

// WaitWriter changes what waits in a partition.
type WaitWriter interface {
	// PutWait keeps an action. One about the same record and target is replaced; the new one takes over its id, and when
	// it waits for the same cause also since when.
	PutWait(w Wait) (id uint64, err error)
	// TryWaits says that actions may be sent from now on (Wait.Tried). Ids that do not wait are passed over.
	TryWaits(target string, ids []uint64) error
	// WakeKeys makes what waits for any of some keys due at a time, unless it is earlier. It returns how many were woken.
	WakeKeys(target string, keys []string, at time.Time) (int, error)
	// WakeRecords does the same for records, and WakeCause for everything that waits for a cause.
	WakeRecords(target string, subjects []string, at time.Time) (int, error)
	WakeCause(target, cause string, at time.Time) (int, error)
	// EndWaits removes what waits about records. It returns how many there were.
	EndWaits(target string, subjects []string) (int, error)
}
