package service

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metricLabels are the metrics that there are, with their labels.
func metricLabels() map[string][]string {
	ch := make(chan *prometheus.Desc, 100)
	newMetrics(time.Now).registry.Describe(ch)
	newStateCollector(nil, nil).Describe(ch)
	newSigninCollector(nil).Describe(ch)
	newFleetCollector(nil, "", nil).Describe(ch)
	close(ch)
	all := map[string][]string{}
	desc := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)
	for d := range ch {
		m := desc.FindStringSubmatch(d.String())
		all[m[1]] = strings.Split(m[2], ",")
	}
	return all
}

// checkExpression demands that an expression names metrics and labels that there are.
func checkExpression(t *testing.T, where, expr string, metrics map[string][]string) (found int) {
	t.Helper()
	var labels []string
	for _, m := range regexp.MustCompile(`(dirsyncd_[a-z_]+)(?:\{([^}]*)\})?`).FindAllStringSubmatch(expr, -1) {
		name := m[1]
		if _, ok := metrics[name]; !ok {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				name = strings.TrimSuffix(name, suffix)
			}
		}
		has, ok := metrics[name]
		if !ok {
			t.Errorf("%s: there is no metric %s", where, m[1])
			continue
		}
		found++
		labels = append(labels, has...)
		for _, l := range regexp.MustCompile(`([a-z_]+) *[=!]~? *"`).FindAllStringSubmatch(m[2], -1) {
			if l[1] != "instance" && !slices.Contains(has, l[1]) { // which Prometheus adds
				t.Errorf("%s: %s has no label %s", where, name, l[1])
			}
		}
	}
	for _, m := range regexp.MustCompile(`by \(([^)]*)\)`).FindAllStringSubmatch(expr, -1) {
		for _, l := range strings.Split(m[1], ",") {
			if l = strings.TrimSpace(l); l != "le" && l != "instance" && !slices.Contains(labels, l) {
				t.Errorf("%s: nothing in it has the label %s: %s", where, l, expr)
			}
		}
	}
	return found
}

// Every metric and label that the dashboard asks for is there, and it shows every metric that says how things stand.
func TestDashboard(t *testing.T) {
	data, err := os.ReadFile("../../packaging/grafana/dirsyncd.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			ID      int
			Title   string
			Type    string
			GridPos struct{ H, W, X, Y int }
			Targets []struct{ Expr, LegendFormat string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	metrics, ids, all := metricLabels(), map[int]bool{}, ""
	for _, p := range d.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s: the id is there twice, or it is out of the grid", p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			all += target.Expr + "\n"
			if strings.Contains(target.Expr, "dirsyncd_") && checkExpression(t, p.Title, target.Expr, metrics) == 0 {
				t.Errorf("%s asks for nothing", p.Title)
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
	}
	for _, v := range d.Templating.List {
		checkExpression(t, v.Name, v.Definition, metrics)
	}
	left := []string{"dirsyncd_build_info", "dirsyncd_tenant_info", "dirsyncd_config_last_reload_successful", "dirsyncd_last_proven_timestamp_seconds"}
	for name := range metrics {
		if !strings.Contains(all, name) && !slices.Contains(left, name) && !strings.HasPrefix(name, "dirsyncd_signin_") {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}

// Every metric and label that the alert rules ask for is there. promtool tries the rules themselves in the gate.
func TestAlertRules(t *testing.T) {
	metrics := metricLabels()
	for _, file := range []string{"dirsyncd.rules.yml", "dirsyncd.rules.test.yml"} {
		data, err := os.ReadFile("../../packaging/prometheus/" + file)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for line := range strings.Lines(string(data)) {
			if text := strings.TrimSpace(line); strings.HasPrefix(text, "expr:") || strings.Contains(text, "series:") {
				found += checkExpression(t, file, text, metrics)
			}
		}
		if found < 8 {
			t.Errorf("%s: only %d metrics are named", file, found)
		}
	}
}
