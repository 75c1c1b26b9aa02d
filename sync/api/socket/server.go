// Package socket is how a command reaches a running daemon: the operations of package api over HTTP on a unix socket.
package socket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"runtime/debug"
	"strconv"
	"time"

	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

// Time limits of the other side. Nothing limits how long an operation takes.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 10 * time.Second
	idleTimeout   = time.Minute
	// unreadTimeout is long because a command whose output is being paged through reads nothing meanwhile.
	unreadTimeout = 5 * time.Minute
)

// Server answers operations over HTTP on a unix socket. Who may connect is decided by the socket's mode and group alone.
//
// An operation that changes something goes on when the client that asked for it leaves: a run that was begun
// is not cut because somebody closed a terminal. What only reads, a plan included, ends with its client.
type Server struct {
	ops  api.Operations
	log  *slog.Logger
	http http.Server
	sock net.Listener
	ctx  context.Context // of all operations
	stop context.CancelFunc

	bodyTimeout, unreadTimeout time.Duration
}

// NewServer makes a server for operations. log gets one line per request that changes something.
func NewServer(ops api.Operations, log *slog.Logger) *Server {
	s := &Server{ops: ops, log: log, bodyTimeout: bodyTimeout, unreadTimeout: unreadTimeout}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.http = http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
		ConnContext:       withPeer,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s
}

// Listen opens the socket at path, readable and writable by its owner only. A missing folder is made, for the
// owner only. A socket that a killed daemon left behind is replaced; anything else at the path, and a socket
// that still answers, is an error and stays as it is. From here on clients can connect; Serve answers them.
func (s *Server) Listen(path string) (err error) {
	s.sock, err = listen(s.ctx, path)
	return err
}

// ListenFor is Listen, with a socket that a group may use, too: by its name or number. The folder must be one that they can enter. The
// error, of class Configuration, says that the group is not known or that this process may not give it anything.
func (s *Server) ListenFor(group, path string) error {
	gid, err := groupID(group)
	if err != nil {
		return listenError(path, err, "`readers.group` is the name or number of a group of this machine")
	}
	if err := s.Listen(path); err != nil {
		return err
	}
	err = os.Lchown(path, -1, gid)
	if err == nil {
		err = os.Chmod(path, 0o660) //nolint:gosec // the group is to use it, and by it change nothing
	}
	if err != nil {
		return errors.Join(listenError(path, fmt.Errorf("give it to the group %s: %w", group, plain(err)),
			"the daemon's user must be a member of the group: with systemd `SupplementaryGroups=` and `PrivateUsers=no` in a drop-in, see docs/operations.md"), s.sock.Close())
	}
	return nil
}

func groupID(group string) (int, error) {
	if n, err := strconv.ParseUint(group, 10, 31); err == nil {
		return int(n), nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return 0, fmt.Errorf("there is no group %q", group)
	}
	return strconv.Atoi(g.Gid)
}

// Serve answers until Shutdown, and then returns nil. It is called once, after Listen.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.sock); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the control socket: %w", err)
	}
	return nil
}

// Shutdown ends the context of the operations that are under way, waits for them to return until ctx ends, and
// then closes what is left. It removes the socket, also when Serve was never called.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	err := s.http.Shutdown(ctx)
	if s.sock != nil {
		_ = s.sock.Close() // closed already if Serve was called
	}
	if err != nil {
		return errors.Join(fmt.Errorf("shut down the control socket: %w", err), s.http.Close())
	}
	return nil
}

type route struct {
	method string
	handle http.HandlerFunc
}

func (s *Server) routes() map[string]route {
	return map[string]route{
		pathStatus:  {http.MethodGet, s.read(s.status)},
		pathRuns:    {http.MethodGet, s.read(s.runs)},
		pathWhy:     {http.MethodGet, s.read(s.why)},
		pathShow:    {http.MethodPost, s.show},
		pathParked:  {http.MethodGet, s.read(s.parked)},
		pathPlan:    {http.MethodPost, s.plan},
		pathSync:    {http.MethodPost, s.sync},
		pathResend:  {http.MethodPost, change(s, s.resend)},
		pathApprove: {http.MethodPost, change(s, s.approve)},
		pathDiscard: {http.MethodPost, change(s, s.discard)},
		pathDrain:   {http.MethodPost, change(s, s.drain)},
		pathPublish: {http.MethodPost, change(s, s.publish)},
		pathRetry:   {http.MethodPost, s.retry},
		pathReplay:  {http.MethodPost, change(s, s.replay)},
		pathDrop:    {http.MethodPost, change(s, s.drop)},
		pathRename:  {http.MethodPost, change(s, s.rename)},
		pathRetire:  {http.MethodPost, change(s, s.retire)},
		pathMatches: {http.MethodGet, s.read(s.matches)},
		pathDecide:  {http.MethodPost, change(s, s.decide)},
		pathAdopt:   {http.MethodPost, change(s, s.adopt)},
		pathPlanAt:  {http.MethodPost, change(s, s.planAt)},
		pathAudit:   {http.MethodPost, change(s, s.audit)},
		pathBackup:  {http.MethodGet, s.backup},
		pathStored:  {http.MethodPost, change(s, s.stored)},
		pathHeld:    {http.MethodPost, s.held},

		pathDecisions: {http.MethodPost, change(s, s.decisions)},

		pathRunActions: {http.MethodPost, look(s, s.runActions)},
		pathPlanUndo:   {http.MethodPost, look(s, s.planUndo)},
		pathUndo:       {http.MethodPost, change(s, s.undo)},
		pathWhyAt:      {http.MethodPost, look(s, s.whyAt)},

		pathAttempts:    {http.MethodPost, change(s, s.attempts)},
		pathSessions:    {http.MethodGet, s.read(s.sessions)},
		pathEndSessions: {http.MethodPost, change(s, s.endSessions)},
		pathSigninWho:   {http.MethodPost, change(s, s.signinWho)},
		pathLinks:       {http.MethodGet, s.read(s.links)},
		pathUnlink:      {http.MethodPost, change(s, s.unlink)},
		pathSigninKeys:  {http.MethodPost, change(s, s.signinKeys)},
	}
}

func (s *Server) handler() http.Handler {
	routes := s.routes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.recover(w, r)
		route, ok := routes[r.URL.Path]
		if !ok {
			err := invalid("there is no such operation", otherVersion)
			s.answer(w, http.StatusNotFound, errorAnswer{toWire(err)})
			return
		}
		if r.Method != route.method {
			w.Header().Set("Allow", route.method)
			err := invalid("this operation wants the method "+route.method, otherVersion)
			s.answer(w, http.StatusMethodNotAllowed, errorAnswer{toWire(err)})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		route.handle(w, r)
	})
}

// recover keeps a defect in one operation from taking the daemon with it. The answer is the same for one that
// streams: the error is then its last line.
func (s *Server) recover(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p) // meant: net/http cuts the connection
	}
	s.log.Error("control operation panicked",
		"path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	s.fail(w, &fault.Error{Class: fault.Internal, Err: errors.New("the daemon met a defect in itself"),
		Hint: "its log says more; please report it"})
}

// read answers an operation that changes nothing; it ends when the client leaves.
func (s *Server) read(fn func(context.Context, url.Values) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.reply(w)(fn(r.Context(), r.URL.Query()))
	}
}

func (s *Server) status(ctx context.Context, _ url.Values) (any, error) { return s.ops.Status(ctx) }

func (s *Server) parked(ctx context.Context, _ url.Values) (any, error) {
	items, err := s.ops.Parked(ctx)
	return append([]api.ParkedItem{}, items...), err
}

func (s *Server) runs(ctx context.Context, q url.Values) (any, error) {
	req := api.RunsRequest{Connection: q.Get("connection"), ID: q.Get("id")}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, invalid("limit is not a number", otherVersion)
		}
		req.Limit = n
	}
	runs, err := s.ops.Runs(ctx, req)
	return append([]api.Run{}, runs...), err
}

func (s *Server) why(ctx context.Context, q url.Values) (any, error) {
	reasons, err := s.ops.Why(ctx, q.Get("kind"), q.Get("who"))
	return append([]api.Reason{}, reasons...), err
}

// show only reads, although it has a body: it ends when the client leaves.
func (s *Server) show(w http.ResponseWriter, r *http.Request) {
	req, err := take[api.ShowRequest](s, w, r)
	if err != nil {
		s.fail(w, err)
		return
	}
	people, err := s.ops.Show(r.Context(), req)
	s.reply(w)(append([]api.Person{}, people...), err)
}

// held only reads, as show does.
func (s *Server) held(w http.ResponseWriter, r *http.Request) {
	req, err := take[api.HeldRequest](s, w, r)
	if err != nil {
		s.fail(w, err)
		return
	}
	answer, err := s.ops.Held(r.Context(), req)
	answer.Actions = append([]api.PlannedAction{}, answer.Actions...)
	s.reply(w)(answer, err)
}

func (s *Server) decisions(ctx context.Context, req api.DecisionsRequest) (any, error) {
	list, err := s.ops.Decisions(ctx, req)
	return append([]api.Decision{}, list...), err
}

// look answers an operation that only reads, although it has a body: it ends when the client leaves.
func look[T any](s *Server, fn func(context.Context, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req, err := take[T](s, w, r)
		if err != nil {
			s.fail(w, err)
			return
		}
		s.reply(w)(fn(r.Context(), req))
	}
}

func (s *Server) runActions(ctx context.Context, req api.RunActionsRequest) (any, error) {
	answer, err := s.ops.RunActions(ctx, req)
	answer.Actions = append([]api.PlannedAction{}, answer.Actions...)
	return answer, err
}

func (s *Server) planUndo(ctx context.Context, req api.UndoRequest) (any, error) {
	answer, err := s.ops.PlanUndo(ctx, req)
	answer.Actions = append([]api.UndoAction{}, answer.Actions...)
	return answer, err
}

func (s *Server) undo(ctx context.Context, req api.UndoApproval) (any, error) {
	s.log.Info("operator undoes a run", withUser(ctx, "of", req.Run, "hash", req.Approve)...)
	return s.ops.Undo(ctx, req)
}

func (s *Server) whyAt(ctx context.Context, req api.WhyAtRequest) (any, error) {
	list, err := s.ops.WhyAt(ctx, req)
	return append([]api.Past{}, list...), err
}

// change answers an operation that goes on when the client leaves.
func change[T any](s *Server, fn func(context.Context, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req, err := take[T](s, w, r)
		if err != nil {
			s.fail(w, err)
			return
		}
		s.reply(w)(fn(s.asker(r), req))
	}
}

func (s *Server) approve(ctx context.Context, req hashRequest) (any, error) {
	s.log.Info("operator approves a plan", withUser(ctx, "hash", req.Hash)...)
	return s.ops.Approve(ctx, req.Hash)
}

func (s *Server) discard(ctx context.Context, req hashRequest) (any, error) {
	s.log.Info("operator discards a plan", withUser(ctx, "hash", req.Hash)...)
	return struct{}{}, s.ops.Discard(ctx, req.Hash)
}

func (s *Server) drain(ctx context.Context, req api.DrainRequest) (any, error) {
	s.log.Info("operator drains a worker", withUser(ctx, "worker", req.Worker, "end", req.End)...)
	return s.ops.Drain(ctx, req)
}

func (s *Server) publish(ctx context.Context, _ struct{}) (any, error) {
	s.log.Info("operator publishes the configuration", withUser(ctx)...)
	return s.ops.Publish(ctx)
}

func (s *Server) attempts(ctx context.Context, req api.SigninRequest) (any, error) {
	list, err := s.ops.SigninAttempts(ctx, req)
	return append([]api.SigninAttempt{}, list...), err
}

func (s *Server) sessions(ctx context.Context, q url.Values) (any, error) {
	list, err := s.ops.SigninSessions(ctx, q.Get("who"))
	return append([]api.SigninSession{}, list...), err
}

func (s *Server) endSessions(ctx context.Context, req whoRequest) (any, error) {
	s.log.Info("operator ends sessions", withUser(ctx)...)
	n, err := s.ops.EndSessions(ctx, req.Who)
	return found{n}, err
}

func (s *Server) signinWho(ctx context.Context, req api.SigninWhoRequest) (any, error) {
	return s.ops.SigninWho(ctx, req)
}

func (s *Server) links(ctx context.Context, q url.Values) (any, error) {
	list, err := s.ops.SigninLinks(ctx, q.Get("who"))
	return append([]api.SigninLink{}, list...), err
}

func (s *Server) unlink(ctx context.Context, req whoRequest) (any, error) {
	s.log.Info("operator forgets links of sign-in", withUser(ctx)...)
	n, err := s.ops.Unlink(ctx, req.Who)
	return found{n}, err
}

func (s *Server) signinKeys(ctx context.Context, req api.SigninKeysRequest) (any, error) {
	if req.Rotate {
		s.log.Info("operator turns the keys of sign-in", withUser(ctx, "at_once", req.Now)...)
	}
	list, err := s.ops.SigninKeys(ctx, req)
	return append([]api.SigninKey{}, list...), err
}

func (s *Server) rename(ctx context.Context, req renameRequest) (any, error) {
	s.log.Info("operator renames a connection", withUser(ctx, "from", req.From, "to", req.To)...)
	return struct{}{}, s.ops.RenameConnection(ctx, req.From, req.To)
}

func (s *Server) retire(ctx context.Context, req retireRequest) (any, error) {
	s.log.Info("operator retires a connection", withUser(ctx, "connection", req.Connection)...)
	return s.ops.RetireConnection(ctx, req.Connection)
}

func (s *Server) resend(ctx context.Context, req api.ResendRequest) (any, error) {
	if req.Dry {
		return s.ops.Resend(ctx, req)
	}
	s.log.Info("operator has everything sent to a target again", withUser(ctx, "target", req.Target, "connections", orAll(req.Connections))...)
	return s.ops.Resend(ctx, req)
}

// withUser adds to the attributes of a line in the log which user asks.
func withUser(ctx context.Context, args ...any) []any {
	if user := api.UserOf(ctx); user != "" {
		args = append(args, "user", user)
	}
	return args
}

func (s *Server) replay(ctx context.Context, req idsRequest) (any, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	s.log.Info("operator replays what is parked", withUser(ctx, "ids", orAll(req.IDs))...)
	n, err := s.ops.Replay(ctx, req.IDs, nil)
	return found{n}, err
}

func (s *Server) matches(ctx context.Context, q url.Values) (any, error) {
	list, err := s.ops.Matches(ctx, q.Get("target"))
	return append([]api.Match{}, list...), err
}

func (s *Server) decide(ctx context.Context, by api.MatchDecision) (any, error) {
	s.log.Info("operator decides about a match", "match", by.ID, "target", by.Target, "verdict", by.Verdict)
	who, err := s.ops.Decide(ctx, by)
	return subject{who}, err
}

func (s *Server) adopt(ctx context.Context, req api.AdoptRequest) (any, error) {
	list, err := s.ops.Adopt(ctx, req)
	return append([]api.HeldAtTarget{}, list...), err
}

func (s *Server) stored(ctx context.Context, questions []api.StoredQuestion) (any, error) {
	rows, err := s.ops.Stored(ctx, questions)
	return append([]api.StoredRows{}, rows...), err
}

func (s *Server) planAt(ctx context.Context, req api.PlanAtRequest) (any, error) {
	return s.ops.PlanAt(ctx, req)
}

func (s *Server) audit(ctx context.Context, req api.AuditRequest) (any, error) {
	s.log.Info("operator audits a target", "target", req.Target)
	return s.ops.Audit(ctx, req)
}

func (s *Server) drop(ctx context.Context, req idsRequest) (any, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	s.log.Info("operator drops what is parked", withUser(ctx, "ids", orAll(req.IDs))...)
	n, err := s.ops.Drop(ctx, req.IDs)
	return found{n}, err
}

// orAll is a list for a log, in which none named means all.
func orAll(names []string) any {
	if len(names) == 0 {
		return "all"
	}
	return names
}

// sync streams progress and then the result. Progress is left out rather than waited for: a client that does
// not read must not hold up a run.
func (s *Server) sync(w http.ResponseWriter, r *http.Request) {
	req, err := take[api.SyncRequest](s, w, r)
	if err != nil {
		s.fail(w, err)
		return
	}
	ctx := s.asker(r)
	s.log.Info("operator asks for a sync", withUser(ctx, "connections", orAll(req.Connections), "full", req.Full)...)
	s.follow(w, func(show func(api.Progress)) line {
		result, err := s.ops.Sync(ctx, req, show)
		if err != nil {
			return line{Error: toWire(err)}
		}
		return line{Result: &result}
	})
}

// retry streams progress and then how many were found.
func (s *Server) retry(w http.ResponseWriter, r *http.Request) {
	req, err := take[idsRequest](s, w, r)
	if err == nil {
		err = req.check()
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	ctx := s.asker(r)
	s.log.Info("operator replays what is parked", withUser(ctx, "ids", orAll(req.IDs))...)
	s.follow(w, func(show func(api.Progress)) line {
		n, err := s.ops.Replay(ctx, req.IDs, show)
		if err != nil {
			return line{Error: toWire(err)}
		}
		return line{Retried: &found{n}}
	})
}

// follow streams the progress of an operation, and then its last line.
func (s *Server) follow(w http.ResponseWriter, run func(show func(api.Progress)) line) {
	st := newStream(s.ctx, w, s.unreadTimeout)
	steps, written := make(chan api.Progress, 1), make(chan struct{})
	go func() {
		defer close(written)
		for p := range steps {
			st.send(line{Progress: &p})
			st.flush()
		}
	}()
	st.finish(withSteps(run, steps, written))
}

// withSteps sees to it that the writer of the steps has ended when it returns, or panics: nobody else may write to the
// answer before.
func withSteps(run func(func(api.Progress)) line, steps chan<- api.Progress, written <-chan struct{}) line {
	defer func() {
		close(steps)
		<-written
	}()
	return run(func(p api.Progress) {
		select {
		case steps <- p:
		default:
		}
	})
}

// plan streams the actions and then the runs. A client that left, or that reads nothing for too long, ends it:
// net/http ends the context when the connection breaks or a write fails.
func (s *Server) plan(w http.ResponseWriter, r *http.Request) {
	req, err := take[api.PlanRequest](s, w, r)
	if err != nil {
		s.fail(w, err)
		return
	}
	st := newStream(s.ctx, w, s.unreadTimeout)
	plan, err := s.ops.Plan(r.Context(), req, func(a api.PlannedAction) { st.send(line{Action: &a}) })
	if err != nil {
		st.finish(line{Error: toWire(err)})
		return
	}
	st.finish(line{Plan: &plan})
}

// backup streams the state. An error after the first byte cuts the connection: the client must not take a part
// for the whole.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	s.log.Info("operator copies the state, to keep or to verify it", withUser(s.asker(r))...)
	begun := &patient{ctx: s.ctx, to: w, rc: http.NewResponseController(w), limit: s.unreadTimeout}
	// A daemon that stops waits for nobody's slow disk.
	defer context.AfterFunc(s.ctx, func() { _ = begun.rc.SetWriteDeadline(time.Now()) })()
	w.Header().Set("Content-Type", "application/octet-stream")
	err := s.ops.Backup(r.Context(), begun)
	switch {
	case err == nil:
	case begun.any:
		s.log.Error("the backup was cut short", "err", err)
		panic(http.ErrAbortHandler)
	default:
		s.fail(w, err)
	}
}

// patient writes to a client that must go on reading.
type patient struct {
	ctx   context.Context // of the server
	to    io.Writer
	rc    *http.ResponseController
	limit time.Duration
	any   bool
}

func (p *patient) Write(data []byte) (int, error) {
	p.any = true
	if err := p.rc.SetWriteDeadline(time.Now().Add(p.limit)); err != nil {
		return 0, err
	}
	if err := p.ctx.Err(); err != nil { // after the deadline, which the end of the context shortens
		return 0, err
	}
	return p.to.Write(data)
}

// take reads the request's body, which must come without delay.
func take[T any](s *Server, w http.ResponseWriter, r *http.Request) (T, error) {
	rc := http.NewResponseController(w)
	if err := rc.SetReadDeadline(time.Now().Add(s.bodyTimeout)); err != nil {
		var none T
		return none, fmt.Errorf("read the request: %w", err)
	}
	req, err := decode[T](r.Body)
	if err == nil {
		// From here on the connection is read only to notice that the client leaves.
		err = rc.SetReadDeadline(time.Time{})
	}
	return req, err
}

// reply returns a function that takes what an operation returned.
func (s *Server) reply(w http.ResponseWriter) func(any, error) {
	return func(result any, err error) {
		if err != nil {
			s.fail(w, err)
			return
		}
		s.answer(w, http.StatusOK, result)
	}
}

func (s *Server) fail(w http.ResponseWriter, err error) {
	e := toWire(err)
	s.answer(w, e.status(), errorAnswer{e})
}

// answer writes an answer to a client that must go on reading, at once when the server stops.
func (s *Server) answer(w http.ResponseWriter, status int, body any) {
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Now().Add(s.unreadTimeout))
	defer context.AfterFunc(s.ctx, func() { _ = rc.SetWriteDeadline(time.Now().Add(lastWord)) })()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = newEncoder(w).Encode(body) // a client that left needs no answer
}

func newEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}
