package oidctest

import (
	"context"
	"sync"
	"time"

	"dirsyncd/sync/signin"
)

// Memory is a signin.Kept and a signin.Once that forget everything with the test.
type Memory struct {
	Clock *Clock

	mu   sync.Mutex
	kept map[string]copied
	used map[string]bool
}

type copied struct {
	data []byte
	at   time.Time
}

var (
	_ signin.Kept = (*Memory)(nil)
	_ signin.Once = (*Memory)(nil)
)

// NewMemory returns an empty memory.
func NewMemory(c *Clock) *Memory {
	return &Memory{Clock: c, kept: map[string]copied{}, used: map[string]bool{}}
}

// Load returns what was stored.
func (m *Memory) Load(_ context.Context, name string) ([]byte, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[name].data, m.kept[name].at, nil
}

// Store keeps a copy.
func (m *Memory) Store(_ context.Context, name string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept[name] = copied{data, m.Clock.Now()}
	return nil
}

// Once reports whether a key is new.
func (m *Memory) Once(_ context.Context, key []byte, _ time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fresh := !m.used[string(key)]
	m.used[string(key)] = true
	return fresh, nil
}
