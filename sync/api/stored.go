package api

// StoredQuestion asks for what was read of a connection's objects of a kind under some names.
type StoredQuestion struct {
	Connection string `json:"connection"`
	// Kind is a kind of object (person, group, licence, device, customer, site), or tenant, of which id, name and domain are known.
	Kind string `json:"kind"`
	// Names are "id" and names of fields, attributes among them (attributes.costCentre).
	Names []string `json:"names"`
}

// StoredKindTenant is StoredQuestion.Kind of the tenants of a connection.
const StoredKindTenant = "tenant"

// StoredRows is the answer to a StoredQuestion. It may hold personal data.
type StoredRows struct {
	// Rows hold a value for each of the names, each row once, in order; what is blank is "". When a single name is asked for,
	// a list has a row for each of its items.
	Rows [][]string `json:"rows"`
	// Seen is how many objects there are; More says that there are more rows.
	Seen int  `json:"seen"`
	More bool `json:"more,omitempty"`
}
