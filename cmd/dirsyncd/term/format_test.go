package term

import (
	"encoding/json"
	"testing"
	"time"
)

func TestWords(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 12300: "12,300", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := Number(n); got != want {
			t.Errorf("number(%d): got %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0ms", 350 * time.Millisecond: "350ms", 2345 * time.Millisecond: "2.3s", 12 * time.Second: "12s", 62 * time.Second: "1m02s",
		time.Hour: "1h", 90 * time.Minute: "1h30m", 76 * time.Hour: "3d04h",
	} {
		if got := Span(d); got != want {
			t.Errorf("span(%v): got %q, want %q", d, got, want)
		}
	}
	for _, tc := range []struct {
		v    any
		want string
	}{
		{nil, "–"}, {"", `""`}, {" x", `" x"`}, {"x", "x"}, {true, "true"}, {json.Number("12345678901234567"), "12345678901234567"},
		{[]any{"a", nil}, "[a, –]"}, {map[string]any{"b": "1", "a": false}, "{a: false, b: 1}"}, {time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), "2026-01-31T12:00:00Z"},
	} {
		if got := Value(tc.v); got != tc.want {
			t.Errorf("value(%v): got %q, want %q", tc.v, got, tc.want)
		}
	}
}
