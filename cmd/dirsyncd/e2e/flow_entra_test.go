package e2e

import (
	"testing"
	"time"

	"dirsyncd/connectors/sim/microsoftsim"
)

// flowTenant is what a page says of a tenant of Entra ID.
type flowTenant struct {
	People []struct {
		Name, Mail, Office, Mobile, Manager string
		Groups, Licences                    []string
		Guest, Disabled                     bool
	}
	Licences map[string]int
	Devices  []struct {
		Name, Serial, OS, Owner, State, Agent string
		Seen                                  int
	}
}

// cloudTenant is a tenant with what a page says of it, and the ids of its objects by name.
type cloudTenant struct {
	*microsoftsim.Tenant
	ids  map[string]string
	skus map[string]string // ids by part number
}

func (page *flowTenant) fill(tenant *microsoftsim.Tenant) *cloudTenant {
	c := &cloudTenant{Tenant: tenant, ids: map[string]string{}, skus: map[string]string{
		"SPE_E3": "05e9a617-0261-4cee-bb44-138d3ef5d965", "VISIOCLIENT": "c5928f49-12ba-48f7-ada3-0d743a3601d5",
		"POWER_BI_STANDARD": "a403ebcc-fae0-4ca2-8c8c-7a907fd6c235",
	}}
	var skus []microsoftsim.SKU
	for part, n := range page.Licences {
		skus = append(skus, microsoftsim.SKU{ID: c.skus[part], PartNumber: part, Name: part, Status: "Enabled", Enabled: n})
	}
	tenant.SetSKUs(skus...)
	for _, p := range page.People {
		props := microsoftsim.Props{"displayName": p.Name, "mail": p.Mail, "userPrincipalName": p.Mail, "accountEnabled": !p.Disabled, "userType": "Member"}
		for name, value := range map[string]string{"officeLocation": p.Office, "mobilePhone": p.Mobile} {
			if value != "" {
				props[name] = value
			}
		}
		if p.Guest {
			props["userType"] = "Guest"
		}
		id := tenant.AddUser(props)
		c.ids[p.Name] = id
		for _, g := range p.Groups {
			if c.ids[g] == "" {
				c.ids[g] = tenant.AddGroup(microsoftsim.Props{"displayName": g})
			}
			tenant.AddMember(c.ids[g], id)
		}
		c.license(p.Name, p.Licences...)
		if p.Manager != "" {
			tenant.SetManager(id, c.ids[p.Manager])
		}
	}
	for _, d := range page.Devices {
		props := microsoftsim.Props{"deviceName": d.Name, "serialNumber": d.Serial, "operatingSystem": d.OS, "userId": c.ids[d.Owner], "lastSyncDateTime": daysAgo(d.Seen)}
		for name, value := range map[string]string{"managementAgent": d.Agent, "complianceState": d.State} {
			if value != "" {
				props[name] = value
			}
		}
		c.ids[d.Name] = tenant.AddManaged(props)
	}
	return c
}

// license gives somebody exactly these products, by part number.
func (c *cloudTenant) license(name string, parts ...string) {
	skus := make([]string, len(parts))
	for i, part := range parts {
		skus[i] = c.skus[part]
	}
	c.Assign(c.ids[name], skus...)
}

func daysAgo(n int) string {
	return time.Now().UTC().AddDate(0, 0, -n).Format(time.RFC3339)
}

// cloudPermissions are those of an application that reads everything.
func cloudPermissions() []string {
	return []string{"User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All", "DeviceManagementManagedDevices.Read.All"}
}

// TestFlowEntra runs docs/flows/entra.md.
func TestFlowEntra(t *testing.T) {
	t.Parallel()
	f := readFlow(t, "entra")
	page := flowBlock[flowTenant](f, "source")
	cloud, err := microsoftsim.Start(microsoftsim.Options{})
	fatal(t, err)
	t.Cleanup(func() { _ = cloud.Close() })
	made := cloud.AddTenant(microsoftsim.TenantOptions{ID: "11111111-2222-3333-4444-555555555555", Name: "Acme"})
	cloud.AddApp(microsoftsim.App{ID: cloudApp, Home: made.ID(), Secrets: map[string]time.Time{appSecret: {}}})
	made.Consent(cloudApp, cloudPermissions()...)
	tenant := page.fill(made)

	in := f.install(map[string]string{"entra-secret": appSecret}, "\n    entra:\n", cloudAddress("entra", cloud.URL()))
	fatal(t, writeCA(in, cloud.CA()))
	in.expect(0, "check", "--probe")
	in.expect(0, "sync", "cloud")
	f.records(in)
	f.then(in, []string{"sync", "cloud"}, map[string]func(){
		"Ben leaves the group Approvers": func() { tenant.RemoveMember(tenant.ids["Approvers"], tenant.ids["Ben Bell"]) },
		"Cleo has no licences any more":  func() { tenant.license("Cleo Cole") },
		"Cleo has a licence again":       func() { tenant.license("Cleo Cole", "SPE_E3") },
		"Ben has no mobile phone and another office, where his device goes with him": func() {
			tenant.Set(tenant.ids["Ben Bell"], microsoftsim.Props{"mobilePhone": nil, "officeLocation": "Bergen"})
		},
		"PC-2 is seen again, runs iOS and belongs to nobody": func() {
			tenant.SetManaged(tenant.ids["PC-2"], microsoftsim.Props{"lastSyncDateTime": daysAgo(0), "operatingSystem": "iOS", "userId": ""})
		},
		"Ben is deleted, as the delta says":       func() { tenant.SoftDelete(tenant.ids["Ben Bell"]) },
		"the night comes":                         func() {},
		"Phone-1 is deleted, and the night comes": func() { tenant.DeleteManaged(tenant.ids["Phone-1"]) },
	})
}
