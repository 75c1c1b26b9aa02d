package microsoftsim

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

// partner is what the CSP side knows. It is guarded by the server's lock.
type partner struct {
	tenant    string // the partner's own
	customers []Customer
	relations []Relationship
	contracts []Contract
}

// Customer is an entry of Partner Center's list.
type Customer struct {
	Tenant       string // tenant id
	Name         string
	Domain       string
	Relationship string // reseller, advisor, none, ...
	Address      string // a street; the billing profile has it
}

// Relationship is a granular delegated admin relationship (GDAP).
type Relationship struct {
	ID       string
	Name     string
	Tenant   string // the customer's tenant id
	Customer string // the customer's name
	Status   string // active, expiring, expired, terminated, approvalPending, ...
	Ends     time.Time
	Extends  bool     // by 180 days
	Roles    []string // ids of role definitions
}

// Contract is an entry of Graph's older list.
type Contract struct{ Tenant, Name, Domain, Type string }

// SetPartner says which tenant is the partner's own.
func (s *Server) SetPartner(tenant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.partner.tenant = strings.ToLower(tenant)
}

// Partner is the partner's own tenant id, or "".
func (s *Server) Partner() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.partner.tenant
}

// SetCustomers replaces Partner Center's list.
func (s *Server) SetCustomers(list ...Customer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.partner.customers = slices.Clone(list)
}

// SetRelationships replaces the GDAP relationships.
func (s *Server) SetRelationships(list ...Relationship) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.partner.relations = slices.Clone(list)
}

// SetContracts replaces the contracts.
func (s *Server) SetContracts(list ...Contract) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.partner.contracts = slices.Clone(list)
}

// AddCustomer makes a tenant a customer in all three lists, with a relationship of two years.
func (s *Server) AddCustomer(t *Tenant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.partner
	n := len(p.customers)
	p.customers = append(p.customers, Customer{t.id, t.name, t.domain, "reseller", "1 High Street"})
	p.relations = append(p.relations, Relationship{
		ID: seededGUID(7, 'R', n), Name: t.name + " support", Tenant: t.id, Customer: t.name, Status: "active",
		Ends: s.o.Now().Add(2 * 365 * 24 * time.Hour), Extends: true, Roles: []string{"88d8e3e3-8f55-4a1e-953a-9b9898b8876b", "f2ef992c-3afb-46b9-b7cf-a126ee74c451"},
	})
	p.contracts = append(p.contracts, Contract{t.id, t.name, t.domain, "ResellerPartner"})
}

// isActive reports whether a relationship gives access now.
func (r *Relationship) isActive(now time.Time) bool {
	return (r.Status == "active" || r.Status == "expiring") && (r.Ends.IsZero() || now.Before(r.Ends))
}

// mayManage reports whether any relationship gives access to a tenant. The caller holds the server's lock.
func (p *partner) mayManage(tenant string, now time.Time) bool {
	return slices.ContainsFunc(p.relations, func(r Relationship) bool { return strings.EqualFold(r.Tenant, tenant) && r.isActive(now) })
}

// relationships answers for /contracts and /tenantRelationships, in the partner's tenant only.
func (x *exchange) relationships(path string) {
	s := x.s
	s.mu.Lock()
	own, now := s.partner.tenant, s.o.Now()
	contracts, relations := slices.Clone(s.partner.contracts), slices.Clone(s.partner.relations)
	s.mu.Unlock()
	if own != x.tenant.id {
		contracts, relations = nil, nil
	}
	if path == "contracts" {
		if x.allow("Directory.Read.All") {
			x.spend(3)
			x.listContracts(contracts)
		}
		return
	}
	if !x.allow("DelegatedAdminRelationship.Read.All", "DelegatedAdminRelationship.ReadWrite.All") {
		return
	}
	x.spend(1)
	switch {
	case path == "tenantRelationships/delegatedAdminRelationships":
		x.listRelationships(relations)
	case path == "tenantRelationships/delegatedAdminCustomers":
		seen := map[string]bool{}
		var list []Relationship
		for _, r := range relations {
			if r.isActive(now) && !seen[r.Tenant] {
				seen[r.Tenant] = true
				list = append(list, r)
			}
		}
		x.listCustomers(list)
	default:
		x.refuse(http.StatusBadRequest, "BadRequest", "Resource not found for the segment '"+path+"'.")
	}
}

func (x *exchange) listContracts(list []Contract) {
	q, ok := x.parseQuery()
	if !ok {
		return
	}
	x.listOf("contracts", q, len(list), func(w *writer, i int) bool {
		c := list[i]
		w.WriteString(`{"id":"` + seededGUID(9, 'N', i) + `","contractType":` + text(cmp.Or(c.Type, "ResellerPartner")) + `,"customerId":` + text(c.Tenant) +
			`,"defaultDomainName":` + text(c.Domain) + `,"displayName":` + text(c.Name) + `}`)
		return true
	})
}

// mostRelationships is the largest page of relationships.
const mostRelationships = 300

func (x *exchange) listRelationships(list []Relationship) {
	q, ok := x.parseQuery()
	if !ok {
		return
	}
	if q.values.Has("$top") && q.top > mostRelationships {
		x.refuse(http.StatusBadRequest, "BadRequest", "The limit of '300' for Top query has been exceeded.")
		return
	}
	x.listOf("tenantRelationships/delegatedAdminRelationships", q, len(list), func(w *writer, i int) bool {
		r := list[i]
		if !q.matches(func(name string) (string, bool) { return text(r.Status), name == "status" }) {
			return false
		}
		extend, ends := "PT0S", "null"
		if r.Extends {
			extend = "P180D"
		}
		if !r.Ends.IsZero() {
			ends = quoted(r.Ends.UTC().Format(time.RFC3339))
		}
		var roles []string
		for _, id := range r.Roles {
			roles = append(roles, `{"roleDefinitionId":`+text(id)+`}`)
		}
		w.WriteString(`{"@odata.type":"#microsoft.graph.delegatedAdminRelationship","@odata.etag":"W/\"1\"","id":` + text(r.ID) + `,"displayName":` + text(r.Name) +
			`,"duration":"P730D","autoExtendDuration":"` + extend + `","customer":{"tenantId":` + text(r.Tenant) + `,"displayName":` + text(r.Customer) +
			`},"accessDetails":{"unifiedRoles":[` + strings.Join(roles, ",") + `]},"status":` + text(r.Status) +
			`,"createdDateTime":"2024-01-01T00:00:00Z","lastModifiedDateTime":"2024-01-01T00:00:00Z","activatedDateTime":"2024-01-01T00:00:00Z","endDateTime":` + ends + `}`)
		return true
	})
}

func (x *exchange) listCustomers(list []Relationship) {
	q, ok := x.parseQuery()
	if !ok {
		return
	}
	x.listOf("tenantRelationships/delegatedAdminCustomers", q, len(list), func(w *writer, i int) bool {
		w.WriteString(`{"id":` + text(list[i].Tenant) + `,"tenantId":` + text(list[i].Tenant) + `,"displayName":` + text(list[i].Customer) + `}`)
		return true
	})
}
