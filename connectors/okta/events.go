package okta

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

const logPath = apiRoot + "logs"

// event is what is read of an entry of the System Log.
type event struct {
	Type      string  `json:"eventType"`
	Published *string `json:"published"`
	Target    []struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"target"`
	Outcome *struct {
		Result string `json:"result"`
	} `json:"outcome"`
}

// targets returns the ids of an event's targets of a type. Their order in the event means nothing.
func (e *event) targets(typ string) (ids []string) {
	for _, t := range e.Target {
		if t.Type == typ && t.ID != "" {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// published is when an event happened, in milliseconds; 0 when it does not say.
func (e *event) published() int64 {
	t, err := timeOf(e.Published)
	if err != nil || t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// poll reads the System Log from a position on, and returns the position after it. The log is read in the order
// in which Okta stored the events, so one that is stored late is not missed. Every answer has a link to a next
// one, for ever; an empty one says that there is nothing more now. take gets the events of the given types that
// tell of a success. The same event may come again after a position was lost.
func (r *reading) poll(ctx context.Context, from *logPosition, types []string, take func(*event)) (*logPosition, error) {
	if resource, _, _ := strings.Cut(from.Next, "?"); resource == logPath {
		position, err := r.pollFrom(ctx, from.Next, take)
		if class := fault.ClassOf(err); class != fault.Invalid && class != fault.Gone {
			return position, err
		}
		// The link is no longer taken. The time up to which the log was read does as well.
	}
	return r.pollFrom(ctx, query(logPath,
		"since", stamp(time.UnixMilli(from.Since).Add(-overlap)), "filter", anyOf("eventType", types),
		"sortOrder", "ASCENDING", "limit", "1000"), take)
}

// pollFrom polls from a link on.
func (r *reading) pollFrom(ctx context.Context, path string, take func(*event)) (*logPosition, error) {
	position := &logPosition{}
	seen, round := map[string]struct{}{}, newCircle()
	for {
		a, err := r.get(ctx, path)
		if err != nil {
			return nil, err
		}
		entries, problem := entriesOf(a.body)
		if problem == "" && a.next == "" {
			problem = "an answer came without the link to the next one"
		}
		if resource, _, _ := strings.Cut(a.next, "?"); problem == "" && resource != logPath {
			problem = "the link to the next page leads to another resource"
		}
		seen[path] = struct{}{}
		if _, again := seen[a.next]; problem == "" && again && len(entries) > 0 {
			problem = "the link to the next page leads to a page that was there before"
		}
		if problem == "" && len(entries) > 0 {
			problem = round.take(entries)
		}
		if problem != "" {
			return nil, r.invalid("list logs", "%s", problem)
		}
		// The time of the first answer: what happens while the rest is read is for the next time.
		if position.Since == 0 {
			position.Since = a.date.UnixMilli()
		}
		position.Next = a.next
		if len(entries) == 0 {
			return position, nil
		}
		for _, raw := range entries {
			var e event
			if err := json.Unmarshal(raw, &e); err != nil || e.Type == "" {
				return nil, r.invalid("list logs", "an event is not as documented")
			}
			if e.Outcome != nil && e.Outcome.Result == "SUCCESS" {
				take(&e)
			}
		}
		path = a.next
	}
}

// deleted polls the log from a cursor's position and returns the objects that events of the given types say are
// gone. It moves the next cursor's position, and remembers the removals there. Other events go to others.
func (r *reading) deleted(ctx context.Context, at, next *cursor, kind directory.Kind, types []string, target string, others map[string]func(*event)) ([]directory.Ref, error) {
	if at.Log == nil {
		return nil, &fault.Error{Class: fault.CursorExpired, Op: r.op, Err: errors.New("the cursor is damaged")}
	}
	wanted := slices.Concat(types, slices.Sorted(maps.Keys(others)))
	removed := map[string]struct{}{}
	position, err := r.poll(ctx, at.Log, wanted, func(e *event) {
		if slices.Contains(types, e.Type) {
			for _, id := range e.targets(target) {
				removed[id] = struct{}{}
			}
		}
		if f := others[e.Type]; f != nil {
			f(e)
		}
	})
	if err != nil {
		return nil, err
	}
	next.Log = position
	next.Gone = map[string]int64{}
	for id, when := range at.Gone {
		if when >= next.Since-keepGone.Milliseconds() {
			next.Gone[id] = when
		}
	}
	refs := make([]directory.Ref, 0, len(removed))
	for _, id := range sortedKeys(removed) {
		refs = append(refs, directory.Ref{Kind: kind, ID: id})
		next.Gone[id] = next.Since
	}
	return refs, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
