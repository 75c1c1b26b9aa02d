package notices

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/notices/recipient"
)

// inbox is a recipient that notes what it gets.
type inbox struct {
	got  []recipient.Message
	fail error
}

func (b *inbox) Send(_ context.Context, m *recipient.Message) error {
	if b.fail != nil {
		return b.fail
	}
	b.got = append(b.got, *m)
	return nil
}

// take renders what came since it was last called.
func (b *inbox) take() string {
	var all []string
	for _, m := range b.got {
		var list []string
		for _, n := range m.Notices {
			list = append(list, n.State+" "+n.Kind+" "+n.Where)
		}
		all = append(all, strings.Join(list, ", "))
	}
	b.got = nil
	return strings.Join(all, " | ")
}

type rig struct {
	*testing.T
	items  store.Items
	now    time.Time
	teller *Teller
	to     []Recipient
	pace   Pace
}

func newRig(t *testing.T, to ...Recipient) *rig {
	t.Helper()
	st, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	r := &rig{T: t, items: st.Items(), now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), to: to,
		pace: Pace{Gather: 2 * time.Minute, Repeat: 24 * time.Hour, AtMost: 4}}
	r.restart()
	return r
}

// restart forgets all that is not stored.
func (r *rig) restart() {
	r.teller = New(Options{Recipients: r.to, Pace: r.pace, Items: r.items, Now: func() time.Time { return r.now }, Host: "host", Log: slog.New(slog.DiscardHandler)})
}

func (r *rig) step(by time.Duration, conditions ...Condition) {
	r.Helper()
	r.now = r.now.Add(by)
	if err := r.teller.Step(r.Context(), conditions); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) stored() (n int) {
	r.Helper()
	n, err := r.items.Count(r.Context(), bookSpace)
	if err != nil {
		r.Fatal(err)
	}
	return n
}

func held(where string) Condition    { return Condition{Kind: recipient.Held, Where: where, Text: "t"} }
func failing(where string) Condition { return Condition{Kind: recipient.Failing, Where: where} }

const minute = time.Minute

// Each thing is told once, together with what comes at the same time, again while it lasts, and when it is over, whatever is restarted.
func TestToldOnce(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		box := &inbox{}
		r := newRig(t, Recipient{Name: "ops", Sender: box})
		step := func(want string, by time.Duration, conditions ...Condition) {
			t.Helper()
			if restarts {
				r.restart()
			}
			r.step(by, conditions...)
			if got := box.take(); got != want {
				t.Errorf("restarts %t, %s: got %q, want %q", restarts, r.now.Format(time.TimeOnly), got, want)
			}
		}
		step("", 0, held("a"))
		step("", minute, held("a"), failing("b"))
		step("new held a, new failing b", minute, held("a"), failing("b"))
		step("", minute, held("a"), failing("b"))
		step("", time.Hour, held("a"), failing("b"))
		step("", minute, held("a"))
		step("", minute, held("a"))
		step("over failing b", minute, held("a"))
		step("", time.Hour, held("a"))
		step("lasting held a", 22*time.Hour, held("a"))
		step("", minute, held("a"))
		step("", minute)
		step("over held a", 2*minute)
		step("", time.Hour)
		if n := r.stored(); n != 0 {
			t.Errorf("%d are remembered", n)
		}
		step("", minute, held("a"))
		step("new held a", 2*minute, held("a"))
	}
}

// What is over before anybody can be told is told to nobody; what comes back is told again.
func TestBlips(t *testing.T) {
	box := &inbox{}
	r := newRig(t, Recipient{Name: "ops", Sender: box})
	r.step(0, failing("a"))
	r.step(minute)
	r.step(10 * minute)
	if got := box.take(); got != "" || r.stored() != 0 {
		t.Errorf("told of a blip: %q, %d", got, r.stored())
	}
	r.step(minute, failing("a"))
	r.step(2*minute, failing("a"))
	r.step(minute)
	r.step(minute, failing("a")) // not over for anybody yet
	r.step(5*minute, failing("a"))
	if got := box.take(); got != "new failing a" {
		t.Errorf("got %q", got)
	}
	r.step(minute)
	r.step(2 * minute)
	r.step(2*minute, failing("a"))
	r.step(2*minute, failing("a"))
	if got := box.take(); got != "over failing a | new failing a" {
		t.Errorf("got %q", got)
	}
}

// A recipient that cannot be reached loses nothing, and costs the others nothing.
func TestUnreachable(t *testing.T) {
	box, down := &inbox{}, &inbox{fail: errors.New("no")}
	r := newRig(t, Recipient{Name: "down", Sender: down}, Recipient{Name: "ops", Sender: box})
	r.step(0, held("a"), failing("b"))
	r.step(2*minute, held("a"), failing("b"))
	r.step(minute, held("a"))
	r.step(5*minute, held("a"))
	if got := box.take(); got != "new held a, new failing b | over failing b" {
		t.Errorf("got %q", got)
	}
	r.restart()
	down.fail = nil
	r.step(time.Hour, held("a"))
	if got := down.take(); got != "new held a, over failing b" {
		t.Errorf("late: %q", got)
	}
	r.step(time.Hour)
	r.step(time.Hour)
	if down.take(); r.stored() != 0 {
		t.Errorf("%d are remembered", r.stored())
	}
}

// Nobody gets more than so many messages in an hour, restarts or not; what waits comes together.
func TestRateLimit(t *testing.T) {
	box := &inbox{}
	r := newRig(t, Recipient{Name: "ops", Sender: box})
	var all []Condition
	for i := range 60 {
		all = append(all, failing(fmt.Sprintf("c%02d", i)))
		r.restart()
		r.step(minute, all...)
	}
	if n := len(box.got); n != r.pace.AtMost {
		t.Errorf("%d messages in an hour, want %d", n, r.pace.AtMost)
	}
	for range 10 {
		r.step(5*minute, all...)
	}
	told := map[string]int{}
	for _, m := range box.got {
		for _, n := range m.Notices {
			told[n.Where]++
		}
	}
	for _, c := range all {
		if told[c.Where] != 1 {
			t.Errorf("%s was told %d times", c.Where, told[c.Where])
		}
	}
}

// A plan that takes the place of another is held: that nothing is held any more would not be true. What stands side by side is over by itself.
func TestReplaced(t *testing.T) {
	plan := func(hash string) Condition {
		return Condition{Kind: recipient.Held, Where: "a", About: hash, Text: hash}
	}
	seats := func(kind string) Condition { return Condition{Kind: recipient.Seats, Where: "a", About: kind} }
	box := &inbox{}
	r := newRig(t, Recipient{Name: "ops", Sender: box})
	step := func(want string, by time.Duration, conditions ...Condition) {
		t.Helper()
		r.restart()
		r.step(by, conditions...)
		if got := box.take(); got != want {
			t.Errorf("%s: got %q, want %q", r.now.Format(time.TimeOnly), got, want)
		}
	}
	step("", 0, plan("1"), seats("x"), seats("y"))
	step("new held a, new seats a, new seats a", 2*minute, plan("1"), seats("x"), seats("y"))
	step("", minute, plan("2"), seats("x"))
	step("new held a, over seats a", 2*minute, plan("2"), seats("x"))
	step("", minute, plan("3"), seats("x"))
	step("", minute, plan("2"), seats("x")) // nobody heard of 3
	step("", 2*minute, plan("2"), seats("x"))
	step("", minute, seats("x")) // approved, and soon after there is another
	step("", minute, plan("4"), seats("x"))
	step("new held a", 2*minute, plan("4"), seats("x"))
	step("", minute)
	step("over held a, over seats a", 2*minute)
	step("", time.Hour)
	if n := r.stored(); n != 0 {
		t.Errorf("%d are remembered", n)
	}
}

// A recipient that refuses a message for good, such as one that is too long for a chat, gets fewer at once: one that can be taken comes through.
func TestRefusedForGood(t *testing.T) {
	box := &picky{most: 10}
	r := newRig(t, Recipient{Name: "ops", Sender: box})
	var all []Condition
	for i := range 60 {
		all = append(all, failing(fmt.Sprintf("c%02d", i)))
	}
	r.step(0, all...)
	for range 20 {
		r.step(30*minute, all...)
	}
	if len(box.got) != 1 || len(box.got[0].Notices) > 10 {
		t.Fatalf("%d messages came", len(box.got))
	}
	all = all[:30]
	for range 20 {
		r.step(30*minute, all...)
	}
	if len(box.got) < 2 {
		t.Error("that 30 are over was told to nobody")
	}
}

// picky refuses messages of more than so many notices.
type picky struct {
	inbox
	most int
}

func (p *picky) Send(ctx context.Context, m *recipient.Message) error {
	if len(m.Notices) > p.most {
		return &fault.Error{Class: fault.Invalid, Op: "send", Err: errors.New("too long")}
	}
	return p.inbox.Send(ctx, m)
}

// That the daemon stops while somebody is told is no failure of who is told.
func TestStoppedMeanwhile(t *testing.T) {
	var log strings.Builder
	heard := 0
	ctx, stop := context.WithCancel(t.Context())
	r := newRig(t, Recipient{Name: "ops", Sender: sending(func(ctx context.Context) error { stop(); <-ctx.Done(); return ctx.Err() })})
	r.teller.Log = slog.New(slog.NewTextHandler(&log, nil))
	r.teller.Sent = func(string, error) { heard++ }
	r.step(0, held("a"))
	r.now = r.now.Add(2 * minute)
	if err := r.teller.Step(ctx, []Condition{held("a")}); err != nil {
		t.Error(err)
	}
	if log.String() != "" || heard != 0 {
		t.Errorf("complained %d times: %s", heard, log.String())
	}
}

type sending func(context.Context) error

func (f sending) Send(ctx context.Context, _ *recipient.Message) error { return f(ctx) }

// Who wants to hear of some things hears of those.
func TestAbout(t *testing.T) {
	box := &inbox{}
	r := newRig(t, Recipient{Name: "ops", Sender: box, About: []string{recipient.Held}})
	r.step(0, held("a"), failing("b"))
	r.step(2*minute, held("a"), failing("b"))
	r.step(minute)
	r.step(2 * minute)
	if got := box.take(); got != "new held a | over held a" || r.stored() != 0 {
		t.Errorf("got %q, %d are remembered", got, r.stored())
	}
}

// failingItems fails to store at one moment, as a kill there would.
type failingItems struct {
	store.Items
	at int
}

func (f *failingItems) Put(ctx context.Context, space string, items ...store.Item) error {
	if f.at--; f.at == 0 {
		return errors.New("killed")
	}
	return f.Items.Put(ctx, space, items...)
}

// Killed at any moment, everything is told: at most twice, under the same id.
func TestKilledAnywhere(t *testing.T) {
	for at := 1; at < 12; at++ {
		box := &inbox{}
		r := newRig(t, Recipient{Name: "ops", Sender: box})
		whole := r.items
		r.items = &failingItems{whole, at}
		r.restart()
		for i := range 8 {
			r.now = r.now.Add(minute)
			conditions := []Condition{held("a"), failing("b")}
			if i > 3 {
				conditions = nil
			}
			if err := r.teller.Step(t.Context(), conditions); err != nil {
				r.items = whole
				r.restart()
			}
		}
		r.step(10 * minute)
		byID, told := map[string]bool{}, map[string]int{}
		for _, m := range box.got {
			if byID[m.ID] {
				continue
			}
			byID[m.ID] = true
			for _, n := range m.Notices {
				told[n.State+" "+n.Kind+" "+n.Where]++
			}
		}
		for _, what := range []string{"new held a", "new failing b", "over held a", "over failing b"} {
			if told[what] != 1 {
				t.Errorf("killed at %d: %s was told %d times: %v", at, what, told[what], told)
			}
		}
	}
}

// Very many things make one message of bounded length, and none of them is told again for that.
func TestVeryMany(t *testing.T) {
	box := &inbox{}
	r := newRig(t, Recipient{Name: "ops", Sender: box})
	var all []Condition
	for i := range 2000 {
		all = append(all, failing(fmt.Sprintf("c%04d", i)))
	}
	r.step(0, all...)
	r.step(2*minute, all...)
	r.step(2*minute, all...)
	if len(box.got) != 1 || len(box.got[0].Notices) != mostNotices+1 || !strings.Contains(box.got[0].Notices[mostNotices].Where, "1900 more") {
		t.Errorf("%d messages, the first of %d notices", len(box.got), len(box.got[0].Notices))
	}
}

// A recipient that panics is one that cannot be reached.
func TestPanickingRecipient(t *testing.T) {
	var heard []error
	r := newRig(t, Recipient{Name: "ops", Sender: panics{}})
	r.teller.Options.Sent = func(_ string, err error) { heard = append(heard, err) }
	r.step(0, held("a"))
	r.step(2*minute, held("a"))
	if len(heard) != 1 || heard[0] == nil {
		t.Errorf("heard %v", heard)
	}
}

type panics struct{}

func (panics) Send(context.Context, *recipient.Message) error { panic("no") }

func TestKindsAreKnownOnce(t *testing.T) {
	kinds := recipient.Kinds()
	slices.Sort(kinds)
	if len(slices.Compact(kinds)) != len(recipient.Kinds()) {
		t.Error("a kind is there twice")
	}
}

// TestStages: what runs out is told at each stage once, daily when it is over, and nobody hears that a stage is.
func TestStages(t *testing.T) {
	box := &inbox{}
	r := newRig(t, Recipient{Name: "ops", Sender: box})
	ends := r.now.AddDate(0, 0, 40)
	var told []string
	for day := range 44 {
		stage := ""
		for _, days := range []int{30, 14, 7, 1, 0} {
			if left := ends.Sub(r.now); left <= time.Duration(days)*24*time.Hour {
				stage = fmt.Sprint(days)
			}
		}
		var list []Condition
		if stage != "" {
			list = []Condition{{Kind: recipient.Expiring, Where: "web", About: "tls", Stage: stage, Ends: ends}, {Kind: recipient.Expiring, Where: "web", About: "other", Stage: "30", Ends: ends.AddDate(1, 0, 0)}}
		}
		r.step(3*time.Minute, list...)
		r.step(3*time.Minute, list...)
		if day == 20 {
			r.restart()
		}
		if got := box.take(); got != "" {
			told = append(told, fmt.Sprintf("%d: %s", day, got))
		}
		r.now = r.now.Add(24*time.Hour - 6*time.Minute)
	}
	want := []string{
		"10: new expiring web, new expiring web", "26: new expiring web", "33: new expiring web", "39: new expiring web", "40: new expiring web",
		"41: lasting expiring web", "42: lasting expiring web", "43: lasting expiring web",
	}
	if !slices.Equal(told, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	r.step(3 * time.Minute)
	r.step(3 * time.Minute)
	if got := box.take(); got != "over expiring web, over expiring web" {
		t.Errorf("renewed: %s", got)
	}
	r.step(24 * time.Hour)
	if n := r.stored(); n != 0 {
		t.Errorf("%d are remembered for ever", n)
	}
}
