package okta

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

// userEntry is what is read of a user. Nothing else in the answer can break it.
type userEntry struct {
	ID        string  `json:"id"`
	Status    string  `json:"status"`
	Created   *string `json:"created"`
	LastLogin *string `json:"lastLogin"`
	Profile   profile `json:"profile"`
}

// everyoneHandle is the handle of the group Everyone. Its members are not read: whoever is not deactivated is in
// it, and says so.
const everyoneHandle = "builtin:everyone"

// translator brings users into normal form. It may be used by many goroutines.
type translator struct {
	sources    []fieldSource
	manager    []string
	attributes []string
	active     []string
	lastLogin  bool
}

func newTranslator(cfg *Config) *translator {
	t := &translator{attributes: slices.Compact(slices.Sorted(slices.Values(cfg.Attributes))), active: cfg.Statuses.Active, lastLogin: cfg.LastLogin}
	for _, s := range cfg.attributesOf() {
		if s.field == managerField {
			t.manager = s.attributes
		} else {
			t.sources = append(t.sources, s)
		}
	}
	return t
}

// user translates one entry of a list of users. The other result is set for one that cannot be translated.
func (t *translator) user(raw json.RawMessage, where string) (directory.Object, *connectors.Invalid) {
	var e userEntry
	if err := e.read(raw, t.active); err != nil {
		return directory.Object{}, &connectors.Invalid{
			Kind: directory.Person, ID: e.ID, Where: where,
			Err: &fault.Error{Class: fault.Invalid, Op: "translate a user", Where: e.ID, Err: err, Hint: "look at this user in the org; others are not concerned"},
		}
	}
	o := directory.Object{Kind: directory.Person, ID: e.ID, Fields: make([]directory.Field, 0, len(t.sources)+len(t.attributes)+4)}
	for _, s := range t.sources {
		t.fill(&o, s, e.Profile)
	}
	if _, ok := o.Get(directory.FieldName); !ok {
		given, _ := o.Get(directory.FieldGivenName)
		family, _ := o.Get(directory.FieldFamilyName)
		o.SetText(directory.FieldName, strings.TrimSpace(given.Text()+" "+family.Text()))
	}
	for _, name := range t.attributes {
		if v, ok := e.Profile.value(name); ok {
			o.Set(directory.AttributePrefix+name, v)
		}
	}
	o.Set(directory.FieldStatus, directory.Text(e.Status))
	o.Set(directory.FieldEnabled, directory.Bool(slices.Contains(t.active, e.Status)))
	if at, _ := timeOf(e.Created); !at.IsZero() {
		o.Set(directory.FieldCreated, directory.Time(at))
	}
	if at, _ := timeOf(e.LastLogin); t.lastLogin && !at.IsZero() {
		o.Set(directory.FieldLastLogin, directory.Time(at))
	}
	o.Handles = handlesOf(e.Profile)
	for _, name := range t.manager {
		if links := managerLinks(e.Profile.text(name)); len(links) > 0 {
			o.Links = links
			break
		}
	}
	if e.Status != statusDeprovisioned {
		o.Links = append(o.Links, directory.Link{Type: directory.MemberOf, To: everyoneHandle})
	}
	return o, nil
}

// read decodes an entry and looks whether all is there that must be. An id that could be read is kept in any case.
func (e *userEntry) read(raw json.RawMessage, active []string) error {
	err := json.Unmarshal(raw, e)
	switch {
	case e.ID == "":
		return errors.New("it has no id")
	case err != nil:
		return errors.New("a value is not of the documented type")
	case e.Profile == nil:
		return errors.New("it has no profile")
	case !slices.Contains(statuses(), e.Status) && !slices.Contains(active, e.Status):
		return fmt.Errorf("its status %q is not a documented one, so nobody knows whether it is active", e.Status)
	}
	for _, t := range []*string{e.Created, e.LastLogin} {
		if _, err := timeOf(t); err != nil {
			return err
		}
	}
	return nil
}

func (t *translator) fill(o *directory.Object, s fieldSource, p profile) {
	if s.list {
		var all []string
		for _, name := range s.attributes {
			switch v, _ := p.value(name); v.Type() {
			case directory.ListType:
				all = append(all, v.List()...)
			default:
				if text := v.String(); text != "" {
					all = append(all, text)
				}
			}
		}
		if len(all) > 0 {
			o.Set(s.field, directory.List(all...))
		}
		return
	}
	for _, name := range s.attributes {
		if text := p.text(name); text != "" {
			o.Set(s.field, directory.Text(text))
			return
		}
	}
}

// The prefixes of handles.
const (
	handleLogin    = "login:"
	handleEmail    = "email:"
	handleEmployee = "employee:"
)

// handlesOf are the names by which managerId may mean a user: log-in name, address and employee number, which
// people write in any case.
func handlesOf(p profile) []string {
	var list []string
	for _, h := range []struct{ prefix, name string }{{handleLogin, "login"}, {handleEmail, "email"}, {handleEmployee, "employeeNumber"}} {
		if text := fold(p.text(h.name)); text != "" {
			list = append(list, h.prefix+text)
		}
	}
	return list
}

func fold(text string) string { return strings.ToLower(strings.TrimSpace(text)) }

// managerLinks are the people that managerId may mean, the most certain first. Okta does not say what it holds:
// it is free text that an administrator, an HR system or Active Directory filled.
func managerLinks(text string) []directory.Link {
	text = strings.TrimSpace(text)
	link := func(to string) directory.Link { return directory.Link{Type: directory.Manager, To: to} }
	switch {
	case text == "":
		return nil
	case len(text) == 20 && strings.HasPrefix(text, "00u"):
		return []directory.Link{link(directory.IDHandle(text))}
	case strings.Contains(text, "@"):
		return []directory.Link{link(handleLogin + fold(text)), link(handleEmail + fold(text))}
	default:
		return []directory.Link{link(handleEmployee + fold(text)), link(handleLogin + fold(text))}
	}
}
