package proof

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/csp"
	"dirsyncd/connectors/entra"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/settings"
)

const (
	readerApp  = "11111111-2222-4333-8444-555555555555"
	partnerApp = "66666666-7777-4888-9999-000000000000"
)

func readerPermissions() []string {
	return []string{"User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All", "DeviceManagementManagedDevices.Read.All"}
}

func microsoft(t *testing.T) (s *microsoftsim.Server, ca settings.Path) {
	t.Helper()
	s, err := microsoftsim.Start(microsoftsim.Options{Pages: microsoftsim.Pages{Users: 8, Groups: 3, Members: 12, List: 8, Most: 8, Customers: 2}})
	check(t, err)
	t.Cleanup(func() { _ = s.Close() })
	file, err := s.WriteCA(t.TempDir())
	check(t, err)
	return s, settings.Path(file)
}

func entraWorld(t *testing.T) *world {
	s, ca := microsoft(t)
	tenant := s.AddTenant(microsoftsim.TenantOptions{Population: microsoftsim.Population{
		Seed: 5, People: 26, Guests: 2, Groups: 5, Managed: 4, SKUs: 3, Photos: true,
	}})
	s.AddApp(microsoftsim.App{ID: readerApp, Home: tenant.ID(), Secrets: map[string]time.Time{"s3cret-of-the-app": {}}})
	tenant.Consent(readerApp, readerPermissions()...)
	var w *world
	w = &world{
		name: "entra", timeout: patience,
		open: func(t *testing.T, env connectors.Env) connectors.Connector {
			cfg := entra.Defaults()
			cfg.Tenant, cfg.ClientID, cfg.ClientSecret = tenant.ID(), readerApp, settings.NewSecret("s3cret-of-the-app")
			cfg.Authority, cfg.Graph, cfg.CAFile = s.URL(), s.URL(), ca
			cfg.Timeout, cfg.Devices, cfg.Photos = settings.Duration(w.timeout), true, true
			c, err := entra.Factory().Open(cfg, env)
			check(t, err)
			return c
		},
	}
	directoryOf(w, func(*rand.Rand) *microsoftsim.Tenant { return tenant })
	w.hurt, w.mend = graphTrouble(s, tenant, readerApp, readerPermissions())
	return w
}

// directoryOf makes the changes of a world in the tenant that a function picks.
func directoryOf(w *world, of func(*rand.Rand) *microsoftsim.Tenant) {
	names := 0
	next := func() string { names++; return fmt.Sprintf("Newcomer %d", names) }
	first := func() *microsoftsim.Tenant { return of(rand.New(rand.NewPCG(1, 1))) }
	w.join = func(*testing.T) { first().AddUser(microsoftsim.Props{"displayName": next(), "jobTitle": "New"}) }
	w.leave = func(*testing.T) { tenant := first(); tenant.SoftDelete(tenant.UserIDs()[3]) }
	w.change = func(_ *testing.T, rnd *rand.Rand) bool {
		tenant := of(rnd)
		users, groups := tenant.UserIDs(), tenant.GroupIDs()
		user, group := pick(rnd, users), pick(rnd, groups)
		switch rnd.IntN(12) {
		case 0:
			tenant.AddUser(microsoftsim.Props{"displayName": next(), "mail": fmt.Sprintf("new%d@example.test", names)})
		case 1:
			if len(users) < 10 {
				return false
			}
			tenant.SoftDelete(user)
		case 2:
			gone := tenant.DeletedIDs()
			if len(gone) == 0 {
				return false
			}
			tenant.Restore(pick(rnd, gone))
		case 3, 4:
			tenant.Set(user, microsoftsim.Props{"jobTitle": next(), "accountEnabled": rnd.IntN(4) > 0})
		case 5:
			tenant.SetManager(user, pick(rnd, users))
		case 6, 7:
			tenant.AddMember(group, user)
		case 8:
			members := tenant.Members(group)
			if len(members) == 0 {
				return false
			}
			tenant.RemoveMember(group, pick(rnd, members))
		case 9:
			tenant.AddMember(tenant.AddGroup(microsoftsim.Props{"displayName": next()}), user)
		case 10:
			tenant.Assign(user, pick(rnd, tenant.SKUs()).ID)
		default:
			tenant.Set(group, microsoftsim.Props{"displayName": next()})
		}
		return true
	}
}

// graphTrouble is what can go wrong with the services of Microsoft, for one tenant of a connection.
func graphTrouble(s *microsoftsim.Server, tenant *microsoftsim.Tenant, app string, permissions []string) (func(*testing.T, *wrong), func()) {
	paths := map[string]string{
		"users": "/users/delta", "groups": "/groups/delta", "licences": "/subscribedSkus", "devices": "/managedDevices", "token": "/token",
		"customers": "/v1/customers", "gdap": "/delegatedAdminRelationships", "contracts": "/contracts", "any": "", "photos": "/photo", "batch": "$batch", "members": "/members",
		"subscriptions": "/subscriptions",
	}
	kinds := map[string]microsoftsim.FaultKind{
		"empty": microsoftsim.Empty, "html": microsoftsim.HTML, "cut": microsoftsim.Cut, "reset": microsoftsim.Reset, "hang": microsoftsim.Hang, "loop": microsoftsim.Loop,
		"endless": microsoftsim.Endless, "foreign": microsoftsim.Foreign, "null-element": microsoftsim.NullElement, "no-list": microsoftsim.NoValue,
		"repeat": microsoftsim.Repeat, "reset-410": microsoftsim.Gone, "no-link": microsoftsim.NoLink, "short": microsoftsim.Short, "lacks": microsoftsim.Lacks, "error-beside": microsoftsim.ErrorBeside, "omit": microsoftsim.Omit, "double": microsoftsim.Double,
	}
	undo := []func(){}
	hurt := func(t *testing.T, w *wrong) {
		t.Helper()
		path, ok := paths[w.where]
		if !ok {
			t.Fatalf("line %d: there is no place %q", w.line, w.where)
		}
		switch w.kind {
		case "answer":
			f := microsoftsim.ErrorAnswer(path, w.times, w.code, w.text, "as ordered")
			f.Skip = w.after
			s.Misbehave(f)
		case "one-group": // members are listed one by one where changes are not tracked
			f := microsoftsim.ErrorAnswer("/groups/"+tenant.GroupIDs()[1]+"/members", w.times, w.code, w.text, "as ordered")
			s.Misbehave(f)
			fallthrough
		case "untracked":
			s.Misbehave(microsoftsim.ErrorAnswer("/delta", 0, 400, "Request_UnsupportedQuery", "Change enumeration is not supported for requested tenant."))
		case "short-members":
			s.Misbehave(microsoftsim.ErrorAnswer("/delta", 0, 400, "Request_UnsupportedQuery", "Change enumeration is not supported for requested tenant."))
			s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.Short, Path: "/members", Times: w.times})
		case "throttle":
			f := microsoftsim.Throttle(path, w.text, w.times)
			f.Skip = w.after
			s.Misbehave(f)
		case "bad-gateway":
			f := microsoftsim.BadGateway(path, w.times)
			f.Skip = w.after
			s.Misbehave(f)
		case "challenge":
			s.Misbehave(microsoftsim.Challenge(path, w.times))
		case "expire":
			s.ExpireTokens(w.text == "pages")
		case "expire-access":
			s.ExpireAccessTokens()
		case "revoke":
			tenant.Revoke(app, w.text)
			undo = append(undo, func() { tenant.Consent(app, permissions...) })
		case "no-consent":
			tenant.Revoke(app)
			undo = append(undo, func() { tenant.Consent(app, permissions...) })
		case "refuse":
			s.RefuseTokens(tenant.ID(), app, w.code)
			undo = append(undo, func() { s.RefuseTokens(tenant.ID(), app, 0) })
		case "tenant-gone":
			tenant.SetGone(true)
			undo = append(undo, func() { tenant.SetGone(false) })
		case "black-hole":
			undo = append(undo, s.BlackHole(tenant.ID()))
		case "not-customer":
			relations := s.Tenants()
			s.SetCustomers()
			s.SetRelationships()
			s.SetContracts()
			undo = append(undo, func() {
				for _, other := range relations {
					if other.ID() != s.Partner() {
						s.AddCustomer(other)
					}
				}
			})
		default:
			kind, ok := kinds[w.kind]
			if !ok {
				t.Fatalf("line %d: Microsoft does not know %q", w.line, w.kind)
			}
			s.Misbehave(microsoftsim.Fault{Kind: kind, Path: path, Skip: w.after, Times: w.times})
		}
	}
	mend := func() {
		s.Behave()
		for _, f := range undo {
			f()
		}
		undo = nil
	}
	return hurt, mend
}

func cspWorld(t *testing.T) *world {
	s, ca := microsoft(t)
	partner := s.AddTenant(microsoftsim.TenantOptions{Name: "The Partner"})
	s.SetPartner(partner.ID())
	s.AddApp(microsoftsim.App{ID: readerApp, Home: partner.ID(), Secrets: map[string]time.Time{"s3cret-of-the-app": {}}})
	s.AddApp(microsoftsim.App{ID: partnerApp, Home: partner.ID(), Secrets: map[string]time.Time{"s3cret-of-the-partner": {}}, PartnerCenter: true})
	partner.Consent(partnerApp, "DelegatedAdminRelationship.Read.All", "Directory.Read.All")
	var customers []*microsoftsim.Tenant
	for i := range 3 {
		customer := s.AddTenant(microsoftsim.TenantOptions{Population: microsoftsim.Population{Seed: uint64(i + 1), People: 12, Groups: 3, SKUs: 2, Managed: 2}})
		customer.Consent(readerApp, readerPermissions()...)
		s.AddCustomer(customer)
		customers = append(customers, customer)
	}
	var w *world
	w = &world{
		name: "csp", timeout: patience,
		open: func(t *testing.T, env connectors.Env) connectors.Connector {
			cfg := csp.Defaults()
			cfg.Tenant, cfg.Name = partner.ID(), partner.Name()
			cfg.App = csp.App{ClientID: readerApp, ClientSecret: settings.NewSecret("s3cret-of-the-app")}
			cfg.PartnerApp = csp.App{ClientID: partnerApp, ClientSecret: settings.NewSecret("s3cret-of-the-partner")}
			cfg.Authority, cfg.Graph, cfg.PartnerCenter, cfg.CAFile = s.URL(), s.URL(), s.URL(), ca
			cfg.PartnerCenterScope = "https://api.partnercenter.microsoft.com/.default"
			cfg.Timeout, cfg.Devices = settings.Duration(w.timeout), true
			c, err := csp.Factory().Open(cfg, env)
			check(t, err)
			return c
		},
	}
	directoryOf(w, func(rnd *rand.Rand) *microsoftsim.Tenant { return pick(rnd, customers) })
	w.hurt, w.mend = graphTrouble(s, customers[0], readerApp, readerPermissions())
	return w
}
