package csp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

// partnerGraph reads Graph in the partner's own tenant.
type partnerGraph struct{ *api }

// odata is a list of Graph. A list that is not there is not an empty one.
type odata struct {
	Value *[]json.RawMessage `json:"value"`
	Error json.RawMessage    `json:"error"` // beside a list it says that the list is not whole
	Next  string             `json:"@odata.nextLink"`
}

// relationship is a granular delegated admin relationship ("Microsoft Graph, delegatedAdminRelationship").
type relationship struct {
	ID       string `json:"id"`
	Name     string `json:"displayName"`
	Status   string `json:"status"`
	Ends     string `json:"endDateTime"`
	Customer struct {
		TenantID string `json:"tenantId"`
		Name     string `json:"displayName"`
	} `json:"customer"`
	Access struct {
		Roles []struct {
			ID string `json:"roleDefinitionId"`
		} `json:"unifiedRoles"`
	} `json:"accessDetails"`
	ends time.Time
}

// contract is an entry of Graph's older list of customers.
type contract struct {
	Customer string `json:"customerId"`
	Domain   string `json:"defaultDomainName"`
	Name     string `json:"displayName"`
}

// companySubscription is what a tenant has bought, as the tenant itself knows it.
type companySubscription struct {
	ID       string `json:"id"`
	Commerce string `json:"commerceSubscriptionId"`
	SKU      string `json:"skuId"`
	Status   string `json:"status"`
	Next     string `json:"nextLifecycleDateTime"`
	Trial    bool   `json:"isTrial"`
}

const (
	opRelationships = "list GDAP relationships"
	opContracts     = "list contracts"
)

// relationships lists the GDAP relationships, and what is wrong with entries that cannot be read. Those that Microsoft
// itself leads are left out: they are not about this partner's customers.
func (g partnerGraph) relationships(ctx context.Context) (all []*relationship, invalid []error, err error) {
	all = []*relationship{}
	// No $select: with it the service leaves names out, and the test for Microsoft's own would pass everything.
	invalid, err = eachValue(ctx, g.api, opRelationships, "/v1.0/tenantRelationships/delegatedAdminRelationships?$top=300", func(r *relationship) error {
		switch {
		case r.Status == "":
			return errors.New("a relationship has no status")
		case strings.HasPrefix(r.Name, "MLT_"), r.Customer.TenantID == "":
			// One that nobody has approved yet belongs to no customer.
			return nil
		case !tenantID.MatchString(r.Customer.TenantID):
			return errors.New("a customer's tenant id is not a GUID")
		}
		r.Customer.TenantID = strings.ToLower(r.Customer.TenantID)
		r.ends = parseTime(r.Ends)
		all = append(all, r)
		return nil
	})
	return whole(all, invalid, err)
}

// contracts lists the older list, and what is wrong with entries that cannot be read.
func (g partnerGraph) contracts(ctx context.Context) (all []*contract, invalid []error, err error) {
	all = []*contract{}
	invalid, err = eachValue(ctx, g.api, opContracts, "/v1.0/contracts?$top=999", func(c *contract) error {
		if !tenantID.MatchString(c.Customer) {
			return errors.New("a customer's tenant id is not a GUID")
		}
		c.Customer = strings.ToLower(c.Customer)
		all = append(all, c)
		return nil
	})
	return whole(all, invalid, err)
}

// companySubscriptions lists what a customer has bought from anybody, and what is wrong with entries that cannot be
// read.
func companySubscriptions(ctx context.Context, a *api) (all []*companySubscription, invalid []error, err error) {
	invalid, err = eachValue(ctx, a, "list subscriptions", "/v1.0/directory/subscriptions", func(s *companySubscription) error {
		s.Commerce, s.SKU = strings.ToLower(s.Commerce), strings.ToLower(s.SKU)
		all = append(all, s)
		return nil
	})
	return whole(all, invalid, err)
}

// eachValue calls one for every element of a list of Graph, over all its pages. invalid is what is wrong with
// elements that one does not take.
func eachValue[T any](ctx context.Context, a *api, op, first string, one func(*T) error) (invalid []error, err error) {
	err = pages(ctx, op, a.root.Host, a.root.String()+first, func(ctx context.Context, key string) (string, error) {
		u, err := a.resolve(op, key, "/v1.0")
		if err != nil {
			return "", err
		}
		var list odata
		if err := a.get(ctx, op, u, nil, &list); err != nil {
			return "", err
		}
		if len(list.Error) > 0 && string(list.Error) != "null" {
			return "", odd(op, a.root.Host, errors.New("the answer 200 has an error beside its list, so the list is not whole"))
		}
		if list.Value == nil {
			return "", odd(op, a.root.Host, errors.New("the answer has no list in it"))
		}
		invalid = append(invalid, eachOf(*list.Value, one)...)
		return list.Next, nil
	})
	return invalid, err
}

// explainOwnGraph classifies what Graph refuses in the partner's own tenant.
func explainOwnGraph(a *rest.Answer) *fault.Error {
	f := rest.Classify(a)
	switch {
	case a.Status == http.StatusForbidden && strings.Contains(a.Op, "contracts"):
		f.Hint = "grant the application permission Directory.Read.All to the partner application, with admin consent, or take contracts out of sources"
	case a.Status == http.StatusForbidden && strings.Contains(a.Op, "tenantRelationships"):
		f.Hint = "grant the application permission DelegatedAdminRelationship.Read.All to the partner application, with admin consent, or take gdap out of sources"
	case a.Status == http.StatusForbidden:
		f.Hint = "grant LicenseAssignment.Read.All (or Directory.Read.All) to the application, or set subscriptions: false"
	case a.Status == http.StatusUnauthorized:
		f.Hint = "look at tenant, partner_app and graph: the token and the address must belong to the same cloud"
	}
	return f
}

// rootOf parses an address of the configuration.
func rootOf(key, text string) (*url.URL, error) {
	u, err := url.Parse(strings.ToLower(text)) // the services' links are in small letters
	if err != nil || u.Host == "" {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open csp", Err: errors.New(key + " is not an address")}
	}
	return u, nil
}
