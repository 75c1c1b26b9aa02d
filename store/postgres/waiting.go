package postgres

import (
	"context"

	"dirsyncd/store"
)

// Waiting implements store.Store.
func (s *Store) Waiting(ctx context.Context, target string) ([]store.Partition, error) {
	if !canBeTarget(target) {
		return nil, misuse("target %q cannot be named", target)
	}
	return s.listPartitions(ctx, `select p.connection, p.tenant from @.queue q join @.partition p on p.id = q.part
		where q.target = $1 and q.depth > 0 order by p.connection, p.tenant`, target)
}

// Awaiting implements store.Store. However many wait in a partition for a key, one of them is looked at.
func (s *Store) Awaiting(ctx context.Context, target string, keys ...string) ([]store.Partition, error) {
	if !canBeTarget(target) {
		return nil, misuse("target %q cannot be named", target)
	}
	if len(keys) == 0 {
		return s.listPartitions(ctx, `select distinct p.connection, p.tenant from @.wait_count w join @.partition p on p.id = w.part
			where w.target = $1 order by p.connection, p.tenant`, target)
	}
	return s.listPartitions(ctx, `with recursive f as (
			select k.key, (select min(w.part) from @.wait w where w.target = $1 and w.awaited = k.key) part from unnest($2::uuid[]) k (key)
			union all
			select f.key, (select min(w.part) from @.wait w where w.target = $1 and w.awaited = f.key and w.part > f.part) from f where f.part is not null)
		select distinct p.connection, p.tenant from f join @.partition p on p.id = f.part order by p.connection, p.tenant`, target, uuidsOf(keys))
}
