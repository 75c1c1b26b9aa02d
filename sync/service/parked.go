package service

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/deliver"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
)

// Parked implements api.Operations.
func (s *Service) Parked(ctx context.Context) ([]api.ParkedItem, error) {
	parts, err := s.store.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	var items []api.ParkedItem
	for _, p := range parts {
		err := s.store.View(ctx, p, func(tx store.Reader) error {
			found, err := parkedIn(tx, p)
			items = append(items, found...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return items, nil
}

// parkedIn lists what is parked in a partition, by name where the object is stored.
func parkedIn(tx store.Reader, p store.Partition) (items []api.ParkedItem, err error) {
	state, err := tx.Tenant()
	if err != nil {
		return nil, err
	}
	of := map[directory.Kind][]int{} // positions of objects
	err = tx.Parked(func(item store.Parked) bool {
		if item.Target == "" {
			of[item.Kind] = append(of[item.Kind], len(items))
		}
		items = append(items, parkedAnswer(p, state.Name, &item))
		return true
	})
	for kind, at := range of {
		if err == nil {
			err = nameParked(tx, kind, items, at)
		}
	}
	return items, err
}

// nameParked finds the names of parked objects of a kind, those at some positions of a list.
func nameParked(tx store.Reader, kind directory.Kind, items []api.ParkedItem, at []int) error {
	handles := make([]string, len(at))
	for i, pos := range at {
		handles[i] = directory.IDHandle(strings.TrimPrefix(items[pos].Subject, kind.String()+" "))
	}
	nums, err := tx.Lookup(handles, nil)
	if err != nil {
		return err
	}
	rows, err := tx.RowsOf(kind, nums, nil)
	for i := range rows {
		if rows[i].Num == 0 {
			continue
		}
		if o, bad := rows[i].Object("parked"); bad == nil {
			items[at[i]].Name = nameOf(o.Fields)
		}
	}
	return err
}

// nameOf is how people know an object or a record that has fields: by its name, else by its address or log-in name.
func nameOf(fields []directory.Field) string {
	for _, name := range []string{directory.FieldName, directory.FieldEmail, directory.FieldLogin} {
		i := slices.IndexFunc(fields, func(f directory.Field) bool { return f.Name == name && f.Value.Text() != "" })
		if i >= 0 {
			return fields[i].Value.Text()
		}
	}
	return ""
}

func (s *Service) eachParked(ctx context.Context, fn func(store.Partition, store.Parked)) error {
	parts, err := s.store.Partitions(ctx)
	if err != nil {
		return err
	}
	for _, p := range parts {
		err := s.store.View(ctx, p, func(tx store.Reader) error {
			return tx.Parked(func(item store.Parked) bool { fn(p, item); return true })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func parkedID(p store.Partition, id uint64) string {
	return p.String() + ":" + strconv.FormatUint(id, 10)
}

// retriedAtOnce is how many parked actions go back to the outbox in one transaction.
const retriedAtOnce = 5000

// Replay implements api.Operations: actions go back to the outbox, objects are looked at again.
func (s *Service) Replay(ctx context.Context, ids []string, show func(api.Progress)) (int, error) {
	if err := blind("replay", s.current().cfg); err != nil {
		return 0, err
	}
	if err := s.mayRun(ctx); err != nil {
		return 0, err
	}
	if show == nil {
		show = func(api.Progress) {}
	}
	defer s.audience.watch(func(p engine.Progress) { show(progressAnswer(p)) })()
	chosen, err := s.chooseParked(ctx, ids)
	if err != nil {
		return 0, err
	}
	total, n := 0, 0
	for _, items := range chosen {
		total += len(items)
	}
	for p, items := range chosen {
		step := func(done int) {
			n += done
			show(api.Progress{Connection: p.Connection, Tenant: p.Tenant, Stage: "retry", Done: n, Total: total})
		}
		if err := s.replayIn(ctx, p, items, step); err != nil {
			return n, err
		}
	}
	_, err = s.drainShown(ctx, s.targetsOf(s.current().names()), nil, show)
	return n, err
}

// replayIn replays what is parked in one partition. step hears how many more are done.
func (s *Service) replayIn(ctx context.Context, p store.Partition, items []store.Parked, step func(int)) error {
	var actions []uint64
	var objects []store.Parked
	for _, item := range items {
		if item.Target != "" {
			actions = append(actions, item.ID)
		} else {
			objects = append(objects, item)
		}
	}
	if len(objects) > 0 {
		if err := s.engine.Remap(ctx, p, objects); err != nil {
			return err
		}
		step(len(objects))
	}
	for chunk := range slices.Chunk(actions, retriedAtOnce) {
		if _, err := deliver.Replay(ctx, s.store, p, chunk, s.now()); err != nil {
			return err
		}
		step(len(chunk))
	}
	if len(objects) == 0 {
		return nil
	}
	_, err := s.run(s.runContext(ctx), p.Connection, engine.Job{Offline: true, Trigger: "replay"})
	return err
}

// Drop implements api.Operations.
func (s *Service) Drop(ctx context.Context, ids []string) (int, error) {
	chosen, err := s.chooseParked(ctx, ids)
	if err != nil {
		return 0, err
	}
	n := 0
	for p, items := range chosen {
		err := s.store.Update(ctx, p, func(tx store.Writer) error {
			for _, item := range items {
				if _, err := tx.Unpark(item.ID); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		n += len(items)
		s.tellDropped(items)
	}
	return n, nil
}

// tellDropped wakes those who wait for what was dropped. In a state that nobody delivers from they look by themselves, within the hour.
func (s *Service) tellDropped(items []store.Parked) {
	targets := s.current().targets
	for _, item := range items {
		if t := targets[item.Target]; t != nil && item.Subject != "" {
			t.worker.WakeWaiting(item.Subject)
		}
	}
}

// chooseParked finds the named items, or all when none is named.
func (s *Service) chooseParked(ctx context.Context, ids []string) (map[store.Partition][]store.Parked, error) {
	chosen := map[store.Partition][]store.Parked{}
	found, wanted := map[string]bool{}, map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	err := s.eachParked(ctx, func(p store.Partition, item store.Parked) {
		id := parkedID(p, item.ID)
		if len(ids) == 0 || wanted[id] {
			chosen[p] = append(chosen[p], item)
			found[id] = true
		}
	})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if !found[id] {
			return nil, &fault.Error{Class: fault.Configuration, Op: "find parked item", Err: fmt.Errorf("nothing is parked as %q", id),
				Hint: "`dirsyncd parked list` shows the ids"}
		}
	}
	return chosen, nil
}
