package csp

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func TestLicences(t *testing.T) {
	w := newWorld(t, 1, microsoftsim.Population{People: 10, SKUs: 3}, microsoftsim.Pages{})
	customer := w.customers[0]
	skus := customer.SKUs()
	early, late := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 8, 1, 0, 0, 0, 0, time.UTC)
	skus[0].Terms = []microsoftsim.Term{
		{ID: "s1", Commerce: guid(101), Quantity: 5, Status: "Enabled", Ends: late, Length: "P1Y", Billing: "monthly"},
		{ID: "s2", Commerce: guid(102), Quantity: 5, Status: "Enabled", Ends: early, Length: "P3Y", Billing: "annual", Renews: true},
		{ID: "s3", Commerce: guid(103), Quantity: 5, Status: "Suspended", Ends: early.AddDate(-1, 0, 0), Length: "P1M", Billing: "monthly"},
	}
	skus = append(skus, microsoftsim.SKU{ID: guid(200), Name: "Azure plan", Elsewhere: true, Terms: []microsoftsim.Term{
		{Commerce: guid(201), Quantity: 1, Status: "Enabled", Length: "P1M", Billing: "monthly", Ends: late},
	}})
	customer.SetSKUs(skus...)
	c := w.open(nil)
	tenant := w.tenants(c)[1]
	page, err := read(t.Context(), c, tenant, streamLicences)
	if err != nil || len(page.Objects) != 4 {
		t.Fatalf("%d licences, %v", len(page.Objects), err)
	}
	get := func(o directory.Object, name string) string {
		v, _ := o.Get(name)
		return v.String()
	}
	first, plan := page.Objects[0], page.Objects[3]
	if get(first, directory.FieldTerm) != "P1Y monthly, P3Y annual" || get(first, directory.FieldExpires) != "2026-05-01T00:00:00Z" || get(first, directory.FieldUsed) != "10" {
		t.Errorf("%+v", first)
	}
	if get(first, directory.FieldAutoRenew) != "true" || get(plan, directory.FieldAutoRenew) != "false" {
		t.Errorf("renewed by themselves: %q, %q", get(first, directory.FieldAutoRenew), get(plan, directory.FieldAutoRenew))
	}
	if plan.ID != guid(201) || get(plan, directory.FieldName) != "Azure plan" || get(plan, directory.FieldQuantity) != "1" || get(plan, directory.FieldStatus) != "active" {
		t.Errorf("%+v", plan)
	}
	people, err := read(t.Context(), c, tenant, streamUsers)
	if err != nil || len(people.Objects[0].Links) == 0 {
		t.Errorf("people hold nothing: %v", err)
	}
	// A customer of others has terms in its own directory only.
	w.s.SetCustomers()
	page, err = read(t.Context(), c, tenant, streamLicences)
	if err != nil || len(page.Objects) != 3 || get(page.Objects[0], directory.FieldTerm) != "" || get(page.Objects[0], directory.FieldAutoRenew) != "" || get(page.Objects[0], directory.FieldExpires) != "2026-05-01T00:00:00Z" {
		t.Errorf("without a commerce relationship: %v %+v", err, page.Objects)
	}
	w.s.Misbehave(microsoftsim.Fault{Path: "/subscriptions", Status: http.StatusBadGateway, Body: "{}"})
	if _, err := read(t.Context(), c, tenant, streamLicences); fault.ClassOf(err) != fault.Transient {
		t.Errorf("Partner Center is down: %v", err)
	}
	w.s.Behave()
	w.s.Misbehave(microsoftsim.Fault{Path: "/v1/customers/", Status: http.StatusForbidden, Body: `{"code":"2032","description":"Access denied"}`})
	_, err = read(t.Context(), c, tenant, streamLicences)
	if fault.ClassOf(err) != fault.Forbidden || !strings.Contains(fault.Hint(err), "App management") || strings.Contains(fault.Hint(err), "adminconsent") {
		t.Errorf("Partner Center refuses the partner: %v", err)
	}
}
