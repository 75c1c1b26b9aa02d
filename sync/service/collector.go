package service

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dirsyncd/sync/api"
	"dirsyncd/sync/notices/recipient"
)

// stateCollector reads how things stand when /metrics is asked.
type stateCollector struct {
	status func(context.Context) (api.Status, error)
	now    func() time.Time
	descs  map[string]*prometheus.Desc
}

func newStateCollector(status func(context.Context) (api.Status, error), now func() time.Time) *stateCollector {
	c := &stateCollector{status: status, now: now, descs: map[string]*prometheus.Desc{}}
	for _, d := range []struct {
		name, help string
		labels     []string
	}{
		{"last_proven_timestamp_seconds", "When the stored state was last known to agree with the source; 0: never.", []string{"connection", "tenant"}},
		{"proven_age_seconds", "How long ago the stored state was last known to agree with the source; of one that never did, how long its runs have failed.", []string{"connection", "tenant"}},
		{"tenant_info", "1 for each tenant, with its name.", []string{"connection", "tenant", "name"}},
		{"build_info", "1, with the version that runs.", []string{"version"}},
		{"config_last_reload_successful", "0 while the last reload was refused and the configuration before it is in force, else 1.", nil},
		{"failing", "1 while a tenant's runs fail.", []string{"connection", "tenant"}},
		{"held", "1 while a plan waits for the operator.", []string{"connection", "tenant"}},
		{"parked", "Objects and actions that are parked.", []string{"connection", "tenant"}},
		{"stored_objects", "Objects present at the source, as last seen.", []string{"connection", "tenant", "kind"}},
		{"active_records", "Active records.", []string{"connection", "tenant", "kind"}},
		{"conditions", "Things that somebody has to know, by the kind of notice.", []string{"kind"}},
		{"outbox_depth", "Actions that wait for a target.", []string{"target"}},
		{"target_waits", "Actions that a target says have to wait.", []string{"target", "cause"}},
		{"target_audit", "Things that the last audit of a target found, by finding.", []string{"target", "kind", "finding"}},
		{"target_held", "1 while something at a target waits for the operator.", []string{"target"}},
		{"outbox_age_seconds", "How long the oldest action that waits for a target has waited.", []string{"target"}},
	} {
		c.descs[d.name] = prometheus.NewDesc("dirsyncd_"+d.name, d.help, d.labels, nil)
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(ch chan<- prometheus.Metric) {
	st, err := c.status(context.Background())
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.descs["failing"], err)
		return
	}
	gauge := func(name string, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(c.descs[name], prometheus.GaugeValue, v, labels...)
	}
	gauge("build_info", 1, st.Version)
	gauge("config_last_reload_successful", truth(st.Problem == ""))
	now := c.now()
	c.conditions(gauge, st.Conditions)
	for _, conn := range st.Connections {
		for _, t := range conn.Tenants {
			c.tenant(gauge, now, conn.Name, &t)
		}
	}
	for _, t := range st.Targets {
		gauge("outbox_depth", float64(t.Waiting), t.Name)
		age := 0.0
		if !t.Oldest.IsZero() {
			age = now.Sub(t.Oldest).Seconds()
		}
		gauge("outbox_age_seconds", age, t.Name)
		for cause, n := range t.Waits {
			gauge("target_waits", float64(n), t.Name, cause)
		}
		gauge("target_held", truth(len(t.Held) > 0), t.Name)
		for kind, findings := range t.Audit {
			for finding, n := range findings {
				gauge("target_audit", float64(n), t.Name, kind, finding)
			}
		}
	}
}

// conditions counts what somebody has to know, each kind.
func (c *stateCollector) conditions(gauge func(string, float64, ...string), list []api.Condition) {
	counts := map[string]int{}
	for i := range list {
		counts[list[i].Kind]++
	}
	for _, kind := range recipient.Kinds() {
		gauge("conditions", float64(counts[kind]), kind)
	}
}

func (c *stateCollector) tenant(gauge func(string, float64, ...string), now time.Time, connection string, t *api.TenantStatus) {
	switch {
	case !t.Proven.IsZero():
		gauge("last_proven_timestamp_seconds", float64(t.Proven.Unix()), connection, t.Tenant)
		gauge("proven_age_seconds", now.Sub(t.Proven).Seconds(), connection, t.Tenant)
	case t.Failing != nil: // an alert on the age must not stay silent for what never worked
		gauge("last_proven_timestamp_seconds", 0, connection, t.Tenant)
		gauge("proven_age_seconds", now.Sub(t.Failing.Since).Seconds(), connection, t.Tenant)
	}
	if t.Tenant != "" {
		gauge("tenant_info", 1, connection, t.Tenant, t.Name)
	}
	gauge("failing", truth(t.Failing != nil), connection, t.Tenant)
	gauge("held", truth(t.Held != nil), connection, t.Tenant)
	gauge("parked", float64(t.Parked), connection, t.Tenant)
	for kind, n := range t.Objects {
		gauge("stored_objects", float64(n), connection, t.Tenant, kind)
	}
	for kind, n := range t.Records {
		gauge("active_records", float64(n), connection, t.Tenant, kind)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
