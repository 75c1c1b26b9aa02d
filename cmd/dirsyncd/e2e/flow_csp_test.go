package e2e

import (
	"os"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors/sim/microsoftsim"
)

// TestFlowCSP runs docs/flows/csp.md.
func TestFlowCSP(t *testing.T) {
	t.Parallel()
	f := readFlow(t, "csp")
	page := flowBlock[[]struct {
		ID, Name, Domain string
		Domains          []string
		Ends             map[string]string
		flowTenant       `yaml:",inline"`
	}](f, "source")
	cloud, err := microsoftsim.Start(microsoftsim.Options{})
	fatal(t, err)
	t.Cleanup(func() { _ = cloud.Close() })
	partner := cloud.AddTenant(microsoftsim.TenantOptions{ID: "99999999-2222-3333-4444-555555555555", Name: "The Partner"})
	cloud.SetPartner(partner.ID())
	secret := map[string]time.Time{appSecret: {}}
	cloud.AddApp(microsoftsim.App{ID: cloudApp, Home: partner.ID(), Secrets: secret})
	cloud.AddApp(microsoftsim.App{ID: partnerApp, Home: partner.ID(), Secrets: secret, PartnerCenter: true})
	partner.Consent(partnerApp, "DelegatedAdminRelationship.Read.All", "Directory.Read.All")
	customers := map[string]*cloudTenant{}
	renew := func(tenant *cloudTenant, ends map[string]string) {
		list := tenant.SKUs()
		for i := range list {
			end, fixed := ends[list[i].PartNumber]
			if !fixed {
				end = "2027-12-31"
			}
			at, err := time.Parse(time.DateOnly, end)
			fatal(t, err)
			id := tenant.ID()[:35] + string(rune('a'+i))
			list[i].Terms = []microsoftsim.Term{{
				ID: "s" + id, Commerce: id, Quantity: list[i].Enabled, Status: "Enabled", Ends: at, Length: "P1Y", Billing: "monthly", Renews: !fixed, Seller: partner.ID(),
			}}
		}
		tenant.SetSKUs(list...)
	}
	for i := range page {
		p := &page[i]
		made := cloud.AddTenant(microsoftsim.TenantOptions{ID: p.ID, Name: p.Name, Domain: p.Domain, Domains: p.Domains})
		made.Consent(cloudApp, cloudPermissions()...)
		tenant := p.fill(made)
		renew(tenant, p.Ends)
		cloud.AddCustomer(made)
		customers[p.Name] = tenant
	}

	in := f.install(map[string]string{"csp-customers": appSecret, "csp-partner": appSecret},
		"\n    csp:\n", cloudAddress("csp", cloud.URL()), "customer_details: true ", "partner_center_scope: https://api.partnercenter.microsoft.com/.default\n      customer_details: true ")
	fatal(t, writeCA(in, cloud.CA()))
	in.expect(0, "check", "--probe")
	in.expect(0, "sync", "customers")
	f.records(in)
	exported := in.expect(0, "tables", "export", "customers").out
	for line := range strings.Lines(f.files["tenants.csv"]) {
		if !strings.Contains(exported, line) {
			t.Errorf("tables export does not write %q:\n%s", line, exported)
		}
	}
	hill, harbour := customers["Hill Ltd"], customers["Harbour"]
	f.then(in, []string{"sync", "customers"}, map[string]func(){
		"Cleo gets a licence at Hill":           func() { hill.license("Cleo Cole", "SPE_E3") },
		"Ida joins the group Portal at Harbour": func() { harbour.AddMember(harbour.ids["Portal"], harbour.ids["Ida Ives"]) },
		"Hill moves Ben to an address of another domain": func() {
			hill.Set(hill.ids["Ben Bell"], microsoftsim.Props{"mail": "ben@elsewhere.example"})
		},
		"the row of the newcomer is filled in with the number 1003": func() {
			table := strings.Replace(f.files["tenants.csv"], ",new.example,,", ",new.example,1003,yes", 1)
			fatal(t, os.WriteFile(in.path("tenants.csv"), []byte(table), 0o600))
		},
		"Harbour renews its subscription no more, which ends on 2027-01-31": func() { renew(harbour, map[string]string{"SPE_E3": "2027-01-31"}) },
	})
}
