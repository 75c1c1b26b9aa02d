package oktasim_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/okta/okta-sdk-golang/v2/okta"
	"github.com/okta/okta-sdk-golang/v2/okta/query"

	"dirsyncd/connectors/sim/oktasim"
)

func start(t *testing.T, o oktasim.Options) *oktasim.Server {
	t.Helper()
	s, err := oktasim.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func client(t *testing.T, s *oktasim.Server, more ...okta.ConfigSetter) (context.Context, *okta.Client) {
	t.Helper()
	options := append([]okta.ConfigSetter{
		okta.WithOrgUrl(s.URL), okta.WithToken(s.Token()), okta.WithTestingDisableHttpsCheck(true), okta.WithCache(false),
		okta.WithHttpClientPtr(&http.Client{Timeout: 5 * time.Minute}),
	}, more...)
	ctx, c, err := okta.NewClient(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	return ctx, c
}

// TestSDK reads the simulator with the SDK as it comes, its own types and its own paging.
func TestSDK(t *testing.T) {
	s := start(t, oktasim.Options{People: 450, Groups: 12, Apps: 2})
	ctx, c := client(t, s)
	var users []*okta.User
	list, resp, err := c.User.ListUsers(ctx, query.NewQueryParams(query.WithLimit(200)))
	for err == nil {
		users = append(users, list...)
		if !resp.HasNextPage() {
			break
		}
		list = nil
		resp, err = resp.Next(ctx, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	deactivated := 0
	for _, u := range s.Users() {
		if u.Status == "DEPROVISIONED" {
			deactivated++
		}
	}
	if len(users)+deactivated != 450 || deactivated == 0 || (*users[0].Profile)["login"] != "user0@example.com" {
		t.Errorf("%d users, %d deactivated", len(users), deactivated)
	}
	gone, _, err := c.User.ListUsers(ctx, query.NewQueryParams(query.WithFilter(`status eq "DEPROVISIONED"`)))
	if err != nil || len(gone) != deactivated {
		t.Errorf("%d deactivated, want %d: %v", len(gone), deactivated, err)
	}
	groups, _, err := c.Group.ListGroups(ctx, query.NewQueryParams(query.WithFilter(`type eq "OKTA_GROUP"`)))
	if err != nil || len(groups) == 0 || groups[0].Profile.Name == "" {
		t.Errorf("%d groups: %v", len(groups), err)
	}
	members, _, err := c.Group.ListGroupUsers(ctx, groups[0].Id, nil)
	if err != nil || len(members) == 0 {
		t.Errorf("%d members: %v", len(members), err)
	}
	s.DeleteUser(users[3].Id)
	events, resp, err := c.LogEvent.GetLogs(ctx, query.NewQueryParams(query.WithFilter(`eventType eq "user.lifecycle.delete.completed"`)))
	if err != nil || len(events) != 1 || events[0].Target[0].Id != users[3].Id || !resp.HasNextPage() {
		t.Errorf("%d events: %v", len(events), err)
	}
}

// TestTokenInTheAddress: the SDK sends the assertion in the query of a POST without a body.
func TestTokenInTheAddress(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, oktasim.Options{People: 5, ClientID: "0oa1", Key: &key.PublicKey})
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	ctx, c := client(t, s, okta.WithAuthorizationMode("PrivateKey"), okta.WithClientId("0oa1"), okta.WithPrivateKey(string(text)),
		okta.WithScopes([]string{"okta.users.read"}))
	if users, _, err := c.User.ListUsers(ctx, nil); err != nil || len(users) != 5 {
		t.Errorf("%d users: %v", len(users), err)
	}
	if _, resp, err := c.Group.ListGroups(ctx, nil); err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("a scope that the token lacks: %v", err)
	}
}

// TestFilters asks with expressions that Okta takes, and with some that it does not.
func TestFilters(t *testing.T) {
	s := start(t, oktasim.Options{People: 30})
	ctx, c := client(t, s)
	count := func(o query.ParamOptions) int {
		users, _, err := c.User.ListUsers(ctx, query.NewQueryParams(o, query.WithLimit(200)))
		if err != nil {
			return -1
		}
		return len(users)
	}
	for text, want := range map[string]int{
		`profile.login eq "user3@example.com"`:                                                1,
		`profile.login eq "USER3@example.com"`:                                                0,
		`(id eq "x" or profile.login eq "user3@example.com") and status eq "ACTIVE"`:          1,
		`lastUpdated ge "2020-01-01T00:00:00.000Z" and lastUpdated lt "2020-01-02T00:00:00Z"`: 0,
		`profile.title eq "x"`: -1, `status sw "A"`: -1, `status eq`: -1, `status eq "A`: -1, `(status eq "A"`: -1, `status eq "A") `: -1, `and`: -1,
	} {
		if got := count(query.WithFilter(text)); got != want {
			t.Errorf("filter %s: %d, want %d", text, got, want)
		}
	}
	for text, want := range map[string]int{
		`profile.login eq "USER3@example.com"`: 1, `profile.employeeNumber sw "E00000"`: 10, `profile.title ne "x"`: -1, `created gt "2020-01-01T00:00:00.000Z"`: 30,
	} {
		if got := count(query.WithSearch(text)); got != want {
			t.Errorf("search %s: %d, want %d", text, got, want)
		}
	}
}

// TestSameSeed: two orgs of one seed are the same, of two seeds they differ.
func TestSameSeed(t *testing.T) {
	names := func(seed int) (list []string) {
		for _, u := range start(t, oktasim.Options{People: 20, Seed: seed}).Users() {
			list = append(list, u.Profile["displayName"].(string))
		}
		return list
	}
	if a, b, c := names(1), names(1), names(2); !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Errorf("seeds: %v %v %v", a, b, c)
	}
}

func FuzzFilter(f *testing.F) {
	s, err := oktasim.Start(oktasim.Options{People: 3})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	f.Add(`status eq "A\"B" and (id eq "x" or lastUpdated ge "2020-01-01T00:00:00Z")`)
	f.Add(`(((`)
	f.Fuzz(func(t *testing.T, text string) {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/users", nil)
		q := req.URL.Query()
		q.Set("search", text)
		req.URL.RawQuery = q.Encode()
		req.Header.Set("Authorization", "SSWS "+s.Token())
		resp, err := (&http.Client{Timeout: 5 * time.Minute}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusTooManyRequests {
			t.Fatalf("%d", resp.StatusCode)
		}
	})
}
