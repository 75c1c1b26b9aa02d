package google

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

const subscriptionMask = "subscriptionId,customerId,customerDomain,skuId,skuName,billingMethod,creationTime,status,suspensionReasons,plan,seats," +
	"trialSettings,renewalSettings,purchaseOrderId"

// Attributes of licences that a reseller sold, and of its customers.
const (
	attributeCustomerID       = directory.AttributePrefix + "customer_id"
	attributeCustomerDomain   = directory.AttributePrefix + "customer_domain"
	attributePlan             = directory.AttributePrefix + "plan"
	attributeRenewal          = directory.AttributePrefix + "renewal"
	attributeBilling          = directory.AttributePrefix + "billing_method"
	attributePurchaseOrder    = directory.AttributePrefix + "purchase_order"
	attributeSuspension       = directory.AttributePrefix + "suspension_reasons"
	attributeCustomerType     = directory.AttributePrefix + "customer_type"
	attributeDomainIsVerified = directory.AttributePrefix + "domain_verified"
)

// subscription is what a customer has bought (Reseller API, subscriptions). Its own id changes whenever it is updated.
type subscription struct {
	ID         string `json:"subscriptionId"`
	CustomerID string `json:"customerId"`
	Domain     string `json:"customerDomain"`
	SKUID      string `json:"skuId"`
	SKUName    string `json:"skuName"`
	Billing    string `json:"billingMethod"`
	Created    number `json:"creationTime"`
	Status     string `json:"status"`
	Plan       struct {
		Name         string `json:"planName"`
		IsCommitment bool   `json:"isCommitmentPlan"`
		// Interval is left out when the billing is offline.
		Interval struct {
			End number `json:"endTime"`
		} `json:"commitmentInterval"`
	} `json:"plan"`
	Seats struct {
		Bought number `json:"numberOfSeats"`        // annual plans
		Most   number `json:"maximumNumberOfSeats"` // flexible plans and trials
		InUse  number `json:"licensedNumberOfSeats"`
	} `json:"seats"`
	Trial struct {
		Is  bool   `json:"isInTrial"`
		End number `json:"trialEndTime"`
	} `json:"trialSettings"`
	Renewal struct {
		Type string `json:"renewalType"`
	} `json:"renewalSettings"`
	Reasons       []string `json:"suspensionReasons"`
	PurchaseOrder string   `json:"purchaseOrderId"`
}

// number is a whole number that Google writes as a number or, when it has 64 bits, as a text.
type number struct {
	n     int64
	there bool
}

func (v *number) UnmarshalJSON(data []byte) error {
	text := string(data)
	if text == "null" || text == `""` {
		*v = number{}
		return nil
	}
	n, err := strconv.ParseInt(strings.Trim(text, `"`), 10, 64)
	if err != nil {
		return errors.New("a number is none")
	}
	*v = number{n, true}
	return nil
}

// time reads milliseconds since 1970. What lies beyond the year 9999 is no date that anything else could hold.
func (v number) time() (time.Time, bool) {
	const last = 253_402_300_799_999
	if v.n <= 0 || v.n > last {
		return time.Time{}, false
	}
	return time.UnixMilli(v.n).UTC(), true
}

func parseSubscription(raw json.RawMessage) (*subscription, error) {
	var s subscription
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, shapeOnly(err)
	}
	if s.CustomerID == "" || s.SKUID == "" {
		return nil, errors.New("it names no customer or no SKU")
	}
	return &s, nil
}

// key names what was bought for good.
func (s *subscription) key() string { return s.CustomerID + "/" + s.SKUID }

// invalidSubscription reports an entry that could not be read, under its key when that much can be.
func invalidSubscription(raw json.RawMessage, err error, where string) connectors.Invalid {
	var names struct {
		Customer string `json:"customerId"`
		SKU      string `json:"skuId"`
	}
	id := ""
	if json.Unmarshal(raw, &names) == nil && names.Customer != "" && names.SKU != "" {
		id = names.Customer + "/" + names.SKU
		where = "subscription " + id
	}
	return connectors.Invalid{
		Kind: directory.Licence, ID: id, Where: where,
		Err: &fault.Error{Class: fault.Invalid, Op: "read a subscription", Where: where, Err: err, Hint: "look at it in the Partner Sales Console"},
	}
}

// rank orders subscriptions of one customer to one SKU by how much they count.
type rank struct {
	active  bool
	created int64
	id      string
}

func (s *subscription) rank() rank {
	return rank{strings.EqualFold(s.Status, "ACTIVE"), s.Created.n, s.ID}
}

func (a rank) below(b rank) bool {
	switch {
	case a.active != b.active:
		return b.active
	case a.created != b.created:
		return a.created < b.created
	}
	return a.id < b.id
}

// licence translates a subscription.
func (s *subscription) licence() directory.Object {
	o := directory.Object{Kind: directory.Licence, ID: s.key()}
	f := fields{&o}
	f.text(directory.FieldName, firstOf(s.SKUName, s.SKUID))
	f.text(directory.FieldSKU, s.SKUID)
	f.text(directory.FieldStatus, strings.ToLower(s.Status))
	f.text(directory.FieldTerm, s.term())
	seats := s.Seats.Most
	if s.annual() && !s.inTrial() && s.Seats.Bought.there || !seats.there {
		seats = s.Seats.Bought
	}
	if seats.there {
		f.add(directory.FieldQuantity, directory.Number(seats.n))
	}
	if s.Seats.InUse.there {
		f.add(directory.FieldUsed, directory.Number(s.Seats.InUse.n))
	}
	if seats.there && s.Seats.InUse.there {
		f.add(directory.FieldFree, directory.Number(max(0, seats.n-s.Seats.InUse.n)))
	}
	end := s.Plan.Interval.End
	if s.inTrial() {
		end = s.Trial.End
	}
	if t, ok := end.time(); ok {
		f.add(directory.FieldExpires, directory.Time(t))
	}
	if t, ok := s.Created.time(); ok {
		f.add(directory.FieldCreated, directory.Time(t))
	}
	f.text(attributeCustomerID, s.CustomerID)
	f.text(attributeCustomerDomain, s.Domain)
	f.text(attributePlan, s.Plan.Name)
	f.text(attributeRenewal, s.Renewal.Type)
	f.text(attributeBilling, s.Billing)
	f.text(attributePurchaseOrder, s.PurchaseOrder)
	if len(s.Reasons) > 0 {
		f.add(attributeSuspension, directory.List(sortedCopy(s.Reasons)...))
	}
	f.finish()
	return o
}

func (s *subscription) annual() bool {
	return s.Plan.IsCommitment || strings.HasPrefix(s.Plan.Name, "ANNUAL")
}

func (s *subscription) inTrial() bool { return s.Trial.Is || s.Plan.Name == "TRIAL" }

// term says how it is paid for, and what comes after: "annual, paid monthly; then auto renew monthly pay".
func (s *subscription) term() string {
	words := func(text string) string { return strings.ToLower(strings.ReplaceAll(text, "_", " ")) }
	var parts []string
	if s.Trial.Is && s.Plan.Name != "TRIAL" {
		parts = append(parts, "trial")
	}
	switch s.Plan.Name {
	case "":
	case "ANNUAL", "ANNUAL_MONTHLY_PAY": // Google answers with the former for the latter
		parts = append(parts, "annual, paid monthly")
	case "ANNUAL_YEARLY_PAY":
		parts = append(parts, "annual, paid yearly")
	default:
		parts = append(parts, words(s.Plan.Name))
	}
	if s.Renewal.Type != "" {
		parts = append(parts, "then "+words(s.Renewal.Type))
	}
	return strings.Join(parts, "; ")
}
