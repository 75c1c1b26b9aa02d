package cases

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/mapping/expression"
)

// input is the object of a case and what the case says of its surroundings. It is a person to the rules only if its
// kind says so.
type input struct {
	person mapping.Person
	// others are what the object points to, by the word for what that is to it: manager, owner, customer, site.
	others map[string]*directory.Object
	// ownerGroups are those of a device's owner.
	ownerGroups []mapping.Membership
}

func (in *input) apply(rules *mapping.Ruleset) (mapping.Result, error) {
	p := &in.person
	customer, site := in.others[expression.Customer], in.others[expression.Site]
	if p.Object.Kind == directory.Person {
		p.Manager, p.Customer, p.Site = in.others[expression.Manager], customer, site
		return rules.Person(p)
	}
	return rules.Object(&mapping.View{
		Object: p.Object, Manager: in.others[expression.Manager], Owner: in.others[expression.Owner], OwnerGroups: in.ownerGroups,
		Customer: customer, Site: site, Source: p.Source, Keys: p.Keys, At: p.At,
	})
}

// moment sets when the case is. Rules that ask about time need one.
func (in *input) moment(rules *mapping.Ruleset, at string) error {
	if at == "" {
		if rules.Uses().Time {
			return errors.New("the rules ask about time: it needs a moment (at: 2026-01-31)")
		}
		return nil
	}
	v, err := expression.ParseDate(at)
	if err != nil || v.Blank() {
		return errors.New("at: must be a date such as 2026-01-31, or 2026-01-31T08:15:00Z")
	}
	in.person.At = v.Time()
	return nil
}

// readInput makes the object of a case of what the operator wrote. It reports everything that is wrong with it.
func readInput(given map[string]any, kind directory.Kind) (input, error) {
	r := &inputReader{names: expression.NamesOf(kind)}
	r.in.person.Object, r.in.others = &directory.Object{Kind: kind, ID: "case"}, map[string]*directory.Object{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		r.name(name, given[name])
	}
	r.memberships(given)
	return r.in, errors.Join(r.errs...)
}

type inputReader struct {
	names  *expression.Names
	in     input
	groups []string
	ids    []string
	direct []string
	errs   []error
}

func (r *inputReader) fail(name, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...)))
}

func (r *inputReader) name(name string, v any) {
	if r.names.HasParts(name) {
		parts, ok := v.(map[string]any)
		if !ok {
			r.fail(name, "must be a map of names and values")
			return
		}
		for _, part := range slices.Sorted(maps.Keys(parts)) {
			r.part(name, part, parts[part])
		}
		return
	}
	if base, part, ok := strings.Cut(name, "."); ok && r.names.HasParts(base) {
		r.fail(name, "it is a part of %s (write %s: {%s: …})", base, base, part)
		return
	}
	known, ok := r.names.Lookup(name)
	if !ok {
		r.fail(name, "unknown name (%s)", expression.DidYouMean(name, r.names.Words(),
			"an attribute under the source's own name is given in attributes"))
		return
	}
	r.value(known, v)
}

func (r *inputReader) value(name expression.Name, v any) {
	value, err := readTyped(v, name.Type)
	if err != nil {
		r.fail(name.Name, "%v", err)
		return
	}
	p := &r.in.person
	switch name.Name {
	case "id":
		p.Object.ID = value.Text()
	case "connection":
		p.Source.Connection = value.Text()
	case "groups":
		r.groups = value.List()
	case "group_ids":
		r.ids = value.List()
	case "direct_groups":
		r.direct = value.List()
	case "licences":
		for _, l := range value.List() {
			p.Licences = append(p.Licences, mapping.Named{Name: l})
		}
	case "licence_ids":
		for _, l := range value.List() {
			p.Licences = append(p.Licences, mapping.Named{ID: l})
		}
	default:
		p.Object.Set(name.Name, value)
	}
}

func (r *inputReader) part(base, part string, v any) {
	name := base + "." + part
	known, ok := r.names.Lookup(name)
	if !ok {
		parts := r.names.PartsOf(base)
		r.fail(name, "unknown name (%s)", expression.DidYouMean(part, parts, "it has "+strings.Join(parts, ", ")))
		return
	}
	if base == expression.Attributes || base == expression.AttributeValues {
		value, err := readValue(v)
		if err != nil {
			r.fail(name, "%v", err)
			return
		}
		r.in.person.Object.Set(directory.AttributePrefix+part, value)
		return
	}
	value, err := readTyped(v, known.Type)
	switch {
	case err != nil:
		r.fail(name, "%v", err)
	case name == expression.OwnerGroups:
		for _, group := range value.List() {
			r.in.ownerGroups = append(r.in.ownerGroups, mapping.Membership{Named: mapping.Named{Name: group}, Direct: true})
		}
	case expression.KindOf(base) != 0 && "."+part == expression.KeyPart:
		r.key(base, value.Text())
	case expression.KindOf(base) != 0:
		r.in.others[base] = other(r.in.others[base], expression.KindOf(base), part, value)
	case part == "id":
		r.in.person.Source.TenantID = value.Text()
	case part == "name":
		r.in.person.Source.TenantName = value.Text()
	case part == "domain":
		r.in.person.Source.TenantDomain = value.Text()
	case part == "domains":
		r.in.person.Source.TenantDomains = value.List()
	}
}

// key gives the key of another object's record.
func (r *inputReader) key(of, key string) {
	keys := &r.in.person.Keys
	*map[string]*string{expression.Manager: &keys.Manager, expression.Owner: &keys.Owner, expression.Customer: &keys.Customer, expression.Site: &keys.Site}[of] = key
}

// other returns an object of a kind beside the object of the case with one more thing known of it.
func other(o *directory.Object, kind directory.Kind, part string, value directory.Value) *directory.Object {
	if o == nil {
		o = &directory.Object{Kind: kind, ID: "other"}
	}
	if part == "id" {
		o.ID = value.Text()
	} else {
		o.Set(part, value)
	}
	return o
}

// memberships makes the groups of the names. Without direct_groups all of them count as direct.
func (r *inputReader) memberships(given map[string]any) {
	_, told := given["direct_groups"]
	for _, name := range r.groups {
		r.in.person.Groups = append(r.in.person.Groups, mapping.Membership{
			Named: mapping.Named{Name: name}, Direct: !told || slices.Contains(r.direct, name),
		})
	}
	for _, name := range r.direct {
		if !slices.Contains(r.groups, name) {
			r.in.person.Groups = append(r.in.person.Groups, mapping.Membership{Named: mapping.Named{Name: name}, Direct: true})
		}
	}
	for _, id := range r.ids {
		r.in.person.Groups = append(r.in.person.Groups, mapping.Membership{Named: mapping.Named{ID: id}})
	}
}

// readValue turns what a decoder made of a scalar or a list into a value.
func readValue(v any) (directory.Value, error) {
	switch v := v.(type) {
	case uint64:
		return directory.Number(int64(v)), nil
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			s, ok := item.(string)
			if !ok {
				return directory.Null(), fmt.Errorf("item %d of the list is no text (put it in quotes)", i+1)
			}
			items[i] = s
		}
		return directory.List(items...), nil
	}
	value, err := expression.ValueOf(v)
	if err != nil {
		return value, errors.New("must be a text, a truth value, a whole number, a time or a list of texts")
	}
	return value, nil
}

// readTyped also holds the value against the type of its name. A text is taken for a list of one and for the
// time that it spells.
func readTyped(v any, want directory.ValueType) (directory.Value, error) {
	value, err := readValue(v)
	if err != nil || value.Blank() || value.Type() == want {
		return value, err
	}
	switch {
	case want == directory.ListType && value.Type() == directory.TextType:
		return directory.List(value.Text()), nil
	case want == directory.TimeType && value.Type() == directory.TextType:
		if t, err := expression.ParseDate(value.Text()); err == nil {
			return t, nil
		}
		return value, errors.New("must be a date such as 2026-01-31")
	case want == directory.TextType && value.Type() == directory.NumberType:
		return value, fmt.Errorf("must be a text, this is a number (put it in quotes)")
	default:
		return value, fmt.Errorf("must be a %s, this is a %s", expression.TypeWord(want), expression.TypeWord(value.Type()))
	}
}
