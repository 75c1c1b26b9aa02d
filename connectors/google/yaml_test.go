package google

import (
	"testing"
	"time"

	"dirsyncd/sync/settings/strict"
)

// TestYAML: the block as an operator writes it.
func TestYAML(t *testing.T) {
	const block = `
customer: C01abc234
credentials: '{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}'
endpoint: http://127.0.0.1:9/
timeout: 30s
proxy: http://proxy.example:3128
ca_file: ca.pem
attributes: [recoveryEmail, Employment.badge]
users: {org_units: [/Staff], include_suspended: false, last_login: true}
groups: {organisation: false}
licences: {products: [Google-Apps, "101031"]}
devices: {chromeos: true}
events: off
overlap: 1h
share: 80
`
	d := strict.Parse([]byte(block), strict.Options{Dir: "/etc/dirsyncd"})
	c := Defaults()
	d.Root().Into(c)
	if problems := d.Problems(); len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	if issues := c.Validate(); len(issues) > 0 {
		t.Errorf("%+v", issues)
	}
	if c.Events != eventsOff || c.Timeout.Std() != 30*time.Second || c.CAFile != "/etc/dirsyncd/ca.pem" || c.Users.IncludeSuspended ||
		!c.Users.IncludeArchived || !c.Groups.Read || c.Licences.Products[1] != "101031" || c.Overlap.Std() != time.Hour || c.Parallel != 8 {
		t.Errorf("%+v", c)
	}
}
