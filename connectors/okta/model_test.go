package okta

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/oktasim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// model is what the engine would know: it applies pages as they come, takes absence for removal after a proof
// only, and reads in full when a cursor is no longer taken.
type model struct {
	b       *bench
	objects map[string]map[string]directory.Object // by stream
	members map[string]map[string]bool
	cursors map[string][]byte
	fulls   int
	failed  map[fault.Class]int
}

func newModel(b *bench) *model {
	return &model{
		b: b, members: map[string]map[string]bool{}, cursors: map[string][]byte{}, failed: map[fault.Class]int{},
		objects: map[string]map[string]directory.Object{streamUsers: {}, streamGroups: {}},
	}
}

// sync reads a stream once, as its cursor allows. It reports whether that succeeded.
func (m *model) sync(stream string) bool {
	m.b.tb.Helper()
	cursor := m.cursors[stream]
	if len(cursor) == 0 {
		return m.full(stream)
	}
	err := connectors.Guard(m.b.conn).Read(m.b.tb.Context(), connectors.Request{Stream: stream, Mode: connectors.Delta, Cursor: cursor}, func(p *connectors.Page) error {
		m.take(stream, p)
		for _, ref := range p.Removed {
			delete(m.objects[stream], ref.ID)
			delete(m.members, ref.ID)
		}
		for _, g := range p.Members {
			if !g.Whole {
				m.b.tb.Errorf("group %s: a part of a list in a delta", g.Group)
			}
			m.members[g.Group] = setOf(g.Add)
		}
		if p.Proof != nil {
			m.cursors[stream] = slices.Clone(p.Cursor)
		}
		return nil
	})
	if fault.ClassOf(err) == fault.CursorExpired {
		return m.full(stream)
	}
	return m.outcome(err)
}

func (m *model) outcome(err error) bool {
	if err != nil {
		m.failed[fault.ClassOf(err)]++
		if fault.ClassOf(err) == fault.Internal {
			m.b.tb.Errorf("an internal error: %v", err)
		}
	}
	return err == nil
}

func (m *model) take(stream string, p *connectors.Page) {
	for _, o := range p.Objects {
		m.objects[stream][o.ID] = o
	}
}

func (m *model) full(stream string) bool {
	m.b.tb.Helper()
	m.fulls++
	seen, lists, unnamed := map[string]bool{}, map[string]map[string]bool{}, 0
	err := connectors.Guard(m.b.conn).Read(m.b.tb.Context(), connectors.Request{Stream: stream, Mode: connectors.Full}, func(p *connectors.Page) error {
		m.take(stream, p)
		for _, o := range p.Objects {
			seen[o.ID] = true
		}
		for _, bad := range p.Invalid {
			if bad.ID == "" {
				unnamed++
			}
			seen[bad.ID] = true
		}
		for _, g := range p.Members {
			if lists[g.Group] == nil || g.Whole {
				lists[g.Group] = map[string]bool{}
			}
			maps.Copy(lists[g.Group], setOf(g.Add))
			// What came is true at once; what did not come only after the proof.
			if m.members[g.Group] == nil {
				m.members[g.Group] = map[string]bool{}
			}
			maps.Copy(m.members[g.Group], setOf(g.Add))
		}
		if p.Proof != nil {
			m.cursors[stream] = slices.Clone(p.Cursor)
			if unnamed > 0 {
				m.cursors[stream] = nil // the engine reads in full again
				return nil
			}
			maps.DeleteFunc(m.objects[stream], func(id string, _ directory.Object) bool { return !seen[id] })
			if stream == streamGroups {
				m.members = lists
			}
		}
		return nil
	})
	return m.outcome(err)
}

func setOf(list []string) map[string]bool {
	set := map[string]bool{}
	for _, s := range list {
		set[s] = true
	}
	return set
}

// compare fails the test where the model differs from the org.
func (m *model) compare(when string) {
	m.b.tb.Helper()
	want := map[string]string{}
	for _, u := range m.b.org.Users() {
		want[u.ID] = expectedUser(u)
	}
	same(m.b.tb, when+": people", m.objects[streamUsers], want, renderUser)
	want = map[string]string{}
	lists := map[string]string{}
	for _, g := range m.b.org.Groups() {
		want[g.ID] = fmt.Sprintf("%s|%s|%s", g.Name, g.Description, g.Type)
		lists[g.ID] = strings.Join(g.Members, " ")
	}
	for _, a := range m.b.org.Apps() {
		if a.Status == "ACTIVE" && m.b.cfg.Apps {
			want[a.ID] = fmt.Sprintf("app:%s||APPLICATION", a.Label)
			lists[a.ID] = strings.Join(a.Users, " ")
		}
	}
	same(m.b.tb, when+": groups", m.objects[streamGroups], want, func(o *directory.Object) string {
		return fmt.Sprintf("%s|%s|%s", textOf(o, "name"), textOf(o, "description"), textOf(o, "group_type"))
	})
	for id, list := range lists {
		if got := m.list(id); got != list {
			m.b.tb.Errorf("%s: members of %s: got %s, want %s", when, id, got, list)
		}
	}
}

func (m *model) list(group string) string {
	var ids []string
	for h := range m.members[group] {
		ids = append(ids, strings.TrimPrefix(h, "id:"))
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

func same(tb testing.TB, what string, got map[string]directory.Object, want map[string]string, render func(*directory.Object) string) {
	tb.Helper()
	for id, w := range want {
		o, ok := got[id]
		if !ok {
			tb.Errorf("%s: %s is missing", what, id)
		} else if g := render(&o); g != w {
			tb.Errorf("%s: %s\n got %s\nwant %s", what, id, g, w)
		}
	}
	for id := range got {
		if _, ok := want[id]; !ok {
			tb.Errorf("%s: %s is not there any more", what, id)
		}
	}
}

func textOf(o *directory.Object, name string) string {
	v, _ := o.Get(name)
	return v.String()
}

func renderUser(o *directory.Object) string {
	var links []string
	for _, l := range o.Links {
		links = append(links, fmt.Sprintf("%d%s", l.Type, l.To))
	}
	return strings.Join([]string{
		textOf(o, "login"), textOf(o, "email"), textOf(o, "title"), textOf(o, "given_name"), textOf(o, "status"), textOf(o, "enabled"),
		textOf(o, "employee_id"), strings.Join(links, ","), strings.Join(o.Handles, ","),
	}, "|")
}

// expectedUser says the same of the org's own user, written down a second time.
func expectedUser(u oktasim.User) string {
	get := func(name string) string {
		if u.Profile[name] == nil {
			return ""
		}
		return fmt.Sprint(u.Profile[name])
	}
	enabled := slices.Contains([]string{"ACTIVE", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT"}, u.Status)
	var links, handles []string
	switch m := strings.ToLower(get("managerId")); {
	case m == "":
	case strings.HasPrefix(m, "00u"):
		links = append(links, "1id:"+get("managerId"))
	case strings.Contains(m, "@"):
		links = append(links, "1login:"+m, "1email:"+m)
	default:
		links = append(links, "1employee:"+m, "1login:"+m)
	}
	if u.Status != "DEPROVISIONED" {
		links = append(links, "2builtin:everyone")
	}
	for _, h := range [][2]string{{"login:", "login"}, {"email:", "email"}, {"employee:", "employeeNumber"}} {
		if v := get(h[1]); v != "" {
			handles = append(handles, h[0]+strings.ToLower(v))
		}
	}
	return strings.Join([]string{
		get("login"), get("email"), get("title"), get("firstName"), u.Status, fmt.Sprint(enabled), get("employeeNumber"),
		strings.Join(links, ","), strings.Join(handles, ","),
	}, "|")
}
