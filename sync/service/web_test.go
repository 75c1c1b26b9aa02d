package service

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"dirsyncd/sync/config"
)

func publicConfig() *config.Web {
	return &config.Web{URL: &url.URL{Scheme: "https", Host: "sync.example.test"}, Listen: "127.0.0.1:0", Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
}

// TestPublic: a connection is called at an address of its own, by services and browsers alike, while it wants to be.
func TestPublic(t *testing.T) {
	var none *host
	if none.public("hq") != nil || (&host{}).public("hq") != nil {
		t.Error("there is no front, and something can be put there")
	}
	h := &host{front: newFront(publicConfig(), slog.New(slog.DiscardHandler))}
	address, release, err := h.public("hq")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	if err != nil || address != "https://sync.example.test/notices/hq" {
		t.Fatal(address, err)
	}
	ask := func(body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, address, strings.NewReader(body))
		r.RemoteAddr = "127.0.0.1:5000"
		r.Header.Set("Origin", "https://elsewhere.test")
		w := httptest.NewRecorder()
		h.front.ServeHTTP(w, r)
		return w
	}
	if w := ask(strings.Repeat("x", 256<<10)); w.Code != http.StatusOK || w.Body.Len() != 256<<10 {
		t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
	}
	release()
	if w := ask("x"); w.Code != http.StatusNotFound {
		t.Errorf("released: %d", w.Code)
	}
}

// TestDaemonFront: the front is there from the start of the daemon to its end.
func TestDaemonFront(t *testing.T) {
	w := newWorld(t)
	w.cfg.Control, w.cfg.Listen, w.cfg.Web = "c.sock", "", publicConfig()
	log, stop, ended := heard{make(chan slog.Record, 1000)}, make(chan os.Signal), make(chan error, 1)
	launch := Launch{Options: w.options(), Config: w.cfg, Written: FixedOf(w.cfg), Signals: make(chan os.Signal), Stop: stop, Cut: func() { t.Error("cut") }}
	launch.Log = slog.New(log)
	go func() { ended <- Run(t.Context(), launch) }()
	address := ""
	for address == "" {
		if r := <-log.lines; r.Message == "the public front listens" {
			r.Attrs(func(a slog.Attr) bool {
				if a.Key == "address" {
					address = a.Value.String()
				}
				return true
			})
		}
	}
	log.until("started", "run ended", "run ended")
	client := &http.Client{Timeout: time.Minute}
	for host, want := range map[string]int{"sync.example.test": http.StatusNotFound, "elsewhere.test": http.StatusMisdirectedRequest} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _ = resp.Body.Close(); resp.StatusCode != want {
			t.Errorf("%s: %s", host, resp.Status)
		}
	}
	stop <- syscall.SIGTERM
	log.until("stopped")
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(stop)
}
