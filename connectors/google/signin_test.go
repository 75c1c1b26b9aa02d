package google

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/googlesim"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// TestTokenErrors: every way in which a token is refused has a class and says who must do what.
func TestTokenErrors(t *testing.T) {
	for _, tc := range []struct {
		status     int
		code, text string
		class      fault.Class
		hint       string
	}{
		{400, "invalid_grant", "Invalid email or User ID", fault.Auth, "subject"},
		{400, "invalid_grant", "Invalid JWT Signature.", fault.Auth, "new key"},
		{400, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.", fault.Auth, "clock"},
		{400, "invalid_grant", "Token has been expired or revoked.", fault.Auth, "consent"},
		{400, "invalid_grant", "Account has been deleted", fault.Auth, "subject"},
		{400, "invalid_grant", "disabled_client", fault.Auth, "disabled"},
		{400, "invalid_grant", "", fault.Auth, "subject"},
		{401, "unauthorized_client", "Client is unauthorized to retrieve access tokens using this method.", fault.Forbidden, "admin.directory.user.readonly"},
		{401, "invalid_client", "The OAuth client was not found.", fault.Auth, "client"},
		{400, "invalid_scope", "bad", fault.Forbidden, "Domain-wide delegation"},
		{400, "something_new", "somebody@example.test", fault.Auth, "credentials"},
		{500, "internal_failure", "", fault.Transient, ""},
		{503, "", "", fault.Transient, ""},
		{429, "", "", fault.Throttled, ""},
	} {
		t.Run(tc.code+" "+tc.text, func(t *testing.T) {
			r := start(t, nil)
			c := r.open(t, nil)
			body, err := json.Marshal(map[string]string{"error": tc.code, "error_description": tc.text})
			if err != nil {
				t.Fatal(err)
			}
			r.Misbehave(googlesim.Fault{Match: "/token", Status: tc.status, Body: string(body)})
			err = failing(t, c, streamUsers, tc.class)
			if !strings.Contains(fault.Hint(err), tc.hint) {
				t.Errorf("hint %q, want %q in it", fault.Hint(err), tc.hint)
			}
			if strings.Contains(err.Error(), "@") {
				t.Errorf("the error names somebody: %v", err)
			}
			if !strings.Contains(err.Error(), opToken) {
				t.Errorf("the error does not say what was done: %v", err)
			}
		})
	}
}

// TestClockSkew is the real thing: a simulator that compares times as Google does.
func TestClockSkew(t *testing.T) {
	r := start(t, nil)
	c := r.open(t, nil)
	r.Misbehave(googlesim.Fault{Match: "/token", Status: 200, Body: `{"expires_in":3599}`})
	failing(t, c, streamUsers, fault.Transient)
	r.Behave()
	for _, body := range []string{`{"access_token":"x","expires_in":"soon"}`, `[]`} {
		r.Misbehave(googlesim.Fault{Match: "/token", Status: 200, Body: body})
		failing(t, c, streamUsers, fault.Transient)
		r.Behave()
	}
	r.full(t, c, streamUsers)
}

// TestRefreshToken: a client of one's own, in both ways of writing it.
func TestRefreshToken(t *testing.T) {
	r := start(t, nil)
	r.Customer(0).Fill(5)
	for name, change := range map[string]func(*Config){
		"a document": func(c *Config) { c.Credentials, c.Subject = settings.NewSecret(string(r.UserFile())), "" },
		"three keys": func(c *Config) {
			c.Credentials, c.Subject, c.TokenURI = settings.Secret{}, "", r.TokenURI()
			c.OAuth = OAuthConfig{googlesim.ClientID, settings.NewSecret(googlesim.ClientSecret), settings.NewSecret(googlesim.RefreshToken)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			if w := r.full(t, r.open(t, change), streamUsers); len(w.objects) != 6 {
				t.Errorf("%d people", len(w.objects))
			}
		})
	}
	c := r.open(t, func(c *Config) { c.Credentials, c.Subject = settings.NewSecret(string(r.UserFile())), "" })
	r.DeleteKey()
	if err := failing(t, c, streamUsers, fault.Auth); !strings.Contains(fault.Hint(err), "consent again") {
		t.Errorf("a revoked refresh token: %v", err)
	}
}

// TestTokenIsReplacedOnce: a token that was revoked is replaced, and a new one that is refused is an error.
func TestTokenIsReplacedOnce(t *testing.T) {
	r := start(t, nil)
	r.Customer(0).Fill(5)
	c := r.open(t, nil)
	r.full(t, c, streamUsers)
	r.ExpireTokens()
	before := r.Requests("/token")
	r.full(t, c, streamUsers)
	if n := r.Requests("/token") - before; n != 1 {
		t.Errorf("%d new tokens", n)
	}
	r.Misbehave(googlesim.Fault{Match: "/users?", Status: 401, Body: `{"error":{"code":401,"errors":[{"reason":"authError"}]}}`})

	failing(t, c, streamUsers, fault.Auth)
}

// TestEachPartFailsAlone: a scope that was not granted costs what needs it.
func TestEachPartFailsAlone(t *testing.T) {
	all := map[string]string{
		streamUsers: "admin.directory.user.readonly", streamGroups: "admin.directory.group.readonly",
		streamLicences: "apps.licensing", streamDevices: "admin.directory.device.chromeos.readonly",
	}
	for denied, scope := range all {
		t.Run(denied, func(t *testing.T) {
			r := start(t, func(o *googlesim.Options) { o.Modern = true })
			r.Customer(0).Fill(8)
			r.Deny(scope)
			c := r.open(t, func(cfg *Config) { cfg.Licences.Products, cfg.Devices.ChromeOS = []string{"Google-Apps"}, true })
			for stream := range all {
				err := newWorld().read(t.Context(), c, "", stream, connectors.Full)
				// Everything needs the customer, and people need their licences.
				fails := stream == denied || denied == streamUsers || denied == streamLicences && stream == streamUsers
				if fails != (fault.ClassOf(err) == fault.Forbidden) || fails != (err != nil) {
					t.Errorf("%s: %v", stream, err)
				}
			}
			found, err := c.Check(t.Context())
			named := false
			for _, f := range found {
				named = named || !f.OK && strings.HasSuffix(f.Subject, scope) && f.Hint != ""
			}
			if err != nil || !named {
				t.Errorf("Check does not name %s: %+v, %v", scope, found, err)
			}
		})
	}
}

// TestExactScopes: no scope that writes is ever asked for, but the one of licences that has no other form.
func TestExactScopes(t *testing.T) {
	for _, list := range [][]string{userScopes(), groupScopes(), eventScopes(), chromeScopes(), mobileScopes()} {
		for _, s := range list {
			if !strings.HasSuffix(s, ".readonly") {
				t.Errorf("scope %s", s)
			}
		}
	}
	r := start(t, nil)
	if d := fmt.Sprint(r.open(t, nil).Describe().Permissions); strings.Contains(d, "licensing") {
		t.Errorf("licences are off, and their scope is asked for: %s", d)
	}
}

func TestBadKeyInConfiguration(t *testing.T) {
	r := start(t, nil)
	broken := strings.Replace(string(r.KeyFile()), "MII", "MIX", 1)
	c := r.open(t, func(cfg *Config) { cfg.Credentials = settings.NewSecret(broken) })
	if err := failing(t, c, streamUsers, fault.Auth); !strings.Contains(err.Error(), "private key") {
		t.Errorf("%v", err)
	}
}
