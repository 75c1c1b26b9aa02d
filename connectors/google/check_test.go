package google

import (
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/googlesim"
)

func TestCheckFindings(t *testing.T) {
	r := start(t, nil)
	r.Customer(0).Fill(12)
	everything := func(cfg *Config) {
		cfg.Licences.Products, cfg.Devices = []string{"Google-Apps"}, DevicesConfig{ChromeOS: true, Mobile: true}
		cfg.Users.OrgUnits = []string{"/Sales", "/Product"}
	}
	subjects := func(c *Connector) (good, bad []string) {
		found, err := c.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if f.OK {
				good = append(good, f.Subject)
			} else {
				bad = append(bad, f.Subject+": "+f.Detail+" ("+f.Hint+")")
			}
		}
		return good, bad
	}
	if good, bad := subjects(r.open(t, everything)); len(bad) > 0 || len(good) != 8 {
		t.Errorf("good %q, bad %q", good, bad)
	}
	for name, tc := range map[string]struct {
		change func(*Config)
		fault  *googlesim.Fault
		want   string
	}{
		"an org unit that is not there": {func(c *Config) { c.Users.OrgUnits = []string{"/Nowhere"} }, nil, "no account matches"},
		"a bad query":                   {func(c *Config) { c.Users.Query = "nonsense" }, nil, "400"},
		"an unknown product":            {func(c *Config) { c.Licences.Products = []string{"Google-App"} }, nil, "licences.products"},
		"another customer":              {func(c *Config) { c.Customer = "C0other" }, nil, "no such customer"},
		"a switched off API": {nil, &googlesim.Fault{Match: "/groups?", Status: 403,
			Body: `{"error":{"code":403,"errors":[{"domain":"usageLimits","reason":"accessNotConfigured"}]}}`}, "Google Cloud project"},
		"a subject who may not see": {nil, &googlesim.Fault{Match: "/users?", Kind: googlesim.Change,
			Rewrite: func(doc map[string]any) { delete(doc, "users") }}, "Users > Read"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.fault != nil {
				r.Misbehave(*tc.fault)
				defer r.Behave()
			}
			_, bad := subjects(r.open(t, tc.change))
			if len(bad) != 1 || !strings.Contains(bad[0], tc.want) {
				t.Errorf("findings %q, want %q", bad, tc.want)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	r := start(t, nil)
	names := func(change func(*Config)) string {
		var list []string
		for _, s := range r.open(t, change).Describe().Streams {
			word := s.Name
			if s.Delta {
				word += "+"
			}
			if s.Tombstones {
				word += "-"
			}
			list = append(list, word)
		}
		return strings.Join(list, " ")
	}
	for want, change := range map[string]func(*Config){
		"users+- groups+-": nil,
		"users groups":     func(c *Config) { c.Events = eventsOff },
		"users groups+-":   func(c *Config) { c.Users.Query = "name:x" },
		"licences+ users+- groups+- devices": func(c *Config) {
			c.Licences.Products, c.Devices.Mobile = []string{"Google-Apps"}, true
		},
		"users+-": func(c *Config) { c.Groups.Read = false },
	} {
		if got := names(change); got != want {
			t.Errorf("streams %q, want %q", got, want)
		}
	}
	f := Factory()
	c, err := f.Open(r.configured(nil), connectors.Env{})
	if f.Name != "google" || err != nil || c.Close() != nil {
		t.Errorf("factory %q: %v", f.Name, err)
	}
}
