package connectors_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/fault"
)

// fake is a connector that does what a test says, right or wrong.
type fake struct {
	read  func(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error
	found []connectors.Finding
	err   error // of Check, Tenants and Watch
	asked int
	// during is called while Check and Tenants run.
	during func()
}

func (f *fake) Describe() connectors.Description {
	return connectors.Description{Streams: []connectors.Stream{{Name: "users", Delta: true, Resumable: true, Rewritten: "dn:"}, {Name: "devices"}}}
}

func (f *fake) Check(context.Context) ([]connectors.Finding, error) {
	f.asked++
	if f.during != nil {
		f.during()
	}
	return f.found, f.err
}

func (f *fake) Tenants(context.Context) ([]connectors.Tenant, error) {
	if f.during != nil {
		f.during()
	}
	return []connectors.Tenant{{}}, f.err
}

func (f *fake) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	f.asked++
	return f.read(ctx, req, emit)
}

func (f *fake) Close() error { return nil }

type fakeWatcher struct{ fake }

func (f *fakeWatcher) Watch(_ context.Context, _ connectors.Tenant, notify func()) error {
	notify()
	return f.err
}

var (
	errPlain   = errors.New("something happened")
	errEmit    = errors.New("the store is full")
	errWhy     = errors.New("the operator went home")
	errExpired = &fault.Error{Class: fault.CursorExpired, Op: "GET users", Hint: "wait", Err: errPlain}
)

func page() *connectors.Page { return &connectors.Page{} }

func resumable() *connectors.Page {
	return &connectors.Page{Cursor: []byte("c"), Resumable: true}
}

func last() *connectors.Page { return &connectors.Page{Proof: &connectors.Proof{Count: -1}} }

// TestGuardRequests: what the connector does not declare is answered without it.
func TestGuardRequests(t *testing.T) {
	for name, tc := range map[string]struct {
		req  connectors.Request
		want fault.Class
	}{
		"no such stream":               {connectors.Request{Stream: "shoes", Mode: connectors.Full}, fault.Internal},
		"not of this tenant":           {connectors.Request{Stream: "users", Mode: connectors.Full, Tenant: connectors.Tenant{Streams: []string{"devices"}}}, fault.Internal},
		"delta not declared":           {connectors.Request{Stream: "devices", Mode: connectors.Delta, Cursor: []byte("c")}, fault.CursorExpired},
		"delta without a cursor":       {connectors.Request{Stream: "users", Mode: connectors.Delta}, fault.CursorExpired},
		"resumption not declared":      {connectors.Request{Stream: "devices", Mode: connectors.Full, Cursor: []byte("c")}, fault.CursorExpired},
		"full":                         {connectors.Request{Stream: "devices", Mode: connectors.Full}, ""},
		"full, resumed":                {connectors.Request{Stream: "users", Mode: connectors.Full, Cursor: []byte("c")}, ""},
		"delta":                        {connectors.Request{Stream: "users", Mode: connectors.Delta, Cursor: []byte("c")}, ""},
		"referrers not declared":       {connectors.Request{Stream: "devices", Mode: connectors.Referrers}, fault.Internal},
		"referrers":                    {connectors.Request{Stream: "users", Mode: connectors.Referrers}, ""},
		"full, of a tenant that names": {connectors.Request{Stream: "users", Mode: connectors.Full, Tenant: connectors.Tenant{Streams: []string{"users"}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{read: func(_ context.Context, _ connectors.Request, emit func(*connectors.Page) error) error {
				return emit(last())
			}}
			err := connectors.Guard(f).Read(t.Context(), tc.req, func(*connectors.Page) error { return nil })
			if fault.ClassOf(err) != tc.want || (f.asked == 1) != (tc.want == "") {
				t.Errorf("error %v, want class %q; the connector was asked %d times", err, tc.want, f.asked)
			}
		})
	}
}

// TestGuardRead: a connector that breaks a rule of Read cannot do so towards the caller.
func TestGuardRead(t *testing.T) {
	type emitter = func(*connectors.Page) error
	classified := &fault.Error{Class: fault.Auth, Op: "sign in", Err: errPlain}
	for name, tc := range map[string]struct {
		read func(ctx context.Context, end func(), emit emitter) error
		// emit is what emit says to the page with that number; nil: everything is stored.
		emit  []error
		delta bool
		from  string // cursor
		pages int
		is    error       // the very error
		class fault.Class // of another one
	}{
		"good": {read: func(_ context.Context, _ func(), emit emitter) error {
			return errors.Join(emit(page()), emit(last()))
		}, pages: 2},
		"emit's error is swallowed": {read: func(_ context.Context, _ func(), emit emitter) error {
			_ = emit(page())
			return nil
		}, emit: []error{errEmit}, pages: 1, is: errEmit},
		"emit's error is wrapped": {read: func(_ context.Context, _ func(), emit emitter) error {
			return &fault.Error{Class: fault.Transient, Err: emit(page())}
		}, emit: []error{errEmit}, pages: 1, is: errEmit},
		"a page after emit's error": {read: func(_ context.Context, _ func(), emit emitter) error {
			_ = emit(page())
			return emit(last())
		}, emit: []error{errEmit}, pages: 1, is: errEmit},
		"a page after the end of the context": {read: func(_ context.Context, end func(), emit emitter) error {
			_ = emit(page())
			end()
			return emit(last())
		}, pages: 1, is: context.Canceled},
		"the end of the context is swallowed": {read: func(_ context.Context, end func(), emit emitter) error {
			end()
			return nil
		}, is: context.Canceled},
		"the end of the context is dressed up": {read: func(ctx context.Context, end func(), _ emitter) error {
			end()
			return &fault.Error{Class: fault.Transient, Err: ctx.Err()}
		}, is: context.Canceled},
		"the cause in place of the context's error": {read: func(ctx context.Context, end func(), _ emitter) error {
			end()
			return context.Cause(ctx)
		}, is: context.Canceled},
		"the context ends after the last page": {read: func(_ context.Context, end func(), emit emitter) error {
			defer end()
			return emit(last())
		}, pages: 1},
		"a page after the last one": {read: func(_ context.Context, _ func(), emit emitter) error {
			_ = emit(last())
			return emit(page())
		}, pages: 1, class: fault.Internal},
		"a second last page, swallowed": {read: func(_ context.Context, _ func(), emit emitter) error {
			_, _ = emit(last()), emit(last())
			return nil
		}, pages: 1, class: fault.Internal},
		"no last page": {read: func(_ context.Context, _ func(), emit emitter) error { return emit(page()) }, pages: 1, class: fault.Internal},
		"no page":      {read: func(context.Context, func(), emitter) error { return nil }, class: fault.Internal},
		"an error of the source": {read: func(_ context.Context, _ func(), emit emitter) error {
			_ = emit(page())
			return classified
		}, pages: 1, is: classified},
		"an error without a class":  {read: func(context.Context, func(), emitter) error { return errPlain }, class: fault.Internal},
		"an inner deadline":         {read: func(context.Context, func(), emitter) error { return context.DeadlineExceeded }, class: fault.Transient},
		"an inner context's end":    {read: func(context.Context, func(), emitter) error { return context.Canceled }, class: fault.Internal},
		"expired, nothing to go on": {read: func(context.Context, func(), emitter) error { return errExpired }, class: fault.Transient},
		"expired after a resumable page": {read: func(_ context.Context, _ func(), emit emitter) error {
			_ = emit(resumable())
			return errExpired
		}, pages: 1, is: errExpired},
		"expired, resumed":  {read: func(context.Context, func(), emitter) error { return errExpired }, from: "c", is: errExpired},
		"expired, in delta": {read: func(context.Context, func(), emitter) error { return errExpired }, from: "c", delta: true, is: errExpired},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, end := context.WithCancelCause(t.Context())
			defer end(nil)
			f := &fake{read: func(ctx context.Context, _ connectors.Request, emit func(*connectors.Page) error) error {
				return tc.read(ctx, func() { end(errWhy) }, emit)
			}}
			req := connectors.Request{Stream: "users", Mode: connectors.Full, Cursor: []byte(tc.from)}
			if tc.delta {
				req.Mode = connectors.Delta
			}
			pages := 0
			err := connectors.Guard(f).Read(ctx, req, func(*connectors.Page) error {
				if pages++; pages <= len(tc.emit) {
					return tc.emit[pages-1]
				}
				return nil
			})
			if pages != tc.pages {
				t.Errorf("%d pages came through, want %d", pages, tc.pages)
			}
			switch {
			case tc.class != "":
				if fault.ClassOf(err) != tc.class {
					t.Errorf("error %v of class %q, want %q", err, fault.ClassOf(err), tc.class)
				}
			case err != tc.is: //nolint:errorlint // unchanged means identical
				t.Errorf("error %v, want %v unchanged", err, tc.is)
			}
		})
	}
}

// TestGuardExpiredKeepsWords: an expired cursor that becomes a transient error keeps what it says.
func TestGuardExpiredKeepsWords(t *testing.T) {
	f := &fake{read: func(context.Context, connectors.Request, func(*connectors.Page) error) error { return errExpired }}
	err := connectors.Guard(f).Read(t.Context(), connectors.Request{Stream: "users", Mode: connectors.Full}, nil)
	if fault.Hint(err) != "wait" || !errors.Is(err, errPlain) || errExpired.Class != fault.CursorExpired {
		t.Errorf("%v; the connector's own error is %v now", err, errExpired.Class)
	}
}

// TestGuardOthers: Check, Tenants and Watch return the context's error, and no error without a class.
func TestGuardOthers(t *testing.T) {
	ended, end := context.WithCancelCause(t.Context())
	end(errWhy)
	f := &fakeWatcher{}
	w, ok := connectors.Guard(f).(connectors.Watcher)
	if !ok {
		t.Fatal("a guarded Watcher is none")
	}
	if _, ok := connectors.Guard(&fake{}).(connectors.Watcher); ok {
		t.Error("a connector that cannot watch is a Watcher once it is guarded")
	}
	calls := map[string]func(ctx context.Context) error{
		"Check": func(ctx context.Context) error {
			_, err := w.Check(ctx)
			return err
		},
		"Tenants": func(ctx context.Context) error {
			_, err := w.Tenants(ctx)
			return err
		},
		"Watch": func(ctx context.Context) error { return w.Watch(ctx, connectors.Tenant{}, func() {}) },
		"Read": func(ctx context.Context) error {
			return w.Read(ctx, connectors.Request{Stream: "users", Mode: connectors.Full}, nil)
		},
	}
	for name, call := range calls {
		for _, of := range []error{errPlain, errWhy, context.Canceled} {
			f.err = of
			f.read = func(context.Context, connectors.Request, func(*connectors.Page) error) error { return of }
			if err := call(ended); err != context.Canceled { //nolint:errorlint // unchanged means identical
				t.Errorf("%s, the context has ended, error %v: %v", name, of, err)
			}
			if err := call(t.Context()); fault.ClassOf(err) != fault.Internal {
				t.Errorf("%s, error %v: %v", name, of, err)
			}
		}
	}
	f.err, f.found = nil, []connectors.Finding{{Subject: "bind"}}
	if err := calls["Watch"](t.Context()); err != nil {
		t.Errorf("Watch of what is not to be watched: %v", err)
	}
	if found, err := w.Check(t.Context()); err != nil || !slices.Equal(found, f.found) {
		t.Errorf("findings %v, error %v", found, err)
	}
	for _, name := range []string{"Check", "Tenants"} {
		ctx, end := context.WithCancelCause(t.Context())
		f.during = func() { end(errWhy) }
		if err := calls[name](ctx); err != context.Canceled { //nolint:errorlint // unchanged means identical
			t.Errorf("%s, the context ends meanwhile: %v", name, err)
		}
	}
	f.asked, f.during = 0, nil
	if _, err := w.Check(ended); err == nil || f.asked > 0 {
		t.Errorf("Check under a context that has ended: error %v, asked %d times", err, f.asked)
	}
}

// TestNewGuards: what a factory opens is guarded, and what it cannot open is nil.
func TestNewGuards(t *testing.T) {
	type block struct{}
	var fails error
	factory := connectors.New("fake", "", func() *block { return &block{} }, func(*block, connectors.Env) (connectors.Connector, error) {
		return &fake{read: func(context.Context, connectors.Request, func(*connectors.Page) error) error { return nil }}, fails
	})
	c, err := factory.Open(factory.NewConfig(), connectors.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Read(t.Context(), connectors.Request{Stream: "shoes"}, nil); fault.ClassOf(err) != fault.Internal {
		t.Errorf("a stream that is not there: %v", err)
	}
	fails = errPlain
	if c, err := factory.Open(factory.NewConfig(), connectors.Env{}); c != nil || err != errPlain { //nolint:errorlint // identical
		t.Errorf("opened %v, error %v", c, err)
	}
}
