package settings

import (
	"strconv"
	"time"

	"dirsyncd/sync/settings/strict"
)

// Duration is a time.Duration that the configuration writes as "90s", "1h30m", "30d" or "2w". It is never
// negative.
type Duration time.Duration

// Std returns the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String renders the duration as the configuration writes it, without zero units.
func (d Duration) String() string {
	const day = 24 * time.Hour
	if d == 0 {
		return "0s"
	}
	text, rest := "", time.Duration(d)
	if days := rest / day; days > 0 {
		text, rest = strconv.FormatInt(int64(days), 10)+"d", rest%day
	}
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}} {
		if n := rest / unit.size; n > 0 {
			text, rest = text+strconv.FormatInt(int64(n), 10)+unit.name, rest%unit.size
		}
	}
	if rest > 0 {
		text += rest.String()
	}
	return text
}

// MarshalText renders the duration as the configuration writes it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// DecodeStrict reads the duration.
func (d *Duration) DecodeStrict(v strict.Value) {
	if value, ok := v.Duration(); ok {
		*d = Duration(value)
	}
}
