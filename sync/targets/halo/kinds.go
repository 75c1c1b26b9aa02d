package halo

import (
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// The fields of records that are things of their own at the desk.
const (
	refCustomer = "customer"
	refSite     = "site"
	refUser     = "user"
	refManager  = "manager"
)

// What a group record can be, by its field fieldType.
const (
	team     = "team"      // of agents
	role     = "role"      // of agents: what they may do
	userRole = "user_role" // of users
	cab      = "cab"       // a change advisory board, of both

	fieldType = "type"
)

// resource is how the desk keeps one kind of thing.
type resource struct {
	kind directory.RecordKind
	// path is that of the list; one thing is below it, and a POST of an array to it makes or changes things.
	path string
	// envelope is the property of a list's answer that has the rows; empty: the answer is the list.
	envelope string
	// every is the query by which a list leaves nothing out.
	every map[string]string
	// most is how many rows a page can have; 0: as many as are asked for.
	most int
	// off is the property that says that a thing is out of use; on one that says that it is in use.
	off, on string
	// name is the property that people name it by.
	name string
	// fields are the usual properties by the names of the records' fields.
	fields map[string]string
	// quiet are the switches that go with every write, fresh those that go with a creation.
	quiet, fresh map[string]any
	// linked: the mark is an external link, which goes along in the same write. marked: it is this property.
	linked bool
	marked string
	// tickets is the filter of tickets by things of the kind; empty: there is none.
	tickets string
	// changed is the property with the time of the last change.
	changed string
	about   targets.DeskKind
}

// prefixAgent tells agents from users: members of groups are either.
const prefixAgent = "agent:"

// quiet keeps automations from going off.
func quiet() map[string]any { return map[string]any{"_dont_fire_automations": true} }

func customers() *resource {
	return &resource{
		kind: directory.CustomerRecord, path: "Client", envelope: "clients", off: "inactive", name: "name",
		every:  map[string]string{"includeinactive": "true", "includeactive": "true"},
		fields: map[string]string{directory.FieldName: "name", "website": "website", directory.FieldDomain: "domain"},
		quiet:  quiet(), fresh: map[string]any{"newclient_sendwelcomeemail": false},
		linked: true, tickets: "client_id", changed: "alastupdate",
		about: targets.DeskKind{
			Keys: []targets.DeskKey{
				{Name: "azure_tenant_id", Folded: true, Anchor: true}, {Name: "domain", Folded: true},
				{Name: "name", Folded: true, Proposes: true, Usual: []string{directory.FieldName}},
			},
			Title: "name",
		},
	}
}

func sites() *resource {
	return &resource{
		kind: directory.SiteRecord, path: "Site", envelope: "sites", off: "inactive", name: "name",
		every:  map[string]string{"includeinactive": "true", "includeactive": "true"},
		fields: map[string]string{directory.FieldName: "name", directory.FieldDomain: "emaildomain", directory.FieldPhone: "phonenumber"},
		quiet:  quiet(), fresh: map[string]any{"newsite_sendwelcomeemail": false},
		linked: true, tickets: "site_id", changed: "slastupdate",
		about: targets.DeskKind{
			Keys:       []targets.DeskKey{{Name: "name", Folded: true, Within: true, Usual: []string{directory.FieldName}}},
			Title:      "name",
			References: map[string]directory.RecordKind{refCustomer: directory.CustomerRecord},
		},
	}
}

func agents() *resource {
	return &resource{
		kind: directory.AgentRecord, path: "Agent", off: "isdisabled", name: "name",
		every: map[string]string{"includedisabled": "true", "includeenabled": "true", "includeapiagents": "true", "includeroles": "true", "showall": "true"},
		fields: map[string]string{
			directory.FieldName: "name", directory.FieldGivenName: "firstname", directory.FieldFamilyName: "surname",
			directory.FieldEmail: "email", directory.FieldTitle: "jobtitle", directory.FieldLogin: "ad",
		},
		marked: "third_party_guid", tickets: "agent_id", changed: "last_modified",
		about: targets.DeskKind{
			Keys: []targets.DeskKey{
				{Name: "oktaid", Anchor: true}, {Name: "activedirectory_dn", Folded: true},
				{Name: "ad", Folded: true, Usual: []string{directory.FieldLogin}}, {Name: "email", Folded: true, Usual: []string{directory.FieldEmail}},
			},
			References: map[string]directory.RecordKind{refManager: directory.AgentRecord},
		},
	}
}

func users() *resource {
	q := quiet()
	q["sendwelcomeemail"] = false
	return &resource{
		kind: directory.UserRecord, path: "Users", envelope: "users", off: "inactive", name: "name",
		every: map[string]string{"includeinactive": "true", "includeactive": "true", "includeserviceaccount": "true", "includenonserviceaccount": "true"},
		fields: map[string]string{
			directory.FieldName: "name", directory.FieldGivenName: "firstname", directory.FieldFamilyName: "surname", directory.FieldTitle: "title",
			directory.FieldEmail: "emailaddress", directory.FieldPhone: "phonenumber", directory.FieldMobile: "mobilenumber", directory.FieldLogin: "login",
		},
		quiet: q, linked: true, tickets: "user_id", changed: "ulastupdate",
		about: targets.DeskKind{
			Keys: []targets.DeskKey{
				{Name: "azureoid", Folded: true, Anchor: true}, {Name: "oktaid", Anchor: true}, {Name: "googleworkplace_id", Anchor: true},
				{Name: "activedirectory_dn", Folded: true}, {Name: "samaccountname", Folded: true},
				{Name: "login", Folded: true, Usual: []string{directory.FieldLogin}},
				{Name: "emailaddress", Folded: true, Within: true, Usual: []string{directory.FieldEmail}},
			},
			References: map[string]directory.RecordKind{
				refCustomer: directory.CustomerRecord, refSite: directory.SiteRecord, refManager: directory.UserRecord,
			},
		},
	}
}

func licences() *resource {
	return &resource{
		kind: directory.LicenceRecord, path: "SoftwareLicence", envelope: "licences", on: "is_active", name: "name",
		every: map[string]string{"includeinactive": "true"},
		fields: map[string]string{
			directory.FieldName: "name", directory.FieldSKU: "product_sku", directory.FieldQuantity: "count", directory.FieldTerm: "term_duration",
			directory.FieldExpires: "end_date", "starts": "start_date", "billing_cycle": "billing_cycle", "tenant": "tenant_id",
		},
		about: targets.DeskKind{
			Keys: []targets.DeskKey{
				{Name: "product_sku", Folded: true, Within: true, Usual: []string{directory.FieldSKU}},
				{Name: "name", Folded: true, Within: true, Proposes: true, Usual: []string{directory.FieldName}},
			},
			References: map[string]directory.RecordKind{refCustomer: directory.CustomerRecord},
		},
	}
}

func assets() *resource {
	return &resource{
		kind: directory.AssetRecord, path: "Asset", envelope: "assets", off: "inactive", name: "inventory_number",
		every:  map[string]string{"includeinactive": "true", "includeactive": "true"},
		fields: map[string]string{directory.FieldName: "inventory_number"},
		quiet:  quiet(), marked: "third_party_id_string", tickets: "asset_id", changed: "dlastupdate",
		about: targets.DeskKind{
			Keys: []targets.DeskKey{
				{Name: "intune_id", Folded: true, Anchor: true}, {Name: "inventory_number", Folded: true, Within: true, Usual: []string{directory.FieldName}},
			},
			References: map[string]directory.RecordKind{
				refCustomer: directory.CustomerRecord, refSite: directory.SiteRecord, refUser: directory.UserRecord,
			},
		},
	}
}

func tickets() *resource {
	q := quiet()
	q["dont_do_rules"] = true
	return &resource{
		kind: directory.TicketRecord, path: "Tickets", envelope: "tickets", most: 100, quiet: q, marked: "third_party_id_string", changed: "last_update",
		about: targets.DeskKind{References: map[string]directory.RecordKind{
			refCustomer: directory.CustomerRecord, refSite: directory.SiteRecord, refUser: directory.UserRecord,
		}},
	}
}

// resourceOf is how the desk keeps a kind; nil for groups, which are four kinds there, and for what it does not know.
func resourceOf(kind directory.RecordKind) *resource {
	switch kind {
	case directory.CustomerRecord:
		return customers()
	case directory.SiteRecord:
		return sites()
	case directory.AgentRecord:
		return agents()
	case directory.UserRecord:
		return users()
	case directory.LicenceRecord:
		return licences()
	case directory.AssetRecord:
		return assets()
	case directory.TicketRecord:
		return tickets()
	default:
		return nil
	}
}

// describe says what the desk takes.
func describe(cfg *Config) targets.DeskDescription {
	d := targets.DeskDescription{Place: cfg.place(), Batch: 1, Parallel: cfg.Parallel}
	for _, kind := range []directory.RecordKind{
		directory.CustomerRecord, directory.SiteRecord, directory.AgentRecord, directory.UserRecord, directory.GroupRecord,
		directory.LicenceRecord, directory.AssetRecord, directory.TicketRecord,
	} {
		if kind == directory.GroupRecord {
			d.Kinds = append(d.Kinds, targets.DeskKind{
				Kind: kind, Members: true, Ends: []directory.Op{directory.Deactivate}, Title: "name",
				Keys: []targets.DeskKey{{Name: "name", Folded: true, Proposes: true, Usual: []string{directory.FieldName, directory.FieldTitle}}},
			})
			continue
		}
		if kind == directory.AssetRecord && cfg.Asset.Type == 0 || kind == directory.TicketRecord && cfg.Ticket.Type == 0 {
			continue // nobody can make one without its type
		}
		r := resourceOf(kind)
		about := r.about
		about.Kind, about.Marked = kind, r.marked != "" || r.linked && cfg.Mark == markLink
		if r.off != "" || r.on != "" {
			about.Ends = []directory.Op{directory.Deactivate}
		}
		if kind == directory.UserRecord && !cfg.Details {
			var keys []targets.DeskKey
			for _, key := range about.Keys {
				if !isShort(key.Name) {
					keys = append(keys, key)
				}
			}
			about.Keys = keys
		}
		d.Kinds = append(d.Kinds, about)
	}
	return d
}

// isShort reports whether a key of users is one that lists leave out.
func isShort(key string) bool {
	return key == "azureoid" || key == "googleworkplace_id" || key == "samaccountname"
}
