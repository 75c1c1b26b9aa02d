package ldap

import (
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors/ldap/sambatest"
	"dirsyncd/connectors/ldap/slapdtest"
)

// attributeFindings are what a check says about attributes, in short.
func attributeFindings(t *testing.T, c *Connector) string {
	t.Helper()
	findings, err := c.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range findings {
		if strings.HasPrefix(f.Subject, "attribute") {
			list = append(list, f.Subject)
			if !f.OK && f.Hint == "" {
				t.Errorf("finding %+v has no hint", f)
			}
		}
	}
	return strings.Join(list, ", ")
}

func TestCheckSchema(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Load: slapdtest.Population{People: 2, Groups: 1}.WriteLDIF})
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"nothing": {nil, ""},
		"all known": {func(c *Config) {
			c.Attributes = attributesNamed("roomNumber", "COMMONNAME", "entryUUID", "description;lang-de", "2.5.4.3")
			c.Fields = map[string]Names{"office": {"l"}}
		}, "attributes"},
		"unknown": {func(c *Config) {
			c.Anchor.Users, c.Attributes = "employeeNumbr", attributesNamed("roomNumber", "extensionAttribute1", "Extensionattribute1")
			c.Fields = map[string]Names{"office": {"phisicalDeliveryOfficeName", "l"}}
		}, "attribute employeeNumbr, attribute extensionAttribute1, attribute phisicalDeliveryOfficeName"},
	} {
		if got := attributeFindings(t, openFor(t, s, tc.change)); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	if got := attributeFindings(t, newFakeServer(t, fakeAD()).open(t, func(c *Config) { c.Attributes = attributesNamed("x") })); got != "" {
		t.Errorf("without a schema: %q", got)
	}
}

func domainSchema(t *testing.T, d *domain) {
	c := d.open(t, func(c *Config) {
		c.Attributes = attributesNamed("thumbnailPhoto", "msDS-User-Account-Control-Computed", "memberOf", "thumbnailFoto")
	}, "CN=Users,"+sambatest.Suffix)
	if got := attributeFindings(t, c); got != "attribute thumbnailFoto" {
		t.Errorf("findings %q", got)
	}
}

func TestAttributeNames(t *testing.T) {
	for description, want := range map[string]string{
		"( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'RFC4519: NAME of' SUP name )": "cn commonName",
		"( 2.5.4.4 NAME 'sn' SUP name )":                                          "sn",
		"( 1.2.3 DESC 'none' )":                                                   "",
		"( 1.2.3 NAME (":                                                          "",
		"( 1.2.3 NAME ":                                                           "",
		"":                                                                        "",
	} {
		if got := parseAttributeType(description).names; !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %q, want %q", description, got, want)
		}
	}
}

func FuzzAttributeNames(f *testing.F) {
	f.Add("( 2.5.4.3 NAME ( 'cn' 'commonName' ) )")
	f.Add("( 2.5.4.4 NAME 'sn' )")
	f.Fuzz(func(t *testing.T, description string) {
		if slices.Contains(parseAttributeType(description).names, "") {
			t.Error("an empty name")
		}
	})
}
