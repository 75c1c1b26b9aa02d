package service

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// ranIn is a run and the partition that it was of.
type ranIn struct {
	part  store.Partition
	state store.TenantState
	run   store.Run
}

// runCalled finds the run with an id, or with the last digits of one if they are those of no other. One that was cut, of which only its
// actions are kept, is found by its whole id.
func (s *Service) runCalled(ctx context.Context, id string) (found ranIn, err error) {
	parts, err := s.store.Partitions(ctx)
	if err != nil {
		return found, err
	}
	var all []ranIn
	for _, p := range parts {
		err := s.store.View(ctx, p, func(tx store.Reader) error {
			state, err := tx.Tenant()
			if err != nil {
				return err
			}
			whole := false
			err = tx.Runs(func(r store.Run) bool {
				if r.ID == id || len(id) == idTail && strings.HasSuffix(r.ID, id) {
					all, whole = append(all, ranIn{p, state, r}), whole || r.ID == id
				}
				return !whole
			})
			if err != nil || whole || len(id) <= idTail {
				return err
			}
			return tx.RunActions(id, 0, func(int, directory.RunAction) bool {
				all = append(all, ranIn{p, state, store.Run{ID: id, Outcome: "cut"}})
				return false
			})
		})
		if err != nil {
			return found, err
		}
	}
	switch len(all) {
	case 0:
		return found, &fault.Error{Class: fault.Configuration, Op: "find run " + id, Err: api.ErrNoRun, Hint: "`dirsyncd runs` lists those that are"}
	case 1:
		return all[0], nil
	default:
		slices.SortFunc(all, func(a, b ranIn) int { return cmp.Compare(a.run.ID, b.run.ID) })
		var ids []string
		for _, r := range all {
			ids = append(ids, r.run.ID+" ("+r.part.String()+")")
		}
		return found, &fault.Error{Class: fault.Configuration, Op: "find run " + id, Err: fmt.Errorf("%d runs end so", len(all)),
			Hint: "give the whole id of one: " + strings.Join(ids[:min(len(ids), 5)], ", ")}
	}
}

// lookedAtOnce is how many actions are looked at in a transaction.
const lookedAtOnce = 5000

// RunActions implements api.Operations.
func (s *Service) RunActions(ctx context.Context, req api.RunActionsRequest) (api.RunActions, error) {
	of, err := s.runCalled(ctx, req.Run)
	if err != nil {
		return api.RunActions{}, err
	}
	answer := api.RunActions{Run: runAnswer(of.part, of.state.Name, &of.run)}
	if s.current().unheard(of.part.Connection) {
		ofPeople(&answer.Run)
	}
	limit, from := pageSize(req.Limit), req.From
	wanted := wantedActions(&api.HeldRequest{Kind: req.Kind, Op: req.Op, Who: req.Who})
	first := -1
	for next := max(req.Position, 0); ; {
		looked, more := 0, false
		err := s.store.View(ctx, of.part, func(tx store.Reader) error {
			looked, more = 0, false
			if first < 0 {
				if err := tx.RunActions(of.run.ID, 0, func(at int, _ directory.RunAction) bool { first = at; return false }); err != nil {
					return err
				}
			}
			var list []directory.RunAction
			err := tx.RunActions(of.run.ID, next, func(at int, a directory.RunAction) bool {
				about := &directory.Action{Op: a.Op, Kind: a.Kind, Record: a.Key, Fields: []directory.Field{{Name: directory.FieldName, Value: directory.Text(a.Name)}}}
				switch {
				case looked == lookedAtOnce:
					more = true
					return false
				case !wanted(about):
				case from > 0:
					from--
				case len(answer.Actions)+len(list) == limit:
					answer.More, answer.Next = true, at
					return false
				default:
					list = append(list, a)
				}
				looked++
				next = at + 1
				return true
			})
			if err != nil {
				return err
			}
			keys, err := memberKeys(tx, list)
			for i := range list {
				a := actedAnswer(of.part, of.state.Name, &list[i])
				a.Entered, a.Left = keys(list[i].Entered), keys(list[i].Left)
				answer.Actions = append(answer.Actions, a)
			}
			return err
		})
		if err != nil {
			return api.RunActions{}, err
		}
		if answer.More || !more {
			answer.Forgotten = max(first, 0)
			return answer, nil
		}
	}
}

// memberKeys returns what turns the members that actions are about into the keys of their records.
func memberKeys(tx store.Reader, list []directory.RunAction) (func([]uint32) []string, error) {
	var nums []store.Num
	for i := range list {
		for _, n := range slices.Concat(list[i].Entered, list[i].Left) {
			nums = append(nums, store.Num(n))
		}
	}
	slices.Sort(nums)
	nums = slices.Compact(nums)
	known := make(map[uint32]string, len(nums))
	err := tx.RecordsOf(nil, []directory.RecordKind{directory.UserRecord, directory.AgentRecord}, nums, func(n store.Num, rec directory.Record) bool {
		known[uint32(n)] = rec.Key
		return true
	})
	return func(nums []uint32) (keys []string) {
		for _, n := range nums {
			if key := known[n]; key != "" {
				keys = append(keys, key)
			}
		}
		return keys
	}, err
}
