package engine

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settle"
)

// seated: these wait for a seat.
func seated(seats []store.Seats, queue []store.Num) transition {
	return func(s *store.TenantState) { s.Seats, s.SeatQueue = seats, queue }
}

// noteSeats says who waits for a seat, when that is news or somebody looks at the plan.
func (r *run) noteSeats(p *settle.Plan) {
	if r.job.visits == nil && reflect.DeepEqual(p.Seats, r.state.Seats) && slices.Equal(p.SeatQueue, r.state.SeatQueue) {
		return
	}
	for _, note := range p.SeatNotes {
		r.note(note)
	}
}

// SeatCount is how it stands with seats of the desk that active records take.
type SeatCount struct {
	settle.SeatCount
	Waiting int // how many people wait for one
}

// SeatReport says how it stands with the seats of a connection's tenants. It counts once for all who have the same mapping.
type SeatReport struct {
	engine  *Engine
	conn    *Connection
	counted map[string][]settle.SeatCount // by rules
}

// Seats begins a report on a connection. It is for one goroutine.
func (e *Engine) Seats(c *Connection) *SeatReport {
	return &SeatReport{engine: e, conn: c, counted: map[string][]settle.SeatCount{}}
}

// Of says how it stands with the seats of the mapping that a tenant has, and how many of the tenant wait for one. There is none where
// the mapping limits none.
func (s *SeatReport) Of(ctx context.Context, t connectors.Tenant) (list []SeatCount, err error) {
	own := s.conn.Of(&t)
	if !own.LimitsSeats() {
		return nil, nil
	}
	same := seatsOf(own.Rules)
	counts, known := s.counted[same]
	if !known {
		states, err := s.engine.sharing(ctx, s.conn, own, func(connectors.Tenant) bool { return true })
		if err != nil {
			return nil, err
		}
		if counts, err = settle.Seats(ctx, own.Rules, states, s.engine.chunk); err != nil {
			return nil, err
		}
		s.counted[same] = counts
	}
	state := s.engine.stateOf(store.Partition{Connection: own.Name, Tenant: t.ID})
	if err := state.load(ctx); err != nil {
		return nil, err
	}
	for _, count := range counts {
		one := SeatCount{SeatCount: count}
		for _, s := range state.Seats {
			if s.Kind == count.Kind && s.Value == count.Value {
				one.Waiting = len(s.Waiting)
			}
		}
		list = append(list, one)
	}
	return list, nil
}

// LimitsSeats reports whether the connection's mapping counts seats, or that of one of its tenants.
func (c *Connection) LimitsSeats() bool {
	return settle.LimitsSeats(c.Rules) || slices.ContainsFunc(c.Overrides, func(o Override) bool { return o.Rules != nil && settle.LimitsSeats(o.Rules) })
}

// seatsOf tells mappings apart, with what they limit.
func seatsOf(rules *mapping.Ruleset) string {
	all := map[string]mapping.Seats{}
	for _, kind := range directory.RecordKinds() {
		if seats := rules.Seats(kind); seats.Limits() {
			all[kind.String()] = seats
		}
	}
	text, _ := json.Marshal(all) // numbers and maps of them
	return rules.Hash() + string(text)
}

// sharing are those stored tenants of a connection, of some, that have the same mapping as one of them, for which own is the
// connection: they take seats of the same number.
func (e *Engine) sharing(ctx context.Context, c, own *Connection, of func(connectors.Tenant) bool) (states []settle.State, err error) {
	stored, err := e.StoredTenants(ctx, c.Name)
	for _, t := range stored {
		if of(t) && seatsOf(c.Of(&t).Rules) == seatsOf(own.Rules) {
			states = append(states, stage{e.stateOf(store.Partition{Connection: c.Name, Tenant: t.ID}), nil})
		}
	}
	return states, err
}

// seatsBeside are the other tenants that take seats of the same number. Until the run ends no other run of the connection gives any:
// two that count at the same time would both give the last one. What the run stores from then on is fenced by that (run.seats).
func (r *run) seatsBeside(ctx context.Context) ([]settle.State, error) {
	if r.part.Tenant == "" {
		return nil, nil
	}
	held, release, err := r.engine.store.Lease(ctx, "seats "+r.conn.Name, leaseTime)
	if err != nil {
		return nil, err
	}
	r.seats, r.ends = held, append(r.ends, release)
	return r.engine.sharing(ctx, r.whole, r.conn, func(t connectors.Tenant) bool { return t.ID != r.part.Tenant })
}
