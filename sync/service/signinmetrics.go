package service

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/portal"
)

// signinMetrics count what happens at sign-in. Labels are names of the configuration, and words of packages signin and portal.
type signinMetrics struct {
	attempts *prometheus.CounterVec
	steps    *prometheus.HistogramVec
	verified *prometheus.CounterVec
	verify   prometheus.Histogram
	sessions *prometheus.GaugeVec
	// created counts people who were made by a sign-in, by provider.
	created *prometheus.CounterVec

	now  func() time.Time
	mu   sync.Mutex
	in   map[string]time.Time // when somebody last came in, by provider
	apps map[string]int       // of which sessions are shown
}

var _ portal.Metrics = (*signinMetrics)(nil)

func newSigninMetrics(now func() time.Time) *signinMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dirsyncd_signin_" + name, Help: help}, labels)
	}
	return &signinMetrics{
		attempts: counter("attempts_total", "Attempts to sign in, by how they ended and why.", "provider", "outcome", "reason"),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "dirsyncd_signin_seconds", Help: "How long the steps of sign-ins took.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}, []string{"provider", "step"}),
		verified: counter("verify_total", "Questions of proxies, by what they were told.", "app", "answer"),
		verify: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "dirsyncd_signin_verify_seconds", Help: "How long proxies waited for an answer.",
			Buckets: prometheus.ExponentialBuckets(0.00001, 4, 10)}),
		sessions: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "dirsyncd_signin_sessions", Help: "Sessions that have not run out, by application; without one, those of the central host."}, []string{"app"}),
		created:  counter("created_total", "People who were created by a sign-in.", "provider"),
		now:      now, in: make(map[string]time.Time),
	}
}

func (m *signinMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.attempts, m.steps, m.verified, m.verify, m.sessions, m.created}
}

// Attempt implements portal.Metrics.
func (m *signinMetrics) Attempt(provider, outcome string, reason signin.Reason) {
	m.attempts.WithLabelValues(provider, outcome, string(reason)).Inc()
	if outcome == portal.OutcomeIn {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.in[provider] = m.now()
	}
}

// lastIn returns when somebody last came in by a provider, since this process runs.
func (m *signinMetrics) lastIn(provider string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.in[provider]
}

// Took implements portal.Metrics.
func (m *signinMetrics) Took(provider, step string, took time.Duration) {
	m.steps.WithLabelValues(provider, step).Observe(took.Seconds())
}

// Verified implements portal.Metrics.
func (m *signinMetrics) Verified(app, answer string, took time.Duration) {
	m.verified.WithLabelValues(app, answer).Inc()
	m.verify.Observe(took.Seconds())
}

// Sessions implements portal.Metrics. Those of applications that are gone are not there any more.
func (m *signinMetrics) Sessions(byApp map[string]int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for app := range m.apps {
		if _, still := byApp[app]; !still {
			m.sessions.DeleteLabelValues(app)
		}
	}
	for app, n := range byApp {
		m.sessions.WithLabelValues(app).Set(float64(n))
	}
	m.apps = byApp
}

// signinCollector reads what is known of providers when /metrics is asked. It asks no provider.
type signinCollector struct {
	seen    func(context.Context) map[string]signin.Seen
	success *prometheus.Desc
	ends    *prometheus.Desc
	ahead   *prometheus.Desc
}

func newSigninCollector(seen func(context.Context) map[string]signin.Seen) *signinCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("dirsyncd_signin_"+name, help, labels, nil)
	}
	return &signinCollector{
		seen:    seen,
		success: desc("provider_success_timestamp_seconds", "When a provider last published what it is, or let somebody in.", "provider"),
		ends:    desc("key_end_timestamp_seconds", "When a certificate, a secret or metadata run out.", "provider", "use"),
		ahead:   desc("clock_offset_seconds", "How far the provider's clock was before ours.", "provider"),
	}
}

// Describe implements prometheus.Collector.
func (c *signinCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.success
	ch <- c.ends
	ch <- c.ahead
}

// Collect implements prometheus.Collector.
func (c *signinCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for name, s := range c.seen(context.Background()) {
		if !s.At.IsZero() {
			gauge(c.success, float64(s.At.Unix()), name)
		}
		for _, e := range s.Ends {
			gauge(c.ends, float64(e.At.Unix()), name, string(e.Use))
		}
		if s.Ahead != nil {
			gauge(c.ahead, s.Ahead.Seconds(), name)
		}
	}
}
