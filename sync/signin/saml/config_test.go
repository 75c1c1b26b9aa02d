package saml

import (
	"slices"
	"strings"
	"testing"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

func TestConfig(t *testing.T) {
	const good = "metadata: {url: https://idp.example.test/m}\nentity_id: https://idp.example.test\n"
	tests := []struct {
		text   string
		issues string // their paths
		advice string
	}{
		{text: good},
		{text: good + "attributes: {mail: [a, b], object_guid: c}\nname_id: urn:x:y\nbinding: post\nidp_initiated: refuse\ncertificate_dates: ignore\n"},
		{text: "{}", issues: "entity_id metadata"},
		{text: "metadata: {url: https://a.test, file: b}\nentity_id: x\n", issues: "metadata"},
		{text: "metadata: {url: http://a.test}\nentity_id: x\n", issues: "metadata.url"},
		{text: "metadata: {url: 'https://u:p@a.test'}\nentity_id: x\n", issues: "metadata.url"},
		{text: "metadata: {url: http://127.0.0.1:1/m}\nentity_id: x\n", advice: "metadata.url"},
		{text: good + "name_id: transient\n", issues: "name_id"},
		{text: good + "name_id: urn:oasis:names:tc:SAML:2.0:nameid-format:transient\n", issues: "name_id"},
		{text: good + "name_id: email\n", advice: "name_id"},
		{text: good + "idp_initiated: yes_please\nbinding: soap\ncertificate_dates: never\n", issues: "binding certificate_dates idp_initiated"},
		{text: good + "idp_initiated: accept\nallow_sha1: true\nallow_cbc: true\n", advice: "allow_cbc allow_sha1 idp_initiated"},
		{text: good + "attributes: {mail: ['']}\n", issues: "attributes.mail"},
		{text: good + "attributes: {mail: []}\n", issues: "attributes.mail"},
		{text: good + "key: nonsense\nnext_key: nonsense\nformer_keys: [nonsense]\n", issues: "former_keys key next_key"},
		{text: good + "single_logout: true\nsign_requests: true\n", issues: "sign_requests single_logout"},
	}
	for _, test := range tests {
		doc := strict.Parse([]byte(test.text), strict.Options{})
		c := Defaults()
		if !doc.Root().Into(c) {
			t.Errorf("%s: %v", test.text, doc.Problems())
			continue
		}
		if got := paths(c.Validate()); got != test.issues {
			t.Errorf("%s: issues %q, want %q", test.text, got, test.issues)
		}
		if test.issues == "" {
			if got := paths(c.Advise()); got != test.advice {
				t.Errorf("%s: advice %q, want %q", test.text, got, test.advice)
			}
		}
	}
}

func paths(issues []settings.Issue) string {
	var list []string
	for _, i := range issues {
		list = append(list, i.Path)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestKeyPair(t *testing.T) {
	ours, theirs := ourPair(t).PEM(), other(t).PEM()
	cut := strings.Index(ours, "-----BEGIN CERT")
	for name, test := range map[string]struct{ text, says string }{
		"good": {ours, ""}, "good, certificate first": {ours[cut:] + ours[:cut], ""}, "blank": {"", "no private key"}, "key only": {ours[:cut], "no certificate"},
		"certificate only": {ours[cut:], "no private key"}, "not together": {ours[:cut] + theirs[strings.Index(theirs, "-----BEGIN CERT"):], "not the key"},
		"broken": {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "cannot be read"},
	} {
		_, err := parseKeyPair(test.text)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
