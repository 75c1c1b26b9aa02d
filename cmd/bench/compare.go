package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// figures are what one measured step took.
type figures struct{ seconds, cpu, own, total float64 }

// compare measures people with this build and with another build of this command, in turn, so that whatever else the
// machine does spoils both alike. It prints the medians of both, and this build's as a multiple of the other's.
func compare(ctx context.Context, out io.Writer, o options, other string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "%d people, medians of %d runs in turn, load %s at the start\n\n", o.people, o.rounds, load())
	before, now := map[string][]figures{}, map[string][]figures{}
	var steps []string
	for range o.rounds {
		for _, build := range []struct {
			path string
			into map[string][]figures
		}{{other, before}, {self, now}} {
			names, err := measureBuild(ctx, build.path, o, build.into)
			if err != nil {
				return fmt.Errorf("%s: %w", build.path, err)
			}
			steps = names
		}
	}
	row := "%-40s %8s %8s %6s %9s %9s %6s %6s %6s %8s %8s\n"
	_, _ = fmt.Fprintf(out, row, "what", "before", "now", "ratio", "CPU bef.", "CPU now", "ratio", "own b.", "own n.", "total b.", "total n.")
	for _, step := range steps {
		b, n := median(before[step]), median(now[step])
		_, _ = fmt.Fprintf(out, row, step, seconds(b.seconds), seconds(n.seconds), ratio(n.seconds, b.seconds), seconds(b.cpu), seconds(n.cpu),
			ratio(n.cpu, b.cpu), mebibytes(b.own), mebibytes(n.own), mebibytes(b.total), mebibytes(n.total))
	}
	_, _ = fmt.Fprintf(out, "\nload %s at the end\n", load())
	return nil
}

// measureBuild runs a build of this command once and adds what its table says. It returns the steps in their order.
func measureBuild(ctx context.Context, path string, o options, into map[string][]figures) (steps []string, err error) {
	cmd := exec.CommandContext(ctx, path, "-parts", "people", "-people", strconv.Itoa(o.people), "-groups", strconv.Itoa(o.groups),
		"-changed", strconv.Itoa(o.changed), "-joiners", strconv.Itoa(o.joiners))
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		step, f, ok := parseRow(line)
		if !ok {
			continue
		}
		steps = append(steps, step)
		into[step] = append(into[step], f)
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("no row of figures in its output")
	}
	return steps, nil
}

// parseRow reads a row of the table that measure prints. Only some rows have a rate, so that the memory is counted
// from the end.
func parseRow(line string) (step string, f figures, ok bool) {
	const nameWidth = 40
	if len(line) < nameWidth {
		return "", f, false
	}
	fields := strings.Fields(line[nameWidth:])
	if len(fields) < 7 || !strings.HasSuffix(fields[0], "s") {
		return "", f, false
	}
	ok = true
	number := func(text string) float64 {
		v, err := strconv.ParseFloat(strings.TrimSuffix(text, "s"), 64)
		ok = ok && err == nil
		return v
	}
	f.seconds, f.cpu = number(fields[0]), number(fields[1])
	f.own, f.total = number(fields[len(fields)-3]), number(fields[len(fields)-2])
	return strings.TrimSpace(line[:nameWidth]), f, ok
}

// median is the median of each figure by itself.
func median(list []figures) figures {
	middle := func(of func(figures) float64) float64 {
		values := make([]float64, len(list))
		for i, f := range list {
			values[i] = of(f)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return figures{
		seconds: middle(func(f figures) float64 { return f.seconds }), cpu: middle(func(f figures) float64 { return f.cpu }),
		own: middle(func(f figures) float64 { return f.own }), total: middle(func(f figures) float64 { return f.total }),
	}
}

func seconds(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) + "s" }

func mebibytes(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) }

// ratio is empty where there is too little to divide by.
func ratio(now, before float64) string {
	if before < 0.005 {
		return ""
	}
	return strconv.FormatFloat(now/before, 'f', 2, 64)
}
