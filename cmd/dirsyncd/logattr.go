package main

import (
	"encoding"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// logAttr gives every handler's values one form: a duration as "32.7s" and a kind as "person", in JSON as in text.
// By itself slog writes the numbers behind them as JSON, which nobody can read or search for.
func logAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindDuration:
		a.Value = slog.StringValue(a.Value.Duration().String())
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error, encoding.TextMarshaler: // the handlers know these
		case fmt.Stringer:
			a.Value = slog.StringValue(fmt.Sprint(v)) // unlike v.String() it survives a nil pointer
		}
	}
	return a
}

// textAttr is logAttr for lines that people read: counts of a run that are zero are left out, and lists and counts by kind are words.
func textAttr(groups []string, a slog.Attr) slog.Attr {
	a = logAttr(groups, a)
	switch a.Value.Kind() {
	case slog.KindInt64:
		if a.Value.Int64() == 0 && slices.Contains(runCounts(), a.Key) {
			return slog.Attr{}
		}
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case []string:
			a.Value = slog.StringValue(strings.Join(v, "; "))
		case map[string]map[string]int:
			a.Value = slog.StringValue(countsText(v))
		}
	}
	return a
}

// runCounts are the fields of the end of a run of which most are zero.
func runCounts() []string {
	return []string{"requests", "read", "changed", "removed", "created", "updated", "deactivated", "reactivated", "deleted", "unchanged", "parked"}
}

// countsText is a number by kind and operation in words: "deactivate 41 user, update 3 user".
func countsText(counts map[string]map[string]int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		for _, op := range slices.Sorted(maps.Keys(counts[kind])) {
			parts = append(parts, fmt.Sprintf("%s %d %s", op, counts[kind][op], kind))
		}
	}
	return strings.Join(parts, ", ")
}
