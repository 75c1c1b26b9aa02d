package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/api"
)

// plotted is how many runs a plot has at most.
const plotted = 60

// plot is a picture of runs over time, the oldest first, in a box of 600 by 100.
type plot struct {
	// What is the question that it answers, and Text the same in words, for who does not see it.
	What, Text string
	Bars       []bar
	// Line are the corners of a line; empty in a plot of bars.
	Line string
}

// bar is what one run did.
type bar struct {
	X, Y, Height int
	Outcome      string
	Title        string
}

const (
	plotWidth, plotHeight = 600, 100
	barWidth              = plotWidth / plotted
)

// plots draw the latest runs of one tenant or of several: what they did and, of one tenant alone, how many records it had, how many
// actions waited and how long after the former proof the next one came.
func plots(latest []api.Run) []plot {
	if len(latest) == 0 {
		return nil
	}
	runs := slices.Clone(latest[:min(len(latest), plotted)])
	slices.Reverse(runs)
	list := []plot{deeds(runs)}
	for i := range runs {
		if runs[i].Connection != runs[0].Connection || runs[i].Tenant != runs[0].Tenant {
			return list
		}
	}
	population, queue, age := make([]float64, len(runs)), make([]float64, len(runs)), make([]float64, len(runs))
	var proven time.Time
	for i := range runs {
		for _, n := range runs[i].Records {
			population[i] += float64(n)
		}
		queue[i] = float64(runs[i].Queued)
		if agrees(&runs[i]) {
			proven = runs[i].Ended
		}
		if !proven.IsZero() {
			age[i] = max(0, runs[i].Ended.Sub(proven).Hours())
		}
	}
	return append(list,
		line("Records after each run", population, "%.0f active records in the end, between %.0f and %.0f."),
		line("Actions that waited after each run", queue, "%.0f actions in the end, between %.0f and %.0f."),
		line("Hours since the last run that agreed with the source", age, "%.1f hours in the end, between %.1f and %.1f."))
}

// agrees reports whether a run found out that what is stored is what the source says.
func agrees(r *api.Run) bool {
	return (r.Outcome == api.Clean || r.Outcome == api.Parked || r.Outcome == api.Held) && (r.Mode == "full" || r.Mode == "delta")
}

// deeds draws how many actions each run had.
func deeds(runs []api.Run) plot {
	sums, most, all, failed, held := make([]int, len(runs)), 0, 0, 0, 0
	for i := range runs {
		for _, ops := range runs[i].Counts {
			for _, n := range ops {
				sums[i] += n
			}
		}
		most, all = max(most, sums[i]), all+sums[i]
		switch runs[i].Outcome {
		case api.Failed:
			failed++
		case api.Held:
			held++
		}
	}
	p := plot{What: "Actions of each run", Text: fmt.Sprintf("The latest %d runs, the newest on the right: %d actions, at most %d in one; %d failed, %d held.", len(runs), all, most, failed, held)}
	for i := range runs {
		height := 3 // what did nothing is seen, too
		if sums[i] > 0 {
			height = max(5, plotHeight*sums[i]/most)
		}
		p.Bars = append(p.Bars, bar{X: i * barWidth, Y: plotHeight - height, Height: height, Outcome: runs[i].Outcome,
			Title: fmt.Sprintf("%s %s: %s, %d actions", runs[i].Connection, stamp(runs[i].Started), runs[i].Outcome, sums[i])})
	}
	return p
}

// line draws a value of each run from zero on; text takes the last, the smallest and the largest.
func line(what string, values []float64, text string) plot {
	most := max(slices.Max(values), 1)
	var corners []string
	for i, v := range values {
		corners = append(corners, fmt.Sprintf("%d,%.1f", i*barWidth+barWidth/2, plotHeight-v*(plotHeight-2)/most))
	}
	return plot{What: what, Text: fmt.Sprintf(text, values[len(values)-1], slices.Min(values), slices.Max(values)), Line: strings.Join(corners, " ")}
}
