package portal

import (
	"context"
	"sync"
	"time"

	"dirsyncd/store"
)

// Expirer forgets what is over: store.Items.
type Expirer interface {
	Expire(ctx context.Context, now time.Time, limit int) (int, error)
}

const (
	storeEvery  = time.Second
	expireEvery = time.Minute
	turnEvery   = time.Hour
	expireMost  = 5000 // in one step
	countEvery  = time.Minute
	countShare  = 50 // of the time that counting takes, at least: many sessions are counted less often
)

// Run keeps the house until the context ends: it stores attempts, forgets what is over, turns keys and tells applications of sessions
// that have ended. Who ends it stores the last attempts (StoreAttempts) when nobody is answered any more.
func (p *Portal) Run(ctx context.Context, items Expirer) {
	tick := time.NewTicker(storeEvery)
	defer tick.Stop()
	var telling sync.WaitGroup
	telling.Go(func() { p.runTelling(ctx) })
	defer telling.Wait()
	var expired, turned, count time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := p.StoreAttempts(ctx); err != nil {
			p.Log.Error("attempts to sign in could not be stored", "err", err)
		}
		now := p.Now()
		if now.Sub(expired) >= expireEvery {
			expired = now
			if err := expire(ctx, items, now); err != nil && ctx.Err() == nil {
				p.Log.Error("sessions that are over could not be forgotten", "err", err)
			}
		}
		if !now.Before(count) {
			if err := p.countSessions(ctx); err != nil && ctx.Err() == nil {
				p.Log.Error("sessions could not be counted", "err", err)
			}
			count = now.Add(max(countEvery, countShare*p.Now().Sub(now)))
		}
		if now.Sub(turned) >= turnEvery {
			turned = now
			switch changed, err := p.Keys.Turn(); {
			case err != nil:
				p.Log.Error("the keys of sign-in could not be turned", "err", err, "hint", "is the file of `signin.keys` writable?")
			case changed:
				p.Log.Info("the keys of sign-in were turned", "signs", p.Keys.Sign().ID, "published", len(p.Keys.Published()))
			}
		}
	}
}

// expire forgets all that is over, in steps, so that nobody waits for long.
func expire(ctx context.Context, items Expirer, now time.Time) error {
	for {
		if n, err := items.Expire(ctx, now, expireMost); err != nil || n < expireMost {
			return err
		}
	}
}

var _ Expirer = store.Items(nil)
