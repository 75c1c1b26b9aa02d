package deliver

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/storetest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// follower is a target that follows changes, knows the keys that it took, refuses some, and has one trouble. It notes every
// action that does not begin where it stands.
type follower struct {
	batch int

	mu      sync.Mutex
	records map[string]*image
	took    map[string]string // by key
	last    map[string]string // keys, by record
	refuses map[string]bool   // keys
	calls   int               // until the trouble
	trouble string
	said    []string
	wrong   []string
	denies  bool // something that it took
}

// What becomes of a call that meets with trouble.
const (
	lostBefore = "lost before it was taken"
	lostAfter  = "taken, and the answer lost"
	denied     = "taken, the answer lost, and refused when it comes again"
	locked     = "locked"
)

func (f *follower) Describe() targets.Description { return targets.Description{Batch: f.batch} }
func (f *follower) Check(context.Context) error   { return nil }
func (f *follower) Reopen() error                 { return nil }
func (f *follower) Close() error                  { return nil }

func (f *follower) Deliver(_ context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	trouble := ""
	if f.calls--; f.calls == 0 {
		trouble = f.trouble
	}
	out := make([]targets.Outcome, len(work))
	for i := range work {
		a := &work[i].Action
		if trouble == lostBefore {
			f.said = append(f.said, describe(a)+": "+trouble)
			continue
		}
		switch {
		case trouble == locked:
			out[i].Err = failWith(fault.Conflict, locked)
		case trouble == denied:
			f.denies = f.denies || f.refuses[a.Key]
			f.take(a)
		case f.refuses[a.Key]:
			out[i].Err = failWith(fault.Invalid, "refused")
		default:
			f.take(a)
		}
		f.said = append(f.said, fmt.Sprintf("%s: %v %s", describe(a), out[i].Err, trouble))
	}
	if trouble != "" && trouble != locked {
		return nil, failWith(fault.Transient, trouble)
	}
	return out, nil
}

func (f *follower) take(a *directory.Action) {
	what := describe(a)
	if before, again := f.took[a.Key]; again {
		if before != what {
			f.wrong = append(f.wrong, fmt.Sprintf("%s was %s", what, before))
		}
		return
	}
	m := f.records[a.Record]
	if wrong := m.follows(a); wrong != "" && !f.denies {
		f.wrong = append(f.wrong, what+": "+wrong)
	}
	if a.Key <= f.last[a.Record] {
		f.wrong = append(f.wrong, what+" after "+f.last[a.Record])
	}
	f.took[a.Key], f.last[a.Record] = what, a.Key
	m.apply(a)
}

// course is what happens: a history of the record hq/1 that a target knows, beside one of hq/2 that nobody refuses.
type course struct {
	known   *image
	actions []*directory.Action
	refused int // bits, one an action
	batch   int
	trouble string
	call    int // that meets with it
	at      int // the transaction at which the process is killed
	after   bool
}

func (c *course) String() string {
	return fmt.Sprintf("refused %03b, batches of %d, call %d %s, killed at transaction %d, after it: %v", c.refused, c.batch, c.call, c.trouble, c.at, c.after)
}

// run does it all on a store, and reports whether the process came to be killed.
func (c *course) run(t *testing.T, st store.Store) (killed bool) {
	other := image{at: active, fields: map[string]string{"n": "0"}}
	known := c.known.clone()
	f := &follower{
		batch: c.batch, records: map[string]*image{"hq/1": &known, "hq/2": &other},
		took: map[string]string{}, last: map[string]string{}, refuses: map[string]bool{}, trouble: c.trouble, calls: c.call,
	}
	defer func() {
		if t.Failed() {
			t.Logf("%s: told\n%s", c, strings.Join(f.said, "\n"))
		}
	}()
	opts := Options{Backoff: Backoff{Random: func() float64 { return 0.5 }}}
	var d *doomed
	var w *Worker
	ended := make(chan error)
	start := func(left int) {
		ctx, kill := context.WithCancel(t.Context())
		d = &doomed{Store: st, left: left, after: c.after, kill: kill}
		w = New(d, journal, f, opts)
		go func(w *Worker) { ended <- w.Run(ctx) }(w)
	}
	dead := func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.dead
	}
	start(c.at)
	for i, a := range c.actions {
		from, to := fmt.Sprint(i), fmt.Sprint(i+1)
		beside := user("2", directory.Update, "other "+to, "n="+from+">"+to)
		beside.Fields = []directory.Field{{Name: "n", Value: directory.Text(to)}}
		f.mu.Lock()
		f.refuses[a.Key] = c.refused>>i&1 > 0
		f.mu.Unlock()
		enqueue(t, st, a, beside)
		w.Wake()
		time.Sleep(100 * time.Millisecond) // less than what a failed one waits
	}
	time.Sleep(time.Second)
	if dead() {
		killed = true
		<-ended
		start(-1)
	}
	time.Sleep(time.Minute)
	if dead() {
		t.Fatal("killed twice")
	}
	f.mu.Lock()
	clear(f.refuses)
	f.mu.Unlock()
	d.kill()
	<-ended
	for n := 1; n > 0; n = replayAll(t, st) {
		if sum := drain(t, New(st, journal, f, opts)); sum.Waiting != 0 || sum.Err != nil {
			t.Fatalf("%+v", sum)
		}
	}
	want := c.known.clone()
	for _, a := range c.actions {
		want.apply(a)
	}
	if got := f.records["hq/1"]; !got.same(want) {
		f.wrong = append(f.wrong, fmt.Sprintf("in the end it has %+v, want %+v", *got, want))
	}
	if n := other.fields["n"]; n != fmt.Sprint(len(c.actions)) {
		f.wrong = append(f.wrong, "of the other record it has "+n)
	}
	for _, wrong := range f.wrong {
		t.Error(wrong)
	}
	return killed
}

// courseOf makes the actions of a history, each of which carries the whole record.
func courseOf(known image, actions ...*directory.Action) *course {
	at := known.clone()
	for _, a := range actions {
		if a.Op == directory.Create {
			a.Fields = []directory.Field{{Name: "used", Value: directory.Text("6")}}
		} else {
			now := at.clone()
			now.apply(a)
			for _, name := range []string{"title", "used"} {
				if v, has := now.fields[name]; has {
					a.Fields = append(a.Fields, directory.Field{Name: name, Value: directory.Text(v)})
				}
			}
		}
		at.apply(a)
	}
	known.whole = known.fields
	return &course{known: &known, actions: actions}
}

// TestChangesFollow: whichever actions of a record a target refuses, whatever becomes of a call, and whenever the process is
// killed meanwhile: each change that the target takes begins where it stands, in order, and under one key there is one action. One that
// refuses what it took has what it should have in the end.
func TestChangesFollow(t *testing.T) {
	create, update := directory.Create, directory.Update
	licence := image{at: active, fields: map[string]string{"used": "6"}}
	person := image{at: active, fields: map[string]string{"title": "x", "used": "6"}}
	killed := 0
	for name, c := range map[string]*course{
		"there and back":  courseOf(licence, user("1", update, "1", "used=6>5"), user("1", update, "2", "used=5>6"), user("1", update, "3", "used=6>7")),
		"new":             courseOf(image{}, user("1", create, "1"), user("1", update, "2", "used=6>5"), user("1", update, "3", "used=5>6")),
		"two fields":      courseOf(person, user("1", update, "1", "title=x>y", "used=6>5"), user("1", update, "2", "title=y>x"), user("1", update, "3", "used=5>4")),
		"leaves and back": courseOf(person, user("1", update, "1", "title=x>y"), user("1", directory.Deactivate, "2"), user("1", directory.Reactivate, "3", "title=y>z")),
	} {
		t.Run(name, func(t *testing.T) {
			batches := []int{1, 2}
			if testing.Short() {
				batches = batches[1:]
			}
			for _, c.batch = range batches {
				for c.refused = range 1 << len(c.actions) {
					for _, c.trouble = range []string{lostBefore, lostAfter, denied, locked} {
						for c.call = 1; c.call <= 3; c.call++ {
							killed += c.everyCut(t)
						}
					}
				}
			}
		})
	}
	t.Logf("killed %d times", killed)
}

// everyCut kills the process before and after each transaction, and returns how often.
func (c *course) everyCut(t *testing.T) (n int) {
	for _, c.after = range []bool{false, true} {
		for c.at = 1; ; c.at++ {
			killed := false
			synctest.Test(t, func(t *testing.T) { killed = c.run(t, storetest.Strict(t, newMemory())) })
			if t.Failed() {
				t.FailNow()
			}
			if !killed {
				break
			}
			n++
		}
	}
	return n
}
