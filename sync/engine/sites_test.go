package engine

import (
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// belongs are links to a customer and a site, of which one may be left out.
func belongs(customer, site string) (links []directory.Link) {
	if customer != "" {
		links = append(links, directory.Link{Type: directory.OfCustomer, To: "c:" + customer})
	}
	if site != "" {
		links = append(links, directory.Link{Type: directory.AtSite, To: "s:" + site})
	}
	return links
}

func clearing(name string, value any) mapping.FieldSpec {
	f := field(name, value)
	f.Blank = mapping.ClearBlank
	return f
}

// placesSpec makes records of customers, sites, people, licences and devices that name what they belong to.
func placesSpec() mapping.Spec {
	spec := wideSpec()
	spec.Rules = []mapping.RuleSpec{user("everyone", "enabled")}
	spec.Devices = []mapping.RuleSpec{rule("all", "true", directory.AssetRecord)}
	spec.Fields = map[directory.RecordKind][]mapping.FieldSpec{
		directory.CustomerRecord: {field("name", "= name")},
		directory.SiteRecord:     {clearing("customer", "= customer.name")},
		directory.UserRecord:     {clearing("customer", "= customer.name"), clearing("site", "= site.name")},
		directory.LicenceRecord:  {clearing("customer", "= customer.name")},
		directory.AssetRecord:    {clearing("site", "= site.name")},
	}
	return spec
}

// TestCustomersAndSites: whoever belongs to a customer or a site is told of its change, where the rules look at it.
func TestCustomersAndSites(t *testing.T) {
	r := newRig(t)
	r.wide = true
	r.mapping(placesSpec())
	r.customers["acme"], r.sites["oslo"] = "Acme", "acme"
	r.add("1", "P1")
	r.add("2", "P2")
	r.licences["e3"], r.devices["pc"] = "E3", "p:1"
	r.belongTo["1"], r.belongTo["e3"], r.belongTo["pc"] = belongs("acme", "oslo"), belongs("acme", ""), belongs("", "oslo")
	r.expect("first", Clean, "create customer acme", "create site oslo", "create user 1", "create user 2", "create licence e3", "create asset pc")
	r.expect("idle", Clean)
	r.customers["acme"] = "Acme Ltd"
	r.expect("a customer's new name", Clean, "update customer acme name:Acme>Acme Ltd", "update site oslo customer:Acme>Acme Ltd",
		"update user 1 customer:Acme>Acme Ltd", "update licence e3 customer:Acme>Acme Ltd")
	r.belongTo["2"] = belongs("later", "bergen")
	r.expect("where nobody knows of anything", Clean)
	r.customers["later"], r.sites["bergen"] = "Later", "later"
	r.expect("both appear", Clean, "create customer later", "create site bergen", "update user 2 customer:>Later site:>bergen")
	r.sites["bergen"] = "acme"
	r.expect("a site goes to another customer", Clean, "update site bergen customer:Later>Acme Ltd")
	delete(r.sites, "oslo")
	delete(r.customers, "acme")
	r.add("3", "P3")
	r.expect("both go", Clean, "update site bergen customer:Acme Ltd>", "update user 1 customer:Acme Ltd> site:oslo>", "create user 3",
		"update licence e3 customer:Acme Ltd>", "update asset pc site:oslo>", "deactivate site oslo", "deactivate customer acme")
}

// TestHeldCustomersAreStillThere: while the removal of customers waits, those who belong to them keep them.
func TestHeldCustomersAreStillThere(t *testing.T) {
	r := newRig(t)
	r.wide = true
	r.mapping(placesSpec())
	one := 1
	r.conn.Guard = plan.Guard{directory.Deactivate: plan.Limit{Count: &one}}
	for _, id := range []string{"a", "b", "c"} {
		r.customers["c"+id], r.sites["s"+id] = "C"+id, "c"+id
	}
	r.add("1", "P1")
	r.belongTo["1"] = belongs("ca", "sa")
	r.expect("first", Clean, "create customer ca", "create customer cb", "create customer cc",
		"create site sa", "create site sb", "create site sc", "create user 1")
	delete(r.customers, "ca")
	delete(r.customers, "cb")
	delete(r.sites, "sa")
	res := r.expect("some go", Held)
	r.job.Approve = res.Run.Held
	r.expect("approved", Clean, "update site sb customer:Cb>", "update user 1 customer:Ca> site:sa>",
		"deactivate site sa", "deactivate customer ca", "deactivate customer cb")
}

// TestCustomerComesBackAfterACut: a run is cut anywhere while a customer and its site go, who are settled last, and both
// are there again afterwards. Nobody has lost anything by it.
func TestCustomerComesBackAfterACut(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			r := newRig(t)
			r.wide = true
			r.mapping(placesSpec())
			r.conn.Guard = nil
			r.customers["acme"], r.sites["oslo"] = "Acme", "acme"
			r.licences["e3"], r.devices["pc"] = "E3", "p:1"
			for _, id := range []string{"1", "2", "3", "4", "5"} {
				r.add(id, "P"+id)
				r.belongTo[id] = belongs("acme", "oslo")
			}
			r.belongTo["e3"], r.belongTo["pc"] = belongs("acme", ""), belongs("", "oslo")
			r.sync()
			want := r.active()
			clear(r.customers)
			clear(r.sites)
			cut := &cutStore{Store: r.store, left: n, after: after}
			r.engine.store = cut
			r.sync()
			r.engine = New(r.store, r.engine.opts)
			r.customers["acme"], r.sites["oslo"] = "Acme", "acme"
			if _, res := r.sync(); res.Err != nil {
				t.Error(res.Err)
			}
			if got := r.active(); got != want {
				t.Errorf("cut %d after %t:\n got %s\nwant %s", n, after, got, want)
			}
			if !cut.dead.Load() {
				break
			}
		}
	}
}
