package tour

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/connectors/sim/googlesim"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/connectors/sim/oktasim"
	"dirsyncd/sync/api"
)

// Identities of the made-up cloud. They open nothing but the simulators of this process.
const (
	demoApp     = "11111111-2222-4333-8444-555555555555"
	demoPartner = "66666666-7777-4888-9999-000000000000"
	demoSecret  = "not~a~secret"
)

// cloud is what the last part of the demonstration reads: simulators of three vendors, for four connections.
type cloud struct {
	microsoft *microsoftsim.Server
	google    *googlesim.Server
	okta      *oktasim.Server
	own       *microsoftsim.Tenant // the company's tenant
	partner   *microsoftsim.Tenant
	customers []*microsoftsim.Tenant
}

func (c *cloud) close() {
	if c.microsoft != nil {
		_ = c.microsoft.Close()
	}
	if c.google != nil {
		_ = c.google.Close()
	}
	if c.okta != nil {
		c.okta.Close()
	}
}

const cloudConfig = `
  entra:
    connector: entra
    schedule: "@every 1m"
    mapping: cloud
    targets: [journal]
    entra: {tenant: %[1]s, client_id: %[2]s, client_secret: %[3]s, authority: "%[4]s", graph: "%[4]s", ca_file: microsoft-ca.pem, devices: true}
  customers:
    connector: csp
    schedule: "@every 1m"
    mapping: cloud
    targets: [journal]
    csp:
      tenant: %[5]s
      name: Northwind IT Services
      client_id: %[2]s
      client_secret: %[3]s
      partner_app: {client_id: %[6]s, client_secret: %[3]s}
      partner_center_scope: https://api.partnercenter.microsoft.com/.default
      authority: "%[4]s"
      graph: "%[4]s"
      partner_center: "%[4]s"
      ca_file: microsoft-ca.pem
  workspace:
    connector: google
    schedule: "@every 1m"
    mapping: cloud
    targets: [journal]
    google: {endpoint: "%[7]s", credentials: {file: google-key.json}, subject: %[8]s, licences: {products: [Google-Apps]}}
  okta:
    connector: okta
    schedule: "@every 1m"
    mapping: cloud
    targets: [journal]
    okta: {url: "%[9]s", token: %[10]s}

mappings:
  cloud:
    rules:
      - name: guests and service accounts stay out
        when: user_type in ["guest", "service"]
        ignore: true
      - name: everyone
        when: enabled ?? false
        user: {customer: '= tenant.name ?? connection'}
    groups:
      - name: groups
        group: {name: = name}
    licences:
      - name: licences
        licence: {name: = name, quantity: = quantity, used: = used}
    devices:
      - name: devices
        asset: {name: = name, owner: = owner.name}
    customers:
      - name: customers
        customer: {name: = name, domain: = domain}
    fields:
      user: {name: = name, email: = email, licences: = licences}
`

// openCloud starts the simulators.
func (t *tour) openCloud() (err error) {
	c := &t.cloud
	if c.microsoft, err = microsoftsim.Start(microsoftsim.Options{}); err != nil {
		return err
	}
	people := func(seed uint64, n int) microsoftsim.TenantOptions {
		return microsoftsim.TenantOptions{Population: microsoftsim.Population{Seed: seed, People: n, Guests: 2, Groups: 5, SKUs: 3, Managed: 6}}
	}
	permissions := []string{
		"User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All", "DeviceManagementManagedDevices.Read.All",
	}
	secret := map[string]time.Time{demoSecret: {}}
	c.partner = c.microsoft.AddTenant(microsoftsim.TenantOptions{Name: "Northwind IT Services"})
	c.microsoft.SetPartner(c.partner.ID())
	c.microsoft.AddApp(microsoftsim.App{ID: demoApp, Home: c.partner.ID(), Secrets: secret})
	c.microsoft.AddApp(microsoftsim.App{ID: demoPartner, Home: c.partner.ID(), Secrets: secret, PartnerCenter: true})
	c.partner.Consent(demoPartner, "DelegatedAdminRelationship.Read.All", "Directory.Read.All")
	c.own = c.microsoft.AddTenant(people(7, 40))
	c.own.Consent(demoApp, permissions...)
	for i := range 3 {
		customer := c.microsoft.AddTenant(people(uint64(20+i), 15+5*i))
		customer.Consent(demoApp, permissions...)
		c.microsoft.AddCustomer(customer)
		c.customers = append(c.customers, customer)
	}
	if c.google, err = googlesim.Start(googlesim.Options{}); err != nil {
		return err
	}
	c.google.Customer(0).Fill(40)
	c.okta, err = oktasim.Start(oktasim.Options{People: 40, Groups: 6, Seed: 3})
	return err
}

// fiveDirectories adds four connections to the configuration and syncs all of them.
func (t *tour) fiveDirectories(ctx context.Context) error {
	t.title("Five directories, side by side", "Entra ID, a Microsoft partner with three customers, Google Workspace and Okta join\n"+
		"   the LDAP directory: made up, too, but read through the vendors' own protocols.")
	if err := t.openCloud(); err != nil {
		return err
	}
	c := &t.cloud
	more := fmt.Sprintf(cloudConfig, c.own.ID(), demoApp, demoSecret, c.microsoft.URL(), c.partner.ID(), demoPartner,
		c.google.Endpoint(), c.google.Customer(0).Admin(), c.okta.URL, c.okta.Token())
	err := t.addConnection(ctx, more, map[string][]byte{"microsoft-ca.pem": c.microsoft.CA(), "google-key.json": c.google.KeyFile()})
	if err != nil {
		return err
	}
	runs, err := t.syncAll(ctx)
	if err != nil {
		return err
	}
	clean := !slices.ContainsFunc(runs, func(r api.Run) bool { return r.Outcome != "clean" })
	return expect("all of five directories are read", clean && len(runs) == 8)
}

// oneCustomer breaks one of the partner's customers.
func (t *tour) oneCustomer(ctx context.Context) error {
	bad := t.cloud.customers[1]
	t.title("One customer of many", "%s withdraws its consent, and somebody joins another customer. That\n   is one line for the operator, and delays nobody.", bad.Name())
	bad.Revoke(demoApp)
	t.cloud.customers[0].AddUser(microsoftsim.Props{"displayName": "Ines Moreau", "mail": "ines.moreau@" + t.cloud.customers[0].Domain()})
	runs, err := t.syncAll(ctx)
	if err != nil {
		return err
	}
	failed, created := 0, 0
	for _, r := range runs {
		if r.Outcome == "failed" {
			failed++
		}
		created += r.Counts["user"]["create"]
	}
	return expect("one tenant fails alone", failed == 1 && created == 1 && len(runs) == 8)
}

// syncAll syncs every connection and shows a line per tenant.
func (t *tour) syncAll(ctx context.Context) ([]api.Run, error) {
	result, err := t.ops.Sync(ctx, api.SyncRequest{}, nil)
	if err != nil {
		return nil, err
	}
	t.ran(result.Runs...)
	t.Out.Line("   $ dirsyncd sync")
	rows := &term.Table{Indent: "     ", Columns: []term.Column{term.Left("CONNECTION"), term.Shrink("TENANT"), term.Left("OUTCOME"), term.Right("REQUESTS"), term.Right("READ"), term.Left("RECORDS CREATED")}}
	for _, run := range result.Runs {
		name := run.TenantName
		if name == "" {
			name = run.Tenant
		}
		rows.Add(run.Connection, name, term.State(run.Outcome), term.Number(run.Requests), term.Number(run.Read), created(run))
	}
	t.Out.Table(rows)
	for _, run := range result.Runs {
		if run.Error != "" {
			t.Out.Para("     ", run.Error)
		}
	}
	if info, err := os.Stat(t.path("changes.jsonl")); err == nil {
		t.read = info.Size()
	}
	return result.Runs, nil
}

func created(run api.Run) string {
	var parts []string
	for _, kind := range []string{"customer", "site", "user", "agent", "group", "licence", "asset"} {
		if n := run.Counts[kind]["create"]; n > 0 {
			parts = append(parts, term.Many(n, kind))
		}
	}
	return strings.Join(parts, ", ")
}
