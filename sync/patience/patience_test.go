package patience

import (
	"testing"
	"time"
)

func TestPatience(t *testing.T) {
	p := Patience{First: 250 * time.Millisecond, Least: 50 * time.Millisecond, Most: 5 * time.Second, Over: 32}
	limit := func(least, most time.Duration) {
		t.Helper()
		if got := p.Limit(); got < least || got > most {
			t.Errorf("%s, want %s to %s", got, least, most)
		}
	}
	limit(p.First, p.First)
	p.Learn(time.Millisecond)
	limit(p.Least, p.Least)
	p.Learn(0)
	limit(p.Least, p.Least)
	for range 1000 {
		p.Learn(300 * time.Millisecond)
	}
	limit(1190*time.Millisecond, 1200*time.Millisecond)
	p.Learn(time.Minute) // one of many
	limit(1200*time.Millisecond, p.Most)
	for range 1000 {
		p.Learn(time.Minute)
	}
	limit(p.Most, p.Most)
}
