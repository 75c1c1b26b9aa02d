package entra

import (
	"slices"
	"strings"

	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/directory"
)

// userDecoder translates users. It belongs to one read.
type userDecoder struct {
	schema schema
	fields []fieldDecoder // sorted by field
	entry  *entry

	licences, manager bool
	login             int // slot of userPrincipalName
	assigned          int // slot of assignedLicenses
	managerDelta      int // slot of manager@delta
	managerWhole      int // slot of manager, in plain lists
	slab              []directory.Field
}

// leaveDate is the property that says when somebody leaves. It needs a permission of its own, so nobody selects it by default
// ("Microsoft Graph, user: properties").
const leaveDate = "employeeLeaveDateTime"

// newUserDecoder makes the decoder for a selection.
func newUserDecoder(s *Selection) *userDecoder {
	f := &userDecoder{licences: s.Licences, manager: s.Manager}
	l := &f.schema
	f.login, f.assigned = l.slot("userPrincipalName"), l.slot("assignedLicenses")
	f.managerDelta, f.managerWhole = l.slot("manager@delta"), l.slot("manager")
	f.fields = []fieldDecoder{
		l.text(directory.FieldLogin, "userPrincipalName"),
		l.text(directory.FieldName, "displayName"),
		l.text(directory.FieldGivenName, "givenName"),
		l.text(directory.FieldFamilyName, "surname"),
		l.text(directory.FieldTitle, "jobTitle"),
		l.text(directory.FieldDepartment, "department"),
		l.text(directory.FieldCompany, "companyName"),
		l.text(directory.FieldOffice, "officeLocation"),
		l.text(directory.FieldMobile, "mobilePhone"),
		l.text(directory.FieldStreet, "streetAddress"),
		l.text(directory.FieldCity, "city"),
		l.text(directory.FieldState, "state"),
		l.text(directory.FieldPostalCode, "postalCode"),
		l.text(directory.FieldCountry, "country"),
		l.text(directory.FieldLanguage, "preferredLanguage"),
		l.text(directory.FieldEmployeeID, "employeeId"),
		l.text(directory.FieldEmployeeType, "employeeType"),
		l.word(directory.FieldUserType, "userType"),
		l.truth(directory.FieldEnabled, "accountEnabled"),
		l.time(directory.FieldCreated, "createdDateTime"),
		l.firstPhone(),
		l.mail(!s.tracks()),
		l.mails(!s.tracks()),
	}
	if s.LeaveDate {
		f.fields = append(f.fields, l.time(directory.FieldExpires, leaveDate))
	}
	if s.SignInActivity {
		f.fields = append(f.fields, l.lastLogin())
	}
	for _, name := range s.Attributes {
		f.fields = append(f.fields, attributeDecoder(l, name))
	}
	slices.SortStableFunc(f.fields, func(a, b fieldDecoder) int { return strings.Compare(a.field, b.field) })
	f.fields = slices.CompactFunc(f.fields, func(a, b fieldDecoder) bool { return a.field == b.field })
	f.entry = newEntry(l)
	return f
}

// reset lets the memory of the fields of the page before be used again.
func (f *userDecoder) reset() { f.slab = f.slab[:0] }

// translate makes a complete object of the loaded entry: what a user was never given is absent from it, and in the
// service's default answers nothing else is ("Microsoft Graph, user: delta"). The manager is not part of that; see
// managerOf.
func (f *userDecoder) translate() (directory.Object, error) {
	o := directory.Object{Kind: directory.Person, ID: f.entry.id}
	begin := len(f.slab)
	for i := range f.fields {
		c := &f.fields[i]
		v, err := c.get(f.entry)
		if err != nil {
			f.slab = f.slab[:begin]
			return o, err
		}
		if v.Type() != directory.NullType {
			f.slab = append(f.slab, directory.Field{Name: c.field, Value: v})
		}
	}
	o.Fields = f.slab[begin:len(f.slab):len(f.slab)]
	if !f.licences {
		return o, nil
	}
	var err error
	o.Links, err = holds(f.entry.values[f.assigned])
	return o, err
}

// incomplete reports whether the loaded entry lacks what every user has. It is then not the whole user, whatever was
// promised, and what it does not mention must not count as cleared.
func (f *userDecoder) incomplete() bool { return f.entry.values[f.login].Null() }

// skuHandle is the handle of a licence by its product's id.
func skuHandle(id string) string { return "sku:" + strings.ToLower(id) }

// holds are the links to the licences that a user has.
func holds(v jsonscan.Value) ([]directory.Link, error) {
	if v.Null() || v == "[]" {
		return nil, nil
	}
	if !v.IsList() {
		return nil, mismatch("assignedLicenses", "a list", v)
	}
	var links []directory.Link
	for w := jsonscan.Enter(v); w.More(); {
		sku := w.Value().Member("skuId")
		id, ok := sku.Text()
		if !ok || id == "" {
			return nil, mismatch("assignedLicenses.skuId", "a text", sku)
		}
		links = append(links, directory.Link{Type: directory.Holds, To: skuHandle(id)})
	}
	slices.SortFunc(links, func(a, b directory.Link) int { return strings.Compare(a.To, b.To) })
	return slices.Compact(links), nil
}

// managerOf returns the manager's id that the loaded entry states, empty for none, and whether it states anything.
// A delta states the manager only where it changed: added ones plainly, former ones as removed.
func (f *userDecoder) managerOf() (id string, stated bool, err error) {
	if v := f.entry.values[f.managerWhole]; v != "" {
		if v.Null() {
			return "", true, nil
		}
		id, ok := v.Member("id").Text()
		if !ok || id == "" {
			return "", false, mismatch("manager", "an object with an id", v)
		}
		return canonicalID(id), true, nil
	}
	v := f.entry.values[f.managerDelta]
	if v.Null() {
		return "", v != "", nil
	}
	if !v.IsList() {
		return "", false, mismatch("manager@delta", "a list", v)
	}
	for w := jsonscan.Enter(v); w.More(); {
		one := w.Value()
		now, ok := one.Member("id").Text()
		if !ok || now == "" {
			return "", false, mismatch("manager@delta", "a list of objects with ids", one)
		}
		switch removed := !one.Member("@removed").Null(); {
		case !removed:
			id = canonicalID(now)
		case id == canonicalID(now):
			id = ""
		}
	}
	return id, true, nil
}

// withManager adds the link to the manager.
func withManager(links []directory.Link, manager string) []directory.Link {
	if manager == "" {
		return links
	}
	return slices.Insert(links, 0, directory.Link{Type: directory.Manager, To: directory.IDHandle(manager)})
}

func (l *schema) firstPhone() fieldDecoder {
	slot := l.slot("businessPhones")
	return fieldDecoder{field: directory.FieldPhone, get: func(e *entry) (directory.Value, error) {
		first := ""
		err := texts("businessPhones", e.values[slot], func(s string) {
			if first == "" {
				first = s
			}
		})
		return textOrNull(first), err
	}}
}

// mail is the primary address. In tenants for customers the property is empty, and the address that a user signs
// in with, or else the first of the other ones, takes its place.
func (l *schema) mail(customers bool) fieldDecoder {
	mail, identities, others := l.slot("mail"), l.slot("identities"), l.slot("otherMails")
	return fieldDecoder{field: directory.FieldEmail, get: func(e *entry) (directory.Value, error) {
		v := e.values[mail]
		if s, ok := v.Text(); ok && s != "" {
			return directory.Text(s), nil
		}
		switch _, ok := v.Text(); {
		case !v.Null() && !ok:
			return directory.Value{}, mismatch("mail", "a text", v)
		case !customers:
			return directory.Null(), nil
		}
		first := ""
		take := func(s string) {
			if first == "" {
				first = s
			}
		}
		if err := signInMails(e.values[identities], take); err != nil {
			return directory.Value{}, err
		}
		err := texts("otherMails", e.values[others], take)
		return textOrNull(first), err
	}}
}

// signInMails lists the mail addresses among the names by which a user of a tenant for customers signs in.
func signInMails(v jsonscan.Value, each func(string)) error {
	if v.Null() {
		return nil
	}
	if !v.IsList() {
		return mismatch("identities", "a list", v)
	}
	for w := jsonscan.Enter(v); w.More(); {
		one := w.Value()
		kind, _ := one.Member("signInType").Text()
		name, _ := one.Member("issuerAssignedId").Text()
		if name != "" && strings.HasPrefix(strings.ToLower(kind), "emailaddress") {
			each(name)
		}
	}
	return nil
}

// mails lists all addresses once, however each property spells them.
func (l *schema) mails(customers bool) fieldDecoder {
	mail, proxies, others, identities := l.slot("mail"), l.slot("proxyAddresses"), l.slot("otherMails"), l.slot("identities")
	return fieldDecoder{field: directory.FieldEmails, get: func(e *entry) (directory.Value, error) {
		var list []string
		add := func(s string) {
			if s != "" && !slices.ContainsFunc(list, func(t string) bool { return strings.EqualFold(s, t) }) {
				list = append(list, s)
			}
		}
		s, _ := e.values[mail].Text()
		add(s)
		err := texts("proxyAddresses", e.values[proxies], func(s string) {
			if len(s) > 5 && strings.EqualFold(s[:5], "smtp:") {
				add(s[5:])
			}
		})
		if err == nil {
			err = texts("otherMails", e.values[others], add)
		}
		if err == nil && customers {
			err = signInMails(e.values[identities], add)
		}
		if err != nil || len(list) == 0 {
			return directory.Null(), err
		}
		return directory.List(list...), nil
	}}
}

// lastLogin is the last sign-in that went well, where the service tells them apart, else the last one of any kind.
func (l *schema) lastLogin() fieldDecoder {
	slot := l.slot("signInActivity")
	return fieldDecoder{field: directory.FieldLastLogin, get: func(e *entry) (directory.Value, error) {
		v := e.values[slot]
		if v.Null() {
			return directory.Null(), nil
		}
		if !v.IsObject() {
			return directory.Value{}, mismatch("signInActivity", "an object", v)
		}
		good, err := timeOf("lastSuccessfulSignInDateTime", v.Member("lastSuccessfulSignInDateTime"))
		if err != nil || good.Type() == directory.TimeType {
			return good, err
		}
		latest := directory.Null()
		for _, name := range []string{"lastSignInDateTime", "lastNonInteractiveSignInDateTime"} {
			at, err := timeOf(name, v.Member(name))
			if err != nil {
				return directory.Value{}, err
			}
			if at.Type() == directory.TimeType && at.Time().After(latest.Time()) {
				latest = at
			}
		}
		return latest, nil
	}}
}
