package google

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/googlesim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// failing reads in full and expects an error of a class, without a proof and without anything swept.
func failing(t *testing.T, c *Connector, stream string, want fault.Class) error {
	t.Helper()
	w := newWorld()
	w.objects[directory.Ref{Kind: directory.Person, ID: "earlier"}] = directory.Object{}
	w.objects[directory.Ref{Kind: directory.Group, ID: "earlier"}] = directory.Object{}
	err := w.read(t.Context(), c, "", stream, connectors.Full)
	if fault.ClassOf(err) != want || err == nil {
		t.Errorf("%s: class %q, want %q: %v", stream, fault.ClassOf(err), want, err)
	}
	if w.cursor != nil || !w.has(directory.Person, "earlier") || !w.has(directory.Group, "earlier") {
		t.Errorf("%s: a read that failed has concluded something", stream)
	}
	return err
}

func TestPageTokensThatDie(t *testing.T) {
	for _, stream := range []string{streamUsers, streamGroups, streamLicences, streamDevices} {
		t.Run(stream, func(t *testing.T) {
			r := start(t, nil)
			r.Customer(0).Fill(60)
			c := r.open(t, func(cfg *Config) { cfg.Licences.Products, cfg.Devices.ChromeOS = []string{"Google-Apps"}, true })
			if stream == streamGroups || stream == streamDevices {
				_ = r.Close()
				r = start(t, func(o *googlesim.Options) { o.PageCap = 3 })
				r.Customer(0).Fill(60)
				c = r.open(t, func(cfg *Config) { cfg.Devices.ChromeOS = true })
			}
			calm := r.full(t, c, stream)
			r.Misbehave(googlesim.Fault{Match: "pageToken", Kind: googlesim.Watch, Skip: 1, Times: 1, Rewrite: func(map[string]any) { r.ExpirePages() }})
			if w := r.full(t, c, stream); len(w.objects) != len(calm.objects) || len(w.objects) == 0 {
				t.Errorf("%d objects after a token died, want %d", len(w.objects), len(calm.objects))
			}
			r.Misbehave(googlesim.Fault{Match: "pageToken", Status: 400, Body: `{"error":{"code":400,"errors":[{"reason":"invalid"}],"message":"Invalid Input: pageToken"}}`})
			before := r.Requests("")
			failing(t, c, stream, fault.Transient)
			if n := r.Requests("") - before; n > 100 {
				t.Errorf("%d requests before giving up", n)
			}
		})
	}
}

// TestOddPages: pages that a service in good order does not send.
func TestOddPages(t *testing.T) {
	set := func(key string, v any) func(map[string]any) { return func(doc map[string]any) { doc[key] = v } }
	drop := func(keys ...string) func(map[string]any) {
		return func(doc map[string]any) {
			for _, k := range keys {
				delete(doc, k)
			}
		}
	}
	for name, tc := range map[string]struct {
		stream string
		fault  googlesim.Fault
		want   fault.Class // empty: the read is complete
	}{
		"a token that leads back":        {streamUsers, googlesim.Fault{Match: "/users?", Rewrite: set("nextPageToken", "again")}, fault.Transient},
		"the same page for ever":         {streamUsers, googlesim.Fault{Match: "sortOrder=ASCENDING", Status: 200, Body: `{"kind":"x","users":[{"id":"1"}],"nextPageToken":"%d"}`}, fault.Transient},
		"empty pages for ever":           {streamUsers, googlesim.Fault{Match: "sortOrder=ASCENDING", Status: 200, Body: `{"kind":"x","nextPageToken":"%d"}`}, fault.Transient},
		"empty pages in a circle":        {streamUsers, googlesim.Fault{Match: "sortOrder=ASCENDING", Status: 200, Body: `{"kind":"x","nextPageToken":"same"}`}, fault.Transient},
		"an empty document":              {streamUsers, googlesim.Fault{Match: "pageToken", Times: 1, Rewrite: drop("kind", "etag", "users", "nextPageToken")}, fault.Transient},
		"a list that ends early":         {streamUsers, googlesim.Fault{Match: "pageToken", Times: 1, Rewrite: drop("users", "nextPageToken")}, fault.Transient},
		"a page without its token":       {streamUsers, googlesim.Fault{Match: "pageToken", Times: 1, Rewrite: drop("nextPageToken")}, fault.Transient},
		"nobody at all":                  {streamUsers, googlesim.Fault{Match: "/users?", Rewrite: drop("users", "nextPageToken")}, fault.Transient},
		"a list that is an object":       {streamUsers, googlesim.Fault{Match: "/users?", Times: 1, Rewrite: set("users", map[string]any{})}, fault.Transient},
		"groups that end early":          {streamGroups, googlesim.Fault{Match: "/groups?", Times: 1, Rewrite: drop("nextPageToken")}, fault.Transient},
		"no groups in an empty document": {streamGroups, googlesim.Fault{Match: "/groups?", Times: 1, Rewrite: drop("kind", "etag", "groups")}, fault.Transient},
		"members in an empty document":   {streamGroups, googlesim.Fault{Match: "/members", Times: 1, Rewrite: drop("kind", "etag", "members")}, fault.Transient},
		"members that were lost once":    {streamGroups, googlesim.Fault{Match: "/members", Times: 1, Rewrite: drop("members", "nextPageToken")}, ""},
		"a user of another customer":     {streamUsers, googlesim.Fault{Match: "/users?", Times: 1, Rewrite: set("users", []any{map[string]any{"id": "1", "customerId": "C99"}})}, fault.Invalid},
		"a user that is null":            {streamUsers, googlesim.Fault{Match: "pageToken", Times: 1, Rewrite: func(doc map[string]any) { doc["users"] = append(doc["users"].([]any), nil) }}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(o *googlesim.Options) { o.PageCap = 5 })
			r.Customer(0).Fill(32)
			c := r.open(t, nil)
			calm := r.full(t, c, tc.stream)
			f := tc.fault
			if f.Rewrite != nil {
				f.Kind = googlesim.Change
			}
			if f.Status != 0 {
				// Every answer has another token.
				for i := range 1000 {
					g := f
					g.Body, g.Times = strings.Replace(f.Body, "%d", fmt.Sprint(i), 1), 1
					r.Misbehave(g)
				}
			} else {
				r.Misbehave(f)
			}
			if tc.want != "" {
				before, most := r.Requests(""), 80
				if strings.HasSuffix(name, "in a circle") {
					most = 3
				}
				failing(t, c, tc.stream, tc.want)
				if n := r.Requests("") - before; n > most {
					t.Errorf("%d requests before giving up", n)
				}
				return
			}
			w := r.full(t, c, tc.stream)
			if len(w.objects) != len(calm.objects) || len(w.members) != len(calm.members) {
				t.Errorf("%d objects, want %d", len(w.objects), len(calm.objects))
			}
			for id, list := range calm.members {
				if strings.Join(list, " ") != strings.Join(w.members[id], " ") {
					t.Errorf("group %s: members %v, want %v", id, w.members[id], list)
				}
			}
			if name == "a user that is null" && (len(w.invalid) != 1 || w.invalid[0].ID != "") {
				t.Errorf("invalid entries: %+v", w.invalid)
			}
		})
	}
}

// TestEmptyPageWithToken: Google may send a page with nothing on it and more to come.
func TestEmptyPageWithToken(t *testing.T) {
	r := start(t, nil)
	r.Customer(0).Fill(30)
	c := r.open(t, nil)
	first := `{"kind":"admin#directory#users","etag":"\"x\"","nextPageToken":"first"}`
	r.Misbehave(googlesim.Fault{Match: "sortOrder=ASCENDING", Times: 1, Status: 200, Body: first})
	r.Misbehave(googlesim.Fault{Match: "pageToken=first", Times: 1, Status: 200, Body: strings.Replace(first, "first", "second", 1)})
	// The second empty page leads to a token that the simulator does not know: the listing begins anew.
	if w := r.full(t, c, streamUsers); len(w.objects) != 31 {
		t.Errorf("%d people, want 31", len(w.objects))
	}
}

func TestThrottling(t *testing.T) {
	old := func(reason string) string {
		return fmt.Sprintf(`{"error":{"code":403,"errors":[{"reason":%q}]}}`, reason)
	}
	modern := func(reason string) string {
		return fmt.Sprintf(`{"error":{"code":403,"status":"PERMISSION_DENIED","details":[{"@type":"x","reason":%q}]}}`, reason)
	}
	for body, class := range map[string]fault.Class{
		old("userRateLimitExceeded"): fault.Throttled, old("quotaExceeded"): fault.Throttled, old("rateLimitExceeded"): fault.Throttled,
		modern("RATE_LIMIT_EXCEEDED"): fault.Throttled, old("dailyLimitExceeded"): fault.Throttled,
		old("forbidden"): fault.Forbidden, old("accessNotConfigured"): fault.Forbidden, modern("SERVICE_DISABLED"): fault.Forbidden,
		modern("ACCESS_TOKEN_SCOPE_INSUFFICIENT"): fault.Forbidden, old("domainCannotUseApis"): fault.Forbidden, "<html>": fault.Forbidden,
	} {
		r := start(t, nil)
		c := r.open(t, nil)
		r.Misbehave(googlesim.Fault{Match: "/users?", Status: 403, Body: body})
		before := r.Requests("/users")
		err := failing(t, c, streamUsers, class)
		sent := r.Requests("/users") - before
		daily := strings.Contains(body, "daily")
		if wantSent := map[bool]int{true: 5, false: 1}[class == fault.Throttled && !daily]; sent != wantSent {
			t.Errorf("%s: %d requests, want %d", body, sent, wantSent)
		}
		if fault.Hint(err) == "" {
			t.Errorf("%s: no hint", body)
		}
		if daily && (fault.After(err) <= 0 || fault.After(err) > 25*time.Hour) {
			t.Errorf("a day's quota: after %s", fault.After(err))
		}
	}
}

func TestNextDay(t *testing.T) {
	x := explainer{func() time.Time { return time.Date(2026, 7, 1, 6, 30, 0, 0, time.UTC) }} // half past eleven in California
	if got := x.nextDay(); got < 30*time.Minute || got > 91*time.Minute {
		t.Errorf("midnight in California comes in %s", got)
	}
}

func TestRedirectsAreRefused(t *testing.T) {
	r, elsewhere := start(t, nil), start(t, nil)
	c := r.open(t, nil)
	r.Misbehave(googlesim.Fault{Match: "/users?", Status: http.StatusFound, Header: map[string]string{"Location": elsewhere.URL + "/admin/directory/v1/users"}})
	failing(t, c, streamUsers, fault.Configuration)
	r.Behave()
	r.Misbehave(googlesim.Fault{Match: "/token", Status: http.StatusTemporaryRedirect, Header: map[string]string{"Location": elsewhere.TokenURI()}})
	r.ExpireTokens()
	failing(t, r.open(t, nil), streamUsers, fault.Configuration)
	if n := elsewhere.Requests(""); n > 0 {
		t.Errorf("%d requests followed a redirect", n)
	}
}

// TestPortion: with a part of the share everything takes so much longer, and without any nothing is sent.
func TestPortion(t *testing.T) {
	r := start(t, func(o *googlesim.Options) { o.PageCap = 3 })
	r.Customer(0).Fill(90)
	portion := 1.0
	c := r.open(t, func(cfg *Config) { cfg.Quota, cfg.Share, cfg.Parallel = 60, 50, 2 })
	c.paces.env.Portion = func() float64 { return portion }
	waited := func() time.Duration {
		c.paces.by, c.accounts = map[string]*pace{}, map[string]*account{}
		began := r.slept.Load()
		r.full(t, c, streamUsers)
		return time.Duration(r.slept.Load() - began)
	}
	whole := waited()
	portion = 0.25
	if part := waited(); part < 7*whole/2 || part > 5*whole {
		t.Errorf("waited %s with all of it, and %s with a quarter", whole, part)
	}
	asked := r.Requests("")
	portion = 0
	ctx, stop := context.WithCancel(t.Context())
	c.paces.env.Sleep = func(ctx context.Context, _ time.Duration) error { stop(); return ctx.Err() }
	c.paces.by, c.accounts = map[string]*pace{}, map[string]*account{}
	err := c.Read(ctx, connectors.Request{Stream: streamUsers, Mode: connectors.Full}, func(*connectors.Page) error { return nil })
	if !errors.Is(err, context.Canceled) || r.Requests("") > asked+1 { // a token is another service's
		t.Errorf("%v, after %d requests", err, r.Requests("")-asked)
	}
}

func TestPace(t *testing.T) {
	r := start(t, func(o *googlesim.Options) { o.PageCap = 3 })
	r.Customer(0).Fill(90)
	c := r.open(t, func(cfg *Config) { cfg.Quota, cfg.Share, cfg.Parallel = 60, 50, 2 })
	began := r.slept.Load()
	r.full(t, c, streamUsers)
	// 33 requests, 2 at once, then one every two seconds.
	if waited := time.Duration(r.slept.Load() - began); waited < 10*time.Second {
		t.Errorf("waited %s in all", waited)
	}
	fast := r.open(t, nil).paces
	if a, again, b := fast.of("a"), fast.of("a"), fast.of("b"); a != again || a == b {
		t.Error("a subject has not exactly one pace")
	}
}
