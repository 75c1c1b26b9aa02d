package service

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dirsyncd/sync/deliver"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
)

// metrics counts what happens, for /metrics. How things stand is read from the store when somebody asks. There may be
// thousands of connections: a histogram, which has dozens of series, is by connector; a counter is by connection, and begins
// with what it counts.
type metrics struct {
	registry  *prometheus.Registry
	runs      *prometheus.CounterVec
	durations *prometheus.HistogramVec
	objects   *prometheus.CounterVec
	actions   *prometheus.CounterVec
	decided   *prometheus.CounterVec
	requests  *prometheus.HistogramVec
	failed    *prometheus.CounterVec
	delivered *prometheus.CounterVec
	refused   *prometheus.CounterVec
	failures  *prometheus.CounterVec
	latency   *prometheus.HistogramVec
	signin    *signinMetrics
	notices   *prometheus.CounterVec
	unsent    *prometheus.GaugeVec
}

func newMetrics(now func() time.Time) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dirsyncd_" + name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "dirsyncd_" + name, Help: help, Buckets: buckets}, labels)
	}
	m := &metrics{
		registry:  prometheus.NewRegistry(),
		runs:      counter("runs_total", "Runs by connection and outcome.", "connection", "outcome"),
		durations: histogram("run_duration_seconds", "How long runs took.", prometheus.ExponentialBuckets(0.01, 4, 10), "connector", "mode"),
		objects:   counter("objects_total", "Objects read, changed and removed at the source.", "connection", "what"),
		actions:   counter("actions_total", "Actions that runs queued.", "connection", "kind", "op"),
		decided:   counter("rule_decisions_total", "Objects that runs looked at, by the rule that decided; without a rule, those whom none wants.", "mapping", "kind", "rule"),
		requests:  histogram("source_request_seconds", "Requests to sources and how they ended.", prometheus.ExponentialBuckets(0.001, 4, 9), "connector", "request", "class"),
		failed:    counter("source_request_failures_total", "Requests to sources that failed.", "connection", "class"),
		delivered: counter("delivered_total", "Actions that targets took.", "target", "op"),
		refused:   counter("refused_total", "Actions that targets refused for good; they are parked.", "target", "class"),
		failures:  counter("delivery_failures_total", "Deliveries that will be tried again.", "target", "class"),
		notices:   counter("notices_total", "Messages to recipients of notices, and whether they were taken.", "recipient", "outcome"),
		unsent:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "dirsyncd_notices_failing", Help: "1 while a recipient of notices cannot be told."}, []string{"recipient"}),
		latency:   histogram("delivery_seconds", "How long one delivery took.", prometheus.ExponentialBuckets(0.001, 4, 9), "target"),
		signin:    newSigninMetrics(now),
	}
	m.registry.MustRegister(m.runs, m.durations, m.objects, m.actions, m.decided, m.requests, m.failed, m.delivered, m.refused, m.failures, m.latency, m.notices, m.unsent)
	m.registry.MustRegister(m.signin.collectors()...)
	return m
}

// ran counts a run of a connection of this kind.
func (m *metrics) ran(connector string, r *engine.Result) {
	name := r.Partition.Connection
	m.runs.WithLabelValues(name, r.Run.Outcome).Inc()
	m.durations.WithLabelValues(connector, r.Run.Mode).Observe(r.Run.Ended.Sub(r.Run.Started).Seconds())
	for what, n := range map[string]int{"read": r.Run.Read, "changed": r.Run.Changed, "removed": r.Run.Removed} {
		if n > 0 {
			m.objects.WithLabelValues(name, what).Add(float64(n))
		}
	}
	if r.Run.Outcome == engine.Failed {
		return
	}
	for kind, ops := range r.Run.Counts {
		for op, n := range ops {
			m.actions.WithLabelValues(name, kind, op).Add(float64(n))
		}
	}
	for kind, rules := range r.Run.Rules {
		for rule, n := range rules {
			m.decided.WithLabelValues(r.Mapping, kind, rule).Add(float64(n))
		}
	}
}

// request returns what a connection's connector calls for every request.
func (m *metrics) request(connection, connector string) func(string, time.Duration, error) {
	return func(request string, took time.Duration, err error) {
		class := string(fault.ClassOf(err))
		m.requests.WithLabelValues(connector, request, class).Observe(took.Seconds())
		if err != nil {
			m.failed.WithLabelValues(connection, class).Inc()
		}
	}
}

// noticed counts an attempt to tell a recipient.
func (m *metrics) noticed(recipient string, err error) {
	outcome := "sent"
	if err != nil {
		outcome = "failed"
	}
	m.notices.WithLabelValues(recipient, outcome).Inc()
	m.unsent.WithLabelValues(recipient).Set(truth(err != nil))
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
