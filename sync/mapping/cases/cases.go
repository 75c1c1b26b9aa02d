// Package cases runs the operator's own tests of the rules: an object goes in, and what is mentioned must come out. It
// is pure and reads no files.
package cases

import (
	"errors"
	"fmt"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// Case is one of the operator's own tests of the rules: an object, and what the rules are to make of it.
type Case struct {
	Name string `yaml:"name" json:"name"`
	// Person is given by the names that rules use: department, groups: [Staff], manager: {email: …},
	// attributes: {costCentre: …}, tenant: {…}. What is not given was not told by the source.
	Person map[string]any `yaml:"person,omitempty" json:"person,omitempty"`
	// The other kinds of object are given in the same way. A case has one object.
	Group    map[string]any `yaml:"group,omitempty" json:"group,omitempty"`
	Licence  map[string]any `yaml:"licence,omitempty" json:"licence,omitempty"`
	Device   map[string]any `yaml:"device,omitempty" json:"device,omitempty"`
	Customer map[string]any `yaml:"customer,omitempty" json:"customer,omitempty"`
	Site     map[string]any `yaml:"site,omitempty" json:"site,omitempty"`
	Want     Want           `yaml:"want" json:"want"`
	// At is the moment for which rules are asked about time: 2026-01-31, or with a time of RFC 3339.
	At string `yaml:"at,omitempty" json:"at,omitempty"`
}

// Result is how a Case went.
type Result struct {
	Name string `json:"name"`
	// Differences say what is other than expected, one line each; none when the case passed.
	Differences []string `json:"differences,omitempty"`
	// Err says that the case itself cannot be used: an unknown name, a value of the wrong type.
	Err error `json:"-"`
	// Made is what the rules made.
	Made mapping.Result `json:"-"`
}

// Passed reports whether everything was as expected.
func (r Result) Passed() bool { return r.Err == nil && len(r.Differences) == 0 }

// Run applies the rules to a case and compares.
func Run(rules *mapping.Ruleset, c Case) Result {
	out := Result{Name: c.Name}
	kind, given, err := c.object()
	var in input
	if err == nil {
		in, err = readInput(given, kind)
	}
	if err == nil {
		err = in.moment(rules, c.At)
	}
	if err == nil {
		err = c.Want.check(rules, kind)
	}
	if err != nil {
		out.Err = fmt.Errorf("case %q: %w", c.Name, err)
		return out
	}
	out.Made, err = in.apply(rules)
	out.Differences = c.Want.compare(out.Made, err)
	if err == nil && len(out.Differences) == 0 {
		out.Differences = c.Want.compareTickets(rules, &in, out.Made)
	}
	return out
}

// object returns the one object that the case is about.
func (c *Case) object() (kind directory.Kind, given map[string]any, err error) {
	all := [...]map[string]any{
		directory.Person: c.Person, directory.Group: c.Group, directory.Licence: c.Licence,
		directory.Device: c.Device, directory.Customer: c.Customer, directory.Site: c.Site,
	}
	for _, k := range directory.Kinds() {
		switch {
		case all[k] == nil:
		case given != nil:
			return 0, nil, fmt.Errorf("it has a %s and a %s", kind, k)
		default:
			kind, given = k, all[k]
		}
	}
	if given == nil {
		return 0, nil, errors.New("it has no person and no other object (group, licence, device, customer, site)")
	}
	return kind, given, nil
}
