package postgres_test

import (
	"strings"
	"testing"

	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/database/testserver"
	"dirsyncd/sync/fleet"
)

// bounce has those who come to the place come through a pooler.
func (p *place) bounce(t *testing.T, s *postgrestest.Server) {
	t.Helper()
	_, own, _ := strings.Cut(testserver.Address(s.Port), ":")
	_, port, _ := strings.Cut(p.Bouncer(t, s, ""), ":")
	p.dsn = strings.NewReplacer("port="+own, "port="+port, "sslmode=verify-full", "sslmode=disable").Replace(p.dsn)
	p.pooled = true
}

// TestBehindPgBouncer: workers agree through a pooler of transactions as they do without one, also when one of them is killed in the middle of its work.
func TestBehindPgBouncer(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t)
	c := newCrew(t, s)
	c.place.bounce(t, s)
	f, stop := c.worker("a", 2, plan("g", connection("c")))
	c.worker("b", 2, plan("g", connection("c")))
	c.ready("c", "t", "u")
	c.want(f, fleet.Selector{Kind: fleet.Run, Connection: "c"}, fleet.Request{Want: fleet.Full})
	var of int // those of a, which it gives back
	at := []*call{c.next(), c.next()}
	for _, it := range at {
		if it.worker == "a" {
			of++
		}
	}
	go stop()
	for _, it := range at {
		if it.worker == "b" {
			it.done()
		}
	}
	for range of {
		it := c.next()
		if it.worker != "b" {
			t.Errorf("%s took %v", it.worker, it.Unit)
		}
		it.done()
	}
	c.idle("c")

	p := newPlace(t, s)
	p.counters([]string{"t"})
	p.bounce(t, s)
	child := childConfig{DSN: p.dsn + " default_query_exec_mode=exec",
		Name: "killed", Lanes: 2, Connections: []string{"c"}, Spec: "@every 1s", Tenants: []string{"t"}, Writes: 1 << 30, Fenced: true, PollOnly: true}
	killed := startChild(t, child)
	writes := func(worker string) int {
		return value[int](t, p, "select count(*) from written where worker = $1", worker)
	}
	until(t, "it writes", func() bool { return writes("killed") > 3 })
	child.Name = "successor"
	startChild(t, child)
	until(t, "the other one is there", func() bool {
		return value[int](t, p, "select count(*) from "+schema+".worker where not dead and expires > clock_timestamp()") == 2
	})
	killed.kill()
	until(t, "the other one writes", func() bool { return writes("successor") > 3 })
	if counted, overtaken := p.wrong(t); counted != 0 || overtaken != 0 {
		t.Errorf("%d writes were wrong and %d of a former holder", counted, overtaken)
	}
}
