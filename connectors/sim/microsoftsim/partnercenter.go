package microsoftsim

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// partnerCenter answers for the Partner Center API.
func (s *Server) partnerCenter(x *exchange) {
	for _, name := range []string{"MS-RequestId", "MS-CorrelationId"} {
		if v := x.r.Header.Get(name); v != "" {
			x.out.Set(name, v)
		}
	}
	x.out.Set("MS-CV", "simulator.0")
	x.out.Set("Content-Type", "application/json; charset=utf-8")
	if x.claims == nil {
		x.refusePartner(http.StatusUnauthorized, "800001", "The partner token is missing.")
		return
	}
	app := s.app(x.claims.App)
	switch {
	case !isPartnerAudience(x.claims.Audience), x.claims.Tenant != s.Partner():
		x.refusePartner(http.StatusUnauthorized, "400", "Access denied.")
		return
	case app == nil, x.claims.User == "" && !app.PartnerCenter:
		x.refusePartner(http.StatusForbidden, "2032", "Access denied.")
		return
	}
	parts := strings.Split(x.path, "/")
	switch {
	case x.path == "customers":
		x.listPartnerCustomers()
	case parts[0] == "customers" && len(parts) >= 2:
		x.partnerCustomer(parts[1], parts[2:])
	default:
		x.refusePartner(http.StatusNotFound, "1000", "Not found.")
	}
}

func (x *exchange) refusePartner(status int, code, description string) {
	body, _ := json.Marshal(map[string]any{"code": code, "description": description, "data": []any{}, "source": "PartnerFD"}) // plain data
	x.answer(status, body)
}

// reply answers with a document, which begins with a byte order mark as Partner Center's may.
func (x *exchange) reply(v any) {
	body, _ := json.Marshal(v) // plain data
	if _, quirks := x.s.settings(); !quirks.NoByteOrderMark {
		body = append([]byte("\ufeff"), body...)
	}
	x.answer(http.StatusOK, body)
}

type document = map[string]any

func collection(items []document, self string) document {
	if items == nil {
		items = []document{}
	}
	return document{
		"totalCount": len(items), "items": items, "attributes": document{"objectType": "Collection"},
		"links": document{"self": document{"uri": self, "method": "GET", "headers": []any{}}},
	}
}

// listPartnerCustomers answers a page of the customers. Where the next one begins is told in a header that the client
// must send back, not in the address.
func (x *exchange) listPartnerCustomers() {
	pages, _ := x.s.settings()
	query := x.r.URL.Query()
	size := 0
	if raw := query.Get("size"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 0 {
			x.refusePartner(http.StatusBadRequest, "3000", "Invalid size.")
			return
		}
		size = n
	}
	if size == 0 {
		size = pages.Customers
	}
	size = min(size, pages.Customers)
	at := 0
	if query.Get("seekOperation") == "Next" {
		raw, ok := strings.CutPrefix(x.r.Header.Get("MS-ContinuationToken"), "page-")
		n, err := strconv.Atoi(raw)
		if !ok || err != nil {
			x.refusePartner(http.StatusBadRequest, "3000", "The continuation token is missing or not valid.")
			return
		}
		at = n
	}
	x.s.mu.Lock()
	list := slices.Clone(x.s.partner.customers)
	x.s.mu.Unlock()
	end := min(len(list), at+size)
	var items []document
	for _, c := range list[min(at, end):end] {
		items = append(items, c.document())
	}
	out := collection(items, "/customers?size="+strconv.Itoa(size))
	if end < len(list) {
		out["links"].(document)["next"] = document{
			"uri": "/customers?size=" + strconv.Itoa(size) + "&seekOperation=Next", "method": "GET",
			"headers": []document{{"key": "MS-ContinuationToken", "value": "page-" + strconv.Itoa(end)}},
		}
	}
	x.reply(out)
}

func (c *Customer) document() document {
	return document{
		"id": c.Tenant, "relationshipToPartner": c.Relationship, "attributes": document{"objectType": "Customer"},
		"companyProfile": document{
			"tenantId": c.Tenant, "domain": c.Domain, "companyName": c.Name, "attributes": document{"objectType": "CustomerCompanyProfile"},
		},
	}
}

// partnerCustomer answers for one customer and what belongs to it.
func (x *exchange) partnerCustomer(id string, rest []string) {
	x.s.mu.Lock()
	i := slices.IndexFunc(x.s.partner.customers, func(c Customer) bool { return strings.EqualFold(c.Tenant, id) })
	var c Customer
	if i >= 0 {
		c = x.s.partner.customers[i]
	}
	x.s.mu.Unlock()
	if i < 0 || x.tenant == nil {
		x.refusePartner(http.StatusForbidden, "20002", "The partner has no commerce relationship with the customer.")
		return
	}
	switch relation := strings.Join(rest, "/"); {
	case relation == "":
		out := c.document()
		out["commerceId"], out["allowDelegatedAccess"], out["customDomains"] = seededGUID(3, 'c', i), true, x.tenant.Domains()
		out["billingProfile"] = document{
			"companyName": c.Name, "email": "billing@" + c.Domain, "culture": "en-GB", "language": "en",
			"defaultAddress": document{"country": "GB", "city": "London", "addressLine1": c.Address, "postalCode": "E1 6AN", "phoneNumber": "+442079460000"},
		}
		x.reply(out)
	case relation == "subscriptions":
		x.partnerSubscriptions(id)
	case relation == "subscribedskus":
		x.partnerSKUs(id)
	case relation == "applicationconsents" && x.r.Method == http.MethodPost:
		x.consent()
	case len(rest) == 2 && rest[0] == "applicationconsents" && x.r.Method == http.MethodDelete:
		x.tenant.Revoke(rest[1])
		x.status = http.StatusNoContent
	default:
		x.refusePartner(http.StatusNotFound, "1000", "Not found.")
	}
}

func (x *exchange) partnerSubscriptions(id string) {
	status := map[string]string{"Enabled": "active", "Warning": "active", "Suspended": "suspended", "Deleted": "deleted", "LockedOut": "suspended"}
	var items []document
	for _, sku := range x.tenant.SKUs() {
		for _, t := range sku.Terms {
			items = append(items, document{
				"id": t.Commerce, "entitlementId": t.Commerce, "offerId": "CFQ7TTC0LCHC:0002", "offerName": sku.Name, "friendlyName": sku.Name,
				"quantity": t.Quantity, "unitType": "Licenses", "creationDate": "2024-03-01T00:00:00Z", "effectiveStartDate": "2024-03-01T00:00:00Z",
				"commitmentEndDate": t.Ends.UTC().Format(time.RFC3339), "status": status[t.Status], "autoRenewEnabled": t.Renews, "billingType": "license",
				"billingCycle": t.Billing, "termDuration": t.Length, "isTrial": t.Trial, "suspensionReasons": []string{},
				"contractType": "subscription", "publisherName": "Microsoft Corporation", "attributes": document{"etag": "e", "objectType": "Subscription"},
			})
		}
	}
	x.reply(collection(items, "/customers/"+id+"/subscriptions"))
}

func (x *exchange) partnerSKUs(id string) {
	if x.claims.User == "" {
		x.refusePartner(http.StatusForbidden, "2032", "Access denied: this resource needs a user.")
		return
	}
	var items []document
	for _, sku := range x.tenant.SKUs() {
		used := x.tenant.Consumed(sku.ID)
		items = append(items, document{
			"availableUnits": sku.Enabled - used, "activeUnits": sku.Enabled, "consumedUnits": used, "suspendedUnits": sku.Suspended,
			"totalUnits": sku.Enabled + sku.Warning, "warningUnits": sku.Warning, "capabilityStatus": sku.Status, "servicePlans": []any{},
			"productSku": document{"id": sku.ID, "name": sku.Name, "skuPartNumber": sku.PartNumber, "targetType": "User", "licenseGroupId": "group1"},
		})
	}
	x.reply(collection(items, "/customers/"+id+"/subscribedskus"))
}

// consent grants delegated permissions in a customer's tenant.
func (x *exchange) consent() {
	var in struct {
		ApplicationID     string `json:"applicationId"`
		ApplicationGrants []struct {
			Scope string `json:"scope"`
		} `json:"applicationGrants"`
	}
	raw, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxBody))
	if err != nil || json.Unmarshal(raw, &in) != nil || in.ApplicationID == "" {
		x.refusePartner(http.StatusBadRequest, "3000", "Invalid consent.")
		return
	}
	if x.claims.User == "" {
		x.refusePartner(http.StatusForbidden, "2032", "Access denied: this resource needs a user.")
		return
	}
	for _, g := range in.ApplicationGrants {
		x.tenant.ConsentDelegated(in.ApplicationID, strings.Split(strings.ReplaceAll(g.Scope, " ", ""), ",")...)
	}
	x.reply(document{"applicationId": in.ApplicationID})
	x.status = http.StatusCreated
}
