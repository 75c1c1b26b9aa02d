package csp

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/directory"
)

// customer is what the sources together know of one customer.
type customer struct {
	id      string
	name    string
	domain  string
	domains []string
	// sources are those that list the customer.
	sources []string
	// reseller is Partner Center's word for the relationship, gdap the state of the best GDAP relationship.
	reseller string
	gdap     string
	ends     time.Time // of that relationship
	roles    []string  // of all relationships that give access
	// gdapName and contract are the customer's name there.
	gdapName, contract string
	detail             *partnerCustomer
}

// answers are what the sources said, each nil when it was not asked.
type answers struct {
	center    []*partnerCustomer
	relations []*relationship
	contracts []*contract
	// invalid is what is wrong with entries that could not be read, by source.
	invalid map[string][]error
}

// lapsed is for how long a customer whose GDAP relationship has run out stays listed on the strength of that alone.
// So whoever forgets to renew one is told, tenant by tenant.
const lapsed = 90 * 24 * time.Hour

// reconcile makes one list of customers of what the sources say. Their order does not matter. Partner Center knows
// names best; those of the contracts are from when the partnership began and are never updated.
func reconcile(a answers, now time.Time) map[string]*customer {
	found := map[string]*customer{}
	at := func(id, source string) *customer {
		c := found[id]
		if c == nil {
			c = &customer{id: id}
			found[id] = c
		}
		if !slices.Contains(c.sources, source) {
			c.sources = append(c.sources, source)
		}
		return c
	}
	for _, p := range a.center {
		c := at(p.ID, sourcePartnerCenter)
		c.name, c.domain, c.reseller = strings.TrimSpace(p.Company.Name), p.Company.Domain, p.Relationship
	}
	for _, k := range sorted(a.contracts, func(k *contract) string { return k.Customer + "\n" + k.Domain + "\n" + k.Name }) {
		c := at(k.Customer, sourceContracts)
		c.domain, c.contract = cmp.Or(c.domain, k.Domain), cmp.Or(c.contract, strings.TrimSpace(k.Name))
	}
	relations := sorted(a.relations, func(r *relationship) string { return r.ID })
	for _, r := range relations {
		// What was never approved, or was ended on purpose, makes nobody a customer.
		if gives(r, now) || ranOut(r, now) {
			at(r.Customer.TenantID, sourceGDAP)
		}
	}
	for _, r := range relations {
		if c := found[r.Customer.TenantID]; c != nil {
			c.relate(r, now)
		}
	}
	for _, c := range found {
		c.name = cmp.Or(c.name, c.gdapName, c.contract, c.domain, c.id)
		c.domains = slices.DeleteFunc([]string{c.domain}, func(d string) bool { return d == "" })
		slices.Sort(c.sources)
		slices.Sort(c.roles)
		c.roles = slices.Compact(c.roles)
	}
	return found
}

// sorted returns a copy of a list in the order of a key.
func sorted[T any](list []T, key func(T) string) []T {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b T) int { return strings.Compare(key(a), key(b)) })
	return list
}

// relate adds what a GDAP relationship says, of which a customer may have many.
func (c *customer) relate(r *relationship, now time.Time) {
	word := r.Status
	if word == "active" && !gives(r, now) {
		word = "expired"
	}
	if better(word, r.ends, c.gdap, c.ends) {
		c.gdap, c.ends, c.gdapName = word, r.ends, cmp.Or(strings.TrimSpace(r.Customer.Name), c.gdapName)
	}
	if gives(r, now) {
		for _, role := range r.Access.Roles {
			c.roles = append(c.roles, role.ID)
		}
	}
}

// ranOut reports whether a relationship came to its end not long ago, rather than that somebody ended it.
func ranOut(r *relationship, now time.Time) bool {
	return (r.Status == "expired" || r.Status == "active" || r.Status == "expiring") && !r.ends.IsZero() && now.After(r.ends) && now.Sub(r.ends) < lapsed
}

// gives reports whether a relationship gives access now.
func gives(r *relationship, now time.Time) bool {
	return (r.Status == "active" || r.Status == "expiring") && (r.ends.IsZero() || now.Before(r.ends))
}

// better reports whether one state of a relationship tells more than another: first what gives access, then what may
// become one, then what was one; among equals the one that lasts longer.
func better(word string, ends time.Time, than string, thanEnds time.Time) bool {
	if a, b := rank(word), rank(than); a != b {
		return a < b
	}
	return ends.After(thanEnds)
}

func rank(word string) int {
	order := []string{"active", "expiring", "activating", "approved", "approvalPending", "created", "terminationRequested", "terminating", "expired", "terminated"}
	switch i := slices.Index(order, word); {
	case word == "":
		return len(order) + 1
	case i < 0:
		return len(order)
	default:
		return i
	}
}

// Attributes of customers.
const (
	attributeRelationship = directory.AttributePrefix + "relationship"
	attributeGDAPEnds     = directory.AttributePrefix + "gdap_ends"
	attributeGDAPRoles    = directory.AttributePrefix + "gdap_roles"
	attributeGDAPStatus   = directory.AttributePrefix + "gdap_status"
	attributeSources      = directory.AttributePrefix + "sources"
)

// object describes the customer itself, under a name.
func (c *customer) object(name string) directory.Object {
	o := directory.Object{Kind: directory.Customer, ID: c.id}
	o.SetText(directory.FieldName, name)
	o.SetText(directory.FieldDomain, c.domain)
	if len(c.domains) > 0 {
		o.Set(directory.FieldDomains, directory.List(c.domains...))
	}
	o.SetText(directory.FieldStatus, cmp.Or(c.gdap, c.reseller))
	o.SetText(attributeRelationship, c.reseller)
	o.SetText(attributeGDAPStatus, c.gdap)
	if !c.ends.IsZero() {
		o.Set(attributeGDAPEnds, directory.Time(c.ends))
	}
	if len(c.roles) > 0 {
		o.Set(attributeGDAPRoles, directory.List(c.roles...))
	}
	o.Set(attributeSources, directory.List(c.sources...))
	if d := c.detail; d != nil {
		o.SetText(directory.FieldEmail, d.Billing.Email)
		o.SetText(directory.FieldLanguage, d.Billing.Language)
		o.SetText(directory.FieldPhone, d.Billing.Address.Phone)
		o.SetText(directory.FieldStreet, d.Billing.Address.Street)
		o.SetText(directory.FieldCity, d.Billing.Address.City)
		o.SetText(directory.FieldState, d.Billing.Address.State)
		o.SetText(directory.FieldPostalCode, d.Billing.Address.PostalCode)
		o.SetText(directory.FieldCountry, d.Billing.Address.Country)
	}
	return o
}
