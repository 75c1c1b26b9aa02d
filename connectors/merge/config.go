package merge

import (
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
)

// Config is the block `merge:` of a connection.
type Config struct {
	// From are the connections of whose stored objects this one is made; those named first go first where nothing else is said.
	From settings.Names `yaml:"from"`
	// Leader is the one among From whose people are the measure of who is who, and of who is in use (Leaver).
	Leader string `yaml:"leader"`
	// Join says by what people of different connections are the same, the strongest first.
	Join []Join `yaml:"join"`
	// Fields says of a field, or of "manager", whose value counts: the first that has one. Others follow in the order of From.
	Fields map[string]settings.Names `yaml:"fields"`
	// Leaver says when somebody is out of use: last (when nobody has an account that may be used) or leader (when the leader
	// says so, or has that person no longer).
	Leaver string `yaml:"leaver"`
	// Blank are values that say nothing, besides the usual ones ("-", "n/a", "none", "unknown").
	Blank []string `yaml:"blank"`
}

// Join is an anchor: a value that two connections have of the same person.
type Join struct {
	// Field is what holds it in every connection; Fields says it of some, by their names. "id" is the object's immutable id.
	Field  string            `yaml:"field"`
	Fields map[string]string `yaml:"fields"`
	// As says how it is written: text, guid (with dashes, or the base64 of the bytes of an objectGUID), mail.
	As string `yaml:"as"`
	// Domains are those whose mail addresses count.
	Domains []string `yaml:"domains"`
}

// The words of Join.As and Config.Leaver.
const (
	asText, asGUID, asMail   = "text", "guid", "mail"
	leaverLast, leaverLeader = "last", "leader"
)

// fieldID stands for the object's id among the fields that can be an anchor.
const fieldID = "id"

// fieldManager stands for the link to the manager among Config.Fields.
const fieldManager = "manager"

// mostSources bounds From.
const mostSources = 64

// Defaults returns a configuration without connections.
func Defaults() *Config { return &Config{Leaver: leaverLast} }

// Contributors lists the connections of which this one is made.
func (c *Config) Contributors() []string { return c.From }

// Unread implements connectors.Selective: what the others read is for them to say.
func (c *Config) Unread(directory.Kind, string) (hint string, unread bool) { return "", false }

// Validate implements settings.Validator.
func (c *Config) Validate() []settings.Issue {
	var l settings.Issues
	if len(c.From) < 2 {
		l.Report("from", "name at least two connections", "one person needs two sources to be made of")
	}
	if len(c.From) > mostSources {
		l.Report("from", "", "%d connections are more than %d", len(c.From), mostSources)
	}
	known := func(path, name string) {
		if !slices.Contains(c.From, name) {
			l.Report(path, "from has "+strings.Join(c.From, ", "), "%q is not among them", name)
		}
	}
	if c.Leader != "" {
		known("leader", c.Leader)
	}
	if c.Leaver != leaverLast && c.Leaver != leaverLeader {
		l.Report("leaver", "last or leader", "unknown word %q", c.Leaver)
	}
	if c.Leaver == leaverLeader && c.Leader == "" {
		l.Report("leaver", "name the leader", "nobody is the leader")
	}
	if len(c.Join) == 0 {
		l.Report("join", "write what tells that two are the same: `- field: employee_id`", "nothing joins anybody")
	}
	for i := range c.Join {
		c.Join[i].validate(&l, "join["+itoa(i)+"]", known)
	}
	for field, list := range c.Fields {
		_, common := directory.LookupCommonField(field)
		if !common && field != fieldManager && !strings.HasPrefix(field, directory.AttributePrefix) {
			l.Report("fields."+field, "a common field, attributes.NAME or manager", "there is no field %q", field)
		}
		for _, name := range list {
			known("fields."+field, name)
		}
	}
	return l
}

func (j *Join) validate(l *settings.Issues, path string, known func(path, name string)) {
	if (j.Field == "") == (len(j.Fields) == 0) {
		l.Report(path, "field: employee_id, or fields: {hq-ad: id, entra: attributes.onPremisesImmutableId}", "write field or fields, one of them")
	}
	if len(j.Fields) == 1 {
		l.Report(path+".fields", "", "one connection alone joins nobody")
	}
	fields := []string{j.Field}
	for name, field := range j.Fields {
		known(path+".fields", name)
		fields = append(fields, field)
	}
	slices.Sort(fields)
	address := false
	for _, field := range fields {
		switch {
		case field == directory.FieldEmail || field == directory.FieldLogin:
			address = true
		case field == "" || field == fieldID || field == directory.FieldEmployeeID || strings.HasPrefix(field, directory.AttributePrefix):
		default:
			l.Report(path, "id, employee_id, attributes.NAME; email or login with domains", "people are not told apart by %q: several can have the same", field)
		}
	}
	switch j.As {
	case "", asText, asGUID:
		if j.As != asGUID && address {
			j.As = asMail
		}
	case asMail:
	default:
		l.Report(path+".as", "text, guid or mail", "unknown word %q", j.As)
	}
	if (j.As == asMail) != (len(j.Domains) > 0) {
		l.Report(path+".domains", "name the domains whose addresses only you give out, of a field with addresses",
			"an address joins people only in domains that are named, and only an address does")
	}
}

// label names the anchor for operators.
func (j *Join) label() string {
	if j.Field != "" {
		return j.Field
	}
	var list []string
	for name, field := range j.Fields {
		list = append(list, name+"."+field)
	}
	slices.Sort(list)
	return strings.Join(list, " = ")
}

// of is the field that holds the anchor in a connection; empty for none.
func (j *Join) of(connection string) string {
	if j.Field != "" {
		return j.Field
	}
	return j.Fields[connection]
}
