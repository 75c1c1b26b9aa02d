package engine

import (
	"context"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// Streams may have a clock of their own: schedules ask for them less often than for the rest.

// clocked is a stream of a tenant.
type clocked struct {
	part   store.Partition
	stream string
}

// due lists the streams that the run reads: all that the tenant has, without those that a schedule need not read yet. A person who
// asks, and a full read, get all of them; so does the first run after a start, since when a stream was read is not stored, and
// the one after a read that broke off: nobody knows in which stream. A stream that is switched on again has not been read.
func (r *run) due(ctx context.Context) (list []connectors.Stream, err error) {
	all := r.streams()
	if len(r.conn.Every) == 0 || !r.job.Patient || r.job.Full || r.state.WantFull || r.state.HalfRead {
		return all, nil
	}
	err = r.state.view(ctx, func(tx store.Reader) error {
		list = nil
		for _, s := range all {
			position, err := tx.Stream(s.Name)
			if err != nil {
				return err
			}
			if position.Complete.IsZero() || r.engine.isDue(clocked{r.part, s.Name}, r.stamp.Time, r.conn.every(s.Kinds)) {
				list = append(list, s)
			}
		}
		return nil
	})
	return list, err
}

func (e *Engine) isDue(s clocked, at time.Time, every time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	last, known := e.readAt[s]
	return !known || at.Sub(last) >= every
}

// wasRead notes which streams the run has read to their end.
func (r *run) wasRead(streams []connectors.Stream) {
	if len(r.conn.Every) == 0 {
		return
	}
	e := r.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range streams {
		e.readAt[clocked{r.part, s.Name}] = r.stamp.Time
	}
}

// every is how often a stream with these kinds is read: as often as that of its kinds that is read most often; zero: always.
func (c *Connection) every(kinds []directory.Kind) (shortest time.Duration) {
	for i, k := range kinds {
		if every := c.Every[k]; i == 0 || every < shortest {
			shortest = every
		}
	}
	return shortest
}
