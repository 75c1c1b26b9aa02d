package read

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/relations"
)

// movesName is the name under which moves are kept in the store, beside the names of streams.
const movesName = "moved handles"

// manyMoves is how many handles and objects are followed one by one. Beyond it a full read is the quicker way.
const manyMoves = 1000

// move is what one page said of handles that mean somebody else now, or nobody: the source may have rewritten what refers
// to them without naming it. It is stored with the page, so that no kill makes a read forget it.
type move struct {
	// At is when the page was stored.
	At time.Time `json:"at"`
	// Left are handles of objects that have others now.
	Left []string `json:"left,omitempty"`
	// Others are handles of objects that are gone, that came, or that have them since.
	Others []string `json:"others,omitempty"`
	// Members are people and groups of which a group's list says something else than before, where they have fields that are
	// made of it (connectors.Stream.Derived).
	Members []directory.Ref `json:"members,omitempty"`
	// Many: there were too many to name them.
	Many bool `json:"many,omitempty"`
}

func (m *move) size() int { return len(m.Left) + len(m.Others) + len(m.Members) }

// moves are those of the present read and of the last ones.
type moves struct {
	// rewritten and derived are what the tenant's streams say of themselves (connectors.Stream).
	rewritten string
	derived   bool
	// first: the tenant is read for the first time, in full, so nothing that is stored can be old.
	first bool
	// entirely: every stream is read in full.
	entirely bool

	before []move // of earlier reads
	now    []move // of this one
	count  int    // of this one
}

// openMoves loads what is outstanding.
func openMoves(ctx context.Context, t *Task) (*moves, error) {
	m := &moves{entirely: true}
	err := t.State.View(ctx, func(tx store.Reader) error {
		for _, s := range t.Streams {
			if s.Rewritten != "" {
				m.rewritten, m.derived = s.Rewritten, m.derived || s.Derived
			}
			position, err := tx.Stream(s.Name)
			if err != nil {
				return err
			}
			m.entirely = m.entirely && (t.Full || !s.Delta || len(position.Cursor) == 0)
		}
		m.first = m.entirely && t.Marks.Off
		if m.rewritten == "" {
			return nil
		}
		m.before = nil
		var bad error
		err := tx.Seen(movesName, func(chunk []byte) bool {
			var one move
			bad = json.Unmarshal(chunk, &one)
			m.before = append(m.before, one)
			return bad == nil
		})
		if err == nil && bad != nil {
			err = &fault.Error{Class: fault.Internal, Op: "read what is outstanding", Err: bad, Hint: "the state file is damaged; restore a backup"}
		}
		return err
	})
	return m, err
}

// noted reports whether anything is to be noted.
func (m *moves) noted() bool { return m.rewritten != "" && !m.first }

// object notes what an object that differs from before says; before is nil when it was not there.
func (m *moves) object(tx store.Reader, d *move, before, after *directory.Object, n store.Num) error {
	if !m.noted() {
		return nil
	}
	if before == nil {
		if !m.entirely {
			// It may have come from elsewhere under another name, and whoever refers to it with it.
			m.every(d, after)
		}
		return nil
	}
	size := d.size()
	for _, h := range before.Handles {
		if m.rewrites(h) && !slices.Contains(after.Handles, h) {
			d.Left = append(d.Left, h)
		}
	}
	for _, h := range after.Handles {
		if m.rewrites(h) && !slices.Contains(before.Handles, h) {
			d.Others = append(d.Others, h)
		}
	}
	if d.size() == size {
		return nil
	}
	return m.list(tx, d, after.Kind, n)
}

// every notes all handles of an object that came or went.
func (m *moves) every(d *move, o *directory.Object) {
	for _, h := range o.Handles {
		if m.rewrites(h) {
			d.Others = append(d.Others, h)
		}
	}
}

func (m *moves) rewrites(handle string) bool { return strings.HasPrefix(handle, m.rewritten) }

// gone notes an object that is gone: its handles and, of a group, its members.
func (m *moves) gone(tx store.Reader, d *move, o *directory.Object, n store.Num) error {
	if !m.noted() {
		return nil
	}
	m.every(d, o)
	return m.list(tx, d, o.Kind, n)
}

// list notes the members of a group that has another name or is gone.
func (m *moves) list(tx store.Reader, d *move, kind directory.Kind, n store.Num) error {
	if kind != directory.Group || !m.derived {
		return nil
	}
	var handles []store.Num
	if err := tx.Members(n, func(h store.Num) bool { handles = append(handles, h); return len(handles) <= manyMoves }); err != nil {
		return err
	}
	return m.members(tx, d, handles)
}

// missing notes objects that a full read did not list, while other streams are not read in full: nobody will say there
// whether they were referred to.
func (m *moves) missing(ctx context.Context, t *Task, kind directory.Kind, nums []store.Num) error {
	if !m.noted() || m.entirely {
		return nil
	}
	var d move
	err := t.State.View(ctx, func(tx store.Reader) error {
		d = move{}
		objects, err := relations.Load(tx, kind, nums)
		for i := range objects {
			if err == nil && objects[i].Here() {
				err = m.gone(tx, &d, &objects[i].Object, objects[i].Num)
			}
		}
		return err
	})
	if err != nil || d.size() == 0 && !d.Many {
		return err
	}
	var noted *move
	err = t.State.Update(ctx, func(tx store.Writer) (err error) {
		noted, err = m.store(tx, d, t.Now())
		return err
	})
	m.add(noted)
	return err
}

// members notes people and groups that entered or left a group.
func (m *moves) members(tx store.Reader, d *move, handles []store.Num) error {
	if !m.noted() || !m.derived || len(handles) == 0 {
		return nil
	}
	if len(handles) > manyMoves {
		d.Many = true
		return nil
	}
	owners, err := tx.Owners(handles, nil)
	if err != nil {
		return err
	}
	for _, kind := range []directory.Kind{directory.Person, directory.Group} {
		objects, err := relations.Load(tx, kind, owners)
		if err != nil {
			return err
		}
		for i := range objects {
			d.Members = append(d.Members, directory.Ref{Kind: kind, ID: objects[i].ID})
		}
	}
	return nil
}

// store keeps what a page said, in the page's transaction. It returns what to add once that is done.
func (m *moves) store(tx store.Writer, d move, at time.Time) (*move, error) {
	if !m.noted() || d.size() == 0 && !d.Many || m.many() {
		return nil, nil
	}
	if d.At = at.UTC(); d.Many || m.count+d.size() > manyMoves {
		d = move{At: d.At, Many: true}
	}
	data, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return &d, tx.AppendSeen(movesName, data)
}

// add takes what was stored.
func (m *moves) add(d *move) {
	if d != nil {
		m.now = append(m.now, *d)
		m.count += d.size()
	}
}

func (m *moves) many() bool { return slices.ContainsFunc(m.now, func(d move) bool { return d.Many }) }
