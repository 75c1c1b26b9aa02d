package ldap

import "testing"

func TestKrb5Conf(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		ok   bool
	}{
		"usual":                {"[libdefaults]\n default_realm = EXAMPLE.TEST\n rdns = false\n[realms]\n EXAMPLE.TEST = {\n  kdc = dc1.example.test\n }\n[domain_realm]\n .example.test = EXAMPLE.TEST\n", true},
		"unknown directives":   {"[libdefaults]\n default_realm = EXAMPLE.TEST\n qualify_shortname = \"\"\n default_ccache_name = KEYRING:persistent:%{uid}\n[realms]\n EXAMPLE.TEST = {\n  kdc = a\n  v4_domains = x\n }\n", true},
		"several files":        {"includedir /etc/krb5.conf.d/\n[libdefaults]\n default_realm = EXAMPLE.TEST\n", false},
		"no value":             {"[libdefaults]\n default_realm\n", false},
		"not closed":           {"[realms]\n EXAMPLE.TEST = {\n  kdc = a\n", false},
		"closed twice":         {"[realms]\n EXAMPLE.TEST = {\n  kdc = a\n }\n }\n", false},
		"brace on its own":     {"[realms]\n EXAMPLE.TEST =\n {\n  kdc = a\n }\n", false},
		"wrong duration":       {"[libdefaults]\n ticket_lifetime = soon\n", false},
		"wrong encryption":     {"[libdefaults]\n default_tkt_enctypes = rot13\n", true},
		"rubbish":              {"\x00\xff", true},
		"realms without equal": {"[domain_realm]\n .example.test EXAMPLE.TEST\n", false},
	} {
		conf, err := parseKrb5Conf(tc.text)
		if (err == nil) != tc.ok || (conf != nil) != tc.ok {
			t.Errorf("%s: %v, %v", name, conf != nil, err)
		}
	}
}

func FuzzKrb5Conf(f *testing.F) {
	f.Add("[libdefaults]\n default_realm = A\n[realms]\n A = {\n  kdc = a\n }\n")
	f.Fuzz(func(t *testing.T, text string) {
		if conf, err := parseKrb5Conf(text); (conf == nil) != (err != nil) {
			t.Errorf("%v, %v", conf, err)
		}
	})
}
