package file

import (
	"io/fs"
	"strconv"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets/event"
)

// Config is the target's own block.
type Config struct {
	// Path of the file; a relative one starts at the folder of the configuration file.
	Path string `yaml:"path"`
	// Fsync waits for the disk after every batch, so that not even a power failure loses an event that was
	// acknowledged. Default true.
	Fsync bool `yaml:"fsync"`
	// Mode is the permission with which a new file is created, in octal digits. Default "0600": events hold
	// personal data.
	Mode string `yaml:"mode"`
	// Attributes stand in every event beside its own.
	Attributes event.Attributes `yaml:"attributes"`
}

func defaults() *Config { return &Config{Fsync: true, Mode: "0600"} }

// Validate reports what is wrong with the block.
func (c *Config) Validate() []settings.Issue {
	var issues settings.Issues
	if c.Path == "" {
		issues = append(issues, settings.Issue{Path: "path", Message: "must not be empty", Hint: "write the name of a file: changes.jsonl"})
	}
	if _, err := parseMode(c.Mode); err != nil {
		issues = append(issues, settings.Issue{Path: "mode", Message: "is not a file mode", Hint: `write octal digits in quotes: "0640"`})
	}
	c.Attributes.Validate(issues.Report)
	return issues
}

// Advise warns of a file that everybody on the machine can read.
func (c *Config) Advise() []settings.Issue {
	if mode, err := parseMode(c.Mode); err == nil && mode&0o007 != 0 {
		return []settings.Issue{{Path: "mode", Message: "everybody on this machine can read or write the events, which hold personal data",
			Hint: `write "0640", and make the reader a member of the file's group`}}
	}
	return nil
}

// Local says what the target needs of its machine; it is for package config.
func (c *Config) Local() string { return "the file " + c.Path }

func parseMode(text string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(text, 8, 9)
	return fs.FileMode(n), err
}
