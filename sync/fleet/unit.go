package fleet

import "fmt"

// Kind is what is done with a unit. The numbers are stored.
type Kind int16

// The kinds.
const (
	List    Kind = 1 + iota // list the tenants of a connection
	Run                     // run a tenant, or a share of a connection's tenants
	Deliver                 // deliver to a target, for as long as there is a worker
	Audit                   // audit a target
)

// String is the name of the kind, as it is that of jobs.
func (k Kind) String() string {
	switch k {
	case List:
		return "list_tenants"
	case Run:
		return "run_tenant"
	case Deliver:
		return "deliver"
	case Audit:
		return "audit_target"
	}
	return fmt.Sprintf("kind %d", int16(k))
}

// Unit names what one worker at a time works on: a connection, a tenant of one, or a target.
type Unit struct {
	Kind       Kind
	Connection string // of List and Run
	Tenant     string // of Run; or what the share is called
	Target     string // of Deliver and Audit
}

// Selector selects units. Empty fields select all.
type Selector struct {
	Kind       Kind
	Connection string
	Tenant     string
	Target     string
}

// Want is a set of what is wanted of a unit. The bits are stored.
type Want int16

// What can be wanted.
const (
	Incremental Want = 1 << iota
	Full             // wins over Incremental
	Approve          // Request.Args names the plan
	Discard
	Resend // Request.Args names the target
)

// Has reports whether all bits of another set are in this one.
func (w Want) Has(other Want) bool { return w&other == other }

// Priority is the order in which wanted units are taken. Whoever has waited for five minutes counts as Urgent.
type Priority int16

// The priorities.
const (
	Urgent  Priority = 1 + iota // somebody waits for it
	Changes                     // an incremental run
	Whole                       // a full run
	Bulk                        // a first sync: much work that nobody waits for
)

// Request is what somebody wants.
type Request struct {
	Want Want
	// Cause says who or what asks. Of two requests that become one it is the earlier one's, unless only the later one wants Full.
	Cause string
	// Priority is the higher one of two requests that become one; zero: what Want says.
	Priority Priority
	// Operator: a person asks, so that a unit that is left alone for a while is worked on all the same.
	Operator bool
	// Args are what else is needed to do it. Of two requests that become one those of the later one win, name by name.
	Args map[string]string
}

// Rank is the priority of the request.
func (r Request) Rank() Priority {
	switch {
	case r.Priority != 0:
		return r.Priority
	case r.Operator:
		return Urgent
	case r.Want.Has(Full):
		return Whole
	}
	return Changes
}
