package csp

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

func writeToken(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func contentOf(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestTokenFileIsNeverHalf rotates and reads at the same time: whatever is killed when, the file holds a whole token.
func TestTokenFileIsNeverHalf(t *testing.T) {
	long := strings.Repeat("x", 3000)
	path := writeToken(t, "token-0-"+long+"\n")
	f, err := openTokenFile(settings.Path(path))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for i := range 200 {
			f.rotate(fmt.Sprintf("token-%d-%s", i+1, long))
		}
	})
	for open := true; open; {
		select {
		case <-done:
			open = false
		default:
		}
		text := contentOf(t, path)
		if !strings.HasPrefix(text, "token-") || !strings.HasSuffix(text, long+"\n") {
			t.Fatalf("the file holds %d bytes of a token", len(text))
		}
	}
	wg.Wait()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || !strings.HasPrefix(contentOf(t, path), "token-200-") {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	rest, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(rest) != 1 {
		t.Errorf("%d files are left", len(rest))
	}
}

// TestTokenFileAfterACrash: what a kill leaves behind beside the file does no harm.
func TestTokenFileAfterACrash(t *testing.T) {
	path := writeToken(t, "good\n")
	for name, age := range map[string]time.Duration{
		".token.dirsyncd-1234": 2 * time.Hour, ".token.dirsyncd-5678": 0, ".token.old": 2 * time.Hour,
	} {
		left := filepath.Join(filepath.Dir(path), name)
		if err := os.WriteFile(left, []byte("ha"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(left, time.Now(), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := openTokenFile(settings.Path(path))
	if err != nil {
		t.Fatal(err)
	}
	if token, err := f.current(); token != "good" || err != nil {
		t.Errorf("%q %v", token, err)
	}
	f.rotate("better")
	if contentOf(t, path) != "better\n" {
		t.Error("not rotated")
	}
	rest, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(rest) != 3 || rest[0].Name() != ".token.dirsyncd-5678" || rest[1].Name() != ".token.old" {
		t.Errorf("left: %v", rest)
	}
}

func TestTokenFileOfANewSignIn(t *testing.T) {
	path := writeToken(t, "first\n")
	f, err := openTokenFile(settings.Path(path))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("somebody signed in again\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.rotate("renewed from the first") // an answer that was under way meanwhile
	if strings.Contains(contentOf(t, path), "renewed") {
		t.Error("the new sign-in was overwritten")
	}
	if _, err := f.current(); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("several words: %v", err)
	}
	if err := os.WriteFile(path, []byte("second\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if token, err := f.current(); token != "second" || err != nil {
		t.Errorf("%q %v", token, err)
	}
}

func TestTokenFileThatCannotBeWritten(t *testing.T) {
	path := writeToken(t, "old\n")
	f, err := openTokenFile(settings.Path(path))
	if err != nil {
		t.Fatal(err)
	}
	f.path = filepath.Join(t.TempDir(), "gone", "token") // a folder that is not there: root may write anywhere
	f.seen = nil
	if _, err := f.current(); fault.Hint(err) == "" {
		t.Errorf("no hint: %v", err)
	}
	if err := replaceFile(f.path, []byte("x")); err == nil || strings.Contains(err.Error(), f.path) {
		t.Errorf("%v", err)
	}
	for name, text := range map[string]string{"empty": " \n", "two": "a b", "large": strings.Repeat("a", maxTokenFile+1)} {
		if _, err := openTokenFile(settings.Path(writeToken(t, text))); fault.ClassOf(err) != fault.Configuration {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRotation reads with a refresh token that the service renews with every use, and takes only the newest.
func TestRotation(t *testing.T) {
	w := newWorld(t, 3, microsoftsim.Population{People: 5, SKUs: 1}, microsoftsim.Pages{})
	path := w.delegated()
	before := strings.TrimSpace(contentOf(t, path))
	w.s.SetQuirks(microsoftsim.Quirks{RevokeOldRefresh: true})
	c := w.open(func(c *Config) { delegate(c, path); c.Sources = []string{sourcePartnerCenter} })
	for _, tenant := range w.tenants(c)[1:] {
		if page, err := read(t.Context(), c, tenant, streamUsers); err != nil || len(page.Objects) != 5 {
			t.Fatalf("%d people, %v", len(page.Objects), err)
		}
	}
	after := strings.TrimSpace(contentOf(t, path))
	if after == before || !w.s.RefreshTokenTaken(after) || w.s.RefreshTokenTaken(before) {
		t.Error("the file does not hold the newest token")
	}
	// A new process goes on with what the file holds.
	again := w.open(func(c *Config) { delegate(c, path); c.Sources = []string{sourcePartnerCenter} })
	if page, err := read(t.Context(), again, w.tenants(again)[1], streamUsers); err != nil || len(page.Objects) != 5 {
		t.Errorf("after a restart: %d people, %v", len(page.Objects), err)
	}
}

func TestAgeOfTheToken(t *testing.T) {
	w := newWorld(t, 1, microsoftsim.Population{People: 5, SKUs: 1}, microsoftsim.Pages{})
	path := w.delegated()
	w.s.SetQuirks(microsoftsim.Quirks{KeepRefresh: true})
	c := w.open(func(c *Config) { delegate(c, path) })
	state := func() (ok bool, detail string) {
		f := c.checkToken()
		return f.OK, f.Detail + " (" + f.Hint + ")"
	}
	if ok, detail := state(); !ok {
		t.Error(detail)
	}
	w.shift.Store(int64(50 * 24 * time.Hour))
	if ok, detail := state(); ok || !strings.Contains(detail, "50 days old") || !strings.Contains(detail, "39 days are left") && !strings.Contains(detail, "40 days are left") {
		t.Error(detail)
	}
	w.shift.Store(int64(91 * 24 * time.Hour))
	if ok, detail := state(); ok || !strings.Contains(detail, "good for ninety") {
		t.Error(detail)
	}
	if _, err := c.Tenants(t.Context()); fault.ClassOf(err) != fault.Auth || !strings.Contains(fault.Hint(err), "sign in again") {
		t.Errorf("a token that has run out: %v", err)
	}
	w.shift.Store(0)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if ok, detail := state(); ok || !strings.Contains(detail, "rw-r--r--") {
		t.Error(detail)
	}
}

// TestProofs signs in with a certificate and with a federated token.
func TestProofs(t *testing.T) {
	w := newWorld(t, 1, microsoftsim.Population{People: 5}, microsoftsim.Pages{})
	path := w.delegated()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, _ := x509.ParseCertificate(der)
	private, _ := x509.MarshalPKCS8PrivateKey(key)
	both := filepath.Join(t.TempDir(), "app.pem")
	pemBytes := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	if err := os.WriteFile(both, pemBytes, 0o600); err != nil {
		t.Fatal(err)
	}
	w.s.AddApp(microsoftsim.App{ID: partnerAppID, Home: w.partner.ID(), Certificates: []*x509.Certificate{certificate}, PartnerCenter: true})
	signed := func(c *Config) {
		delegate(c, path)
		c.PartnerApp.ClientSecret, c.PartnerApp.Certificate = settings.Secret{}, settings.Path(both)
	}
	c := w.open(signed)
	if page, err := read(t.Context(), c, w.tenants(c)[1], streamUsers); err != nil || len(page.Objects) != 5 {
		t.Errorf("certificate: %d people, %v", len(page.Objects), err)
	}
	w.s.AddApp(microsoftsim.App{ID: partnerAppID, Home: w.partner.ID(), PartnerCenter: true, Federated: []microsoftsim.Federation{{Issuer: "https://issuer.test", Subject: "dirsyncd"}}})
	// {"iss":"https://issuer.test","sub":"dirsyncd","exp":9999999999}
	federated := writeToken(t, "e30.eyJpc3MiOiJodHRwczovL2lzc3Vlci50ZXN0Iiwic3ViIjoiZGlyc3luY2QiLCJleHAiOjk5OTk5OTk5OTl9.e30\n")
	c = w.open(func(c *Config) {
		delegate(c, path)
		c.PartnerApp.ClientSecret, c.PartnerApp.FederatedTokenFile = settings.Secret{}, settings.Path(federated)
	})
	if page, err := read(t.Context(), c, w.tenants(c)[1], streamUsers); err != nil || len(page.Objects) != 5 {
		t.Errorf("federated token: %d people, %v", len(page.Objects), err)
	}
	if err := os.Remove(both); err != nil {
		t.Fatal(err)
	}
	c = w.open(signed)
	if _, err := c.Tenants(t.Context()); fault.ClassOf(err) != fault.Configuration || fault.Hint(err) == "" {
		t.Errorf("a certificate that is gone: %v", err)
	}
}
