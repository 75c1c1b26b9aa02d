package cases

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/mapping/expression"
	"dirsyncd/sync/spelling"
)

// Want is what a Case expects. Only what is mentioned is compared.
type Want struct {
	// Rule is the name of the rule that decides.
	Rule string `yaml:"rule,omitempty" json:"rule,omitempty"`
	// Ignored: the rule that decides ignores the object.
	Ignored bool `yaml:"ignored,omitempty" json:"ignored,omitempty"`
	// None: no rule holds.
	None bool `yaml:"none,omitempty" json:"none,omitempty"`
	// Fails: the rules have no result, so that the object is parked. The text is a part of the error.
	Fails string `yaml:"fails,omitempty" json:"fails,omitempty"`
	// The records and their fields; null is a field that is blank. An empty one says that there is a record.
	User     map[string]any `yaml:"user,omitempty" json:"user,omitempty"`
	Agent    map[string]any `yaml:"agent,omitempty" json:"agent,omitempty"`
	Group    map[string]any `yaml:"group,omitempty" json:"group,omitempty"`
	Licence  map[string]any `yaml:"licence,omitempty" json:"licence,omitempty"`
	Asset    map[string]any `yaml:"asset,omitempty" json:"asset,omitempty"`
	Customer map[string]any `yaml:"customer,omitempty" json:"customer,omitempty"`
	Site     map[string]any `yaml:"site,omitempty" json:"site,omitempty"`
	// Tickets are those that are opened when the person joins or leaves, by name, and their fields; false: it is not opened.
	Tickets map[string]any `yaml:"tickets,omitempty" json:"tickets,omitempty"`
	// Exact: there are no records and no fields besides those mentioned.
	Exact bool `yaml:"exact,omitempty" json:"exact,omitempty"`
}

func (w *Want) check(rules *mapping.Ruleset, object directory.Kind) error {
	var kinds []string
	for _, kind := range mapping.RecordsOf(object) {
		kinds = append(kinds, kind.String())
	}
	var errs []error
	if w.Rule != "" {
		names := rules.RuleNames(object)
		if !slices.Contains(names, w.Rule) {
			hint := spelling.DidYouMean(w.Rule, names, "the rules are: "+strings.Join(names, ", "))
			errs = append(errs, fmt.Errorf("want: there is no rule %q (%s)", w.Rule, hint))
		}
	}
	records := w.records()
	for _, kind := range slices.Sorted(maps.Keys(records)) {
		if !slices.Contains(kinds, kind) {
			errs = append(errs, fmt.Errorf("want: these rules make no %s, only %s", kind, strings.Join(kinds, " or ")))
		}
		for _, name := range slices.Sorted(maps.Keys(records[kind])) {
			if _, err := readValue(records[kind][name]); err != nil {
				errs = append(errs, fmt.Errorf("want: %s.%s: %w", kind, name, err))
			}
		}
	}
	errs = append(errs, w.checkTickets(rules, object))
	negative := 0
	for _, set := range []bool{w.Ignored, w.None, w.Fails != ""} {
		if set {
			negative++
		}
	}
	switch {
	case negative > 1, negative == 1 && len(records)+len(w.Tickets) > 0, w.None && w.Rule != "":
		errs = append(errs, errors.New("want: it contradicts itself"))
	case negative == 0 && len(records)+len(w.Tickets) == 0 && w.Rule == "" && !w.Exact:
		errs = append(errs,
			errors.New("want: it expects nothing (say rule, ignored, none, fails, or a record such as user)"))
	}
	return errors.Join(errs...)
}

// records are the expected records by the word of their kind.
func (w *Want) records() map[string]map[string]any {
	all := map[string]map[string]any{}
	for kind, fields := range map[string]map[string]any{
		"user": w.User, "agent": w.Agent, "group": w.Group, "licence": w.Licence, "asset": w.Asset, "customer": w.Customer, "site": w.Site,
	} {
		if fields != nil {
			all[kind] = fields
		}
	}
	return all
}

func (w *Want) compare(res mapping.Result, err error) []string {
	var d differences
	switch {
	case w.Fails != "" && err == nil:
		d.add("want a failure with %q, got %s", w.Fails, describe(res))
		return d
	case w.Fails != "":
		if !strings.Contains(err.Error(), w.Fails) {
			d.add("want a failure with %q, got: %v", w.Fails, err)
		}
		return d
	case err != nil:
		d.add("failed: %v", err)
		return d
	}
	if w.None && res.Rule != "" || w.Ignored && !res.Ignored || w.Rule != "" && w.Rule != res.Rule {
		d.add("want %s, got %s", w.describe(), describe(res))
		return d
	}
	records := w.records()
	for _, kind := range slices.Sorted(maps.Keys(records)) {
		i := slices.IndexFunc(res.Records, func(r mapping.Desired) bool { return r.Kind.String() == kind })
		if i < 0 {
			d.add("want a record %s, got %s", kind, describe(res))
			continue
		}
		d.fields(kind, records[kind], res.Records[i].Fields, w.Exact)
	}
	for _, rec := range res.Records {
		if kind := rec.Kind.String(); w.Exact && records[kind] == nil {
			d.add("got a record %s that is not expected", kind)
		}
	}
	return d
}

func (w *Want) describe() string {
	switch {
	case w.None:
		return "no rule to hold"
	case w.Ignored && w.Rule == "":
		return "it ignored"
	case w.Ignored:
		return fmt.Sprintf("it ignored by rule %q", w.Rule)
	default:
		return fmt.Sprintf("rule %q", w.Rule)
	}
}

func describe(res mapping.Result) string {
	switch {
	case res.Rule == "":
		return "nothing: no rule holds"
	case res.Ignored:
		return fmt.Sprintf("rule %q, which ignores", res.Rule)
	default:
		var kinds []string
		for _, rec := range res.Records {
			kinds = append(kinds, rec.Kind.String())
		}
		return fmt.Sprintf("rule %q with %s", res.Rule, strings.Join(kinds, " and "))
	}
}

type differences []string

func (d *differences) add(format string, args ...any) { *d = append(*d, fmt.Sprintf(format, args...)) }

func (d *differences) fields(kind string, want map[string]any, got []mapping.DesiredField, exact bool) {
	var names []string
	for _, f := range got {
		names = append(names, f.Name)
		if _, ok := want[f.Name]; exact && !ok && !f.Value.Blank() {
			d.add("%s.%s: got %s, which is not expected", kind, f.Name, show(f.Value))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		expected, _ := readValue(want[name])
		i := slices.Index(names, name)
		if i < 0 {
			d.add("%s.%s: no rule sets this field (%s)", kind, name,
				expression.DidYouMean(name, names, "it sets "+strings.Join(names, ", ")))
			continue
		}
		if !sameValue(expected, got[i].Value) {
			d.add("%s.%s: want %s, got %s", kind, name, show(expected), show(got[i].Value))
		}
	}
}

// sameValue compares what a case expects, which knows no times, with what the rules made.
func sameValue(want, got directory.Value) bool {
	if want.Equal(got) || want.Blank() && got.Blank() {
		return true
	}
	if got.Type() != directory.TimeType {
		return false
	}
	t, err := expression.ParseDate(want.Text())
	return err == nil && t.Equal(got)
}

func show(v directory.Value) string {
	switch v.Type() {
	case directory.TextType:
		return fmt.Sprintf("%q", v.Text())
	case directory.ListType:
		return fmt.Sprintf("%q", v.List())
	default:
		return cmp.Or(v.String(), "nothing")
	}
}
