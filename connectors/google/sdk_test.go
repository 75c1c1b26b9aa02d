package google

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	directoryapi "google.golang.org/api/admin/directory/v1"
	reportsapi "google.golang.org/api/admin/reports/v1"
	"google.golang.org/api/licensing/v1"
	resellerapi "google.golang.org/api/reseller/v1"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/googlesim"
)

// The SDK makes the requests and nothing else. Paths and parameters of every request of every test are held against its
// discovery documents by the simulator; these tests hold the fields that we ask for and read against its types. When one
// fails after an update of the SDK, Google has changed something: see docs/sdks.md.

// sdkAnswers are the types of the SDK for the answers to our requests, by what the path ends in when ids are left out.
func sdkAnswers() map[string]reflect.Type {
	return map[string]reflect.Type{
		"/admin/directory/v1/users":                           reflect.TypeFor[directoryapi.Users](),
		"/admin/directory/v1/users/{}":                        reflect.TypeFor[directoryapi.User](),
		"/admin/directory/v1/groups":                          reflect.TypeFor[directoryapi.Groups](),
		"/admin/directory/v1/groups/{}":                       reflect.TypeFor[directoryapi.Group](),
		"/admin/directory/v1/groups/{}/members":               reflect.TypeFor[directoryapi.Members](),
		"/admin/directory/v1/customers/{}":                    reflect.TypeFor[directoryapi.Customer](),
		"/admin/directory/v1/customer/{}/devices/chromeos":    reflect.TypeFor[directoryapi.ChromeOsDevices](),
		"/admin/directory/v1/customer/{}/devices/mobile":      reflect.TypeFor[directoryapi.MobileDevices](),
		"/admin/reports/v1/activity/users/{}/applications/{}": reflect.TypeFor[reportsapi.Activities](),
		"/apps/licensing/v1/product/{}/users":                 reflect.TypeFor[licensing.LicenseAssignmentList](),
		"/apps/reseller/v1/subscriptions":                     reflect.TypeFor[resellerapi.Subscriptions](),
		"/apps/reseller/v1/customers/{}":                      reflect.TypeFor[resellerapi.Customer](),
	}
}

// untyped are fields for which the SDK has no type, because what is in them depends on who wrote them, and the type that
// it has beside them. A field that gets a type of its own fails the tests: what depends on its form is to be looked at.
func untyped() map[string]reflect.Type {
	return map[string]reflect.Type{
		"addresses":     reflect.TypeFor[directoryapi.UserAddress](),
		"emails":        reflect.TypeFor[directoryapi.UserEmail](),
		"externalIds":   reflect.TypeFor[directoryapi.UserExternalId](),
		"languages":     reflect.TypeFor[directoryapi.UserLanguage](),
		"locations":     reflect.TypeFor[directoryapi.UserLocation](),
		"organizations": reflect.TypeFor[directoryapi.UserOrganization](),
		"phones":        reflect.TypeFor[directoryapi.UserPhone](),
		"relations":     reflect.TypeFor[directoryapi.UserRelation](),
	}
}

// lacking are fields that we read and the SDK's types do not have, and why. One that they get fails the tests.
func lacking() map[reflect.Type]map[string]string {
	const shared = "one decoder reads all lists of values, and a missing primary is false"
	return map[reflect.Type]map[string]string{
		reflect.TypeFor[directoryapi.UserRelation]():   {"primary": shared},
		reflect.TypeFor[directoryapi.UserExternalId](): {"primary": shared},
	}
}

// fieldsOf are the fields of a type by their names in JSON; none when it is no structure, nor a list of one.
func fieldsOf(typ reflect.Type) map[string]reflect.Type {
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

// sdkField finds a field in a type of the SDK.
func sdkField(t *testing.T, in reflect.Type, name string) (reflect.Type, bool) {
	t.Helper()
	typ, ok := fieldsOf(in)[name]
	beside, listed := untyped()[name]
	why, lacks := lacking()[in][name]
	switch {
	case ok && lacks:
		t.Errorf("%s has %s now, which it lacked: %s", in, name, why)
	case lacks:
	case !ok:
		t.Errorf("%s has no %s", in, name)
	case listed && typ.Kind() == reflect.Interface:
		return beside, true
	case listed && in == reflect.TypeFor[directoryapi.User]():
		t.Errorf("%s of %s is a %s now and not anything", name, in, typ)
	}
	return typ, ok
}

// TestSDKFields: what our decoders read is in the types of the SDK.
func TestSDKFields(t *testing.T) {
	var compare func(ours, sdk reflect.Type)
	compare = func(ours, sdk reflect.Type) {
		for name, typ := range fieldsOf(ours) {
			if beside, ok := sdkField(t, sdk, name); ok {
				compare(typ, beside)
			}
		}
	}
	for ours, sdk := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[user]():           reflect.TypeFor[directoryapi.User](),
		reflect.TypeFor[group]():          reflect.TypeFor[directoryapi.Group](),
		reflect.TypeFor[member]():         reflect.TypeFor[directoryapi.Member](),
		reflect.TypeFor[customer]():       reflect.TypeFor[directoryapi.Customer](),
		reflect.TypeFor[chromeDevice]():   reflect.TypeFor[directoryapi.ChromeOsDevice](),
		reflect.TypeFor[mobileDevice]():   reflect.TypeFor[directoryapi.MobileDevice](),
		reflect.TypeFor[activity]():       reflect.TypeFor[reportsapi.Activity](),
		reflect.TypeFor[assignment]():     reflect.TypeFor[licensing.LicenseAssignment](),
		reflect.TypeFor[subscription]():   reflect.TypeFor[resellerapi.Subscription](),
		reflect.TypeFor[resoldCustomer](): reflect.TypeFor[resellerapi.Customer](),
	} {
		compare(ours, sdk)
	}
}

// TestSDKMasks: every field that we ask for, in every kind of request, is in the type of the SDK for its answer.
func TestSDKMasks(t *testing.T) {
	r := start(t, nil)
	home := r.Customer(0)
	ada := home.AddUser(googlesim.User{Email: "ada@example.test", GivenName: "Ada", FamilyName: "Ames"})
	all := home.AddGroup(googlesim.Group{Email: "all@example.test", Name: "All", Members: []googlesim.Member{{ID: ada, Email: "ada@example.test", Type: "USER"}}})
	home.Assign(googlesim.Licence{Product: "P", SKU: "S", Email: "ada@example.test"})
	r.Reseller().Sell(googlesim.Resold{ID: "C0sold", Domain: "sold.test"}, googlesim.Subscription{SKU: "S"})

	var mu sync.Mutex
	masks := map[string][]string{} // by path without ids
	target, _ := url.Parse(r.URL)
	proxy := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		path := sdkPath(req.URL.Path)
		masks[path] = append(masks[path], req.URL.Query().Get("fields"))
		mu.Unlock()
		proxy.ServeHTTP(w, req)
	}))
	defer front.Close()

	everything := func(cfg *Config) {
		cfg.Licences.Products, cfg.Users.LastLogin = []string{"P"}, true
		cfg.Devices.ChromeOS, cfg.Devices.Mobile, cfg.Devices.LastSeen = true, true, true
	}
	for _, change := range []func(*Config){everything, func(cfg *Config) { cfg.Reseller = true }} {
		c := r.open(t, func(cfg *Config) {
			cfg.Endpoint, cfg.TokenURI = front.URL+"/", r.TokenURI()
			change(cfg)
		})
		tenants, err := c.Tenants(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, stream := range c.Describe().Streams {
			w := newWorld()
			if err := w.read(t.Context(), c, tenants[0].ID, stream.Name, connectors.Full); err != nil {
				t.Fatalf("%s: %v", stream.Name, err)
			}
			if !stream.Delta {
				continue
			}
			home.EditUser(ada, "CHANGE_FIRST_NAME", func(u *googlesim.User) { u.GivenName += "a" })
			home.EditGroup(all, "CHANGE_GROUP_NAME", func(g *googlesim.Group) { g.Name += "l" })
			r.advance(time.Hour)
			if err := w.read(t.Context(), c, tenants[0].ID, stream.Name, connectors.Delta); err != nil {
				t.Fatalf("changes of %s: %v", stream.Name, err)
			}
		}
	}
	answers := sdkAnswers()
	for path, list := range masks {
		answer, ok := answers[path]
		if !ok {
			t.Errorf("no type of the SDK is known for %s", path)
			continue
		}
		for _, mask := range list {
			if rest := checkMask(t, answer, mask); mask == "" || rest != "" {
				t.Errorf("%s: the mask %q is not one", path, mask)
			}
		}
		delete(answers, path)
	}
	for path := range answers {
		t.Errorf("%s was not asked for: the test does not cover it", path)
	}
}

// sdkPath leaves ids out of a path.
func sdkPath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		if i > 0 && slices.Contains([]string{"users", "groups", "customers", "customer", "applications", "product"}, parts[i-1]) {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}

// checkMask finds the fields of a mask, such as "a,b(c,d)", in a type, and returns what follows its end.
func checkMask(t *testing.T, in reflect.Type, mask string) (rest string) {
	t.Helper()
	for {
		end := strings.IndexAny(mask, "(,)")
		if end < 0 {
			end = len(mask)
		}
		typ, ok := sdkField(t, in, mask[:end])
		if mask = mask[end:]; strings.HasPrefix(mask, "(") {
			if !ok {
				return mask
			}
			mask = checkMask(t, typ, mask[1:])
			if !strings.HasPrefix(mask, ")") {
				return mask
			}
			mask = mask[1:]
		}
		if !strings.HasPrefix(mask, ",") {
			return mask
		}
		mask = mask[1:]
	}
}
