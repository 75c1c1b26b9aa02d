package strict

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const durationHint = "write a number and a unit: 30s, 5m, 2h, 30d"

// ParseDuration reads a duration as Go writes it ("1h30m"), with "d" for days of 24 hours and "w" for weeks in
// front ("30d", "1d12h"). Negative durations are errors.
func ParseDuration(text string) (time.Duration, error) {
	total, rest := time.Duration(0), text
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		number, after, found := strings.Cut(rest, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 31)
		if err != nil || time.Duration(n) > (1<<62)/unit.size {
			return 0, fmt.Errorf("%q is not a duration", cut(text))
		}
		total += time.Duration(n) * unit.size
		rest = after
	}
	if rest == "" && text != "" {
		return total, nil
	}
	d, err := time.ParseDuration(rest)
	switch {
	case err == nil && d < 0:
		return 0, fmt.Errorf("%q is negative", cut(text))
	case err != nil || total+d < 0:
		return 0, fmt.Errorf("%q is not a duration", cut(text))
	}
	return total + d, nil
}

// Duration returns a duration and reports a problem when the value is none.
func (v Value) Duration() (time.Duration, bool) {
	text, ok := v.durationText()
	if !ok {
		return 0, false
	}
	d, err := ParseDuration(text)
	if err != nil {
		v.Problem(durationHint, "%s: %v", v.Label(), err)
	}
	return d, err == nil
}

// durationText also takes the number 0, which needs no unit.
func (v Value) durationText() (string, bool) {
	if v.Kind() == Int && v.Literal() == "0" {
		return "0s", true
	}
	if v.Kind() == Int || v.Kind() == Float {
		v.Problem(durationHint, "%s: a duration needs a unit", v.Label())
		return "", false
	}
	return v.Text()
}
