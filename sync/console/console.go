// Package console is what operators see in a browser: one page per question, below /console/ of the public front. It asks for nothing but
// package api, as commands do, and keeps nothing but who is signed in.
//
// Pages are made on the server and have no script. Whoever may read sees every page; what changes something is a POST, and for operators
// only.
package console

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

// People are those who sign in at a provider of identity. Safe for concurrent use.
type People interface {
	// Who returns who asks, with the role 0 for somebody whom the console is not for; false for nobody who is signed in.
	Who(r *http.Request) (Person, bool, error)
	// Begin is where a browser signs in that wants to go to an address of the console.
	Begin(to string) string
}

// Person is somebody who is signed in.
type Person struct {
	Session string // names it; it opens nothing
	Key     string // of their record
	Name    string // what they are called; blank: the key
	Role    Role
}

// Options are what a console is made of. All but People, nil where nobody signs in, must be set.
type Options struct {
	Operations api.Operations
	Users      []User
	People     People
	Log        *slog.Logger
	Now        func() time.Time
}

// Console answers below /console/. It may be used by many goroutines.
type Console struct {
	Options
	sessions *sessions
	pageSet  *template.Template
	mux      *http.ServeMux
	base     context.Context // of what goes on when a browser leaves
	stop     context.CancelFunc
	secret   []byte // of formOf

	mu      sync.Mutex
	closed  bool
	work    sync.WaitGroup // runs, which end at their next page
	decided sync.WaitGroup // what was decided, which is done to its end
}

// New returns a console. Close must be called.
func New(o Options) *Console {
	c := &Console{Options: o, sessions: newSessions(o.Now)}
	c.base, c.stop = context.WithCancel(context.Background())
	c.pageSet, c.secret = c.templates(), []byte(random())
	c.mux = http.NewServeMux()
	for pattern, p := range c.pages() {
		c.mux.HandleFunc(pattern, c.guarded(p))
	}
	c.mux.HandleFunc("GET /console/style.css", c.style)
	c.mux.HandleFunc("GET /console/login", c.askToken)
	c.mux.HandleFunc("POST /console/login", c.login)
	return c
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }

// page is what answers at an address, and who may ask there.
type page struct {
	role Role
	show func(http.ResponseWriter, *http.Request, *session) error
}

// pages are the addresses. Every POST is an operator's, but to sign out.
func (c *Console) pages() map[string]page {
	return map[string]page{
		"GET /console/{$}":                     {Reader, c.overview},
		"GET /console/tenants":                 {Reader, c.tenants},
		"GET /console/held":                    {Reader, c.heldList},
		"GET /console/held/{hash}":             {Reader, c.held},
		"POST /console/held/{hash}/approve":    {Operator, c.approve},
		"POST /console/held/{hash}/discard":    {Operator, c.discard},
		"GET /console/runs":                    {Reader, c.runs},
		"GET /console/runs/{id}":               {Reader, c.run},
		"GET /console/runs/{id}/undo":          {Reader, c.undo},
		"POST /console/runs/{id}/undo/approve": {Operator, c.approveUndo},
		"GET /console/people":                  {Reader, c.people},
		"GET /console/why/{kind}":              {Reader, c.why},
		"GET /console/review":                  {Reader, c.review},
		"POST /console/review/decide":          {Operator, c.decide},
		"GET /console/parked":                  {Reader, c.parked},
		"POST /console/parked/retry":           {Operator, c.retry},
		"POST /console/parked/drop":            {Operator, c.drop},
		"POST /console/sync":                   {Operator, c.sync},
		"GET /console/decisions":               {Reader, c.decisions},
		"POST /console/logout":                 {Reader, c.logout},
	}
}

// guarded lets those in who are signed in and may ask there, and tells what went wrong.
func (c *Console) guarded(p page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := c.who(r)
		switch {
		case err != nil:
			c.fail(w, r, nil, err)
			return
		case s != nil && s.user.Role == 0:
			c.page(w, r, nil, http.StatusForbidden, "refused", map[string]any{"Title": "Not for you", "Text": "The console is not for this account.", "SignOut": "/auth/logout",
				"Hint": "You are signed in as " + s.user.Name + ". `console.signin` in the configuration says who may look, and who may decide."})
			return
		case s == nil && r.Method == http.MethodGet && c.People != nil && len(c.Users) == 0:
			http.Redirect(w, r, c.People.Begin(ownAddress(r.URL.RequestURI())), http.StatusSeeOther)
			return
		case s == nil && r.Method == http.MethodGet:
			http.Redirect(w, r, "/console/login?to="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
			return
		case s == nil:
			c.refuse(w, r, nil, http.StatusUnauthorized, "You are not signed in any more.", "Nothing was done. Sign in, and do it again.")
			return
		case r.Method != http.MethodGet && !s.sent(r):
			c.refuse(w, r, s, http.StatusForbidden, "This form is not one that the console has shown you.", "Nothing was done. Go back, load the page again, and send it from there.")
			return
		case s.user.Role < p.role:
			c.refuse(w, r, s, http.StatusForbidden, "You may look, and not decide.", "Nothing was done. This needs somebody with the role operator.")
			return
		}
		if err := p.show(w, r.WithContext(api.WithUser(r.Context(), s.by)), s); err != nil {
			c.fail(w, r, s, err)
		}
	}
}

// fail shows an error as an operator reads it.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, s *session, err error) {
	if errors.Is(err, context.Canceled) {
		return // who asked has left
	}
	status := http.StatusInternalServerError
	switch fault.ClassOf(err) {
	case fault.Configuration, fault.Invalid:
		status = http.StatusBadRequest
	case fault.Gone:
		status = http.StatusNotFound
	case fault.Conflict:
		status = http.StatusConflict
	case fault.Transient, fault.Throttled:
		status = http.StatusServiceUnavailable
	}
	if api.IsMissing(err) {
		status = http.StatusNotFound
	}
	text, more, _ := strings.Cut(fault.Text(err), "\n")
	if status == http.StatusInternalServerError && more != "" { // a defect, with its stack
		c.Log.Error("a page of the console could not be answered", "path", r.URL.Path, "err", err)
	}
	c.refuse(w, r, s, status, text, fault.Hint(err))
}

// refuse shows why there is no page; s may be nil.
func (c *Console) refuse(w http.ResponseWriter, r *http.Request, s *session, status int, text, hint string) {
	c.page(w, r, s, status, "refused", map[string]any{"Title": "Not done", "Text": text, "Hint": hint})
}

// patience is how long a page waits for what was decided, and Close for all of it. The front cuts an answer after 30 seconds.
const patience = 20 * time.Second

// lasting is a context for what goes on when the browser leaves, until the console is closed.
func (c *Console) lasting(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	context.AfterFunc(c.base, cancel)
	return ctx, cancel
}

// begin does something that goes on when the browser leaves, among others of its kind. The error says that the console is closed.
func (c *Console) begin(kind *sync.WaitGroup, do func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return &fault.Error{Class: fault.Transient, Op: "decide", Err: errors.New("the daemon stops, or has taken another configuration"), Hint: "Nothing was done. Do it again in a minute."}
	}
	kind.Go(do)
	return nil
}

// carryOut does what somebody has decided, and waits for it. What takes too long for an answer goes on: done is false then, and nothing is known of it yet.
func (c *Console) carryOut(r *http.Request, what string, do func(context.Context) error) (done bool, err error) {
	ctx, cancel := c.lasting(r)
	ended := make(chan error, 1)
	err = c.begin(&c.decided, func() {
		defer cancel()
		var err error
		defer func() { ended <- err }()
		defer fault.Recover(what, &err)
		if err = do(ctx); err != nil {
			c.Log.Debug("what was decided at the console was not done", "what", what, "err", err)
		}
	})
	if err != nil {
		cancel()
		return false, err
	}
	select {
	case err := <-ended:
		return true, err
	case <-r.Context().Done():
		return false, r.Context().Err()
	case <-time.After(patience):
		return false, nil
	}
}

// goesOn says that something takes longer than a page waits.
func (c *Console) goesOn(w http.ResponseWriter, r *http.Request, s *session, at string) error {
	return c.show(w, r, s, "done", map[string]any{"Title": "Under way", "At": at, "Text": "It takes longer than this page waits, and goes on. What came of it is among the runs and decisions."})
}

// Close waits for what was decided, for some seconds, then ends what goes on, and waits for that. Nobody is answered any more then.
func (c *Console) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.decided.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		c.Log.Warn("what was decided at the console is cut, and may have to be decided again")
	}
	c.stop()
	<-ended
	c.work.Wait()
}
