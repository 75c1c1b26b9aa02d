package config

import (
	"slices"
	"strings"

	"dirsyncd/sync/directory"
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
	Tenant        string          `yaml:"tenant"`
	Secret        settings.Secret `yaml:"client_secret"`
	Notifications bool            `yaml:"notifications"`
}

func (b *entraBlock) Public() string {
	if b.Notifications {
		return "notifications"
	}
	return ""
}

type fileBlock struct {
	Path       settings.Path     `yaml:"path" strict:"required"`
	Fsync      bool              `yaml:"fsync"`
	Mode       string            `yaml:"mode"`
	Attributes map[string]string `yaml:"attributes"`
}

type natsBlock struct {
	Servers     []string          `yaml:"servers" strict:"required"`
	Credentials settings.Path     `yaml:"credentials"`
	Token       settings.Secret   `yaml:"token"`
	User        string            `yaml:"user"`
	Password    settings.Secret   `yaml:"password"`
	CAFile      settings.Path     `yaml:"ca_file"`
	ClientCert  settings.Path     `yaml:"client_cert"`
	ClientKey   settings.Path     `yaml:"client_key"`
	Stream      string            `yaml:"stream" strict:"required"`
	Prefix      string            `yaml:"prefix"`
	Keep        string            `yaml:"keep"`
	Attributes  map[string]string `yaml:"attributes"`
	Timeout     settings.Duration `yaml:"timeout"`
}

type webhookBlock struct {
	URL            string                     `yaml:"url" strict:"required"`
	Secret         settings.Secret            `yaml:"secret"`
	PreviousSecret settings.Secret            `yaml:"previous_secret"`
	Attributes     map[string]string          `yaml:"attributes"`
	Headers        map[string]settings.Secret `yaml:"headers"`
	Batch          int                        `yaml:"batch"`
	Parallel       int                        `yaml:"parallel"`
	Timeout        settings.Duration          `yaml:"timeout"`
	CAFile         settings.Path              `yaml:"ca_file"`
	ClientCert     settings.Path              `yaml:"client_cert"`
	ClientKey      settings.Path              `yaml:"client_key"`
	Proxy          settings.Secret            `yaml:"proxy"`
}

type restBlock struct {
	Preset   string         `yaml:"preset"`
	URL      string         `yaml:"url" strict:"required"`
	Auth     map[string]any `yaml:"auth"`
	Names    map[string]any `yaml:"names"`
	Headers  map[string]any `yaml:"headers"`
	Pages    map[string]any `yaml:"pages"`
	Errors   []any          `yaml:"errors"`
	Self     map[string]any `yaml:"self"`
	Unescape bool           `yaml:"unescape"`
	CAFile   settings.Path  `yaml:"ca_file"`
	Proxy    string         `yaml:"proxy"`
	Timeout  string         `yaml:"timeout"`
	Tried    string         `yaml:"tried"`
	Source   string         `yaml:"source"`
	Kinds    map[string]any `yaml:"kinds"`
	Rate     float64        `yaml:"rate"`
	Parallel int            `yaml:"parallel"`
}

type scimBlock struct {
	URL      string            `yaml:"url" strict:"required"`
	Token    settings.Secret   `yaml:"token"`
	OAuth    map[string]any    `yaml:"oauth"`
	Username settings.Names    `yaml:"username"`
	Fields   map[string]string `yaml:"fields"`
	Updates  string            `yaml:"updates"`
	Filter   string            `yaml:"filter"`
	Page     int               `yaml:"page"`
	Chunk    int               `yaml:"chunk"`
	Rate     float64           `yaml:"rate"`
	Parallel int               `yaml:"parallel"`
	CAFile   settings.Path     `yaml:"ca_file"`
	Proxy    settings.Secret   `yaml:"proxy"`
	Timeout  settings.Duration `yaml:"timeout"`
}

type haloBlock struct {
	URL          string          `yaml:"url" strict:"required"`
	Tenant       string          `yaml:"tenant"`
	AuthURL      string          `yaml:"auth_url"`
	ClientID     string          `yaml:"client_id"`
	ClientSecret settings.Secret `yaml:"client_secret"`
	Scope        string          `yaml:"scope"`
	Mark         string          `yaml:"mark"`
	Module       int             `yaml:"module"`
	Details      bool            `yaml:"details"`
	Integrated   string          `yaml:"integrated"`
	MainSite     string          `yaml:"main_site"`
	TopLevel     int             `yaml:"top_level"`
	Group        string          `yaml:"group"`
	Department   int             `yaml:"department"`
	Asset        map[string]any  `yaml:"asset"`
	Ticket       struct {
		Type     int            `yaml:"type"`
		Template int            `yaml:"template"`
		Priority int            `yaml:"priority"`
		Types    map[string]int `yaml:"types"`
	} `yaml:"ticket"`
	Fields   map[string]map[string]string `yaml:"fields"`
	Page     int                          `yaml:"page"`
	Rate     float64                      `yaml:"rate"`
	Parallel int                          `yaml:"parallel"`
	CAFile   settings.Path                `yaml:"ca_file"`
	Proxy    settings.Secret              `yaml:"proxy"`
	Timeout  settings.Duration            `yaml:"timeout"`
}

type sqlBlock struct {
	Driver     string            `yaml:"driver"`
	Host       string            `yaml:"host"`
	Port       int               `yaml:"port"`
	Database   string            `yaml:"database"`
	User       string            `yaml:"user"`
	Password   settings.Secret   `yaml:"password"`
	TLS        string            `yaml:"tls"`
	CAFile     settings.Path     `yaml:"ca_file"`
	ServerName string            `yaml:"server_name"`
	File       settings.Path     `yaml:"file"`
	Timeout    settings.Duration `yaml:"timeout"`
	Batch      int               `yaml:"batch"`
	Parallel   int               `yaml:"parallel"`
	Tables     map[string]any    `yaml:"tables"`
}

type mergeBlock struct {
	From []string         `yaml:"from"`
	Join []map[string]any `yaml:"join"`
}

// distinctBlock is one of a connection that is made of records.
type distinctBlock struct {
	From settings.Names               `yaml:"from"`
	Of   settings.Names               `yaml:"of"`
	Make map[string]map[string]string `yaml:"make"`
}

func (b *distinctBlock) Contributors() []string { return b.From }

func (b *distinctBlock) MadeOfRecords() (kinds []directory.RecordKind, fields []string) {
	for _, made := range b.Make {
		for _, field := range made {
			fields = append(fields, field)
		}
	}
	slices.Sort(fields)
	return []directory.RecordKind{directory.UserRecord}, slices.Compact(fields)
}

type filesBlock struct {
	Folder settings.Path     `yaml:"folder"`
	Watch  bool              `yaml:"watch"`
	Settle settings.Duration `yaml:"settle"`
	Done   map[string]string `yaml:"done"`
	Kinds  map[string]any    `yaml:"kinds"`
}

type genericBlock struct {
	Issuer string `yaml:"issuer" strict:"required"`
}

type delineaBlock struct {
	URL          string          `yaml:"url"`
	Product      string          `yaml:"product"`
	ClientID     string          `yaml:"client_id"`
	ClientSecret settings.Secret `yaml:"client_secret"`
	Table        string          `yaml:"table"`
	Attributes   []string        `yaml:"attributes"`
	Roles        bool            `yaml:"roles"`
}

type entraSigninBlock struct {
	Tenant       string          `yaml:"tenant"`
	ClientID     string          `yaml:"client_id"`
	ClientSecret settings.Secret `yaml:"client_secret"`
}

type samlBlock struct {
	Metadata struct {
		URL string `yaml:"url"`
	} `yaml:"metadata"`
	EntityID string `yaml:"entity_id"`
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
			"ldap":     func() any { return &ldapBlock{PageSize: 1000, Timeout: settings.Duration(30e9)} },
			"entra":    func() any { return &entraBlock{} },
			"delinea":  func() any { return &delineaBlock{} },
			"merge":    func() any { return &mergeBlock{} },
			"distinct": func() any { return &distinctBlock{} },
			"files":    func() any { return &filesBlock{} },
			"memory":   func() any { return &memoryBlock{People: 10} },
		}),
		Target: pick(map[string]func() any{
			"file":    func() any { return &fileBlock{} },
			"webhook": func() any { return &webhookBlock{Batch: 1} },
			"nats":    func() any { return &natsBlock{} },
			"scim":    func() any { return &scimBlock{} },
			"sql":     func() any { return &sqlBlock{} },
			"halo":    func() any { return &haloBlock{} },
			"rest":    func() any { return &restBlock{} },
		}),
		Identity: pick(map[string]func() any{
			"generic": func() any { return &genericBlock{} }, "entra": func() any { return &entraSigninBlock{} }, "saml": func() any { return &samlBlock{} },
		}),
		Desk: func(name string) (func(any) About, bool) {
			if name == "halo" {
				return func(any) About {
					return About{Keys: map[directory.RecordKind][]string{
						directory.CustomerRecord: {"azure_tenant_id", "domain", "name"}, directory.SiteRecord: {"name"}, directory.AgentRecord: {"ad", "email"},
						directory.UserRecord: {"login", "emailaddress"}, directory.GroupRecord: {"name"},
					}, References: []string{"customer", "manager", "site"}}
				}, true
			}
			if name == "sql" {
				return func(any) About {
					return About{Keys: map[directory.RecordKind][]string{
						directory.CustomerRecord: {"name"}, directory.UserRecord: {"object_id", "mail"}, directory.GroupRecord: {"name"},
					}, References: []string{"customer", "manager"}}
				}, true
			}
			return func(any) About {
				return About{Keys: map[directory.RecordKind][]string{
					directory.UserRecord: {"externalId", "userName", "emails"}, directory.GroupRecord: {"externalId", "displayName"},
				}, References: []string{"manager"}}
			}, name == "scim" || name == "rest"
		},
		ConnectorNames: []string{"delinea", "distinct", "entra", "files", "ldap", "memory", "merge"},
		IdentityNames:  []string{"entra", "generic", "saml"},
		TargetNames:    []string{"file", "halo", "nats", "rest", "scim", "sql", "webhook"},
		LookupEnv:      func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
}
