package socket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"

	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

// ErrNoDaemon is wrapped by the error of Dial when nobody listens: there is no socket, or one that a killed
// daemon left behind.
var ErrNoDaemon = errors.New("no daemon is running")

// Client asks a running daemon. Its methods may be called concurrently. Errors of the operations have the
// class and the hint that they had in the daemon. A Sync or Approve whose context ends is no longer waited for,
// but goes on in the daemon.
type Client struct {
	http http.Client
	path string
	sudo string
}

var _ api.Operations = (*Client)(nil)

// Dial returns a client for the daemon that listens on the socket. The error wraps ErrNoDaemon when there is
// none; every other error means that there may well be one.
func Dial(ctx context.Context, path string) (*Client, error) {
	conn, err := dial(ctx, path)
	if err != nil {
		return nil, dialError(path, err)
	}
	_ = conn.Close()
	c := &Client{path: path}
	c.http.Transport = &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, path) },
		DisableCompression: true,
	}
	return c, nil
}

func dialError(path string, err error) error {
	e := &fault.Error{Class: fault.Transient, Op: "connect to the daemon", Where: path, Err: plain(err)}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ECONNREFUSED):
		e.Err, e.Hint = ErrNoDaemon, "start it with `dirsyncd run`"
	case errors.Is(err, fs.ErrPermission):
		e.Class = fault.Forbidden
		e.Hint = "run the command as the daemon's user, for example with `sudo -u dirsyncd`"
	}
	return e
}

// ActFor says which user sudo let act as the one who asks. It is called before the first operation.
func (c *Client) ActFor(sudo string) { c.sudo = sudo }

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status implements api.Operations.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return get[api.Status](ctx, c, pathStatus, nil)
}

// Runs implements api.Operations.
func (c *Client) Runs(ctx context.Context, req api.RunsRequest) ([]api.Run, error) {
	query := url.Values{"connection": {req.Connection}, "limit": {strconv.Itoa(req.Limit)}, "id": {req.ID}}
	return get[[]api.Run](ctx, c, pathRuns, query)
}

// Why implements api.Operations.
func (c *Client) Why(ctx context.Context, kind, who string) ([]api.Reason, error) {
	return get[[]api.Reason](ctx, c, pathWhy, url.Values{"kind": {kind}, "who": {who}})
}

// Show implements api.Operations.
func (c *Client) Show(ctx context.Context, req api.ShowRequest) ([]api.Person, error) {
	return post[[]api.Person](ctx, c, pathShow, req)
}

// Stored implements api.Operations.
func (c *Client) Stored(ctx context.Context, questions []api.StoredQuestion) ([]api.StoredRows, error) {
	return post[[]api.StoredRows](ctx, c, pathStored, questions)
}

// Parked implements api.Operations.
func (c *Client) Parked(ctx context.Context) ([]api.ParkedItem, error) {
	return get[[]api.ParkedItem](ctx, c, pathParked, nil)
}

// Held implements api.Operations.
func (c *Client) Held(ctx context.Context, req api.HeldRequest) (api.HeldActions, error) {
	return post[api.HeldActions](ctx, c, pathHeld, req)
}

// Decisions implements api.Operations.
func (c *Client) Decisions(ctx context.Context, req api.DecisionsRequest) ([]api.Decision, error) {
	return post[[]api.Decision](ctx, c, pathDecisions, req)
}

// Approve implements api.Operations.
func (c *Client) Approve(ctx context.Context, hash string) (api.SyncResult, error) {
	result, err := post[api.SyncResult](ctx, c, pathApprove, hashRequest{hash})
	return result, leftBehind(ctx, err)
}

// Drain implements api.Operations.
func (c *Client) Drain(ctx context.Context, req api.DrainRequest) (int, error) {
	return post[int](ctx, c, pathDrain, req)
}

// Publish implements api.Operations.
func (c *Client) Publish(ctx context.Context) (api.Publication, error) {
	return post[api.Publication](ctx, c, pathPublish, struct{}{})
}

// Discard implements api.Operations.
func (c *Client) Discard(ctx context.Context, hash string) error {
	_, err := post[struct{}](ctx, c, pathDiscard, hashRequest{hash})
	return err
}

// Resend implements api.Operations.
func (c *Client) Resend(ctx context.Context, req api.ResendRequest) (api.SyncResult, error) {
	result, err := post[api.SyncResult](ctx, c, pathResend, req)
	return result, leftBehind(ctx, err)
}

// RunActions implements api.Operations.
func (c *Client) RunActions(ctx context.Context, req api.RunActionsRequest) (api.RunActions, error) {
	return post[api.RunActions](ctx, c, pathRunActions, req)
}

// PlanUndo implements api.Operations.
func (c *Client) PlanUndo(ctx context.Context, req api.UndoRequest) (api.UndoPlan, error) {
	return post[api.UndoPlan](ctx, c, pathPlanUndo, req)
}

// Undo implements api.Operations.
func (c *Client) Undo(ctx context.Context, req api.UndoApproval) (api.SyncResult, error) {
	result, err := post[api.SyncResult](ctx, c, pathUndo, req)
	return result, leftBehind(ctx, err)
}

// WhyAt implements api.Operations.
func (c *Client) WhyAt(ctx context.Context, req api.WhyAtRequest) ([]api.Past, error) {
	return post[[]api.Past](ctx, c, pathWhyAt, req)
}

// Replay implements api.Operations.
func (c *Client) Replay(ctx context.Context, ids []string, progress func(api.Progress)) (int, error) {
	n := 0
	err := c.follow(ctx, pathRetry, idsRequest{IDs: ids, All: len(ids) == 0}, func(l *line) (done bool) {
		if l.Progress != nil && progress != nil {
			progress(*l.Progress)
		}
		if l.Retried != nil {
			n = l.Retried.Found
		}
		return l.Retried != nil
	})
	return n, leftBehind(ctx, err)
}

// Drop implements api.Operations.
func (c *Client) Drop(ctx context.Context, ids []string) (int, error) {
	n, err := post[found](ctx, c, pathDrop, idsRequest{IDs: ids, All: len(ids) == 0})
	return n.Found, err
}

// Matches implements api.Operations.
func (c *Client) Matches(ctx context.Context, target string) ([]api.Match, error) {
	return get[[]api.Match](ctx, c, pathMatches, url.Values{"target": {target}})
}

// Decide implements api.Operations.
func (c *Client) Decide(ctx context.Context, by api.MatchDecision) (string, error) {
	who, err := post[subject](ctx, c, pathDecide, by)
	return who.Subject, err
}

// Adopt implements api.Operations.
func (c *Client) Adopt(ctx context.Context, req api.AdoptRequest) ([]api.HeldAtTarget, error) {
	return post[[]api.HeldAtTarget](ctx, c, pathAdopt, req)
}

// PlanAt implements api.Operations.
func (c *Client) PlanAt(ctx context.Context, req api.PlanAtRequest) (api.PlanAtResult, error) {
	return post[api.PlanAtResult](ctx, c, pathPlanAt, req)
}

// Audit implements api.Operations.
func (c *Client) Audit(ctx context.Context, req api.AuditRequest) (api.AuditResult, error) {
	return post[api.AuditResult](ctx, c, pathAudit, req)
}

// RenameConnection implements api.Operations.
func (c *Client) RenameConnection(ctx context.Context, from, to string) error {
	_, err := post[struct{}](ctx, c, pathRename, renameRequest{from, to})
	return err
}

// RetireConnection implements api.Operations.
func (c *Client) RetireConnection(ctx context.Context, name string) (api.SyncResult, error) {
	result, err := post[api.SyncResult](ctx, c, pathRetire, retireRequest{name})
	return result, leftBehind(ctx, err)
}

// SigninAttempts implements api.Operations.
func (c *Client) SigninAttempts(ctx context.Context, req api.SigninRequest) ([]api.SigninAttempt, error) {
	return post[[]api.SigninAttempt](ctx, c, pathAttempts, req)
}

// SigninSessions implements api.Operations.
func (c *Client) SigninSessions(ctx context.Context, who string) ([]api.SigninSession, error) {
	return get[[]api.SigninSession](ctx, c, pathSessions, url.Values{"who": {who}})
}

// EndSessions implements api.Operations.
func (c *Client) EndSessions(ctx context.Context, who string) (int, error) {
	n, err := post[found](ctx, c, pathEndSessions, whoRequest{who})
	return n.Found, err
}

// SigninWho implements api.Operations.
func (c *Client) SigninWho(ctx context.Context, req api.SigninWhoRequest) (api.SigninWho, error) {
	return post[api.SigninWho](ctx, c, pathSigninWho, req)
}

// SigninLinks implements api.Operations.
func (c *Client) SigninLinks(ctx context.Context, who string) ([]api.SigninLink, error) {
	return get[[]api.SigninLink](ctx, c, pathLinks, url.Values{"who": {who}})
}

// Unlink implements api.Operations.
func (c *Client) Unlink(ctx context.Context, who string) (int, error) {
	n, err := post[found](ctx, c, pathUnlink, whoRequest{who})
	return n.Found, err
}

// SigninKeys implements api.Operations.
func (c *Client) SigninKeys(ctx context.Context, req api.SigninKeysRequest) ([]api.SigninKey, error) {
	return post[[]api.SigninKey](ctx, c, pathSigninKeys, req)
}

// Backup implements api.Operations.
func (c *Client) Backup(ctx context.Context, to io.Writer) error {
	body, err := c.open(ctx, http.MethodGet, pathBackup, nil)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	from := &reading{from: body}
	if _, err := io.Copy(to, from); err != nil {
		if from.err != nil {
			return c.broken(ctx, from.err)
		}
		return err
	}
	return nil
}

// reading tells an error of the reader from one of the writer.
type reading struct {
	from io.Reader
	err  error
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// Sync implements api.Operations.
func (c *Client) Sync(ctx context.Context, req api.SyncRequest, progress func(api.Progress)) (api.SyncResult, error) {
	var result api.SyncResult
	err := c.follow(ctx, pathSync, req, func(l *line) (done bool) {
		if l.Progress != nil && progress != nil {
			progress(*l.Progress)
		}
		if l.Result != nil {
			result = *l.Result
		}
		return l.Result != nil
	})
	return result, leftBehind(ctx, err)
}

// Plan implements api.Operations.
func (c *Client) Plan(ctx context.Context, req api.PlanRequest, visit func(api.PlannedAction)) (plan api.PlanResult, err error) {
	err = c.follow(ctx, pathPlan, req, func(l *line) (done bool) {
		if l.Action != nil && visit != nil {
			visit(*l.Action)
		}
		if l.Plan != nil {
			plan = *l.Plan
		}
		return l.Plan != nil
	})
	return plan, err
}

func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var result T
	body, err := c.open(ctx, http.MethodGet, path+"?"+query.Encode(), nil)
	if err != nil {
		return result, err
	}
	return result, c.parse(ctx, body, &result)
}

func post[T any](ctx context.Context, c *Client, path string, req any) (T, error) {
	var result T
	body, err := c.open(ctx, http.MethodPost, path, req)
	if err != nil {
		return result, err
	}
	return result, c.parse(ctx, body, &result)
}

// follow reads a streamed answer line by line until take has seen the last one.
func (c *Client) follow(ctx context.Context, path string, req any, take func(*line) (done bool)) error {
	body, err := c.open(ctx, http.MethodPost, path, req)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	dec := newDecoder(body)
	for {
		var l line
		if err := dec.Decode(&l); err != nil {
			return c.broken(ctx, err)
		}
		if l.Error != nil {
			return l.Error.fault()
		}
		if take(&l) {
			return nil
		}
	}
}

// open sends a request and returns the body of a good answer.
func (c *Client) open(ctx context.Context, method, path string, req any) (io.ReadCloser, error) {
	var send io.Reader
	if req != nil {
		data, err := json.Marshal(req)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		send = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://dirsyncd"+path, send)
	if err != nil {
		return nil, fmt.Errorf("ask the daemon: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if c.sudo != "" {
		r.Header.Set(headerSudo, c.sudo)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	var failed errorAnswer
	if err := c.parse(ctx, resp.Body, &failed); err != nil || failed.Error == nil {
		return nil, &fault.Error{Class: fault.Internal, Op: "ask the daemon", Where: c.path,
			Err: fmt.Errorf("it answered %s", resp.Status), Hint: otherVersion}
	}
	return nil, failed.Error.fault()
}

// parse reads an answer of one value and closes it.
func (c *Client) parse(ctx context.Context, body io.ReadCloser, into any) error {
	defer func() { _ = body.Close() }()
	if err := newDecoder(body).Decode(into); err != nil {
		return c.broken(ctx, err)
	}
	return nil
}

// leftBehind tells who stopped waiting for a run that the run goes on.
func leftBehind(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return &fault.Error{Class: fault.Canceled, Err: err, Hint: "only the waiting ended; the daemon goes on with what it began"}
}

// broken says why an answer did not come to its end.
func (c *Client) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("ask the daemon: %w", ctx.Err())
	}
	e := &fault.Error{Class: fault.Transient, Op: "ask the daemon", Where: c.path}
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax), errors.As(err, &mismatch):
		e.Class, e.Err, e.Hint = fault.Internal, errors.New("its answer cannot be read"), otherVersion
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		e.Err, e.Hint = ErrNoDaemon, "it has stopped meanwhile; its log says why"
	default:
		e.Err = errors.New("it went away before it had answered")
		e.Hint = "its log says why; what it had begun is not lost"
	}
	return e
}

// newDecoder keeps numbers as they are written: record values may be too large for a float.
func newDecoder(r io.Reader) *json.Decoder {
	dec := json.NewDecoder(r)
	dec.UseNumber()
	return dec
}
