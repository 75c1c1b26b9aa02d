package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// account is what the tenants of a connection, or of all connections, do to records together, whichever process runs them: a ledger of the
// store. What was done before stands in the states of the tenants; it was read once, and what is charged since is added to that.
type account struct {
	// Changes counts how often the account was changed: what was read beside it is of the one that it was then, or of no use.
	Changes uint64 `json:"changes"`
	// Read is when all tenants were read: their History, their active Records by kind, and how many Tenants have any.
	Read    time.Time      `json:"read,omitzero"`
	History []byte         `json:"history,omitempty"`
	Records map[uint8]int  `json:"records,omitempty"`
	Tenants int            `json:"tenants,omitempty"`
	Charged tally          `json:"charged,omitempty"` // and not in History
	Rounds  []roundCharges `json:"rounds,omitempty"`  // the last ones, the newest last
	Open    []openCharge   `json:"open,omitempty"`    // by partition
}

// roundCharges is what was charged in one run of a connection, by all its tenants.
type roundCharges struct {
	Name string `json:"name"`
	Done tally  `json:"done,omitempty"`
}

// openCharge is what a run has charged that may not have done all of it.
type openCharge struct {
	Connection string    `json:"connection"`
	Tenant     string    `json:"tenant,omitempty"`
	Run        string    `json:"run"`
	Round      string    `json:"round,omitempty"`
	At         time.Time `json:"at"`
	Ahead      tally     `json:"ahead"`
	// Before is how much of that had ever been counted in the partition: what is counted more is done.
	Before tally `json:"before,omitempty"`
	// Newest is the run of the partition that was stored last when this was charged, empty for none: the clocks of workers say nothing of the
	// order. Nil: a former version charged it, and the names of runs have to do.
	Newest *string `json:"newest,omitempty"`
}

func (c *openCharge) partition() store.Partition {
	return store.Partition{Connection: c.Connection, Tenant: c.Tenant}
}

// left is what a run has charged and not done, by what was ever counted in its partition.
func (c *openCharge) left(counted plan.Done) plan.Done {
	left, before := plan.Done{}, c.Before.done()
	for e, n := range c.Ahead.done() {
		if n -= max(counted[e]-before[e], 0); n > 0 {
			left[e] = n
		}
	}
	return left
}

// ended reports whether a run of the partition has come to its end since this was charged. Who signs in is settled beside runs, and ends none.
func (c *openCharge) ended(tx store.Reader) (ended bool, err error) {
	err = tx.Runs(func(r store.Run) bool { // that which was stored last is the first
		if c.Newest != nil && r.ID == *c.Newest || c.Newest == nil && r.ID < c.Run {
			return false
		}
		ended = r.Outcome != Failed && r.Mode != SignIn
		return !ended
	})
	return ended, err
}

// newestRun is the run of a partition that was stored last, empty for none.
func (e *Engine) newestRun(ctx context.Context, p store.Partition) (id string, err error) {
	err = e.store.View(ctx, p, func(tx store.Reader) error {
		return tx.Runs(func(r store.Run) bool {
			id = r.ID
			return false
		})
	})
	return id, err
}

// tally is a plan.Done as it is stored.
type tally []tallied

type tallied struct {
	Kind  directory.RecordKind `json:"kind,omitempty"`
	Op    directory.Op         `json:"op,omitempty"`
	Field string               `json:"field,omitempty"`
	All   bool                 `json:"all,omitempty"`
	N     int                  `json:"n"`
}

// tallyOf leaves out single lists: they are of one tenant.
func tallyOf(done plan.Done) (t tally) {
	for e, n := range done {
		if e.List == 0 {
			t = append(t, tallied{e.Kind, e.Op, e.Field, e.All, n})
		}
	}
	slices.SortFunc(t, func(a, b tallied) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Op, b.Op), cmp.Compare(a.Field, b.Field))
	})
	return t
}

func (t tally) done() plan.Done {
	done := plan.Done{}
	for _, e := range t {
		done[plan.Entry{Kind: e.Kind, Op: e.Op, Field: e.Field, All: e.All}] = e.N
	}
	return done
}

// parseAccount reads an account. One that is damaged begins anew.
func parseAccount(data []byte) (a account, damaged bool) {
	if len(data) > 0 && json.Unmarshal(data, &a) != nil {
		return account{}, true
	}
	return a, false
}

// encode returns what is to be stored: what was, where nothing was changed.
func (a *account) encode(was []byte) ([]byte, error) {
	is, err := json.Marshal(a)
	if err != nil || bytes.Equal(is, was) {
		return was, err
	}
	a.Changes++
	return json.Marshal(a)
}

func (a *account) population(kind directory.RecordKind) int { return a.Records[uint8(kind)] }

// knows reports whether a round has begun.
func (a *account) knows(round string) bool {
	return slices.ContainsFunc(a.Rounds, func(r roundCharges) bool { return r.Name == round })
}

// keptRounds bounds how many rounds are remembered. More than a few are never under way at the same time.
const keptRounds = 16

// round is what was charged in a round, which begins with this.
func (a *account) round(name string) *roundCharges {
	i := slices.IndexFunc(a.Rounds, func(r roundCharges) bool { return r.Name == name })
	if i < 0 {
		a.Rounds = append(a.Rounds, roundCharges{Name: name})
		a.Rounds = a.Rounds[max(len(a.Rounds)-keptRounds, 0):]
		i = len(a.Rounds) - 1
	}
	return &a.Rounds[i]
}

// open returns the charge of a partition that may not be done; nil when there is none.
func (a *account) open(p store.Partition) *openCharge {
	i := slices.IndexFunc(a.Open, func(c openCharge) bool { return c.partition() == p })
	if i < 0 {
		return nil
	}
	return &a.Open[i]
}

// put puts a charge in the place of that of the same partition.
func (a *account) put(c openCharge) {
	if was := a.open(c.partition()); was != nil {
		*was = c
		return
	}
	a.Open = append(a.Open, c)
}

// look is what an account's partitions were like when it had seen so many changes.
type look struct {
	changes uint64
	at      time.Time
	history plan.History
	records map[uint8]int
	tenants int
	open    []openCharge
	charged plan.Done // of those that are open
}

// renew makes what was just read what the account rests on.
func (a *account) renew(l *look) {
	l.history.Compact()
	a.Read, a.History, a.Records, a.Tenants = l.at.UTC(), l.history.Encode(), l.records, l.tenants
	a.Open, a.Charged = slices.Clone(l.open), tallyOf(l.charged)
}

// openFor bounds how long something counts that was charged and never done, by a run of which nothing was heard since.
const openFor = 24 * time.Hour

// lookAt reads what was done in the partitions of an account, and which of its charges are still open.
func (e *Engine) lookAt(ctx context.Context, s *scope, a *account, now time.Time) (*look, error) {
	parts, err := e.store.Partitions(ctx, s.connections...)
	if err != nil {
		return nil, err
	}
	l := &look{changes: a.Changes, at: now, records: map[uint8]int{}, charged: plan.Done{}}
	for _, p := range parts {
		charge := a.open(p)
		var history plan.History
		counts, ended := map[uint8]int{}, false
		err := e.store.View(ctx, p, func(tx store.Reader) error {
			state, err := tx.Tenant()
			if err != nil {
				return err
			}
			history, _ = plan.ParseHistory(state.Done) // the tenant's own run says that it is damaged
			for _, kind := range directory.RecordKinds() {
				if counts[uint8(kind)], err = tx.ActiveRecords(kind); err != nil {
					return err
				}
			}
			if charge == nil {
				return nil
			}
			ended, err = charge.ended(tx)
			return err
		})
		if err != nil {
			return nil, err
		}
		l.history.Join(&history)
		has := false
		for kind, n := range counts {
			l.records[kind] += n
			has = has || n > 0
		}
		if has {
			l.tenants++
		}
		if charge == nil || ended || now.Sub(charge.At).Abs() > openFor { // or of a clock that was far ahead
			continue
		}
		if left := charge.left(history.Sum()); len(left) > 0 {
			l.open = append(l.open, *charge)
			l.charged.Merge(left)
		}
	}
	return l, nil
}

// ended are the runs of this process that charged something and came to their end: what they did is counted, and their charges are not open any
// longer.
type ended struct {
	mu   sync.Mutex
	runs map[store.Partition]string
}

func (r *ended) note(p store.Partition, run string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runs == nil {
		r.runs = map[store.Partition]string{}
	}
	r.runs[p] = run
}

// forget closes their charges.
func (r *ended) forget(a *account) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a.Open = slices.DeleteFunc(a.Open, func(c openCharge) bool { return r.runs[c.partition()] == c.Run })
}
