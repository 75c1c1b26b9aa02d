package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/event"
	"dirsyncd/sync/targets/targettest"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
	token  = "Bearer s3cr3t-t0ken"
)

// receiver is the other side: it verifies signatures, takes every key once and misbehaves as told.
type receiver struct {
	*httptest.Server
	t        *testing.T
	mu       sync.Mutex
	taken    []targettest.Taken
	seen     map[string]bool
	refused  map[string]bool // records
	requests int
	// answer replaces the usual answer.
	answer http.HandlerFunc
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, seen: map[string]bool{}, refused: map[string]bool{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Server.Close)
	return r
}

type received struct {
	ID, Subject string
	Data        struct{ Op, Key string }
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	verifier, _ := standardwebhooks.NewWebhook(secret)
	if err := verifier.Verify(body, req.Header); err != nil {
		r.t.Errorf("signature: %v", err)
	}
	if req.Method != http.MethodPost || req.Header.Get("Authorization") != token || req.Header.Get("Idempotency-Key") != req.Header.Get("Webhook-Id") {
		r.t.Errorf("%s with headers %v", req.Method, req.Header)
	}
	if r.answer != nil {
		r.answer(w, req)
		return
	}
	var events []received
	switch req.Header.Get("Content-Type") {
	case event.ContentType:
		events = make([]received, 1)
		err = json.Unmarshal(body, &events[0])
	case event.BatchContentType:
		err = json.Unmarshal(body, &events)
	}
	if err != nil || len(events) == 0 {
		r.t.Errorf("body %.100q of type %q: %v", body, req.Header.Get("Content-Type"), err)
	}
	r.take(w, events)
}

func (r *receiver) take(w http.ResponseWriter, events []received) {
	for _, e := range events {
		if r.refused[e.Data.Key] {
			http.Error(w, "the phone of Person is bad; you sent "+token, http.StatusUnprocessableEntity)
			return
		}
	}
	for _, e := range events {
		if !r.seen[e.ID] {
			r.seen[e.ID] = true
			r.taken = append(r.taken, targettest.Taken{Key: e.ID, Op: e.Data.Op, Subject: e.Subject})
		}
	}
}

func (r *receiver) say(answer http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *receiver) config() *Config {
	c := defaults()
	c.URL = settings.NewSecret(r.URL + "/hook/p4th-t0ken?key=qu3ry-t0ken")
	c.Secret = settings.NewSecret(secret)
	c.Headers = map[string]settings.Secret{"Authorization": settings.NewSecret(token)}
	c.Timeout = settings.Duration(5 * time.Minute) // long answers take their time on a busy machine
	return c
}

func openConfig(t testing.TB, c *Config) targets.Target {
	t.Helper()
	if issues := c.Validate(); len(issues) > 0 {
		t.Fatalf("issues %v", issues)
	}
	target, err := Factory().Open(c, targets.Env{Target: "desk", Dir: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

func TestConformance(t *testing.T) {
	for _, batch := range []int{1, 20} {
		t.Run(fmt.Sprintf("batch %d", batch), func(t *testing.T) {
			targettest.Run(t, func(t *testing.T) *targettest.Place {
				r := newReceiver(t)
				return &targettest.Place{
					Open: func(t *testing.T) targets.Target {
						c := r.config()
						c.Batch = batch
						return openConfig(t, c)
					},
					Taken: func(*testing.T) []targettest.Taken {
						r.mu.Lock()
						defer r.mu.Unlock()
						return slices.Clone(r.taken)
					},
					Break: func(*testing.T) {
						r.say(func(w http.ResponseWriter, _ *http.Request) {
							http.Error(w, "Person person1@acme.example "+token, http.StatusServiceUnavailable)
						})
					},
					Mend:    func(*testing.T) { r.say(nil) },
					Refuse:  func(_ *testing.T, record string) { r.mu.Lock(); r.refused[record] = true; r.mu.Unlock() },
					Secrets: []string{secret, "s3cr3t-t0ken", "p4th-t0ken", "qu3ry-t0ken"},
				}
			})
		})
	}
}

func TestAnswers(t *testing.T) {
	for _, test := range []struct {
		status int
		class  fault.Class
		parks  bool // the class is an outcome's; otherwise the target as a whole is in trouble
	}{
		{200, "", false}, {202, "", false}, {204, "", false}, {299, "", false},
		{301, fault.Configuration, false}, {307, fault.Configuration, false},
		{400, fault.Invalid, true}, {413, fault.Invalid, true}, {422, fault.Invalid, true}, {409, fault.Conflict, true},
		{401, fault.Auth, false}, {403, fault.Forbidden, false}, {407, fault.Auth, false},
		{404, fault.Configuration, false}, {405, fault.Configuration, false}, {410, fault.Configuration, false},
		{415, fault.Configuration, false}, {418, fault.Configuration, false},
		{408, fault.Transient, false}, {425, fault.Transient, false}, {429, fault.Throttled, false},
		{500, fault.Transient, false}, {501, fault.Configuration, false}, {502, fault.Transient, false},
		{503, fault.Transient, false}, {504, fault.Transient, false},
	} {
		t.Run(fmt.Sprint(test.status), func(t *testing.T) {
			r := newReceiver(t)
			r.say(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://other.example.test/new?token=abc")
				w.WriteHeader(test.status)
				if test.status != 204 {
					_, _ = io.WriteString(w, "<html>Ada\x1b[31m "+token+strings.Repeat(" long", 500))
				}
			})
			out, err := openConfig(t, r.config()).Deliver(t.Context(), targettest.Work(targettest.Actions(1)))
			if test.parks {
				if err != nil {
					t.Fatalf("error %v", err)
				}
				err = out[0].Err
				if want := test.status == 400 || test.status == 413; out[0].Doubtful != want {
					t.Errorf("doubtful: %t", out[0].Doubtful)
				}
			}
			if fault.ClassOf(err) != test.class {
				t.Errorf("class %q of %v", fault.ClassOf(err), err)
			}
			if err == nil {
				return
			}
			text := err.Error()
			for _, bad := range []string{"s3cr3t", "t0ken", "\x1b", "token=abc"} {
				if strings.Contains(text, bad) {
					t.Errorf("%q in %q", bad, text)
				}
			}
			if !test.parks && (strings.Contains(text, "Ada") || len(text) > 300) {
				t.Errorf("the answer in an error that is logged: %q", text)
			}
			if test.class == fault.Invalid && (!strings.Contains(text, "Ada") || len(text) > 400) {
				t.Errorf("reason %q", text)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 31, 8, 15, 0, 0, time.UTC)
	for _, test := range []struct {
		after, date string
		want        time.Duration
	}{
		{"", "", 0}, {"0", "", 0}, {"7", "", 7 * time.Second}, {" 120 ", "", 2 * time.Minute},
		{"99999999", "", longestAfter}, {"9223372036854775807", "", longestAfter}, {"99999999999999999999", "", 0},
		{"-5", "", 0}, {"1.5", "", 0}, {"soon", "", 0}, {"NaN", "", 0},
		{"Sat, 31 Jan 2026 08:16:30 GMT", "", 90 * time.Second},
		{"Sat, 31 Jan 2026 08:00:00 GMT", "", 0},
		{"Sat, 31 Jan 2099 08:00:00 GMT", "", longestAfter},
		// The receiver's clock is an hour ahead of ours.
		{"Sat, 31 Jan 2026 09:15:30 GMT", "Sat, 31 Jan 2026 09:15:00 GMT", 30 * time.Second},
	} {
		h := http.Header{}
		h.Set("Retry-After", test.after)
		if test.date != "" {
			h.Set("Date", test.date)
		}
		if got := retryAfter(h, now); got != test.want {
			t.Errorf("Retry-After %q: %v, want %v", test.after, got, test.want)
		}
	}
}

func TestRetryAfterTravels(t *testing.T) {
	r := newReceiver(t)
	r.say(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "42")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	_, err := openConfig(t, r.config()).Deliver(t.Context(), targettest.Work(targettest.Actions(1)))
	if fault.After(err) != 42*time.Second {
		t.Errorf("after %v of %v", fault.After(err), err)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the stranger was asked") }))
	defer stranger.Close()
	r := newReceiver(t)
	r.say(func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, stranger.URL, http.StatusTemporaryRedirect)
	})
	_, err := openConfig(t, r.config()).Deliver(t.Context(), targettest.Work(targettest.Actions(1)))
	if err == nil || !strings.Contains(err.Error(), stranger.URL) {
		t.Errorf("error %v", err)
	}
}

func TestResultsOfABatch(t *testing.T) {
	actions := targettest.Actions(6)
	for _, test := range []struct {
		name, body string
		want       []fault.Class
	}{
		{"none", "", []fault.Class{"", "", "", "", "", ""}},
		{"something else", "OK, thank you", []fault.Class{"", "", "", "", "", ""}},
		{"other JSON", `[{"id":1}]`, []fault.Class{"", "", "", "", "", ""}},
		{"each", `{"results":[{"id":"keycreate000001","status":422,"error":"no\u0007 phone"},{"id":"keycreate000000","status":200},
			{"id":"keycreate000002","status":503},{"id":"keycreate000003","status":404},{"id":"keycreate000004","status":429},
			{"id":"stranger","status":500}]}`,
			[]fault.Class{"", fault.Invalid, fault.Transient, fault.Invalid, fault.Throttled, ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newReceiver(t)
			r.say(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, test.body) })
			c := r.config()
			c.Batch = 10
			out, err := openConfig(t, c).Deliver(t.Context(), targettest.Work(actions))
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range out {
				if fault.ClassOf(o.Err) != test.want[i] {
					t.Errorf("outcome %d: %v, want %q", i, o.Err, test.want[i])
				}
			}
		})
	}
}

// TestTroubleWhileSearching: the receiver goes away while a refused batch is sent one by one. What was not
// tried must not be parked.
func TestTroubleWhileSearching(t *testing.T) {
	for _, status := range []int{401, 404, 500} {
		r := newReceiver(t)
		r.say(func(w http.ResponseWriter, _ *http.Request) {
			switch r.requests {
			case 1:
				w.WriteHeader(http.StatusBadRequest)
			case 2:
			default:
				w.WriteHeader(status)
			}
		})
		c := r.config()
		c.Batch = 10
		out, err := openConfig(t, c).Deliver(t.Context(), targettest.Work(targettest.Actions(5)))
		if err != nil || out[0].Err != nil || r.requests != 3 {
			t.Fatalf("%v, %v, %d requests", out, err, r.requests)
		}
		for _, o := range out[1:] {
			if !fault.ClassOf(o.Err).Retryable() {
				t.Errorf("status %d: %v", status, o.Err)
			}
		}
	}
}

// TestTwoSignatures: while a secret is changed, receivers with the old one and with the new one both believe a request.
func TestTwoSignatures(t *testing.T) {
	const next = "whsec_ZGlyc3luY2QgZXhhbXBsZSBrZXkgb2YgMzIgYnl0ZXM="
	r := newReceiver(t)
	c := r.config()
	c.Secret, c.PreviousSecret = settings.NewSecret(next), settings.NewSecret(secret)
	newer, _ := standardwebhooks.NewWebhook(next)
	checked := false
	r.say(func(w http.ResponseWriter, req *http.Request) {
		parts := strings.Fields(req.Header.Get("Webhook-Signature"))
		checked = len(parts) == 2 && parts[0] != parts[1]
		w.WriteHeader(http.StatusNoContent)
	})
	body := targets.Delivery{Action: targettest.Actions(1)[0]}
	if _, err := openConfig(t, c).Deliver(t.Context(), []targets.Delivery{body}); err != nil || !checked {
		t.Errorf("%v, two signatures: %t", err, checked)
	}
	id, at := "id", time.Now()
	header := http.Header{}
	header.Set("Webhook-Id", id)
	header.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	key, _ := signingKey(next)
	old, _ := signingKey(secret)
	header.Set("Webhook-Signature", sign(key, id, header.Get("Webhook-Timestamp"), []byte("x"))+" "+sign(old, id, header.Get("Webhook-Timestamp"), []byte("x")))
	older, _ := standardwebhooks.NewWebhook(secret)
	if err := errors.Join(newer.Verify([]byte("x"), header), older.Verify([]byte("x"), header)); err != nil {
		t.Error(err)
	}
}

func TestBatchIDIsStable(t *testing.T) {
	actions := targettest.Actions(3)
	id := messageID(actions)
	if id != messageID(targettest.Actions(3)) || id == messageID(actions[:2]) || len(id) != len("batch_")+32 {
		t.Errorf("id %q", id)
	}
	if got := messageID(actions[:1]); got != actions[0].Key {
		t.Errorf("id of one: %q", got)
	}
	// Where one key ends and the next begins matters.
	a, b := targettest.Actions(2), targettest.Actions(2)
	a[0].Key, a[1].Key, b[0].Key, b[1].Key = "ab", "c", "a", "bc"
	if messageID(a) == messageID(b) {
		t.Error("different keys, same id")
	}
}

func TestConnectionTrouble(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		r := newReceiver(t)
		target := openConfig(t, r.config())
		r.Server.Close()
		_, err := target.Deliver(t.Context(), targettest.Work(targettest.Actions(1)))
		wantTrouble(t, err, fault.Transient, "")
		wantTrouble(t, target.Check(t.Context()), fault.Transient, "")
	})
	t.Run("no such host", func(t *testing.T) {
		c := newReceiver(t).config()
		c.URL, c.Proxy = settings.NewSecret("http://no-such-host.invalid/p4th-t0ken?key=qu3ry-t0ken"), settings.NewSecret("none")
		_, err := openConfig(t, c).Deliver(t.Context(), targettest.Work(targettest.Actions(1)))
		wantTrouble(t, err, fault.Transient, "")
	})
	t.Run("no answer in time", func(t *testing.T) {
		r, free := newReceiver(t), make(chan struct{})
		r.say(func(http.ResponseWriter, *http.Request) { <-free })
		c := r.config()
		c.Timeout = settings.Duration(20 * time.Millisecond)
		_, err := openConfig(t, c).Deliver(t.Context(), targettest.Work(targettest.Actions(1)))
		close(free)
		wantTrouble(t, err, fault.Transient, "no answer within 20ms")
	})
	t.Run("canceled", func(t *testing.T) {
		r, free := newReceiver(t), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		r.say(func(http.ResponseWriter, *http.Request) { cancel(); <-free })
		_, err := openConfig(t, r.config()).Deliver(ctx, targettest.Work(targettest.Actions(1)))
		close(free)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("connection cut", func(t *testing.T) {
		r := newReceiver(t)
		r.say(func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
		_, err := openConfig(t, r.config()).Deliver(t.Context(), targettest.Work(targettest.Actions(1)))
		wantTrouble(t, err, fault.Transient, "")
	})
	t.Run("endless answer", func(t *testing.T) {
		r := newReceiver(t)
		r.say(func(w http.ResponseWriter, _ *http.Request) {
			block := make([]byte, 64<<10)
			for {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		})
		if _, err := openConfig(t, r.config()).Deliver(t.Context(), targettest.Work(targettest.Actions(1))); err != nil {
			t.Errorf("error %v", err)
		}
	})
}

func wantTrouble(t *testing.T, err error, class fault.Class, says string) {
	t.Helper()
	if err == nil || fault.ClassOf(err) != class || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "t0ken") {
		t.Errorf("error %v of class %q, want %q with %q", err, fault.ClassOf(err), class, says)
	}
}

func TestAdvise(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"signed", func(*Config) {}, ""},
		{"in clear", func(c *Config) { c.URL = settings.NewSecret("http://desk.example/hook") }, "desk.example in clear text"},
		{"this machine", func(c *Config) { c.URL = settings.NewSecret("http://127.0.0.1/hook") }, ""},
		{"nobody's", func(c *Config) { c.Secret = settings.Secret{} }, "cannot tell who sends"},
		{"known by a header", func(c *Config) {
			c.Secret, c.Headers = settings.Secret{}, map[string]settings.Secret{"Authorization": settings.NewSecret("x")}
		}, ""},
	} {
		c := defaults()
		c.URL, c.Secret = settings.NewSecret("https://desk.example/hook"), settings.NewSecret("whsec_"+strings.Repeat("A", 32))
		tc.change(c)
		var got string
		for _, issue := range c.Advise() {
			got += issue.Message
		}
		if !strings.Contains(got, tc.want) || tc.want == "" && got != "" {
			t.Errorf("%s: %q", tc.name, got)
		}
	}
}

// TestEchoedRequestIsHidden: receivers quote what they were asked for, in many spellings; none of it is ours to show.
func TestEchoedRequestIsHidden(t *testing.T) {
	c := newReceiver(t).config()
	c.URL = settings.NewSecret("https://desk.example/hooks/p4th t0ken/x?key=qu3ry%2Ft0ken&v=1")
	c.Headers = map[string]settings.Secret{"Authorization": settings.NewSecret("Bearer h3ader-t0ken")}
	target := openConfig(t, c).(*target)
	for _, echo := range []string{
		"cannot POST /hooks/p4th%20t0ken/x?key=qu3ry%2Ft0ken&v=1", "no route for /hooks/p4th t0ken/x", `{"path":"\/hooks\/p4th t0ken\/x"}`,
		"unknown key qu3ry/t0ken", "unknown key qu3ry%2Ft0ken", "Cannot POST &#x2F;hooks&#x2F;p4th%20t0ken", "p4th+t0ken", "bad token h3ader-t0ken",
		`{"url":"?key=qu3ry/t0ken\u0026v=1"}`,
	} {
		if text := target.printable(echo); strings.Contains(text, "t0ken") {
			t.Errorf("%s is shown as %s", echo, text)
		}
	}
}

func TestTLS(t *testing.T) {
	r := &receiver{t: t, seen: map[string]bool{}, refused: map[string]bool{}}
	r.Server = httptest.NewUnstartedServer(r)
	r.Config.ErrorLog = nil
	r.StartTLS()
	defer r.Server.Close()

	c := r.config()
	target := openConfig(t, c)
	_, err := target.Deliver(t.Context(), targettest.Work(targettest.Actions(1)))
	wantTrouble(t, err, fault.Configuration, "ca_file")
	wantTrouble(t, target.Check(t.Context()), fault.Configuration, "ca_file")

	c.CAFile = settings.Path(filepath.Join(t.TempDir(), "ca.pem"))
	writePEM(t, string(c.CAFile), r.Certificate().Raw)
	target = openConfig(t, c)
	if err := target.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if r.requests != 0 {
		t.Errorf("Check made %d requests", r.requests)
	}
	if _, err := target.Deliver(t.Context(), targettest.Work(targettest.Actions(1))); err != nil {
		t.Error(err)
	}

	r.TLS.MaxVersion = tls.VersionTLS11
	if err := target.Check(t.Context()); err == nil {
		t.Error("TLS 1.1 is taken")
	}

	plain := newReceiver(t)
	c = plain.config()
	c.URL = settings.NewSecret("https" + strings.TrimPrefix(plain.URL, "http"))
	_, err = openConfig(t, c).Deliver(t.Context(), targettest.Work(targettest.Actions(1)))
	if err == nil {
		t.Error("no TLS is taken")
	}
}

func writePEM(t *testing.T, path string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(*Config)
		want string // paths
	}{
		{"defaults", func(*Config) {}, ""},
		{"no URL", func(c *Config) { c.URL = settings.Secret{} }, "url"},
		{"ftp", func(c *Config) { c.URL = settings.NewSecret("ftp://x/y") }, "url"},
		{"user in URL", func(c *Config) { c.URL = settings.NewSecret("https://u:p4ss@x/y") }, "url"},
		{"unreadable URL", func(c *Config) { c.URL = settings.NewSecret("https://x/%zz p4ss") }, "url"},
		{"secret is no base64", func(c *Config) { c.Secret = settings.NewSecret("p4ssword!") }, "secret"},
		{"secret is short", func(c *Config) { c.Secret = settings.NewSecret("whsec_cDRzcw==") }, "secret"},
		{"headers", func(c *Config) {
			c.Headers = map[string]settings.Secret{"Webhook-Id": settings.NewSecret("x"), "a b": settings.NewSecret("x"), "X": settings.NewSecret("p4ss\nword")}
		}, "headers.Webhook-Id headers.X headers.a b"},
		{"numbers", func(c *Config) { c.Batch, c.Parallel, c.Timeout = 0, 1000, 0 }, "batch parallel timeout"},
		{"half a certificate", func(c *Config) { c.ClientCert = "x" }, "client_cert"},
		{"proxy", func(c *Config) { c.Proxy = settings.NewSecret("p4ss") }, "proxy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := defaults()
			c.URL = settings.NewSecret("https://desk.example.test/hook")
			test.edit(c)
			var paths []string
			for _, issue := range c.Validate() {
				paths = append(paths, issue.Path)
				if strings.Contains(issue.Message+issue.Hint, "p4ss") {
					t.Errorf("a secret in %+v", issue)
				}
			}
			if got := strings.Join(paths, " "); got != test.want {
				t.Errorf("issues at %q, want %q", got, test.want)
			}
		})
	}
}

func TestProxy(t *testing.T) {
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { asked = req.URL.String() }))
	defer proxy.Close()
	c := newReceiver(t).config()
	c.URL, c.Proxy = settings.NewSecret("http://desk.invalid/hook"), settings.NewSecret(proxy.URL)
	target := openConfig(t, c)
	if err := target.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := target.Deliver(t.Context(), targettest.Work(targettest.Actions(1))); err != nil || asked != "http://desk.invalid/hook" {
		t.Errorf("asked for %q, %v", asked, err)
	}
}

// TestDocumentedSignature keeps the example of docs/events.md true.
func TestDocumentedSignature(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := signingKey("whsec_" + "ZGlyc3luY2QgZXhhbXBsZSBrZXkgb2YgMzIgYnl0ZXM=")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"whsec_ZGlyc3luY2QgZXhhbXBsZSBrZXkgb2YgMzIgYnl0ZXM=",
		sign(key, "q3v2k7x5m4a6t2bqyh7wz6c3dnflre4s", "1769847300", []byte(`{"hello":"world"}`)),
	} {
		if !strings.Contains(string(doc), part) {
			t.Errorf("docs/events.md does not show %s", part)
		}
	}
}

func FuzzResults(f *testing.F) {
	f.Add([]byte(`{"results":[{"id":"keycreate000000","status":422,"error":"x"}]}`), "x")
	f.Add([]byte(`{"results":null}`), "\x1b[31m")
	f.Add([]byte(`[`), strings.Repeat("é", 300))
	t := &target{where: "https://x", secrets: strings.NewReplacer("s3cret", "***"), now: time.Now}
	f.Fuzz(func(tt *testing.T, body []byte, text string) {
		actions := []directory.Action{targettest.Action(directory.Create, 0)}
		resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}
		if told, err := t.results(resp, actions); err == nil {
			t.apply(answer{results: told}, actions, make([]targets.Outcome, 1))
		}
		got := t.printable(text)
		if len(got) > reasonBytes+len("…") || strings.ContainsAny(got, "\n\r\x1b\x00") {
			tt.Errorf("printable(%q) = %q", text, got)
		}
		h := http.Header{}
		h.Set("Retry-After", text)
		if d := retryAfter(h, time.Now()); d < 0 || d > longestAfter {
			tt.Errorf("retryAfter(%q) = %v", text, d)
		}
	})
}
