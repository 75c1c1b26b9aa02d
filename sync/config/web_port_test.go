package config

import "testing"

// TestWebURL: the port that https has anyway is no part of the host, which requests are compared with.
func TestWebURL(t *testing.T) {
	for given, want := range map[string]string{"https://auth.test:443": "auth.test", "https://auth.test:8443/": "auth.test:8443", "https://auth.test": "auth.test"} {
		cfg, err := parseTables(t, nil, "state: s\nmappings: {staff: {rules: [{name: everyone, user: true}]}}\nweb: {url: \""+given+"\", listen: \"127.0.0.1:9443\", proxies: [127.0.0.1]}\n")
		if err != nil || cfg.Web.URL.Host != want {
			t.Errorf("%s: error %v", given, err)
		}
	}
}
