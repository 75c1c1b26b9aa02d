package console

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/api"
	"dirsyncd/sync/api/apitest"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

const (
	readerToken   = "the reader's token, long enough"
	operatorToken = "the operator's token, long enough"
)

// open makes a console of operations, at a time that stands still.
func open(t *testing.T, ops api.Operations) *Console {
	t.Helper()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	c := New(Options{Operations: ops, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }, Users: []User{
		{Name: "ann", Role: Operator, Token: settings.NewSecret(operatorToken)}, {Name: "ben", Role: Reader, Token: settings.NewSecret(readerToken)},
		{Name: "nobody", Role: Operator},
	}})
	t.Cleanup(c.Close)
	return c
}

// browser is somebody with a cookie, who sends the forms that pages show.
type browser struct {
	t      *testing.T
	c      *Console
	cookie *http.Cookie
	form   string
}

func (b *browser) ask(method, target string, form url.Values) (status int, body string, header http.Header) {
	b.t.Helper()
	r := httptest.NewRequest(method, "https://sync.example.test"+target, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	w := httptest.NewRecorder()
	b.c.ServeHTTP(w, r)
	answer := w.Result()
	defer func() { _ = answer.Body.Close() }()
	for _, c := range answer.Cookies() {
		if c.Name == cookie {
			b.cookie = c
		}
	}
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if m := regexp.MustCompile(`name="form" value="([^"]+)"`).FindSubmatch(data); m != nil {
		b.form = string(m[1])
	}
	return answer.StatusCode, string(data), answer.Header
}

func (b *browser) get(target string) (int, string) {
	b.t.Helper()
	status, body, _ := b.ask(http.MethodGet, target, nil)
	return status, body
}

// post sends a form of the session.
func (b *browser) post(target string, form url.Values) (int, string) {
	b.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	form.Set("form", b.form)
	status, body, _ := b.ask(http.MethodPost, target, form)
	return status, body
}

// signedIn is a browser of whom a token is.
func signedIn(t *testing.T, c *Console, token string) *browser {
	t.Helper()
	b := &browser{t: t, c: c}
	if status, body, _ := b.ask(http.MethodPost, "/console/login", url.Values{"token": {token}}); status != http.StatusSeeOther {
		t.Fatalf("not let in: %d %s", status, body)
	}
	b.get("/console/decisions") // has the session's form
	return b
}

// concrete is an address of a pattern.
func concrete(pattern string) (method, target string) {
	method, target, _ = strings.Cut(pattern, " ")
	return method, strings.NewReplacer("{$}", "", "{hash}", "h", "{id}", "20261130T120000-abcd", "{kind}", "user").Replace(target)
}

// TestEveryPage: each is shown to its end, with every field that there is and with none, and says how it is called.
func TestEveryPage(t *testing.T) {
	for name, ops := range map[string]*apitest.Fake{"every field": apitest.EveryField(), "nothing": nothing()} {
		b := signedIn(t, open(t, ops), operatorToken)
		for pattern := range b.c.pages() {
			method, target := concrete(pattern)
			if method != http.MethodGet {
				continue
			}
			if strings.HasSuffix(target, "/people") {
				target += "?who=ada"
			}
			status, body := b.get(target)
			if status != http.StatusOK && !(name == "nothing" && status == http.StatusNotFound) {
				t.Errorf("%s, %s: %d", name, target, status)
			}
			if !strings.HasSuffix(body, "</html>\n") || !strings.Contains(body, "<h1>") || !strings.Contains(body, `<html lang="en">`) || strings.Contains(body, "<script") || strings.Contains(body, "style=") {
				t.Errorf("%s, %s: not a whole page:\n%s", name, target, body)
			}
		}
	}
}

// nothing answers with as little as there may be.
func nothing() *apitest.Fake {
	return &apitest.Fake{
		StatusFunc:     func(context.Context) (api.Status, error) { return api.Status{}, nil },
		RunsFunc:       func(context.Context, api.RunsRequest) ([]api.Run, error) { return nil, nil },
		HeldFunc:       func(context.Context, api.HeldRequest) (api.HeldActions, error) { return api.HeldActions{}, nil },
		RunActionsFunc: func(context.Context, api.RunActionsRequest) (api.RunActions, error) { return api.RunActions{}, nil },
		PlanUndoFunc:   func(context.Context, api.UndoRequest) (api.UndoPlan, error) { return api.UndoPlan{}, nil },
		ShowFunc: func(context.Context, api.ShowRequest) ([]api.Person, error) {
			return nil, &fault.Error{Class: fault.Gone}
		},
		WhyFunc:       func(context.Context, string, string) ([]api.Reason, error) { return nil, nil },
		MatchesFunc:   func(context.Context, string) ([]api.Match, error) { return nil, nil },
		ParkedFunc:    func(context.Context) ([]api.ParkedItem, error) { return nil, nil },
		DecisionsFunc: func(context.Context, api.DecisionsRequest) ([]api.Decision, error) { return nil, nil },
	}
}

// TestReaderChangesNothing tries every address that there is: what changes something is refused before an operation is asked for, whom
// it may be. The fake fails a test that gets there.
func TestReaderChangesNothing(t *testing.T) {
	ops := nothing()
	forbidden := func(name string) { t.Errorf("%s was asked for", name) }
	ops.ApproveFunc = func(context.Context, string) (api.SyncResult, error) {
		forbidden("approve")
		return api.SyncResult{}, nil
	}
	ops.DiscardFunc = func(context.Context, string) error { forbidden("discard"); return nil }
	ops.UndoFunc = func(context.Context, api.UndoApproval) (api.SyncResult, error) {
		forbidden("undo")
		return api.SyncResult{}, nil
	}
	ops.DecideFunc = func(context.Context, api.MatchDecision) (string, error) { forbidden("decide"); return "", nil }
	ops.ReplayFunc = func(context.Context, []string, func(api.Progress)) (int, error) { forbidden("retry"); return 0, nil }
	ops.DropFunc = func(context.Context, []string) (int, error) { forbidden("drop"); return 0, nil }
	ops.SyncFunc = func(context.Context, api.SyncRequest, func(api.Progress)) (api.SyncResult, error) {
		forbidden("sync")
		return api.SyncResult{}, nil
	}
	c := open(t, ops)
	all := url.Values{"sure": {"yes"}, "id": {"1"}, "connection": {"hq"}, "verdict": {"accept"}}
	posts := 0
	for pattern, p := range c.pages() {
		method, target := concrete(pattern)
		if method != http.MethodPost {
			if p.role != Reader {
				t.Errorf("%s cannot be read by readers", target)
			}
			continue
		}
		posts++
		if strings.HasSuffix(target, "/logout") {
			continue
		}
		if status, _ := signedIn(t, c, readerToken).post(target, all); status != http.StatusForbidden {
			t.Errorf("a reader at %s: %d", target, status)
		}
		if status, _, _ := (&browser{t: t, c: c}).ask(http.MethodPost, target, all); status != http.StatusUnauthorized {
			t.Errorf("nobody at %s: %d", target, status)
		}
		b := signedIn(t, c, operatorToken)
		b.form = "of somebody else"
		if status, _ := b.post(target, all); status != http.StatusForbidden {
			t.Errorf("a form of another page at %s: %d", target, status)
		}
		if status, _ := b.get(target); status != http.StatusMethodNotAllowed && status != http.StatusNotFound {
			t.Errorf("GET %s: %d", target, status)
		}
	}
	if posts < 7 {
		t.Errorf("only %d addresses that change something were tried", posts)
	}
}

func TestSignIn(t *testing.T) {
	c := open(t, nothing())
	b := &browser{t: t, c: c}
	status, _, header := b.ask(http.MethodGet, "/console/held?x=1", nil)
	if to := header.Get("Location"); status != http.StatusSeeOther || to != "/console/login?to=%2Fconsole%2Fheld%3Fx%3D1" {
		t.Errorf("nobody: %d %s", status, to)
	}
	for _, wrong := range []string{"", " ", "the reader's token", readerToken + "x"} {
		if status, body, _ := b.ask(http.MethodPost, "/console/login", url.Values{"token": {wrong}}); status != http.StatusForbidden || b.cookie != nil || !strings.Contains(body, "nobody&#39;s token") {
			t.Errorf("%q: %d", wrong, status)
		}
	}
	for to, want := range map[string]string{
		"/console/held?x=1": "/console/held?x=1", "": "/console/", "https://evil.example.test/console/": "/console/", "//evil.example.test/console/": "/console/",
		"/auth/logout": "/console/", "/console/../auth/logout": "/console/", "/console/login": "/console/", "/console/%2e%2e/auth": "/console/", `\\evil`: "/console/",
	} {
		b := &browser{t: t, c: c}
		_, _, header := b.ask(http.MethodPost, "/console/login", url.Values{"token": {readerToken}, "to": {to}})
		if got := header.Get("Location"); got != want {
			t.Errorf("to %q: %q, want %q", to, got, want)
		}
		if k := b.cookie; k == nil || !k.Secure || !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.Domain != "" {
			t.Errorf("cookie: %+v", k)
		}
	}
	b = signedIn(t, c, readerToken)
	before := *b.cookie
	if status, _ := b.get("/console/"); status != http.StatusOK {
		t.Errorf("signed in: %d", status)
	}
	b.post("/console/logout", nil)
	b.cookie = &before
	if status, _ := b.get("/console/"); status != http.StatusSeeOther {
		t.Errorf("signed out: %d", status)
	}
	b = signedIn(t, c, readerToken)
	later := c.Now().Add(sessionLife)
	c.sessions.now = func() time.Time { return later }
	if status, _ := b.get("/console/"); status != http.StatusSeeOther {
		t.Errorf("after a day: %d", status)
	}
}

// TestWrongTokens: whoever guesses has to wait, and then may again.
func TestWrongTokens(t *testing.T) {
	c := open(t, nothing())
	b := &browser{t: t, c: c}
	for range mostWrong {
		b.ask(http.MethodPost, "/console/login", url.Values{"token": {"wrong"}})
	}
	if status, _, _ := b.ask(http.MethodPost, "/console/login", url.Values{"token": {readerToken}}); status != http.StatusTooManyRequests {
		t.Errorf("after %d wrong ones: %d", mostWrong, status)
	}
	later := c.Now().Add(wrongTime)
	c.sessions.now = func() time.Time { return later }
	if status, _, _ := b.ask(http.MethodPost, "/console/login", url.Values{"token": {readerToken}}); status != http.StatusSeeOther {
		t.Errorf("a minute later: %d", status)
	}
	if n := len(c.sessions.tried); n != 0 {
		t.Errorf("%d addresses are remembered", n)
	}
}

// TestWrongTokensAtOnce: guesses that come at the same time are counted, too, and those from all addresses of one network of version 6 together.
func TestWrongTokensAtOnce(t *testing.T) {
	c := open(t, nothing())
	for i := range mostWrong {
		if !c.sessions.mayTry(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i)})) {
			t.Fatalf("the guess %d was not looked at", i+1)
		}
	}
	if c.sessions.mayTry(netip.MustParseAddr("2001:db8::ffff")) {
		t.Error("none of them was counted before all had begun")
	}
	if !c.sessions.mayTry(netip.MustParseAddr("2001:db8:0:1::1")) || !c.sessions.mayTry(netip.MustParseAddr("192.0.2.1")) {
		t.Error("somebody else has to wait")
	}
	// What was right is no guess.
	b := &browser{t: t, c: c}
	for range mostWrong + 1 {
		if status, _, _ := b.ask(http.MethodPost, "/console/login", url.Values{"token": {readerToken}}); status != http.StatusSeeOther {
			t.Fatalf("a right token: %d", status)
		}
	}
}

// TestSessionsAreBounded: the oldest goes.
func TestSessionsAreBounded(t *testing.T) {
	c := open(t, nothing())
	at := c.Now()
	c.sessions.now = func() time.Time { at = at.Add(time.Second); return at }
	first := signedIn(t, c, readerToken)
	for range mostSessions - 1 {
		c.sessions.begin(User{Name: "x", Role: Reader})
	}
	if status, _ := first.get("/console/"); status != http.StatusOK {
		t.Fatalf("too early: %d", status)
	}
	c.sessions.begin(User{Name: "x", Role: Reader})
	if status, _ := first.get("/console/"); status != http.StatusSeeOther || len(c.sessions.all) != mostSessions {
		t.Errorf("%d, %d sessions", status, len(c.sessions.all))
	}
}

// TestDecide: what is decided is what was shown, by whom it says, and nothing else.
func TestDecide(t *testing.T) {
	ops := apitest.EveryField()
	var by, approved string
	var decided api.MatchDecision
	var dropped []string
	ops.ApproveFunc = func(ctx context.Context, hash string) (api.SyncResult, error) {
		by, approved = api.UserOf(ctx), hash
		return api.SyncResult{}, nil
	}
	ops.DecideFunc = func(_ context.Context, d api.MatchDecision) (string, error) { decided = d; return "user/hq/1", nil }
	ops.DropFunc = func(_ context.Context, ids []string) (int, error) { dropped = ids; return len(ids), nil }
	b := signedIn(t, open(t, ops), operatorToken)
	if status, _ := b.post("/console/held/abc/approve", nil); status != http.StatusBadRequest || approved != "" {
		t.Errorf("without having looked: %d %q", status, approved)
	}
	if status, _ := b.post("/console/held/abc/approve", url.Values{"sure": {"yes"}}); status != http.StatusOK || approved != "abc" || by != "ann (console)" {
		t.Errorf("approved %q by %q: %d", approved, by, status)
	}
	want := api.MatchDecision{ID: "desk/1", Fingerprint: "f", Verdict: "accept", Candidate: "7"}
	if status, _ := b.post("/console/review/decide", url.Values{"id": {"desk/1"}, "fingerprint": {"f"}, "verdict": {"accept"}, "candidate": {"7"}}); status != http.StatusOK || decided != want {
		t.Errorf("%d %+v", status, decided)
	}
	if status, _ := b.post("/console/parked/drop", nil); status != http.StatusBadRequest || dropped != nil {
		t.Errorf("nothing is ticked: %d, dropped %q", status, dropped)
	}
	if status, _ := b.post("/console/parked/drop", url.Values{"id": {"hq/1", "hq/2"}}); status != http.StatusOK || strings.Join(dropped, " ") != "hq/1 hq/2" {
		t.Errorf("%d %q", status, dropped)
	}
}

// TestHeldPages: what is asked for is what the page was asked for, and the way on keeps it.
func TestHeldPages(t *testing.T) {
	ops := nothing()
	var asked api.HeldRequest
	ops.HeldFunc = func(_ context.Context, req api.HeldRequest) (api.HeldActions, error) {
		asked = req
		return api.HeldActions{HeldPlan: api.HeldPlan{Hash: "h"}, More: true, Actions: []api.PlannedAction{{Op: "delete", Kind: "user", Key: "hq/<b>", Name: "<script>alert(1)</script>",
			Changes: []api.PlannedChange{{Field: "title", From: "A & B", To: nil}}}}}, nil
	}
	b := signedIn(t, open(t, ops), readerToken)
	status, body := b.get("/console/held/h?kind=user&op=delete&who=ada&from=50")
	if want := (api.HeldRequest{Hash: "h", Kind: "user", Op: "delete", Who: "ada", From: 50}); status != http.StatusOK || asked != want {
		t.Errorf("%d %+v", status, asked)
	}
	for _, want := range []string{"from=51&amp;kind=user&amp;op=delete&amp;who=ada", "from=0&amp;", "&lt;script&gt;alert(1)&lt;/script&gt;", "A &amp; B", "51 to 51."} {
		if !strings.Contains(body, want) {
			t.Errorf("not on the page: %s\n%s", want, body)
		}
	}
	if strings.Contains(body, "<script>") || strings.Contains(body, "/approve") {
		t.Error("markup of a name, or a button that a reader cannot use")
	}
}

// TestFarPages: a page beyond the last one has nothing on it, however far.
func TestFarPages(t *testing.T) {
	for _, from := range []string{"7", "9223372036854775807", "9223372036854775808", "-1", "x"} {
		for _, page := range []string{"tenants", "review", "parked", "held/h"} {
			ops := nothing()
			ops.HeldFunc = func(_ context.Context, req api.HeldRequest) (api.HeldActions, error) {
				if req.From < 0 || req.From+api.HeldPage < 0 {
					t.Errorf("from %d", req.From)
				}
				return api.HeldActions{}, nil
			}
			if status, _ := signedIn(t, open(t, ops), readerToken).get("/console/" + page + "?from=" + from); status != http.StatusOK {
				t.Errorf("%s from %s: %d", page, from, status)
			}
		}
	}
}

// TestErrorsAreShown: with what to do, and with a status of their class.
func TestErrorsAreShown(t *testing.T) {
	ops := nothing()
	for class, want := range map[fault.Class]int{fault.Configuration: 400, fault.Gone: 404, fault.Conflict: 409, fault.Internal: 500, fault.Transient: 503} {
		ops.HeldFunc = func(context.Context, api.HeldRequest) (api.HeldActions, error) {
			return api.HeldActions{}, &fault.Error{Class: class, Op: "find plan h", Hint: "look at the list"}
		}
		status, body := signedIn(t, open(t, ops), readerToken).get("/console/held/h")
		if status != want || !strings.Contains(body, "find plan h") || !strings.Contains(body, "look at the list") {
			t.Errorf("%s: %d\n%s", class, status, body)
		}
	}
}

// TestSyncGoesOn: whoever asks for a run is answered at once; the run ends with the console.
func TestSyncGoesOn(t *testing.T) {
	ops := nothing()
	asked := make(chan api.SyncRequest, 1)
	ops.SyncFunc = func(ctx context.Context, req api.SyncRequest, _ func(api.Progress)) (api.SyncResult, error) {
		asked <- req
		<-ctx.Done()
		return api.SyncResult{}, ctx.Err()
	}
	c := open(t, ops)
	b := signedIn(t, c, operatorToken)
	if status, _ := b.post("/console/sync", url.Values{"connection": {"hq"}}); status != http.StatusSeeOther {
		t.Fatal(status)
	}
	if req := <-asked; len(req.Connections) != 1 || req.Connections[0] != "hq" || req.Full {
		t.Errorf("%+v", req)
	}
	c.Close()
}

// TestOverviewOfTargets: where nothing is delivered, or somebody is asked, not everything is in sync.
func TestOverviewOfTargets(t *testing.T) {
	tenant := api.ConnectionStatus{Name: "hq", Tenants: []api.TenantStatus{{State: "ok"}}}
	for _, test := range []struct {
		target api.TargetStatus
		want   string
	}{
		{api.TargetStatus{Name: "desk", State: "ok"}, "Yes, all 1."},
		{api.TargetStatus{Name: "desk", State: "failing", Waiting: 7}, "No: target desk is failing."},
		{api.TargetStatus{Name: "desk", State: "ok", Held: []string{"abc"}}, "No: target desk waits for somebody."},
		{api.TargetStatus{Name: "desk", State: "ok", Waits: map[string]int{"review": 2}}, "No: target desk waits for somebody."},
	} {
		ops := nothing()
		ops.StatusFunc = func(context.Context) (api.Status, error) {
			return api.Status{Connections: []api.ConnectionStatus{tenant}, Targets: []api.TargetStatus{test.target}}, nil
		}
		if _, body := signedIn(t, open(t, ops), readerToken).get("/console/"); !strings.Contains(body, `role="status">`+test.want+" ") {
			t.Errorf("%+v: want %q in\n%s", test.target, test.want, body)
		}
	}
}

// TestOverviewOfConditions: what is not proven or late is not in sync, though nothing has failed; what runs out is shown.
func TestOverviewOfConditions(t *testing.T) {
	tenant := api.ConnectionStatus{Name: "hq", Tenants: []api.TenantStatus{{State: "ok"}}}
	for _, test := range []struct {
		status     api.Status
		want, also string
	}{
		{api.Status{Conditions: []api.Condition{{Kind: "unproven", Where: "connection hq", Text: "last proven 3 days ago"}}}, "No: 1 not proven for too long.", "last proven 3 days ago"},
		{api.Status{Conditions: []api.Condition{{Kind: "late", Where: "target desk", Text: "7 actions wait"}}}, "No: 1 late with what waits.", "7 actions wait"},
		{api.Status{Conditions: []api.Condition{{Kind: "expiring", Where: "the public front", Text: "web.tls.cert runs out", Hint: "renew it"}}}, "Yes, all 1.", "renew it"},
		{api.Status{Recipients: []api.RecipientStatus{{Name: "ops", Error: "connection refused"}}}, "Yes, all 1.", "connection refused"},
	} {
		test.status.Connections = []api.ConnectionStatus{tenant}
		ops := nothing()
		ops.StatusFunc = func(context.Context) (api.Status, error) { return test.status, nil }
		if _, body := signedIn(t, open(t, ops), readerToken).get("/console/"); !strings.Contains(body, `role="status">`+test.want+" ") || !strings.Contains(body, test.also) {
			t.Errorf("want %q and %q in\n%s", test.want, test.also, body)
		}
	}
}

// TestSyncShowsItsTenant: the page on which somebody lands who has asked for a run has the tenant on it.
func TestSyncShowsItsTenant(t *testing.T) {
	ops := nothing()
	ops.StatusFunc = func(context.Context) (api.Status, error) {
		return api.Status{Connections: []api.ConnectionStatus{{Name: "customers", Tenants: []api.TenantStatus{{Tenant: "A1F1-9", Name: "Oakbridge", State: "ok"}, {Tenant: "b2", Name: "Harbour", State: "ok"}}}}}, nil
	}
	ops.SyncFunc = func(context.Context, api.SyncRequest, func(api.Progress)) (api.SyncResult, error) {
		return api.SyncResult{}, nil
	}
	b := signedIn(t, open(t, ops), operatorToken)
	_, _, header := b.ask(http.MethodPost, "/console/sync", url.Values{"connection": {"customers/A1F1-9"}, "form": {b.form}})
	if _, body := b.get(header.Get("Location")); !strings.Contains(body, "1 found.") || !strings.Contains(body, "Oakbridge") {
		t.Errorf("at %s:\n%s", header.Get("Location"), body)
	}
}

// TestWordsStandApart: what is said one after the other in a cell can be told apart.
func TestWordsStandApart(t *testing.T) {
	ops := nothing()
	run := api.Run{ID: "20261130T120000-abcd", Connection: "hq", Outcome: "failed", Counts: api.Counts{"user": {"create": 3}}, Error: "the server is gone"}
	ops.RunsFunc = func(context.Context, api.RunsRequest) ([]api.Run, error) { return []api.Run{run}, nil }
	ops.RunActionsFunc = func(context.Context, api.RunActionsRequest) (api.RunActions, error) {
		return api.RunActions{Run: run, Actions: []api.PlannedAction{{Op: "deactivate", Kind: "user", Key: "hq/1", Reason: "no longer listed by the source", Rule: "staff"}}}, nil
	}
	b := signedIn(t, open(t, ops), readerToken)
	for page, want := range map[string]string{"/console/runs": "user: 3 create; the server is gone<", "/console/runs/x": "no longer listed by the source (rule staff)<"} {
		if _, body := b.get(page); !strings.Contains(body, want) {
			t.Errorf("%s: want %q in\n%s", page, want, body)
		}
	}
}

// TestNotThere: what is named and is not there, or not any more, is not a wrong question.
func TestNotThere(t *testing.T) {
	ops := nothing()
	missing := func(what error) error { return &fault.Error{Class: fault.Configuration, Op: "find", Err: what} }
	ops.RunActionsFunc = func(context.Context, api.RunActionsRequest) (api.RunActions, error) {
		return api.RunActions{}, missing(api.ErrNoRun)
	}
	ops.PlanUndoFunc = func(context.Context, api.UndoRequest) (api.UndoPlan, error) {
		return api.UndoPlan{}, missing(api.ErrNoRun)
	}
	ops.HeldFunc = func(context.Context, api.HeldRequest) (api.HeldActions, error) {
		return api.HeldActions{}, missing(api.ErrNoPlan)
	}
	b := signedIn(t, open(t, ops), readerToken)
	for _, page := range []string{"/console/runs/abcd", "/console/runs/abcd/undo", "/console/held/abc"} {
		if status, _ := b.get(page); status != http.StatusNotFound {
			t.Errorf("%s: %d", page, status)
		}
	}
}
