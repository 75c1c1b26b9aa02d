package service

import (
	"net"
	"testing"

	"dirsyncd/sync/fault"
)

// Another process at the address may go away: systemd tries again. An address that cannot be one is the operator's.
func TestHealthListens(t *testing.T) {
	busy, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	for address, want := range map[string]fault.Class{
		busy.Addr().String(): fault.Transient, "192.0.2.1:1": fault.Configuration, "nonsense": fault.Configuration,
	} {
		_, err := (health{}).listen(t.Context(), address)
		if got := fault.ClassOf(err); got != want || fault.Hint(err) == "" {
			t.Errorf("%s: class %s, want %s: %v", address, got, want, err)
		}
	}
}
