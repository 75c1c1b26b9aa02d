package expression

import (
	"strconv"
	"strings"
	"time"
)

// showScalar is the function string.
func showScalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	default:
		return ""
	}
}

// wholeNumber is the function int: it returns nil for a blank text.
func wholeNumber(v any) (any, error) {
	switch v := v.(type) {
	case int:
		return v, nil
	case float64:
		if v != v || v < -1<<53 || v > 1<<53 {
			return nil, errNoNumber
		}
		return int(v), nil
	case string:
		v = strings.TrimSpace(v)
		if v == "" {
			return nil, nil
		}
		n, err := strconv.Atoi(v)
		if err != nil {
			return nil, errNoNumber
		}
		return n, nil
	default:
		return nil, errNoNumber
	}
}

// dateOf is the function date: it returns nil for a blank text.
func dateOf(text string) (any, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04:05", time.DateTime} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return nil, errNoDate
}
