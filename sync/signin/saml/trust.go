package saml

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dirsyncd/sync/patience"
	"dirsyncd/sync/signin"
)

const (
	// hurryEvery is how often a certificate that we do not know makes us ask for metadata: anybody can send one.
	hurryEvery = 5 * time.Minute
	fetchTime  = 10 * time.Second
	// pause is between two tries while nothing is known: people who come meanwhile do not wait one after the other.
	pause    = 15 * time.Second
	keptName = "metadata"
)

// trust is what we know of a provider: its metadata, from where they are published, else the last good copy.
type trust struct {
	source   Metadata
	entityID string
	signers  []*x509.Certificate
	client   http.Client
	now      func() time.Time
	kept     signin.Kept
	log      *slog.Logger

	current atomic.Pointer[idp]
	offset  atomic.Pointer[time.Duration] // how far the provider's clock was ahead when it was last asked; nil: it has not said

	look   sync.Once // over former
	former *idp      // what was kept when somebody first looked

	fetching sync.Mutex // over what follows, and over fetching
	tried    time.Time
	failed   error // the last try
}

func newTrust(c *Config, o Options) (*trust, error) {
	t := &trust{source: c.Metadata, entityID: c.EntityID, now: o.Now, kept: o.Kept, log: o.Log}
	t.client = *o.Client
	t.client.CheckRedirect = sameHost
	if t.client.Timeout == 0 {
		t.client.Timeout = fetchTime
	}
	if f := c.Metadata.Certificate; f != "" {
		signers, err := certificates(string(f))
		if err != nil {
			return nil, fmt.Errorf("metadata.certificate: %w", err)
		}
		t.signers = signers
	}
	return t, nil
}

func sameHost(to *http.Request, via []*http.Request) error {
	if len(via) > 5 || to.URL.Host != via[0].URL.Host || to.URL.Scheme != via[0].URL.Scheme {
		return errors.New("it leads to another address: " + to.URL.Scheme + "://" + to.URL.Host)
	}
	return nil
}

// get returns what is known, and fetches it when nothing is.
func (t *trust) get(ctx context.Context) (*idp, error) {
	if i := t.current.Load(); i != nil {
		return i, nil
	}
	t.fetching.Lock()
	defer t.fetching.Unlock()
	if i := t.current.Load(); i != nil {
		return i, nil
	}
	kept := t.load(ctx)
	if kept != nil && t.now().Before(kept.due()) {
		t.current.Store(kept)
		return kept, nil
	}
	if kept != nil {
		t.current.Store(kept)
	}
	if t.failed != nil && t.now().Sub(t.tried) < pause {
		return nil, t.failed
	}
	err := t.fetch(context.WithoutCancel(ctx))
	if i := t.current.Load(); i != nil {
		return i, nil
	}
	return nil, err
}

// load reads the last good copy; nil when there is none that still fits the settings.
func (t *trust) load(ctx context.Context) *idp {
	if t.source.URL == "" {
		return nil
	}
	data, at, err := t.kept.Load(ctx, keptName)
	if err != nil {
		t.log.Warn("the kept metadata of a provider cannot be read", "err", err)
	}
	if data == nil {
		return nil
	}
	i, err := readMetadata(data, t.entityID, t.signers, at)
	if err != nil {
		t.log.Info("the kept metadata of a provider do not fit the settings any more", "err", err)
		return nil
	}
	return i
}

// remembered is the copy that was kept when somebody first asked for it; nil for none. Nobody is waited for.
func (t *trust) remembered(ctx context.Context) *idp {
	t.look.Do(func() { t.former = t.load(ctx) })
	return t.former
}

// refresh fetches now.
func (t *trust) refresh(ctx context.Context) error {
	t.fetching.Lock()
	defer t.fetching.Unlock()
	return t.fetch(ctx)
}

// hurry fetches because of a certificate that old does not name, unless that was tried just now. It returns what is known then.
// It goes on when the browser goes away: else whoever sends such certificates and hangs up keeps us from the next key.
func (t *trust) hurry(ctx context.Context, old *idp) *idp {
	t.fetching.Lock()
	defer t.fetching.Unlock()
	if t.current.Load() == old && t.now().Sub(t.tried) >= hurryEvery {
		_ = t.fetch(context.WithoutCancel(ctx))
	}
	return t.current.Load()
}

// fetch needs the lock. On an error what was known stays, and the error was logged.
func (t *trust) fetch(ctx context.Context) (err error) {
	t.tried = t.now()
	defer func() { t.failed = err }()
	old := t.current.Load()
	data, err := t.read(ctx)
	var fresh *idp
	if err == nil {
		fresh, err = readMetadata(data, t.entityID, t.signers, t.tried)
	}
	if err != nil {
		err = fmt.Errorf("metadata of %s from %s: %w", t.entityID, t.place(), err)
		if old != nil {
			t.log.Warn("provider cannot be reached, going on with the last good copy", "age", t.now().Sub(old.at).Round(time.Second), "err", err)
		}
		return err
	}
	t.tell(old, fresh)
	t.current.Store(fresh)
	if t.source.URL != "" {
		if err := t.kept.Store(ctx, keptName, data); err != nil {
			t.log.Warn("the metadata of a provider cannot be kept", "err", err)
		}
	}
	return nil
}

func (t *trust) place() string {
	if t.source.File != "" {
		return string(t.source.File)
	}
	if u, err := url.Parse(t.source.URL); err == nil {
		return u.Scheme + "://" + u.Host // the rest may hold a token
	}
	return ""
}

// tell names the keys that came and went.
func (t *trust) tell(old, fresh *idp) {
	if old == nil {
		return
	}
	for _, k := range fresh.keys {
		if !slices.ContainsFunc(old.keys, k.Equal) {
			t.log.Info("provider's key appeared", "fingerprint", fingerprint(k.Raw), "ends", k.NotAfter)
		}
	}
	for _, k := range old.keys {
		if !slices.ContainsFunc(fresh.keys, k.Equal) {
			t.log.Info("provider's key went", "fingerprint", fingerprint(k.Raw))
		}
	}
}

func (t *trust) read(ctx context.Context) ([]byte, error) {
	if t.source.File != "" {
		f, err := os.Open(string(t.source.File))
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		return io.ReadAll(io.LimitReader(f, maxMetadata+1))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.source.URL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/samlmetadata+xml, application/xml, text/xml")
	resp, err := t.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // it quotes the address
		}
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxMetadata+1))
	if err != nil {
		return nil, err
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		ahead := date.Sub(t.now().Truncate(time.Second)) // it says whole seconds
		t.offset.Store(&ahead)
	}
	return data, nil
}

// ahead is how far the provider's clock is before ours; false when it has not said.
func (t *trust) ahead() (time.Duration, bool) {
	if d := t.offset.Load(); d != nil {
		return *d, true
	}
	return 0, false
}

// run refreshes what is due until ctx ends.
func (t *trust) run(ctx context.Context) error {
	retry := hurryEvery
	for {
		wait := retry
		i, err := t.get(ctx)
		if err != nil {
			t.log.Warn("the metadata of a provider cannot be had", "err", err)
			retry = min(2*retry, time.Hour)
		} else if left := i.due().Sub(t.now()); left > 0 {
			wait, retry = left, hurryEvery
		} else if t.refresh(ctx) == nil {
			continue
		} else {
			retry = min(2*retry, time.Hour)
		}
		if patience.Sleep(ctx, wait) != nil {
			return nil
		}
	}
}
