package entra

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/rest"
)

// TestRequests: every request carries what the service shall know, and short answers are asked for on every page.
func TestRequests(t *testing.T) {
	w := small(t)
	var minimal, pages int
	c := w.reader(Selection{Groups: true}, func(base http.RoundTripper) http.RoundTripper {
		return checkRequest{base, func(req *http.Request) {
			if !strings.HasPrefix(req.URL.Path, "/v1.0/") {
				return
			}
			if req.Header.Get("X-Ms-Throttle-Priority") != "low" || !strings.HasPrefix(req.Header.Get("Authorization"), "Bearer ") {
				t.Errorf("%s: %v", req.URL.Path, req.Header)
			}
			if strings.Contains(req.URL.Path, "/delta") {
				pages++
				if req.Header.Get("Prefer") == "return=minimal" {
					minimal++
				}
			}
		}}
	})
	m := newModel(t, c)
	if err := m.sync(false); err != nil || minimal != 0 {
		t.Fatal(minimal, err)
	}
	for _, id := range w.tenant.GroupIDs() {
		w.tenant.Set(id, microsoftsim.Props{"description": "changed"})
	}
	pages = 0
	users := len(w.tenant.UserIDs())
	if err := m.sync(false); err != nil || users != 40 || minimal < 3 || pages != minimal+1 {
		t.Errorf("%d pages, %d of them short, %v", pages, minimal, err)
	}
}

type checkRequest struct {
	base http.RoundTripper
	look func(*http.Request)
}

func (c checkRequest) RoundTrip(req *http.Request) (*http.Response, error) {
	c.look(req)
	return c.base.RoundTrip(req)
}

// TestSpellingOfHosts: a service writes its links in small letters, whatever the operator writes.
func TestSpellingOfHosts(t *testing.T) {
	client := must(NewClient(ClientOptions{Graph: "https://Graph.TEST/"}))
	if u, err := rest.Link(client.graph, "read", "https://graph.test/v1.0/users?$skiptoken=Aa"); err != nil || u.RawQuery != "$skiptoken=Aa" {
		t.Error(err)
	}
}

// TestAddresses: what each first request asks for. An option that a template does not have would be missing here.
func TestAddresses(t *testing.T) {
	r := newRequests("https://graph.test")
	two, id := []string{"id", "displayName"}, "a/ b"
	made := func(u *url.URL, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return u.String()
	}
	for made, want := range map[string]string{
		made(r.usersDelta(two)):                                     "/users/delta()?%24select=id,displayName",
		made(r.userList(two, false, 999, "")):                       "/users?%24select=id,displayName&%24top=999",
		made(r.userList(two, true, 999, "")):                        "/users?%24expand=manager%28%24select%3Did%29&%24select=id,displayName&%24top=999",
		made(r.userList(two, true, 0, "id in ('a','b')")):           "/users?%24expand=manager%28%24select%3Did%29&%24filter=id%20in%20%28%27a%27%2C%27b%27%29&%24select=id,displayName",
		made(r.userSize()):                                          "/users?%24count=true&%24select=id&%24top=1",
		made(r.user(id)):                                            "/users/a%2F%20b?%24select=id",
		made(r.photo(id)):                                           "/users/a%2F%20b/photo",
		made(r.groupsDelta(two)):                                    "/groups/delta()?%24select=id,displayName",
		made(r.groupList(two, false, 50)):                           "/groups?%24select=id,displayName&%24top=50",
		made(r.groupList(two, true, 50)):                            "/groups?%24expand=owners%28%24select%3Did%29&%24select=id,displayName&%24top=50",
		made(r.owners(id, 999)):                                     "/groups/a%2F%20b/owners?%24select=id&%24top=999",
		made(r.groupSize()):                                         "/groups?%24count=true&%24select=id&%24top=1",
		made(r.group(id, two)):                                      "/groups/a%2F%20b?%24select=id,displayName",
		made(r.groupThere(id)):                                      "/groups/a%2F%20b?%24select=id",
		made(r.members(id, 999)):                                    "/groups/a%2F%20b/members?%24select=id&%24top=999",
		made(r.parents(id, 999)):                                    "/groups/a%2F%20b/memberOf?%24select=id&%24top=999",
		made(r.subscribedSKUs()):                                    "/subscribedSkus",
		made(r.subscriptions()):                                     "/subscriptions",
		made(r.subscription(id)):                                    "/subscriptions/a%2F%20b",
		made(r.managedDevice(id)):                                   "/deviceManagement/managedDevices/a%2F%20b?%24select=id",
		made(r.managedDevices(two, 999)):                            "/deviceManagement/managedDevices?%24select=id,displayName&%24top=999",
		made(r.userList(two, false, 999, "mail eq 'o''brien@a.b'")): "/users?%24filter=mail%20eq%20%27o%27%27brien%40a.b%27&%24select=id,displayName",
		r.batch().String():                                          "/$batch",
	} {
		if want = "https://graph.test/v1.0" + want; made != want {
			t.Errorf("made is\n%s, not\n%s", made, want)
		}
	}
}
