package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/connectors/sim/oktasim"
)

// troubled are sources that change all the time and fail now and then: a partner with its customers, a tenant and an org. Its methods may
// be called by several goroutines.
type troubled struct {
	cloud   *microsoftsim.Server
	partner *microsoftsim.Tenant
	own     *microsoftsim.Tenant
	tenants []*microsoftsim.Tenant // own and the customers
	org     *oktasim.Server

	mu      sync.Mutex
	rnd     *rand.Rand
	changes int
	holes   []func()
}

// Nobody has so few people that there is nobody to take away, and nobody grows all the time.
const (
	peopleOfTenant, peopleOfOrg = 6, 40
	groupsAtMost                = 6
)

func openTroubled(t *testing.T, seed uint64, customers int) *troubled {
	t.Helper()
	cloud, err := microsoftsim.Start(microsoftsim.Options{Delay: 10 * time.Millisecond, Pages: microsoftsim.Pages{Users: 4, Groups: 2, Members: 4, List: 4}})
	fatal(t, err)
	t.Cleanup(func() { _ = cloud.Close() })
	limits := map[string]int{}
	for _, name := range []string{"users", "users/{id}", "groups", "groups/{id}", "apps", "apps/{id}", "logs"} {
		limits["/api/v1/"+name] = 10_000_000
	}
	org, err := oktasim.Start(oktasim.Options{People: peopleOfOrg, Groups: 4, PageCap: 16, Token: oktaToken, Limits: limits})
	fatal(t, err)
	t.Cleanup(org.Close)
	s := &troubled{cloud: cloud, org: org, rnd: rand.New(rand.NewPCG(seed, 2))}
	tenant := func(n int) *microsoftsim.Tenant {
		made := cloud.AddTenant(microsoftsim.TenantOptions{Population: microsoftsim.Population{Seed: uint64(n + 1), People: peopleOfTenant, Groups: 2, SKUs: 2, Managed: 1}})
		made.Consent(cloudApp, cloudPermissions()...)
		s.tenants = append(s.tenants, made)
		return made
	}
	s.partner = cloud.AddTenant(microsoftsim.TenantOptions{Name: "The Partner"})
	cloud.SetPartner(s.partner.ID())
	secret := map[string]time.Time{appSecret: {}}
	cloud.AddApp(microsoftsim.App{ID: cloudApp, Home: s.partner.ID(), Secrets: secret})
	cloud.AddApp(microsoftsim.App{ID: partnerApp, Home: s.partner.ID(), Secrets: secret, PartnerCenter: true})
	s.partner.Consent(partnerApp, "DelegatedAdminRelationship.Read.All", "Directory.Read.All")
	s.own = tenant(0)
	for i := range customers {
		cloud.AddCustomer(tenant(i + 1))
	}
	return s
}

// blocks are the connections of a configuration, with one schedule for all. Files of secrets are in a folder.
func (s *troubled) blocks(schedule, folder string) string {
	head := func(name, connector string) string {
		return fmt.Sprintf("  %s:\n    connector: %s\n    schedule: %q\n    mapping: all\n    targets: [desk]\n", name, connector, schedule)
	}
	app := fmt.Sprintf("client_id: %s, client_secret: {file: %s/app-secret}, authority: %q, graph: %q, ca_file: %s/ca.pem, timeout: 30s",
		cloudApp, folder, s.cloud.URL(), s.cloud.URL(), folder)
	return head("partner", "csp") + fmt.Sprintf("    csp: {tenant: %s, %s, partner_app: {client_id: %s, client_secret: {file: %s/app-secret}}, partner_center_scope: \"https://api.partnercenter.microsoft.com/.default\", partner_center: %q}\n",
		s.partner.ID(), app, partnerApp, folder, s.cloud.URL()) +
		head("entra", "entra") + fmt.Sprintf("    entra: {tenant: %s, %s, devices: true}\n", s.own.ID(), app) +
		head("okta", "okta") + fmt.Sprintf("    okta: {url: %q, token: {file: %s/okta-token}, share: 100, timeout: 30s}\n", s.org.URL, folder)
}

func one[T any](rnd *rand.Rand, list []T) T { return list[rnd.IntN(len(list))] }

func (s *troubled) next() string { s.changes++; return fmt.Sprintf("Changed %d", s.changes) }

// change changes something somewhere.
func (s *troubled) change() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rnd.IntN(6) == 0 {
		s.changeOrg()
		return
	}
	tenant := one(s.rnd, s.tenants)
	users, groups := tenant.UserIDs(), tenant.GroupIDs()
	user, group := one(s.rnd, users), one(s.rnd, groups)
	switch s.rnd.IntN(12) {
	// Nobody is restored: who was in the deleted items during a full read is in his groups only after the next one (docs/entra.md).
	case 0, 2:
		if len(users) < 2*peopleOfTenant {
			name := s.next()
			tenant.AddUser(microsoftsim.Props{"displayName": name, "mail": fmt.Sprintf("new%d@example.test", s.changes)})
		}
	case 1:
		if len(users) > peopleOfTenant-2 {
			tenant.SoftDelete(user)
		}
	case 3, 4:
		tenant.Set(user, microsoftsim.Props{"jobTitle": s.next(), "accountEnabled": s.rnd.IntN(4) > 0})
	case 5:
		tenant.SetManager(user, one(s.rnd, users))
	case 6, 7:
		tenant.AddMember(group, user)
	case 8:
		if members := tenant.Members(group); len(members) > 0 {
			tenant.RemoveMember(group, one(s.rnd, members))
		}
	case 9:
		if len(groups) < groupsAtMost {
			tenant.AddMember(tenant.AddGroup(microsoftsim.Props{"displayName": s.next()}), user)
		}
	case 10:
		tenant.Assign(user, one(s.rnd, tenant.SKUs()).ID)
	default:
		tenant.Set(group, microsoftsim.Props{"displayName": s.next()})
	}
}

func (s *troubled) changeOrg() {
	ids := s.org.UserIDs()
	user := one(s.rnd, ids)
	group := one(s.rnd, slices.DeleteFunc(s.org.Groups(), func(g oktasim.Group) bool { return g.Type == "BUILT_IN" }))
	switch s.rnd.IntN(6) {
	case 0:
		if len(ids) < 2*peopleOfOrg {
			name := s.next()
			s.org.AddUser(map[string]any{"login": fmt.Sprintf("new%d@example.test", s.changes), "firstName": "New", "lastName": name, "displayName": name})
		}
	case 1:
		if len(ids) > peopleOfOrg/2 {
			s.org.DeleteUser(user)
		}
	case 2:
		s.org.SetProfile(user, "title", s.next())
	case 3:
		s.org.AddMember(group.ID, user)
	case 4:
		if len(group.Members) > 0 {
			s.org.RemoveMember(group.ID, one(s.rnd, group.Members))
		}
	default:
		s.org.RenameGroup(group.ID, s.next(), "renamed")
	}
}

// touch changes the object once more that an event speaks of, where it has a name that can be changed.
func (s *troubled) touch(e *event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, name := e.Data.Origin.ID, s.next()
	switch e.Data.Origin.Connection {
	case "okta":
		if e.Data.Kind == "user" {
			s.org.SetProfile(id, "title", name)
		} else {
			s.org.RenameGroup(id, name, "renamed")
		}
	default:
		tenant := s.own
		if of := e.Data.Origin.Tenant; of != "" {
			tenant = s.cloud.Tenant(of)
		}
		switch _, there := tenant.Get(id); {
		case there && e.Data.Kind == "user":
			tenant.Set(id, microsoftsim.Props{"jobTitle": name})
		case there && e.Data.Kind == "group":
			tenant.Set(id, microsoftsim.Props{"displayName": name})
		}
	}
}

// hurt makes things go wrong until rest. It says what.
func (s *troubled) hurt() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var did []string
	for range 1 + s.rnd.IntN(3) {
		path := one(s.rnd, []string{"/users/delta", "/groups/delta", "/subscribedSkus", "/managedDevices", "/v1/customers", ""})
		n, skip := 1+s.rnd.IntN(4), s.rnd.IntN(10)
		arm := func(what string, f microsoftsim.Fault) {
			f.Skip = skip
			s.cloud.Misbehave(f)
			did = append(did, fmt.Sprintf("%s %s", what, path))
		}
		switch s.rnd.IntN(8) {
		case 0:
			arm("throttled", microsoftsim.Throttle(path, "1", n))
		case 1:
			arm("502", microsoftsim.BadGateway(path, n))
		case 2:
			arm("503", microsoftsim.ErrorAnswer(path, n, http.StatusServiceUnavailable, "serviceUnavailable", "as ordered"))
		case 3:
			arm("cut", microsoftsim.Fault{Kind: microsoftsim.Cut, Path: path, Times: n})
		case 4:
			arm("reset", microsoftsim.Fault{Kind: microsoftsim.Reset, Path: path, Times: n})
		case 5:
			arm("hangs", microsoftsim.Fault{Kind: microsoftsim.Hang, Path: path, Times: n})
		case 6:
			s.holes = append(s.holes, s.cloud.BlackHole(one(s.rnd, s.tenants).ID()))
			did = append(did, "a tenant hangs")
		default:
			s.cloud.ExpireTokens(s.rnd.IntN(2) == 0)
			did = append(did, "tokens expire")
		}
	}
	f := oktasim.Fault{Path: "/api/v1/", Times: 1 + s.rnd.IntN(3), Skip: s.rnd.IntN(10), Header: map[string]string{"Content-Type": "application/json"}}
	switch s.rnd.IntN(5) {
	case 0:
		f.Status, f.Body = http.StatusServiceUnavailable, `{"errorCode":"E0000009","errorSummary":"as ordered"}`
	case 1:
		f.Kind = oktasim.Cut
	case 2:
		f.Kind = oktasim.Reset
	case 3:
		f.Kind = oktasim.Hang
	default:
		return strings.Join(did, ", ")
	}
	s.org.Break(f)
	return strings.Join(append(did, "okta fails"), ", ")
}

// rest undoes hurt.
func (s *troubled) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, release := range s.holes {
		release()
	}
	s.holes = nil
	s.cloud.Behave()
	s.org.Mend()
}
