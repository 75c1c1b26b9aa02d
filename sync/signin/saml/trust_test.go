package saml

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beevik/etree"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/saml/samltest"
)

func (r *rig) signIn(t *testing.T) error {
	t.Helper()
	_, pending, err := r.Begin(t.Context(), signin.Start{State: strings.Repeat("s", 43)})
	if err != nil {
		return err
	}
	clear(r.once.until) // the test's assertions all have one ID
	_, err = r.Finish(t.Context(), r.idp.Form(t, r.answer(pending.Request)), &pending)
	return err
}

// A new key of the provider is fetched at once, an unknown one that is none of its own at most every five minutes.
func TestANewKeyIsFetched(t *testing.T) {
	r := newRig(t, nil)
	if err := r.signIn(t); err != nil {
		t.Fatal(err)
	}
	r.idp.Pair, r.idp.Former = *other(t), []samltest.Pair{r.idp.Pair}
	r.serve(r.idp.Metadata())
	if refusal := refusalOf(t, r.signIn(t)); refusal.Reason != signin.UntrustedCertificate || r.asked.Load() != 1 {
		t.Fatalf("%+v, asked %d times", refusal, r.asked.Load())
	}
	r.pass(hurryEvery)
	if err := r.signIn(t); err != nil || r.asked.Load() != 2 {
		t.Fatalf("%v, asked %d times", err, r.asked.Load())
	}
	if log := r.log.String(); !strings.Contains(log, "provider's key appeared") || strings.Contains(log, "went") {
		t.Error(log)
	}
	r.idp.Former = nil
	r.serve(r.idp.Metadata())
	if err := r.Provider.trust.refresh(t.Context()); err != nil || !strings.Contains(r.log.String(), "provider's key went") {
		t.Errorf("%v, %s", err, r.log)
	}
	// Whatever is sent by whoever: one question in five minutes.
	before := r.asked.Load()
	forger := *r.idp
	forger.Pair = samltest.NewPair(t, 2, start.Add(-time.Hour), start.Add(time.Hour))
	for range 20 {
		_, err := r.Finish(t.Context(), forger.Form(t, r.answer("id-"+strings.Repeat("a", 40))), nil)
		if refusal := refusalOf(t, err); refusal.Reason != signin.UntrustedCertificate {
			t.Fatal(refusal)
		}
	}
	if n := r.asked.Load() - before; n != 0 {
		t.Errorf("asked %d times", n)
	}
	r.pass(hurryEvery)
	_, _ = r.Finish(t.Context(), forger.Form(t, r.answer("id-"+strings.Repeat("a", 40))), nil)
	_, _ = r.Finish(t.Context(), forger.Form(t, r.answer("id-"+strings.Repeat("a", 40))), nil)
	if n := r.asked.Load() - before; n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// What is no good changes nothing.
func TestTheLastGoodCopyStays(t *testing.T) {
	r := newRig(t, nil)
	if err := r.signIn(t); err != nil {
		t.Fatal(err)
	}
	good := r.idp.Metadata()
	another := *r.idp
	another.EntityID = "https://another.example.test"
	for name, text := range map[string]string{
		"down": "", "no XML": "hello", "another entity": another.Metadata(), "no key": strings.ReplaceAll(good, `use="signing"`, `use="encryption"`),
		"broken key": strings.Replace(good, "<ds:X509Certificate>MII", "<ds:X509Certificate>???", 1), "document type": "<!DOCTYPE x>" + good,
		"no address": strings.ReplaceAll(good, "https://idp.example.test/sso", "http://idp.example.test/sso"),
		"no role":    `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.test/idp"/>`,
		"large":      good + strings.Repeat(" ", maxMetadata),
	} {
		r.serve(text)
		if err := r.Provider.trust.refresh(t.Context()); err == nil {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v shows the address", name, err)
		}
		if err := r.signIn(t); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !strings.Contains(r.log.String(), "going on with the last good copy") {
		t.Error(r.log)
	}
	// A restart while it is down goes on, too, with what was kept: within its time without asking.
	r.serve("")
	asked := r.asked.Load()
	r.open(t)
	if err := r.signIn(t); err != nil || r.asked.Load() != asked {
		t.Errorf("%v, asked %d times", err, r.asked.Load()-asked)
	}
	r.pass(25 * time.Hour)
	r.open(t)
	if err := r.signIn(t); err != nil || r.asked.Load() != asked+1 {
		t.Errorf("%v, asked %d times", err, r.asked.Load()-asked)
	}
}

// Who sends an unknown certificate and hangs up does not keep us from the next key.
func TestHangingUpEndsNoFetch(t *testing.T) {
	r := newRig(t, nil)
	if err := r.signIn(t); err != nil {
		t.Fatal(err)
	}
	r.idp.Pair = *other(t)
	r.serve(r.idp.Metadata())
	r.pass(hurryEvery)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if i := r.Provider.trust.hurry(ctx, r.Provider.trust.current.Load()); !i.keys[0].Equal(r.idp.Pair.Cert) {
		t.Error("the new key was not fetched")
	}
}

func TestAProviderThatWasNeverReached(t *testing.T) {
	r := newRig(t, nil)
	r.serve("")
	for range 5 { // who comes next does not wait for it again
		if refusal := refusalOf(t, r.signIn(t)); refusal.Reason != signin.ProviderUnreachable || !strings.Contains(refusal.Text, "503") {
			t.Fatal(refusal)
		}
	}
	if r.asked.Load() != 1 {
		t.Errorf("asked %d times", r.asked.Load())
	}
	r.serve(r.idp.Metadata())
	r.pass(pause)
	if err := r.signIn(t); err != nil {
		t.Error(err)
	}
}

func TestMetadataThatRanOut(t *testing.T) {
	r := newRig(t, nil)
	r.idp.Attrs = `validUntil="` + at(time.Hour) + `"`
	r.serve(r.idp.Metadata())
	if err := r.signIn(t); err != nil {
		t.Fatal(err)
	}
	r.pass(time.Hour)
	if refusal := refusalOf(t, r.signIn(t)); refusal.Reason != signin.ProviderUnreachable || !strings.Contains(refusal.Text, "ran out") {
		t.Fatal(refusal)
	}
	r.idp.Attrs = `validUntil="` + at(48*time.Hour) + `"`
	r.serve(r.idp.Metadata())
	r.pass(hurryEvery)
	if err := r.signIn(t); err != nil {
		t.Error(err)
	}
}

func TestWhenMetadataAreDue(t *testing.T) {
	for attrs, want := range map[string]time.Duration{
		"": 24 * time.Hour, `cacheDuration="PT6H"`: 6 * time.Hour, `cacheDuration="PT1M"`: time.Hour, `cacheDuration="P7D"`: 24 * time.Hour,
		`validUntil="` + at(5*time.Hour) + `"`: 4 * time.Hour, `validUntil="` + at(-5*time.Hour) + `"`: time.Hour,
	} {
		idp := samltest.IDP{EntityID: "https://idp.example.test/idp", Base: "https://idp.example.test", Pair: *other(t), Attrs: attrs}
		i, err := readMetadata([]byte(idp.Metadata()), idp.EntityID, nil, start)
		if err != nil {
			t.Fatal(err)
		}
		if got := i.due().Sub(start); got != want {
			t.Errorf("%s: %s, want %s", attrs, got, want)
		}
	}
}

func TestKeysWithoutUse(t *testing.T) {
	r := newRig(t, nil)
	r.idp.NoUse, r.idp.Former = true, []samltest.Pair{*other(t)}
	r.serve(r.idp.Metadata())
	if err := r.signIn(t); err != nil {
		t.Fatal(err)
	}
	r.idp.Pair = r.idp.Former[0]
	if err := r.signIn(t); err != nil {
		t.Error(err)
	}
}

func TestSignedMetadata(t *testing.T) {
	federation := samltest.NewPair(t, 1, start.Add(-time.Hour), time.Now().Add(1000*time.Hour))
	file := filepath.Join(t.TempDir(), "federation.pem")
	if err := os.WriteFile(file, []byte(federation.PEM()[strings.Index(federation.PEM(), "-----BEGIN CERT"):]), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *Config) { c.Metadata.Certificate = settings.Path(file) })
	if refusal := refusalOf(t, r.signIn(t)); refusal.Reason != signin.ProviderUnreachable {
		t.Fatal(refusal)
	}
	// An aggregate of two, signed as a whole.
	aggregate := etree.NewDocument()
	second := *r.idp
	second.EntityID = "https://second.example.test"
	if err := aggregate.ReadFromString(`<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" ID="m-1">` + second.Metadata() + r.idp.Metadata() + `</md:EntitiesDescriptor>`); err != nil {
		t.Fatal(err)
	}
	aggregate.SetRoot(samltest.Sign(t, aggregate.Root(), federation, ""))
	text, err := aggregate.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	r.pass(pause)
	r.serve(text)
	if err := r.signIn(t); err != nil {
		t.Fatal(err)
	}
	r.serve(strings.Replace(text, "https://idp.example.test/sso", "https://evil.example.test/sso", 1))
	if err := r.Provider.trust.refresh(t.Context()); err == nil {
		t.Error("changed metadata were taken")
	}
}

func TestMetadataFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "idp.xml")
	r := newRig(t, func(c *Config) { c.Metadata = Metadata{File: settings.Path(file)} })
	if refusal := refusalOf(t, r.signIn(t)); refusal.Reason != signin.ProviderUnreachable || !strings.Contains(refusal.Text, file) {
		t.Fatal(refusal)
	}
	if err := os.WriteFile(file, []byte(r.idp.Metadata()), 0o600); err != nil {
		t.Fatal(err)
	}
	r.pass(pause)
	if err := r.signIn(t); err != nil || r.asked.Load() != 0 || r.kept.data != nil {
		t.Error(err)
	}
}

func TestMetadataElsewhere(t *testing.T) {
	via := func(address string) *http.Request {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		return req
	}
	first := []*http.Request{via("https://idp.example.test/a")}
	for address, ok := range map[string]bool{
		"https://idp.example.test/b": true, "http://idp.example.test/b": false, "https://evil.example.test/b": false, "https://idp.example.test:8443/b": false,
	} {
		if err := sameHost(via(address), first); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// source answers without a network, so that it can be used where time is not real.
type source func() (string, error)

func (s source) RoundTrip(req *http.Request) (*http.Response, error) {
	text, err := s()
	if err != nil {
		return nil, err
	}
	rec := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body{strings.NewReader(text)}, Request: req}
	return rec, nil
}

type body struct{ *strings.Reader }

func (body) Close() error { return nil }

func TestRunRefreshes(t *testing.T) {
	pair := other(t)
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		idp := samltest.IDP{EntityID: "https://idp.example.test/idp", Base: "https://idp.example.test", Pair: *pair, Attrs: `cacheDuration="PT2H"`}
		var asked []time.Duration
		down := map[int]bool{0: true, 3: true, 4: true}
		cfg := Defaults()
		cfg.EntityID, cfg.Metadata.URL = idp.EntityID, "https://idp.example.test/metadata"
		log := &lines{}
		p, err := New(cfg, Options{
			Name: "partner", URL: base, Now: time.Now, Once: &onces{}, Kept: &kept{now: time.Now}, Log: slogTo(log),
			Client: &http.Client{Transport: source(func() (string, error) {
				asked = append(asked, time.Since(begin))
				if down[len(asked)-1] {
					return "", errors.New("down")
				}
				return idp.Metadata(), nil
			})},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Hour)
		defer cancel()
		if err := p.Run(ctx); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range asked {
			got = append(got, d.Round(time.Second).String())
		}
		// Down at first; then every two hours; then twice down; then every two hours again.
		const want = "0s 5m0s 2h5m0s 4h5m0s 4h10m0s 4h20m0s 6h20m0s 8h20m0s"
		if text := strings.Join(got, " "); text != want {
			t.Errorf("asked at %s, want %s", text, want)
		}
	})
}

func TestProbe(t *testing.T) {
	r := newRig(t, nil)
	r.idp.Pair = samltest.NewPair(t, 0, start.Add(-time.Hour), start.Add(10*24*time.Hour))
	r.serve(r.idp.Metadata())
	findings, err := r.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, f := range findings {
		if !f.OK {
			text += f.Text + " " + f.Hint + "\n"
			if f.Ends.IsZero() || f.Hint == "" {
				t.Errorf("%+v", f)
			}
		}
	}
	if strings.Count(text, "\n") != 1 || !strings.Contains(text, fingerprint(r.idp.Pair.Cert.Raw)) {
		t.Errorf("%s%+v", text, findings)
	}
	r.serve("")
	if findings, err = r.Probe(t.Context()); err != nil || findings[0].OK || len(findings) < 5 {
		t.Errorf("%+v, %v", findings, err)
	}
	r = newRig(t, nil)
	r.serve("")
	if findings, err = r.Probe(t.Context()); err != nil || findings[0].OK {
		t.Errorf("%+v, %v", findings, err)
	}
}
