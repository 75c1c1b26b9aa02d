package kit

import "testing"

// TestStrikes: what a fault does to the first requests that it fits.
func TestStrikes(t *testing.T) {
	for _, c := range []struct {
		skip, times int
		want        string // x: it strikes
	}{{0, 0, "xxxxx"}, {0, 2, "xx---"}, {2, 0, "--xxx"}, {1, 2, "-xx--"}} {
		struck, got := 0, ""
		for range c.want {
			if Strikes(&struck, c.skip, c.times) {
				got += "x"
			} else {
				got += "-"
			}
		}
		if got != c.want {
			t.Errorf("after %d, %d times: %s, want %s", c.skip, c.times, got, c.want)
		}
	}
}
