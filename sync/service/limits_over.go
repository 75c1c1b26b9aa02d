package service

import (
	"time"

	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// over are the limits of a tenant over time, and of a run on fields.
func (l limits) over() []plan.Over {
	list := overTime(plan.DefaultOver(), l.Over, plan.DefaultMinimum, "")
	if len(l.Fields) == 0 {
		return list
	}
	return append(list, plan.Over{Fields: fieldLimits(l.Fields), Written: true})
}

// sharedOver are those of all tenants of a connection together.
func (l limits) sharedOver() []plan.Over {
	return overTime(plan.DefaultSharedOver(), l.ConnectionOver, plan.DefaultSharedMinimum, ", of all tenants together")
}

// wholeOver are those of all connections together: there are none that nobody wrote.
func wholeOver(written config.Overs) (list []plan.Over) {
	for _, o := range overTime([]plan.Over{{Within: windows()[config.Day]}, {Within: windows()[config.Week]}}, written, plan.DefaultSharedMinimum, ", of all connections together") {
		if o.Written {
			list = append(list, o)
		}
	}
	return list
}

// windows are the times of limits by their words in the configuration.
func windows() map[string]time.Duration {
	return map[string]time.Duration{config.Day: 24 * time.Hour, config.Week: 7 * 24 * time.Hour}
}

// overTime lays what was written over other limits.
func overTime(list []plan.Over, written config.Overs, minimum int, of string) []plan.Over {
	for i := range list {
		o := &list[i]
		o.Of = of
		for word, w := range written {
			if windows()[word] == o.Within {
				overlay(o, w, minimum)
			}
		}
	}
	return list
}

func overlay(o *plan.Over, w *config.Over, minimum int) {
	o.Written = true
	guard := plan.Guard{}
	for op, limit := range o.Guard {
		guard[op] = limit
	}
	together := map[directory.Op]bool{}
	for op := range o.Together {
		_, written := w.Limits[op]
		together[op] = !written
	}
	few := plan.DefaultFewOver
	o.Guard, o.Together = over(guard, w.Limits, minimum, &few), together
	if w.Usual != nil {
		o.Usual = *w.Usual
	}
	if m := w.Memberships; m != nil {
		o.Memberships = plan.Limit{Count: m.Count, Percent: m.Percent, Few: m.Few}
		if m.List != nil {
			o.List, o.ListTogether = plan.Limit{Percent: m.List, Minimum: plan.DefaultListMinimum}, false
		}
		if m.Minimum != nil {
			o.List.Minimum = *m.Minimum
		}
		if m.Few == nil {
			few := plan.DefaultFewMembers
			o.Memberships.Few = &few
		}
	}
	o.Fields = fieldLimits(w.Fields)
}

func fieldLimits(written config.FieldLimits) map[string]plan.Limit {
	if len(written) == 0 {
		return nil
	}
	limits := map[string]plan.Limit{}
	for name, w := range written {
		limit := plan.Limit{Count: w.Count, Percent: w.Percent, Minimum: plan.DefaultMinimum}
		if w.Minimum != nil {
			limit.Minimum = *w.Minimum
		}
		limits[name] = limit
	}
	return limits
}

// unasked counts what was done over time, from what is stored of it.
func unasked(stored []byte, now time.Time) map[string]map[string]int {
	history, err := plan.ParseHistory(stored)
	if err != nil || history.Empty() {
		return nil // the next run says that it is damaged
	}
	all := map[string]map[string]int{}
	for word, within := range windows() {
		for e, n := range history.Within(now, within) {
			name, ok := e.Name()
			if !ok {
				continue
			}
			if all[word] == nil {
				all[word] = map[string]int{}
			}
			all[word][name] += n
		}
	}
	return all
}
