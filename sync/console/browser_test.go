package console

import (
	"context"
	"encoding/pem"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/api/apitest"
	"dirsyncd/sync/signin/portal/chromiumtest"
	"dirsyncd/sync/web"
)

// TestInABrowser: somebody signs in with the keyboard, looks at every page, and approves; every page can be read on a phone, and in the dark.
func TestInABrowser(t *testing.T) {
	ops := apitest.EveryField()
	approved := make(chan string, 1)
	ops.ApproveFunc = func(_ context.Context, hash string) (api.SyncResult, error) {
		approved <- hash
		return api.SyncResult{}, nil
	}
	c := open(t, ops)
	front := web.New(web.Options{URL: &url.URL{Scheme: "https", Host: "sync.example.test"}, Log: slog.New(slog.DiscardHandler)})
	front.Replace("/console/", web.Route{Handler: c})
	server := httptest.NewTLSServer(front)
	defer server.Close()
	browser := chromiumtest.Start(t, chromiumtest.Options{Hosts: map[string]string{"sync.example.test": strings.TrimPrefix(server.URL, "https://")},
		Certificates: [][]byte{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})}})
	p := browser.Person(t).Tab()
	heading := func(text string) string { return "document.querySelector('h1').innerText === '" + text + "'" }

	p.Open("https://sync.example.test/console/held")
	p.Until(heading("Sign in") + " && document.activeElement.name === 'token'")
	p.Type(operatorToken)
	p.Press("Enter")
	p.Until(heading("What waits for an approval?")) // where they wanted to go

	for at, title := range map[string]string{
		"": "Is everything in sync?", "tenants": "Tenants", "held": "What waits for an approval?", "held/h": "What would this plan do?", "runs": "Runs",
		"runs/20260131T120000-abcd": "What did this run do?", "people?who=ada": "Find a person", "why/user?who=ada": "Why is it so?", "review": "Who waits for a decision?",
		"parked": "What is parked?", "decisions": "Who decided what?",
	} {
		p.Open("https://sync.example.test/console/" + at)
		p.Until(heading(title))
		if got := p.Text("document.title"); got != title+" · dirsyncd" {
			t.Errorf("%s: the title is %q", at, got)
		}
		if n := p.Eval("document.querySelectorAll('h1').length"); n != 1.0 {
			t.Errorf("%s: %v headings", at, n)
		}
		if wrong := p.Text("[...document.querySelectorAll('input:not([type=hidden]), select')].filter(e => e.labels.length === 0 && !e.ariaLabel).map(e => e.name).join()"); wrong != "" {
			t.Errorf("%s: without a label: %s", at, wrong)
		}
		for _, scheme := range []string{"dark", "light"} {
			p.Prefer(scheme)
			if least := p.Contrast(); least < 4.5 {
				t.Errorf("%s: a contrast of %v in %s", at, least, scheme)
			}
		}
		p.Size(320, 640, true)
		if wide := p.Eval("document.documentElement.scrollWidth"); wide != 320.0 {
			t.Errorf("%s: on a phone the page is %v wide", at, wide)
		}
		if hidden := p.Eval("[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth).length"); hidden != 0.0 {
			t.Errorf("%s: on a phone %v tables are to be moved sideways", at, hidden)
		}
		p.Size(1200, 900, false)
	}

	p.Open("https://sync.example.test/console/")
	p.Until(heading("Is everything in sync?"))
	for range 20 { // with the keyboard alone
		p.Press("Tab")
		if p.Text("document.activeElement.innerText") == "Waiting" {
			break
		}
	}
	p.Press("Enter")
	p.Until(heading("What waits for an approval?"))
	p.Open("https://sync.example.test/console/held/h")
	p.Until(heading("What would this plan do?"))
	p.Click("button.deed") // the box is not ticked: the browser keeps the form
	p.Click("input[name=sure]")
	p.Click("button.deed")
	p.Until(heading("Approved"))
	if hash := <-approved; hash != apitest.Filled[api.HeldActions]().Hash {
		t.Errorf("approved %q", hash)
	}
	p.Click("header button")
	p.Until(heading("Sign in"))
	p.Open("https://sync.example.test/console/")
	p.Until(heading("Sign in"))
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the browser complains: %q", said)
	}
}
