package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/patience"
)

// perSecond takes so many units, one at a time, and returns how many there were in a second.
func perSecond(t *testing.T, b *Bucket, n int) float64 {
	t.Helper()
	began := time.Now()
	for range n {
		if err := b.Take(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	return float64(n) / time.Since(began).Seconds()
}

// TestPortions: buckets of several processes for one quota send no more together than one alone would, while they come and go, and one that is alone has
// all of it again.
func TestPortions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, burst = 10, 3
		var mu sync.Mutex
		sent := map[int]int{} // by the second
		began := time.Now()
		var portions [3]atomic.Int64 // in thousandths
		var all sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		for i := range portions {
			b := NewBucket(BucketOptions{Rate: rate, Burst: burst, Slowest: 1.0 / 8, Portion: func() float64 { return float64(portions[i].Load()) / 1000 }})
			for range 2 { // lanes
				all.Go(func() {
					for b.Take(ctx, 1) == nil {
						mu.Lock()
						sent[int(time.Since(began)/time.Second)]++
						mu.Unlock()
					}
				})
			}
		}
		set := func(a, b, c int64, lasts time.Duration) {
			portions[0].Store(a)
			portions[1].Store(b)
			portions[2].Store(c)
			time.Sleep(lasts)
		}
		// As they are told: nobody gets more before another one has less.
		set(1000, 0, 0, 10*time.Second)
		set(500, 0, 0, time.Second)
		set(500, 500, 0, 10*time.Second)
		set(333, 500, 0, time.Second)
		set(333, 333, 333, 10*time.Second)
		set(333, 333, 0, time.Second)
		set(500, 500, 0, 10*time.Second)
		set(500, 0, 0, time.Second)
		set(1000, 0, 0, 10*time.Second)
		stop()
		all.Wait()
		sum := 0
		for second := range 54 {
			if sum += sent[second]; sum > rate*(second+1)+rate*burst+6 { // and one for each lane that waited already
				t.Errorf("%d in %d seconds", sum, second+1)
			}
			if second > 0 && second < 54 && sent[second] > rate+6 && second > burst {
				t.Errorf("%d in second %d", sent[second], second)
			}
		}
		alone := 0
		for second := 46; second < 53; second++ {
			alone += sent[second]
		}
		if alone < 7*rate-3 {
			t.Errorf("%d in 7 seconds, alone again", alone)
		}
	})
}

func TestBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(BucketOptions{Rate: 10, Burst: 3, Slowest: 1.0 / 8})
		near := func(what string, want float64) {
			t.Helper()
			if got := perSecond(t, b, 200); got < want*0.95 || got > want*1.05 {
				t.Errorf("%s: %.2f a second, want %.2f", what, got, want)
			}
		}
		began := time.Now()
		perSecond(t, b, 30)
		if took := time.Since(began); took != 0 {
			t.Errorf("what was saved up took %s", took)
		}
		near("the rate", 10)
		b.OnResponse(http.StatusTooManyRequests, false)
		near("told that it is too much", 5)
		b.OnResponse(http.StatusOK, true)
		near("told that the limit is near", 4.5)
		b.OnResponse(http.StatusInternalServerError, false)
		near("another error", 4.5)
		for range 20 {
			b.OnResponse(http.StatusTooManyRequests, false)
		}
		near("the slowest", 10.0/8)
		for range 100 {
			b.Learn(nil, http.StatusOK, nil)
		}
		near("recovered", 10)
		b.SetRate(20)
		near("another rate", 20)
		b.Charge(20)
		began = time.Now()
		if _ = b.Wait(t.Context(), nil); time.Since(began) < time.Second {
			t.Error("what a request has cost was not counted")
		}
		time.Sleep(time.Hour)
		began = time.Now()
		perSecond(t, b, 60)
		if took := time.Since(began); took != 0 {
			t.Errorf("what was saved up in an hour took %s", took)
		}
		perSecond(t, b, 1)
		if time.Since(began) == 0 {
			t.Error("more than the burst was saved up")
		}
	})
}

// TestBucketGivesBack: what was waited for in vain is there for the next.
func TestBucketGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(BucketOptions{Rate: 1, Burst: 1, Slowest: 1})
		perSecond(t, b, 1)
		ended, cancel := context.WithCancelCause(t.Context())
		why := errors.New("the run is over")
		cancel(why)
		for range 100 {
			if err := b.Take(ended, 1); !errors.Is(err, why) {
				t.Fatal(err)
			}
		}
		began := time.Now()
		perSecond(t, b, 1)
		if took := time.Since(began); took != time.Second {
			t.Errorf("waited %s for units that nobody used", took)
		}
	})
}

// TestWaitsAreTold: who shares places out learns of every wait for a pace and before a retry, and of no others.
func TestWaitsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		ctx := patience.WithWaits(t.Context(), func() { told++ })
		b := NewBucket(BucketOptions{Rate: 1, Burst: 1, Slowest: 1})
		for want := range 3 {
			if err := b.Take(ctx, 1); err != nil || told != want {
				t.Errorf("%d waits were told, want %d; %v", told, want, err)
			}
		}
		var at sync.WaitGroup
		none, full := patience.WithWaits(t.Context(), func() { t.Error("nobody had to wait") }), NewBucket(BucketOptions{Rate: 1, Burst: 1000, Slowest: 1})
		for range 1000 {
			at.Go(func() { _ = full.Take(none, 1) })
		}
		at.Wait()
		var r Retries
		if err := r.Wait(ctx, &fault.Error{Class: fault.Transient}); err != nil || told != 3 {
			t.Errorf("a retry was not told: %v", err)
		}
		if err := r.Wait(ctx, &fault.Error{Class: fault.Invalid}); err == nil || told != 3 {
			t.Errorf("what is not tried again was told: %v", err)
		}
	})
}

// TestThrottledOnce: a refusal slows the pace down once, the repetition takes from the pace again, and the wait that the
// service asked for is the only one.
func TestThrottledOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		b := NewBucket(BucketOptions{Rate: 1, Burst: 1, Slowest: 1.0 / 64})
		transport := NewTransport(Options{
			Hosts: []string{"graph.test"}, Pace: b,
			Base: roundTrip(func(*http.Request) (*http.Response, error) {
				resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader("{}"))}
				if sent++; sent == 1 {
					resp.StatusCode, resp.Header["Retry-After"] = http.StatusTooManyRequests, []string{"10"}
				}
				return resp, nil
			}),
		})
		began := time.Now()
		if _, err := get(t, transport, "https://graph.test/"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 10*time.Second || sent != 2 {
			t.Errorf("%d requests in %s", sent, took)
		}
		if rate := perSecond(t, b, 100); rate < 0.5 || rate > 0.52 {
			t.Errorf("%.2f a second after one refusal", rate)
		}
	})
}

// TestWaitingForLess: who waits already when the portion becomes smaller, or the service says that it is too much, waits longer for it.
func TestWaitingForLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 10
		var mu sync.Mutex
		sent, portion := 0, 1.0
		b := NewBucket(BucketOptions{Rate: rate, Burst: 0.1, Slowest: 1.0 / 8, Portion: func() float64 {
			mu.Lock()
			defer mu.Unlock()
			return portion
		}})
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if err := b.Take(t.Context(), 1); err != nil {
					t.Error(err)
				}
				mu.Lock()
				sent++
				mu.Unlock()
			})
		}
		in := func(what string, d time.Duration, least, most int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			before := sent
			mu.Unlock()
			time.Sleep(d)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if n := sent - before; n < least || n > most {
				t.Errorf("%s: %d in %s, want %d to %d", what, n, d, least, most)
			}
		}
		set := func(p float64) {
			mu.Lock()
			defer mu.Unlock()
			portion = p
		}
		in("all of it", 2*time.Second, 19, 21)
		set(0.2)
		in("a fifth", 10*time.Second, 19, 21)
		set(0)
		in("nothing", 10*time.Second, 0, 1)
		set(1)
		in("all again", 2*time.Second, 17, 21)
		b.OnResponse(http.StatusTooManyRequests, false)
		in("half of that", 4*time.Second, 19, 21)
		set(1e-16) // what is left when others have 1/6 each, by the arithmetic of computers
		in("next to nothing", 10*time.Second, 0, 1)
		set(1)
		all.Wait()
	})
}

// TestNewcomer: a bucket that comes when others have parts of the rate has nothing saved up: those may just have sent at once what may be.
func TestNewcomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		portion := 1.0 // until it is known
		b := NewBucket(BucketOptions{Rate: 10, Burst: 3, Slowest: 1, Portion: func() float64 { return portion }})
		portion = 0.5
		if got := perSecond(t, b, 10); got > 5.1 {
			t.Errorf("%.1f a second", got)
		}
		time.Sleep(time.Hour)
		began := time.Now()
		if perSecond(t, b, 15); time.Since(began) > 0 {
			t.Error("nothing was saved up later")
		}
	})
}
