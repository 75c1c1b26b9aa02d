package entra

import (
	"context"
	"fmt"
	"slices"
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
		{Name: streamUsers, Kinds: []directory.Kind{directory.Person}, Delta: users, Tombstones: users, Resumable: users, ByID: true},
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

// Permissions lists the permissions that the selection needs, the least that do. They are permissions of the
// application type, unless somebody signs in for the application.
func (r *Reader) Permissions() []string {
	list := []string{userPermissions()[0]}
	if r.sel.LeaveDate {
		list = append(list, leavePermissions()[0])
	}
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

// says is what the proofs of a stream say is read (connectors.Proof).
func (s *Selection) says(stream string) []string {
	var list []string
	add := func(is bool, name string) {
		if is {
			list = append(list, name)
		}
	}
	switch stream {
	case streamUsers:
		add(s.Manager, "manager")
		add(s.Licences, "licences")
		add(s.LeaveDate, directory.FieldExpires)
		add(s.SignInActivity, directory.FieldLastLogin)
		add(s.Photos, photoField)
		for _, name := range s.Attributes {
			list = append(list, directory.AttributePrefix+name)
		}
	case streamGroups:
		add(s.GroupOwners, "manager")
	case streamDevices:
		add(s.DeviceLastSeen, directory.FieldLastSeen)
	}
	return list
}

// Read reads a stream of the tenant, for a connector that connectors.Guard is put around. The request's tenant is not
// looked at.
func (r *Reader) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	op, streams := "read "+req.Stream, r.Streams()
	s := &streams[slices.IndexFunc(streams, func(s connectors.Stream) bool { return s.Name == req.Stream })]
	if req.Mode == connectors.ByID {
		return r.readUsersByID(ctx, op, req, emit)
	}
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
	p := r.newListReading(op, s.Kinds[0], req, emit)
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
	return emit(&connectors.Page{Proof: &connectors.Proof{Scope: r.scope(s.Name) + ", which has no Intune", Count: -1, Reads: r.sel.says(s.Name)}})
}
