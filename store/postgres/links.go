package postgres

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// Who is who at a target. Subjects and ids are hashed in the keys; a thing is one record's at most.
const schemaLinks = `
create table @.desk_link (part int, subject uuid, kind int2 not null, id uuid, state int2 not null, data bytea not null, primary key (part, subject));
create unique index desk_link_thing on @.desk_link (part, kind, id) where state = 1;
create index desk_link_id on @.desk_link (part, kind, id, subject) where id is not null;
` + schemaReviews

// linkForm is how a link is stored.
type linkForm struct {
	Subject  string                `json:"subject"`
	Kind     uint8                 `json:"kind"`
	ID       string                `json:"id,omitempty"`
	State    store.LinkState       `json:"state"`
	Owner    store.LinkOwner       `json:"owner,omitempty"`
	Active   bool                  `json:"active,omitempty"`
	Mark     string                `json:"mark,omitempty"`
	Parent   string                `json:"parent,omitempty"`
	Revision string                `json:"revision,omitempty"`
	Sent     map[string]digestForm `json:"sent,omitempty"`
	Saw      map[string]digestForm `json:"saw,omitempty"`
	Once     []string              `json:"once,omitempty"`
	Members  []string              `json:"members,omitempty"`
	LastKey  string                `json:"last_key,omitempty"`
	Of       store.Partition       `json:"of"`
	Why      string                `json:"why,omitempty"`
	Since    int64                 `json:"since,omitempty"` // seconds
	Changed  int64                 `json:"changed,omitempty"`
}

// digestForm is a digest as JSON has bytes.
type digestForm = []byte

func digestForms(m map[string]store.Digest) map[string]digestForm {
	if len(m) == 0 {
		return nil
	}
	forms := make(map[string]digestForm, len(m))
	for name, d := range m {
		forms[name] = d[:]
	}
	return forms
}

// digestsOf reads what digestForms wrote.
func digestsOf(forms map[string]digestForm) (digests map[string]store.Digest, ok bool) {
	if len(forms) == 0 {
		return nil, true
	}
	digests = make(map[string]store.Digest, len(forms))
	for name, form := range forms {
		var d store.Digest
		if len(form) != len(d) {
			return nil, false
		}
		copy(d[:], form)
		digests[name] = d
	}
	return digests, true
}

func secondsOf(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.Unix()
}

func timeAt(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

func encodeLink(l *store.Link) ([]byte, error) {
	return json.Marshal(linkForm{
		Subject: l.Subject, Kind: uint8(l.Kind), ID: l.ID, State: l.State, Owner: l.Owner, Active: l.Active, Mark: l.Mark, Parent: l.Parent,
		Revision: l.Revision, Sent: digestForms(l.Sent), Saw: digestForms(l.Saw), Once: l.Once, Members: l.Members, LastKey: l.LastKey,
		Of: l.Contributor, Why: l.Why, Since: secondsOf(l.Since), Changed: secondsOf(l.Changed),
	})
}

// parseLink reads what encodeLink wrote.
func parseLink(data []byte) (store.Link, bool) {
	var f linkForm
	if json.Unmarshal(data, &f) != nil || f.Subject == "" || !f.State.Known() || !f.Owner.Known() {
		return store.Link{}, false
	}
	l := store.Link{
		Subject: f.Subject, Kind: directory.RecordKind(f.Kind), ID: f.ID, State: f.State, Owner: f.Owner, Active: f.Active, Mark: f.Mark, Parent: f.Parent,
		Revision: f.Revision, Once: f.Once, Members: f.Members, LastKey: f.LastKey, Contributor: f.Of, Why: f.Why,
		Since: timeAt(f.Since), Changed: timeAt(f.Changed),
	}
	var sent, saw bool
	l.Sent, sent = digestsOf(f.Sent)
	l.Saw, saw = digestsOf(f.Saw)
	return l, sent && saw
}

// thing is what a link may name.
type thing struct {
	kind int16
	id   nameHash
}

// linkHead is what a change of a link has to know of it; the zero value is that of none.
type linkHead struct {
	state store.LinkState
	thing thing // zero when it names none
}

func headOfLink(l *store.Link) linkHead {
	h := linkHead{state: l.State}
	if l.ID != "" {
		h.thing = thing{int16(l.Kind), hashName(l.ID)}
	}
	return h
}

// linkState is what a transaction that writes knows of links, and changes that are not in the table yet.
type linkState struct {
	heads   map[nameHash]linkHead // by subject
	holders map[thing]nameHash    // who has it; zero for nobody

	order  []nameHash // of put, as it was done
	put    map[nameHash]*store.Link
	remove map[nameHash]struct{}
}

// know notes what is stored of a record.
func (s *linkState) know(subject nameHash, h linkHead) {
	if s.heads == nil {
		s.heads, s.holders = map[nameHash]linkHead{}, map[thing]nameHash{}
	}
	if old := s.heads[subject]; old.state == store.Linked && s.holders[old.thing] == subject {
		s.holders[old.thing] = nameHash{}
	}
	s.heads[subject] = h
	if h.state == store.Linked {
		s.holders[h.thing] = subject
	}
}

// knowNobody notes that nobody has a thing, unless somebody is known to.
func (s *linkState) knowNobody(at thing) {
	if s.heads == nil {
		s.heads, s.holders = map[nameHash]linkHead{}, map[thing]nameHash{}
	}
	if _, known := s.holders[at]; !known {
		s.holders[at] = nameHash{}
	}
}

// fetchLinks reads links.
func (t *tx) fetchLinks(f *fetch, sql string, args ...any) (list []store.Link, err error) {
	err = t.query(func(rows pgx.Rows) error {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return err
		}
		l, ok := parseLink(data)
		if !ok {
			return t.s.corrupt("desk_link")
		}
		f.got(len(data))
		list = append(list, l)
		return nil
	}, sql, args...)
	for i := range list {
		if t.writable {
			t.desk.links.know(hashName(list[i].Subject), headOfLink(&list[i]))
		}
	}
	return list, err
}

// LinksOf implements store.Reader.
func (t *tx) LinksOf(subjects []string) ([]store.Link, error) {
	if err := t.flushDeskLinks(); err != nil || len(subjects) == 0 {
		return nil, err
	}
	found, err := t.fetchLinks(newFetch(), `select data from @.desk_link where part = $1 and subject = any($2::uuid[])`, uuidsOf(subjects))
	if err != nil {
		return nil, err
	}
	bySubject := make(map[string]*store.Link, len(found))
	for i := range found {
		bySubject[found[i].Subject] = &found[i]
	}
	list, given := make([]store.Link, len(subjects)), map[string]bool{}
	for i, subject := range subjects {
		l := bySubject[subject]
		switch {
		case l == nil && t.writable:
			t.desk.links.know(hashName(subject), linkHead{})
		case l == nil:
		case given[subject]:
			list[i] = cloneLink(l)
		default:
			list[i], given[subject] = *l, true
		}
	}
	return list, nil
}

// cloneLink returns one that shares nothing.
func cloneLink(l *store.Link) store.Link {
	c := *l
	c.Sent, c.Saw, c.Once, c.Members = maps.Clone(l.Sent), maps.Clone(l.Saw), slices.Clone(l.Once), slices.Clone(l.Members)
	return c
}

// LinksAt implements store.Reader.
func (t *tx) LinksAt(kind directory.RecordKind, ids []string) ([]store.Link, error) {
	if err := t.flushDeskLinks(); err != nil || len(ids) == 0 {
		return nil, err
	}
	list, err := t.fetchLinks(newFetch(), `select l.data from unnest($3::uuid[]) with ordinality i (id, n)
		cross join lateral (select data, state, subject from @.desk_link where part = $1 and kind = $2 and id = i.id offset 0) l order by i.n, l.state <> 1, l.subject`, int16(kind), uuidsOf(ids))
	if err != nil || !t.writable {
		return list, err
	}
	for _, id := range ids {
		t.desk.links.knowNobody(thing{int16(kind), hashName(id)})
	}
	return list, nil
}

// Links implements store.Reader: in the order of the subjects' hashes.
func (t *tx) Links(after string, fn func(store.Link) bool) error {
	if err := t.flushDeskLinks(); err != nil {
		return err
	}
	var last nameHash
	if after != "" {
		last = hashName(after)
	}
	for f, more := newFetch(), true; more; more = f.more() {
		list, err := t.fetchLinks(f, `select data from @.desk_link where part = $1 and subject > $2 order by subject limit $3`, uuidOf(last), f.limit)
		if err != nil {
			return err
		}
		for i := range list {
			if last = hashName(list[i].Subject); !fn(list[i]) {
				return nil
			}
		}
	}
	return nil
}

// LinkCounts implements store.Reader.
func (t *tx) LinkCounts() (map[store.LinkState]int, error) {
	counts := map[store.LinkState]int{}
	for _, s := range store.LinkStates() {
		if n := t.count.desk[linkCounts+int(s)]; n > 0 {
			counts[s] = int(n)
		}
	}
	return counts, nil
}
