package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/directory"
)

// readCase makes the object of a case of what the operator wrote. It reports everything that is wrong with it.
func readCase(given map[string]any, kind directory.Kind, known *vocabulary) (input, error) {
	r := &caseReader{known: known}
	r.in.object = &directory.Object{Kind: kind, ID: "case"}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		r.name(name, given[name])
	}
	r.memberships(given)
	return r.in, errors.Join(r.errs...)
}

type caseReader struct {
	known  *vocabulary
	in     input
	groups []string
	ids    []string
	direct []string
	errs   []error
}

func (r *caseReader) fail(name, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...)))
}

func (r *caseReader) name(name string, v any) {
	if r.known.hasPart(name) {
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
	src, ok := r.known.sources[name]
	if !ok {
		var names []string
		for n := range r.known.sources {
			if !strings.Contains(n, ".") {
				names = append(names, n)
			}
		}
		slices.Sort(names)
		names = append(names, r.known.parts...)
		r.fail(name, "unknown name (%s)", didYouMean(name, names, "an attribute under the source's own name is given "+
			"in attributes"))
		return
	}
	r.value(src, name, v)
}

func (r *caseReader) value(src source, name string, v any) {
	value, err := typedCaseValue(v, src.Type)
	if err != nil {
		r.fail(name, "%v", err)
		return
	}
	switch name {
	case "id":
		r.in.object.ID = value.Text()
	case "connection":
		r.in.place.Connection = value.Text()
	case "groups":
		r.groups = value.List()
	case "group_ids":
		r.ids = value.List()
	case "direct_groups":
		r.direct = value.List()
	case "licences":
		for _, l := range value.List() {
			r.in.licences = append(r.in.licences, Named{Name: l})
		}
	case "licence_ids":
		for _, l := range value.List() {
			r.in.licences = append(r.in.licences, Named{ID: l})
		}
	default:
		r.in.object.Set(name, value)
	}
}

func (r *caseReader) part(base, part string, v any) {
	name := base + "." + part
	src, ok := r.known.lookup(name)
	if !ok {
		var parts []string
		for _, n := range r.known.ordered {
			if rest, ok := strings.CutPrefix(n.Name, base+"."); ok {
				parts = append(parts, rest)
			}
		}
		r.fail(name, "unknown name (%s)", didYouMean(part, parts, "it has "+strings.Join(parts, ", ")))
		return
	}
	if base == attributesPart || base == attributeValuesPart {
		value, err := caseValue(v)
		if err != nil {
			r.fail(name, "%v", err)
			return
		}
		r.in.object.Set(directory.AttributePrefix+part, value)
		return
	}
	value, err := typedCaseValue(v, src.Type)
	switch {
	case err != nil:
		r.fail(name, "%v", err)
	case base == managerPart:
		r.in.manager = other(r.in.manager, part, value)
	case base == ownerPart:
		r.in.owner = other(r.in.owner, part, value)
	case part == "id":
		r.in.place.TenantID = value.Text()
	case part == "name":
		r.in.place.TenantName = value.Text()
	case part == "domain":
		r.in.place.TenantDomain = value.Text()
	}
}

// other returns a person beside the object with one more thing known of it.
func other(o *directory.Object, part string, value directory.Value) *directory.Object {
	if o == nil {
		o = &directory.Object{Kind: directory.Person, ID: "other"}
	}
	if part == "id" {
		o.ID = value.Text()
	} else {
		o.Set(part, value)
	}
	return o
}

// memberships makes the groups of the names. Without direct_groups all of them count as direct.
func (r *caseReader) memberships(given map[string]any) {
	_, told := given["direct_groups"]
	for _, name := range r.groups {
		r.in.groups = append(r.in.groups, Membership{
			Named: Named{Name: name}, Direct: !told || slices.Contains(r.direct, name),
		})
	}
	for _, name := range r.direct {
		if !slices.Contains(r.groups, name) {
			r.in.groups = append(r.in.groups, Membership{Named: Named{Name: name}, Direct: true})
		}
	}
	for _, id := range r.ids {
		r.in.groups = append(r.in.groups, Membership{Named: Named{ID: id}})
	}
}

// caseValue turns what a decoder made of a scalar or a list into a value.
func caseValue(v any) (directory.Value, error) {
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
	value, err := valueOf(v)
	if err != nil {
		return value, errors.New("must be a text, a truth value, a whole number, a time or a list of texts")
	}
	return value, nil
}

// typedCaseValue also holds the value against the type of its name. A text is taken for a list of one and for the
// time that it spells.
func typedCaseValue(v any, want directory.ValueType) (directory.Value, error) {
	value, err := caseValue(v)
	if err != nil || value.Blank() || value.Type() == want {
		return value, err
	}
	switch {
	case want == directory.ListType && value.Type() == directory.TextType:
		return directory.List(value.Text()), nil
	case want == directory.TimeType && value.Type() == directory.TextType:
		if t, err := dateOf(value.Text()); err == nil && t != nil {
			return directory.Time(t.(time.Time)), nil
		}
		return value, errors.New("must be a date such as 2026-01-31")
	case want == directory.TextType && value.Type() == directory.NumberType:
		return value, fmt.Errorf("must be a text, this is a number (put it in quotes)")
	default:
		return value, fmt.Errorf("must be a %s, this is a %s", typeWord(want), typeWord(value.Type()))
	}
}
