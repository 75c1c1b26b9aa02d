package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"dirsyncd/sync/fleet"
)

// carrier is River at work for this worker, under one configuration: each has queues of its own, which others do not look into.
type carrier struct {
	generation int64
	client     *river.Client[pgx.Tx]
	// fresh ends when the carrier rests: deliveries, and runs that have not begun, go to others then, while runs come to their end.
	fresh context.Context
	stale context.CancelFunc
}

const (
	// longestRun is when River would end a run: beyond anything that is real.
	longestRun = 24 * time.Hour
	// keptDone is how long people can look at jobs that are done, and keptQueue how long at a queue that nobody looks into; cleared bounds
	// the jobs that go at a time.
	keptDone, keptQueue, cleared = time.Hour, 24 * time.Hour, 10000
	// fetchCooldown is how often a worker asks for more at most.
	fetchCooldown = 50 * time.Millisecond
	// fetchPoll is how often a worker looks for a job of which it was not told; often where nobody tells. Together with a burial it is less
	// than the ten seconds that a hand-over may take.
	fetchPoll, fetchPollOnly = 2 * time.Second, time.Second
	// longestStop bounds how long River may take to stop when nothing runs any more.
	longestStop = 10 * time.Second
)

// queue names the queue of a configuration, of all its workers or, with a name, of one alone.
func queue(generation int64, worker string) string {
	name := fmt.Sprintf("g%d", generation)
	if worker != "" {
		sum := sha256.Sum256([]byte(worker))
		name += "-" + hex.EncodeToString(sum[:6])
	}
	return name
}

// carry has River bring units to this worker, unless it does so already.
func (l *life) carry(g generation) {
	l.mu.Lock()
	at := l.carrier
	l.mu.Unlock()
	if at != nil && at.generation == g.id {
		return
	}
	l.rest()
	client, err := l.client(g)
	if err == nil {
		err = client.Start(l.working)
	}
	if err != nil {
		if l.working.Err() == nil {
			l.fleet.log.Warn("this worker could not begin to take units; it tries again", "worker", l.me.Name, "err", err)
		}
		return
	}
	c := &carrier{generation: g.id, client: client}
	c.fresh, c.stale = context.WithCancel(l.working)
	l.mu.Lock()
	l.carrier = c
	l.mu.Unlock()
	l.offer()
}

func (l *life) client(g generation) (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	for _, err := range []error{
		river.AddWorkerSafely(workers, &taker[listJob]{life: l}), river.AddWorkerSafely(workers, &taker[runJob]{life: l}), river.AddWorkerSafely(workers, &taker[auditJob]{life: l}),
	} {
		if err != nil {
			return nil, err
		}
	}
	queues := map[string]river.QueueConfig{queue(g.id, ""): {MaxWorkers: l.me.Lanes}}
	if bound := func(u fleet.Planned) bool { return slices.Contains(u.Places, l.me.Name) }; slices.ContainsFunc(l.following().Units, bound) {
		queues[queue(g.id, l.me.Name)] = river.QueueConfig{MaxWorkers: l.me.Lanes}
	}
	l.clients++
	poll := fetchPoll
	if l.fleet.pollOnly {
		poll = fetchPollOnly
	}
	// Without a leader: nothing here is scheduled, rescued or repeated by River, and arrange clears away what is done.
	return river.NewClient(riverpgxv5.New(l.fleet.pool), &river.Config{
		ID: fmt.Sprintf("%s/%d", l.id, l.clients), Schema: l.fleet.schema, Logger: l.fleet.quiet, PollOnly: l.fleet.pollOnly,
		Queues: queues, Workers: workers, MaxAttempts: 1, FetchCooldown: fetchCooldown, FetchPollInterval: poll, JobTimeout: longestRun, LeaderElectionDisabled: true,
	})
}

// takes is a context that ends when this worker takes nothing more.
func (l *life) takes() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.carrier == nil {
		none, end := context.WithCancel(l.working)
		end()
		return none
	}
	return l.carrier.fresh
}

// rest takes nothing more. What runs comes to its end.
func (l *life) rest() {
	l.mu.Lock()
	c := l.carrier
	l.carrier = nil
	l.mu.Unlock()
	if c == nil {
		return
	}
	c.stale()
	l.resting.Go(func() { _ = c.client.Stop(context.WithoutCancel(l.alive)) })
}

// stopped waits until River has let go of the pool.
func (m *member) stopped() {
	done := make(chan struct{})
	go func() { m.resting.Wait(); close(done) }()
	timer := time.NewTimer(longestStop)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// The jobs. Each names a unit, and nothing else: what is to be done is in the unit.
type (
	listJob  struct{ job }
	runJob   struct{ job }
	auditJob struct{ job }
	job      struct {
		Unit int64 `json:"unit"`
	}
)

func (j job) unit() int64 { return j.Unit }

// Kind implements river.JobArgs.
func (listJob) Kind() string { return fleet.List.String() }

// Kind implements river.JobArgs.
func (runJob) Kind() string { return fleet.Run.String() }

// Kind implements river.JobArgs.
func (auditJob) Kind() string { return fleet.Audit.String() }

func jobOf(kind fleet.Kind, unit int64) river.JobArgs {
	switch kind {
	case fleet.List:
		return listJob{job{unit}}
	case fleet.Audit:
		return auditJob{job{unit}}
	default:
		return runJob{job{unit}}
	}
}
