package service

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dirsyncd/sync/api"
)

// Every metric is in the manual, and the manual names none that is not.
func TestMetricsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(dirsyncd_[a-z_]+)`").FindAllStringSubmatch(string(page), -1) {
		documented[m[1]] = true
	}
	ch := make(chan *prometheus.Desc, 100)
	newMetrics(time.Now).registry.Describe(ch)
	newStateCollector(nil, nil).Describe(ch)
	newSigninCollector(nil).Describe(ch)
	newFleetCollector(nil, "", nil).Describe(ch)
	close(ch)
	name := regexp.MustCompile(`fqName: "([^"]+)"`)
	for d := range ch {
		n := name.FindStringSubmatch(d.String())[1]
		if !documented[n] {
			t.Errorf("docs/operations.md has no row for %s", n)
		}
		delete(documented, n)
	}
	for n := range documented {
		t.Errorf("docs/operations.md has a row for %s, which there is not", n)
	}
}

// A tenant that never worked has an age that grows, and a name; what runs and whether its file was taken can be asked.
func TestMetricsOfATenantThatNeverWorked(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	registry := prometheus.NewRegistry()
	registry.MustRegister(newStateCollector(func(context.Context) (api.Status, error) {
		return api.Status{Version: "1.2.3", Problem: "x", Connections: []api.ConnectionStatus{{Name: "csp", Tenants: []api.TenantStatus{
			{Tenant: "11-aa", Name: "Quay Motors", Failing: &api.Failure{Since: now.Add(-time.Hour)}},
		}}}}, nil
	}, func() time.Time { return now }))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range families {
		all.WriteString(f.GetName() + " " + f.GetMetric()[0].String() + "\n")
	}
	for _, want := range []string{
		`dirsyncd_proven_age_seconds .*value:3600`, `dirsyncd_last_proven_timestamp_seconds .*value:0`, `dirsyncd_tenant_info .*"Quay Motors"`,
		`dirsyncd_build_info .*"1.2.3"`, `dirsyncd_conditions .*`, `dirsyncd_config_last_reload_successful .*value:0`,
	} {
		if !regexp.MustCompile(want).MatchString(all.String()) {
			t.Errorf("no %s in\n%s", want, all.String())
		}
	}
}
