package plan

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"dirsyncd/sync/directory"
)

var leavers = Entry{Kind: directory.UserRecord, Op: directory.Deactivate}

func TestHistoryWithin(t *testing.T) {
	start := time.Date(2026, 3, 2, 0, 30, 0, 0, time.UTC)
	var h History
	for i := range 24 * 40 { // one an hour
		h.Add(start.Add(time.Duration(i)*time.Hour), Done{leavers: 1})
		if parsed, err := ParseHistory(h.Encode()); err != nil || !reflect.DeepEqual(parsed, h) {
			t.Fatalf("hour %d: %v\n%+v\n%+v", i, err, parsed, h)
		}
	}
	now := start.Add(24*40*time.Hour - time.Minute)
	for _, c := range []struct {
		within    time.Duration
		from, to  int
		otherwise string
	}{
		{24 * time.Hour, 24, 25, "a day"},
		{7 * 24 * time.Hour, 168, 168 + 24, "a week, to the day"},
	} {
		if got := h.Within(now, c.within)[leavers]; got < c.from || got > c.to {
			t.Errorf("%s: %d, want %d to %d", c.otherwise, got, c.from, c.to)
		}
	}
	if most, known := h.Usual(now, func(e Entry) bool { return e == leavers }); !known || most < 168 || most > 192 {
		t.Errorf("usual %d, %t", most, known)
	}
	h.Approve()
	if got := h.Within(now, 7*24*time.Hour); len(got) > 0 {
		t.Errorf("after an approval: %v", got)
	}
	if most, known := h.Usual(now, func(e Entry) bool { return e == leavers }); !known || most < 168 {
		t.Errorf("usual after an approval %d, %t", most, known)
	}
}

// It stays small, whatever is counted and however long.
func TestHistoryIsBounded(t *testing.T) {
	var h History
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 24 * 120 {
		now = now.Add(time.Hour)
		d := Done{leavers: 3, lostMembers(): 9}
		for range 100 {
			d[Entry{Kind: directory.GroupRecord, List: 1 + rnd.Uint32N(1e6)}]++
		}
		for i := range 50 {
			d[Entry{Kind: directory.UserRecord, Field: fmt.Sprint("a field with a long name ", i)}] = 1000
		}
		h.Add(now, d)
	}
	if n := len(h.Encode()); n > maxHistory {
		t.Errorf("%d bytes", n)
	}
	if h.Within(now, 24*time.Hour)[leavers] < 72 {
		t.Error("the last day was forgotten")
	}
}

// A clock that was years ahead does not make limits that never end.
func TestHistoryOfAWrongClock(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var h History
	h.Add(now.AddDate(5, 0, 0), Done{leavers: 3})
	h.Add(now, Done{leavers: 1})
	if got := h.Within(now, 24*time.Hour)[leavers]; got != 4 {
		t.Errorf("at once: %d", got)
	}
	now = now.AddDate(0, 0, 20)
	h.Add(now, Done{leavers: 1})
	if got := h.Within(now, 7*24*time.Hour)[leavers]; got != 1 {
		t.Errorf("weeks later: %d", got)
	}
}

// What is unusual is held, and says what is usual.
func TestUnusual(t *testing.T) {
	var h History
	start := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	for week := range 6 {
		h.Add(start.AddDate(0, 0, 7*week), Done{leavers: 4 + week%3})
	}
	now := start.AddDate(0, 0, 7*6+2)
	h.Add(now, Done{leavers: 36})
	now = now.Add(time.Hour)
	over := DefaultOver()[1]
	check := func(n int, at time.Time, h History) []Breach {
		t.Helper()
		breaches, err := over.Check(Done{leavers: n}, &Past{Done: h.Within(at, over.Within), Population: func(directory.RecordKind) int { return 864 },
			Usual: func(of func(Entry) bool) (int, bool) { return h.Usual(at, of) }})
		if err != nil {
			t.Fatal(err)
		}
		return breaches
	}
	got := check(5, now, h)
	want := "deactivate 5 user records: with those of the last 7 days 41 of 900; usual is at most 6"
	if len(got) != 1 || got[0].Text != want {
		t.Errorf("got %+v, want %s", got, want)
	}
	if got := check(5, now, History{}); len(got) > 0 {
		t.Errorf("held by what nobody knows: %+v", got)
	}
	if got := check(0, now, h); len(got) > 0 {
		t.Errorf("held although nothing is done: %+v", got)
	}
	over.Usual = 0
	if got := check(5, now, h); len(got) > 0 {
		t.Errorf("held although it is switched off: %+v", got)
	}
}

// Anything that is no history is refused, and what is read is written again as it was.
func FuzzHistory(f *testing.F) {
	var h History
	h.Add(time.Unix(1e9, 0), Done{leavers: 3, {Kind: directory.UserRecord, Field: "name"}: 2, lostMembers(): 1, {Kind: directory.GroupRecord, List: 7}: 1})
	f.Add(h.Encode())
	f.Add([]byte{1, 0, 0, 0})
	f.Add([]byte{1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255})
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ParseHistory(data)
		if err != nil {
			return
		}
		again, err := ParseHistory(h.encode())
		if err != nil || !reflect.DeepEqual(again, h) {
			t.Errorf("%v: %+v is read as %+v", err, h, again)
		}
	})
}

// What was done more than a day ago is not within a day, at whatever hour somebody asks.
func TestHistoryWithinADay(t *testing.T) {
	start := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	for later := 20; later < 72; later++ {
		for _, between := range []int{later, later / 2, later - 12} { // when something else was done, and the counts were tidied
			var h History
			h.Add(start, Done{leavers: 3})
			h.Add(start.Add(time.Duration(between)*time.Hour), Done{{Kind: directory.UserRecord, Op: directory.Update}: 1})
			want := 0
			if later <= 24 {
				want = 3
			}
			if got := h.Within(start.Add(time.Duration(later)*time.Hour), 24*time.Hour)[leavers]; got != want {
				t.Errorf("%d hours later, and tidied after %d: %d, want %d", later, between, got, want)
			}
		}
	}
}

// Histories of many tenants that are counted together say the same as one by one, and are as small as one.
func TestHistoryOfMany(t *testing.T) {
	start := time.Date(2026, 3, 2, 0, 30, 0, 0, time.UTC)
	rnd := rand.New(rand.NewPCG(3, 3))
	now := start.AddDate(0, 0, 60)
	var all History
	sum, day := 0, 0
	for range 300 {
		var one History
		for at := start.Add(time.Duration(rnd.IntN(1000)) * time.Minute); at.Before(now); at = at.Add(time.Duration(1+rnd.IntN(4000)) * time.Minute) {
			one.Add(at, Done{leavers: 1, {Kind: directory.GroupRecord, List: 7}: 3})
		}
		sum, day = sum+one.Sum()[leavers], day+one.Within(now, 24*time.Hour)[leavers]
		if rnd.IntN(3) == 0 {
			one.Approve()
			day -= one.approved(now)
		}
		all.Join(&one)
	}
	plain := all
	all.Compact()
	of := func(e Entry) bool { return e == leavers }
	most, _ := plain.Usual(now, of)
	if again, known := all.Usual(now, of); !known || again != most || most == 0 {
		t.Errorf("usual %d, %t; one by one %d", again, known, most)
	}
	if got := all.Sum(); got[leavers] != sum || len(got) != 1 {
		t.Errorf("in all %v, want %d leavers", got, sum)
	}
	if got := all.Within(now, 24*time.Hour)[leavers]; got != day || day == 0 {
		t.Errorf("in a day %d, want %d", got, day)
	}
	data := all.Encode()
	if parsed, err := ParseHistory(data); err != nil || !reflect.DeepEqual(parsed, all) || len(data) > 8<<10 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

// approved is how many leavers of the last day somebody has looked at.
func (h *History) approved(now time.Time) int {
	unseen := History{periods: slices.Clone(h.periods)}
	for i := range unseen.periods {
		unseen.periods[i].seen = !unseen.periods[i].seen
	}
	return unseen.Within(now, 24*time.Hour)[leavers]
}
