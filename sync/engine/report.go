package engine

import (
	"context"
	"log/slog"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// What a run tells while it goes on; how it ended is told by finish.

// asker is the user who asked for the run, for the log.
func (r *run) asker() []any {
	if r.rec.By == "" {
		return nil
	}
	return []any{"by", r.rec.By}
}

func (r *run) queued(target string) {
	if r.engine.opts.Queued != nil {
		r.engine.opts.Queued(target)
	}
}

// parkedLines is how many objects that a run parks have a line each in the log. One wrong rule can park everybody, for one
// and the same reason.
const parkedLines = 10

// parked returns what names the objects that a stage parks.
func (r *run) parked(stage string) func(directory.Kind, string, fault.Class, ...any) {
	return func(kind directory.Kind, id string, class fault.Class, more ...any) {
		if r.parkedNow++; r.parkedNow <= parkedLines {
			r.log.Warn("parked", append([]any{"stage", stage, "kind", kind.String(), "id", id, "class", class}, more...)...)
		}
	}
}

// note tells the operator something about the run that is not an error.
func (r *run) note(text string) {
	r.rec.Notes = append(r.rec.Notes, text)
	r.log.Warn("what the run found odd", "text", text)
}

func (r *run) progress(stage, stream string, done, total int) {
	if r.engine.opts.Progress != nil {
		r.engine.opts.Progress(Progress{Partition: r.part, Stage: stage, Stream: stream, Done: done, Total: total})
	}
}

// acted returns what names every action in the log, where that may hold personal data; else nil.
func (r *run) acted() func(*directory.Action) {
	if !r.log.Enabled(context.Background(), slog.LevelDebug) {
		return nil
	}
	return func(a *directory.Action) {
		fields := make([]string, len(a.Changes))
		for i, c := range a.Changes {
			fields[i] = c.Name
		}
		r.log.Debug("action", "op", a.Op.String(), "kind", a.Kind.String(), "key", a.Record, "name", a.Name(), "rule", a.Rule, "reason", a.Reason, "fields", fields)
	}
}
