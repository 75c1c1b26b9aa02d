// Package settle makes records and actions of the objects that changed. It works out whom to look at (worklist.go),
// applies the rules to them (pass.go, evaluate.go, lists.go), holds what looks like an accident (preview.go), and stores
// the rest (commit.go).
//
// It goes over the work twice: the first pass only counts, so that the guard sees the whole plan before the first
// action is stored; the second one, which is the same pure function of the same input, stores. Nothing of a plan needs
// to fit in memory for that.
package settle

import (
	"context"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/relations"
)

// Chunk is how many objects are settled in one transaction, usually.
const Chunk = 2000

// Stage is the word by which an object is parked for which the rules fail.
const Stage = "map"

// State is what is stored of the tenant. Nobody else changes it during a settling, but that One may settle somebody beside it.
type State interface {
	View(ctx context.Context, fn func(store.Reader) error) error
	Update(ctx context.Context, fn func(store.Writer) error) error
}

// Stream is a stream that the tenant has, and what it lists.
type Stream struct {
	Name  string
	Kinds []directory.Kind
}

// Task is a tenant that is to be settled, and by what.
type Task struct {
	Partition store.Partition
	State     State
	Streams   []Stream
	Rules     *mapping.Ruleset
	// SameRules: the stored records were made by these rules. Otherwise everybody is looked at.
	SameRules bool
	// Less says what is read no longer from which the stored records were made, in words that go on after "the plan would".
	// Whatever follows waits then.
	Less  []string
	Guard plan.Guard
	Lists plan.Lists
	// Shared are the limits for all tenants of the connection together. Charge adds what a tenant is about to do to what the
	// others did in the same run, unless that goes beyond them: then nothing is added, and each breach is of something that the tenant is
	// about to do. It is asked again without what waits for that, until nothing is beyond. It is nil when there is nothing to share.
	Shared plan.Shared
	Charge func(context.Context, plan.Done) ([]plan.Breach, error)
	// Over are the limits over time, and History what was done before. Count keeps what is done unasked, in the transaction that
	// does it; nil: nobody does. OverOthers are those that Charge knows besides, of all tenants and all connections.
	Over       []plan.Over
	OverOthers []plan.Over
	History    plan.History
	Count      func(store.Writer, plan.Done) error
	Targets    []string
	Source     mapping.Source
	Origin     directory.Origin // of the tenant's objects; the id is empty
	Run        directory.Stamp
	// Initial: it is the tenant's first settling, or goes on with one that was cut (directory.Action).
	Initial bool
	Chunk   int // how many objects are settled in one transaction
	// Rescoped: the source lists by another scope than when everything was last settled, so who is new may have been there all the time.
	Rescoped bool
	// At is the moment for which rules are asked about time, and what is due is due; zero: that of Run. Both passes go by it.
	At time.Time
	// Approve is the hash of the plan that may go ahead, and Held the one that waits, or that waited and was thrown away.
	Approve string
	Held    *store.HeldPlan
	// Older says by how much the source knows less than was read from it before: all that follows waits. Empty when not.
	Older string
	// Replaces are those whose record takes the place of another connection's, or of whose record another one's takes the place: that record's
	// directory.Subject, by number.
	Replaces map[store.Num]string
	// Beyond: somebody may be there of whom the operator decides (directory.FieldSignedInBeyond).
	Beyond bool
	// Undone: some records may have what an operator has undone (directory.Undone).
	Undone bool
	// Keep is how much is kept of what is sent.
	Keep Keep
	// SeatQueue are those who wait for a seat, in their order.
	SeatQueue []store.Num
	// SeatsBeside lists the other tenants whose records take seats of the same number, and keeps them from taking any until the run
	// ends; nil: there are none. It is called once, when somebody wants a seat.
	SeatsBeside func(context.Context) ([]State, error)
	// Queued hears of every target for which actions were queued.
	Queued func(target string)
	// Parked hears of every object that was parked.
	Parked func(kind directory.Kind, id string, class fault.Class, more ...any)
	// Acted hears of every action that was queued, in order; nil when nobody listens. The action is good until it returns, its texts for good.
	Acted func(*directory.Action)
	// Progress hears how many objects of all are worked out.
	Progress func(done, total int)
}

// Settlement is one settling of a tenant: Prepare, Preview, Apply, Close, in this order.
type Settlement struct {
	*Task
	uses mapping.Uses
	// worklist is what to look at, by kind and number.
	worklist [directory.Site + 1]*roaring.Bitmap
	// basis says what of that by which rules tell people apart is missing without proof: groups or all their members,
	// licences, managers, customers, sites; in words that go on after "the plan would". Everything that follows waits.
	basis []string
	// deferUnproven leaves those alone whose absence is not proven.
	deferUnproven bool
	// moved are the people about whom something changed, or is due: all others are looked at because the rules are others than before.
	// Nil when they are the same.
	moved *roaring.Bitmap
	// remapped are the people who wait since the rules, and not they, changed (store.Remapped), and restless those of them about whom
	// something has changed since.
	remapped, restless roaring.Bitmap
	// timed: outcomes have times, or had some.
	timed    bool
	approved bool
	hold     *hold // what of the plan waits; nil while that is not known, and when nothing does
	// deferredGroups are left alone for now; their marks stay.
	deferredGroups *roaring.Bitmap
	// groups remembers groups for the goroutine that works out, storedGroups for the one that stores.
	groups, storedGroups relations.Groups
	// The goroutine that works out takes the memory of the batch before again, and that of the object before for what rules want of it.
	objects          relations.Memory
	candidatesBefore []candidate
	wanting          mapping.Memory
	person           mapping.Person
	room             *room      // of the batch that is worked out
	spare            chan *room // of a batch that is done
	presence         presence
	references       References
	matches          Matches
	kept             int                   // actions of the run that are remembered
	sent             []directory.RunAction // memory for those of one batch
	// counted: there are seats to count. seatless are those who wait for one, nil while that is not known; queue are they in
	// their order, by the seats for which they wait in seats, and in words in seatNotes.
	counted   bool
	byField   []store.TakenSeats // those that are told apart by a field, none taken
	miscount  bool               // those that are stored are others
	seatless  *roaring.Bitmap
	queue     []store.Num
	seats     []store.Seats
	seatNotes []string
	// alone names the last settling of One before this one looked, and overtaken says that there was another one since.
	alone     string
	overtaken bool
	// replacing are those of Replaces who have an active record afterwards, and its kind.
	replacing map[store.Num]directory.RecordKind
	// made is the plan as the first pass has worked it out, where Apply may do with it.
	made *made
	// last are people whom Close forgets.
	last []store.Num
}

// Prepare works out whom to look at: what is dirty, everybody whom that touches, and everybody there is when
// the rules are not those with which the records were made.
func Prepare(ctx context.Context, t *Task) (*Settlement, error) {
	s := newSettlement(t)
	err := s.State.View(ctx, func(tx store.Reader) error {
		if err := s.mustBeComplete(tx); err != nil {
			return err
		}
		state, err := tx.Tenant()
		if err != nil {
			return err
		}
		s.alone, s.Beyond, s.Undone, s.miscount = state.Alone, s.Beyond || state.Beyond, s.Undone || state.Undone, !sameSeats(state.Taken, s.byField)
		if err := s.checkBasis(tx); err != nil {
			return err
		}
		if err := s.lookForDues(tx); err != nil {
			return err
		}
		if err := s.lookForMoved(tx); err != nil || !s.SameRules {
			return err
		}
		if err := s.addDirty(tx); err != nil {
			return err
		}
		if err := s.addDue(tx, s.at()); err != nil {
			return err
		}
		return s.addNaming(tx)
	})
	if err == nil && !s.SameRules {
		err = s.addAll(ctx)
	}
	return s, err
}

func newSettlement(t *Task) *Settlement {
	s := &Settlement{Task: t, uses: t.Rules.Uses(), deferredGroups: roaring.New(), replacing: map[store.Num]directory.RecordKind{}}
	for kind := range s.worklist {
		s.worklist[kind] = roaring.New()
	}
	s.counted, s.byField = LimitsSeats(s.Rules), uncounted(s.Rules)
	return s
}

// Replacing says which kind of record one of Task.Replaces has when all is settled that does not wait; false when none.
func (s *Settlement) Replacing(n store.Num) (kind directory.RecordKind, ok bool) {
	kind, ok = s.replacing[n]
	return kind, ok && !s.comers().Contains(uint32(n))
}

// Alone names the last settling of somebody alone (One) of which the settlement knows.
func (s *Settlement) Alone() string { return s.alone }

// Apply is the second pass: it stores what the plan says, and returns the counts of what it has stored. Whose absence
// is not proven is left alone unless the operator says so, even when nothing would follow now. The actions are queued in an
// order that a target can follow: customers and sites come before those who belong to them, and go after them.
func (s *Settlement) Apply(ctx context.Context) (plan.Counts, error) {
	s.deferUnproven = !s.approved
	counts := plan.Counts{}
	apply := func(ctx context.Context, b *batch) error {
		if err := s.commit(ctx, b); err != nil {
			return err
		}
		for i := range b.outcomes {
			for _, step := range b.outcomes[i].steps {
				if step.Action != nil {
					counts.Add(step.Action.Kind, step.Action.Op)
				}
			}
		}
		return nil
	}
	if s.made != nil {
		return counts, s.applyMade(ctx, apply)
	}
	return counts, s.pass(ctx, newLeavers(), apply)
}

// Close returns what is to be stored at the end, together with the rules by which everything is settled then: what has
// no outcome of its own, and what the operator approved. It is nil when that is nothing.
func (s *Settlement) Close() func(store.Writer) error {
	groups := roaring.AndNot(s.worklist[directory.Group], s.deferredGroups)
	if groups.IsEmpty() && !s.approved && !s.miscount {
		return nil
	}
	return func(tx store.Writer) error {
		if err := s.countAnew(tx); err != nil {
			return err
		}
		beside, err := s.lookBeside(tx)
		if err == nil && !beside {
			err = tx.ClearDirty(directory.Group, relations.Nums(groups))
		}
		if err != nil || !s.approved {
			return err
		}
		for _, n := range s.last {
			if err := (relations.Marker{}).Forget(tx, n); err != nil {
				return err
			}
		}
		if err := tx.ClearDirty(directory.Person, s.last); err != nil {
			return err
		}
		return s.acceptScopes(tx)
	}
}

// acceptScopes makes what the operator approved the measure of later reads.
func (s *Settlement) acceptScopes(tx store.Writer) error {
	for _, stream := range s.Streams {
		state, err := tx.Stream(stream.Name)
		if err != nil {
			return err
		}
		if state.NewScope == "" && !state.Emptied {
			continue
		}
		if state.NewScope != "" {
			state.Scope, state.NewScope = state.NewScope, ""
		}
		state.Emptied = false
		if err := tx.PutStream(stream.Name, state); err != nil {
			return err
		}
	}
	return nil
}
