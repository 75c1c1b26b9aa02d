package oidc

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/oidc/oidctest"
)

// publisher publishes numbered texts; one fetch at a time, or the race detector tells.
type publisher struct {
	takes time.Duration
	err   error
	bad   bool
	asked int
}

func (p *publisher) fetch(ctx context.Context) ([]byte, error) {
	p.asked++
	select {
	case <-time.After(p.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return []byte{byte(p.asked)}, p.err
}

func (p *publisher) read(data []byte, _ *int) (*int, error) {
	if p.bad {
		return nil, &fault.Error{Class: fault.Configuration, Err: errors.New("bad")}
	}
	n := int(data[0])
	return &n, nil
}

// realMemory keeps what is stored by the bubble's clock.
type realMemory struct {
	mu   sync.Mutex
	data []byte
	at   time.Time
}

func (m *realMemory) Load(context.Context, string) ([]byte, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.data, m.at, nil
}

func (m *realMemory) Store(_ context.Context, _ string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data, m.at = slices.Clone(data), time.Now()
	return nil
}

func (p *publisher) document(m signin.Kept) *document[int] {
	return newDocument(&Provider{o: Options{Now: time.Now, Kept: m, Name: "p"}}, "n", p.fetch, p.read)
}

func got(t *testing.T, d *document[int], want int) {
	t.Helper()
	n, err := d.get(t.Context())
	switch {
	case want == 0 && err == nil:
		t.Errorf("got %d, want an error", *n)
	case want != 0 && (err != nil || *n != want):
		t.Errorf("got %v, %v, want %d", n, err, want)
	}
}

// TestHourly: a copy serves for an hour, a day when the provider is away, and no longer.
func TestHourly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		d := p.document(&realMemory{})
		got(t, d, 1)
		time.Sleep(time.Hour - time.Second)
		got(t, d, 1)
		time.Sleep(time.Second)
		got(t, d, 2)

		p.err = errors.New("away")
		time.Sleep(24*time.Hour - time.Second)
		got(t, d, 2)
		got(t, d, 2) // soon after a failure nobody asks
		if p.asked != 3 {
			t.Errorf("asked %d times", p.asked)
		}
		time.Sleep(time.Second)
		got(t, d, 0)
		p.err = nil
		time.Sleep(retry)
		got(t, d, 4)
		p.bad = true // what cannot be read is as good as nothing
		time.Sleep(time.Hour)
		got(t, d, 4)
	})
}

// TestRestart: the last good copy outlives us, for a day.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := &realMemory{}, &publisher{}
		got(t, p.document(m), 1)
		p.err = errors.New("away")
		time.Sleep(23 * time.Hour)
		got(t, p.document(m), 1)
		time.Sleep(time.Hour)
		got(t, p.document(m), 0)
	})
}

// TestNobodyAnswers: without any copy a provider that is away is asked once in ten seconds.
func TestNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{err: errors.New("away")}
		d := p.document(&realMemory{})
		for range 20 {
			got(t, d, 0)
		}
		if p.asked != 1 {
			t.Errorf("asked %d times", p.asked)
		}
		p.err = nil
		time.Sleep(retry)
		got(t, d, 2)
	})
}

// TestOneFetch: of many that need a document at once one fetches it, and who gives up spoils nothing for the others.
func TestOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{takes: time.Second}
		d := p.document(&realMemory{})
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := d.get(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait()
		for range 20 {
			all.Go(func() { got(t, d, 2) })
		}
		synctest.Wait()
		cancel()
		all.Wait()
		if p.asked != 2 {
			t.Errorf("asked %d times, want the one that was given up and one for all", p.asked)
		}
	})
}

// TestForced: 20 that miss a key cause one fetch, side by side or one after the other; five minutes later there is another.
func TestForced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{takes: time.Second}
		d := p.document(&realMemory{})
		got(t, d, 1)
		miss := func(want int) {
			seen, err := d.get(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			if n, err := d.again(t.Context(), seen); err != nil || *n != want {
				t.Errorf("%v, %v, want %d", n, err, want)
			}
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { miss(2) })
		}
		all.Wait()
		for range 10 {
			miss(2)
		}
		time.Sleep(forced - 2*time.Second)
		miss(2)
		time.Sleep(2 * time.Second)
		miss(3)
		if p.asked != 3 {
			t.Errorf("asked %d times", p.asked)
		}
	})
}

// TestUnknownKeys: 20 tokens with keys that nobody knows cause one fetch of keys beside the first.
func TestUnknownKeys(t *testing.T) {
	w := newWorld(t, nil)
	w.in()
	unknown := oidctest.NewKey(t, "ES256", "unknown")
	w.issuer.Sign(func(c map[string]any) string { return unknown.Sign(c, "JWT") })
	for range 20 {
		_, err := w.signIn()
		refused(t, err, signin.Signature, "signature")
	}
	if n := w.issuer.Count(oidctest.Keys); n != 2 {
		t.Errorf("the keys were fetched %d times", n)
	}
	w.issuer.Sign(nil)
	w.in()
}

// TestParallel: people who sign in side by side fetch the documents once.
func TestParallel(t *testing.T) {
	w := newWorld(t, nil)
	const people = 8
	type begun struct {
		to      signin.To
		pending signin.Pending
		err     error
	}
	starts := make(chan begun, people)
	for range people {
		go func() {
			to, pending, err := w.Begin(t.Context(), signin.Start{State: random()})
			starts <- begun{to, pending, err}
		}()
	}
	results := make(chan error, people)
	for range people {
		b := <-starts
		if b.err != nil {
			t.Fatal(b.err)
		}
		form := oidctest.Browse(t, w.client, b.to.URL)
		go func() {
			_, err := w.Finish(t.Context(), form, &b.pending)
			results <- err
		}()
	}
	for range people {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if d, k := w.issuer.Count(oidctest.Discovery), w.issuer.Count(oidctest.Keys); d != 1 || k != 1 {
		t.Errorf("discovery was fetched %d times, keys %d times", d, k)
	}
}

// hanging takes a request and never answers.
type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestHanging: a provider that does not answer holds nobody up for longer than ten seconds.
func TestHanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := New(generic(), Options{
			Client: &http.Client{Transport: hanging{}}, Now: time.Now, Once: oidctest.NewMemory(nil), Kept: &realMemory{}, Name: "p", Callback: callback,
		})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, _, err = p.Begin(t.Context(), signin.Start{State: "s"})
		refused(t, err, signin.ProviderUnreachable, "")
		if took := time.Since(began); took != answers {
			t.Errorf("it took %s", took)
		}
		_, _, err = p.Begin(t.Context(), signin.Start{State: "s"})
		refused(t, err, signin.ProviderUnreachable, "")
		if took := time.Since(began); took != answers {
			t.Errorf("the next waits too: %s", took)
		}
		status := redeemHanging(t, p)
		refused(t, status, signin.ProviderUnreachable, "")
	})
}

// redeemHanging redeems a code at a token endpoint that does not answer.
func redeemHanging(t *testing.T, p *Provider) error {
	t.Helper()
	began := time.Now()
	_, err := p.redeem(t.Context(), &checks{}, &discovery{Token: login + "/token"}, "code", &signin.Pending{})
	if took := time.Since(began); took != answers {
		t.Errorf("it took %s", took)
	}
	return err
}

// TestDiscovery: a document that is not the authority's own is refused, and the last good one goes on serving.
func TestDiscovery(t *testing.T) {
	for name, metadata := range map[string]map[string]any{
		"another issuer":       {"issuer": "https://evil.test"},
		"a slash more":         {"issuer": login + "/"},
		"no issuer":            {"issuer": nil},
		"no token endpoint":    {"token_endpoint": nil},
		"keys in the clear":    {"jwks_uri": "http://login.example.test/keys"},
		"a script":             {"authorization_endpoint": "javascript:alert(1)"},
		"log-out in the clear": {"end_session_endpoint": "http://login.example.test/logout"},
		"a user":               {"userinfo_endpoint": "https://u:p@login.example.test/userinfo"},
		"weak algorithms":      {"id_token_signing_alg_values_supported": []string{"HS256", "none"}},
		"no JSON of the form":  {"jwks_uri": 7},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(_ *Generic, _ *Options, at *oidctest.Options) { at.Metadata = metadata })
			_, _, err := w.Begin(t.Context(), signin.Start{State: "s"})
			refused(t, err, signin.ProviderUnreachable, "")

			w = newWorld(t, nil)
			w.in()
			w.server.Clock.Add(time.Hour)
			bad := w.issuer.Document()
			for key, value := range metadata {
				bad[key] = value
			}
			w.issuer.Answer(oidctest.Discovery, func(rw http.ResponseWriter, _ *http.Request) { oidctest.JSON(rw, http.StatusOK, bad) })
			w.in()
		})
	}
}

// TestOtherHost: a redirect to another host is not followed, one within the host is.
func TestOtherHost(t *testing.T) {
	w := newWorld(t, nil)
	w.server.Handle("https://elsewhere.example.test/d", func(rw http.ResponseWriter, _ *http.Request) {
		t.Error("it was followed")
		oidctest.JSON(rw, http.StatusOK, w.issuer.Document())
	})
	w.issuer.Answer(oidctest.Discovery, to("https://elsewhere.example.test/d"))
	_, _, err := w.Begin(t.Context(), signin.Start{State: "s"})
	refused(t, err, signin.ProviderUnreachable, "")

	w = newWorld(t, nil)
	w.server.Handle(login+"/d", func(rw http.ResponseWriter, _ *http.Request) {
		oidctest.JSON(rw, http.StatusOK, w.issuer.Document())
	})
	w.issuer.Answer(oidctest.Discovery, to("/d"))
	w.in()
}
