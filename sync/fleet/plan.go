package fleet

import (
	"time"

	"github.com/robfig/cron/v3"
)

// Plan is what a configuration says of units. Workers with equal ones share units; the others wait.
type Plan struct {
	// Generation identifies the configuration with all that decides what comes of it: the rules' language and the canonical form
	// of objects, too, since two that differ there would undo each other's work for ever.
	Generation string
	Units      []Planned
	// Alone says what of the configuration is for one machine without saying for which; empty: nothing. While a worker of another name is
	// alive, nobody may join with it.
	Alone string
}

// Planned is a unit of List, Deliver or Audit. Tenants are not in a configuration: listing a connection finds them.
type Planned struct {
	Unit
	// Incremental and Full are schedules of package schedule, or nil. Spec is what they were made of: with another one the next
	// times are computed anew.
	Incremental, Full cron.Schedule
	Spec              string
	// Jitter delays every scheduled time by a random duration up to this.
	Jitter time.Duration
	// AtOnce is how many units of the connection all workers together work on at a time; 0 means 8.
	AtOnce int
	// Places are the names of the workers that may take the unit, and those of the connection's tenants; none: every worker.
	Places []string
}
