package deliver

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/store/storetest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// registry is a target that keeps in the store who is who at its place. A person needs a customer there.
type registry struct {
	st   store.Store
	wake func(...string)

	mu     sync.Mutex
	things []thingThere
}

type thingThere struct{ mark, name, parent string }

func (r *registry) Describe() targets.Description {
	return targets.Description{Batch: 2, Parallel: 2, AcrossPartitions: true, Ranked: true}
}
func (r *registry) Check(context.Context) error      { return nil }
func (r *registry) Reopen() error                    { return nil }
func (r *registry) Close() error                     { return nil }
func (r *registry) WakeBy(wake func(keys ...string)) { r.wake = wake }

func (r *registry) CatchUp(context.Context) error { return nil }

func (r *registry) Deliver(ctx context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	out := make([]targets.Outcome, len(work))
	for i := range work {
		wait, err := r.one(ctx, &work[i])
		if err != nil {
			return nil, err
		}
		out[i].Wait = wait
	}
	return out, nil
}

func (r *registry) one(ctx context.Context, d *targets.Delivery) (*targets.Wait, error) {
	a := &d.Action
	subject := directory.Subject(a.Kind, a.Record)
	parent := valueOf(a, "customer", false)
	var known []store.Link
	err := r.st.View(ctx, store.TargetPartition(journal), func(tx store.Reader) (err error) {
		known, err = tx.LinksOf([]string{subject, parent})
		return err
	})
	if err != nil {
		return nil, err
	}
	link := known[0]
	if parent != "" && known[1].ID == "" {
		return &targets.Wait{Cause: targets.CauseReference, Key: parent}, nil
	}
	if link.ID == "" {
		link = store.Link{Subject: subject, Kind: a.Kind, State: store.Linked, Owner: store.Created, ID: r.find(subject, d.Again)}
		if link.ID == "" {
			link.ID = r.make(subject)
		}
	}
	r.mu.Lock()
	var n int
	_, _ = fmt.Sscan(link.ID, &n)
	r.things[n].name, r.things[n].parent = valueOf(a, "name", false), known[1].ID
	r.mu.Unlock()
	link.LastKey = a.Key
	err = r.st.Update(ctx, store.TargetPartition(journal), func(tx store.Writer) error { return tx.PutLink(link) })
	if err == nil {
		r.wake(subject)
	}
	return nil, err
}

// find looks at the place for a thing with a mark, when there may be one.
func (r *registry) find(mark string, again bool) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, t := range r.things {
		if again && t.mark == mark {
			return fmt.Sprint(i)
		}
	}
	return ""
}

func (r *registry) make(mark string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.things = append(r.things, thingThere{mark: mark})
	return fmt.Sprint(len(r.things) - 1)
}

// doomed is a store whose process is killed at a transaction, before or after it.
type doomed struct {
	store.Store
	mu    sync.Mutex
	left  int // until then
	after bool
	kill  func()
	dead  bool
}

// point passes one transaction; what it returns is called after it.
func (d *doomed) point() (func(error) error, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return nil, errBroken
	}
	if d.left--; d.left != 0 {
		return func(err error) error { return err }, nil
	}
	d.dead = true
	d.kill()
	if !d.after {
		return nil, errBroken
	}
	return func(error) error { return errBroken }, nil
}

func (d *doomed) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	d.mu.Lock()
	dead := d.dead
	d.mu.Unlock()
	if dead {
		return errBroken
	}
	return d.Store.View(ctx, p, fn)
}

func (d *doomed) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	over, err := d.point()
	if err != nil {
		return err
	}
	return over(d.Store.Update(ctx, p, fn))
}

// TestKilledAtEveryTransaction: whenever the process is killed while people wait for their customers, everybody is made once.
func TestKilledAtEveryTransaction(t *testing.T) {
	killedAtEvery(t, func(t *testing.T) store.Store { return openBolt(t, bolt.Options{NoSync: true}) })
}

func killedAtEvery(t *testing.T, open func(*testing.T) store.Store) {
	t.Helper()
	for _, after := range []bool{false, true} {
		for at := 1; ; at++ {
			st := open(t)
			killed := false
			synctest.Test(t, func(t *testing.T) { killed = killedAt(t, storetest.Strict(t, st), at, after) })
			if t.Failed() {
				t.Fatalf("killed at transaction %d, after it: %v", at, after)
			}
			if !killed {
				t.Logf("%d transactions", at-1)
				if at < 10 {
					t.Error("hardly any transaction")
				}
				break
			}
		}
	}
}

func killedAt(t *testing.T, st store.Store, at int, after bool) (killed bool) {
	r := &registry{}
	field := func(a *directory.Action, name, value string) *directory.Action {
		a.Fields = append(a.Fields, directory.Field{Name: name, Value: directory.Text(value)})
		return a
	}
	var plan []*directory.Action
	for i := range 5 {
		id := fmt.Sprint(i)
		create := field(field(user(id, directory.Create, "create"+id), "customer", fmt.Sprint("customer/hq/c", i%2)), "name", "P"+id)
		plan = append(plan, create)
	}
	plan = append(plan, field(thing(directory.CustomerRecord, directory.Create, "c0"), "name", "C0"))
	later := []*directory.Action{
		field(field(user("1", directory.Update, "update1"), "customer", "customer/hq/c1"), "name", "P1 later"),
		field(field(user("2", directory.Update, "update2"), "customer", "customer/hq/c0"), "name", "P2 later"),
		field(thing(directory.CustomerRecord, directory.Create, "c1"), "name", "C1"),
	}
	enqueue(t, st, plan...)
	life := func(left int) bool {
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		d := &doomed{Store: st, left: left, after: after, kill: kill}
		r.st = d
		ended := make(chan error)
		w := New(d, journal, r, Options{})
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(time.Minute)
		if later != nil {
			enqueue(t, st, later...) // by the engine, whose transactions are its own
			later = nil
			w.Wake()
		}
		time.Sleep(10 * time.Minute)
		kill()
		<-ended
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.dead
	}
	killed = life(at)
	life(-1)
	if list := waitsOf(t, st); len(list) > 0 || len(parked(t, st)) > 0 {
		t.Errorf("%+v wait, %v are parked", list, parked(t, st))
	}
	sum := drain(t, New(st, journal, r, Options{}))
	if sum.Waiting != 0 || sum.Err != nil {
		t.Errorf("%+v", sum)
	}
	want := map[string]string{"customer/hq/c0": "C0", "customer/hq/c1": "C1", "user/hq/0": "P0", "user/hq/1": "P1 later", "user/hq/2": "P2 later",
		"user/hq/3": "P3", "user/hq/4": "P4"}
	for i, there := range r.things {
		if want[there.mark] != there.name {
			t.Errorf("thing %d is %+v, wanted %q", i, there, want[there.mark])
		}
		delete(want, there.mark)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	return killed
}
