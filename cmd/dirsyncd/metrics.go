package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dirsyncd/sync/api"
	"dirsyncd/sync/deliver"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
)

// metrics counts what happens, for /metrics. How things stand is read from the store when somebody asks.
type metrics struct {
	registry  *prometheus.Registry
	runs      *prometheus.CounterVec
	durations *prometheus.HistogramVec
	objects   *prometheus.CounterVec
	actions   *prometheus.CounterVec
	requests  *prometheus.HistogramVec
	delivered *prometheus.CounterVec
	refused   *prometheus.CounterVec
	failures  *prometheus.CounterVec
	latency   *prometheus.HistogramVec
}

func newMetrics(a *app) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dirsyncd_" + name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "dirsyncd_" + name, Help: help, Buckets: buckets}, labels)
	}
	m := &metrics{
		registry:  prometheus.NewRegistry(),
		runs:      counter("runs_total", "Runs by connection and outcome.", "connection", "outcome"),
		durations: histogram("run_duration_seconds", "How long runs took.", prometheus.ExponentialBuckets(0.01, 4, 10), "connection", "mode"),
		objects:   counter("objects_total", "Objects read, changed and removed at the source.", "connection", "what"),
		actions:   counter("actions_total", "Actions that runs queued.", "connection", "kind", "op"),
		requests:  histogram("source_request_seconds", "Requests to sources and how they ended.", prometheus.ExponentialBuckets(0.001, 4, 9), "connection", "request", "class"),
		delivered: counter("delivered_total", "Actions that targets took.", "target", "op"),
		refused:   counter("refused_total", "Actions that targets refused for good; they are parked.", "target", "class"),
		failures:  counter("delivery_failures_total", "Deliveries that will be tried again.", "target", "class"),
		latency:   histogram("delivery_seconds", "How long one delivery took.", prometheus.ExponentialBuckets(0.001, 4, 9), "target"),
	}
	m.registry.MustRegister(m.runs, m.durations, m.objects, m.actions, m.requests, m.delivered, m.refused, m.failures, m.latency,
		newStateCollector(&operations{app: a}))
	return m
}

// ran counts a run.
func (m *metrics) ran(r *engine.Result) {
	name := r.Partition.Connection
	m.runs.WithLabelValues(name, r.Run.Outcome).Inc()
	m.durations.WithLabelValues(name, r.Run.Mode).Observe(r.Run.Ended.Sub(r.Run.Started).Seconds())
	for what, n := range map[string]int{"read": r.Run.Read, "changed": r.Run.Changed, "removed": r.Run.Removed} {
		m.objects.WithLabelValues(name, what).Add(float64(n))
	}
	if r.Run.Outcome == engine.Held || r.Run.Outcome == engine.Failed {
		return
	}
	for kind, ops := range r.Run.Counts {
		for op, n := range ops {
			m.actions.WithLabelValues(name, kind, op).Add(float64(n))
		}
	}
}

// request returns what a connector calls for every request.
func (m *metrics) request(connection string) func(string, time.Duration, error) {
	return func(request string, took time.Duration, err error) {
		m.requests.WithLabelValues(connection, request, string(fault.ClassOf(err))).Observe(took.Seconds())
	}
}

// delivery returns what the worker of a target tells.
func (m *metrics) delivery(target string) deliver.Metrics { return deliveryMetrics{m, target} }

type deliveryMetrics struct {
	*metrics
	target string
}

func (d deliveryMetrics) Delivered(op directory.Op, n int) {
	d.delivered.WithLabelValues(d.target, op.String()).Add(float64(n))
}
func (d deliveryMetrics) Parked(class fault.Class) {
	d.refused.WithLabelValues(d.target, string(class)).Inc()
}
func (d deliveryMetrics) Failed(class fault.Class) {
	d.failures.WithLabelValues(d.target, string(class)).Inc()
}
func (d deliveryMetrics) Took(took time.Duration, _ int) {
	d.latency.WithLabelValues(d.target).Observe(took.Seconds())
}

// stateCollector reads how things stand when /metrics is asked.
type stateCollector struct {
	ops   *operations
	descs map[string]*prometheus.Desc
}

func newStateCollector(ops *operations) *stateCollector {
	c := &stateCollector{ops: ops, descs: map[string]*prometheus.Desc{}}
	for _, d := range []struct {
		name, help string
		labels     []string
	}{
		{"last_proven_timestamp_seconds", "When the state was last known to agree with the source.", []string{"connection", "tenant"}},
		{"proven_age_seconds", "How long ago that was.", []string{"connection", "tenant"}},
		{"failing", "1 while a tenant's runs fail.", []string{"connection", "tenant"}},
		{"held", "1 while a plan waits for the operator.", []string{"connection", "tenant"}},
		{"parked", "Objects and actions that are parked.", []string{"connection", "tenant"}},
		{"stored_objects", "Objects present at the source, as last seen.", []string{"connection", "tenant", "kind"}},
		{"active_records", "Active records.", []string{"connection", "tenant", "kind"}},
		{"outbox_depth", "Actions that wait for a target.", []string{"target"}},
		{"outbox_age_seconds", "How long the oldest of them has waited.", []string{"target"}},
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
	st, err := c.ops.Status(context.Background())
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.descs["failing"], err)
		return
	}
	gauge := func(name string, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(c.descs[name], prometheus.GaugeValue, v, labels...)
	}
	now := c.ops.now()
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
	}
}

func (c *stateCollector) tenant(gauge func(string, float64, ...string), now time.Time, connection string, t *api.TenantStatus) {
	truth := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	if !t.Proven.IsZero() {
		gauge("last_proven_timestamp_seconds", float64(t.Proven.Unix()), connection, t.Tenant)
		gauge("proven_age_seconds", now.Sub(t.Proven).Seconds(), connection, t.Tenant)
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
