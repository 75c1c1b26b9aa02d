// Package files reads customers, sites, people, groups, licences and devices from files in a folder: CSV, XLSX, LDIF and
// JSON lines, as people, spreadsheets and other programs write them.
//
// A file is read when it has been left alone for a while, and only believed when it was the same before and after. What a
// file does not name any more is gone only if the operator said that absence means that, and only if nothing speaks
// against it (proof.go). A file that is as it was costs a look.
package files

import (
	"context"
	"os"
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/connectors/files/internal/tables"
	"dirsyncd/sync/directory"
)

// stream is what is read in one go.
type stream struct {
	name string
	word string // the key of Config.Kinds
}

// streams lists all there can be, in the order in which they are read: what others refer to comes first.
func streams() []stream {
	return []stream{
		{"customers", "customer"}, {"sites", "site"}, {"users", "person"}, {"groups", "group"}, {"licences", "licence"}, {"devices", "device"},
	}
}

// Factory opens connectors for files.
func Factory() connectors.Factory {
	return connectors.New("files", "customers, sites, people, groups, licences and devices of CSV, XLSX, LDIF and JSON files", Defaults,
		func(cfg *Config, env connectors.Env) (connectors.Connector, error) { return open(cfg, env), nil })
}

// Connector reads the files of one folder.
type Connector struct {
	cfg      Config
	env      connectors.Env
	limits   tables.Limits
	pageSize int
	taken    taken
}

var _ connectors.Watcher = (*Connector)(nil)

func open(cfg *Config, env connectors.Env) *Connector {
	env = env.WithClock()
	return &Connector{cfg: *cfg, env: env, limits: cfg.tableLimits(), pageSize: 500}
}

// Describe implements connectors.Connector. There is a stream for every kind that the configuration has files for.
func (c *Connector) Describe() connectors.Description {
	d := connectors.Description{Permissions: []string{"read files in " + string(c.cfg.Folder)}}
	if c.cfg.Done.Folder != "" {
		d.Permissions = append(d.Permissions, "write in "+string(c.cfg.Folder)+", to move files that were read to "+c.cfg.Done.Folder)
	}
	for _, s := range streams() {
		kind, known := kindOf(s.word)
		if _, has := c.cfg.Kinds[s.word]; has && known {
			d.Streams = append(d.Streams, connectors.Stream{
				Name: s.name, Kinds: []directory.Kind{kind}, Delta: true, Members: kind == directory.Group,
			})
		}
	}
	return d
}

// Tenants implements connectors.Connector. A folder has none.
func (c *Connector) Tenants(context.Context) ([]connectors.Tenant, error) {
	return []connectors.Tenant{{}}, nil
}

// Close implements connectors.Connector.
func (c *Connector) Close() error { return nil }

// Read implements connectors.Connector.
func (c *Connector) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	i := slices.IndexFunc(streams(), func(s stream) bool { return s.name == req.Stream })
	s := streams()[i] // the guard has asked Describe
	kind, _ := kindOf(s.word)
	root, err := c.openFolder("read " + s.name)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	r := &reading{Connector: c, ctx: ctx, op: "read " + s.name, stream: s, kind: kind, block: c.cfg.Kinds[s.word], root: root, emit: emit, dry: req.Dry}
	if members, ok := c.cfg.Kinds[wordMember]; ok && kind == directory.Group {
		r.members = &members
	}
	return r.read(&req)
}

// openFolder opens the folder of the files: nothing outside of it is read, whatever links there are in it.
func (c *Connector) openFolder(op string) (*os.Root, error) {
	root, err := os.OpenRoot(string(c.cfg.Folder))
	if err != nil {
		return nil, fileFault(op, string(c.cfg.Folder), err)
	}
	return root, nil
}
