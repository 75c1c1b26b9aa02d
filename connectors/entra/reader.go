package entra

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Reader reads one tenant. Making one costs little and does no I/O. Its methods may be called concurrently, never
// for the same stream.
type Reader struct {
	client *Client
	sel    Selection
}

// NewReader makes a reader of what a selection names. The client is the tenant's own.
func NewReader(client *Client, selection Selection) *Reader {
	return &Reader{client: client, sel: selection}
}

// Streams lists what there is to read, in the order in which to read it.
func (r *Reader) Streams() []connectors.Stream {
	tracked := r.sel.tracks()
	users := tracked && !r.sel.SignInActivity
	list := []connectors.Stream{
		{Name: streamUsers, Kinds: []directory.Kind{directory.Person}, Delta: users, Tombstones: users, Resumable: users},
	}
	if r.sel.Groups {
		list = append(list, connectors.Stream{
			Name: streamGroups, Kinds: []directory.Kind{directory.Group}, Members: true, Delta: tracked, Tombstones: tracked, Resumable: tracked,
		})
	}
	if r.sel.Licences {
		list = append(list, connectors.Stream{Name: streamLicences, Kinds: []directory.Kind{directory.Licence}})
	}
	if r.sel.Devices {
		list = append(list, connectors.Stream{Name: streamDevices, Kinds: []directory.Kind{directory.Device}})
	}
	return list
}

// stream finds a stream by its name.
func (r *Reader) stream(name string) (connectors.Stream, bool) {
	for _, s := range r.Streams() {
		if s.Name == name {
			return s, true
		}
	}
	return connectors.Stream{}, false
}

// Permissions lists the permissions that the selection needs, the least that do. They are permissions of the
// application type, unless somebody signs in for the application.
func (r *Reader) Permissions() []string {
	list := []string{userPermissions()[0]}
	if r.sel.SignInActivity {
		list = append(list, signInPermissions()[0])
	}
	if r.sel.Groups {
		list = append(list, groupPermissions()[0])
	}
	if r.sel.Licences {
		list = append(list, licencePermissions()[0])
	}
	if r.sel.Devices {
		list = append(list, devicePermissions()[0])
	}
	return list
}

// scope says in words what a stream lists.
func (r *Reader) scope(stream string) string {
	text := fmt.Sprintf("all %s of tenant %s at %s", stream, strings.ToLower(r.sel.Tenant), r.client.graph.Host)
	if r.sel.Identity != "" {
		text += ", as " + r.sel.Identity
	}
	return text
}

// Read is the contract of connectors.Connector for one tenant; the request's tenant is not looked at.
func (r *Reader) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	op := "read " + req.Stream
	s, ok := r.stream(req.Stream)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !ok:
		return &fault.Error{Class: fault.Internal, Op: op, Err: fmt.Errorf("no stream %q", req.Stream)}
	case !s.Delta && req.Mode == connectors.Delta:
		return &fault.Error{Class: fault.CursorExpired, Op: op, Err: errors.New("changes of this are not tracked")}
	case !s.Delta && len(req.Cursor) > 0:
		return &fault.Error{Class: fault.CursorExpired, Op: op, Err: errors.New("a list cannot be resumed")}
	}
	var stopped error
	resumable := len(req.Cursor) > 0
	err := r.read(ctx, op, &s, req, func(p *connectors.Page) error {
		resumable = resumable || p.Resumable
		stopped = emit(p)
		return stopped
	})
	switch {
	case err == nil:
		return nil
	case stopped != nil:
		return stopped
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case req.Mode == connectors.Full && !resumable && fault.ClassOf(err) == fault.CursorExpired:
		// There is no cursor that could be given up: the same read from its beginning is what helps.
		return &fault.Error{Class: fault.Transient, Op: op, Where: r.client.graph.Host, Err: errors.Unwrap(err)}
	default:
		return named(op, err)
	}
}

// read chooses how a stream is read.
func (r *Reader) read(ctx context.Context, op string, s *connectors.Stream, req connectors.Request, emit func(*connectors.Page) error) error {
	var err error
	switch {
	case s.Delta && s.Name == streamUsers:
		err = r.readUsers(ctx, op, req, emit)
	case s.Delta:
		err = r.readGroups(ctx, op, req, emit)
	default:
		return r.list(ctx, op, s, req, emit)
	}
	if !untracked(err) {
		return err
	}
	// The tenant is of a kind that tracks no changes, which it may say at any time, also in the middle of a
	// round that went well so far.
	if req.Mode == connectors.Delta {
		return &fault.Error{Class: fault.CursorExpired, Op: op, Err: err}
	}
	return r.list(ctx, op, s, req, emit)
}

func (r *Reader) list(ctx context.Context, op string, s *connectors.Stream, req connectors.Request, emit func(*connectors.Page) error) error {
	p := r.newPlain(op, s.Kinds[0], req, emit)
	p.untracked = s.Delta
	switch s.Name {
	case streamUsers:
		return r.listUsers(ctx, p)
	case streamGroups:
		return r.listGroups(ctx, p)
	case streamLicences:
		return r.listLicences(ctx, p)
	}
	err := r.listDevices(ctx, p)
	if !r.sel.DevicesIfAny || !FeatureAbsent(err) || p.count > 0 {
		return err
	}
	// The service itself says that there can be none. The scope is another one than that of a list, so that
	// devices of a tenant that gives up Intune are not taken for lost ones on the strength of an error.
	return emit(&connectors.Page{Proof: &connectors.Proof{Scope: r.scope(s.Name) + ", which has no Intune", Count: -1}})
}

// named makes sure that an error says what was being read.
func named(op string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return &fault.Error{Class: fault.Internal, Op: op, Err: err}
	}
	return f
}
