package settings

import (
	"time"

	"dirsyncd/sync/settings/strict"
)

// Date is a day that the configuration writes as 2027-03-31, in UTC. The zero Date is none.
type Date time.Time

// Time returns the beginning of the day.
func (d Date) Time() time.Time { return time.Time(d) }

// IsZero reports whether there is none.
func (d Date) IsZero() bool { return time.Time(d).IsZero() }

// String renders the day as the configuration writes it; blank when there is none.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return time.Time(d).Format(time.DateOnly)
}

// MarshalText renders the day as the configuration writes it.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// DecodeStrict reads the day.
func (d *Date) DecodeStrict(v strict.Value) {
	if !v.Expect(strict.Text) {
		return
	}
	at, err := time.Parse(time.DateOnly, v.Literal())
	if err != nil || at.IsZero() {
		v.Problem("write a day such as 2027-03-31", "%s: %q is no day", v.Label(), v.Literal())
		return
	}
	*d = Date(at)
}
