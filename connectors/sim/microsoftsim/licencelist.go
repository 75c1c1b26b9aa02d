package microsoftsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

func licencePermissions() []string {
	return []string{"LicenseAssignment.Read.All", "Organization.Read.All", "Directory.Read.All"}
}

// list answers with a whole list.
func (x *exchange) list(set string, items []map[string]any) {
	if items == nil {
		items = []map[string]any{}
	}
	body, _ := json.Marshal(map[string]any{"@odata.context": x.s.URL() + "/v1.0/$metadata#" + set, "value": items}) // plain data
	x.answer(http.StatusOK, body)
}

// subscribedSKUs answers for /subscribedSkus. The real list is one page; here it has pages when Pages.Most is small.
func (x *exchange) subscribedSKUs() {
	if !x.allow(licencePermissions()...) {
		return
	}
	x.spend(3)
	if x.r.URL.Query().Has("$filter") {
		x.refuse(http.StatusBadRequest, "Request_UnsupportedQuery", "Filter is not supported on this resource.")
		return
	}
	q, ok := x.parseQuery()
	if !ok {
		return
	}
	pages, _ := x.s.settings()
	q.top = pages.Most
	x.tenant.read(func(d *directoryData) {
		list := d.skus
		x.listOf("subscribedSkus", q, len(list), func(w *writer, i int) bool {
			sku := list[i]
			if sku.Elsewhere {
				return false
			}
			ids := []string{}
			for _, t := range sku.Terms {
				ids = append(ids, t.ID)
			}
			raw, _ := json.Marshal(map[string]any{ // plain data
				"id": x.tenant.id + "_" + sku.ID, "accountId": x.tenant.id, "accountName": x.tenant.name, "appliesTo": "User",
				"capabilityStatus": sku.Status, "consumedUnits": d.consumed(sku.ID),
				"prepaidUnits": map[string]int{"enabled": sku.Enabled, "suspended": sku.Suspended, "warning": sku.Warning, "lockedOut": 0},
				"servicePlans": []any{}, "skuId": sku.ID, "skuPartNumber": sku.PartNumber, "subscriptionIds": ids,
			})
			w.Write(raw)
			return true
		})
	})
}

// companySubscriptions answers for /directory/subscriptions.
func (x *exchange) companySubscriptions() {
	if !x.allow(licencePermissions()...) {
		return
	}
	x.spend(1)
	var items []map[string]any
	x.tenant.read(func(d *directoryData) {
		for _, sku := range d.skus {
			if sku.Elsewhere {
				continue
			}
			for _, t := range sku.Terms {
				owner := any(nil)
				if t.Seller != "" {
					owner = t.Seller
				}
				items = append(items, map[string]any{
					"id": t.ID, "commerceSubscriptionId": t.Commerce, "createdDateTime": "2024-03-01T00:00:00Z", "isTrial": t.Trial,
					"nextLifecycleDateTime": t.Ends.UTC().Format(time.RFC3339), "ownerId": owner, "ownerTenantId": owner, "ownerType": "User",
					"serviceStatus": []any{}, "skuId": sku.ID, "skuPartNumber": sku.PartNumber, "status": t.Status, "totalLicenses": t.Quantity,
				})
			}
		}
	})
	x.list("directory/subscriptions", items)
}

func (x *exchange) licenceDetails(d *directoryData, o *object, q *query) {
	list := d.skus
	x.listOf("licenseDetails", q, len(list), func(w *writer, i int) bool {
		raw, _ := o.get("assignedLicenses")
		if !containsID(raw, list[i].ID) {
			return false
		}
		fmt.Fprintf(w, `{"id":%s,"skuId":%s,"skuPartNumber":%s,"servicePlans":[]}`, text(list[i].ID), text(list[i].ID), text(list[i].PartNumber))
		return true
	})
}

// organization answers for /organization.
func (x *exchange) organization() {
	if !x.allow("Organization.Read.All", "Directory.Read.All", "User.Read.All") {
		return
	}
	x.spend(1)
	var domains []map[string]any
	for i, d := range x.tenant.domains {
		domains = append(domains, map[string]any{"name": d, "isInitial": i == 0, "isDefault": i == len(x.tenant.domains)-1, "type": "Managed", "capabilities": "Email"})
	}
	kind := map[Kind]string{Workforce: "AAD", B2C: "AAD B2C", External: "CIAM"}[x.tenant.kind]
	x.list("organization", []map[string]any{{
		"id": x.tenant.id, "displayName": x.tenant.name, "tenantType": kind, "verifiedDomains": domains, "countryLetterCode": "GB", "createdDateTime": "2018-01-01T00:00:00Z",
	}})
}

// managedDevices answers for /deviceManagement/managedDevices.
func (x *exchange) managedDevices() {
	if !x.allow("DeviceManagementManagedDevices.Read.All") {
		return
	}
	x.spend(1)
	q, ok := x.parseQuery()
	if !ok {
		return
	}
	x.tenant.read(func(d *directoryData) {
		if len(d.managed) == 0 && x.tenant.made.Managed == 0 {
			x.refuse(http.StatusBadRequest, "BadRequest", "Request not applicable to target tenant.")
			return
		}
		list := d.managed
		x.listOf("deviceManagement/managedDevices", q, len(list), func(w *writer, i int) bool {
			o := &object{res: resources, props: list[i].props}
			if !q.matches(o.get) {
				return false
			}
			d.writeObject(w, o, q)
			return true
		})
	})
}

// oneManagedDevice answers for a single device below /deviceManagement/managedDevices.
func (x *exchange) oneManagedDevice(id string) {
	if !x.allow("DeviceManagementManagedDevices.Read.All") {
		return
	}
	x.spend(1)
	q, ok := x.parseQuery()
	if !ok {
		return
	}
	x.tenant.read(func(d *directoryData) {
		i := slices.IndexFunc(d.managed, func(m *managedDevice) bool { return strings.EqualFold(m.id, id) })
		if i < 0 {
			x.refuse(http.StatusNotFound, "ResourceNotFound", "An error has occurred.")
			return
		}
		var w, body writer
		x.begin(&w, "deviceManagement/managedDevices/$entity")
		d.writeObject(&body, &object{res: resources, props: d.managed[i].props}, q)
		w.WriteByte(',')
		w.Write(body.Bytes()[1:])
		x.answer(http.StatusOK, w.Bytes())
	})
}
