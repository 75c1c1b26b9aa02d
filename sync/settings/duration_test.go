package settings

import (
	"testing"

	"dirsyncd/sync/settings/strict"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{
		"30s": "30s", "90s": "1m30s", "1h": "1h", "24h": "1d", "30d": "30d", "1w": "7d", "1d12h": "1d12h", "1500ms": "1.5s", "0s": "0s",
	} {
		d, err := strict.ParseDuration(text)
		if err != nil || Duration(d).String() != want {
			t.Errorf("%s: %v, %v, want %s", text, Duration(d), err, want)
		}
		again, err := strict.ParseDuration(Duration(d).String())
		if err != nil || again != d {
			t.Errorf("%s: %v does not come back", text, Duration(d))
		}
	}
	for _, text := range []string{"", "d", "1", "-5m", "1d-5m", "5x", "1.5d", "99999999999d", "300000w", "1h1d"} {
		if d, err := strict.ParseDuration(text); err == nil {
			t.Errorf("%q is taken as %v", text, d)
		}
	}
}
