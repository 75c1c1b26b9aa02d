package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// team is a company of 100 people with a group of so many, and the limits that count where nobody wrote any.
func team(t *testing.T, members int) *days {
	t.Helper()
	d := newDays(t)
	d.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled")}, Groups: []mapping.RuleSpec{rule("teams", "true", directory.GroupRecord)}})
	for i := range 100 {
		d.add(fmt.Sprintf("%03d", i), "P")
		d.groups["everybody"] = append(d.groups["everybody"], fmt.Sprintf("p:%03d", i))
	}
	for i := range members {
		d.groups["team"] = append(d.groups["team"], fmt.Sprintf("p:%03d", i))
	}
	if why := d.pass(0); len(why) > 0 {
		t.Fatal("the first sync is held:", why)
	}
	return d
}

// TestSlowBleedOfAGroup: nobody wrote a limit, and a group loses a few of its members in each run: it is held before more than half of them have
// gone in a week, also where some are put back in between, and an approval begins the count anew.
func TestSlowBleedOfAGroup(t *testing.T) {
	for _, test := range []struct {
		name    string
		members int
		every   time.Duration
		lose    int
		back    bool // now and then one comes back
	}{
		{"in a day", 40, time.Hour, 2, false}, {"in a week", 40, 8 * time.Hour, 2, false}, {"with some who come back", 40, 4 * time.Hour, 3, true}, {"a small one", 10, 12 * time.Hour, 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := team(t, test.members)
			for n := range 40 {
				left := len(d.groups["team"])
				d.groups["team"] = slices.Clone(d.groups["team"][test.lose:])
				why := d.pass(test.every)
				if len(why) == 0 {
					if 2*len(d.groups["team"]) < test.members {
						t.Fatalf("%d of %d are left after %d runs, and nobody was asked", len(d.groups["team"]), test.members, n+1)
					}
					if test.back && n%3 == 0 {
						d.groups["team"] = append(d.groups["team"], fmt.Sprintf("p:%03d", 60+n))
						d.pass(time.Minute)
					}
					continue
				}
				if text := strings.Join(why, "\n"); !strings.Contains(text, "take members from 1 group or licence that would have lost more than 50% of them in ") || 2*left < test.members {
					t.Errorf("held when %d of %d were left: %s", left, test.members, text)
				}
				return
			}
			t.Error("never held")
		})
	}
}

// TestARotaIsNoBleed: a group of which somebody leaves and somebody else joins every day is as large as ever, and is not held.
func TestARotaIsNoBleed(t *testing.T) {
	d := team(t, 12)
	for n := range 30 {
		next := fmt.Sprintf("p:%03d", (12+2*n)%100)
		other := fmt.Sprintf("p:%03d", (13+2*n)%100)
		d.groups["team"] = append(slices.Clone(d.groups["team"][2:]), next, other)
		if why := d.pass(24 * time.Hour); len(why) > 0 {
			t.Fatalf("day %d is held: %s", n, why)
		}
	}
}

// TestABleedOverWeeks: what a group loses over months is how it is.
func TestABleedOverWeeks(t *testing.T) {
	d := team(t, 40)
	for n := range 20 {
		d.groups["team"] = slices.Clone(d.groups["team"][1:])
		if why := d.pass(4 * 24 * time.Hour); len(why) > 0 {
			t.Fatalf("run %d is held: %s", n, why)
		}
	}
}
