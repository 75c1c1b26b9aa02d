package plan

import "fmt"

// Lists limits how many people groups and licences may lose in one run without anybody being asked. Only those count
// who keep a record: who leaves altogether is counted by the Guard. A nil number does not limit.
type Lists struct {
	// Count is the largest number of memberships over all lists.
	Count *int
	// Percent is the largest share of all memberships, from 0 to 100. Up to Few are not measured by it.
	Percent *float64
	Few     int
	// List is the largest share of the members of one list, from 0 to 100, where it has at least Minimum.
	List    *float64
	Minimum int
}

// The defaults of Lists. Few is what a team or two lose when somebody changes them; from ten members on, a list that loses
// most of them has rather been misread than been changed.
const (
	DefaultFewMembers  = 5
	DefaultListMinimum = 10
)

// DefaultLists are the limits of a mapping for which the operator wrote none.
func DefaultLists() Lists {
	tenth, half := 10.0, 50.0
	return Lists{Percent: &tenth, Few: DefaultFewMembers, List: &half, Minimum: DefaultListMinimum}
}

// Breaks reports whether a list of some members loses too many of them.
func (l Lists) Breaks(lost, had int) bool {
	return l.List != nil && had >= l.Minimum && 100*float64(lost) > *l.List*float64(had)
}

// Check returns what goes beyond the limits, in words that go on from "it would". lost are the memberships that all lists
// lose, broken how many lists Breaks says of. memberships counts all that there are before the plan, up to a number, where
// it may stop.
func (l Lists) Check(lost, broken int, memberships func(upTo int) (int, error)) ([]string, error) {
	var reasons []string
	if l.Count != nil && lost > *l.Count {
		reasons = append(reasons, fmt.Sprintf("take %s away; the limit is %d", numbered(lost, "membership", "memberships"), *l.Count))
	}
	if broken > 0 {
		reasons = append(reasons, fmt.Sprintf("take more than %g%% of their members from %s", *l.List, numbered(broken, "group or licence", "groups or licences")))
	}
	if l.Percent == nil || lost <= l.Few {
		return reasons, nil
	}
	enough := int(100 * float64(lost) / max(*l.Percent, 0.001))
	of, err := memberships(enough + 1)
	if share := 100 * float64(lost) / float64(max(of, 1)); err == nil && share > *l.Percent {
		reasons = append(reasons, fmt.Sprintf("take %d of %s away, %.1f%%; the limit is %g%%", lost, numbered(of, "membership", "memberships"), share, *l.Percent))
	}
	return reasons, err
}

func numbered(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
