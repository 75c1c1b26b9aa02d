package postgres

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
)

// Leases are rows: who holds one, and a fencing number that is another one with each holder. Whether a holder is alive its process says
// for all of its leases, in its row of worker: a sign of life in the row of each lease would wait for the process's own transactions,
// which have that row locked, and a healthy lease would end. Times are the database's, or durations of the process. Clocks do
// not matter.
//
// Who was late once is dead for ever: it takes part again under another id. Of whom is dead, whoever wants the lease ends the
// sessions: a transaction of a process that stands still would hold the row, and hand-over would take as long as the server's time limits.
const (
	// defaultLeaseFor is how long a process is alive after a sign of life; beatEvery is how often it gives one.
	defaultLeaseFor = 6 * time.Second
	beatEvery       = 1500 * time.Millisecond
	// tryAgain is how long somebody who waits for a lease lets the database rest when it could not be asked.
	tryAgain = 700 * time.Millisecond
	// leaseIO bounds a statement about leases: one that hangs leaves time for another before this process takes itself for dead (left).
	leaseIO = 2500 * time.Millisecond
)

// leases are those of this process.
type leases struct {
	s        *Store
	leaseFor time.Duration
	line     leaseLine

	mu   sync.Mutex
	id   pgtype.UUID // of this process's row of worker; not valid while it has none
	held map[string]*lease
	// awaited are the leases of other processes that somebody here waits for. With each sign of life it is looked which of them are free: one
	// question, however many wait.
	awaited map[string]*awaited
	// life is when, by its own clock, this process is dead to others unless it gives another sign; beat gives that.
	life, beat timer
	// now and afterFunc are the clock's.
	now       func() time.Time
	afterFunc func(time.Duration, func()) timer
}

// timer is a time.Timer, or one of a test.
type timer interface {
	Stop() bool
	Reset(d time.Duration) bool
}

// lease is one that was had.
type lease struct {
	name   string
	holder pgtype.UUID
	fence  int64
	// writing is how many transactions under it are not over. Nobody takes it over meanwhile, even when its holder gave it back.
	writing        int
	released, lost bool
	// free is closed when those of this process who wait may take it.
	free chan struct{}
	end  context.CancelCauseFunc // ends the holder's context
}

// awaited is a lease that another process has.
type awaited struct {
	free chan struct{} // closed when it is worth another try
	by   int           // how many wait
}

func newLeases(s *Store, leaseFor time.Duration) *leases {
	if leaseFor == 0 {
		leaseFor = defaultLeaseFor
	}
	l := &leases{s: s, leaseFor: leaseFor, held: map[string]*lease{}, awaited: map[string]*awaited{}, line: leaseLine{config: s.lineConfig()}, now: time.Now}
	l.afterFunc = func(d time.Duration, fn func()) timer { return time.AfterFunc(d, fn) }
	if !s.pooled {
		l.line.begin = s.use
	}
	return l
}

// leaseKey is the key of a context's holding of a store.
type leaseKey struct{ s *Store }

// holding is a lease, and those that its context had before.
type holding struct {
	*lease
	outer *holding
}

func (s *Store) holding(ctx context.Context) *holding {
	h, _ := ctx.Value(leaseKey{s}).(*holding)
	return h
}

// Lease implements store.Store. A holder is alive as long as its process gives signs of life, whatever ttl says.
func (s *Store) Lease(ctx context.Context, name string, ttl time.Duration) (context.Context, func(), error) {
	outer := s.holding(ctx)
	for h := outer; h != nil; h = h.outer {
		if h.name == name {
			return nil, nil, misuse("lease %q is asked for by its holder", name)
		}
	}
	if name == "" || ttl <= 0 {
		return nil, nil, misuse("there is no lease %q for %s", name, ttl)
	}
	mine := &lease{name: name, free: make(chan struct{})}
	under, end := context.WithCancelCause(context.WithValue(ctx, leaseKey{s}, &holding{mine, outer}))
	mine.end = end
	for {
		if err := ended(under, "wait for a lease"); err != nil {
			end(nil)
			return nil, nil, err
		}
		taken, free, err := s.leases.take(under, mine)
		switch {
		case err != nil && !again(err) && !errors.Is(err, context.DeadlineExceeded): // that of a statement: the caller's is looked at above
			end(nil)
			if ended := ended(ctx, "wait for a lease"); ended != nil {
				return nil, nil, ended
			}
			return nil, nil, s.classify("take a lease", err)
		case taken:
			return under, func() { s.leases.release(mine) }, nil
		case err != nil:
			s.noteAway(err)
			waitFor(ctx, tryAgain)
		case free != nil:
			waitForFree(ctx, free)
		default:
			s.leases.await(ctx, name)
		}
	}
}

// waitForFree waits until a channel is closed or the context ends.
func waitForFree(ctx context.Context, free <-chan struct{}) {
	select {
	case <-free:
	case <-ctx.Done():
	}
}

// await waits until a lease that another process had may be free, or the context ends.
func (l *leases) await(ctx context.Context, name string) {
	l.mu.Lock()
	if !l.id.Valid { // nobody would look
		l.mu.Unlock()
		return
	}
	a := l.awaited[name]
	if a == nil {
		a = &awaited{free: make(chan struct{})}
		l.awaited[name] = a
	}
	a.by++
	l.mu.Unlock()
	waitForFree(ctx, a.free)
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.by--; a.by == 0 && l.awaited[name] == a {
		delete(l.awaited, name)
	}
}

// wake has those try who wait for leases of other processes.
func (l *leases) wake(names ...string) {
	for _, name := range names {
		if a := l.awaited[name]; a != nil {
			close(a.free)
			delete(l.awaited, name)
		}
	}
}

// take takes a lease that nobody holds, or whose holder is dead. Where there is a holder in this process it returns what to wait for.
func (l *leases) take(ctx context.Context, mine *lease) (taken bool, free <-chan struct{}, err error) {
	l.line.mu.Lock()
	defer l.line.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, leaseIO) // what others do meanwhile takes nothing of it
	defer cancel()
	for range 3 { // under a new id, when it turns out that this process was dead; and when a dead one's sessions were only just ended
		id, err := l.join(ctx)
		if err != nil {
			return false, nil, err
		}
		l.mu.Lock()
		other := l.held[mine.name]
		l.mu.Unlock()
		alive, ended, fence, err := l.line.take(ctx, l.s, id, mine.name, other == nil)
		switch {
		case err != nil:
			return false, nil, err
		case !alive:
			l.die(id)
			continue
		case fence == 0 && ended > 0:
			waitFor(ctx, firstPause)
			continue
		case fence == 0 && other != nil:
			return false, other.free, nil
		case fence == 0:
			return false, nil, nil
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.id != id { // it died, by its own clock, while the answer was on its way
			return false, nil, nil
		}
		mine.holder, mine.fence = id, fence
		l.held[mine.name] = mine
		return true, nil, nil
	}
	return false, nil, nil
}

// join gives this process a row of worker, unless it has one. The line is the caller's.
func (l *leases) join(ctx context.Context) (pgtype.UUID, error) {
	l.mu.Lock()
	id := l.id
	l.mu.Unlock()
	if id.Valid {
		return id, nil
	}
	id, sent := newID(), l.now()
	if err := l.line.join(ctx, l.s, id, l.leaseFor); err != nil {
		return id, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.id = id
	l.life = l.afterFunc(l.left(sent), func() { l.die(id) })
	l.beat = l.afterFunc(beatEvery, func() { l.live(id) })
	return id, nil
}

// left is how long this process may take itself for alive after a sign of life that it sent at a time: less than others do.
func (l *leases) left(sent time.Time) time.Duration {
	return l.leaseFor - l.leaseFor/6 - l.now().Sub(sent)
}

// live gives a sign of life, has those try whose lease may be free, and gives back what nobody here has: what could not be given back before,
// and what was taken for somebody who had left when the answer came.
func (l *leases) live(id pgtype.UUID) {
	l.line.mu.Lock()
	defer l.line.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), leaseIO)
	defer cancel()
	l.mu.Lock()
	held, waited := slices.Collect(maps.Keys(l.held)), slices.Collect(maps.Keys(l.awaited))
	current := l.id == id
	l.mu.Unlock()
	if !current {
		return
	}
	sent := l.now()
	alive, free, err := l.line.live(ctx, l.s, id, l.leaseFor, held, waited)
	if err == nil && !alive {
		l.die(id)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.id != id {
		return
	}
	if err != nil {
		l.s.noteAway(err)
		l.beat.Reset(beatEvery / 6)
		return
	}
	l.wake(free...)
	l.life.Reset(l.left(sent))
	l.beat.Reset(beatEvery)
}

// die ends all leases that were had under an id: somebody else may take over.
func (l *leases) die(id pgtype.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.id != id {
		return
	}
	for _, h := range l.held {
		l.loseOne(h)
	}
	l.stop()
}

// stop ends the signs of life.
func (l *leases) stop() {
	if l.id.Valid {
		l.life.Stop()
		l.beat.Stop()
		l.id = pgtype.UUID{}
		l.wake(slices.Collect(maps.Keys(l.awaited))...)
	}
}

func (l *leases) loseOne(h *lease) {
	h.lost = true
	h.end(store.ErrLeaseLost)
	if h.writing == 0 {
		l.drop(h)
	}
}

// drop lets go of a lease in this process.
func (l *leases) drop(h *lease) {
	if l.held[h.name] == h {
		delete(l.held, h.name)
	}
	select {
	case <-h.free:
	default:
		close(h.free)
	}
}

func (l *leases) release(h *lease) {
	l.mu.Lock()
	again := h.released
	h.released = true
	h.end(nil)
	back := !again && h.writing == 0
	l.mu.Unlock()
	if back {
		l.giveBack(h)
	}
}

// giveBack gives a lease back, and lets those of this process who wait for it try. The last one takes the row of worker with it.
func (l *leases) giveBack(h *lease) {
	l.line.mu.Lock()
	defer l.line.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), leaseIO)
	defer cancel()
	l.mu.Lock()
	id, last := l.id, len(l.held) == 1 && l.held[h.name] == h && len(l.awaited) == 0
	held := l.held[h.name] == h && !h.lost
	if held && last { // others who join do so when the line is theirs
		l.stop()
	}
	l.mu.Unlock()
	if held {
		if err := l.line.giveBack(ctx, l.s, h, id, last); err != nil { // the next sign of life does it, or its absence
			l.s.noteAway(err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(h)
}

// enter begins a transaction under the leases of a context, or refuses it when one of them is not held any longer. The function that it
// returns is called when the transaction is over.
func (l *leases) enter(ctx context.Context, op string) (held []*lease, end func(), err error) {
	if l == nil {
		return nil, func() {}, nil
	}
	h := l.s.holding(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	for o := h; o != nil; o = o.outer {
		if o.released || o.lost || l.held[o.name] != o.lease {
			return nil, nil, lost(op)
		}
		held = append(held, o.lease)
	}
	for _, h := range held {
		h.writing++
	}
	return held, func() { l.leave(held) }, nil
}

func (l *leases) leave(held []*lease) {
	var back []*lease
	l.mu.Lock()
	for _, h := range held {
		h.writing--
		switch {
		case h.writing > 0:
		case h.lost:
			l.drop(h)
		case h.released:
			back = append(back, h)
		}
	}
	l.mu.Unlock()
	for _, h := range back {
		l.giveBack(h)
	}
}

// check ends those leases of a transaction that the database did not find as they should be. It reports whether all were.
func (l *leases) check(held []*lease, found []string) bool {
	all := true
	for _, h := range held {
		has := false
		for _, name := range found {
			has = has || name == h.name
		}
		if !has {
			all = false
			l.mu.Lock()
			l.loseOne(h)
			l.mu.Unlock()
		}
	}
	return all
}

// close ends what is left. Leases that were not released end in the database by themselves.
func (l *leases) close() {
	l.mu.Lock()
	for _, h := range l.held {
		l.loseOne(h)
	}
	l.stop()
	l.mu.Unlock()
	l.line.close()
}

// errNoLine is in the chain of errors of a connection that is made anew.
var errNoLine = errors.New("the connection for leases is lost")
