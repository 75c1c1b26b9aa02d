package testserver

import "testing"

// TestPort: a port that was given out is not given out again, although nobody listens on it, until its test has ended.
func TestPort(t *testing.T) {
	var port int
	t.Run("meanwhile", func(t *testing.T) {
		port = Port(t)
		if reserve(t, port) {
			t.Errorf("port %d was given out twice", port)
		}
	})
	if !reserve(t, port) {
		t.Errorf("port %d is kept when its test has ended", port)
	}
}
