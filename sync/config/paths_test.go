package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestControlSocket(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct{ name, text, want string }{
		{"default", "connections: {}", "/var/lib/dirsyncd/control.sock"},
		{"beside the state", "state: data/state.db", filepath.Join(dir, "data/control.sock")},
		{"given", "control: run/c.sock\nstate: x.db", filepath.Join(dir, "run/c.sock")},
		{"rest is broken", "control: c.sock\nconnections: {hq: {schedule: [1, 2], password: {env: NOT_SET_HERE}}}\nx: 1", filepath.Join(dir, "c.sock")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(dir, "config.yaml")
			if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := ControlSocket(file)
			if err != nil || got != tc.want {
				t.Errorf("got %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func TestControlSocketOfUnreadable(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte("state: [unclosed"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{file, filepath.Join(dir, "missing.yaml")} {
		var problems *Error
		if _, err := ControlSocket(file); !errors.As(err, &problems) || len(problems.Problems) == 0 {
			t.Errorf("%s: got %v, want an *Error", file, err)
		}
	}
}
