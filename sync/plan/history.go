package plan

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"dirsyncd/sync/directory"
)

// History is what was done in the last weeks without anybody having been asked, by hours and then by days. What an operator
// approved, and a first sync, are not in it. It is small however long it goes on: it never grows beyond maxHistory bytes.
type History struct {
	// Since is when counting began; zero when nothing was counted yet.
	Since   time.Time
	periods []period // in order
}

// period is what was done in some hours.
type period struct {
	start, hours int64 // since 1970
	// seen: an operator has approved a plan since, and begun the count anew. It still says what is usual.
	seen bool
	done Done
}

// How long a history goes back. Lists and fields are counted as long as a limit can be about them; operations and memberships for
// longer, because they say what is usual.
const (
	keptHours = 24
	keptDays  = 8
	usualDays = 92
	// maxHistory bounds an encoded history. Beyond that the lists that lost least are forgotten, and then the oldest days.
	maxHistory = 64 << 10
	maxLists   = 1000
)

const hour = int64(time.Hour / time.Second)

func hoursOf(at time.Time) int64 { return at.Unix() / hour }

// Add counts what is done at a time.
func (h *History) Add(at time.Time, done Done) {
	if len(done) == 0 {
		return
	}
	now := hoursOf(at)
	if h.Since.IsZero() || h.Since.After(at) {
		h.Since = time.Unix(now*hour, 0).UTC()
	}
	h.tidy(now)
	if last := len(h.periods) - 1; last >= 0 && h.periods[last].start == now && h.periods[last].hours == 1 && !h.periods[last].seen {
		h.periods[last].done.Merge(done)
		return
	}
	h.periods = append(h.periods, period{start: now, hours: 1, done: done.Clone()})
}

// Approve begins the count anew: somebody has looked.
func (h *History) Approve() {
	for i := range h.periods {
		h.periods[i].seen = true
	}
}

// Join adds what another history has counted, of another tenant. Lists are by numbers of their tenant, and are left out.
func (h *History) Join(o *History) {
	if !o.Since.IsZero() && (h.Since.IsZero() || o.Since.Before(h.Since)) {
		h.Since = o.Since
	}
	for _, p := range o.periods {
		done := Done{}
		for e, n := range p.done {
			if e.List == 0 {
				done[e] = n
			}
		}
		p.done = done
		h.periods = append(h.periods, p)
	}
}

// Compact counts together what was done in the same hours, as there is much of after Join.
func (h *History) Compact() {
	type key struct {
		start, hours int64
		seen         bool
	}
	at := map[key]int{}
	var kept []period
	for _, p := range h.periods {
		k := key{p.start, p.hours, p.seen}
		if i, ok := at[k]; ok {
			kept[i].done.Merge(p.done)
			continue
		}
		at[k] = len(kept)
		p.done = p.done.Clone()
		kept = append(kept, p)
	}
	slices.SortStableFunc(kept, func(a, b period) int { return cmp.Compare(a.start, b.start) })
	h.periods = kept
}

// Sum is all that it has counted, whether or not somebody has looked since.
func (h *History) Sum() Done {
	sum := Done{}
	for i := range h.periods {
		sum.Merge(h.periods[i].done)
	}
	return sum
}

// Empty reports whether nothing was counted yet.
func (h *History) Empty() bool { return len(h.periods) == 0 }

// Within sums up what was done in the time before a moment that nobody has looked at. It is exact to the hour, and to the day what is
// further back than one, to the safe side.
func (h *History) Within(now time.Time, window time.Duration) Done {
	sum, from := Done{}, now.Add(-window).Unix()
	for i := range h.periods {
		if p := &h.periods[i]; !p.seen && (p.start+p.hours)*hour > from {
			sum.Merge(p.done)
		}
	}
	return sum
}

const (
	// usualWindow is the window of which it is known what is usual, and learning how many of them must have gone by before it is.
	usualWindow = 7 * 24 * time.Hour
	learning    = 4
)

// Usual returns the most that was done in any seven days before the last seven; false as long as those are fewer than four weeks.
func (h *History) Usual(now time.Time, of func(Entry) bool) (most int, known bool) {
	if h.Since.IsZero() || now.Sub(h.Since) < (learning+1)*usualWindow {
		return 0, false
	}
	var days [usualDays + 1]int // by how many days ago
	end := hoursOf(now)
	for i := range h.periods {
		ago := (end - h.periods[i].start) / 24
		if ago < 0 || ago > usualDays {
			continue
		}
		for e, n := range h.periods[i].done {
			if of(e) {
				days[ago] += n
			}
		}
	}
	const week = 7
	sum := 0
	for ago := week; ago < len(days); ago++ {
		if sum += days[ago]; ago >= 2*week {
			sum -= days[ago-week]
		}
		most = max(most, sum)
	}
	return most, true
}

// tidy makes days of hours that are over, and forgets what is too old. A clock that was ahead has counted what is yet to come: that
// becomes part of the present.
func (h *History) tidy(now int64) {
	var kept []period
	for i := range h.periods {
		p := h.periods[i]
		if p.start > now {
			p.start, p.hours = now, 1
		}
		if p.start < now-usualDays*24 {
			continue
		}
		if day := p.start - p.start%24; day+24 <= now-keptHours { // all of it, or a day would seem later than its hours were
			p.start, p.hours = day, 24
		}
		if p.start < now-keptDays*24 {
			p.done = lasting(p.done)
		}
		if last := len(kept) - 1; last >= 0 && kept[last].start == p.start && kept[last].hours == p.hours && kept[last].seen == p.seen {
			kept[last].done = kept[last].done.Clone()
			kept[last].done.Merge(p.done)
			continue
		}
		if len(p.done) > 0 {
			kept = append(kept, p)
		}
	}
	slices.SortStableFunc(kept, func(a, b period) int { return cmp.Compare(a.start, b.start) })
	h.periods = kept
}

// lasting is what of a count is kept for longer.
func lasting(d Done) Done {
	kept := Done{}
	for e, n := range d {
		if e.Op != 0 || e.All && e.List == 0 {
			kept[e] = n
		}
	}
	return kept
}

// historyForm is the version of the encoding.
const historyForm = 1

// Encode returns the history as bytes; none of an empty one.
func (h *History) Encode() []byte {
	if h.Empty() && h.Since.IsZero() {
		return nil
	}
	h.forgetLists()
	for {
		data := h.encode()
		if len(data) <= maxHistory || len(h.periods) == 0 {
			return data
		}
		h.periods = h.periods[1:]
	}
}

// forgetLists forgets lists beyond maxLists, those first that lost least.
func (h *History) forgetLists() {
	lost := map[Entry]int{}
	for i := range h.periods {
		for e, n := range h.periods[i].done {
			if e.List != 0 && !e.All {
				lost[e] += n
			}
		}
	}
	if len(lost) <= maxLists {
		return
	}
	all := make([]Entry, 0, len(lost))
	for e := range lost {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(lost[b], lost[a]), cmp.Compare(a.List, b.List), cmp.Compare(a.Kind, b.Kind))
	})
	for _, e := range all[maxLists:] {
		for i := range h.periods {
			delete(h.periods[i].done, e)
			delete(h.periods[i].done, sizeOf(e))
		}
	}
}

func (h *History) encode() []byte {
	fields, at := []string{}, map[string]uint64{}
	for i := range h.periods {
		for e := range h.periods[i].done {
			if _, ok := at[e.Field]; !ok && e.Field != "" {
				fields, at[e.Field] = append(fields, e.Field), 0
			}
		}
	}
	slices.Sort(fields)
	data := []byte{historyForm}
	data = binary.AppendUvarint(data, uint64(max(h.Since.Unix(), 0)))
	data = binary.AppendUvarint(data, uint64(len(fields)))
	for i, f := range fields {
		at[f] = uint64(i + 1)
		data = append(binary.AppendUvarint(data, uint64(len(f))), f...)
	}
	data = binary.AppendUvarint(data, uint64(len(h.periods)))
	for i := range h.periods {
		p := &h.periods[i]
		flag := uint64(0)
		if p.seen {
			flag = 1
		}
		for _, n := range []uint64{uint64(p.start), uint64(p.hours), flag, uint64(len(p.done))} {
			data = binary.AppendUvarint(data, n)
		}
		for _, e := range p.done.entries() {
			all := uint64(0)
			if e.All {
				all = 1
			}
			for _, n := range []uint64{uint64(e.Kind), uint64(e.Op), at[e.Field], uint64(e.List), all, uint64(max(p.done[e], 0))} {
				data = binary.AppendUvarint(data, n)
			}
		}
	}
	return data
}

// entries lists what is counted, in order.
func (d Done) entries() []Entry {
	list := make([]Entry, 0, len(d))
	for e := range d {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Entry) int {
		all := 0
		if a.All != b.All {
			if all = 1; b.All {
				all = -1
			}
		}
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Op, b.Op), cmp.Compare(a.Field, b.Field), cmp.Compare(a.List, b.List), all)
	})
	return list
}

// ErrHistory is the error of bytes that are no history.
var ErrHistory = errors.New("the counts of what was done are damaged")

// ParseHistory reads what Encode wrote. No bytes are an empty history.
func ParseHistory(data []byte) (h History, err error) {
	if len(data) == 0 {
		return h, nil
	}
	if data[0] != historyForm {
		return h, ErrHistory
	}
	r := reader{data: data[1:]}
	since := r.number(1 << 40)
	fields := make([]string, 0)
	for range r.number(uint64(len(data))) {
		fields = append(fields, r.text())
	}
	for range r.number(uint64(len(data))) {
		p := period{start: int64(r.number(1 << 40)), hours: int64(r.number(24)), seen: r.number(1) == 1, done: Done{}}
		for range r.number(uint64(len(data))) {
			e := Entry{Kind: directory.RecordKind(r.number(255)), Op: directory.Op(r.number(255))}
			if f := r.number(uint64(len(fields))); f > 0 {
				e.Field = fields[f-1]
			}
			e.List, e.All = uint32(r.number(1<<32-1)), r.number(1) == 1
			p.done[e] = int(r.number(1 << 40))
		}
		h.periods = append(h.periods, p)
		if r.failed {
			break
		}
	}
	if r.failed || len(r.data) > 0 {
		return History{}, ErrHistory
	}
	if since > 0 {
		h.Since = time.Unix(int64(since), 0).UTC()
	}
	return h, nil
}

// reader takes numbers and texts from bytes; once it failed, zeros.
type reader struct {
	data   []byte
	failed bool
}

func (r *reader) number(most uint64) uint64 {
	n, size := binary.Uvarint(r.data)
	if r.failed || size <= 0 || n > most {
		r.failed = true
		return 0
	}
	r.data = r.data[size:]
	return n
}

func (r *reader) text() string {
	n := r.number(uint64(len(r.data)))
	if r.failed || n > uint64(len(r.data)) {
		r.failed = true
		return ""
	}
	text := string(r.data[:n])
	r.data = r.data[n:]
	return text
}
