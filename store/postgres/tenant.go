package postgres

import (
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
)

// tenant is the state of the partition as a whole, as JSON.
type tenant struct {
	read, changed bool
	state         string
}

// Tenant implements store.Reader.
func (t *tx) Tenant() (s store.TenantState, err error) {
	if !t.tenant.read {
		t.tenant.read = true
		err := t.query(func(rows pgx.Rows) error { return rows.Scan(&t.tenant.state) }, `select state from @.tenant where part = $1`)
		if err != nil {
			return s, err
		}
	}
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
	if t.tenant.read && t.tenant.state == string(value) {
		return t.failed
	}
	t.tenant = tenant{read: true, changed: true, state: string(value)}
	return t.failed
}

func (t *tx) flushTenant() error {
	if !t.tenant.changed {
		return nil
	}
	t.tenant.changed = false
	return t.write(`insert into @.tenant (part, state) values ($1, $2) on conflict (part) do update set state = excluded.state`, t.tenant.state)
}
