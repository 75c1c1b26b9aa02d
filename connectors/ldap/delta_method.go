package ldap

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// The values of Config.Incremental besides the names of the methods.
const (
	incrementalAuto = "auto"
	incrementalOff  = "off"
)

// The names of the methods.
const (
	methodDirSync   = "dirsync"
	methodUSN       = "usn"
	methodSyncrepl  = "syncrepl"
	methodTimestamp = "timestamp"
)

func incrementalNames() []string {
	return []string{incrementalAuto, methodDirSync, methodUSN, methodSyncrepl, methodTimestamp, incrementalOff}
}

// method is one way in which a server tells what changed. A value serves any number of readings.
type method interface {
	// name is one of the names of the methods.
	name() string

	// begin is called before a full listing begins and returns a function that is called after it has ended
	// and gives the position of a later delta, nil for none. That delta names everything that changes from the
	// call of begin on: what changed while the listing ran is seen again. When the method does not work for
	// this reading on this server, end is nil and why says what is missing, in words for the operator. It costs
	// a few small requests at most. Check calls it, too.
	begin(r *reading) (end func() []byte, why string, err error)

	// changes emits what changed since a position, its last page by r.last. It never guesses: a position that the server
	// does not take, or an answer from which removals do not follow beyond doubt, is r.expired, before the
	// first page. Without changes it is one request, and the new position is the old one.
	changes(ctx context.Context, r *reading, position []byte, emit func(*connectors.Page) error) error
}

// reading is one read of one stream on one server.
type reading struct {
	op        string
	kind      directory.Kind
	connector *Connector
	session   *session
	preset    preset
	query     query
	tr        *translator
	// known is what the server knows, and older by how much that is less than was known; empty when it is not.
	known known
	older string
	// owners is that of the request (connectors.Request); nil where nobody is stored.
	owners func(ctx context.Context, handles []string) ([]string, error)
	// fingerprint is the hash of what is read: bases, scope, filter, identity, attributes and how they are used.
	fingerprint string
}

// searches is an error unless there is something to search: a domain may hold no base of a kind.
func (r *reading) searches() error {
	if len(r.query.lines) > 0 {
		return nil
	}
	return &fault.Error{
		Class: fault.Configuration, Op: r.op, Where: r.session.server, Err: errors.New("no base of this kind is in this domain"),
		Hint: "add one to base, users or groups, or wait for the domains to be listed anew",
	}
}

func (c *Connector) newReading(s *session, op string, kind directory.Kind, fresh bool) *reading {
	p := presetFor(c.cfg.Preset, s.root)
	p.schema = c.schemaOf(s, op, fresh)
	r := &reading{
		op: op, kind: kind, connector: c, session: s, preset: p,
		query: newQuery(kind, p, &c.cfg, c.cfg.identity(s.subject)), tr: newTranslator(kind, p, &c.cfg),
	}
	r.tr.row.calendar.now = c.env.Now()
	r.query.reads = says(kind, p, &c.cfg, r.tr.anchorName)
	r.fingerprint = r.hashSettings() // before a method asks for attributes of its own
	return r
}

// methods lists the methods that may be used on a server, the best one first.
func (c *Connector) methods(p preset) []method {
	all := []method{syncrepl{}}
	if p.name == presetActiveDirectory {
		all = []method{dirsync{}, usn{}}
	}
	switch c.cfg.Incremental {
	case incrementalOff:
		return nil
	case incrementalAuto, "":
		return all
	case methodSyncrepl:
		return []method{syncrepl{}}
	case methodTimestamp:
		return []method{timestamps{}}
	case methodDirSync:
		return []method{dirsync{}}
	case methodUSN:
		return []method{usn{}}
	default:
		return nil
	}
}

// choose begins with the first method that works for a reading. It returns no method when every read has to be a
// full one. why says what speaks against those that are better.
func (r *reading) choose() (m method, end func() []byte, why string, err error) {
	methods := r.connector.methods(r.preset)
	if len(methods) > 0 {
		why = r.computed()
		if why == "" {
			why, err = r.computedBySchema()
		}
		if err != nil || why != "" {
			return nil, nil, why, err
		}
	}
	var reasons []string
	for _, m := range methods {
		end, why, err := m.begin(r)
		switch {
		case err != nil:
			return nil, nil, "", err
		case end != nil:
			return m, end, strings.Join(reasons, "; "), nil
		}
		reasons = append(reasons, m.name()+": "+why)
	}
	if len(reasons) == 0 {
		reasons = append(reasons, "no method for this kind of server")
	}
	return nil, nil, strings.Join(reasons, "; "), nil
}

// cursor is what the engine keeps between two reads of a stream.
type cursor struct {
	Version int    `json:"v"`
	Method  string `json:"method"`
	// Fingerprint is the hash of everything that decides what is read and what becomes of it.
	Fingerprint string `json:"print"`
	// Due is when an account that was read begins or ends by a date of its own; zero when none does. From then on everything
	// is read again.
	Due time.Time `json:"due,omitzero"`
	// Position belongs to the method. It also says of which server or servers it is.
	Position []byte `json:"mark"`
}

// cursorVersion goes up when the same entries lead to other objects than before, or cursors get another form.
const cursorVersion = 2

// maxCursor bounds what is taken for a cursor, in bytes.
const maxCursor = 1 << 20

func (c cursor) encode() []byte {
	data, err := json.Marshal(c)
	if err != nil {
		panic(err) // texts and bytes always have a JSON form
	}
	return data
}

func decodeCursor(data []byte) (cursor, error) {
	var c cursor
	if len(data) > maxCursor {
		return c, errors.New("not a cursor of this connector")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil || d.More() || !bytes.Equal(c.encode(), data) {
		return cursor{}, errors.New("not a cursor of this connector")
	}
	if c.Version != cursorVersion {
		return cursor{}, errors.New("the cursor was made by another version of the program")
	}
	return c, nil
}

// host names the server that the cursor is of, when it is worth nothing on others; empty otherwise.
func (c cursor) host() string {
	if c.Method != methodUSN && c.Method != methodDirSync {
		return ""
	}
	// The positions of both begin alike.
	position, _ := decodeUSNPosition(c.Position)
	return position.Host
}

func (r *reading) hashSettings() string {
	h := sha256.New()
	cfg := &r.connector.cfg
	names := slices.Sorted(slices.Values(r.tr.row.names))
	if r.kind == directory.Person { // expires came later than the attributes that it is made of
		names = append(names, "expires")
		for _, l := range cfg.Users.Search {
			if l.Name != "" {
				names = append(names, l.Name, l.Base)
			}
		}
	}
	_, _ = fmt.Fprintf(h, "%s|%s|%s|%s|%q|%v|", r.kind, r.query, r.preset.name, r.tr.anchorName, names, cfg.Attributes)
	for _, name := range slices.Sorted(maps.Keys(cfg.Fields)) {
		_, _ = fmt.Fprintf(h, "%s=%q|", name, []string(cfg.Fields[name]))
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// cursor makes the cursor for a position; no position makes no cursor.
func (r *reading) cursor(m method, position []byte) []byte {
	if position == nil || r.tr.madeUp {
		return nil
	}
	return cursor{Version: cursorVersion, Method: m.name(), Fingerprint: r.fingerprint, Due: r.tr.row.calendar.next, Position: position}.encode()
}

// beginCursor prepares the cursor that a full read will end with, before it begins.
func (r *reading) beginCursor() (end func() []byte, err error) {
	m, position, why, err := r.choose()
	if err != nil {
		return nil, err
	}
	if m == nil {
		r.connector.env.Log.Debug("no incremental reads", "op", r.op, "why", why)
		return func() []byte { return nil }, nil
	}
	return func() []byte { return r.cursor(m, position()) }, nil
}

// expired is the error that leads to a full read, which is compared with what is stored.
func (r *reading) expired(format string, args ...any) error {
	return &fault.Error{Class: fault.CursorExpired, Op: r.op, Where: r.session.server, Err: fmt.Errorf(format, args...)}
}

// last is the last page of a delta: the method's new position and the proof that the answer was complete.
func (r *reading) last(m method, position []byte) *connectors.Page {
	return &connectors.Page{Cursor: r.cursor(m, position), Known: r.known.encode(), Proof: r.proof()}
}

// proof is that of a read that came to its end.
func (r *reading) proof() *connectors.Proof {
	return &connectors.Proof{Scope: r.query.String(), Count: -1, Older: r.older, Reads: r.query.reads}
}

// openFrom opens a reading on a server that can go on from the cursor of a request. end must be called.
func (c *Connector) openFrom(ctx context.Context, op string, kind directory.Kind, req *connectors.Request) (r *reading, cur cursor, end func(), err error) {
	if cur, err = decodeCursor(req.Cursor); err != nil {
		return nil, cur, nil, &fault.Error{Class: fault.CursorExpired, Op: op, Err: err}
	}
	inner, cancel := context.WithCancel(ctx)
	if r, err = c.openKnowing(inner, op, kind, cur.host(), req); err != nil {
		cancel()
		return nil, cur, nil, err
	}
	return r, cur, func() { r.session.close(); cancel() }, nil
}

// readDelta reads what changed since the cursor.
func (c *Connector) readDelta(ctx context.Context, op string, kind directory.Kind, req *connectors.Request, emit func(*connectors.Page) error) error {
	r, cur, end, err := c.openFrom(ctx, op, kind, req)
	if err != nil {
		return err
	}
	defer end()
	if why := r.computed(); why != "" {
		return r.expired("%s", why)
	}
	if !cur.Due.IsZero() && r.tr.row.calendar.passed(cur.Due) {
		return r.expired("the date of an account has come")
	}
	for _, m := range c.methods(r.preset) {
		if m.name() == cur.Method && r.fingerprint == cur.Fingerprint {
			err := m.changes(ctx, r, cur.Position, emit)
			if err != nil && fault.ClassOf(err) == fault.Transient {
				c.servers.failed(r.session.server)
			}
			return err
		}
	}
	return r.expired("the cursor was made under other settings")
}
