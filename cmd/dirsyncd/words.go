package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"dirsyncd/sync/directory"
)

// number writes 12300 as 12,300.
func number(n int) string {
	digits := strconv.Itoa(max(n, -n))
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n < 0 {
		return "-" + digits
	}
	return digits
}

// many writes "1 plan" and "12 plans".
func many(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + plural(noun)
}

func plural(noun string) string {
	if noun == directory.Person.String() {
		return "people"
	}
	return noun + "s"
}

// span writes a duration in its two largest units at most.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = d.Abs(); {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return joinUnits(int(d/time.Minute), "m", int(d%time.Minute/time.Second), "s")
	case d < day:
		return joinUnits(int(d/time.Hour), "h", int(d%time.Hour/time.Minute), "m")
	default:
		return joinUnits(int(d/day), "d", int(d%day/time.Hour), "h")
	}
}

func joinUnits(a int, unit string, b int, smaller string) string {
	if b == 0 {
		return strconv.Itoa(a) + unit
	}
	return fmt.Sprintf("%d%s%02d%s", a, unit, b, smaller)
}

// rough writes a duration in its largest unit.
func rough(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = d.Abs(); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/day)
	}
}

// longAgo is from when on a date says more than a number of days.
const longAgo = 60 * 24 * time.Hour

// ago writes how long ago or in how long something is; "–" for never.
func (sh *shell) ago(t time.Time) string {
	d := sh.now().Sub(t)
	switch {
	case t.IsZero():
		return "–"
	case d.Abs() > longAgo:
		return t.In(sh.zone).Format(time.DateOnly)
	case d.Abs() < time.Second:
		return "now"
	case d < 0:
		return "in " + rough(-d)
	default:
		return rough(d) + " ago"
	}
}

// clock writes a moment for a table: of other years the day will do.
func (sh *shell) clock(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	t = t.In(sh.zone)
	if t.Year() != sh.now().In(sh.zone).Year() {
		return t.Format("_2 Jan 2006")
	}
	return t.Format("_2 Jan 15:04")
}

// happened and wouldHappen are the words for operations in a count.
func happened(op directory.Op) string { return op.String() + "d" }

func wouldHappen(op directory.Op) string { return "to " + op.String() }

// counts writes "12 users created, 3 updated; 1 agent created", kinds and operations in their order.
func counts(byKind map[string]map[string]int, word func(directory.Op) string) string {
	var kinds []string
	for _, kind := range directory.RecordKinds() {
		var ops []string
		for _, op := range directory.Ops() {
			n := byKind[kind.String()][op.String()]
			switch {
			case n == 0:
			case len(ops) == 0:
				ops = append(ops, many(n, kind.String())+" "+word(op))
			default:
				ops = append(ops, number(n)+" "+word(op))
			}
		}
		if len(ops) > 0 {
			kinds = append(kinds, strings.Join(ops, ", "))
		}
	}
	return strings.Join(kinds, "; ")
}

// amounts writes "1,204 people, 88 groups" in the order of the kinds.
func amounts(byKind map[string]int, kinds []string) string {
	var parts []string
	for _, kind := range kinds {
		if n := byKind[kind]; n > 0 {
			parts = append(parts, many(n, kind))
		}
	}
	return strings.Join(parts, ", ")
}

func words[T fmt.Stringer](list []T) []string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.String()
	}
	return texts
}

// value writes a field's value; "–" when there is none.
func value(v any) string {
	switch v := v.(type) {
	case nil:
		return "–"
	case string:
		if strings.TrimSpace(v) != v || v == "" {
			return strconv.Quote(v)
		}
		return v
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = value(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, k+": "+value(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	default:
		return fmt.Sprint(v)
	}
}

// place names a tenant of a connection as operators know it.
func place(connection, tenant, name string) string {
	switch {
	case name != "" && tenant != "":
		return connection + "/" + name
	case tenant != "":
		return connection + "/" + tenant
	default:
		return connection
	}
}
