package files

import (
	"strconv"
	"strings"

	"dirsyncd/sync/settings/strict"
)

// Size is a number of bytes, which the configuration writes as 4096, 64KiB, 100MiB or 2GiB.
type Size int64

// DecodeStrict reads a number, or a text with a unit.
func (s *Size) DecodeStrict(v strict.Value) {
	if v.Kind() != strict.Text {
		var n int
		if v.Into(&n) {
			*s = Size(n)
		}
		return
	}
	text, _ := v.Text()
	number, shift := strings.TrimSpace(text), 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if cut, ok := strings.CutSuffix(number, unit); ok {
			number, shift = strings.TrimSpace(cut), 10*(i+1)
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 {
		v.Problem("write 4096, 64KiB, 100MiB or 2GiB", "%s: %q is no size", v.Label(), text)
		return
	}
	*s = Size(n << shift)
}
