package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/signin"
)

// createConfig is signinConfig with a provider that makes people; the first %s is more settings of it, the second one the claim with the id of an object.
const createConfig = `state: state.db
web: {url: "https://auth.test", listen: "127.0.0.1:0", proxies: [127.0.0.1]}
signin:
  keys: signin.keys
  providers:
    staff:
      provider: generic
      directories: [hq]
      domains: [example.test]
      match: [mail]
      %s
      generic: {issuer: "https://idp.example.test", client_id: us, client_secret: secret-of-us, object: %s}
  apps:
    desk: {url: "https://desk.test", providers: [staff], auto: true}
connections:
  hq: {connector: memory, mapping: m, targets: [journal], memory: {}}
mappings:
  m:
    rules:
      - {name: contractors, when: name == "Eve", ignore: true}
      - {name: everyone, when: enabled ?? true, user: {name: = name, email: = email, customer: '= company ?? "Acme"'}}
targets:
  journal: {target: file, file: {path: changes.jsonl}}
`

const deskURL = "https://desk.test/"

// says has the provider say something of whoever comes next. It says all that is asked for, so that nobody asks again.
func (w *signinWorld) says(claims map[string]any) {
	all := map[string]any{"email": "", "email_verified": false}
	maps.Copy(all, claims)
	w.issuer.Person(all)
}

// events are what the target was told so far, in words.
func (w *signinWorld) events(t *testing.T) string {
	t.Helper()
	if _, err := w.s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("changes.jsonl")
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var words []string
	for line := range strings.Lines(string(data)) {
		var e struct {
			Data struct{ Op, Kind, Key string }
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		words = append(words, e.Data.Op+" "+e.Data.Kind+" "+e.Data.Key)
	}
	return strings.Join(words, "; ")
}

func (w *signinWorld) person(id, name, mail string, enabled bool) {
	o := directory.Object{Kind: directory.Person, ID: id}
	o.SetText(directory.FieldName, name)
	o.SetText(directory.FieldEmail, mail)
	o.Set(directory.FieldEnabled, directory.Bool(enabled))
	w.source.Put("", o)
}

// TestUnknownIsRefused: without more words nobody is made, and nothing is stored.
func TestUnknownIsRefused(t *testing.T) {
	w := newSigninWorld(t, fmt.Sprintf(createConfig, "unknown: refuse", "oid"))
	w.sync(t, "hq")
	w.says(map[string]any{"sub": "1", "oid": "zoe", "name": "Zoe", "email": "zoe@example.test", "email_verified": true})
	if status, _ := w.browser(t).visit(deskURL); status != http.StatusForbidden {
		t.Errorf("unknown: %d", status)
	}
	if a := w.attempt(t); a.Reason != string(signin.UnknownPerson) {
		t.Errorf("attempt: %s, %s, %s", a.Reason, a.Detail, a.By)
	}
	if said := w.events(t); strings.Contains(said, "zoe") {
		t.Errorf("told: %s", said)
	}
}

// TestJoinerBeforeTheSync: somebody whose id is that of an object in a directory becomes one user under the key that the sync uses, stays one, and is
// out as soon as the directory disables them.
func TestJoinerBeforeTheSync(t *testing.T) {
	w := newSigninWorld(t, fmt.Sprintf(createConfig, "unknown: create\n      create: {per_day: 5}", "oid"))
	w.sync(t, "hq")
	w.says(map[string]any{"sub": "1", "oid": "zoe", "name": "Zoe", "email": "zoe@example.test", "email_verified": true})
	status, h := w.browser(t).visit(deskURL)
	if status != http.StatusOK || h.Get("Remote-User") != "hq/zoe" || h.Get("Remote-Name") != "Zoe" || h.Get("Remote-Email") != "zoe@example.test" {
		t.Fatalf("%d %v, attempt %+v", status, h, w.attempt(t))
	}
	if a := w.attempt(t); a.By != "created" || a.Record != "hq/zoe" {
		t.Errorf("attempt: %s, %s, %s", a.Reason, a.Detail, a.By)
	}
	if text := w.logs.String(); strings.Count(text, "person created by sign-in") != 1 || strings.Contains(text, "zoe@") || strings.Contains(text, "Zoe") {
		t.Errorf("log: %s", text)
	}
	counted := 0.0
	families, err := w.s.metrics.registry.Gather()
	for _, f := range families {
		if f.GetName() == "dirsyncd_signin_created_total" {
			counted = f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	if err != nil || counted != 1 {
		t.Errorf("%v were counted, %v", counted, err)
	}
	why, err := w.s.Why(t.Context(), "user", "hq/zoe")
	if err != nil || len(why) != 1 || why[0].SignedIn != "staff" {
		t.Errorf("why %+v, error %v", why, err)
	}
	if said := w.events(t); strings.Count(said, "zoe") != 1 {
		t.Errorf("the directory does not know of them yet: %s", said)
	}
	w.person("zoe", "Zoe Z", "zoe@example.test", true)
	if said := w.events(t); strings.Count(said, "create user hq/zoe") != 1 || !strings.HasSuffix(said, "update user hq/zoe") {
		t.Errorf("the directory names them: %s", said)
	}
	v := w.browser(t)
	if status, h := v.visit(deskURL); status != http.StatusOK || h.Get("Remote-User") != "hq/zoe" || h.Get("Remote-Name") != "Zoe Z" {
		t.Errorf("afterwards: %d %v", status, h)
	}
	if a := w.attempt(t); a.By != "id" {
		t.Errorf("attempt: %s, %s, %s", a.Reason, a.Detail, a.By)
	}
	w.person("zoe", "Zoe Z", "zoe@example.test", false)
	w.sync(t, "hq")
	w.idp.Clock.Add(time.Minute)
	if status, _, _ := v.ask(deskURL); status != http.StatusUnauthorized {
		t.Errorf("disabled: %d", status)
	}
	if status, _ := v.visit(deskURL); status != http.StatusForbidden {
		t.Errorf("disabled, anew: %d", status)
	}
}

// TestWhomTheRulesLeaveOut: the rules have the last word, and nothing is stored.
func TestWhomTheRulesLeaveOut(t *testing.T) {
	w := newSigninWorld(t, fmt.Sprintf(createConfig, "unknown: create\n      create: {per_day: 1}", "oid"))
	w.sync(t, "hq")
	for _, id := range []string{"eve", "eve2"} { // nobody has taken the place of the day
		w.says(map[string]any{"sub": id, "oid": id, "name": "Eve"})
		if status, _ := w.browser(t).visit(deskURL); status != http.StatusForbidden {
			t.Errorf("ignored: %d", status)
		}
		if a := w.attempt(t); a.Reason != string(signin.NoRecord) || !strings.Contains(a.Detail, "contractors") {
			t.Errorf("attempt: %s, %s, %s", a.Reason, a.Detail, a.By)
		}
	}
	if said := w.events(t); strings.Contains(said, "eve") {
		t.Errorf("told: %s", said)
	}
}

// TestLimitOfTheDay: whoever comes when it is used up waits for the operator, and so do not more than as many again.
func TestLimitOfTheDay(t *testing.T) {
	w := newSigninWorld(t, fmt.Sprintf(createConfig, "unknown: create\n      create: {per_day: 1}", "oid"))
	w.sync(t, "hq")
	come := func(id string, want int, reason signin.Reason) {
		t.Helper()
		w.says(map[string]any{"sub": id, "oid": id, "name": "N " + id})
		if status, _ := w.browser(t).visit(deskURL); status != want {
			t.Errorf("%s: %d", id, status)
		}
		if a := w.attempt(t); a.Reason != string(reason) {
			t.Errorf("%s: %s, %s", id, a.Reason, a.Detail)
		}
	}
	come("a", http.StatusOK, "")
	come("b", http.StatusForbidden, signin.Held)
	come("c", http.StatusForbidden, signin.NotCreated)
	come("a", http.StatusOK, "")
	come("b", http.StatusForbidden, signin.Held)
	res := w.sync(t, "hq")
	if res[0].Run.Outcome != engine.Held {
		t.Fatalf("%+v", res[0].Run)
	}
	if !slices.Equal(w.triggers, []string{"hq"}) {
		t.Errorf("were to be run: %v", w.triggers)
	}
	if _, err := w.s.Approve(t.Context(), res[0].Run.Held); err != nil {
		t.Fatal(err)
	}
	come("b", http.StatusOK, "")
	w.idp.Clock.Add(24 * time.Hour)
	come("c", http.StatusOK, "")
	if said := w.events(t); strings.Count(said, "create user hq/b") != 1 || strings.Count(said, "create user hq/c") != 1 {
		t.Errorf("told: %s", said)
	}
}

// TestUnknownTwiceAtOnce: two browsers of one person make one user.
func TestUnknownTwiceAtOnce(t *testing.T) {
	w := newSigninWorld(t, fmt.Sprintf(createConfig, "unknown: create\n      create: {per_day: 1}", "oid"))
	w.sync(t, "hq")
	w.says(map[string]any{"sub": "1", "oid": "zoe", "name": "Zoe"})
	var all sync.WaitGroup
	status := make([]int, 3)
	for i := range status {
		v := w.browser(t)
		all.Go(func() { status[i], _ = v.visit(deskURL) })
	}
	all.Wait()
	for _, is := range status {
		if is != http.StatusOK {
			t.Errorf("%v", status)
		}
	}
	if said := w.events(t); strings.Count(said, "create user hq/zoe") != 1 {
		t.Errorf("told: %s", said)
	}
}

// TestPlaceOfTheDayStays: two browsers of one person, both of which found them unknown, take one place of the day, and it stays taken.
func TestPlaceOfTheDayStays(t *testing.T) {
	w := newSigninWorld(t, fmt.Sprintf(createConfig, "unknown: create\n      create: {per_day: 1}", "oid"))
	w.sync(t, "hq")
	items, err := w.s.items()
	if err != nil {
		t.Fatal(err)
	}
	n := newcomers{service: w.s, items: items, settings: config.Newcomers{PerDay: 1, Customer: "Acme"}, provider: "staff", log: slog.New(slog.DiscardHandler),
		created: w.s.metrics.signin.created.WithLabelValues("staff")}
	come := func(ctx context.Context, id string) error {
		_, err := n.Create(ctx, signin.Newcomer{Provider: "staff", Scope: signin.Scope{Connection: "hq"}, ID: id, Assertion: &signin.Assertion{}})
		return err
	}
	away, stop := context.WithCancel(t.Context())
	stop()
	for i, err := range []error{come(t.Context(), "zoe"), come(t.Context(), "zoe")} {
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if err := come(away, "zoe"); err == nil {
		t.Error("a browser that went away was not told so")
	}
	var refusal *signin.Refusal
	if err := come(t.Context(), "yan"); !errors.As(err, &refusal) || refusal.Reason != signin.Held {
		t.Errorf("beyond the limit of the day: %v", err)
	}
}

// TestBeforeTheFirstSync: nobody is made as long as nobody knows who is there.
func TestBeforeTheFirstSync(t *testing.T) {
	w := newSigninWorld(t, fmt.Sprintf(createConfig, "unknown: create\n      create: {per_day: 5}", "oid"))
	w.says(map[string]any{"sub": "1", "oid": "zoe", "name": "Zoe"})
	if status, _ := w.browser(t).visit(deskURL); status != http.StatusForbidden {
		t.Errorf("%d", status)
	}
	if a := w.attempt(t); a.Reason != string(signin.NotCreated) || !strings.Contains(a.Hint, "dirsyncd sync hq") {
		t.Errorf("attempt: %s, %s, %s", a.Reason, a.Detail, a.By)
	}
}

const own = "unknown: create\n      create: {per_day: 5, customer: Acme Ltd, mapping: m, targets: [journal]}"

// TestSignUp: somebody whom no directory has becomes one user of the provider's own, in the customer of the settings; and stays one.
func TestSignUp(t *testing.T) {
	w := newSigninWorld(t, fmt.Sprintf(createConfig, own, `""`))
	w.sync(t, "hq") // and not that of the provider's own people
	for name, c := range map[string]struct {
		claims map[string]any
		reason signin.Reason
	}{
		"no verified mail": {map[string]any{"sub": "1", "name": "Zoe", "email": "zoe@example.test"}, signin.MailNotVerified},
		"another domain":   {map[string]any{"sub": "1", "name": "Zoe", "email": "zoe@other.test", "email_verified": true}, signin.DomainNotAllowed},
	} {
		w.says(c.claims)
		if status, _ := w.browser(t).visit(deskURL); status != http.StatusForbidden {
			t.Errorf("%s: %d", name, status)
		}
		if a := w.attempt(t); a.Reason != string(c.reason) {
			t.Errorf("%s: %s, %s", name, a.Reason, a.Detail)
		}
	}
	w.says(map[string]any{"sub": "1", "name": "Zoe", "email": "zoe@example.test", "email_verified": true})
	status, h := w.browser(t).visit(deskURL)
	key := h.Get("Remote-User")
	if status != http.StatusOK || !strings.HasPrefix(key, "staff/") || len(key) != len("staff/")+26 {
		t.Fatalf("%d %v, attempt %+v", status, h, w.attempt(t))
	}
	w.attempt(t)
	for range 2 {
		w.sync(t, "staff")
		if status, h := w.browser(t).visit(deskURL); status != http.StatusOK || h.Get("Remote-User") != key {
			t.Errorf("the second time: %d %v", status, h)
		}
		if a := w.attempt(t); a.By != "link" {
			t.Errorf("attempt: %s, %s, %s", a.Reason, a.Detail, a.By)
		}
		w.idp.Clock.Add(40 * 24 * time.Hour) // nobody lists them, and nobody misses them
	}
	said := w.events(t)
	data, err := os.ReadFile("changes.jsonl")
	if err != nil || strings.Count(said, key) != 1 || !strings.Contains(string(data), `"customer":"Acme Ltd"`) {
		t.Errorf("told: %s, error %v", said, err)
	}
	if list, err := w.s.Status(t.Context()); err != nil || len(list.Connections) != 2 {
		t.Errorf("status %+v, error %v", list, err)
	}
}

// TestSignedUpBeforeTheDirectory: somebody who signed up is the person in the directory as soon as it names them, by the address that both vouch for.
// There is one user at any time: the former record ends first, and both name each other.
func TestSignedUpBeforeTheDirectory(t *testing.T) {
	w := newSigninWorld(t, fmt.Sprintf(createConfig, own, `""`))
	w.sync(t, "hq")
	w.sync(t, "staff")
	w.says(map[string]any{"sub": "1", "name": "Zoe", "email": "zoe@example.test", "email_verified": true})
	v := w.browser(t)
	_, h := v.visit(deskURL)
	former := h.Get("Remote-User")
	if !strings.HasPrefix(former, "staff/") {
		t.Fatalf("%v, attempt %+v", h, w.attempt(t))
	}
	if said := w.events(t); !strings.Contains(said, "create user "+former) {
		t.Errorf("told: %s", said)
	}
	w.person("4711", "Zoe Z", "Zoe@Example.test", true)
	w.person("4712", "Somebody", "somebody@example.test", true)
	said := w.events(t)
	if strings.Count(said, "deactivate user "+former) != 1 || strings.Count(said, "create user hq/4711") != 1 || strings.Count(said, "deactivate") != 1 {
		t.Errorf("told: %s", said)
	}
	data, _ := os.ReadFile("changes.jsonl")
	if text := string(data); !strings.Contains(text, `"replaced_by":"user/hq/4711"`) || !strings.Contains(text, `"replaces":"user/`+former+`"`) {
		t.Errorf("events: %s", text)
	}
	w.idp.Clock.Add(time.Minute)
	if status, _, _ := v.ask(deskURL); status != http.StatusUnauthorized {
		t.Errorf("a session of the former record: %d", status)
	}
	w.says(map[string]any{"sub": "1", "name": "Zoe", "email": "another@example.test", "email_verified": true})
	if status, h := w.browser(t).visit(deskURL); status != http.StatusOK || h.Get("Remote-User") != "hq/4711" {
		t.Errorf("afterwards: %d %v", status, h)
	}
	if a := w.attempt(t); a.By != "link" || a.Record != "hq/4711" {
		t.Errorf("attempt: %s, %s, %s", a.Reason, a.Detail, a.By)
	}
	if again := w.events(t); again != said {
		t.Errorf("told more: %s", again)
	}
}

// TestSignedUpAndNotAlone: an address that two people in the directory have says nobody who somebody is.
func TestSignedUpAndNotAlone(t *testing.T) {
	w := newSigninWorld(t, fmt.Sprintf(createConfig, own, `""`))
	w.sync(t, "hq")
	w.sync(t, "staff")
	w.says(map[string]any{"sub": "1", "name": "Zoe", "email": "zoe@example.test", "email_verified": true})
	_, h := w.browser(t).visit(deskURL)
	former := h.Get("Remote-User")
	w.person("4711", "Zoe Z", "zoe@example.test", true)
	w.person("4712", "Zoe Y", "zoe@example.test", true)
	if said := w.events(t); strings.Contains(said, "deactivate") {
		t.Errorf("told: %s", said)
	}
	if status, h := w.browser(t).visit(deskURL); status != http.StatusOK || h.Get("Remote-User") != former {
		t.Errorf("afterwards: %d %v", status, h)
	}
}

// TestSignedUpAndLeftOut: whom the rules of the directory leave out keeps their own record.
func TestSignedUpAndLeftOut(t *testing.T) {
	w := newSigninWorld(t, fmt.Sprintf(createConfig, own, `""`))
	w.sync(t, "hq")
	w.sync(t, "staff")
	w.says(map[string]any{"sub": "1", "name": "Zoe", "email": "zoe@example.test", "email_verified": true})
	_, h := w.browser(t).visit(deskURL)
	former := h.Get("Remote-User")
	w.person("4711", "Eve", "zoe@example.test", true) // ignored
	if said := w.events(t); strings.Contains(said, "deactivate") || strings.Contains(said, "4711") {
		t.Errorf("told: %s", said)
	}
	if status, h := w.browser(t).visit(deskURL); status != http.StatusOK || h.Get("Remote-User") != former {
		t.Errorf("afterwards: %d %v", status, h)
	}
}

// TestPlanOfWhoSignedUp: a plan of the directory moves nobody.
func TestPlanOfWhoSignedUp(t *testing.T) {
	w := newSigninWorld(t, fmt.Sprintf(createConfig, own, `""`))
	w.sync(t, "hq")
	w.says(map[string]any{"sub": "1", "name": "Zoe", "email": "zoe@example.test", "email_verified": true})
	_, h := w.browser(t).visit(deskURL)
	former := h.Get("Remote-User")
	w.person("4711", "Zoe Z", "zoe@example.test", true)
	var planned []string
	if _, err := w.s.Plan(t.Context(), api.PlanRequest{Connections: []string{"hq"}}, func(a api.PlannedAction) { planned = append(planned, a.Op+" "+a.Key) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(planned, []string{"create hq/4711"}) {
		t.Errorf("planned: %q", planned)
	}
	if status, h := w.browser(t).visit(deskURL); status != http.StatusOK || h.Get("Remote-User") != former {
		t.Errorf("after the plan: %d %v", status, h)
	}
}

// TestCustomerOfANewcomer: whose somebody is follows from the domain of the address or from the tenant, if that is of exactly one customer.
func TestCustomerOfANewcomer(t *testing.T) {
	w := newSigninWorld(t, fmt.Sprintf(createConfig, own, `""`))
	for tenant, s := range map[string]store.TenantState{
		"t1": {Name: "Contoso", Domain: "contoso.test", Domains: []string{"contoso.test", "shared.test"}},
		"t2": {Name: "Fabrikam", Domain: "fabrikam.test", Domains: []string{"fabrikam.test", "shared.test"}},
	} {
		err := w.s.store.Update(t.Context(), store.Partition{Connection: "hq", Tenant: tenant}, func(tx store.Writer) error { return tx.PutTenant(s) })
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct{ how, mail, tenant, want string }{
		"by domain":                {config.ByDomain, "zoe@contoso.test", "", "Contoso"},
		"domain of two customers":  {config.ByDomain, "zoe@shared.test", "", ""},
		"domain of nobody":         {config.ByDomain, "zoe@other.test", "", ""},
		"no address":               {config.ByDomain, "", "", ""},
		"by tenant":                {config.ByTenant, "", "t2", "Fabrikam"},
		"tenant of nobody":         {config.ByTenant, "", "t3", ""},
		"no tenant":                {config.ByTenant, "zoe@contoso.test", "", ""},
		"one for all, by its name": {"Acme", "zoe@contoso.test", "t1", "Acme"},
	} {
		n := newcomers{service: w.s, settings: config.Newcomers{Customer: c.how}, provider: "staff"}
		who := &signin.Newcomer{Own: true, Assertion: &signin.Assertion{Subject: signin.Subject{Tenant: c.tenant}, Mail: c.mail, MailVerified: c.mail != ""}}
		o := n.object(who)
		err := n.addCustomer(t.Context(), who, &o)
		var refusal *signin.Refusal
		if got, _ := o.Get(directory.FieldCompany); got.Text() != c.want || (err == nil) != (c.want != "") || err != nil && (!errors.As(err, &refusal) || refusal.Reason != signin.NotCreated) {
			t.Errorf("%s: %q, error %v", name, got.Text(), err)
		}
	}
}

// TestWhatAProviderSays: names in the words of several providers, no groups, and an address only where it is verified.
func TestWhatAProviderSays(t *testing.T) {
	a := &signin.Assertion{Mail: "Zoe@Example.test", Claims: map[string][]string{"givenName": {"Zoe"}, "sn": {"Zed"}, "groups": {"Admins"}, "preferred_username": {"zoe"}, "roles": {"a", "b"}, "name": {strings.Repeat("x", 300)}}}
	o := newcomers{}.object(&signin.Newcomer{ID: "1", Own: true, Assertion: a})
	var got []string
	for _, f := range o.Fields {
		got = append(got, f.Name+" "+f.Value.String())
	}
	if want := []string{"enabled true", "family_name Zed", "given_name Zoe", "name Zoe Zed"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	a.MailVerified = true
	o = newcomers{}.object(&signin.Newcomer{ID: "1", Assertion: a})
	mail, _ := o.Get(directory.FieldEmail)
	login, _ := o.Get(directory.FieldLogin)
	if mail.Text() != "zoe@example.test" || login.Text() != "zoe" {
		t.Errorf("%s, %s", mail, login)
	}
}

// TestLongRead: a run that reads for long delays nobody, be they known, new, or named by the very page that has been read.
func TestLongRead(t *testing.T) {
	w := newSigninWorld(t, fmt.Sprintf(createConfig, "unknown: create\n      create: {per_day: 5}", "oid"))
	w.person("ada", "Ada", "ada@example.test", true)
	w.sync(t, "hq")
	hangs, goOn := make(chan struct{}), make(chan struct{})
	pages := 0
	w.reading = func() {
		if pages++; pages == 2 { // the first one, with everybody in it, is stored
			close(hangs)
			<-goOn
		}
	}
	w.person("bob", "Bob", "bob@example.test", true)
	var run sync.WaitGroup
	var failed error
	run.Go(func() { _, failed = w.s.run(t.Context(), "hq", engine.Job{Trigger: engine.Operator}) })
	<-hangs
	for _, id := range []string{"ada", "bob", "zoe"} {
		w.says(map[string]any{"sub": id, "oid": id, "name": "N " + id})
		if status, h := w.browser(t).visit(deskURL); status != http.StatusOK || h.Get("Remote-User") != "hq/"+id {
			t.Errorf("%s: %d %s", id, status, h.Get("Remote-User"))
		}
	}
	close(goOn)
	run.Wait()
	if w.reading = nil; failed != nil {
		t.Fatal(failed)
	}
	said := w.events(t)
	for _, id := range []string{"ada", "bob", "zoe"} {
		if strings.Count(said, "create user hq/"+id) != 1 {
			t.Errorf("told: %s", said)
		}
	}
	data, _ := os.ReadFile("changes.jsonl")
	if !strings.Contains(string(data), `"name":"Bob"`) { // not what the provider said of somebody whom the directory knows
		t.Errorf("told: %s", data)
	}
}
