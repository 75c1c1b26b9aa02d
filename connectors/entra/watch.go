package entra

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/fault"
)

const (
	resourceUsers  = "/users"
	resourceGroups = "/groups"

	// echo is how long after a notification there is another call: what Graph tells of is not at once in its lists.
	echo = 45 * time.Second
	// look is the longest time between two looks at the clock, which may jump, and stand still while a machine sleeps.
	look = 10 * time.Minute
	// farewell is how long taking leave may take.
	farewell = 5 * time.Second
)

var _ connectors.Watcher = (*Connector)(nil)

// Watch implements connectors.Watcher. While it runs, Graph calls in at the public front.
func (c *Connector) Watch(ctx context.Context, _ connectors.Tenant, notify func()) error {
	if !c.notifications {
		return nil
	}
	if c.public == nil {
		return &fault.Error{Class: fault.Configuration, Op: opSubscribe, Err: errors.New("there is no public front"), Hint: "write `web:`, or remove `notifications`"}
	}
	w, err := c.newWatch(ctx, notify)
	if err != nil {
		return err
	}
	return w.run(ctx)
}

// watch is one watch of a tenant.
type watch struct {
	subscriber

	connector *Connector
	receiver  *receiver
	notify    func()
	list      []subscription
	again     time.Time // when to call once more; zero: not
}

func (c *Connector) newWatch(ctx context.Context, notify func()) (*watch, error) {
	token, err := c.client.tokens.Get(ctx, "")
	if err != nil {
		return nil, err
	}
	tenant := c.sel.Tenant
	if !looksLikeID(tenant) {
		claims, _ := readClaims(token)
		tenant = claims.Tenant
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails
	state := hex.EncodeToString(secret)
	return &watch{
		subscriber: subscriber{client: c.client, state: state},
		connector:  c, receiver: newReceiver(state, tenant), notify: notify,
	}, nil
}

// run takes calls, subscribes and waits.
func (w *watch) run(ctx context.Context) error {
	address, release, err := w.mount(ctx)
	if err != nil {
		return err
	}
	// The address outlives the subscriptions, so that Graph finds somebody as long as it calls.
	defer release()
	defer w.leave(ctx)
	w.url = address
	if err := w.begin(ctx); err != nil {
		return err
	}
	w.notify()
	return w.wait(ctx)
}

// mount waits a little for an address that is taken: after a reload of the configuration the watch before this one is
// still taking leave.
func (w *watch) mount(ctx context.Context) (address string, release func(), err error) {
	for left := 2 * farewell; ; left -= time.Second {
		address, release, err := w.connector.public(w.receiver)
		if err == nil || fault.ClassOf(err) != fault.Transient || left <= 0 {
			return address, release, err
		}
		select {
		case <-w.connector.after(time.Second):
		case <-ctx.Done():
			return "", nil, context.Cause(ctx)
		}
	}
}

// begin subscribes to everything that is read.
func (w *watch) begin(ctx context.Context) error {
	w.sweep(ctx)
	resources := []string{resourceUsers}
	if w.connector.sel.Groups {
		resources = append(resources, resourceGroups)
	}
	for _, r := range resources {
		sub, err := w.subscribe(ctx, r)
		if err != nil {
			return err
		}
		w.list = append(w.list, sub)
	}
	return nil
}

// leave ends the subscriptions, if that can be had quickly.
func (w *watch) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.connector.farewell)
	defer cancel()
	for _, sub := range w.list {
		if w.remove(ctx, sub.id) != nil {
			return
		}
	}
}

// wait calls for what Graph tells, and renews what is getting old.
func (w *watch) wait(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-w.receiver.news:
		case <-w.connector.after(w.pause()):
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		changed, renew, replace := w.receiver.take()
		if err := w.mend(ctx, renew, replace); err != nil {
			return err
		}
		now := w.client.now()
		switch {
		case changed:
			w.again = now.Add(echo)
			w.notify()
		case !w.again.IsZero() && !now.Before(w.again):
			w.again = time.Time{}
			w.notify()
		}
	}
}

// pause is how long there is nothing to do but wait.
func (w *watch) pause() time.Duration {
	now := w.client.now()
	d := look
	for i := range w.list {
		d = min(d, w.list[i].renew.Sub(now))
	}
	if !w.again.IsZero() {
		d = min(d, w.again.Sub(now))
	}
	return max(d, 0)
}

// mend renews and replaces subscriptions, those that Graph asks it for and those whose time has come.
func (w *watch) mend(ctx context.Context, renew, replace map[string]bool) error {
	now := w.client.now()
	for i := range w.list {
		sub := &w.list[i]
		found := !replace[sub.id]
		if found && !renew[sub.id] && now.Before(sub.renew) {
			continue
		}
		var err error
		if found {
			if found, err = w.prolong(ctx, sub); err != nil {
				return err
			}
		} else {
			// One that missed something may be there still; two would tell everything twice.
			_ = w.remove(ctx, sub.id)
		}
		if found {
			continue
		}
		anew, err := w.subscribe(ctx, sub.resource)
		if err != nil {
			return err
		}
		*sub = anew
		w.receiver.lost() // nobody told of what changed in between
	}
	return nil
}
