package googlesim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Resold is a customer of the reseller.
type Resold struct {
	ID, Domain, Company, Email, Phone   string
	Street, City, State, Postal, Nation string
	Team                                bool // it has no domain of its own
	// Closed: the customer keeps its directory from the reseller.
	Closed bool
	Odd    map[string]any
}

// Subscription is what a customer of the reseller has bought. Its id is the server's: a new one with every edit.
type Subscription struct {
	Customer, SKU, SKUName, Plan, Status string
	Bought, Most, InUse                  int // seats
	Created, Ends, TrialEnds             time.Time
	Renewal                              string
	Reasons                              []string
	Odd                                  map[string]any
	id                                   string
}

// Reseller is what a reseller has sold, in the hands of the first customer's administrator. Until something is sold
// the company is no reseller, and may not ask. Its methods may be called while the server runs.
type Reseller struct {
	s             *Server
	customers     map[string]*Resold
	subscriptions []*Subscription
	is            bool
}

// Reseller returns the reseller.
func (s *Server) Reseller() *Reseller { return s.reseller }

// Sell adds a customer, or replaces one, and lets it buy.
func (r *Reseller) Sell(c Resold, bought ...Subscription) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.is = true
	r.customers[c.ID] = &c
	for _, b := range bought {
		b.Customer = c.ID
		r.put(&b)
	}
}

func (r *Reseller) put(b *Subscription) {
	r.s.serial++
	b.id = fmt.Sprintf("sub-%06d", r.s.serial)
	r.subscriptions = append(r.subscriptions, b)
}

// Edit changes everything that a customer has bought.
func (r *Reseller) Edit(customer string, change func(*Subscription)) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for _, b := range r.subscriptions {
		if b.Customer == customer {
			change(b)
			r.s.serial++
			b.id = fmt.Sprintf("sub-%06d", r.s.serial)
		}
	}
}

// EditCustomer changes a customer.
func (r *Reseller) EditCustomer(id string, change func(*Resold)) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if c := r.customers[id]; c != nil {
		change(c)
	}
}

// Cancel takes subscriptions away. A customer that has none left is none any more.
func (r *Reseller) Cancel(which func(*Subscription) bool) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.subscriptions = slices.DeleteFunc(r.subscriptions, which)
	for id := range r.customers {
		if !slices.ContainsFunc(r.subscriptions, func(b *Subscription) bool { return b.Customer == id }) {
			delete(r.customers, id)
		}
	}
}

// Subscriptions returns copies of all that was sold.
func (r *Reseller) Subscriptions() []Subscription {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	list := make([]Subscription, len(r.subscriptions))
	for i, b := range r.subscriptions {
		list[i] = *b
	}
	return list
}

// Fill makes n customers that have bought one or two products each, the same every time.
func (r *Reseller) Fill(n int) {
	companies := [...]string{"Tanglewood Bakeries", "Ferrier & Daughters", "North Quay Logistics", "Halcyon Dental", "Marrow Press", "Old Mill Schools"}
	for i := range n {
		name, begun := companies[i%len(companies)], r.s.opts.Now().AddDate(0, -i%12, 0)
		if i >= len(companies) {
			name += " " + strconv.Itoa(i/len(companies)+1)
		}
		domain := strings.ToLower(strings.Join(strings.Fields(strings.ReplaceAll(name, "&", "")), "-")) + ".example"
		list := []Subscription{{
			SKU: "1010020028", SKUName: "Google Workspace Business Standard", Plan: "ANNUAL", Status: "ACTIVE", Bought: 10 + i%7, InUse: 5 + i%7,
			Created: begun, Ends: begun.AddDate(1, 0, 0), Renewal: "AUTO_RENEW_MONTHLY_PAY",
		}}
		if i%3 == 1 {
			list = append(list, Subscription{SKU: "1010330004", SKUName: "Google Voice Standard", Plan: "FLEXIBLE", Status: "ACTIVE", Most: 50, InUse: i % 9, Created: begun})
		}
		r.Sell(Resold{
			ID: fmt.Sprintf("C0sold%04d", i), Domain: domain, Company: name, Email: fmt.Sprintf("office%d@post.example", i), Phone: fmt.Sprintf("+44 20 7946 1%03d", i%1000),
			Street: fmt.Sprintf("%d Harbour Road", i+1), City: "Bristol", Postal: "BS1 5UH", Nation: "GB",
		}, list...)
	}
}

// resells reports whether a subject is the reseller's administrator.
func (s *Server) resells(subject string) bool {
	return s.reseller.is && s.customerOf(subject) == s.customers[0]
}

// open returns the account of a customer that the reseller may look into.
func (r *Reseller) open(id string) *Customer {
	if sold := r.customers[id]; sold == nil || sold.Closed {
		return nil
	}
	for _, c := range r.s.customers {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// holder returns the account that holds what a request asks for by its key, of those that the reseller may look into.
func (r *Reseller) holder(c *call) *Customer {
	for id := range r.customers {
		there := r.open(id)
		if there == nil || len(c.parts) < 5 {
			continue
		}
		own := *c
		own.customer = there
		if there.find(c.parts[4]) != nil || own.findGroup(c.parts[4]) != nil {
			return there
		}
	}
	return c.customer
}

// millis is Google's way to write a time here: milliseconds, as a text.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

func (b *Subscription) resource(domain string) map[string]any {
	plan := map[string]any{"planName": b.Plan, "isCommitmentPlan": strings.HasPrefix(b.Plan, "ANNUAL")}
	if !b.Ends.IsZero() {
		plan["commitmentInterval"] = map[string]any{"startTime": millis(b.Created), "endTime": millis(b.Ends)}
	}
	trial := map[string]any{"isInTrial": !b.TrialEnds.IsZero()}
	if !b.TrialEnds.IsZero() {
		trial["trialEndTime"] = millis(b.TrialEnds)
	}
	seats := map[string]any{"kind": "subscriptions#seats", "licensedNumberOfSeats": b.InUse}
	if b.Bought > 0 {
		seats["numberOfSeats"] = b.Bought
	}
	if b.Most > 0 {
		seats["maximumNumberOfSeats"] = b.Most
	}
	reasons := make([]any, len(b.Reasons))
	for i, text := range b.Reasons {
		reasons[i] = text
	}
	var renewal any
	if b.Renewal != "" {
		renewal = map[string]any{"kind": "subscriptions#renewalSettings", "renewalType": b.Renewal}
	}
	return fieldsOf(b.Odd, "kind", "reseller#subscription", "subscriptionId", b.id, "customerId", b.Customer, "customerDomain", domain,
		"skuId", b.SKU, "skuName", b.SKUName, "status", b.Status, "billingMethod", "ONLINE", "creationTime", millis(b.Created), "plan", plan,
		"seats", seats, "trialSettings", trial, "renewalSettings", renewal, "suspensionReasons", reasons)
}

func (c *Resold) resource() map[string]any {
	kind := "domain"
	if c.Team {
		kind = "team"
	}
	address := fieldsOf(nil, "kind", "customers#address", "organizationName", c.Company, "addressLine1", c.Street, "locality", c.City,
		"region", c.State, "postalCode", c.Postal, "countryCode", c.Nation)
	return fieldsOf(c.Odd, "kind", "reseller#customer", "customerId", c.ID, "customerDomain", c.Domain, "customerDomainVerified", !c.Team,
		"customerType", kind, "alternateEmail", c.Email, "phoneNumber", c.Phone, "postalAddress", address)
}

func (c *call) soldSubscriptions() *answer {
	if !c.s.resells(c.subject) {
		return c.s.refuse(http.StatusForbidden, "forbidden", "Not Authorized to access this resource/api")
	}
	list := slices.Clone(c.s.reseller.subscriptions)
	slices.SortFunc(list, func(a, b *Subscription) int { return strings.Compare(a.id, b.id) })
	a := c.list("reseller#subscriptions", "subscriptions", 20, 100, len(list), func(i int) string { return list[i].id }, func(i int) any {
		return list[i].resource(c.s.reseller.customers[list[i].Customer].Domain)
	})
	delete(a.doc, "etag") // these lists have none
	return a
}

func (c *call) soldCustomer() *answer {
	one := c.s.reseller.customers[c.parts[4]]
	switch {
	case !c.s.resells(c.subject):
		return c.s.refuse(http.StatusForbidden, "forbidden", "Not Authorized to access this resource/api")
	case one == nil:
		return c.notFound("customerId")
	}
	return c.single(one.resource())
}
