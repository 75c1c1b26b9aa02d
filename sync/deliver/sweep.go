package deliver

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/targets"
)

// sweep delivers what waits, of all partitions, until nothing more can be delivered or the target has to be left
// alone. The goroutine that runs it owns all that the worker remembers; only Deliver calls run beside it.
//
// Partitions take turns, and a turn is at most one batch: neither a partition with very much to deliver nor one
// that fails keeps the others waiting for longer. Calls of several partitions are under way at the same time, and
// so are calls of one partition's window, which holds no record twice. The next window is claimed when the last
// one is answered, so the order per record is kept.
type sweep struct {
	*Worker
	// A standing sweep goes on with what comes meanwhile, and makes room for somebody else's.
	standing bool
	calls    int // under way
	answers  chan answer
	// What is claimed and in memory: partitions, actions, bytes.
	places, claimed, bytes int
	work                   [][]targets.Delivery // of calls that were answered, for those to come
}

// partition is what the worker knows of one partition beside its outbox. In a sweep it has a place while claimed
// actions of it are in memory. It is in line (Worker.turns) while it has something to hand out, or nothing on its way.
type partition struct {
	store.Partition
	backoffs map[string]*recordBackoff // by subject
	outage   *outage                   // why it is left alone while the target works otherwise
	failedAt int                       // the latest call when one of it failed, if nothing was taken since
	unsent   map[ticket]struct{}       // claimed by this worker, not handed out since, and not in the window

	lined    bool // takes part in the sweep
	hasPlace bool
	windows  int      // claimed since it has its place
	more     bool     // can be sent after the window
	window   []*entry // claimed, not handed out yet
	claimed  int      // actions and bytes of the window when it was claimed
	bytes    int
	calls    int       // under way
	done     []verdict // not recorded yet; outlives the sweep when the store fails
	// memory is where the window was made, what is under way and done of it included; nil: each by itself.
	memory *windowMemory
}

// Sizes of what is in memory and in one transaction. The partitions with a place share the actions and bytes of one
// window. Those that come when others have claimed all of it still get a small part, so that twice as much is
// claimed at most.
const (
	smallestWindow = 1000
	largestWindow  = 8000
	windowBytes    = 16 << 20
	fewestPlaces   = 64
	// windowsPerPlace is how much a partition delivers before it makes room for others that wait for a place.
	windowsPerPlace = 16
)

// recordEvery is how often a sweep records answers while it awaits others: it bounds what a kill repeats.
const recordEvery = time.Second

// run sweeps. What the target has answered is recorded when it returns, or kept for the next sweep, which sends nothing
// before it has recorded that. The error is a failure of the store.
func (s *sweep) run(ctx context.Context) error {
	ticker := time.NewTicker(recordEvery)
	defer ticker.Stop()
	var wake <-chan struct{}
	if s.standing {
		wake = s.wake
	}
	// Two are enough for a partition that has much: one is claimed while the last one is recorded. With more, each would become as large as
	// the largest window.
	s.spare = []*windowMemory{{}, {}}
	defer func() { s.spare = nil }()
	lasting, cut := s.withGrace(ctx)
	defer cut()
	err := s.recordAll(ctx)
	if err == nil {
		err = s.learnWaits(ctx)
	}
	if err == nil {
		err = s.catchUp(ctx)
	}
	if err == nil {
		err = s.recall(ctx)
	}
	if err == nil {
		err = s.look(ctx)
	}
	for {
		if err == nil {
			err = s.heed(ctx)
		}
		for err == nil && s.calls < s.parallel && !s.over(ctx) {
			var batch []*entry
			if batch, err = s.next(ctx); len(batch) == 0 {
				break
			}
			s.calls++
			s.begun++
			call, wakes := s.begun, s.wakes()
			var work []targets.Delivery
			if last := len(s.work) - 1; last >= 0 {
				work, s.work = s.work[last], s.work[:last]
			}
			go func() {
				a := s.deliver(lasting, call, batch, work)
				a.wakes = wakes
				s.answers <- a
			}()
		}
		if s.calls == 0 {
			return cmp.Or(err, s.end(ctx), s.remember(ctx))
		}
		select {
		case a := <-s.answers:
			s.answered(ctx, a)
		case <-wake:
			err = cmp.Or(err, s.look(ctx))
		case <-ticker.C:
			err = cmp.Or(err, s.recordAll(ctx), s.catchUp(ctx))
			if err == nil && s.waits.anyDue(s.opts.Now()) {
				err = s.look(ctx)
			}
		}
	}
}

// over reports whether nothing more is to be sent.
func (s *sweep) over(ctx context.Context) bool {
	return ctx.Err() != nil || s.resting() || s.standing && (s.queue.Load() > 0 || s.yields())
}

// look lines up the partitions that have something waiting, behind those that are in line: the order outlives the
// sweep, so that an outage does not hit the same ones each time. It forgets those that have nothing. It looks also when
// nothing more is to be sent for now: that can end while calls are under way, and nobody wakes a sweep twice.
func (s *sweep) look(ctx context.Context) error {
	list, err := s.store.Waiting(ctx, s.name)
	if err != nil {
		return fmt.Errorf("look for waiting actions: %w", err)
	}
	list = append(list, s.waits.due(s.opts.Now())...)
	waiting := make(map[store.Partition]bool, len(list))
	for _, key := range list {
		waiting[key] = true
		s.line(key)
	}
	maps.DeleteFunc(s.parts, func(key store.Partition, p *partition) bool { return !waiting[key] && !p.lined && len(p.done) == 0 })
	return nil
}

// line puts a partition in line, if it is not.
func (s *sweep) line(key store.Partition) *partition {
	p := s.parts[key]
	if p == nil {
		p = &partition{Partition: key, backoffs: map[string]*recordBackoff{}, unsent: map[ticket]struct{}{}}
		s.parts[key] = p
	}
	if !p.lined {
		p.lined = true
		s.turns = append(s.turns, p)
	}
	return p
}

// next makes a batch: of the partition whose turn it is and, where the target takes several in one call, of those
// after it until the batch is full. It is empty when nothing can be sent before another answer. With an error, too,
// the batch must be sent.
func (s *sweep) next(ctx context.Context) ([]*entry, error) {
	var batch []*entry
	for len(batch) < s.batch {
		i := slices.IndexFunc(s.turns, func(p *partition) bool { return p.hasPlace || s.places < s.maxPlaces })
		if i < 0 {
			break
		}
		p := s.turns[i]
		// What failed with others is sent by itself, to see who is at fault.
		alone := !s.across || p.failedAt > 0
		if alone && len(batch) > 0 {
			break
		}
		s.turns = slices.Delete(s.turns, i, i+1)
		if err := s.prepare(ctx, p); err != nil {
			return batch, err
		}
		if len(p.window) == 0 {
			continue
		}
		n := min(s.batch-len(batch), len(p.window))
		batch = append(batch, p.window[:n]...)
		p.window = p.window[n:]
		p.calls++
		if len(p.window) > 0 {
			s.turns = append(s.turns, p)
		}
		if alone {
			break
		}
	}
	return batch, nil
}

// prepare sees to it that a partition whose turn it is has something to hand out. When there is nothing it loses
// its place and is not in line any more.
func (s *sweep) prepare(ctx context.Context, p *partition) error {
	rests := p.outage != nil && s.opts.Now().Before(p.outage.next)
	if rests {
		p.drop() // it stays claimed
	}
	if len(p.window) > 0 || p.calls > 0 {
		return nil
	}
	windows, more := p.windows, p.more || s.standing || !p.hasPlace
	s.leave(p)
	if rests || !more {
		p.lined = false
		return s.record(ctx, p)
	}
	if windows >= windowsPerPlace && s.crowded() {
		s.turns = append(s.turns, p)
		return s.record(ctx, p)
	}
	if err := s.claimFor(ctx, p); err != nil {
		s.turns = append(s.turns, p)
		return err
	}
	if p.hasPlace {
		p.windows = windows + 1
	} else {
		p.lined, p.outage = false, nil
	}
	return nil
}

// crowded reports whether a partition waits for a place and there is none.
func (s *sweep) crowded() bool {
	return s.places+1 >= s.maxPlaces && slices.ContainsFunc(s.turns, func(p *partition) bool { return !p.hasPlace })
}

// claimFor records what became of a partition's last window and claims the next one, if there is something to send.
func (s *sweep) claimFor(ctx context.Context, p *partition) error {
	if len(p.done) == 0 {
		if ready, err := s.ready(ctx, p); err != nil || !ready {
			return err
		}
	}
	room := room{
		actions: max(s.window-s.claimed, s.window/s.maxPlaces, 1),
		bytes:   max(windowBytes-s.bytes, windowBytes/s.maxPlaces),
	}
	c, err := s.commitAndClaim(ctx, p, room)
	if err != nil || len(c.window) == 0 {
		return err
	}
	p.hasPlace, p.more, p.window, p.claimed, p.bytes = true, c.more, c.window, len(c.window), c.bytes
	s.places++
	s.claimed += p.claimed
	s.bytes += p.bytes
	return nil
}

// leave takes a partition's place away. What it has claimed and not handed out stays claimed in the store.
func (s *sweep) leave(p *partition) {
	if !p.hasPlace {
		return
	}
	s.places--
	s.claimed -= p.claimed
	s.bytes -= p.bytes
	p.hasPlace, p.windows = false, 0
	p.drop()
	s.freeMemory(p)
}

// freeMemory takes back the memory of a partition's window when nothing of it is in use any more.
func (w *Worker) freeMemory(p *partition) {
	if p.calls == 0 && len(p.window)+len(p.done) == 0 {
		w.takeBack(p.memory)
		p.memory = nil
	}
}

// drop forgets what of a window was not handed out, but that it was not.
func (p *partition) drop() {
	for _, e := range p.window {
		if !e.again {
			p.unsent[e.ticket()] = struct{}{}
		}
	}
	p.window = nil
}

// answered judges an answer and lines up the partitions that have none on their way and nothing left to hand out.
func (s *sweep) answered(ctx context.Context, a answer) {
	s.calls--
	s.judge(ctx, a)
	clear(a.work)
	s.work = append(s.work, a.work[:0])
	for _, p := range a.partitions {
		p.calls--
		if p.calls == 0 && len(p.window) == 0 {
			s.turns = append(s.turns, p)
		}
	}
}

// record stores a partition's verdicts.
func (s *sweep) record(ctx context.Context, p *partition) error {
	if len(p.done) == 0 {
		return nil
	}
	_, err := s.commitAndClaim(ctx, p, room{})
	return err
}

func (s *sweep) recordAll(ctx context.Context) error {
	var err error
	for _, p := range s.parts {
		err = cmp.Or(err, s.record(ctx, p))
	}
	return err
}

// end records what is not recorded yet, as far as the store allows, and gives up all places. Whoever has not sent
// everything stays in line, and what could not be recorded is kept.
func (s *sweep) end(ctx context.Context) error {
	err := s.recordAll(ctx)
	s.tellUntold()
	for _, p := range s.parts {
		s.leave(p)
	}
	return err
}
