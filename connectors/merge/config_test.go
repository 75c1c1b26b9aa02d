package merge

import (
	"slices"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
)

var _ connectors.Selective = (*Config)(nil)

func valid() *Config {
	c := Defaults()
	c.From = settings.Names{"hq-ad", "entra", "hr"}
	c.Join = []Join{{Fields: map[string]string{"hq-ad": "id", "entra": "attributes.onPremisesImmutableId"}, As: "guid"}, {Field: "employee_id"},
		{Field: "email", Domains: []string{"example.com"}}}
	return c
}

func TestValidate(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		path   string
	}{
		"valid":                {func(*Config) {}, ""},
		"one alone":            {func(c *Config) { c.From, c.Join = c.From[:1], c.Join[1:] }, "from"},
		"a leader":             {func(c *Config) { c.Leader, c.Leaver = "hr", "leader" }, ""},
		"a leader from afar":   {func(c *Config) { c.Leader = "payroll" }, "leader"},
		"led by nobody":        {func(c *Config) { c.Leaver = "leader" }, "leaver"},
		"a strange leaver":     {func(c *Config) { c.Leaver = "first" }, "leaver"},
		"nothing joins":        {func(c *Config) { c.Join = nil }, "join"},
		"by a name":            {func(c *Config) { c.Join[1].Field = "name" }, "join[1]"},
		"by a phone":           {func(c *Config) { c.Join[1].Field = "phone" }, "join[1]"},
		"no field":             {func(c *Config) { c.Join[1].Field = "" }, "join[1]"},
		"both":                 {func(c *Config) { c.Join[0].Field = "id" }, "join[0]"},
		"from afar":            {func(c *Config) { c.Join[0].Fields["okta"] = "id" }, "join[0].fields"},
		"of one alone":         {func(c *Config) { delete(c.Join[0].Fields, "entra") }, "join[0].fields"},
		"mail of anywhere":     {func(c *Config) { c.Join[2].Domains = nil }, "join[2].domains"},
		"login of anywhere":    {func(c *Config) { c.Join[1].Field = "login" }, "join[1].domains"},
		"login of a domain":    {func(c *Config) { c.Join[1].Field, c.Join[1].Domains = "login", []string{"example.com"} }, ""},
		"domains of a number":  {func(c *Config) { c.Join[1].Domains = []string{"example.com"} }, "join[1].domains"},
		"a strange spelling":   {func(c *Config) { c.Join[0].As = "hex" }, "join[0].as"},
		"fields":               {func(c *Config) { c.Fields = map[string]settings.Names{"manager": {"hr"}, "attributes.x": {"entra"}} }, ""},
		"an unknown field":     {func(c *Config) { c.Fields = map[string]settings.Names{"nick": {"hr"}} }, "fields.nick"},
		"a field of a strange": {func(c *Config) { c.Fields = map[string]settings.Names{"title": {"okta"}} }, "fields.title"},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			test.change(c)
			var paths []string
			for _, issue := range c.Validate() {
				paths = append(paths, issue.Path)
			}
			if test.path == "" && len(paths) > 0 || test.path != "" && !slices.Contains(paths, test.path) {
				t.Errorf("issues at %q, want %q", paths, test.path)
			}
		})
	}
}

func TestAnchors(t *testing.T) {
	c := valid()
	c.Blank = []string{"0000"}
	if issues := c.Validate(); len(issues) > 0 {
		t.Fatal(issues)
	}
	const text, raw = "00112233-4455-6677-8899-aabbccddeeff", "MyIRAFVEd2aImaq7zN3u/w=="
	for _, test := range []struct {
		join       int
		text, same string // empty: no value
	}{
		{0, text, raw}, {0, "{00112233-4455-6677-8899-AABBCCDDEEFF}", raw}, {0, "00112233445566778899aabbccddeeff", ""}, {0, "", ""}, {0, "MyIRAFVEd2Y=", ""},
		{1, " 007 ", "007"}, {1, "A7", "a7"}, {1, "-", ""}, {1, "N/A", ""}, {1, "0000", ""}, {1, "none", ""}, {1, "Unknown", ""},
		{2, "Ada@Example.COM", "ada@example.com"}, {2, "ada@example.org", ""}, {2, "ada", ""}, {2, "ada@mail.example.com", ""},
	} {
		j := &c.Join[test.join]
		got := c.normal(j, test.text)
		want := test.same
		if want != "" {
			want = c.normal(j, want)
		}
		if got != want || (test.same == "") != (got == "") {
			t.Errorf("%q: %q, want %q", test.text, got, want)
		}
	}
	o := directory.Object{Kind: directory.Person, ID: text}
	o.SetText("employee_id", "7")
	ad := c.anchors("hq-ad", &o)
	o.ID = "e1"
	o.SetText("attributes.onPremisesImmutableId", raw)
	entra, hr := c.anchors("entra", &o), c.anchors("hr", &o)
	if ad[0] == "" || ad[0] != entra[0] || hr[0] != "" || ad[1] != hr[1] || ad[1] == "" || ad[2] != "" {
		t.Errorf("%q %q %q", ad, entra, hr)
	}
}

func FuzzGUID(f *testing.F) {
	for _, text := range []string{"", "00112233-4455-6677-8899-aabbccddeeff", "MyIRAFVEd2aImaq7zN3u/w==", "{x}", "--------------------------------"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if raw := guidBytes(text); raw != "" && len(raw) != 16 {
			t.Errorf("%q: %d bytes", text, len(raw))
		}
	})
}
