package storetest

import (
	"fmt"
	"slices"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

func due(e *env) {
	list := func(r store.Reader, until time.Time) []string {
		var all []string
		err := r.Due(until, func(at time.Time, kind directory.Kind, n store.Num) bool {
			all = append(all, fmt.Sprint(at.UTC().Format(time.RFC3339), " ", kind, " ", n))
			return true
		})
		return must(all, err)
	}
	at := func(seconds int) time.Time {
		return now.Truncate(time.Second).Add(time.Duration(seconds) * time.Second)
	}
	var nums []store.Num
	e.both(func(w store.Writer) error {
		nums = intern(w, "a", "b", "c")
		must(0, w.PutDue(directory.Person, nums[1], at(60)))
		must(0, w.PutDue(directory.Device, nums[1], at(60)))
		must(0, w.PutDue(directory.Person, nums[0], at(59).Add(1))) // rounded up
		must(0, w.PutDue(directory.Person, nums[2], at(3600)))
		must(0, w.PutDue(directory.Person, nums[2], at(-3600)))
		return w.PutDue(directory.Group, nums[0], time.Time{})
	}, func(r store.Reader) {
		e.equal("too early", list(r, at(-3601)), []string(nil))
		early, minute := at(-3600).Format(time.RFC3339), at(60).Format(time.RFC3339)
		e.equal("at its time", list(r, at(-3600)), []string{fmt.Sprint(early, " person ", nums[2])})
		e.equal("all", list(r, at(60)), []string{
			fmt.Sprint(early, " person ", nums[2]), fmt.Sprint(minute, " person ", nums[0]),
			fmt.Sprint(minute, " person ", nums[1]), fmt.Sprint(minute, " device ", nums[1]),
		})
		calls := 0
		must(0, r.Due(at(60), func(time.Time, directory.Kind, store.Num) bool { calls++; return false }))
		e.equal("stopped", calls, 1)
		e.equal("of some", must(r.DueOf(directory.Person, []store.Num{nums[2], 0, nums[0]}, nil)), []time.Time{at(-3600).UTC(), {}, at(60).UTC()})
	})
	e.both(func(w store.Writer) error {
		must(w.PutRow(person("1", nil), store.Here))
		n := number(w, "id:1")
		must(0, w.PutDue(directory.Person, n, at(1)))
		must(0, w.DeleteRow(directory.Person, n))
		for _, n := range slices.Backward(nums) {
			must(0, w.PutDue(directory.Person, n, time.Time{}))
		}
		return nil
	}, func(r store.Reader) {
		e.equal("left", list(r, at(1<<30)), []string{
			fmt.Sprint(at(1).Format(time.RFC3339), " person ", number(r, "id:1")), fmt.Sprint(at(60).Format(time.RFC3339), " device ", nums[1])})
	})
}
