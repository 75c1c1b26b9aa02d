package service

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/connectors/distinct"
	"dirsyncd/connectors/merge"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/file"
)

const placesConfig = `state: state.db
connections:
  ad: {connector: ad, mapping: staff, targets: [journal]}
  places:
    connector: distinct
    mapping: places
    targets: [journal]
    distinct:
      from: [ad]
      of: [user, asset]
      make:
        customer: {value: customer}
        site: {value: site, within: customer}
mappings:
  staff:
    rules:
      - name: staff
        when: enabled ?? true
        user: {name: = name}
    devices: [{name: all, asset: {name: = name}}]
    fields:
      user: {customer: {value: = company, blank: clear}, site: {value: = office, blank: clear}}
      asset: {site: {value: = path, blank: clear}, customer: Acme}
    guard: {deactivate: {percent: 100}}
  places:
    customers: [{name: all, customer: {name: = name}}]
    sites: [{name: all, site: {name: = name, customer: = customer.name, of: = attributes.customer}}]
    leavers: %s
    guard: {deactivate: {%s}}
targets: {journal: {target: file, file: {path: changes.jsonl}}}
`

// places is a directory and the customers and sites that are made of it.
type places struct {
	*merged
	ad *memory.Source
}

func newPlaces(t *testing.T, leavers, guard string) *places {
	t.Helper()
	t.Chdir(t.TempDir())
	p := &places{merged: &merged{T: t}, ad: memory.NewSource()}
	source := memory.FactoryOf(p.ad, memory.Options{PageSize: 3, Kinds: []directory.Kind{directory.Person, directory.Group, directory.Device}})
	source.Name = "ad"
	p.parts = Parts{Connectors: connectors.Registry{source, distinct.Factory()}, Targets: targets.Registry{file.Factory()}}
	p.must(os.WriteFile("config.yaml", fmt.Appendf(nil, placesConfig, leavers, guard), 0o600))
	p.reopen()
	return p
}

func (p *places) reopen() {
	p.Helper()
	cfg, err := config.Load("config.yaml", p.parts.Config())
	p.must(err)
	if len(cfg.Warnings) > 0 {
		p.Fatalf("warnings: %v", cfg.Warnings)
	}
	p.store, err = bolt.Open("state.db", bolt.Options{NoSync: true})
	p.must(err)
	p.service, err = New(cfg, Options{Parts: p.parts, Store: p.store, Log: slog.New(slog.DiscardHandler), Version: "1.2.3"})
	p.must(err)
	p.Cleanup(func() { _ = p.service.Close() })
}

func (p *places) person(id, company, office string) {
	p.put(p.ad, id, "name", "P"+id, "company", company, "office", office)
}

func (p *places) gone(kind directory.Kind, ids ...string) {
	for _, id := range ids {
		p.ad.Remove("", directory.Ref{Kind: kind, ID: id})
	}
}

// have are the records of customers and sites, those that are not in use with a minus.
func (p *places) have() (lines []string) {
	p.Helper()
	p.must(p.store.View(p.Context(), store.Partition{Connection: "places"}, func(tx store.Reader) error {
		lines = nil
		for _, kind := range []directory.RecordKind{directory.CustomerRecord, directory.SiteRecord} {
			err := tx.Records(kind, 0, func(_ store.Num, rec directory.Record) bool {
				if rec.Deleted {
					return true
				}
				line := strings.TrimPrefix(rec.Key, "places/")
				if !rec.Active {
					line = "-" + line
				}
				for _, f := range rec.Fields {
					line += " " + f.Name + "=" + f.Value.String()
				}
				lines = append(lines, line)
				return true
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	slices.Sort(lines)
	return lines
}

func (p *places) wants(what string, lines ...string) {
	p.Helper()
	slices.Sort(lines)
	if got := p.have(); !slices.Equal(got, lines) {
		p.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(lines, "\n     "))
	}
}

const acme, acmeLondon = "customer:acme name=Acme", "site:acme/london customer=Acme name=London of=Acme"

func TestPlaces(t *testing.T) {
	p := newPlaces(t, "deactivate", "percent: 100")
	p.person("1", "Acme", "London")
	p.person("2", "ACME", "london ")
	p.person("3", "Acme", "London")
	p.person("4", "Umbrella", "London")
	p.person("5", "Acme", "n/a")
	p.sync(false)
	p.wants("first", acme, acmeLondon, "customer:umbrella name=Umbrella", "site:umbrella/london customer=Umbrella name=London of=Umbrella")
	for _, r := range p.sync(false) {
		if r.Changed+r.Removed+len(r.Counts) > 0 || r.Connection == "places" && r.Mode != "delta" {
			t.Errorf("an idle run of %s: %+v", r.Connection, r)
		}
	}
	// The spelling of most.
	p.person("1", "Acme", "LONDON")
	p.person("3", "Acme", "LONDON")
	p.sync(false)
	p.wants("another spelling", acme, "site:acme/london customer=Acme name=LONDON of=Acme", "customer:umbrella name=Umbrella",
		"site:umbrella/london customer=Umbrella name=London of=Umbrella")
	// The last one leaves, of a site and of a customer; a device comes to a site of its own.
	p.gone(directory.Person, "4")
	p.person("1", "Acme", "Leeds")
	p.person("3", "Acme", "London")
	p.ad.Put("", directory.Object{Kind: directory.Device, ID: "d1", Fields: []directory.Field{
		{Name: "name", Value: directory.Text("PC")}, {Name: "path", Value: directory.Text("Oslo")}}})
	p.sync(false)
	left := []string{"-customer:umbrella name=Umbrella", "-site:umbrella/london customer=Umbrella name=London of=Umbrella"}
	p.wants("moves", append(left, acme, "site:acme/london customer=Acme name=London of=ACME", "site:acme/leeds customer=Acme name=Leeds of=Acme", "site:acme/oslo customer=Acme name=Oslo of=Acme")...)
	// Back again, under the same key; those who are disabled are at no site.
	p.person("4", "Umbrella", "London")
	p.put(p.ad, "1", "name", "P1", "company", "Acme", "office", "Leeds", "enabled", "false")
	p.gone(directory.Device, "d1")
	p.sync(false)
	p.wants("back", acme, "site:acme/london customer=Acme name=London of=ACME", "customer:umbrella name=Umbrella", "site:umbrella/london customer=Umbrella name=London of=Umbrella",
		"-site:acme/leeds customer=Acme name=Leeds of=Acme", "-site:acme/oslo customer=Acme name=Oslo of=Acme")
	before := p.have()
	p.sync(true)
	p.wants("in full", before...)
}

// TestPlacesLeavers: `leavers` says what becomes of a site that nobody names any more, and the guard holds many.
func TestPlacesLeavers(t *testing.T) {
	p := newPlaces(t, "delete", "percent: 100")
	p.person("1", "Acme", "London")
	p.person("2", "Acme", "Oslo")
	p.sync(false)
	p.person("2", "Acme", "London")
	p.sync(false)
	p.wants("deleted", acme, acmeLondon)

	p = newPlaces(t, "keep", "percent: 100")
	p.person("1", "Acme", "London")
	p.person("2", "Acme", "Oslo")
	p.sync(false)
	p.person("2", "Acme", "London")
	p.sync(false)
	p.wants("kept", acme, acmeLondon, "site:acme/oslo customer=Acme name=Oslo of=Acme")

	p = newPlaces(t, "deactivate", "count: 1")
	for _, id := range []string{"1", "2", "3", "4"} {
		p.person(id, "Acme", "Office "+id)
	}
	p.sync(false)
	for _, id := range []string{"2", "3", "4"} {
		p.person(id, "Acme", "Office 1")
	}
	held := ""
	for _, r := range p.sync(false) {
		held = max(held, r.Held)
	}
	if got := p.have(); held == "" || slices.ContainsFunc(got, func(line string) bool { return line[0] == '-' }) {
		t.Errorf("held %q: %s", held, got)
	}
}

// TestPlacesWait: nothing is made of a connection that was never settled, and what is held there is still at its site.
func TestPlacesWait(t *testing.T) {
	p := newPlaces(t, "deactivate", "percent: 100")
	p.person("1", "Acme", "London")
	result, err := p.service.Sync(t.Context(), api.SyncRequest{Connections: []string{"places"}}, nil)
	if err != nil || result.Runs[0].Error == "" {
		t.Fatalf("%+v, %v", result, err)
	}
	p.wants("nothing yet")
	p.sync(false)
	p.wants("now", acme, acmeLondon)
	// Who leaves and is held keeps the record, and the site with it, until that is approved.
	p.must(os.WriteFile("config.yaml", []byte(strings.ReplaceAll(fmt.Sprintf(placesConfig, "deactivate", "percent: 100"),
		"guard: {deactivate: {percent: 100}}\n  places", "guard: {deactivate: {count: 0}}\n  places")), 0o600))
	p.must(p.service.Close())
	p.reopen()
	p.person("2", "Umbrella", "Leeds")
	p.gone(directory.Person, "1")
	held := ""
	for _, r := range p.sync(false) {
		held = max(held, r.Held)
	}
	umbrella, leeds := "customer:umbrella name=Umbrella", "site:umbrella/leeds customer=Umbrella name=Leeds of=Umbrella"
	p.wants("held", acme, acmeLondon, umbrella, leeds)
	if _, err := p.service.Approve(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	p.sync(false, "places")
	p.wants("approved", "-"+acme, "-"+acmeLondon, umbrella, leeds)
}

// TestPlacesOfMerged: sites are made of people who are made of several, in one go.
func TestPlacesOfMerged(t *testing.T) {
	p := newPlaces(t, "deactivate", "percent: 100")
	p.must(p.service.Close())
	hr := memory.NewSource()
	source := memory.FactoryOf(hr, memory.Options{})
	source.Name = "hr"
	p.parts.Connectors = append(p.parts.Connectors, source, merge.Factory())
	text := fmt.Sprintf(placesConfig, "deactivate", "percent: 100")
	text = strings.Replace(text, "  ad: {connector: ad, mapping: staff, targets: [journal]}\n", `  ad: {connector: ad, targets: []}
  hr: {connector: hr, targets: []}
  people: {connector: merge, mapping: staff, targets: [journal], merge: {from: [ad, hr], join: [{field: employee_id}], fields: {office: [hr]}}}
`, 1)
	text = strings.Replace(text, "from: [ad]", "from: [people]", 1)
	p.must(os.WriteFile("config.yaml", []byte(text), 0o600))
	p.must(os.Remove("state.db"))
	p.reopen()
	p.put(p.ad, "g1", "name", "Ada", "company", "Acme", "office", "Oslo", "employee_id", "1")
	p.put(hr, "1", "name", "Ada", "office", "London", "employee_id", "1")
	for range 2 {
		p.sync(false)
		p.wants("made", acme, acmeLondon)
	}
	p.put(hr, "1", "name", "Ada", "office", "LONDON", "employee_id", "1")
	p.sync(false)
	p.wants("followed", acme, "site:acme/london customer=Acme name=LONDON of=Acme")
}

// TestPlacesAnyOrder changes people at random and compares what came of it with what is made in full of the same people, and with a
// count of its own.
func TestPlacesAnyOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(connectortest.Seed(t), 12))
	p := newPlaces(t, "delete", "percent: 100")
	spellings := []string{"London", "LONDON", "london", "Leeds", "leeds", "Oslo", "", "none"}
	companies := []string{"Acme", "ACME", "Umbrella"}
	for round := range 40 {
		for range 1 + rnd.IntN(12) {
			id := fmt.Sprint(rnd.IntN(25))
			switch rnd.IntN(5) {
			case 0:
				p.gone(directory.Person, id)
			case 1:
				p.put(p.ad, id, "name", "P", "company", "Acme", "office", "Oslo", "enabled", "false")
			default:
				p.person(id, companies[rnd.IntN(3)], spellings[rnd.IntN(len(spellings))])
			}
		}
		p.sync(false, "ad")
		if rnd.IntN(3) > 0 {
			continue // several runs of the one between two of the other
		}
		p.sync(false, "places")
		followed := p.have()
		if want := p.counted(); !slices.Equal(followed, want) {
			t.Fatalf("round %d: %s", round, diffOf(followed, want))
		}
		p.sync(true, "places")
		if whole := p.have(); !slices.Equal(whole, followed) {
			t.Fatalf("round %d, in full: %s", round, diffOf(whole, followed))
		}
	}
}

// counted is what must be there, counted from the records of people.
func (p *places) counted() (lines []string) {
	counts := map[string]map[string]int{} // by id and what is counted
	count := func(id, text string) {
		if counts[id] == nil {
			counts[id] = map[string]int{}
		}
		counts[id][text]++
	}
	p.must(p.store.View(p.Context(), store.Partition{Connection: "ad"}, func(tx store.Reader) error {
		return tx.Records(directory.UserRecord, 0, func(_ store.Num, rec directory.Record) bool {
			customer, _ := rec.Get("customer")
			site, _ := rec.Get("site")
			if !rec.Active {
				return true
			}
			count("customer:"+strings.ToLower(customer.Text()), customer.Text())
			if s := site.Text(); s != "" && s != "none" {
				id := "site:" + strings.ToLower(customer.Text()) + "/" + strings.ToLower(s)
				count(id, s)
				count(id+" of", customer.Text())
			}
			return true
		})
	}))
	most := func(id string) (text string) {
		for t, n := range counts[id] {
			if n > counts[id][text] || n == counts[id][text] && t < text {
				text = t
			}
		}
		return text
	}
	for id := range counts {
		if strings.HasSuffix(id, " of") {
			continue
		}
		line := id + " name=" + most(id)
		if customer, ok := strings.CutPrefix(id, "site:"); ok {
			customer, _, _ = strings.Cut(customer, "/")
			line = id + " customer=" + most("customer:"+customer) + " name=" + most(id) + " of=" + most(id+" of")
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}
