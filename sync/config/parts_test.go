package config

import (
	"strings"

	"dirsyncd/sync/settings"
)

// The blocks of the tests have the shape of the real ones, without their code.
type ldapBlock struct {
	Servers  []string      `yaml:"servers" strict:"required"`
	CAFile   settings.Path `yaml:"ca_file"`
	StartTLS bool          `yaml:"start_tls"`
	Bind     struct {
		User     string          `yaml:"user"`
		Password settings.Secret `yaml:"password"`
	} `yaml:"bind"`
	Base       string            `yaml:"base" strict:"required"`
	Preset     string            `yaml:"preset"`
	Attributes []string          `yaml:"attributes"`
	Users      searchBlock       `yaml:"users"`
	Groups     searchBlock       `yaml:"groups"`
	Watch      bool              `yaml:"watch"`
	PageSize   int               `yaml:"page_size"`
	Timeout    settings.Duration `yaml:"timeout"`
}

type searchBlock struct {
	Base   string `yaml:"base"`
	Filter string `yaml:"filter"`
}

func (b *ldapBlock) Validate() []settings.Issue {
	var issues []settings.Issue
	if (b.Bind.User == "") != b.Bind.Password.IsZero() {
		issues = append(issues, settings.Issue{Path: "bind", Message: "needs both user and password", Hint: "set both or none"})
	}
	for i, s := range b.Servers {
		if !strings.Contains(s, "://") {
			issues = append(issues, settings.Issue{Path: "servers[" + string(rune('0'+i)) + "]", Message: "is not an address", Hint: "write ldap://host"})
		}
	}
	if b.PageSize < 1 {
		issues = append(issues, settings.Issue{Path: "page_size", Message: "must be at least 1"})
	}
	return issues
}

type entraBlock struct {
	Tenant string          `yaml:"tenant"`
	Secret settings.Secret `yaml:"client_secret"`
}

type fileBlock struct {
	Path  settings.Path `yaml:"path" strict:"required"`
	Fsync bool          `yaml:"fsync"`
	Mode  string        `yaml:"mode"`
}

type webhookBlock struct {
	URL        string                     `yaml:"url" strict:"required"`
	Secret     settings.Secret            `yaml:"secret"`
	Headers    map[string]settings.Secret `yaml:"headers"`
	Batch      int                        `yaml:"batch"`
	Parallel   int                        `yaml:"parallel"`
	Timeout    settings.Duration          `yaml:"timeout"`
	CAFile     settings.Path              `yaml:"ca_file"`
	ClientCert settings.Path              `yaml:"client_cert"`
	ClientKey  settings.Path              `yaml:"client_key"`
	Proxy      settings.Secret            `yaml:"proxy"`
}

type memoryBlock struct {
	People int `yaml:"people"`
}

func testParts(env map[string]string) Parts {
	pick := func(all map[string]func() any) func(string) (func() any, bool) {
		return func(name string) (func() any, bool) { f, ok := all[name]; return f, ok }
	}
	return Parts{
		Connector: pick(map[string]func() any{
			"ldap":   func() any { return &ldapBlock{PageSize: 1000, Timeout: settings.Duration(30e9)} },
			"entra":  func() any { return &entraBlock{} },
			"memory": func() any { return &memoryBlock{People: 10} },
		}),
		Target: pick(map[string]func() any{
			"file":    func() any { return &fileBlock{} },
			"webhook": func() any { return &webhookBlock{Batch: 1} },
		}),
		ConnectorNames: []string{"entra", "ldap", "memory"},
		TargetNames:    []string{"file", "webhook"},
		LookupEnv:      func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
}
