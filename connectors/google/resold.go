package google

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/directory"
)

const resoldMask = "kind,customerId,customerDomain,customerDomainVerified,customerType,alternateEmail,phoneNumber,postalAddress,primaryAdmin(primaryEmail)"

// resoldCustomer is what a reseller knows of a customer (Reseller API, customers).
type resoldCustomer struct {
	ID       string `json:"customerId"`
	Domain   string `json:"customerDomain"`
	Verified *bool  `json:"customerDomainVerified"`
	Type     string `json:"customerType"`
	Email    string `json:"alternateEmail"`
	Phone    string `json:"phoneNumber"`
	Address  struct {
		Company    string `json:"organizationName"`
		Line1      string `json:"addressLine1"`
		Line2      string `json:"addressLine2"`
		Line3      string `json:"addressLine3"`
		Locality   string `json:"locality"`
		Region     string `json:"region"`
		PostalCode string `json:"postalCode"`
		Country    string `json:"countryCode"`
	} `json:"postalAddress"`
	Admin struct {
		Email string `json:"primaryEmail"`
	} `json:"primaryAdmin"`
}

// answered is the answer about one customer: a document, or why there is none for this customer alone.
type answered struct {
	body    []byte
	refused error
}

// object translates the answer about a customer. An error that is Transient is about the whole read.
func (a answered) object(op string, from *resold) (directory.Object, error) {
	if a.refused != nil {
		return directory.Object{}, a.refused
	}
	if !json.Valid(a.body) {
		return directory.Object{}, odd(op, jsonscan.ErrBroken)
	}
	var c resoldCustomer
	if err := json.Unmarshal(a.body, &c); err != nil {
		return directory.Object{}, shapeOnly(err)
	}
	if c.ID != from.id {
		return directory.Object{}, odd(op, errors.New("the answer about one customer is about another or none"))
	}
	o := directory.Object{Kind: directory.Customer, ID: c.ID}
	f := fields{&o}
	domain := firstOf(c.Domain, from.domain)
	f.text(directory.FieldName, firstOf(strings.TrimSpace(c.Address.Company), domain, c.ID))
	f.text(directory.FieldDomain, domain)
	if domain != "" {
		f.add(directory.FieldDomains, directory.List(domain))
	}
	f.text(directory.FieldStatus, strings.ToLower(from.status()))
	f.text(directory.FieldEmail, firstOf(c.Email, c.Admin.Email))
	f.text(directory.FieldPhone, c.Phone)
	var lines []string
	for _, line := range []string{c.Address.Line1, c.Address.Line2, c.Address.Line3} {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	f.text(directory.FieldStreet, strings.Join(lines, ", "))
	f.text(directory.FieldCity, c.Address.Locality)
	f.text(directory.FieldState, c.Address.Region)
	f.text(directory.FieldPostalCode, c.Address.PostalCode)
	f.text(directory.FieldCountry, c.Address.Country)
	f.text(attributeCustomerType, c.Type)
	if c.Verified != nil {
		f.add(attributeDomainIsVerified, directory.Bool(*c.Verified))
	}
	f.finish()
	return o, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
