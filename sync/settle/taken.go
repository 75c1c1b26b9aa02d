package settle

import (
	"context"
	"maps"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// How many seats are taken is stored with each tenant, and kept by the transactions that store its records: whoever wants to know adds numbers up, one
// tenant at a time, and reads no record. The store counts the active records of a kind by itself (store.Reader.ActiveRecords); here are those with
// some values of a field (store.TenantState.Taken). Where these are of other seats than the mapping's, such as in a state that a former version
// left, records are counted, until the next settling has kept that.

// uncounted are the seats of a mapping that are told apart by a field, all free.
func uncounted(rules *mapping.Ruleset) (list []store.TakenSeats) {
	for _, kind := range directory.RecordKinds() {
		seats := rules.Seats(kind)
		if len(seats.Of) == 0 {
			continue
		}
		of := make(map[string]int, len(seats.Of))
		for value := range seats.Of {
			of[value] = 0
		}
		list = append(list, store.TakenSeats{Kind: kind.String(), Field: seats.Field, Of: of})
	}
	return list
}

// sameSeats reports whether two counts are of the same seats, however many of them are taken.
func sameSeats(a, b []store.TakenSeats) bool {
	return slices.EqualFunc(a, b, func(a, b store.TakenSeats) bool {
		return a.Kind == b.Kind && a.Field == b.Field && maps.EqualFunc(a.Of, b.Of, func(int, int) bool { return true })
	})
}

// taken counts the seats that are taken before the plan, by these tenants together.
func (s *Settlement) taken(ctx context.Context, states []State) (map[seat]int, error) {
	counts := map[seat]int{}
	for _, state := range states {
		if err := s.takenIn(ctx, state, counts); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// takenIn adds the seats that one tenant takes.
func (s *Settlement) takenIn(ctx context.Context, state State, counts map[seat]int) error {
	var totals map[directory.RecordKind]int
	var stored []store.TakenSeats
	err := state.View(ctx, func(tx store.Reader) error {
		totals = map[directory.RecordKind]int{}
		for _, kind := range directory.RecordKinds() {
			n, err := tx.ActiveRecords(kind)
			if totals[kind] = n; err != nil {
				return err
			}
		}
		tenant, err := tx.Tenant()
		stored = tenant.Taken
		return err
	})
	if err != nil {
		return err
	}
	for kind, n := range totals {
		if s.Rules.Seats(kind).Total != nil {
			counts[seat{kind: kind, total: true}] += n
		}
	}
	if !sameSeats(stored, s.byField) {
		return s.countRecords(ctx, state, counts)
	}
	for _, one := range stored {
		kind, _ := directory.ParseRecordKind(one.Kind) // it is one of the mapping's
		for value, n := range one.Of {
			counts[seat{kind: kind, value: value}] += n
		}
	}
	return nil
}

// countRecords adds the seats that are told apart by a field, by reading the records of a tenant.
func (s *Settlement) countRecords(ctx context.Context, state State, counts map[seat]int) error {
	for _, one := range s.byField {
		kind, _ := directory.ParseRecordKind(one.Kind)
		for after, more := store.Num(0), true; more; {
			records, err := s.recordsAfter(ctx, state, kind, &after, func(rec *directory.Record) bool { return rec.Active })
			if err != nil {
				return err
			}
			for i := range records {
				s.change(counts, &records[i], 1)
			}
			more = len(records) == s.Chunk
		}
	}
	return nil
}

// change adds n to the seat that a record takes by the value of a field, if any.
func (s *Settlement) change(counts map[seat]int, rec *directory.Record, n int) {
	for _, of := range s.seatsOf(rec) {
		if !of.total {
			counts[of] += n
		}
	}
}

// keepTaken keeps what a transaction has changed of the seats. Counts of other seats than those of the mapping end with it: they would be wrong when
// that mapping comes back.
func (s *Settlement) keepTaken(tx store.Writer, changes map[seat]int) error {
	state, err := tx.Tenant()
	if err != nil || len(state.Taken) == 0 {
		return err
	}
	if state.Taken = s.changed(state.Taken, changes); state.Taken == nil {
		return tx.PutTenant(state)
	}
	maps.DeleteFunc(changes, func(_ seat, n int) bool { return n == 0 })
	if len(changes) == 0 {
		return nil
	}
	return tx.PutTenant(state)
}

// changed are counts with some changes; nil where they are of other seats.
func (s *Settlement) changed(stored []store.TakenSeats, changes map[seat]int) []store.TakenSeats {
	if !sameSeats(stored, s.byField) {
		return nil
	}
	now := uncounted(s.Rules)
	for i, one := range stored {
		kind, _ := directory.ParseRecordKind(one.Kind)
		for value, n := range one.Of {
			now[i].Of[value] = n + changes[seat{kind: kind, value: value}]
		}
	}
	return now
}

// countAnew counts the seats that are taken where they were not counted, or others were.
func (s *Settlement) countAnew(tx store.Writer) error {
	state, err := tx.Tenant()
	if err != nil || sameSeats(state.Taken, s.byField) {
		return err
	}
	counts := map[seat]int{}
	for _, one := range s.byField {
		kind, _ := directory.ParseRecordKind(one.Kind)
		err := tx.Records(kind, 0, func(_ store.Num, rec directory.Record) bool {
			s.change(counts, &rec, 1)
			return true
		})
		if err != nil {
			return err
		}
	}
	state.Taken = s.changed(uncounted(s.Rules), counts)
	return tx.PutTenant(state)
}
