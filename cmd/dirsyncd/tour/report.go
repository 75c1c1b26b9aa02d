package tour

import "dirsyncd/sync/api"

// Report is the tour for those who do not read it: what was done, step by step, and what came of it.
type Report struct {
	Folder string `json:"folder"` // configuration, state and journal
	Steps  []Step `json:"steps"`
}

// Step is one step of a tour.
type Step struct {
	Step  int       `json:"step"`
	Title string    `json:"title"`
	Runs  []api.Run `json:"runs"`
}

// ran remembers runs of the present step.
func (t *tour) ran(runs ...api.Run) {
	if n := len(t.report.Steps); n > 0 {
		t.report.Steps[n-1].Runs = append(t.report.Steps[n-1].Runs, runs...)
	}
}
