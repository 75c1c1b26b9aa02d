package csp

import (
	"sync"
	"testing"

	"dirsyncd/connectors/sim/microsoftsim"
)

// BenchmarkTenants reads the people of a hundred customers over loopback, eight tenants at a time, sign-in included.
// Half of the machine is the simulator's.
func BenchmarkTenants(b *testing.B) {
	const tenants, people = 100, 200
	w := newWorld(b, tenants, microsoftsim.Population{People: people, Groups: 5, SKUs: 2}, microsoftsim.Pages{})
	for _, t := range w.customers {
		t.UserIDs() // made up beforehand
	}
	b.ResetTimer()
	n := 0
	for b.Loop() {
		c := w.open(func(c *Config) { c.Share = 100 })
		list := w.tenants(c)
		var wg sync.WaitGroup
		slots := make(chan struct{}, 8)
		for _, t := range list[1:] {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				if page, err := read(b.Context(), c, t, streamUsers); err != nil || len(page.Objects) != people {
					b.Errorf("%d people, %v", len(page.Objects), err)
				}
			})
		}
		wg.Wait()
		n += tenants
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "tenants/s")
	b.ReportMetric(float64(n*people)/b.Elapsed().Seconds(), "people/s")
}
