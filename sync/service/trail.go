package service

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

// Operations are those of the service, with a trail of what people had done (api.Decision).
func (s *Service) Operations() api.Operations { return &trail{Service: s} }

// trail writes down what people have done, after it was done or refused.
type trail struct{ *Service }

const (
	spaceDecisions = "decisions"
	// decisionLife is how long a decision is kept: whoever looks back a year finds it.
	decisionLife = 400 * 24 * time.Hour
	// mostDecisions is how many are returned where nobody said how many.
	mostDecisions = 100
	// expiredAtOnce is how much of what is over is forgotten with each: nobody else does where nobody signs in.
	expiredAtOnce = 100
	// longestDetail bounds what is kept of an error, in bytes.
	longestDetail = 1 << 10
)

// note keeps a decision. That it cannot is said, and changes nothing: what was decided is done.
func (t *trail) note(ctx context.Context, what, of, detail string, err error) {
	now := t.now().UTC()
	d := api.Decision{At: now.Truncate(time.Second), By: api.UserOf(ctx), What: what, Of: of, Detail: clip(detail)}
	if err != nil {
		d.Error = clip(fault.Text(err))
	}
	items, e := t.items()
	if e != nil {
		return // a state that keeps none
	}
	value, e := json.Marshal(&d)
	if e == nil {
		e = items.Put(context.WithoutCancel(ctx), spaceDecisions, store.Item{Key: decisionKey(now), Until: d.At.Add(decisionLife), Value: value})
	}
	if e == nil {
		_, e = items.Expire(context.WithoutCancel(ctx), d.At, expiredAtOnce)
	}
	if e != nil {
		t.log.Error("a decision could not be written down", "what", what, "of", of, "err", e)
	}
}

// decisionKey sorts the latest first.
func decisionKey(at time.Time) []byte {
	var tail [8]byte
	_, _ = rand.Read(tail[:]) // never fails
	return append(binary.BigEndian.AppendUint64(nil, math.MaxInt64-uint64(at.UnixNano())), tail[:]...)
}

func clip(text string) string {
	if len(text) > longestDetail {
		return strings.ToValidUTF8(text[:longestDetail], "") + "…"
	}
	return text
}

// Decisions implements api.Operations. What cannot be read is left out, and said: it hides nothing else.
func (s *Service) Decisions(ctx context.Context, req api.DecisionsRequest) ([]api.Decision, error) {
	items, err := s.items()
	if err != nil {
		return nil, err
	}
	most := req.Limit
	if most <= 0 {
		most = mostDecisions
	}
	var list []api.Decision
	damaged, now := 0, s.now()
	err = items.Scan(ctx, spaceDecisions, nil, func(item store.Item) bool {
		if !item.Until.After(now) {
			return false // and so are all that follow
		}
		var d api.Decision
		if json.Unmarshal(item.Value, &d) != nil {
			damaged++
			return true
		}
		if d.At.Before(req.Since) {
			return false
		}
		list = append(list, d)
		return len(list) < most
	})
	if damaged > 0 {
		s.log.Warn("decisions cannot be read", "count", damaged)
	}
	return list, err
}

// Sync implements api.Operations.
func (t *trail) Sync(ctx context.Context, req api.SyncRequest, progress func(api.Progress)) (api.SyncResult, error) {
	result, err := t.Service.Sync(ctx, req, progress)
	detail := ""
	if req.Full {
		detail = "in full"
	}
	if req.User != "" {
		detail = strings.TrimSpace(detail + " one person")
	}
	t.note(ctx, "sync", strings.Join(req.Connections, " "), detail, err)
	return result, err
}

// Approve implements api.Operations.
func (t *trail) Approve(ctx context.Context, hash string) (api.SyncResult, error) {
	result, err := t.Service.Approve(ctx, hash)
	t.note(ctx, "approve", hash, "", err)
	return result, err
}

// Discard implements api.Operations.
func (t *trail) Discard(ctx context.Context, hash string) error {
	err := t.Service.Discard(ctx, hash)
	t.note(ctx, "discard", hash, "", err)
	return err
}

// Publish implements api.Operations. That what is current already was asked for is no decision.
func (t *trail) Publish(ctx context.Context) (api.Publication, error) {
	p, err := t.Service.Publish(ctx)
	if err != nil || !p.Already {
		t.note(ctx, "publish", t.worker, p.Configuration, err)
	}
	return p, err
}

// Resend implements api.Operations.
func (t *trail) Resend(ctx context.Context, req api.ResendRequest) (api.SyncResult, error) {
	result, err := t.Service.Resend(ctx, req)
	detail := strings.Join(req.Connections, " ")
	if !req.Since.IsZero() {
		detail = strings.TrimSpace("since " + req.Since.UTC().Format(time.RFC3339) + " " + detail)
	}
	if !req.Dry {
		t.note(ctx, "resend", req.Target, detail, err)
	}
	return result, err
}

// Undo implements api.Operations.
func (t *trail) Undo(ctx context.Context, req api.UndoApproval) (api.SyncResult, error) {
	result, err := t.Service.Undo(ctx, req)
	of := req.Run
	for _, r := range result.Runs {
		if r.Undid != "" {
			of = r.Undid
		}
	}
	t.note(ctx, "undo", of, strings.TrimSpace(req.Record+" "+req.Approve), err)
	return result, err
}

// Replay implements api.Operations.
func (t *trail) Replay(ctx context.Context, ids []string, progress func(api.Progress)) (int, error) {
	n, err := t.Service.Replay(ctx, ids, progress)
	t.note(ctx, "retry", named(ids), "", err)
	return n, err
}

// Drop implements api.Operations.
func (t *trail) Drop(ctx context.Context, ids []string) (int, error) {
	n, err := t.Service.Drop(ctx, ids)
	t.note(ctx, "drop", named(ids), "", err)
	return n, err
}

// named lists ids; without any it is all of them.
func named(ids []string) string {
	if len(ids) == 0 {
		return "all"
	}
	return clip(strings.Join(ids, " "))
}

// Decide implements api.Operations.
func (t *trail) Decide(ctx context.Context, by api.MatchDecision) (string, error) {
	record, err := t.Service.Decide(ctx, by)
	of := by.ID
	if of == "" {
		of = by.Target + " " + by.Subject
	}
	t.note(ctx, "match", of, strings.TrimSpace(by.Verdict+" "+by.Candidate), err)
	return record, err
}

// Audit implements api.Operations.
func (t *trail) Audit(ctx context.Context, req api.AuditRequest) (api.AuditResult, error) {
	result, err := t.Service.Audit(ctx, req)
	if req.Repair {
		t.note(ctx, "repair", req.Target, strings.Join(req.Kinds, " "), err)
	}
	return result, err
}

// RenameConnection implements api.Operations.
func (t *trail) RenameConnection(ctx context.Context, from, to string) error {
	err := t.Service.RenameConnection(ctx, from, to)
	t.note(ctx, "rename", from, to, err)
	return err
}

// RetireConnection implements api.Operations.
func (t *trail) RetireConnection(ctx context.Context, name string) (api.SyncResult, error) {
	result, err := t.Service.RetireConnection(ctx, name)
	t.note(ctx, "retire", name, "", err)
	return result, err
}

// EndSessions implements api.Operations.
func (t *trail) EndSessions(ctx context.Context, who string) (int, error) {
	n, err := t.Service.EndSessions(ctx, who)
	t.note(ctx, "end-sessions", who, "", err)
	return n, err
}

// Unlink implements api.Operations.
func (t *trail) Unlink(ctx context.Context, who string) (int, error) {
	n, err := t.Service.Unlink(ctx, who)
	t.note(ctx, "unlink", who, "", err)
	return n, err
}

// SigninKeys implements api.Operations.
func (t *trail) SigninKeys(ctx context.Context, req api.SigninKeysRequest) ([]api.SigninKey, error) {
	list, err := t.Service.SigninKeys(ctx, req)
	if req.Rotate {
		t.note(ctx, "rotate", "keys of sign-in", "", err)
	}
	return list, err
}
