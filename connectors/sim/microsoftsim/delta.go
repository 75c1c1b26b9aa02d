package microsoftsim

import (
	"net/http"
	"slices"
	"strings"
)

// round is a page of a delta being made.
type round struct {
	x      *exchange
	d      *directoryData
	res    resource
	token  *pageToken
	quirks Quirks
	pages  Pages
	// minimal: only what changed comes (Prefer: return=minimal).
	minimal bool
	w       writer
}

// delta answers for /users/delta and its like, in any spelling.
func (x *exchange) delta(res resource) {
	if !x.allow(permissions(res)...) {
		return
	}
	x.charge(res, nil)
	if x.tenant.kind != Workforce {
		x.refuse(http.StatusBadRequest, "Request_UnsupportedQuery", "Change enumeration is not supported for requested tenant.")
		return
	}
	token, ok := x.deltaToken(res)
	if !ok || !x.allowSelect(&query{names: token.Select}) {
		return
	}
	pages, quirks := x.s.settings()
	begin := func(d *directoryData) {
		if token.Kind != "skip" {
			d.polls++
			token.To = d.visible(quirks.DelayRounds)
			token.To = max(token.To, token.From)
		}
	}
	if quirks.DelayRounds > 0 {
		x.tenant.change(begin)
	}
	x.tenant.read(func(d *directoryData) {
		if quirks.DelayRounds == 0 {
			if token.Kind != "skip" {
				token.To = len(d.log)
			}
		}
		r := &round{
			x: x, d: d, res: res, token: token, quirks: quirks, pages: pages,
			minimal: strings.Contains(x.r.Header.Get("Prefer"), "return=minimal"),
		}
		r.answer()
	})
}

// visible is the position up to which the log shows.
func (d *directoryData) visible(delay int) int {
	for i, e := range d.log {
		if e.poll+delay >= d.polls {
			return i
		}
	}
	return len(d.log)
}

// deltaToken reads where a request stands. It has answered when it returns false.
func (x *exchange) deltaToken(res resource) (*pageToken, bool) {
	values := x.r.URL.Query()
	path := res.String() + "/delta"
	names := splitSelect(values)
	if raw := values.Get("$skiptoken"); raw != "" {
		p, ok := x.continued(raw, path)
		if ok && p.Kind != "skip" || ok && names != nil {
			x.refuse(http.StatusBadRequest, "Request_BadRequest", "The token in the link is not valid here.")
			return nil, false
		}
		return p, ok
	}
	raw, latest := values.Get("$deltatoken"), false
	if raw == "latest" {
		raw, latest = "", true
	}
	if raw != "" {
		p, ok := x.continued(raw, path)
		if ok && p.Kind != "delta" {
			x.refuse(http.StatusBadRequest, "Request_BadRequest", "The token in the link is not valid here.")
			return nil, false
		}
		return p, ok
	}
	if values.Has("$expand") || values.Has("$search") || values.Has("$orderby") {
		x.refuse(http.StatusBadRequest, "Request_UnsupportedQuery", "The query option is not supported with delta.")
		return nil, false
	}
	if slices.ContainsFunc(names, notInCollections) {
		x.refuse(http.StatusNotImplemented, "NotImplemented", "This operation target is not yet supported.")
		return nil, false
	}
	ids, ok := deltaFilter(values.Get("$filter"))
	if !ok {
		x.refuse(http.StatusBadRequest, "Request_UnsupportedQuery", "Only filters by id are supported with delta.")
		return nil, false
	}
	p := &pageToken{Select: names, IDs: ids, First: true}
	if latest {
		p.First, p.Kind = false, "latest"
		x.tenant.read(func(d *directoryData) { p.From = len(d.log) })
	}
	return p, true
}

// deltaFilter reads "id eq 'a' or id eq 'b'" with at most fifty ids.
func deltaFilter(text string) (ids []string, ok bool) {
	if text == "" {
		return nil, true
	}
	for part := range strings.SplitSeq(text, " or ") {
		id, is := strings.CutPrefix(strings.TrimSpace(part), "id eq '")
		if !is || !strings.HasSuffix(id, "'") {
			return nil, false
		}
		ids = append(ids, strings.TrimSuffix(id, "'"))
	}
	return ids, len(ids) <= 50
}

func (r *round) selects(name string) bool {
	return r.token.Select == nil || slices.Contains(r.token.Select, name)
}

func (r *round) wanted(o *object) bool {
	return r.token.IDs == nil || slices.Contains(r.token.IDs, o.id)
}

// answer makes the page.
func (r *round) answer() {
	set := r.res.String()
	if r.token.Select != nil {
		set += "(" + strings.Join(r.token.Select, ",") + ")"
	}
	r.x.begin(&r.w, set)
	r.w.WriteString(`,"value":[`)
	next := *r.token
	if r.quirks.EmptyPages && !r.token.Hollow {
		next.Hollow = true
	} else {
		next.Hollow = false
		if !r.fill(&next) {
			r.end("deltatoken", &pageToken{Kind: "delta", Select: r.token.Select, IDs: r.token.IDs, From: r.token.To, Before: r.token.From})
			return
		}
	}
	next.Kind = "skip"
	next.Page++
	r.end("skiptoken", &next)
}

func (r *round) end(name string, p *pageToken) {
	r.w.WriteByte(']')
	annotation := map[string]string{"deltatoken": "@odata.deltaLink", "skiptoken": "@odata.nextLink"}[name]
	r.w.WriteString(`,"` + annotation + `":` + text(r.x.link(r.res.String()+"/delta", name, p)) + `}`)
	r.x.answer(http.StatusOK, r.w.Bytes())
}

// fill writes the page's objects and moves next behind them. It returns false when nothing is left.
func (r *round) fill(next *pageToken) bool {
	if r.token.First {
		if r.res == groups && r.selects("members") {
			return r.fillGroups(next)
		}
		return r.fillFirst(next)
	}
	return r.fillChanges(next)
}

func (r *round) size() int {
	switch r.res {
	case users:
		return r.pages.Users
	case groups:
		return r.pages.Groups
	default:
		return r.pages.Devices
	}
}

// fillFirst writes a page of a first round without members.
func (r *round) fillFirst(next *pageToken) bool {
	list := r.d.objects[r.res]
	at, sent := r.token.Offset, 0
	if r.quirks.Duplicates && at > 0 && r.present(list[at-1]) {
		r.first(list[at-1])
	}
	for ; at < len(list) && sent < r.size(); at++ {
		if r.present(list[at]) {
			r.first(list[at])
			sent++
		}
	}
	next.Offset = at
	return at < len(list)
}

// present reports whether a first round tells of an object.
func (r *round) present(o *object) bool {
	return r.wanted(o) && (o.state == live || r.quirks.FirstRoundRemoved)
}

// first writes an object as a first round tells it.
func (r *round) first(o *object) {
	r.w.item()
	if o.state != live {
		r.tombstone(o)
		return
	}
	first := true
	r.w.WriteByte('{')
	r.properties(&first, o, nil)
	if o.manager != "" && r.selects("manager") {
		r.manager(&first, o)
	}
	r.w.WriteByte('}')
}

// properties writes the selected properties that were ever set; only limits them to those named.
func (r *round) properties(first *bool, o *object, only map[string]bool) {
	if r.token.Select == nil {
		for _, p := range o.props {
			if only == nil || only[p.name] || p.name == "id" {
				r.w.key(first, p.name, p.raw)
			}
		}
		return
	}
	for _, name := range r.token.Select {
		if only != nil && !only[name] && name != "id" {
			continue
		}
		if raw, ok := r.d.value(o, name); ok && name != "signInActivity" {
			r.w.key(first, name, raw)
		}
	}
}

func (r *round) manager(first *bool, o *object) {
	r.w.key(first, "manager@delta", `[{"@odata.type":"#microsoft.graph.user","id":"`+o.manager+`"}]`)
}

// tombstone writes what is left of an object.
func (r *round) tombstone(o *object) {
	reason := map[state]string{soft: "changed", deleted: "deleted"}[o.state]
	r.w.WriteString(`{"id":"` + o.id + `","@removed":{"reason":"` + reason + `"}}`)
}

// news is what happened to one object in a round.
type news struct {
	object  *object
	whole   bool            // created or restored
	props   map[string]bool // that changed
	members []string        // that came or went, in order
	owners  []string
}

// changes collects what happened between two positions, in the order of each object's first event.
func (r *round) changes(from, to int) []*news {
	var list []*news
	index := map[*object]*news{}
	for _, e := range r.d.log[min(from, len(r.d.log)):min(to, len(r.d.log))] {
		if e.object.res != r.res || !r.wanted(e.object) {
			continue
		}
		n := index[e.object]
		if n == nil {
			n = &news{object: e.object, props: map[string]bool{}}
			index[e.object] = n
			list = append(list, n)
		}
		switch e.what {
		case created:
			n.whole = true
		case changed:
			for _, p := range e.props {
				n.props[p] = true
			}
		case membered:
			if !slices.Contains(n.members, e.member) {
				n.members = append(n.members, e.member)
			}
		case owned:
			if !slices.Contains(n.owners, e.member) {
				n.owners = append(n.owners, e.member)
			}
		case removed:
			n.props["@removed"] = true
		}
	}
	return slices.DeleteFunc(list, func(n *news) bool { return !r.shows(n) })
}

// shows reports whether a change concerns what was selected.
func (r *round) shows(n *news) bool {
	if n.object.state != live {
		return n.props["@removed"]
	}
	if n.whole || len(n.members) > 0 && r.selects("members") || len(n.owners) > 0 && r.selects("owners") {
		return true
	}
	for name := range n.props {
		if r.selects(name) && name != "licenseAssignmentStates" {
			return true
		}
	}
	return false
}

// fillChanges writes a page of a later round.
func (r *round) fillChanges(next *pageToken) bool {
	from := r.token.From
	if r.quirks.Replays {
		from = r.token.Before
	}
	list := r.changes(from, r.token.To)
	at, part, sent, members := r.token.Offset, r.token.Part, 0, 0
	if r.quirks.Duplicates && at > 0 && at <= len(list) && part == 0 {
		r.change(list[at-1], 0, len(list[at-1].members))
	}
	for at < len(list) && sent < r.size() && members < r.pages.Members {
		n := list[at]
		end := min(len(n.members), part+r.pages.Members-members)
		r.change(n, part, end)
		members += end - part
		sent++
		if part = end; part >= len(n.members) {
			at, part = at+1, 0
		}
	}
	next.Offset, next.Part = at, part
	return at < len(list)
}

// change writes what happened to one object, with a part of its members.
func (r *round) change(n *news, from, to int) {
	r.w.item()
	o := n.object
	if o.state != live {
		r.tombstone(o)
		return
	}
	only := n.props
	if n.whole || !r.minimal {
		only = nil
	} else if r.quirks.ExtensionEcho && anyExtension(n.props) {
		only = map[string]bool{}
		for _, p := range o.props {
			only[p.name] = n.props[p.name] || strings.HasPrefix(p.name, "extension_")
		}
	}
	first := true
	r.w.WriteByte('{')
	r.properties(&first, o, only)
	if r.selects("manager") && (n.props["manager"] || only == nil && o.manager != "") {
		r.managerChange(&first, o)
	}
	if r.res == groups && r.selects("members") {
		r.memberChanges(&first, n, from, to)
	}
	if r.res == groups && r.selects("owners") {
		r.ownerChanges(&first, n)
	}
	r.w.WriteByte('}')
}

func anyExtension(props map[string]bool) bool {
	for name := range props {
		if strings.HasPrefix(name, "extension_") {
			return true
		}
	}
	return false
}

// managerChange tells of a manager, or that there is none any more.
func (r *round) managerChange(first *bool, o *object) {
	if o.manager != "" {
		r.manager(first, o)
		return
	}
	r.w.key(first, "manager@delta", `[{"@odata.type":"#microsoft.graph.user","id":"`+spellGUID([16]byte{})+`","@removed":{"reason":"deleted"}}]`)
}
