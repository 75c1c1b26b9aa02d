create table fleet.meta (one bool primary key default true check (one), version int not null);
create table fleet.generation (id int8 generated always as identity primary key, hash text not null, published timestamptz not null, by_worker text not null);
-- Who is alive. Only its own heartbeat writes to a worker's row, but for its burial, and for drain.
create table fleet.worker (id uuid primary key, name text not null, program text not null, hash text not null, lanes int not null, session text not null,
  started timestamptz not null, expires timestamptz not null, dead bool not null default false, draining bool not null default false) with (fillfactor=30);
-- What can be worked on. due is when a schedule comes next, next is when that begins, after a jitter. taker is the only worker that a job is for.
create table fleet.unit (id int8 generated always as identity primary key, kind int2 not null, connection text not null default '', tenant text not null default '',
  target text not null default '', spec text not null default '', places text[],
  due timestamptz, due_full timestamptz, next timestamptz, next_full timestamptz,
  want int2 not null default 0, doing int2 not null default 0, args jsonb, doing_args jsonb, cause text not null default '', wanted timestamptz, prio int2 not null default 2,
  not_before timestamptz, holder uuid, fence int8 not null default 0, since timestamptz, proven timestamptz, failing text, failing_since timestamptz,
  job int8, taker text,
  unique (kind, connection, tenant, target)) with (fillfactor=50, autovacuum_vacuum_scale_factor=0.05);
create index unit_wanted on fleet.unit (connection, prio, wanted) where want <> 0 and holder is null and job is null;
create index unit_busy on fleet.unit (connection) where holder is not null or job is not null;
create index unit_next on fleet.unit (least(next, next_full));
create unlogged table fleet.progress (unit int8 primary key references fleet.unit on delete cascade, fence int8 not null, text text not null);
