package google

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// user is what is read of Google's user resource (Directory API, users). The lists in it have no type in the SDK,
// because what is in them depends on who wrote them.
type user struct {
	ID           string `json:"id"`
	PrimaryEmail string `json:"primaryEmail"`
	Name         struct {
		Given   string `json:"givenName"`
		Family  string `json:"familyName"`
		Full    string `json:"fullName"`
		Display string `json:"displayName"`
	} `json:"name"`
	Suspended     bool            `json:"suspended"`
	Archived      bool            `json:"archived"`
	IsGuest       bool            `json:"isGuestUser"`
	OrgUnitPath   string          `json:"orgUnitPath"`
	Created       string          `json:"creationTime"`
	LastLogin     string          `json:"lastLoginTime"`
	Deleted       string          `json:"deletionTime"`
	CustomerID    string          `json:"customerId"`
	Aliases       []string        `json:"aliases"`
	FixedAliases  []string        `json:"nonEditableAliases"`
	Emails        []address       `json:"emails"`
	Phones        []valued        `json:"phones"`
	Organizations []organization  `json:"organizations"`
	Relations     []valued        `json:"relations"`
	Addresses     []postalAddress `json:"addresses"`
	ExternalIDs   []valued        `json:"externalIds"`
	Locations     []location      `json:"locations"`
	Languages     []language      `json:"languages"`
}

type address struct {
	Address string `json:"address"`
}

type valued struct {
	Type    string `json:"type"`
	Value   string `json:"value"`
	Primary bool   `json:"primary"`
}

type organization struct {
	Name        string `json:"name"`
	Title       string `json:"title"`
	Department  string `json:"department"`
	Description string `json:"description"`
	Location    string `json:"location"`
	Primary     bool   `json:"primary"`
}

type postalAddress struct {
	Type        string `json:"type"`
	Formatted   string `json:"formatted"`
	Street      string `json:"streetAddress"`
	Locality    string `json:"locality"`
	Region      string `json:"region"`
	PostalCode  string `json:"postalCode"`
	Country     string `json:"country"`
	CountryCode string `json:"countryCode"`
	Primary     bool   `json:"primary"`
}

type location struct {
	Type       string `json:"type"`
	Area       string `json:"area"`
	BuildingID string `json:"buildingId"`
}

type language struct {
	Code       string `json:"languageCode"`
	Custom     string `json:"customLanguage"`
	Preference string `json:"preference"`
}

// baseFields are those of the user resource that common fields are made of.
func baseFields() []string {
	return []string{
		"id", "primaryEmail", "name(givenName,familyName,fullName,displayName)", "suspended", "archived", "isGuestUser", "orgUnitPath",
		"creationTime", "deletionTime", "customerId", "aliases", "nonEditableAliases", "emails(address)", "phones(type,value,primary)",
		"organizations", "relations(type,value)", "addresses", "externalIds", "locations", "languages",
	}
}

// userMask lists the fields that are asked for.
func (c *Connector) userMask() string {
	fields := baseFields()
	if c.cfg.Users.LastLogin {
		fields = append(fields, "lastLoginTime")
	}
	for _, a := range c.attributes {
		name := a.field
		if a.schema != "" {
			name = "customSchemas"
		}
		// The whole field in place of a part of it.
		fields = slices.DeleteFunc(fields, func(f string) bool { return strings.HasPrefix(f, name+"(") })
		if !slices.Contains(fields, name) {
			fields = append(fields, name)
		}
	}
	return strings.Join(fields, ",")
}

// Test addresses that Google makes for every domain; nobody writes to them.
const testSuffix = ".test-google-a.com"

func fold(address string) string { return strings.ToLower(strings.TrimSpace(address)) }

// mailHandle is the handle of whoever has an address.
func mailHandle(address string) string { return "mail:" + fold(address) }

// parseUser reads one entry.
func parseUser(raw json.RawMessage) (*user, error) {
	var u user
	if err := json.Unmarshal(raw, &u); err != nil {
		u = user{}
		if err := json.Unmarshal(listed(raw), &u); err != nil {
			return nil, shapeOnly(err)
		}
	}
	if u.ID == "" {
		return nil, errors.New("it has no id")
	}
	return &u, nil
}

// listed makes lists of single objects that stand in place of a list, as they do in old data.
func listed(raw json.RawMessage) []byte {
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return raw
	}
	for _, key := range []string{"emails", "phones", "organizations", "relations", "addresses", "externalIds", "locations", "languages"} {
		if v := all[key]; len(v) > 0 && v[0] == '{' {
			all[key] = slices.Concat([]byte("["), v, []byte("]"))
		}
	}
	fixed, err := json.Marshal(all)
	if err != nil {
		return raw
	}
	return fixed
}

// invalidUser reports an entry that could not be read, under its id when that much can be.
func (r *reading) invalidUser(raw json.RawMessage, err error, where string) connectors.Invalid {
	return invalid(directory.Person, raw, "id", err, where)
}

func invalid(kind directory.Kind, raw json.RawMessage, idKey string, err error, where string) connectors.Invalid {
	id := ""
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) == nil {
		_ = json.Unmarshal(fields[idKey], &id) // an id that is no text stays empty
	}
	if id != "" {
		where = kind.String() + " " + id
	}
	return connectors.Invalid{
		Kind: kind, ID: id, Where: where,
		Err: &fault.Error{Class: fault.Invalid, Op: "read a " + kind.String(), Where: where, Err: err, Hint: "look at it in the Admin console"},
	}
}

// selected reports whether a user is among those that the configuration asks for. It needs the whole user.
func (c *Connector) selected(u *user) bool {
	switch {
	case u.Suspended && !c.cfg.Users.IncludeSuspended, u.Archived && !c.cfg.Users.IncludeArchived:
		return false
	case len(c.units) == 0:
		return true
	}
	return slices.ContainsFunc(c.units, func(unit string) bool { return within(u.OrgUnitPath, unit) })
}

// within reports whether a path is that of a unit or of one below it. Google compares paths without regard to case.
func within(path, unit string) bool {
	if unit == "/" {
		return true
	}
	path, unit = strings.ToLower(path), strings.ToLower(unit)
	return path == unit || strings.HasPrefix(path, unit+"/")
}

// roots leaves out the units below others. A list with the root of everything is empty: no selection.
func roots(units []string) []string {
	var list []string
	for _, u := range units {
		below := func(other string) bool { return !strings.EqualFold(u, other) && within(u, other) }
		if u == "/" {
			return nil
		}
		if !slices.ContainsFunc(units, below) && !slices.ContainsFunc(list, func(o string) bool { return strings.EqualFold(o, u) }) {
			list = append(list, u)
		}
	}
	slices.Sort(list)
	return list
}

// person translates a user. holds are the ids of its licences.
func (r *reading) person(u *user, raw json.RawMessage, holds []string) (directory.Object, error) {
	o := directory.Object{Kind: directory.Person, ID: u.ID, Fields: make([]directory.Field, 0, 28)}
	f := fields{&o}
	f.text(directory.FieldLogin, u.PrimaryEmail)
	f.text(directory.FieldEmail, u.PrimaryEmail)
	f.text(directory.FieldName, firstOf(u.Name.Full, u.Name.Display, strings.TrimSpace(u.Name.Given+" "+u.Name.Family)))
	f.text(directory.FieldGivenName, u.Name.Given)
	f.text(directory.FieldFamilyName, u.Name.Family)
	f.text(directory.FieldPath, u.OrgUnitPath)
	f.add(directory.FieldEnabled, directory.Bool(!u.Suspended && !u.Archived))
	f.add(directory.FieldStatus, directory.Text(u.status()))
	f.add(directory.FieldUserType, directory.Text(u.userType()))
	f.time(directory.FieldCreated, u.Created)
	if r.connector.cfg.Users.LastLogin {
		f.time(directory.FieldLastLogin, u.LastLogin)
	}
	f.emails(u)
	f.organization(u)
	f.text(directory.FieldPhone, phoneOf(u.Phones, "work", "main", "home", "other"))
	f.text(directory.FieldMobile, phoneOf(u.Phones, "mobile", "work_mobile"))
	f.address(u.Addresses)
	f.text(directory.FieldEmployeeID, valueOf(u.ExternalIDs, "organization"))
	f.text(directory.FieldLanguage, u.language())
	if len(r.connector.attributes) > 0 {
		if err := f.attributes(raw, r.connector.attributes); err != nil {
			return o, err
		}
	}
	f.finish()
	u.handles(&o)
	r.links(u, &o, holds)
	return o, nil
}

// status is Google's word: an archived account counts as archived also when it is suspended.
func (u *user) status() string {
	switch {
	case u.Archived:
		return "archived"
	case u.Suspended:
		return "suspended"
	}
	return "active"
}

func (u *user) userType() string {
	if u.IsGuest {
		return "guest"
	}
	return "member"
}

func (u *user) language() string {
	best := ""
	for _, l := range u.Languages {
		text := firstOf(l.Code, l.Custom)
		if text != "" && (best == "" || l.Preference == "preferred") {
			best = text
			if l.Preference == "preferred" {
				break
			}
		}
	}
	return best
}

// handles are the addresses that belong to the account, and to nobody else in the customer. What else is in its
// list of emails may be anybody's.
func (u *user) handles(o *directory.Object) {
	o.Handles = make([]string, 0, 1+len(u.Aliases)+len(u.FixedAliases))
	for _, list := range [][]string{{u.PrimaryEmail}, u.Aliases, u.FixedAliases} {
		for _, a := range list {
			if h := mailHandle(a); h != "mail:" && !strings.HasSuffix(h, testSuffix) && !slices.Contains(o.Handles, h) {
				o.Handles = append(o.Handles, h)
			}
		}
	}
	slices.Sort(o.Handles[min(1, len(o.Handles)):])
}

// links are the manager, by address, the licences, and the group of everybody: Google lets a group have the whole
// customer as a member without naming anybody.
func (r *reading) links(u *user, o *directory.Object, holds []string) {
	if manager := valueOf(u.Relations, "manager"); strings.Contains(manager, "@") {
		o.Links = append(o.Links, directory.Link{Type: directory.Manager, To: mailHandle(manager)})
	}
	if r.connector.cfg.Groups.Read && r.connector.cfg.Groups.Organisation {
		o.Links = append(o.Links, directory.Link{Type: directory.MemberOf, To: directory.IDHandle(r.customer)})
	}
	for _, id := range holds {
		o.Links = append(o.Links, directory.Link{Type: directory.Holds, To: directory.IDHandle(id)})
	}
}

// fields fills an object without keeping the order, until finish.
type fields struct{ o *directory.Object }

func (f fields) add(name string, v directory.Value) {
	f.o.Fields = append(f.o.Fields, directory.Field{Name: name, Value: v})
}

func (f fields) text(name, text string) {
	if text = strings.TrimSpace(text); text != "" {
		f.add(name, directory.Text(text))
	}
}

func (f fields) time(name, text string) {
	if t, ok := parseTime(text); ok {
		f.add(name, directory.Time(t))
	}
}

func (f fields) finish() {
	slices.SortFunc(f.o.Fields, func(a, b directory.Field) int { return strings.Compare(a.Name, b.Name) })
}

func (f fields) emails(u *user) {
	all := make([]string, 0, 1+len(u.Emails)+len(u.Aliases))
	add := func(a string) {
		a = strings.TrimSpace(a)
		if a != "" && !strings.HasSuffix(fold(a), testSuffix) && !slices.ContainsFunc(all, func(b string) bool { return strings.EqualFold(a, b) }) {
			all = append(all, a)
		}
	}
	add(u.PrimaryEmail)
	for _, a := range u.Aliases {
		add(a)
	}
	for _, a := range u.FixedAliases {
		add(a)
	}
	for _, e := range u.Emails {
		add(e.Address)
	}
	if len(all) > 0 {
		f.add(directory.FieldEmails, directory.List(all...))
	}
}

// organization takes the main job: the primary one, else the first.
func (f fields) organization(u *user) {
	var job organization
	for i, o := range u.Organizations {
		if i == 0 || o.Primary {
			job = o
		}
		if o.Primary {
			break
		}
	}
	f.text(directory.FieldTitle, job.Title)
	f.text(directory.FieldDepartment, job.Department)
	f.text(directory.FieldCompany, job.Name)
	f.text(directory.FieldEmployeeType, job.Description)
	office := job.Location
	for _, l := range u.Locations {
		if office == "" {
			office = firstOf(l.BuildingID, l.Area)
		}
	}
	f.text(directory.FieldOffice, office)
}

// address takes the primary postal address, else that of the work place, else the first.
func (f fields) address(list []postalAddress) {
	if len(list) == 0 {
		return
	}
	best, rank := list[0], 0
	for _, a := range list {
		mark := 0
		if a.Type == "work" {
			mark = 1
		}
		if a.Primary {
			mark = 2
		}
		if mark > rank {
			best, rank = a, mark
		}
	}
	f.text(directory.FieldStreet, firstOf(best.Street, best.Formatted))
	f.text(directory.FieldCity, best.Locality)
	f.text(directory.FieldState, best.Region)
	f.text(directory.FieldPostalCode, best.PostalCode)
	f.text(directory.FieldCountry, firstOf(best.Country, best.CountryCode))
}

func (f fields) attributes(raw json.RawMessage, list []attribute) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return fmt.Errorf("its attributes: %w", shapeOnly(err))
	}
	for i := range list {
		if v, ok := list[i].read(all); ok && !v.Blank() {
			f.add(directory.AttributePrefix+list[i].name, v)
		}
	}
	return nil
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			return t
		}
	}
	return ""
}

// valueOf is the first value of a type.
func valueOf(list []valued, kind string) string {
	for _, v := range list {
		if v.Type == kind && strings.TrimSpace(v.Value) != "" {
			return strings.TrimSpace(v.Value)
		}
	}
	return ""
}

// phoneOf is the primary number of the first type that there is one of, else its first number.
func phoneOf(list []valued, kinds ...string) string {
	for _, kind := range kinds {
		best := ""
		for _, p := range list {
			if p.Type == kind && strings.TrimSpace(p.Value) != "" && (best == "" || p.Primary) {
				best = p.Value
			}
		}
		if best != "" {
			return best
		}
	}
	return ""
}
