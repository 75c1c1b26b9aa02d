package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/files/internal/tables"
	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// reading is one read of a stream.
type reading struct {
	*Connector
	ctx     context.Context
	op      string
	stream  stream
	kind    directory.Kind
	block   Kind
	members *Kind // rows of members, of groups
	root    *os.Root
	emit    func(*connectors.Page) error
	dry     bool            // nothing is moved
	moved   map[string]bool // the files that a read which is not dry would move first

	layouts *layouts
	before  *state // what the last read knew; nil when there was none
	state   state  // what this one knows
	files   []found

	page    connectors.Page
	objects []directory.Object
	groups  map[string]int // the place of a group among the page's members

	file  string        // that is read
	keys  *columns.Keys // of the file; of all files where they are one list
	newer *columns.Keys // of the files before it, where each stands for itself
	rows  int
	bad   int
	good  bool // a row could be read
	shape map[string]bool
	reads map[string]bool
	proof proof
}

// read reads the stream as the request wants it.
func (r *reading) read(req *connectors.Request) error {
	r.layouts = newLayouts(r.cfg.Kinds)
	r.state = state{Stream: r.stream.name, Settings: r.settings(r.stream)}
	if known, ok := parseState(req.Known); ok {
		r.before = known
	}
	var cursor *state
	if req.Mode == connectors.Delta {
		var ok bool
		if cursor, ok = parseState(req.Cursor); !ok || cursor.Stream != r.stream.name || cursor.Settings != r.state.Settings {
			return r.expired("the files were read under other settings")
		}
		r.before = cursor
	}
	r.moveDone()
	if err := r.find(); err != nil {
		return err
	}
	if r.before != nil {
		r.state.Newest, r.state.NewestHash = r.before.Newest, r.before.NewestHash
	}
	if cursor != nil {
		return r.delta(cursor)
	}
	return r.full()
}

func (r *reading) expired(format string, args ...any) error {
	return &fault.Error{Class: fault.CursorExpired, Op: r.op, Err: fmt.Errorf(format, args...)}
}

// find lists the files of the stream.
func (r *reading) find() error {
	kinds := []*Kind{&r.block}
	if r.members != nil {
		kinds = append(kinds, r.members)
	}
	for i, k := range kinds {
		list, missing, err := find(r.root, k, r.cfg.Done.Folder)
		if err != nil {
			return r.fault("", err)
		}
		if len(missing) > 0 && r.cfg.Done.Folder == "" {
			return &fault.Error{
				Class: fault.Transient, Op: r.op, Where: missing[0], Err: errors.New("the file is not there"),
				Hint: "look at folder and file; a pattern (" + missing[0] + "*) takes what is there",
			}
		}
		list = slices.DeleteFunc(list, func(f found) bool { return r.moved[f.name] })
		for j := range list {
			list[j].members = i == 1
		}
		r.files = append(r.files, list...)
	}
	return nil
}

func (r *reading) fault(where string, err error) error {
	err = fileFault(r.op, where, err)
	var f *fault.Error
	if errors.As(err, &f) && f.Op == "" {
		f.Op = r.op
	}
	return err
}

// delta says that nothing changed, or what is in the files that did. What a file does not name any more, a delta cannot say:
// where that counts, a file that changed is read as a whole list.
func (r *reading) delta(cursor *state) error {
	changed := ""
	for _, f := range r.files {
		was := cursor.file(f.name)
		if was != nil && was.Look != nil && *was.Look == f.look {
			r.state.add(f.name, was.Hash, f.look)
			continue
		}
		if f.fresh(r.env.Now(), r.cfg.Settle.Std()) > 0 {
			r.note("%s is still being written; it is read at the next run", f.name)
			r.state = *cursor
			return r.last(false)
		}
		o, err := r.open(f)
		if err != nil {
			return err
		}
		_ = o.Close()
		r.state.add(f.name, o.hash, o.look)
		if was == nil || was.Hash != o.hash {
			changed = f.name
		}
	}
	r.state.Scope, r.state.Reads = cursor.Scope, cursor.Reads
	if changed == "" {
		return r.last(false)
	}
	if r.block.gone() || r.members != nil {
		return r.expired("%s %w", changed, connectors.ErrListedAnew)
	}
	r.state.Files = nil
	return r.all(false)
}

// full reads everything, when all files have been left alone.
func (r *reading) full() error {
	for _, f := range r.files {
		if wait := f.fresh(r.env.Now(), r.cfg.Settle.Std()); wait > 0 {
			return &fault.Error{
				Class: fault.Transient, Op: r.op, Where: f.name, After: wait, Err: errors.New("the file is still being written"),
				Hint: "it is read when nobody has written to it for " + r.cfg.Settle.String(),
			}
		}
	}
	return r.all(true)
}

// open opens a file and measures it.
func (r *reading) open(f found) (*opened, error) {
	began := time.Now()
	o, err := openFile(r.root, f, int64(r.cfg.Limits.Size))
	if err != nil {
		err = r.fault(f.name, err)
	}
	r.env.Requested(r.ctx, "look at a file", began, err)
	return o, err
}

// all reads all files, the newest first.
func (r *reading) all(full bool) error {
	r.shape, r.reads = map[string]bool{}, map[string]bool{}
	r.objects, r.groups = make([]directory.Object, r.pageSize), map[string]int{}
	r.keys, r.newer = &columns.Keys{}, &columns.Keys{}
	r.proof.full = full
	several := 0
	for _, f := range r.files {
		if !f.members {
			several++
		}
	}
	if several == 0 && len(r.files) > 0 {
		// Whose lists they are is not known, so they are not taken, and not moved as if they had been.
		r.note("%s waits for a file %s: members are read together with their groups", r.files[0].name, strings.Join(r.block.File, ", "))
		r.files = nil
	}
	for _, f := range r.files {
		if !r.block.gone() && !f.members {
			r.keys = &columns.Keys{}
			if several < 2 {
				r.newer = nil
			}
		}
		if err := r.one(f); err != nil {
			return err
		}
	}
	if r.members != nil && several > 0 && several == len(r.files) {
		r.doubt("there is no file %s with the members", strings.Join(r.members.File, ", "))
	}
	if several == 0 && r.before != nil {
		r.state.Scope, r.state.Reads = r.before.Scope, r.before.Reads
		r.proof.nothing = true
		return r.last(full)
	}
	r.proof.nothing = several == 0
	r.state.Reads = slices.Sorted(maps.Keys(r.reads))
	r.state.Scope = r.scope()
	return r.last(full)
}

// one reads one file.
func (r *reading) one(f found) error {
	o, err := r.open(f)
	if err != nil {
		return err
	}
	defer func() { _ = o.Close() }()
	began := time.Now()
	r.file, r.rows, r.bad, r.good = f.name, 0, 0, false
	s := &source{file: o, word: r.stream.word, kind: &r.block, limits: r.limits, rows: r.cfg.Limits.Rows, layouts: r.layouts}
	h := &hearer{
		begin: r.begin, row: r.row, bad: r.badRow,
		doubt: func(text string) { r.doubt("%s: %s", f.name, text) },
		note:  func(text string) { r.note("%s: %s", f.name, text) },
	}
	if f.members {
		s.word, s.kind, h.row = wordMember, r.members, r.pair
	}
	err = s.read(r.ctx, h)
	switch {
	case r.ctx.Err() != nil:
		err = r.ctx.Err()
	case err == nil:
		err = o.same(r.root)
	default:
		// What looks like a damaged file may be one that is being written.
		if changed := o.same(r.root); changed != nil {
			err = changed
		}
	}
	r.env.Requested(r.ctx, "read a file", began, err)
	if err != nil {
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		return r.fault(f.name, err)
	}
	if !f.members {
		// Not by its name: an old one may be put in the place of a new one, and may have been read in doubt before.
		if r.before != nil && r.block.newest() && o.Written < r.before.Newest && o.hash != r.before.NewestHash {
			r.doubt("%s is older than what was read last (if it holds nevertheless, touch it)", f.name)
		}
		if o.Written >= r.state.Newest {
			r.state.Newest, r.state.NewestHash = o.Written, o.hash
		}
	}
	r.state.add(f.name, o.hash, o.look)
	return nil
}

// begin notes how a table looks.
func (r *reading) begin(s *sheet) error {
	header, line := s.table.Header()
	for i, name := range header {
		if line > 0 && name != "" || s.used[i] {
			r.shape[strings.TrimSpace(name)] = true
		}
	}
	if s.layout == nil {
		for _, field := range slices.Sorted(maps.Keys(r.members.Columns)) {
			r.reads["members."+field+": "+r.members.Columns[field].String()] = true
		}
		return nil
	}
	for _, says := range s.layout.Says() {
		r.reads[says] = true
	}
	return nil
}

// row makes an object of a row.
func (r *reading) row(s *sheet, row *tables.Row) error {
	o := &r.objects[len(r.page.Objects)]
	problems := s.layout.Object(row.Cells, o)
	r.rows++
	if o.ID != "" && !r.keys.Add(o.ID) {
		r.proof.twice++
		return r.park(s, row.Line, place(r.file, s.name, row.Line), keyTwice())
	}
	problems = append(faults(s, row), problems...)
	r.good = r.good || len(problems) == 0
	if r.newer != nil && !r.block.gone() && o.ID != "" && !r.newer.Add(o.ID) {
		return nil // a newer file names it: that row holds, also if it could not be read
	}
	if len(problems) > 0 {
		return r.park(s, row.Line, o.ID, problems...)
	}
	r.page.Objects = r.objects[:len(r.page.Objects)+1]
	if s.layout.HasMembers() && r.members == nil {
		r.page.Members = append(r.page.Members, connectors.Members{Group: o.ID, Add: s.layout.Members(row.Cells, nil), Whole: true})
	}
	return r.flushWhenFull()
}

// pair makes a membership of a row.
func (r *reading) pair(s *sheet, row *tables.Row) error {
	group, member, problems := s.pairs.Pair(row.Cells)
	r.rows++
	problems = append(faults(s, row), problems...)
	if len(problems) == 0 && group == "" {
		problems = []columns.Problem{{Index: -1, Reason: "names no group", Hint: "every row names a group and one of its members"}}
	}
	if len(problems) > 0 {
		return r.park(s, row.Line, group, problems...)
	}
	r.good = true
	if member == "" {
		return nil // a group without members
	}
	i, ok := r.groups[group]
	if !ok {
		i = len(r.page.Members)
		r.groups[group] = i
		r.page.Members = append(r.page.Members, connectors.Members{Group: group})
	}
	r.page.Members[i].Add = append(r.page.Members[i].Add, member)
	return r.flushWhenFull()
}

// badRow parks a row that could not be read at all.
func (r *reading) badRow(s *sheet, bad *tables.BadRow) error {
	r.rows++
	return r.park(s, bad.Line, "", columns.Problem{Column: bad.Column, Index: -1, Reason: bad.Reason, Hint: bad.Hint})
}

// mostBad is how many rows may be bad before one was good.
const mostBad = 20

// park names a row that cannot be translated. Nobody else is stopped by it; without its key, nobody's absence is certain.
func (r *reading) park(s *sheet, line int, id string, problems ...columns.Problem) error {
	r.bad++
	if limit := r.cfg.Limits.Bad; r.bad > limit {
		return &fault.Error{Class: fault.Invalid, Op: r.op, Where: r.file, Err: fmt.Errorf("more than %d rows cannot be read", limit), Hint: "the first of them: " + problems[0].String()}
	}
	if r.bad > mostBad && !r.good {
		return &fault.Error{
			Class: fault.Invalid, Op: r.op, Where: r.file, Err: fmt.Errorf("none of the first %d rows can be read: %s", mostBad, problems[0]),
			Hint: cmp.Or(problems[0].Hint, "dirsyncd preview shows how each column was understood"),
		}
	}
	where := place(r.file, s.name, line)
	err := columns.Fault(fault.Invalid, r.op, "", problems)
	if id == "" && !r.block.gone() && s.pairs == nil {
		id = where // nobody's absence counts, so nobody need know whose row it is
	}
	r.page.Invalid = append(r.page.Invalid, connectors.Invalid{Kind: r.kind, ID: id, Where: where, Err: err})
	return r.flushWhenFull()
}

// place names a row for the operator.
func place(file, sheet string, line int) string {
	if sheet != "" {
		return fmt.Sprintf("%s, sheet %q, row %d", file, sheet, line)
	}
	return fmt.Sprintf("%s, line %d", file, line)
}

func (r *reading) flushWhenFull() error {
	p := &r.page
	if len(p.Objects)+len(p.Invalid) < r.pageSize && len(p.Members) < r.pageSize && r.rows%(16*r.pageSize) != 0 {
		return nil
	}
	return r.flush()
}

func (r *reading) flush() error {
	if len(r.page.Objects)+len(r.page.Invalid)+len(r.page.Members) == 0 {
		return nil
	}
	err := r.emit(&r.page)
	r.page = connectors.Page{Objects: r.page.Objects[:0], Members: r.page.Members[:0], Invalid: r.page.Invalid[:0], Notes: r.page.Notes[:0]}
	clear(r.groups)
	return err
}

func (r *reading) note(format string, args ...any) {
	r.page.Notes = append(r.page.Notes, fmt.Sprintf(format, args...))
}
