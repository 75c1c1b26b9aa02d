package main

import "testing"

// What the program says to call can be called.
func TestInvocation(t *testing.T) {
	for _, tc := range []struct{ called, executable, want string }{
		{"dirsyncd", "/usr/bin/dirsyncd", "dirsyncd"},
		{"./dirsyncd", "/home/ann/dirsyncd", "./dirsyncd"},
		{"/opt/my tools/dirsyncd", "/opt/my tools/dirsyncd", "'/opt/my tools/dirsyncd'"},
		{"/tmp/go-build123/b001/exe/dirsyncd", "/tmp/go-build123/b001/exe/dirsyncd", "go run ./cmd/dirsyncd"},
		{"/var/cache/go-build/1f/dirsyncd", "/var/cache/go-build/1f/dirsyncd", "go run ./cmd/dirsyncd"},
		{"dirsyncd", "", "dirsyncd"},
	} {
		if got := invocation(tc.called, tc.executable); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.executable, got, tc.want)
		}
	}
}
