package engine

import (
	"fmt"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// A plan of many tenants shows all of one, in order, before the first action of the next, though they are run at the same time.
func TestPlansShowOneTenantAfterTheOther(t *testing.T) {
	const tenants, people = 12, 40
	c := newCrew(t, tenants, people)
	for tenant := range c.source.of {
		c.gone(tenant, 0, people)
	}
	var seen []string // by tenants in turn; no lock
	shown := map[string][]string{}
	results := c.engines[0].Preview(t.Context(), c.conn, Job{}, func(of *connectors.Tenant, a *directory.Action) {
		if len(seen) == 0 || seen[len(seen)-1] != of.ID {
			seen = append(seen, of.ID)
		}
		shown[of.ID] = append(shown[of.ID], fmt.Sprint(a.Op, a.Record))
	})
	if len(results) != tenants || len(seen) != tenants || len(shown) != tenants {
		t.Errorf("%d tenants were planned and %d shown, by turns %v", len(results), len(shown), seen)
	}
	for id, list := range shown {
		if len(list) != people {
			t.Errorf("%s: %d actions", id, len(list))
		}
	}
}
