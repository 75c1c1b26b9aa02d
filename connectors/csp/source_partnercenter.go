package csp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

// partnerError is a refusal of Partner Center. It keeps the code and never the description, which can name
// customers.
type partnerError struct {
	Status int
	Code   string
	Means  string
}

func (e *partnerError) Error() string {
	text := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	if e.Code != "" {
		text = fmt.Sprintf("%d code %s", e.Status, e.Code)
	}
	if e.Means != "" {
		text += ": " + e.Means
	}
	return text
}

// noCommerce reports whether an error says that a customer buys nothing from this partner.
func noCommerce(err error) bool {
	var e *partnerError
	return errors.As(err, &e) && e.Code == "20002"
}

// explainPartner classifies what Partner Center refuses ("Partner Center REST error codes").
func explainPartner(a *rest.Answer) *fault.Error {
	var doc struct {
		Code json.RawMessage `json:"code"`
	}
	f := rest.Classify(a)
	e := &partnerError{Status: a.Status}
	if json.Unmarshal(trimMark(a.Body), &doc) == nil {
		e.Code = digits(strings.Trim(string(doc.Code), `"`))
	}
	f.Err = e
	switch {
	case e.Code == "20002":
		f.Class, e.Means = fault.Forbidden, "the partner has no commerce relationship with the customer"
		f.Hint = "the customer buys nothing from you any more: leave it out with exclude, or renew the reseller relationship"
	case e.Code == "60003", a.Status == http.StatusNotFound && e.Code == "1000":
		e.Means = "there is no such customer"
	case a.Status == http.StatusUnauthorized:
		f.Hint = "look at tenant, partner_app and partner_center_scope: the token must be one of your own tenant, for Partner Center; that of a user must have been got with a second factor"
		e.Means = "the token is not taken"
	case a.Status == http.StatusForbidden:
		e.Means = "access denied"
		f.Hint = "register the application in Partner Center under Account settings, App management; what needs a user needs refresh_token_file, from a user in the group AdminAgents"
	}
	return f
}

func trimMark(body []byte) []byte {
	return []byte(strings.TrimPrefix(string(body), "\uFEFF"))
}

// digits returns a short text of digits, and "" for everything else.
func digits(s string) string {
	if len(s) > 12 || strings.Trim(s, "0123456789") != "" {
		return ""
	}
	return s
}

// newPartnerPace keeps to a share, in percent, of Partner Center's quota, which is 500 customer and subscription
// requests in a minute ("Partner Center API throttling guidance"), of all processes together.
func newPartnerPace(share int, portion func() float64, now func() time.Time, sleep func(ctx context.Context, d time.Duration) error) *rest.Bucket {
	return rest.NewBucket(rest.BucketOptions{Rate: 500.0 / 60 * float64(share) / 100, Burst: 10, Slowest: 1.0 / 32, Portion: portion, Now: now, Sleep: sleep})
}

// partnerCenter reads Partner Center.
type partnerCenter struct{ *api }

// version is the part of every address.
const partnerVersion = "/v1"

// collection is Partner Center's list. A list that is not there is not an empty one.
type collection struct {
	Items *[]json.RawMessage `json:"items"`
	Links struct {
		Next *struct {
			URI     string `json:"uri"`
			Headers []struct {
				Key   string `json:"key"`
				Value string `json:"value"`
			} `json:"headers"`
		} `json:"next"`
	} `json:"links"`
}

// partnerCustomer is a customer in Partner Center's words.
type partnerCustomer struct {
	ID           string `json:"id"`
	Relationship string `json:"relationshipToPartner"`
	Company      struct {
		TenantID string `json:"tenantId"`
		Domain   string `json:"domain"`
		Name     string `json:"companyName"`
	} `json:"companyProfile"`
	Domains []string `json:"customDomains"`
	Billing struct {
		Email    string `json:"email"`
		Language string `json:"culture"`
		Address  struct {
			Country    string `json:"country"`
			City       string `json:"city"`
			State      string `json:"state"`
			Street     string `json:"addressLine1"`
			PostalCode string `json:"postalCode"`
			Phone      string `json:"phoneNumber"`
		} `json:"defaultAddress"`
	} `json:"billingProfile"`
}

// partnerSubscription is what a customer has bought.
type partnerSubscription struct {
	ID       string    `json:"id"`
	Name     string    `json:"friendlyName"`
	Offer    string    `json:"offerName"`
	OfferID  string    `json:"offerId"`
	Quantity int64     `json:"quantity"`
	Status   string    `json:"status"`
	Ends     string    `json:"commitmentEndDate"`
	Created  string    `json:"creationDate"`
	Renews   *bool     `json:"autoRenewEnabled"`
	Cycle    string    `json:"billingCycle"`
	Term     string    `json:"termDuration"`
	Trial    bool      `json:"isTrial"`
	ends     time.Time // read from Ends
}

const opCustomers = "list customers of Partner Center"

// customers lists the customers that buy from the partner, and what is wrong with entries that cannot be read.
func (p partnerCenter) customers(ctx context.Context, size int) (all []*partnerCustomer, invalid []error, err error) {
	all = []*partnerCustomer{}
	invalid, err = eachItem(ctx, p, opCustomers, fmt.Sprintf("/customers?size=%d", size), func(c *partnerCustomer) error {
		id := strings.ToLower(cmp.Or(c.Company.TenantID, c.ID))
		if !tenantID.MatchString(id) {
			return errors.New("a customer has no tenant id")
		}
		c.ID = id
		all = append(all, c)
		return nil
	})
	return whole(all, invalid, err)
}

// customer reads one customer with its domains and address.
func (p partnerCenter) customer(ctx context.Context, id string) (*partnerCustomer, error) {
	const op = "read a customer of Partner Center"
	u, err := p.resolve(op, "/customers/"+url.PathEscape(id), partnerVersion)
	if err != nil {
		return nil, err
	}
	var c partnerCustomer
	if err := p.get(ctx, op, u, nil, &c); err != nil {
		return nil, err
	}
	if !strings.EqualFold(c.ID, id) {
		return nil, odd(op, p.root.Host, errors.New("the answer is about another customer"))
	}
	return &c, nil
}

// subscriptions lists what a customer has bought from the partner, and what is wrong with entries that cannot be read.
func (p partnerCenter) subscriptions(ctx context.Context, id string) (all []*partnerSubscription, invalid []error, err error) {
	const op = "list subscriptions of Partner Center"
	all = []*partnerSubscription{}
	invalid, err = eachItem(ctx, p, op, "/customers/"+url.PathEscape(id)+"/subscriptions", func(s *partnerSubscription) error {
		if s.ID == "" {
			return errors.New("a subscription has no id")
		}
		s.ends = parseTime(s.Ends)
		all = append(all, s)
		return nil
	})
	return whole(all, invalid, err)
}

// parseTime reads a time; what is missing, odd or a stand-in for "never" is zero.
func parseTime(text string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() > 1970 && t.Year() < 9000 {
			return t
		}
	}
	return time.Time{}
}

// eachItem calls one for every element of a list, over all its pages. Where the next page begins is told by an address
// together with headers that must be sent back. invalid is what is wrong with elements that one does not take.
func eachItem[T any](ctx context.Context, p partnerCenter, op, first string, one func(*T) error) (invalid []error, err error) {
	header := http.Header{"Ms-Contract-Version": {"v1"}}
	err = pages(ctx, op, p.root.Host, first, func(ctx context.Context, key string) (string, error) {
		address, _, _ := strings.Cut(key, "\n")
		u, err := p.resolve(op, address, partnerVersion)
		if err != nil {
			return "", err
		}
		var c collection
		if err := p.get(ctx, op, u, header, &c); err != nil {
			return "", err
		}
		if c.Items == nil {
			return "", odd(op, p.root.Host, errors.New("the answer has no list in it"))
		}
		invalid = append(invalid, eachOf(*c.Items, one)...)
		next := c.Links.Next
		if next == nil || next.URI == "" {
			return "", nil
		}
		header = http.Header{"Ms-Contract-Version": {"v1"}}
		key = next.URI
		for _, h := range next.Headers {
			header.Set(h.Key, h.Value)
			key += "\n" + h.Key + ":" + h.Value // the same address with another token is another page
		}
		return key, nil
	})
	return invalid, err
}

// eachOf decodes the elements of a list. An element that cannot be decoded, or that one does not take, spoils no other.
func eachOf[T any](items []json.RawMessage, one func(*T) error) (invalid []error) {
	for i, raw := range items {
		var v *T
		err := json.Unmarshal(raw, &v)
		switch {
		case err != nil:
			err = errors.New("it is not of the form that was expected") // the decoder's text quotes values
		case v == nil:
			err = errors.New("it is null")
		default:
			err = one(v)
		}
		if err != nil {
			invalid = append(invalid, fmt.Errorf("entry %d of a page: %w", i+1, err))
		}
	}
	return invalid
}
