// Package desk makes a target of a place that has things of its own: a service desk, an identity service, a database. The place
// (targets.Desk) only translates; here is decided who is who there, what may be written, and what has to wait.
//
// Records become jobs in five steps, for a handful of records at a time:
//
//   - what is known: the link of the record, what humans said of it, and the other records that could be meant (roster.go);
//   - first contact with a place is shown to a human before anything is done there (contact.go), and so is much at a time
//     later (guard.go);
//   - who is who: a survey (survey.go) or a search (look.go) gives things, which are compared with the records (correlate.go);
//   - what may be written: own.go; what it refers to: resolve.go; what to do when it is not clear: review.go;
//   - jobs are done, and what became of them is stored (apply.go) before the delivery hears of it: link first, then the outbox.
//
// The order in which this can be cut short is always the same: what was done at the place and is not in the state is found
// again by the mark that the job wrote there.
package desk

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// Desk is a targets.Target.
type Desk struct {
	store store.Store
	name  string
	id    string // tells it from the desks of other processes
	part  store.Partition
	place targets.Desk
	about targets.DeskDescription
	opts  Options
	read  Reader
	kinds []*kind // in the place's order
	began time.Time
	wake  func(keys ...string)

	turns   chan struct{} // holds a token while a Deliver, an Audit or an operator's request is under way
	roster  *roster
	edits   uint64  // the count of edits (store.DeskEdits) when the roster was read
	last    uint64  // … when this desk looked for them, or made one
	under   []*work // what is being delivered
	surveys map[directory.RecordKind]*survey
	// listings are being read, in the background, until life ends.
	listings map[directory.RecordKind]*listing
	// listed are lists that prove nothing, and looked what was found by keys beside them (Options.ByKeys).
	listed map[directory.RecordKind]*survey
	looked map[string]lookedUp
	// untrusted are searches that were tried in vain, while many records are looked up.
	untrusted map[search]bool
	life      context.Context
	endLife   context.CancelFunc
	closing   sync.Once
	trusted   map[search]time.Time // searches that were seen to find what is there
	refs      map[reference]resolved
	state     store.DeskState
	met       bool // the first contact is over
	planned   plannedContact
	stopped   map[stop]map[string]bool // records that the guard has stopped
	// amounts are what the guard counted in this round.
	amounts map[stop]*amount
	// taken are the records of a round, not stored yet, that go on because so many were approved.
	taken map[stop]map[string]bool
	turn  time.Time // when the Deliver that is under way began
	// first is when an action that may have been sent before was first seen, or was sent last, of those whose effect is not found.
	first map[string]time.Time
	// waitsFor says which record another one waits for because that has what it needs.
	waitsFor map[string]string
}

// kind is a kind of record that goes to the place.
type kind struct {
	targets.DeskKind
	keys   []targets.DeskKey
	values []func(*directory.Action) string
	rank   int
}

// New makes a target of a place. The store stays the caller's; the place is closed with the target.
func New(st store.Store, name string, place targets.Desk, opts Options) *Desk {
	d := &Desk{
		store: st, name: name, id: rand.Text(), part: store.TargetPartition(name), place: place, about: place.Describe(), opts: opts.withDefaults(),
		surveys: map[directory.RecordKind]*survey{}, trusted: map[search]time.Time{}, refs: map[reference]resolved{},
		first: map[string]time.Time{}, waitsFor: map[string]string{}, stopped: map[stop]map[string]bool{}, amounts: map[stop]*amount{}, taken: map[stop]map[string]bool{},
	}
	d.listings, d.listed, d.looked = map[directory.RecordKind]*listing{}, map[directory.RecordKind]*survey{}, map[string]lookedUp{}
	d.life, d.endLife = context.WithCancel(context.Background())
	d.turns = make(chan struct{}, 1)
	d.read, d.wake = NewReader(opts.Blanks), func(...string) {}
	d.began = d.opts.Now()
	for i, k := range d.about.Kinds {
		if len(opts.Kinds) > 0 && !slices.Contains(opts.Kinds, k.Kind) {
			continue
		}
		made := &kind{DeskKind: k, rank: i}
		for _, m := range opts.Match[k.Kind] {
			at := slices.IndexFunc(k.Keys, func(key targets.DeskKey) bool { return key.Name == m.Key })
			if at < 0 {
				continue // the configuration has been checked; see Options.Match
			}
			key := k.Keys[at]
			key.Within, key.Proposes = key.Within || m.Within, key.Proposes || m.Proposes
			made.keys, made.values = append(made.keys, key), append(made.values, m.Value)
		}
		d.kinds = append(d.kinds, made)
	}
	return d
}

// Describe implements targets.Target. A place works on few things at a time; who is handed over together shares requests.
func (d *Desk) Describe() targets.Description {
	return targets.Description{Batch: max(d.about.Batch, d.opts.Batch), AcrossPartitions: true, Ranked: true}
}

// WakeBy implements targets.Waker. What waits for an approval may have got it when the last process ended.
func (d *Desk) WakeBy(wake func(keys ...string)) {
	d.wake = wake
	wake(contactKey, guardKey)
}

// Check implements targets.Target.
func (d *Desk) Check(ctx context.Context) error { return d.place.Check(ctx) }

// Reopen implements targets.Target.
func (d *Desk) Reopen() error { return d.place.Reopen() }

// Close implements targets.Target. It waits for whoever is at work, such as an audit, which then ends. Again it does nothing.
func (d *Desk) Close() (err error) {
	d.closing.Do(func() {
		d.endLife()
		d.turns <- struct{}{} // for good
		for _, l := range d.listings {
			<-l.done
		}
		err = d.place.Close()
	})
	return err
}

// lock waits for whoever is at work. A place may take its time.
func (d *Desk) lock(ctx context.Context) error {
	select {
	case d.turns <- struct{}{}:
		return nil
	case <-d.life.Done():
		return &fault.Error{Class: fault.Conflict, Op: "work at the target", Where: d.name, Err: errors.New("it was set up anew meanwhile"), Hint: "ask again"}
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Desk) unlock() { <-d.turns }

// longTurn is begin for what may take long: it is to be done under the context that comes back, which ends with the desk, too. end gives the turn back.
func (d *Desk) longTurn(ctx context.Context) (_ context.Context, end func(), err error) {
	if err := d.begin(ctx); err != nil {
		return ctx, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(d.life, cancel)
	return ctx, func() { stop(); cancel(); d.unlock() }, nil
}

// work is a record on its way to the place.
type work struct {
	*directory.Action
	again   bool
	subject string
	kind    *kind
	// link is what the state has, and then what it will have; not are the things that a human ruled out.
	link   store.Link
	not    []string
	review *store.Review // that waits already
	read   stamp         // of the link and the review, as they were read
	// entity is the thing as it was read for this work; nil when it was not.
	entity  *targets.Entity
	verdict Verdict
	job     *targets.Job
	class   Class
	// overwrites: the adoption replaces what somebody wrote there.
	overwrites bool
	// wrote are the digests of what the job writes, for the link.
	wrote map[string]store.Digest
	refs  map[string]string
	// owed is a record that has to be known before the rest can be done.
	owed string

	adopted bool
	// steppedAside: it has an interim value, and who waits for what it had may go on.
	steppedAside bool

	outcome targets.Outcome
	settled bool          // the outcome is known
	save    bool          // the link is to be stored
	ask     *store.Review // is to be stored
	// forgotten: the state did not know of the thing, which has our mark; only what is blank there and what changed is written.
	forgotten bool
}

func (w *work) done()                  { w.outcome, w.settled = targets.Outcome{}, true }
func (w *work) fail(err error)         { w.outcome, w.settled = targets.Outcome{Err: err}, true }
func (w *work) wait(wait targets.Wait) { w.outcome, w.settled = targets.Outcome{Wait: &wait}, true }

// Deliver implements targets.Target.
func (d *Desk) Deliver(ctx context.Context, list []targets.Delivery) ([]targets.Outcome, error) {
	if err := d.lock(ctx); err != nil {
		return nil, err
	}
	defer d.unlock()
	if err := d.catchUp(ctx, true); err != nil {
		return nil, err
	}
	d.turn = d.opts.Now()
	all := make([]*work, len(list))
	var todo []*work
	for i := range list {
		a := &list[i].Action
		w := &work{Action: a, again: list[i].Again, subject: directory.Subject(a.Kind, a.Record), kind: d.kind(a.Kind)}
		all[i] = w
		if w.kind == nil {
			w.done() // it passes by
			continue
		}
		todo = append(todo, w)
	}
	if err := d.deliver(ctx, todo); err != nil {
		return nil, err
	}
	outcomes := make([]targets.Outcome, len(all))
	for i, w := range all {
		outcomes[i] = w.outcome
	}
	return outcomes, nil
}

func (d *Desk) deliver(ctx context.Context, todo []*work) error {
	if len(todo) == 0 {
		return nil
	}
	d.under = todo
	defer func() { d.under = nil }()
	if err := d.know(ctx, todo); err != nil {
		return err
	}
	if wait, err := d.contact(ctx); err != nil {
		return err
	} else if wait != nil {
		if todo, err = d.chosen(ctx, todo); err != nil {
			return err
		}
	}
	// Kinds that others refer to go first: what they come to is stored before the next kind is looked at.
	slices.SortStableFunc(todo, func(a, b *work) int { return a.kind.rank - b.kind.rank })
	for len(todo) > 0 {
		n := 1
		for n < len(todo) && todo[n].kind == todo[0].kind {
			n++
		}
		if err := d.round(ctx, todo[:n]); err != nil {
			return err
		}
		todo = todo[n:]
	}
	return nil
}

// round does what is to be done about records of one kind.
func (d *Desk) round(ctx context.Context, todo []*work) error {
	clear(d.amounts) // of a round that was not stored
	clear(d.taken)
	if err := d.load(ctx, todo); err != nil {
		return err
	}
	if !d.met {
		todo = stillChosen(todo)
	}
	if err := d.look(ctx, todo); err != nil {
		return err
	}
	for _, w := range todo {
		if !w.settled {
			if err := d.decide(ctx, w); err != nil {
				return err
			}
		}
	}
	if err := d.apply(ctx, todo); err != nil {
		return err
	}
	return d.record(ctx, todo)
}

func (d *Desk) kind(of directory.RecordKind) *kind {
	for _, k := range d.kinds {
		if k.Kind == of {
			return k
		}
	}
	return nil
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
