package signin

import (
	"fmt"
	"time"
)

// Soon is how long before its end something is worth telling of.
const Soon = 30 * day

const day = 24 * time.Hour

// steps are the days before an end at which it is told of, once each; zero is the end itself.
func steps() []int { return []int{0, 1, 7, 14, 30} }

// farOff is a step before all others.
const farOff = 1 << 10

// step is the nearest step that an end is within.
func (e End) step(now time.Time) int {
	left := e.At.Sub(now)
	for _, s := range steps() {
		if left <= time.Duration(s)*day {
			return s
		}
	}
	return farOff
}

// Near reports whether an end is worth telling of. What its publisher renews by and by is so on its last day.
func (e End) Near(now time.Time) bool {
	if e.Renewed {
		return e.step(now) <= 1
	}
	return e.step(now) <= int(Soon/day)
}

// Told is how far an end has been told of. It is kept, so that a restart tells of nothing twice.
type Told struct {
	Ends  time.Time `json:"ends"`  // the end that it is about
	First time.Time `json:"first"` // when that end was first seen
	Step  int       `json:"step"`  // in days
}

// Next returns what is to be kept, and whether the end is to be told of now: at 30, 14, 7 and 1 days, and when it is there, once each. A step
// within which a renewed end has begun says nothing: metadata that hold for a week are no news every day.
func (t Told) Next(e End, now time.Time) (next Told, tell bool) {
	if !t.Ends.Equal(e.At) {
		t = Told{Ends: e.At, First: now, Step: farOff}
	}
	step := e.step(now)
	if step >= t.Step || e.Renewed && step > 0 && e.At.Sub(t.First) <= time.Duration(step)*day {
		return t, false
	}
	t.Step = step
	return t, true
}

// words are what each Use is for operators, with its verb's form.
func (u Use) words() (what string, several bool) {
	switch u {
	case UseTheirSigning:
		return "the provider's certificate", false
	case UseOurKey:
		return "our certificate", false
	case UseNextKey:
		return "the certificate of next_key", false
	case UseSecret:
		return "client secret", false
	default:
		return "the metadata", true
	}
}

// Finding says when something ends, for a probe.
func (e End) Finding(now time.Time) Finding {
	what, several := e.Use.words()
	holds := "holds"
	if several {
		holds = "hold"
	}
	f := Finding{OK: !e.Near(now), Text: fmt.Sprintf("%s %s until %s", what, holds, e.At.UTC().Format(time.DateOnly)), Ends: e.At}
	if !f.OK {
		f.Hint = e.Hint
	}
	return f
}
