package term

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Number writes 12300 as 12,300.
func Number(n int) string {
	digits := strconv.Itoa(max(n, -n))
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n < 0 {
		return "-" + digits
	}
	return digits
}

// Many writes "1 plan" and "12 plans".
func Many(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Number(n) + " " + Plural(noun)
}

// Plural writes the word for several.
func Plural(noun string) string {
	if noun == "person" {
		return "people"
	}
	return noun + "s"
}

// Span writes a duration in its two largest units at most.
func Span(d time.Duration) string {
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

// Rough writes a duration in its largest unit.
func Rough(d time.Duration) string {
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

// Value writes a field's value; "–" when there is none.
func Value(v any) string {
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
			items[i] = Value(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, k+": "+Value(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	default:
		return fmt.Sprint(v)
	}
}

// State is a word for how something is, or for what came of it, in its colour.
func State(word string) Cell {
	switch word {
	case "ok", "clean", "working":
		return Cell{word, Green}
	case "due", "held", "parked", "unknown", "draining", "outdated":
		return Cell{word, Yellow}
	case "failing", "failed":
		return Cell{word, Red}
	default:
		return Cell{Text: word}
	}
}
