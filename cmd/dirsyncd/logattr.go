package main

import (
	"encoding"
	"fmt"
	"log/slog"
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
