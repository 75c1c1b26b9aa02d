// Package read brings the stored objects of one tenant up to date with its source. A page is compared with what is
// stored; what differs is stored in one transaction with the dirty marks that it causes and the stream's cursor (page.go,
// objects.go, members.go). What a full read did not list is gone when the listing is proven (sweep.go).
package read

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/patience"
	"dirsyncd/sync/relations"
)

const (
	// attempts is how often one stream is tried in a run before the run fails and the schedule decides.
	attempts = 4
	// longestWait is the longest that a run waits for a source which asks for patience; beyond it the run
	// fails and the schedule decides.
	longestWait = 10 * time.Minute
)

// Stage is the word by which an entry that could not be read is parked.
const Stage = "read"

// State is what is stored of the tenant. Nobody else changes it during a read.
type State interface {
	View(ctx context.Context, fn func(store.Reader) error) error
	Update(ctx context.Context, fn func(store.Writer) error) error
}

// Task is a tenant that is to be read, and with what.
type Task struct {
	Source connectors.Connector
	Tenant connectors.Tenant
	// Streams are those that the tenant has, in the order in which they are read.
	Streams []connectors.Stream
	// RemovedInFull are the kinds of object that a delta does not take away.
	RemovedInFull []directory.Kind
	// Full reads everything even where the source could tell what changed.
	Full bool
	// Older takes a source that knows less than was read from it before (connectors.Request).
	Older bool
	// Dry reads for a plan (connectors.Request).
	Dry   bool
	State State
	Marks relations.Marker
	// Began is when the run began: the time of what it parks.
	Began time.Time
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error
	Log   *slog.Logger
	// Note hears what is odd and no error.
	Note func(text string)
	// Parked hears of every entry that was parked; the id is empty where it may not be logged.
	Parked func(kind directory.Kind, id string, class fault.Class, more ...any)
	// Program names the build that runs: another one may make something else of the same bytes. Empty: nothing is kept that hangs on it.
	Program func() string
	// Progress hears how many objects of a stream have come.
	Progress func(stream string, objects int)
}

// Result is what a read found, whether it came to its end or not.
type Result struct {
	Read, Changed, Removed int // objects
	// Full: every stream was read in full.
	Full bool
	// Inconclusive: a listing came to its end and proves nothing.
	Inconclusive bool
	// Doubtful: what a list did not name stays until the next list.
	Doubtful bool
	// Older says by how much the source knows less than was read from it before; empty when it knows that and more.
	Older string
	// Rescoped: a stream was listed by another scope than the one before, for the first time: who is new may have been there all the time.
	Rescoped bool
	// Unproven says what is missing without proof, if anything: only another full read can tell.
	Unproven string
	// Domains are all mail domains of the tenant, lower-case and in order; none where nobody told.
	Domains []string
	// Spared: the source took something away that a delta does not (Task.RemovedInFull).
	Spared bool
	// Named are the objects of which a read of some by their ids said something: that they are there, gone, or not readable.
	Named []directory.Ref
}

func (t *Task) note(format string, args ...any) { t.Note(fmt.Sprintf(format, args...)) }

// Streams brings the store up to date with the source, one stream after the other. It fails as a whole: nothing
// may be settled from a read that could not read everything, because half of an answer gives wrong records.
//
// What is found is in found before anything is stored from which it follows that the source would not say it again: who
// stores may keep Older, Rescoped and Unproven in the same transaction.
func Streams(ctx context.Context, t *Task, found *Result) error {
	found.Full = true
	m, err := openMoves(ctx, t)
	if err != nil {
		return err
	}
	var told []connectors.Stream // that said what changed, and maybe not all of it
	for _, s := range t.Streams {
		mode, err := readStream(ctx, t, found, s, m, manner{})
		if err != nil {
			return err
		}
		found.Full = found.Full && mode == connectors.Full
		if mode == connectors.Delta && s.Rewritten != "" {
			told = append(told, s)
		}
	}
	return m.follow(ctx, t, found, told)
}

// manner says how a stream is to be read. The zero value is as its cursor allows.
type manner struct {
	full bool
	// changes: only what changed, whatever the run is.
	changes bool
	// handles and ids are what to ask for in Referrers mode. byID: the ids are all that is asked for.
	handles, ids []string
	byID         bool
}

// readStream reads one stream to its end, and acts on the class of every error of the source on the way. What the
// store fails with ends the run.
func readStream(ctx context.Context, t *Task, found *Result, s connectors.Stream, m *moves, how manner) (connectors.Mode, error) {
	for try := 1; ; try++ {
		l, err := openListing(ctx, t, found, s, m, how)
		if err != nil {
			return 0, err
		}
		err = l.read(ctx)
		if err == nil {
			return l.mode, nil
		}
		if l.unstored != nil {
			return 0, l.unstored // to ask the source again would not help, and would load it for nothing
		}
		class := fault.ClassOf(err)
		expired := class == fault.CursorExpired
		switch {
		case try == attempts || ctx.Err() != nil || !expired && !class.Retryable():
			return 0, err
		case expired && how.byID:
			return 0, err // the next read of the stream finds out
		case expired:
			if err := l.beginAnew(ctx, err); err != nil {
				return 0, err
			}
			if l.mode != connectors.Full || try == 1 {
				continue
			}
		}
		wait := backoff(try, fault.After(err))
		if wait > longestWait {
			return 0, err
		}
		t.Log.Warn("source failed, trying again", "stream", s.Name, "class", class, "err", err, "wait", wait.Round(time.Millisecond))
		patience.Waits(ctx)
		if err := t.Sleep(ctx, wait); err != nil {
			return 0, err
		}
	}
}

// beginAnew has the stream read in full from its beginning, because the source no longer takes a cursor, or has lost its
// place in the middle of a list.
func (l *listing) beginAnew(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, connectors.ErrListedAnew):
		l.Log.Debug("read in full", "stream", l.stream.Name, "why", err)
	case l.mode == connectors.Full:
		l.note("%s: the source lost its place in the middle of a full read, which began anew: %s", l.stream.Name, fault.Text(err))
	default:
		l.note("%s: the source could not say what changed since the last run, so everything was read: %s", l.stream.Name, fault.Text(err))
	}
	return l.forgetCursor(ctx)
}

// backoff is 1, 4, 16 s with jitter, or what the source asked for.
func backoff(try int, asked time.Duration) time.Duration {
	if asked > 0 {
		return asked
	}
	base := time.Second << (2 * (try - 1))
	return base/2 + rand.N(base)
}
