package console

import (
	"slices"

	"dirsyncd/sync/api"
)

// plotted is how many runs a plot has at most.
const plotted = 60

// plot is a picture of runs over time, the oldest first: a bar each.
type plot struct {
	Bars []bar
	Most int // actions of the highest bar
	// Text says the same for who does not see it.
	Actions, Failed, Held int
}

// bar is one run; its numbers are of a box that is 100 high.
type bar struct {
	X, Y, Height int
	Outcome      string
	Run          api.Run
	Actions      int
}

// plotRuns draws what the latest runs did.
func plotRuns(latest []api.Run) plot {
	var p plot
	runs := slices.Clone(latest[:min(len(latest), plotted)])
	slices.Reverse(runs)
	sums := make([]int, len(runs))
	for i := range runs {
		for _, ops := range runs[i].Counts {
			for _, n := range ops {
				sums[i] += n
			}
		}
		p.Most, p.Actions = max(p.Most, sums[i]), p.Actions+sums[i]
		switch runs[i].Outcome {
		case api.Failed:
			p.Failed++
		case api.Held:
			p.Held++
		}
	}
	const width = 10
	for i := range runs {
		height := 2 // what did nothing is seen, too
		if p.Most > 0 && sums[i] > 0 {
			height = max(4, 100*sums[i]/p.Most)
		}
		p.Bars = append(p.Bars, bar{X: i * width, Y: 100 - height, Height: height, Outcome: runs[i].Outcome, Run: runs[i], Actions: sums[i]})
	}
	return p
}
