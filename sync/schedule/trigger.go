package schedule

// Causes of a run, as they stand in logs and in the list of runs.
const (
	CauseSchedule = "schedule"
	CauseFull     = "full schedule"
	CauseUSR1     = "signal USR1"
	CauseUSR2     = "signal USR2"
	CauseStartup  = "startup"
)

// Trigger asks for a run.
type Trigger struct {
	Full  bool   // read everything, not only what changed
	Cause string // who or what asks
}

// join makes one trigger of two: full wins over incremental, the earlier one over the later.
func (t Trigger) join(later Trigger) Trigger {
	if later.Full && !t.Full {
		return later
	}
	return t
}
