package recipient

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

func within(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}

// listener is a webhook.
type listener struct {
	mu     sync.Mutex
	answer http.HandlerFunc
	got    []*http.Request
	bodies []string
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	answer := l.answer
	l.got, l.bodies = append(l.got, r), append(l.bodies, string(body))
	l.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}

func newListener(t *testing.T) (l *listener, url string, ca settings.Path) {
	t.Helper()
	l = &listener{}
	server := httptest.NewTLSServer(l)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return l, server.URL + "/hook/t0ken", settings.Path(file)
}

func TestWebhook(t *testing.T) {
	l, url, ca := newListener(t)
	key := []byte("012345678901234567890123456789")
	c := &Webhook{URL: settings.NewSecret(url), CAFile: ca, Secret: settings.NewSecret("whsec_" + base64.StdEncoding.EncodeToString(key)),
		Headers: map[string]settings.Secret{"Authorization": settings.NewSecret("Bearer x")}}
	if issues := c.Validate(); len(issues) > 0 {
		t.Fatal(issues)
	}
	sender, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	req, body := l.got[0], l.bodies[0]
	var got Message
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.ID != "id1" || len(got.Notices) != 2 || got.Subject == "" || !strings.Contains(got.Text, "what to do") {
		t.Errorf("body %s: %v", body, err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(req.Header.Get("Webhook-Id") + "." + req.Header.Get("Webhook-Timestamp") + "." + body))
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); req.Header.Get("Webhook-Signature") != want {
		t.Error("the signature is not that of the standard")
	}
	if req.Header.Get("Authorization") != "Bearer x" || req.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", req.Header)
	}
}

// A body of the operator's own, as chats want it.
func TestWebhookBody(t *testing.T) {
	l, url, ca := newListener(t)
	c := &Webhook{URL: settings.NewSecret(url), CAFile: ca, Templates: Templates{Subject: "{{len .Notices}} things", Body: `{"text": {{json .Subject}}}`}}
	sender, err := c.Open()
	if err == nil {
		err = sender.Send(t.Context(), message())
	}
	if err != nil || l.bodies[0] != `{"text": "2 things"}` {
		t.Errorf("body %v, %v", l.bodies, err)
	}
}

func TestWebhookFaults(t *testing.T) {
	l, url, ca := newListener(t)
	status := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(n)
			_, _ = io.WriteString(w, "<html>\n"+strings.Repeat("x", 5000))
		}
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   fault.Class
	}{
		{"an error of the server", status(502), fault.Transient},
		{"refused", status(403), fault.Auth},
		{"too many", status(429), fault.Throttled},
		{"not like this", status(400), fault.Invalid},
		{"too long", status(413), fault.Invalid},
		{"elsewhere", status(307), fault.Configuration},
		{"cut", func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, fault.Transient},
	} {
		l.mu.Lock()
		l.answer, l.got = c.answer, nil
		l.mu.Unlock()
		hook := &Webhook{URL: settings.NewSecret(url), CAFile: ca}
		sender, err := hook.Open()
		if err != nil {
			t.Fatal(err)
		}
		err = sender.Send(t.Context(), message())
		if err == nil || fault.ClassOf(err) != c.want {
			t.Errorf("%s: %v, of class %s, want %s", c.name, err, fault.ClassOf(err), c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "t0ken") || len(err.Error()) > 800 || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v", c.name, err)
		}
		l.mu.Lock()
		if len(l.got) != 1 {
			t.Errorf("%s: %d requests", c.name, len(l.got))
		}
		l.mu.Unlock()
	}
	strange := &Webhook{URL: settings.NewSecret(url)}
	sender, err := strange.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), message()); err == nil || strings.Contains(err.Error(), "t0ken") {
		t.Errorf("a certificate of nobody: %v", err)
	}
}

// A recipient that never answers is left when the time is over.
func TestWebhookThatHangs(t *testing.T) {
	l, url, ca := newListener(t)
	l.answer = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	c := &Webhook{URL: settings.NewSecret(url), CAFile: ca}
	sender, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := within(t, time.Second/5)
	defer cancel()
	if err := sender.Send(ctx, message()); err == nil || !strings.Contains(err.Error(), "no answer in time") || fault.Hint(err) == "" {
		t.Errorf("not what an operator understands: %v", err)
	}
}

// However a template is written, it neither runs away nor brings a line break into a subject.
func TestTemplates(t *testing.T) {
	tpl := Templates{Subject: "a\r\nBcc: x@example.com"}
	m := message()
	if err := tpl.fill(m); err != nil || strings.ContainsAny(m.Subject, "\r\n") {
		t.Errorf("subject %q, %v", m.Subject, err)
	}
	huge := Templates{Body: `{{define "a"}}{{range .Notices}}{{printf "%1000000d" 1}}{{end}}{{end}}{{template "a" .}}`}
	if _, err := huge.body(message()); err == nil {
		t.Error("megabytes were made")
	}
	var issues settings.Issues
	(&Templates{Text: "{{.Nobody}}", Subject: "{{", Body: "{{json .}}"}).check(&issues)
	if len(issues) != 2 || issues[0].Path != "subject" || issues[1].Path != "text" {
		t.Errorf("%+v", issues)
	}
}
