package api

import "time"

// ParkedItem is something that failed for good and waits for the operator.
type ParkedItem struct {
	ID         string    `json:"id"` // unique: connection, tenant and number
	Connection string    `json:"connection"`
	Tenant     string    `json:"tenant,omitempty"`
	TenantName string    `json:"tenant_name,omitempty"`
	Name       string    `json:"name,omitempty"` // of the person or thing, where it is known
	Since      time.Time `json:"since"`
	Stage      string    `json:"stage"` // read, map, deliver
	Target     string    `json:"target,omitempty"`
	Subject    string    `json:"subject"`         // "user/hq-ad/1", or kind and id of the object
	Where      string    `json:"where,omitempty"` // the place at the source: a file and a line
	Op         string    `json:"op,omitempty"`    // of a parked action
	Class      string    `json:"class"`
	Reason     string    `json:"reason"`
}
