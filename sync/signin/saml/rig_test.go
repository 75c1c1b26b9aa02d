package saml

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/saml/samltest"
)

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const base = "https://auth.example.test/auth/saml/partner"

// onces is a signin.Once.
type onces struct {
	mu    sync.Mutex
	until map[string]time.Time
	err   error
}

func (o *onces) Once(_ context.Context, key []byte, until time.Time) (bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return false, o.err
	}
	if _, there := o.until[string(key)]; there {
		return false, nil
	}
	o.until[string(key)] = until
	return true, nil
}

// kept is a signin.Kept.
type kept struct {
	mu   sync.Mutex
	data []byte
	at   time.Time
	now  func() time.Time
}

func (k *kept) Load(context.Context, string) ([]byte, time.Time, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.data, k.at, nil
}

func (k *kept) Store(_ context.Context, _ string, data []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.data, k.at = bytes.Clone(data), k.now()
	return nil
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// rig is a provider of ours, and one of identity that publishes metadata.
type rig struct {
	*Provider
	idp     *samltest.IDP
	sp      samltest.SP
	cfg     *Config
	opts    Options
	clock   atomic.Int64 // after start
	publish atomic.Pointer[string]
	asked   atomic.Int64
	once    *onces
	kept    *kept
	log     *lines
}

func (r *rig) now() time.Time        { return start.Add(time.Duration(r.clock.Load())) }
func (r *rig) pass(d time.Duration)  { r.clock.Add(int64(d)) }
func (r *rig) serve(metadata string) { r.publish.Store(&metadata) }
func ourPair(t testing.TB) samltest.Pair {
	return samltest.NewPair(t, 2, start.Add(-time.Hour), start.Add(1000*time.Hour))
}

func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	r := &rig{once: &onces{until: map[string]time.Time{}}, log: &lines{}}
	r.kept = &kept{now: r.now}
	r.idp = &samltest.IDP{EntityID: "https://idp.example.test/idp", Base: "https://idp.example.test", Pair: samltest.NewPair(t, 0, start.Add(-time.Hour), start.Add(1000*time.Hour))}
	r.serve(r.idp.Metadata())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.asked.Add(1)
		text := *r.publish.Load()
		if text == "" {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Date", r.now().UTC().Format(http.TimeFormat))
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	r.cfg = Defaults()
	r.cfg.Metadata.URL, r.cfg.EntityID = server.URL+"/metadata?token=secret", r.idp.EntityID
	r.cfg.Key = settings.NewSecret(ourPair(t).PEM())
	r.cfg.SingleLogout = true
	r.cfg.Attributes = map[string]settings.Names{"object_guid": {"objectGUID"}, "mail": {"mail", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"}}
	if change != nil {
		change(r.cfg)
	}
	if issues := r.cfg.Validate(); len(issues) > 0 {
		t.Fatal(issues)
	}
	r.opts = Options{
		Name: "partner", URL: base, Domains: []string{"example.test"}, Client: server.Client(), Now: r.now, Once: r.once, Kept: r.kept,
		Log: slogTo(r.log),
	}
	r.open(t)
	r.sp = samltest.SP{EntityID: r.Addresses().EntityID, ACS: r.Addresses().ACS, SLO: r.Addresses().SLO}
	return r
}

// open makes the provider anew, as a restart does.
func (r *rig) open(t testing.TB) {
	t.Helper()
	p, err := New(r.cfg, r.opts)
	if err != nil {
		t.Fatal(err)
	}
	r.Provider = p
}

// begin starts a sign-in.
func (r *rig) begin(t testing.TB) (signin.To, *signin.Pending) {
	t.Helper()
	to, pending, err := r.Begin(t.Context(), signin.Start{State: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"})
	if err != nil {
		t.Fatal(err)
	}
	return to, &pending
}

// answer is a good response to a request.
func (r *rig) answer(request string) samltest.Response {
	return samltest.Response{SP: r.sp, Request: request, At: r.now()}
}

func refusalOf(t testing.TB, err error) *signin.Refusal {
	t.Helper()
	var refusal *signin.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("no refusal: %v", err)
	}
	return refusal
}

// messageIn is the XML of a message in a redirect or a form.
func messageIn(t testing.TB, to signin.To, field string) (string, url.Values) {
	t.Helper()
	if to.Form != nil {
		data, err := base64.StdEncoding.DecodeString(to.Form.Get(field))
		if err != nil {
			t.Fatal(err)
		}
		return string(data), to.Form
	}
	u, err := url.Parse(to.URL)
	if err != nil {
		t.Fatal(err)
	}
	data, err := decode(u.Query().Get(field))
	if err == nil {
		data, err = inflate(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data), u.Query()
}

func attributesOf(t testing.TB, text string) map[string]string {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			m := map[string]string{}
			for _, a := range e.Attr {
				m[a.Name.Local] = a.Value
			}
			return m
		}
	}
}

func slogTo(l *lines) *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
