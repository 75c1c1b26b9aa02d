package postgres

import (
	"encoding/json"

	"dirsyncd/store"
)

// tenant is the state of the partition as a whole, as JSON.
type tenant struct {
	changed bool
	state   string
}

// Tenant implements store.Reader.
func (t *tx) Tenant() (s store.TenantState, err error) {
	if t.tenant.state == "" {
		return s, t.failed
	}
	if err := json.Unmarshal([]byte(t.tenant.state), &s); err != nil {
		return store.TenantState{}, t.s.corrupt("tenant")
	}
	return s, t.failed
}

// PutTenant implements store.Writer.
func (t *tx) PutTenant(s store.TenantState) error {
	value, err := json.Marshal(s)
	if err != nil {
		return misuse("tenant: %w", err)
	}
	if t.tenant.state == string(value) {
		return t.failed
	}
	t.tenant = tenant{changed: true, state: string(value)}
	return t.failed
}

func (t *tx) flushTenant() error {
	if !t.tenant.changed {
		return nil
	}
	t.tenant.changed = false
	return t.write(`insert into @.tenant (part, state) values ($1, $2) on conflict (part) do update set state = excluded.state`, t.tenant.state)
}
