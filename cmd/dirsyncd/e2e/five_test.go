package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors/sim/googlesim"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/connectors/sim/oktasim"
)

const (
	cloudApp   = "11111111-2222-4333-8444-555555555555"
	partnerApp = "66666666-7777-4888-9999-000000000000"
)

const fiveConfig = `state: state.db
listen: ""
connections:
  hq:
    connector: ldap
    schedule: "@every 1s"
    mapping: all
    targets: [journal]
    ldap: {servers: ["%[1]s"], bind: {user: "cn=reader,ou=services,%[2]s", password: {env: LDAP_PASSWORD}}, base: "%[2]s"}
  entra:
    connector: entra
    schedule: "@every 1s"
    mapping: all
    targets: [journal]
    entra: {tenant: %[3]s, client_id: %[4]s, client_secret: {file: app-secret}, authority: "%[5]s", graph: "%[5]s", ca_file: ca.pem, devices: true}
  partner:
    connector: csp
    schedule: "@every 1s"
    mapping: all
    targets: [journal]
    csp: {tenant: %[6]s, client_id: %[4]s, client_secret: {file: app-secret}, partner_app: {client_id: %[7]s, client_secret: {file: app-secret}}, partner_center_scope: "https://api.partnercenter.microsoft.com/.default", authority: "%[5]s", graph: "%[5]s", partner_center: "%[5]s", ca_file: ca.pem}
  workspace:
    connector: google
    schedule: "@every 1s"
    mapping: all
    targets: [journal]
    google: {endpoint: "%[8]s", credentials: {file: google.json}, subject: %[9]s, licences: {products: [Google-Apps]}, share: 100}
  okta:
    connector: okta
    schedule: "@every 1s"
    mapping: all
    targets: [journal]
    okta: {url: "%[10]s", token: {file: okta-token}, share: 100}
mappings:
  all:
    rules: [{name: everyone, when: "enabled ?? false", user: {customer: '= tenant.name ?? connection'}}]
    groups: [{name: groups, group: true}]
    licences: [{name: licences, licence: {used: = used}}]
    devices: [{name: devices, asset: {owner: = owner.name}}]
    customers: [{name: customers, customer: {domain: = domain}}]
    fields:
      user: {name: = name, email: = email, title: = title, licences: = licences}
      group: {name: = name}
      licence: {name: = name}
      asset: {name: = name}
      customer: {name: = name}
targets:
  journal: {target: file, file: {path: changes.jsonl}}
`

// TestFiveDirectories: one configuration, five connectors, the real program. All are read and followed; one customer's
// trouble is that customer's alone.
func TestFiveDirectories(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	cloud, err := microsoftsim.Start(microsoftsim.Options{})
	fatal(t, err)
	t.Cleanup(func() { _ = cloud.Close() })
	tenant := func(seed uint64) *microsoftsim.Tenant {
		made := cloud.AddTenant(microsoftsim.TenantOptions{Population: microsoftsim.Population{Seed: seed, People: 20, Groups: 3, SKUs: 2, Managed: 3}})
		made.Consent(cloudApp, "User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All", "DeviceManagementManagedDevices.Read.All")
		return made
	}
	partner := cloud.AddTenant(microsoftsim.TenantOptions{Name: "The Partner"})
	cloud.SetPartner(partner.ID())
	secret := map[string]time.Time{appSecret: {}}
	cloud.AddApp(microsoftsim.App{ID: cloudApp, Home: partner.ID(), Secrets: secret})
	cloud.AddApp(microsoftsim.App{ID: partnerApp, Home: partner.ID(), Secrets: secret, PartnerCenter: true})
	partner.Consent(partnerApp, "DelegatedAdminRelationship.Read.All", "Directory.Read.All")
	own, good, bad := tenant(1), tenant(2), tenant(3)
	cloud.AddCustomer(good)
	cloud.AddCustomer(bad)
	workspace, err := googlesim.Start(googlesim.Options{})
	fatal(t, err)
	t.Cleanup(func() { _ = workspace.Close() })
	workspace.Customer(0).Fill(30)
	org, err := oktasim.Start(oktasim.Options{People: 25, Groups: 3, Token: oktaToken})
	fatal(t, err)
	t.Cleanup(org.Close)

	in := install(t, fmt.Sprintf(fiveConfig, s.URL, s.Suffix, own.ID(), cloudApp, cloud.URL(), partner.ID(), partnerApp,
		workspace.Endpoint(), workspace.Customer(0).Admin(), org.URL))
	for name, data := range map[string][]byte{
		"ca.pem": cloud.CA(), "google.json": workspace.KeyFile(), "app-secret": []byte(appSecret), "okta-token": []byte(org.Token()),
	} {
		fatal(t, os.WriteFile(in.path(name), data, 0o600))
	}
	in.expect(0, "check", "--probe")
	d := in.startReady()
	first := map[string]int{"hq": 300, "entra": 18, "partner": 36, "workspace": 25, "okta": 18}
	created := func() map[string]int {
		counts := map[string]int{}
		for _, e := range in.journal() {
			if e.Data.Op == "create" && e.Data.Kind == "user" {
				counts[e.Data.Origin.Connection]++
			}
		}
		return counts
	}
	eventually(t, "all five are read", func() bool {
		now := created()
		for name, n := range first {
			if now[name] < n {
				return false
			}
		}
		return true
	})

	// One customer withdraws its consent. Somebody joins everywhere.
	bad.Revoke(cloudApp)
	s.AddPerson("newcomer", map[string][]string{"cn": {"New Comer"}})
	own.AddUser(microsoftsim.Props{"displayName": "New Comer"})
	good.AddUser(microsoftsim.Props{"displayName": "New Comer"})
	workspace.Customer(0).AddUser(googlesim.User{Email: "new@example.test", GivenName: "New", FamilyName: "Comer"})
	org.AddUser(map[string]any{"firstName": "New", "lastName": "Comer", "displayName": "New Comer", "login": "new@example.com"})
	newcomers := func() (names []string) {
		for _, e := range in.journal() {
			if e.Data.Op == "create" && e.Data.Record["name"] == "New Comer" {
				names = append(names, e.Data.Origin.Connection)
			}
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	if !within(patience, func() bool { return len(newcomers()) == 5 }) {
		t.Fatalf("newcomers have arrived of %q only", newcomers())
	}
	eventually(t, "one customer is failing, and it alone", func() bool {
		failing := 0
		for _, c := range in.status().Connections {
			for _, tenant := range c.Tenants {
				if tenant.State == "failing" {
					failing++
				}
			}
		}
		return failing == 1
	})
	for _, e := range in.journal() {
		if e.Data.Op == "deactivate" || e.Data.Op == "delete" {
			t.Fatalf("somebody was removed: %s", e.inShort())
		}
	}
	own.SoftDelete(own.PersonID(3))
	eventually(t, "a leaver is followed", func() bool {
		return slices.ContainsFunc(in.journal(), func(e event) bool {
			return e.Data.Op == "deactivate" && strings.HasSuffix(e.Data.Key, own.PersonID(3))
		})
	})
	d.stop()
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
