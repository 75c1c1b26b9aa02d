package microsoftsim

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query holds the OData options of a list.
type query struct {
	names   []string // of $select; nil: the default
	filter  []condition
	top     int
	count   bool
	expand  string
	values  url.Values
	offset  int
	counted bool // the count was sent
}

// condition is one comparison of a $filter; several are joined by "and".
type condition struct{ name, op, raw string }

// defaultUser is what comes of a user without $select.
func defaultUser() []string {
	return []string{
		"businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage", "surname",
		"userPrincipalName",
	}
}

// parseQuery reads the options of the request, or of the token in it. It has answered when it returns false.
func (x *exchange) parseQuery() (*query, bool) {
	pages, _ := x.s.settings()
	values := x.r.URL.Query()
	q := &query{values: values, top: pages.List}
	if raw := values.Get("$skiptoken"); raw != "" {
		p, ok := x.continued(raw, x.path)
		if !ok {
			return nil, false
		}
		q.offset, q.counted = p.Offset, true
		q.values, _ = url.ParseQuery(p.Query)
	}
	q.names = splitSelect(q.values)
	q.expand = q.values.Get("$expand")
	if raw := q.values.Get("$top"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 1 || n > 999 {
			x.refuse(http.StatusBadRequest, "Request_BadRequest", "Invalid page size specified: '"+raw+"'. Must be between 1 and 999 inclusive.")
			return nil, false
		}
		q.top = min(n, pages.Most)
	}
	eventual := strings.EqualFold(x.r.Header.Get("ConsistencyLevel"), "eventual")
	q.count = q.values.Get("$count") == "true" && eventual
	if x.tenant.kind != Workforce && (q.values.Has("$count") || q.values.Has("$search")) {
		x.refuse(http.StatusBadRequest, "Request_UnsupportedQuery", "The query is not supported for this tenant.")
		return nil, false
	}
	if unsupported := slices.IndexFunc(q.names, notInCollections); unsupported >= 0 {
		x.refuse(http.StatusNotImplemented, "NotImplemented", "This operation target is not yet supported.")
		return nil, false
	}
	var ok bool
	if q.filter, ok = parseFilter(q.values.Get("$filter")); !ok {
		x.refuse(http.StatusBadRequest, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause.")
		return nil, false
	}
	return q, true
}

// notInCollections are properties that are kept elsewhere and cannot be selected for many users at once.
func notInCollections(name string) bool {
	return slices.Contains([]string{"skills", "mySite", "aboutMe", "birthday", "interests", "schools", "responsibilities", "pastProjects"}, name)
}

func splitSelect(values url.Values) []string {
	raw, ok := values["$select"]
	if !ok || raw[0] == "" {
		return nil
	}
	names := strings.Split(raw[0], ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	if !slices.Contains(names, "id") {
		names = append(names, "id")
	}
	return names
}

// parseFilter reads comparisons by eq, ne, ge, in and startswith that are joined by "and".
func parseFilter(text string) (list []condition, ok bool) {
	if text == "" {
		return nil, true
	}
	for part := range strings.SplitSeq(text, " and ") {
		if args, is := strings.CutPrefix(part, "startswith("); is {
			name, value, found := strings.Cut(strings.TrimSuffix(args, ")"), ",")
			if !found {
				return nil, false
			}
			list = append(list, condition{name, "startswith", strings.Trim(value, "' ")})
			continue
		}
		words := strings.SplitN(part, " ", 3)
		if len(words) == 3 && words[1] == "in" && strings.HasPrefix(words[2], "(") && strings.HasSuffix(words[2], ")") {
			values := strings.Split(words[2][1:len(words[2])-1], ",")
			if len(values) > 15 { // the service's limit for expressions in one clause
				return nil, false
			}
			list = append(list, condition{words[0], "in", strings.ReplaceAll(strings.Join(values, ","), "'", `"`)})
			continue
		}
		if len(words) != 3 || words[1] != "eq" && words[1] != "ne" && words[1] != "ge" {
			return nil, false
		}
		raw := words[2]
		if strings.HasPrefix(raw, "'") {
			raw = quoted(strings.ReplaceAll(strings.Trim(raw, "'"), "''", "'"))
		}
		list = append(list, condition{words[0], words[1], raw})
	}
	return list, true
}

func (c condition) holds(get func(string) (string, bool)) bool {
	raw, ok := get(c.name)
	if !ok {
		raw = "null"
	}
	switch c.op {
	case "eq":
		return strings.EqualFold(raw, c.raw)
	case "ne":
		return !strings.EqualFold(raw, c.raw)
	case "in":
		return slices.Contains(strings.Split(strings.ReplaceAll(c.raw, " ", ""), ","), raw)
	case "ge":
		return strings.Trim(raw, `"`) >= c.raw
	default:
		return strings.HasPrefix(strings.ToLower(strings.Trim(raw, `"`)), strings.ToLower(c.raw))
	}
}

func (q *query) matches(get func(string) (string, bool)) bool {
	return !slices.ContainsFunc(q.filter, func(c condition) bool { return !c.holds(get) })
}

// listOf answers with a page of a list of n entries. write writes the i-th entry and returns false when it is not
// one of the list's.
func (x *exchange) listOf(set string, q *query, n int, write func(w *writer, i int) bool) {
	var w writer
	x.begin(&w, set)
	if q.count && !q.counted {
		total := 0
		for i := range n {
			if write(&writer{}, i) {
				total++
			}
		}
		fmt.Fprintf(&w, `,"@odata.count":%d`, total)
	}
	w.WriteString(`,"value":[`)
	i, sent := q.offset, 0
	for ; i < n && sent < q.top; i++ {
		at, more := w.Len(), w.more
		w.item()
		if !write(&w, i) {
			w.Truncate(at)
			w.more = more
			continue
		}
		sent++
	}
	w.WriteByte(']')
	if i < n {
		q.values.Del("$skiptoken")
		w.WriteString(`,"@odata.nextLink":` + text(x.link(x.path, "skiptoken", &pageToken{Kind: "list", Query: q.values.Encode(), Offset: i})))
	}
	w.WriteByte('}')
	x.answer(http.StatusOK, w.Bytes())
}

// directoryObjects answers for /users, /groups, /devices and what is below.
func (x *exchange) directoryObjects(res resource, rest []string) {
	need := permissions(res)
	if res == users && len(rest) > 1 && rest[1] == "photo" {
		need = photoPermissions()
	}
	if !x.allow(need...) {
		return
	}
	x.charge(res, rest)
	switch {
	case len(rest) == 0:
		x.listObjects(res, func(o *object) bool { return o.state == live })
	case rest[0] == "$count":
		x.countObjects(res)
	default:
		x.oneObject(res, rest[0], rest[1:])
	}
}

func (x *exchange) listObjects(res resource, in func(*object) bool) {
	q, ok := x.parseQuery()
	if !ok || !x.allowSelect(q) {
		return
	}
	if slices.ContainsFunc(q.names, func(n string) bool { return n == "signInActivity" }) && q.top > 500 {
		q.top = 500
	}
	x.tenant.read(func(d *directoryData) {
		list := d.objects[res]
		x.listOf(res.String(), q, len(list), func(w *writer, i int) bool {
			o := list[i]
			if !in(o) || !q.matches(o.get) {
				return false
			}
			d.writeObject(w, o, q)
			return true
		})
	})
}

// allowSelect asks for the extra permission that some properties need.
func (x *exchange) allowSelect(q *query) bool {
	return (!slices.Contains(q.names, "signInActivity") || x.allow("AuditLog.Read.All")) &&
		(!slices.Contains(q.names, "employeeLeaveDateTime") || x.allow("User-LifeCycleInfo.Read.All", "User-LifeCycleInfo.ReadWrite.All"))
}

func (x *exchange) countObjects(res resource) {
	if x.tenant.kind != Workforce || !strings.EqualFold(x.r.Header.Get("ConsistencyLevel"), "eventual") {
		x.refuse(http.StatusBadRequest, "Request_BadRequest", "$count is not currently supported.")
		return
	}
	n := 0
	x.tenant.read(func(d *directoryData) {
		for _, o := range d.objects[res] {
			if o.state == live {
				n++
			}
		}
	})
	x.out.Set("Content-Type", "text/plain")
	x.answer(http.StatusOK, []byte(strconv.Itoa(n)))
}

// writeObject writes an object as a list shows it: what was selected and has no value is null.
func (d *directoryData) writeObject(w *writer, o *object, q *query) {
	first := true
	w.WriteByte('{')
	names := q.names
	if names == nil && o.res == users {
		names = defaultUser()
	}
	if names == nil {
		for _, p := range o.props {
			w.key(&first, p.name, p.raw)
		}
	}
	for _, name := range names {
		raw, ok := d.value(o, name)
		switch {
		case ok:
			w.key(&first, name, raw)
		case isList(name):
			w.key(&first, name, "[]")
		case !strings.HasPrefix(name, "extension_"):
			w.key(&first, name, "null")
		}
	}
	if o.manager != "" && strings.HasPrefix(q.expand, "manager") {
		if m := d.byID[o.manager]; m != nil && m.state == live {
			w.key(&first, "manager", `{"@odata.type":"#microsoft.graph.user","id":"`+m.id+`"}`)
		}
	}
	if o.res == groups && strings.HasPrefix(q.expand, "members") {
		w.key(&first, "members", d.some(o.members))
	}
	if o.res == groups && strings.HasPrefix(q.expand, "owners") {
		w.key(&first, "owners", d.some(o.owners))
	}
	w.WriteByte('}')
}

// some are the members or owners that $expand shows: at most twenty, and no word of more.
func (d *directoryData) some(of []member) string {
	var list []string
	for _, m := range of {
		if to := d.byID[m.id]; !m.gone && to != nil && to.state == live && len(list) < 20 {
			list = append(list, `{"@odata.type":"`+to.res.odataType()+`","id":"`+to.id+`"}`)
		}
	}
	return "[" + strings.Join(list, ",") + "]"
}

// value is a property that may be worked out.
func (d *directoryData) value(o *object, name string) (string, bool) {
	if raw, ok := o.get(name); ok {
		return raw, true
	}
	switch name {
	case "licenseAssignmentStates":
		return licenceStates(o), true
	case "signInActivity":
		return `{"lastSignInDateTime":"2026-01-12T09:30:00Z","lastSuccessfulSignInDateTime":"2026-01-12T09:30:00Z"}`, o.res == users
	default:
		return "", false
	}
}

func isList(name string) bool {
	return slices.Contains([]string{
		"businessPhones", "otherMails", "proxyAddresses", "assignedLicenses", "assignedPlans", "groupTypes", "identities", "imAddresses",
	}, name)
}

// licenceStates lists every assigned product as assigned directly.
func licenceStates(o *object) string {
	raw, _ := o.get("assignedLicenses")
	var list []string
	for part := range strings.SplitSeq(raw, `"skuId":"`) {
		if id, _, ok := strings.Cut(part, `"`); ok && len(id) == 36 {
			list = append(list, `{"skuId":"`+id+`","disabledPlans":[],"assignedByGroup":null,"state":"Active","error":"None","lastUpdatedDateTime":"2024-05-01T00:00:00Z"}`)
		}
	}
	return "[" + strings.Join(list, ",") + "]"
}

// oneObject answers for a single object and its relationships.
func (x *exchange) oneObject(res resource, id string, rest []string) {
	q, ok := x.parseQuery()
	if !ok || !x.allowSelect(q) {
		return
	}
	x.tenant.read(func(d *directoryData) {
		o := d.byID[strings.ToLower(id)]
		if o == nil || o.res != res || o.state != live {
			x.refuse(http.StatusNotFound, "Request_ResourceNotFound", "Resource '"+id+"' does not exist or one of its queried reference-property objects are not present.")
			return
		}
		switch relation := strings.Join(rest, "/"); {
		case relation == "":
			var w writer
			x.begin(&w, res.String()+"/$entity")
			var body writer
			d.writeObject(&body, o, q)
			w.WriteByte(',')
			w.Write(body.Bytes()[1:])
			x.answer(http.StatusOK, w.Bytes())
		case res == groups && (strings.HasPrefix(relation, "members") || strings.HasPrefix(relation, "transitiveMembers")):
			x.members(d, o, q, relation)
		case res == groups && relation == "owners":
			x.objects(d, o.owners, q, "")
		case res == users && relation == "manager":
			x.manager(d, o, q)
		case res == users && relation == "licenseDetails":
			x.licenceDetails(d, o, q)
		case relation == "memberOf":
			x.memberOf(d, o, q)
		case res == users && (relation == "photo" || relation == "photo/$value"):
			x.photo(o, relation != "photo")
		default:
			x.refuse(http.StatusBadRequest, "BadRequest", "Resource not found for the segment '"+rest[0]+"'.")
		}
	})
}

func (x *exchange) members(d *directoryData, g *object, q *query, relation string) {
	list := g.members
	if strings.HasPrefix(relation, "transitive") {
		list = d.transitive(g)
	}
	_, only, _ := strings.Cut(relation, "/microsoft.graph.")
	x.objects(d, list, q, only)
}

// objects lists those of a relation, of one type if only names it.
func (x *exchange) objects(d *directoryData, list []member, q *query, only string) {
	x.listOf("directoryObjects", q, len(list), func(w *writer, i int) bool {
		o := d.byID[list[i].id]
		if list[i].gone || o == nil || o.state != live || only != "" && only != strings.TrimPrefix(o.res.odataType(), "#microsoft.graph.") {
			return false
		}
		var body writer
		d.writeObject(&body, o, q)
		w.WriteString(`{"@odata.type":"` + o.res.odataType() + `",`)
		w.Write(body.Bytes()[1:])
		return true
	})
}

// transitive lists the members of a group and of the groups in it, each once.
func (d *directoryData) transitive(g *object) []member {
	var list []member
	seen := map[string]bool{g.id: true}
	open := []*object{g}
	for len(open) > 0 {
		at := open[0]
		open = open[1:]
		for _, m := range at.members {
			o := d.byID[m.id]
			if m.gone || o == nil || seen[m.id] {
				continue
			}
			seen[m.id] = true
			list = append(list, m)
			if o.res == groups && o.state == live {
				open = append(open, o)
			}
		}
	}
	return list
}

func (x *exchange) manager(d *directoryData, o *object, q *query) {
	m := d.byID[o.manager]
	if m == nil || m.state != live {
		x.refuse(http.StatusNotFound, "Request_ResourceNotFound", "Resource 'manager' does not exist or one of its queried reference-property objects are not present.")
		return
	}
	var w writer
	d.writeObject(&w, m, q)
	x.answer(http.StatusOK, w.Bytes())
}

func (x *exchange) memberOf(d *directoryData, o *object, q *query) {
	list := d.objects[groups]
	x.listOf("directoryObjects", q, len(list), func(w *writer, i int) bool {
		g := list[i]
		if g.state != live || !slices.ContainsFunc(g.members, func(m member) bool { return m.id == o.id && !m.gone }) {
			return false
		}
		var body writer
		d.writeObject(&body, g, q)
		w.WriteString(`{"@odata.type":"#microsoft.graph.group",`)
		w.Write(body.Bytes()[1:])
		return true
	})
}

// deletedItems answers for /directory/deletedItems/microsoft.graph.user and group.
func (x *exchange) deletedItems(name string) {
	res, ok := resourceNamed(strings.TrimPrefix(name, "microsoft.graph.") + "s")
	if !ok {
		x.refuse(http.StatusBadRequest, "BadRequest", "Unsupported type.")
		return
	}
	if x.allow(permissions(res)...) {
		x.charge(res, nil)
		x.listObjects(res, func(o *object) bool { return o.state == soft })
	}
}

func containsID(raw, id string) bool { return strings.Contains(raw, `"`+id+`"`) }
