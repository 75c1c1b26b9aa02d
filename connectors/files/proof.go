package files

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// proof gathers what a read proves: that all files are as they were before they were read is a matter of its own
// (opened.same), for what is torn is not to be taken at all.
type proof struct {
	full    bool
	nothing bool // there was no file
	twice   int  // rows with the key of another
	doubts  []string
}

// doubt notes why rows may be missing.
func (r *reading) doubt(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(r.proof.doubts) < 10 {
		r.proof.doubts = append(r.proof.doubts, text)
	}
}

// scope says in words what is a list of what. Its columns belong to it: a file that has others is another list, and what it
// does not name waits for the operator.
func (r *reading) scope() string {
	k := &r.block
	list := strings.Join(k.File, ", ")
	if k.newest() {
		list = "the newest of " + list
	} else if k.gone() && len(r.files) > 1 {
		var names []string
		for _, f := range r.files {
			names = append(names, f.name)
		}
		list = strings.Join(slices.Sorted(slices.Values(names)), ", ")
	}
	if o := &k.Only; o.Column != "" {
		list += fmt.Sprintf(" (only %s %s)", o.Column, strings.Join(o.Is, ", "))
	}
	return fmt.Sprintf("%s in %s, columns %s", list, r.cfg.Folder, strings.Join(slices.Sorted(maps.Keys(r.shape)), ", "))
}

// last emits the last page.
func (r *reading) last(full bool) error {
	p := &r.page
	p.Cursor, p.Known = r.state.cursor(), r.state.known()
	p.Proof = &connectors.Proof{Scope: r.state.Scope, Count: -1, Reads: r.state.Reads}
	if p.Proof.Scope == "" {
		p.Proof.Scope = strings.Join(r.block.File, ", ") + " in " + string(r.cfg.Folder)
	}
	if r.proof.twice > 0 {
		r.doubt("%d rows have the key of another", r.proof.twice)
	}
	doubt := strings.Join(r.proof.doubts, "; ")
	if full {
		// Where absence means nothing, the members of groups are still those of their lists.
		if !r.proof.nothing && (r.block.gone() || r.kind == directory.Group) {
			p.Proof.Doubt, doubt = doubt, ""
		}
		why := ""
		switch {
		case r.proof.nothing:
			why = "there is no file"
			r.note("there is no file %s", strings.Join(r.block.File, ", "))
		case !r.block.gone():
			why = "absent: keep"
		}
		if why != "" {
			p.Unlisted = []connectors.Part{connectors.Kept(why)}
		}
	}
	if doubt != "" {
		r.note("%s", doubt)
	}
	return r.emit(p)
}
