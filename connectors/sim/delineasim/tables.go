package delineasim

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// person is a user of the tenant, as both tables have it.
type person struct {
	id, login, name, mail string
	title                 string // a column of the tenant's own
	status                string
	source                string    // of which directory; blank: the tenant's own
	lastLogin             time.Time // zero: never
	spoilt                bool
}

// role is a role; members are ids of people, and of roles and groups of directories with their types.
type role struct {
	id, name, typ, description string
	members                    []member
	spoilt                     bool
}

type member struct{ guid, name, typ string }

// GUID is the id of the object with a number.
func GUID(kind, n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, n) }

func (s *Server) populate() {
	s.roles = append(s.roles, &role{id: "Everybody", name: "Everybody", typ: "Everybody", description: "All users"}, &role{id: "computed", name: "Computed", typ: "Script"})
	for i := range s.o.Roles {
		s.roles = append(s.roles, &role{id: GUID(2, i), name: fmt.Sprintf("Role %d", i), typ: "PrincipalList", description: "Made by the simulator"})
	}
	statuses := []string{"Active", "Active", "Active", "Created", "Invited", "Suspended"}
	for n := range s.o.People {
		p := &person{id: GUID(1, n), login: fmt.Sprintf("user%d@example.test", n), name: fmt.Sprintf("User %d", n), mail: fmt.Sprintf("user%d@example.test", n), title: "Analyst",
			status: statuses[n%len(statuses)]}
		if n%3 > 0 {
			p.lastLogin = s.o.Now().Add(-time.Duration(n) * time.Hour)
		}
		s.people = append(s.people, p)
		for k := range min(s.o.RolesPerPerson, s.o.Roles) {
			r := s.roles[2+(n*7+k*(s.o.Roles/s.o.RolesPerPerson+1))%s.o.Roles]
			// Lists of members write ids in capitals here: nobody says that they are written as in the table.
			if m := (member{strings.ToUpper(p.id), p.name, "User"}); !slices.Contains(r.members, m) {
				r.members = append(r.members, m)
			}
		}
	}
	s.next = max(s.o.People, s.o.Roles) + 10
}

// selected is what a script asks for, as far as the simulator understands scripts.
var selected = regexp.MustCompile(`^SELECT ([A-Za-z0-9_, ]+) FROM (\w+)(?: WHERE (\w+) = '([^']*)')? ORDER BY (\w+)$`)

func (s *Server) query(script string, list args, f *Fault) *reply {
	m := selected.FindStringSubmatch(script)
	if m == nil {
		return envelope(false, nil, "The query is not valid.", "_I18N_QueryError")
	}
	columns, table, where, value, order := strings.Split(m[1], ", "), m[2], m[3], m[4], m[5]
	if s.denied[table] {
		return envelope(false, nil, "You are not authorized to perform this operation. Please contact your IT helpdesk.", "_I18N_NotAuthorized")
	}
	var rows []map[string]any
	switch table {
	case "User":
		for _, p := range s.people {
			rows = append(rows, p.user())
		}
	case "DSUsers":
		for _, p := range s.people {
			rows = append(rows, p.directory(s.o.Words))
		}
	case "Role":
		for _, r := range s.roles {
			rows = append(rows, r.row())
		}
	default:
		return envelope(false, nil, "no such table: "+table, "_I18N_QueryError")
	}
	for _, c := range append(columns, order) {
		if len(rows) > 0 {
			if _, ok := rows[0][c]; !ok {
				return envelope(false, nil, "no such column: "+c, "_I18N_QueryError")
			}
		}
	}
	if where != "" {
		rows = slices.DeleteFunc(rows, func(r map[string]any) bool { return r[where] != value })
	}
	slices.SortFunc(rows, func(a, b map[string]any) int { return cmp.Compare(fmt.Sprint(a[order]), fmt.Sprint(b[order])) })
	for _, r := range rows {
		for name := range r {
			if !slices.Contains(columns, name) {
				delete(r, name)
			}
		}
	}
	return s.page(table, rows, list, f)
}

func (s *Server) members(id string, list args, f *Fault) *reply {
	if s.denied["members"] {
		return envelope(false, nil, "You are not authorized to perform this operation. Please contact your IT helpdesk.", "_I18N_NotAuthorized")
	}
	i := slices.IndexFunc(s.roles, func(r *role) bool { return r.id == id })
	if i < 0 || s.roles[i].typ == "Everybody" {
		return envelope(false, nil, "The role has no list of members.", "_I18N_RoleError")
	}
	rows := []map[string]any{}
	for _, m := range s.roles[i].members {
		rows = append(rows, map[string]any{"Guid": m.guid, "Name": m.name, "Type": m.typ})
	}
	return s.page("Principal", rows, list, f)
}

// page answers with one page of a list.
func (s *Server) page(entity string, rows []map[string]any, list args, f *Fault) *reply {
	if list.PageNumber < 1 || list.PageSize < 1 || list.Caching >= 0 {
		return envelope(false, nil, "The arguments are not valid.", "_I18N_QueryError")
	}
	if s.o.Cap {
		rows = rows[:min(len(rows), list.Limit)]
	}
	full := len(rows)
	if f != nil {
		rows, full = f.list(rows, list)
	}
	from := min((list.PageNumber-1)*list.PageSize, len(rows))
	rows = rows[from:min(from+list.PageSize, len(rows))]
	results := make([]any, len(rows))
	for i, r := range rows {
		results[i] = map[string]any{"Entities": []any{map[string]any{"Type": entity, "Key": r["ID"], "IsForeignKey": false}}, "Row": r}
	}
	return envelope(true, map[string]any{"IsAggregate": false, "Count": len(rows), "FullCount": full, "Columns": []any{}, "Results": results, "ReturnID": ""}, "", "")
}

func (p *person) user() map[string]any {
	r := map[string]any{"ID": p.id, "Username": p.login, "DisplayName": p.name, "Email": p.mail, "StatusEnum": p.status, "SourceDsType": cmp.Or(p.source, "CDS"), "Title": p.title,
		"DirectoryServiceUuid": "09b9a9b0-6ce8-465f-ab03-65766d33b05e", "LastLogin": date(p.lastLogin)}
	if p.spoilt {
		r["StatusEnum"] = "Unheard"
	}
	return r
}

func (p *person) directory(words bool) map[string]any {
	var enabled any = p.status != "Suspended"
	if words {
		enabled = map[any]string{true: "True", false: "False"}[enabled]
	}
	r := map[string]any{"InternalName": p.id, "SystemName": p.login, "DisplayName": p.name, "EMail": p.mail, "Description": nil, "Enabled": enabled,
		"StatusEnum": p.status, "ServiceType": "AdProxy", "Title": p.title}
	if p.spoilt {
		r["Enabled"] = "perhaps"
	}
	return r
}

func (r *role) row() map[string]any {
	m := map[string]any{"ID": r.id, "Name": r.name, "RoleType": r.typ, "Description": r.description, "ReadOnly": false}
	if r.spoilt {
		m["Name"] = nil
	}
	return m
}

// date is how the service writes a moment; the first day of the year 1 is none.
func date(t time.Time) string {
	if t.IsZero() {
		return "/Date(-62135596800000)/"
	}
	return fmt.Sprintf("/Date(%d)/", t.UnixMilli())
}
