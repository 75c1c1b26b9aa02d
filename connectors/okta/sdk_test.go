package okta

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"
	sdkquery "github.com/okta/okta-sdk-golang/v2/okta/query"

	"dirsyncd/connectors/sim/oktasim"
)

// The SDK carries the requests; their paths and the reading of answers are ours. These tests hold both against what the SDK
// would have asked and read itself. When one fails after an update of the SDK, Okta has changed something: see docs/sdks.md.

// sdkCalls are the SDK's own methods for what we ask, by our path without ids.
func sdkCalls(c *sdk.Client) map[string]func(ctx context.Context, id string, q *sdkquery.Params) error {
	return map[string]func(context.Context, string, *sdkquery.Params) error{
		"/api/v1/users": func(ctx context.Context, _ string, q *sdkquery.Params) error {
			_, _, err := c.User.ListUsers(ctx, q)
			return err
		},
		"/api/v1/users/{id}": func(ctx context.Context, id string, _ *sdkquery.Params) error {
			_, _, err := c.User.GetUser(ctx, id)
			return err
		},
		"/api/v1/users/me": func(ctx context.Context, _ string, _ *sdkquery.Params) error {
			_, _, err := c.User.GetUser(ctx, "me")
			return err
		},
		"/api/v1/groups": func(ctx context.Context, _ string, q *sdkquery.Params) error {
			_, _, err := c.Group.ListGroups(ctx, q)
			return err
		},
		"/api/v1/groups/{id}/users": func(ctx context.Context, id string, q *sdkquery.Params) error {
			_, _, err := c.Group.ListGroupUsers(ctx, id, q)
			return err
		},
		"/api/v1/apps": func(ctx context.Context, _ string, q *sdkquery.Params) error {
			_, _, err := c.Application.ListApplications(ctx, q)
			return err
		},
		"/api/v1/apps/{id}": func(ctx context.Context, id string, q *sdkquery.Params) error {
			_, _, err := c.Application.GetApplication(ctx, id, sdk.NewApplication(), q)
			return err
		},
		"/api/v1/apps/{id}/users": func(ctx context.Context, id string, q *sdkquery.Params) error {
			_, _, err := c.Application.ListApplicationUsers(ctx, id, q)
			return err
		},
		"/api/v1/logs": func(ctx context.Context, _ string, q *sdkquery.Params) error {
			_, _, err := c.LogEvent.GetLogs(ctx, q)
			return err
		},
	}
}

// TestSDKRequests: every address that we ask for is the one that the SDK's own method makes of the same options.
func TestSDKRequests(t *testing.T) {
	var asked *url.URL
	c, err := newSDK("https://example.okta.com", "x", "SSWS", &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		asked = req.URL
		return &http.Response{
			StatusCode: http.StatusOK, Request: req, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader("null")),
		}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	calls := sdkCalls(c)
	unused := sdkCalls(c)
	for _, ours := range everyRequest(t) {
		path, id := ours.Path, ""
		if parts := strings.Split(path, "/"); len(parts) > 4 && parts[4] != "me" {
			id, parts[4] = parts[4], "{id}"
			path = strings.Join(parts, "/")
		}
		if path == organizationPath {
			continue // see TestSDKLacks
		}
		call := calls[path]
		if call == nil {
			t.Errorf("no method of the SDK is known for %s", ours)
			continue
		}
		delete(unused, path)
		if err := call(t.Context(), id, sdkParams(t, ours.Query())); err != nil {
			t.Errorf("%s: %v", ours, err)
			continue
		}
		if asked.Path != ours.Path || !reflect.DeepEqual(asked.Query(), ours.Query()) {
			t.Errorf("we ask for\n%s, the SDK for\n%s", ours, asked.RequestURI())
		}
	}
	for path := range unused {
		t.Errorf("%s was not asked for: the test does not cover it", path)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// sdkParams are options as the SDK takes them. One that it does not know fails the test.
func sdkParams(t *testing.T, values url.Values) *sdkquery.Params {
	t.Helper()
	options := map[string]any{}
	for name, list := range values {
		options[name] = list[0]
		if n, err := strconv.Atoi(list[0]); err == nil && name == "limit" {
			options[name] = n
		}
	}
	data, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	p := &sdkquery.Params{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		t.Errorf("the SDK takes other options than %s: %v", data, err)
	}
	return p
}

// everyRequest are the addresses, each kind of them at least once, that reads of an org ask for.
func everyRequest(t *testing.T) (list []*url.URL) {
	t.Helper()
	b := start(t, oktasim.Options{People: 30, Groups: 5, Apps: 2, PageCap: 20}, func(c *Config) { c.Apps = true })
	var mu sync.Mutex
	target, _ := url.Parse(b.org.URL)
	proxy := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		u := *req.URL
		list = append(list, &u)
		mu.Unlock()
		proxy.ServeHTTP(w, req)
	}))
	defer front.Close()
	b.cfg.URL = front.URL
	b.reopen()
	who, app := b.org.UserIDs()[0], b.org.Apps()[0].ID
	// Somebody is deactivated while the lists are read, which makes the reader look at one person.
	b.org.SetStatus(who, statusDeprovisioned)
	users, groups := b.full(streamUsers).cursor, b.full(streamGroups).cursor
	b.org.RenameApp(app, "Renamed")
	b.org.DeleteUser(who)
	b.clock.advance(time.Hour)
	b.delta(streamUsers, users)
	b.delta(streamGroups, groups)
	return list
}

// TestSDKFields: what our decoders read is in the types of the SDK.
func TestSDKFields(t *testing.T) {
	var compare func(ours, theirs reflect.Type)
	compare = func(ours, theirs reflect.Type) {
		has := sdkFields(theirs)
		for name, typ := range sdkFields(ours) {
			if beside, ok := has[name]; !ok {
				t.Errorf("%s has no %s", theirs, name)
			} else {
				compare(typ, beside)
			}
		}
	}
	for ours, theirs := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[userEntry]():   reflect.TypeFor[sdk.User](),
		reflect.TypeFor[groupEntry]():  reflect.TypeFor[sdk.Group](),
		reflect.TypeFor[appEntry]():    reflect.TypeFor[sdk.Application](),
		reflect.TypeFor[memberEntry](): reflect.TypeFor[sdk.AppUser](), // of a group they are users, who have all but the scope
		reflect.TypeFor[event]():       reflect.TypeFor[sdk.LogEvent](),
	} {
		compare(ours, theirs)
	}
}

// sdkFields are the fields of a type by their names in JSON; none when it is no structure, nor a list of one.
func sdkFields(typ reflect.Type) map[string]reflect.Type {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	fields := map[string]reflect.Type{}
	for i := 0; typ.Kind() == reflect.Struct && i < typ.NumField(); i++ {
		if name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
			fields[name] = typ.Field(i).Type
		}
	}
	return fields
}

// TestSDKLacks: what the SDK lacks and we do without it. When it gets one of these, look whether it helps.
func TestSDKLacks(t *testing.T) {
	client := reflect.TypeFor[sdk.Client]()
	for i := range client.NumField() {
		for j := range client.Field(i).Type.NumMethod() {
			if name := client.Field(i).Type.Method(j).Name; strings.Contains(name, "WellKnown") || strings.Contains(name, "WellknownOrg") {
				t.Errorf("the SDK has %s now: it knew no way to ask an org which it is (%s)", name, organizationPath)
			}
		}
	}
	if typ := reflect.TypeFor[sdk.User](); sdkFields(typ)["profile"].Elem().Kind() != reflect.Map {
		t.Error("profiles of users have a type of their own now: it was a map, from which the digits of long numbers are lost")
	}
}
