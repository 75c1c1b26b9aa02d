package microsoftsim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// SKU is a product that a tenant has bought.
type SKU struct {
	ID         string // a GUID, the same product in every tenant
	PartNumber string
	Name       string // as Partner Center shows it
	Status     string // Enabled, Warning, Suspended, Deleted, LockedOut
	Enabled    int
	Suspended  int
	Warning    int
	Terms      []Term // the subscriptions that the seats come from
	// Elsewhere: only Partner Center knows of it, as of Azure plans and software.
	Elsewhere bool
}

// Term is one subscription of a product.
type Term struct {
	ID       string // the subscription's id in Graph
	Commerce string // and in Partner Center
	Quantity int
	Status   string // Enabled, Warning, Suspended, Deleted, LockedOut
	Trial    bool
	Ends     time.Time
	Length   string // P1M, P1Y, P3Y
	Billing  string // monthly, annual
	Renews   bool
	Seller   string // tenant id of the partner that sold it; empty: Microsoft
}

// product is a name that Microsoft publishes for a SKU.
type product struct{ id, part, name string }

func products() []product {
	return []product{
		{"f245ecc8-75af-4f8e-b61f-27d8114de5f3", "O365_BUSINESS_PREMIUM", "Microsoft 365 Business Standard"},
		{"05e9a617-0261-4cee-bb44-138d3ef5d965", "SPE_E3", "Microsoft 365 E3"},
		{"f8a1db68-be16-40ed-86d5-cb42ce701560", "POWER_BI_PRO", "Power BI Pro"},
		{"4b9405b0-7788-4568-add1-99614e613b69", "EXCHANGESTANDARD", "Exchange Online (Plan 1)"},
		{"c5928f49-12ba-48f7-ada3-0d743a3601d5", "VISIOCLIENT", "Visio Plan 2"},
		{"53818b1b-4a27-454b-8896-0dba576410e6", "PROJECTPROFESSIONAL", "Planner and Project Plan 3"},
	}
}

func (p Population) makeSKUs(t *Tenant, d *directoryData) {
	for i := range p.SKUs {
		sku := SKU{Status: "Enabled", Enabled: p.People + 5}
		if list := products(); i < len(list) {
			sku.ID, sku.PartNumber, sku.Name = list[i].id, list[i].part, list[i].name
		} else {
			sku.ID, sku.PartNumber, sku.Name = seededGUID(1, 'K', i), fmt.Sprintf("PRODUCT_%d", i), fmt.Sprintf("Product %d", i)
		}
		sku.Terms = []Term{{
			ID: seededGUID(p.Seed, 'S', i), Commerce: seededGUID(p.Seed, 'C', i), Quantity: sku.Enabled, Status: "Enabled",
			Ends: time.Date(2027, 3, 1+i%28, 0, 0, 0, 0, time.UTC), Length: "P1Y", Billing: "monthly", Renews: true, Seller: t.s.Partner(),
		}}
		d.skus = append(d.skus, sku)
	}
}

// SKUs returns the tenant's products. The result must not be changed.
func (t *Tenant) SKUs() (list []SKU) {
	t.read(func(d *directoryData) { list = slices.Clone(d.skus) })
	return list
}

// SetSKUs replaces the tenant's products. Licences that people hold stay as they are.
func (t *Tenant) SetSKUs(list ...SKU) {
	t.change(func(d *directoryData) { d.skus = slices.Clone(list) })
}

// Assign gives a user exactly these products.
func (t *Tenant) Assign(user string, skus ...string) {
	list := make([]map[string]any, len(skus))
	for i, id := range skus {
		list[i] = map[string]any{"skuId": id, "disabledPlans": []string{}}
	}
	t.Set(user, Props{"assignedLicenses": list})
}

// consumed counts the people that hold a product.
func (d *directoryData) consumed(sku string) (n int) {
	for _, o := range d.objects[users] {
		if raw, ok := o.get("assignedLicenses"); ok && o.state == live && strings.Contains(raw, sku) {
			n++
		}
	}
	return n
}

// Consumed returns how many people hold a product.
func (t *Tenant) Consumed(sku string) (n int) {
	t.read(func(d *directoryData) { n = d.consumed(sku) })
	return n
}
