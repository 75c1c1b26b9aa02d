package config

import (
	"net/url"
	"strings"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// Database is a PostgreSQL database that has the state in place of a file.
type Database struct {
	// URL is how it is reached, as libpq takes it, without a password.
	URL string
	// Password is the role's; zero where it needs none.
	Password settings.Secret
	// Schema is the schema that has the state; empty for the default.
	Schema string
	// Connections bounds those of this process; zero for the default.
	Connections int
	// Worker is what this process is called among those that share the state; empty for the name of the host.
	Worker string
}

// Equal reports whether two name the same database in the same way, whatever this process is called there.
func (d *Database) Equal(o *Database) bool {
	if d == nil || o == nil {
		return d == o
	}
	return d.URL == o.URL && d.Schema == o.Schema && d.Connections == o.Connections && d.Password.Equal(o.Password)
}

// SameState reports whether two configurations have their state in the same place.
func (c *Config) SameState(o *Config) bool { return c.State == o.State && c.Database.Equal(o.Database) }

// StateName names the place of the state to people: the file, or the database without what is secret.
func (c *Config) StateName() string {
	if c.Database != nil {
		return c.Database.URL
	}
	return string(c.State)
}

// state is what the key state says.
type state struct {
	file     settings.Path
	database *Database
}

// databaseKeys are the keys of the block form.
type databaseKeys struct {
	URL         string          `yaml:"url"`
	Password    settings.Secret `yaml:"password"`
	Schema      string          `yaml:"schema"`
	Connections int             `yaml:"connections"`
	Worker      string          `yaml:"worker"`
}

const stateHint = "write a path, postgres://USER@HOST/DATABASE, or {url: …, password: {file: PATH}}"

// DecodeStrict reads a path, a URL, or a block with a URL.
func (s *state) DecodeStrict(v strict.Value) {
	if v.Kind() == strict.Block {
		keys := databaseKeys{}
		v.Into(&keys)
		at := v.Get("url")
		if at.Kind() == strict.None {
			v.MissingKey("url", stateHint)
			return
		}
		if checkURL(at, keys.URL) {
			s.database = &Database{URL: keys.URL, Password: keys.Password, Schema: keys.Schema, Connections: keys.Connections, Worker: keys.Worker}
		}
		if keys.Connections < 0 {
			v.Get("connections").Problem("leave it out for the default", "connections: %d is less than 1", keys.Connections)
		}
		return
	}
	if text := v.Literal(); v.Kind() == strict.Text && isURL(text) {
		if checkURL(v, text) {
			s.database = &Database{URL: text}
		}
		return
	}
	s.file.DecodeStrict(v)
}

// isURL tells a URL, be it of a database of ours or a slip, from a path.
func isURL(text string) bool { return strings.Contains(text, "://") }

func isDatabase(text string) bool {
	return strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://")
}

// checkURL reports a URL that cannot be one, or holds a secret: what it says is not quoted then.
func checkURL(v strict.Value, text string) bool {
	u, err := url.Parse(text)
	switch {
	case err != nil || !isDatabase(text):
		v.Problem(stateHint, "%s: it is no URL of a PostgreSQL database", v.Label())
	case u.User == nil || u.User.Username() == "":
		v.Problem(stateHint, "%s: the URL names no role", v.Label())
	case strings.Trim(u.Path, "/") == "":
		v.Problem(stateHint, "%s: the URL names no database", v.Label())
	default:
		if _, has := u.User.Password(); has || u.Query().Has("password") {
			v.Problem("write {url: …, password: {file: PATH}}", "%s: the URL holds a password, and would be shown with it", v.Label())
			return false
		}
		return true
	}
	return false
}

// statePlace is what of the key state matters to who looks for the control socket: nothing else is read, and no secret.
type statePlace struct {
	file     settings.Path
	database bool
}

// DecodeStrict reads a path and no more.
func (s *statePlace) DecodeStrict(v strict.Value) {
	if s.database = v.Kind() == strict.Block || v.Kind() == strict.Text && isURL(v.Literal()); !s.database {
		s.file.DecodeStrict(v)
	}
}
