package deliver

import (
	"cmp"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
)

// arrange puts a window in the order in which a target that is ranked wants it: what others refer to first and, of what goes away, last. Who
// takes an address, login or name that another one of the window gives up is left out: it stays claimed, and comes with the next
// window, when the other one is answered. When everybody would be left out, as when two people swap, nobody is.
func (c *claim) arrange() {
	slices.SortStableFunc(c.window, func(a, b *entry) int { return cmp.Compare(turnOf(a.action), turnOf(b.action)) })
	released := map[string]*entry{}
	for _, e := range c.window {
		for _, value := range given(e.action) {
			released[value] = e
		}
	}
	if len(released) == 0 {
		return
	}
	var kept, out []*entry
	for _, e := range c.window {
		waits := slices.ContainsFunc(taken(e.action), func(value string) bool { return released[value] != nil && released[value] != e })
		if waits {
			out = append(out, e)
		} else {
			kept = append(kept, e)
		}
	}
	if len(kept) == 0 || len(out) == 0 {
		return
	}
	c.window, c.more = kept, true
	for _, e := range out {
		if !e.again {
			c.unsent = append(c.unsent, e.ticket())
		}
	}
}

// turnOf is the place of an action among others.
func turnOf(a *directory.Action) int {
	const last = 100
	if a.Op.Removes() {
		return last - a.Kind.Rank()
	}
	return a.Kind.Rank()
}

// given are the unique values that an action gives up, and taken those that it takes. Who is merely out of use keeps what it has.
func given(a *directory.Action) (list []string) {
	if a.Op == directory.Create || len(a.Changes) == 0 && a.Op != directory.Delete {
		return nil
	}
	for _, field := range uniqueFields(a.Kind) {
		was, is := uniqueValue(a, field, true), uniqueValue(a, field, false)
		if was != "" && (a.Op == directory.Delete || was != is) {
			list = append(list, was)
		}
	}
	return list
}

func taken(a *directory.Action) (list []string) {
	if a.Op == directory.Delete || len(a.Changes) == 0 && a.Op != directory.Create {
		return nil
	}
	for _, field := range uniqueFields(a.Kind) {
		was, is := uniqueValue(a, field, true), uniqueValue(a, field, false)
		if is != "" && (a.Op == directory.Create || was != is) {
			list = append(list, is)
		}
	}
	return list
}

// uniqueFields are the fields of which no two records of a kind have the same value: people and agents share theirs, other names are
// unique within a customer.
func uniqueFields(kind directory.RecordKind) []string {
	switch kind {
	case directory.UserRecord, directory.AgentRecord:
		return []string{directory.FieldEmail, directory.FieldLogin}
	case directory.CustomerRecord, directory.SiteRecord, directory.GroupRecord, directory.LicenceRecord:
		return []string{directory.FieldName}
	default:
		return nil
	}
}

// uniqueValue is what a unique field comes to, before or after the action, such that two that are in each other's way are the same; empty
// for a blank one.
func uniqueValue(a *directory.Action, field string, before bool) string {
	value := strings.ToLower(strings.TrimSpace(valueOf(a, field, before)))
	if value == "" {
		return ""
	}
	if field != directory.FieldName {
		return field + "\x00" + value
	}
	return a.Kind.String() + "\x00" + strings.ToLower(valueOf(a, "customer", before)) + "\x00" + value
}

func valueOf(a *directory.Action, field string, before bool) string {
	for i := range a.Changes {
		if c := &a.Changes[i]; c.Name == field {
			if before {
				return c.From.Text()
			}
			return c.To.Text()
		}
	}
	for i := range a.Fields {
		if a.Fields[i].Name == field {
			return a.Fields[i].Value.Text()
		}
	}
	return ""
}
