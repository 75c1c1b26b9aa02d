package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// Parts are the connectors and targets that the program has.
type Parts struct {
	// Connector and Target return a function that makes the configuration of a connector or target with
	// its defaults, as a pointer; false when there is none of that name.
	Connector, Target func(name string) (newBlock func() any, ok bool)
	// ConnectorNames and TargetNames list the names, for hints.
	ConnectorNames, TargetNames []string
	// LookupEnv finds environment variables; nil means os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// Blind lets secrets pass that this process cannot see (Config.Unseen): for what needs none.
	Blind bool
}

// The defaults of what the file need not say.
const (
	DefaultState  = "/var/lib/dirsyncd/state.db"
	controlSocket = "control.sock"
)

// defaultFiles are where Find looks, in this order.
func defaultFiles() []string { return []string{"config.yaml", "/etc/dirsyncd/config.yaml"} }

// Find returns the file to load: the one that the operator named, or the first that exists of config.yaml and
// /etc/dirsyncd/config.yaml. The error is an *Error that says where it looked.
func Find(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	for _, file := range defaultFiles() {
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", &Error{[]Problem{{File: "config.yaml", Message: "no configuration found, neither here nor as " +
		strings.Join(defaultFiles()[1:], ", "), Hint: "name the file with --config"}}}
}

// Load reads the configuration from a file. It does no network I/O. The error is an *Error with every problem
// that was found.
func Load(file string, parts Parts) (*Config, error) {
	data, mode, err := readFile(file)
	if err != nil {
		return nil, &Error{[]Problem{missingFile(file, err)}}
	}
	return load(data, file, mode&0o004 != 0, parts)
}

// Parse reads a configuration that is in memory already. file names it in messages, and its folder is where
// relative paths start.
func Parse(data []byte, file string, parts Parts) (*Config, error) {
	return load(data, file, false, parts)
}

// SumOf tells the texts of configurations apart.
func SumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// Text returns what a configuration file says. It may hold secrets.
func Text(file string) ([]byte, error) {
	text, _, err := readFile(file)
	if err != nil {
		return nil, &Error{[]Problem{missingFile(file, err)}}
	}
	return text, nil
}

func readFile(file string) ([]byte, fs.FileMode, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	var data bytes.Buffer
	_, err = io.Copy(&data, io.LimitReader(f, strict.MaxSize+1))
	return data.Bytes(), info.Mode(), err
}

func missingFile(file string, err error) Problem {
	p := Problem{File: file}
	var cause *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Message, p.Hint = "the configuration file does not exist", "name the file with --config"
	case errors.Is(err, fs.ErrPermission):
		p.Message, p.Hint = "the configuration file may not be read by this user", "run as the service's user; for that user: `chgrp dirsyncd FILE && chmod 0640 FILE`"
	case errors.As(err, &cause):
		p.Message = "the configuration file cannot be read: " + cause.Err.Error()
	default:
		p.Message = "the configuration file cannot be read: " + err.Error()
	}
	return p
}

func load(data []byte, file string, exposed bool, parts Parts) (*Config, error) {
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, &Error{[]Problem{missingFile(file, err)}}
	}
	doc := strict.Parse(data, strict.Options{Dir: dir, LookupEnv: parts.LookupEnv, Exposed: exposed, Blind: parts.Blind})
	l := &loader{parts: parts, doc: doc, cfg: &Config{File: file, Dir: dir, Sum: SumOf(data), Mappings: make(map[string]*Mapping)}}
	if root := doc.Root(); root.Kind() != strict.None {
		l.top(root)
	}
	l.cfg.FromStart = doc.AskedEnv()
	l.cfg.Warnings, l.cfg.Unseen = problemsOf(file, doc.Warnings()), problemsOf(file, doc.Unseen())
	if found := doc.Problems(); len(found) > 0 {
		return nil, &Error{problemsOf(file, found)}
	}
	return l.cfg, nil
}

// loader fills a Config from a document.
type loader struct {
	parts Parts
	doc   *strict.Document
	cfg   *Config

	// Named parts of the file that others refer to, and whether one does.
	mappings, targets map[string]*named
}

type named struct {
	value strict.Value
	used  bool
}

// topKeys are the keys at the top of the file that are plain values.
type topKeys struct {
	State   settings.Path `yaml:"state"`
	Control settings.Path `yaml:"control"`
	Listen  string        `yaml:"listen"`
	Log     Log           `yaml:"log"`
}

// section names the keys at the top of the file that hold named parts.
const (
	connectionsKey = "connections"
	mappingsKey    = "mappings"
	targetsKey     = "targets"
)

func (l *loader) top(root strict.Value) {
	s := topKeys{State: DefaultState, Log: Log{Level: "info", Format: "auto"}}
	sections := make(map[string]strict.Value)
	keys := []string{connectionsKey, mappingsKey, targetsKey}
	root.IntoWith(&s, func(e strict.Entry) bool {
		if slices.Contains(keys, e.Key) {
			sections[e.Key] = e.Value
			return true
		}
		return strings.HasPrefix(e.Key, "x-") // a place for anchors
	}, keys...)
	if root.Kind() != strict.Block {
		return
	}
	l.cfg.State, l.cfg.Control, l.cfg.Listen, l.cfg.Log = s.State, s.Control, s.Listen, s.Log
	l.checkAddresses(root)
	l.targets = l.readTargets(sections[targetsKey])
	l.mappings = l.readMappings(sections[mappingsKey])
	if connections := sections[connectionsKey]; connections.Kind() != strict.None {
		l.readConnections(connections)
	} else {
		root.MissingKey(connectionsKey, "")
	}
	l.warnUnused("mapping", l.mappings)
	l.warnUnused("target", l.targets)
}

func (l *loader) warnUnused(what string, all map[string]*named) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if n := all[name]; !n.used {
			n.value.KeyWarn("", "no connection uses %s %q", what, short(name))
		}
	}
}

// section returns the entries of one of the sections. A section may be absent.
func section(v strict.Value, what string) []strict.Entry {
	if v.Kind() == strict.None {
		return nil
	}
	entries, _ := v.Entries()
	for _, e := range entries {
		checkName(e, what)
	}
	return entries
}

// ownBlock decodes the block of a connector or target. parent is where the block would be if it is absent.
func ownBlock(parent, block strict.Value, name string, fresh func() any) any {
	target := fresh()
	if block.Kind() == strict.None {
		if lacksNothing(target) {
			return target
		}
		parent.MissingKey(name, "the settings of "+name+" stand in a block of that name")
		return target
	}
	block.Into(target)
	if validator, ok := target.(settings.Validator); ok && block.Kind() == strict.Block {
		for _, issue := range validator.Validate() {
			report(block, name, issue)
		}
	}
	if adviser, ok := target.(settings.Adviser); ok && block.Kind() == strict.Block && !block.HasProblem() {
		for _, issue := range adviser.Advise() {
			advise(block, name, issue)
		}
	}
	return target
}

// advise shows a warning at its path.
func advise(block strict.Value, name string, issue settings.Issue) {
	at, whole := block.At(issue.Path)
	warn, label := at.Warn, name
	if !whole {
		warn = at.KeyWarn
	}
	if issue.Path != "" {
		label += "." + issue.Path
	}
	warn(issue.Hint, "%s: %s", label, issue.Message)
}

// lacksNothing reports whether a configuration is usable as its defaults are.
func lacksNothing(target any) bool {
	validator, ok := target.(settings.Validator)
	return !strict.HasRequired(target) && (!ok || len(validator.Validate()) == 0)
}

// report shows an issue at its path. A key that has a problem already is left at that.
func report(block strict.Value, name string, issue settings.Issue) {
	at, whole := block.At(issue.Path)
	label := name
	if issue.Path != "" {
		label += "." + issue.Path
	}
	switch {
	case !whole:
		at.KeyProblem(issue.Hint, "%s: %s", label, issue.Message)
	case !at.HasProblem():
		at.Problem(issue.Hint, "%s: %s", label, issue.Message)
	}
}
