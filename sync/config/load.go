package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// Parts are the connectors and targets that the program has.
type Parts struct {
	// Connector and Target return a function that makes the configuration of a connector or target with
	// its defaults, as a pointer; false when there is none of that name.
	Connector, Target func(name string) (newBlock func() any, ok bool)
	// Desk returns a function that tells, by a target's block, of the things that it has; false for targets that have none.
	Desk func(name string) (about func(block any) About, ok bool)
	// Identity returns the same of a kind of provider of identity.
	Identity func(name string) (newBlock func() any, ok bool)
	// ConnectorNames, TargetNames and IdentityNames list the names, for hints.
	ConnectorNames, TargetNames, IdentityNames []string
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

// Load reads the configuration from a file, and those that it includes. It does no network I/O. The error is an *Error with every
// problem that was found.
func Load(file string, parts Parts) (*Config, error) {
	text, err := Read(file)
	if err != nil {
		return nil, err
	}
	return text.Load(parts)
}

// Parse reads a configuration that is in memory already. file names it in messages, and its folder is where
// relative paths start; what it includes is read from there.
func Parse(data []byte, file string, parts Parts) (*Config, error) {
	text := &Text{File: file, Data: data}
	text.include()
	return text.Load(parts)
}

// readAtMost reads a file, or one byte more than that of a larger one.
func readAtMost(file string, most int64) ([]byte, error) {
	data, _, err := readUpTo(file, most)
	return data, err
}

func readFile(file string) ([]byte, fs.FileMode, error) { return readUpTo(file, strict.MaxSize) }

func readUpTo(file string, most int64) ([]byte, fs.FileMode, error) {
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
	_, err = io.Copy(&data, io.LimitReader(f, most+1))
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

// Load makes a configuration of its text. The error is an *Error with every problem that was found.
func (t *Text) Load(parts Parts) (*Config, error) {
	l := &loader{parts: parts, text: t, cfg: &Config{File: t.File, Sum: t.Sum(), Mappings: make(map[string]*Mapping)}, broken: make(map[string]bool), needs: make(map[string]map[directory.RecordKind][][]string), ticketless: make(map[string]bool)}
	doc, err := l.parse(t)
	if err != nil {
		return nil, &Error{[]Problem{missingFile(t.File, err)}}
	}
	l.cfg.Dir = doc.Dir()
	if root := doc.Root(); root.Kind() != strict.None {
		l.top(root)
	}
	if len(l.content) > 0 {
		l.cfg.Sum = (&Text{Data: append([]byte(l.cfg.Sum), l.content...)}).Sum()
	}
	var problems []Problem
	for _, f := range l.files {
		l.cfg.FromStart = l.cfg.FromStart || f.doc.AskedEnv()
		l.cfg.Warnings = append(l.cfg.Warnings, problemsOf(f.file, f.doc.Warnings())...)
		l.cfg.Unseen = append(l.cfg.Unseen, problemsOf(f.file, f.doc.Unseen())...)
		problems = append(problems, problemsOf(f.file, f.doc.Problems())...)
	}
	if problems = append(problems, l.outside...); len(problems) > 0 {
		return nil, &Error{problems}
	}
	return l.cfg, nil
}

// loader fills a Config from its text.
type loader struct {
	parts Parts
	text  *Text
	files []parsed
	cfg   *Config

	// Named parts of the file that others refer to, and whether one does.
	mappings, targets map[string]*named
	// needs say what targets need of records, by their names.
	needs map[string]map[directory.RecordKind][][]string
	// partial: a file that is included cannot be read. What is named and is not there may be in it.
	partial bool
	// unreadable are tables of which nothing is known, and noTables says that it may be any.
	unreadable map[string]bool
	noTables   bool
	// ticketless are targets to which no tickets go.
	ticketless map[string]bool
	// broken are connections about which something is wrong already.
	broken map[string]bool
	// outside are problems in other files that belong to the configuration, and content is what is in those.
	outside []Problem
	content []byte
}

type named struct {
	value strict.Value
	used  bool
}

// topKeys are the keys at the top of the file that are plain values.
type topKeys struct {
	State   state         `yaml:"state"`
	Control settings.Path `yaml:"control"`
	Readers *Readers      `yaml:"readers"`
	Listen  string        `yaml:"listen"`
	Web     webBlock      `yaml:"web"`
	Signin  signinBlock   `yaml:"signin"`
	Console signinBlock   `yaml:"console"`
	Log     Log           `yaml:"log"`
	Guard   wholeGuard    `yaml:"guard"`
	Notices noticesBlock  `yaml:"notices"`
	History historyBlock  `yaml:"history"`
	// Parallel is nil where it is not written.
	Parallel *int     `yaml:"parallel"`
	Include  []string `yaml:"include"`
}

// section names the keys at the top of the file that hold named parts.
const (
	connectionsKey = "connections"
	mappingsKey    = "mappings"
	targetsKey     = "targets"
)

func (l *loader) top(root strict.Value) {
	s := topKeys{State: state{file: DefaultState}, Log: Log{Level: "info", Format: "auto"}}
	sections := make(map[string][]strict.Value)
	keys := []string{connectionsKey, mappingsKey, targetsKey, tablesKey}
	part := func(e strict.Entry) bool {
		if slices.Contains(keys, e.Key) {
			sections[e.Key] = append(sections[e.Key], e.Value)
			return true
		}
		return strings.HasPrefix(e.Key, "x-") // a place for anchors
	}
	root.IntoWith(&s, part, keys...)
	if root.Kind() != strict.Block {
		return
	}
	others, whole := l.included(root.Get(includeKey))
	l.partial = !whole
	for _, other := range others {
		var none struct{}
		other.IntoWith(&none, func(e strict.Entry) bool {
			if slices.Contains(strict.Keys(topKeys{}), e.Key) {
				e.Value.KeyProblem("write it in "+l.text.File, "key %q is not for a file that is included", e.Key)
				return true
			}
			return part(e)
		}, keys...)
	}
	l.cfg.State, l.cfg.Database, l.cfg.Control, l.cfg.Readers, l.cfg.Listen, l.cfg.Log = s.State.file, s.State.database, s.Control, s.Readers, s.Listen, s.Log
	l.cfg.Guard = s.Guard.over
	if n := s.Parallel; n != nil {
		l.cfg.Parallel = *n
		if at := root.Get("parallel"); *n < 1 {
			at.Problem("leave it out for the default", "parallel: %d is less than 1", *n)
		}
	}
	l.checkAddresses(root)
	l.cfg.Web = l.readWeb(s.Web.Value)
	l.cfg.Console = l.readConsole(s.Console.Value)
	l.cfg.Notices = l.readNotices(s.Notices.Value)
	l.cfg.History = readHistory(s.History.Value)
	l.targets = l.readTargets(sections[targetsKey])
	l.readTables(sections[tablesKey])
	l.mappings = l.readMappings(sections[mappingsKey])
	if connections := sections[connectionsKey]; len(connections) > 0 {
		l.readConnections(connections)
	} else if !l.partial {
		root.MissingKey(connectionsKey, "")
	}
	l.cfg.Signin = l.readSignin(s.Signin.Value)
	l.checkConsole(s.Console.Value)
	l.warnOfWhole(root.Get("guard"))
	l.checkReads()
	l.checkNeeds()
	l.checkTickets()
	if l.partial {
		return // what is not used here may be used there
	}
	l.warnUnread()
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

// section returns the entries of one of the sections, which may stand in several files, or in none.
// checkKey looks at the names.
func (l *loader) section(parts []strict.Value, what string, checkKey func(e strict.Entry, what string) bool) (all []strict.Entry) {
	places := map[string]string{}
	for _, v := range parts {
		if v.Kind() == strict.None {
			continue // that it is missing is said already
		}
		entries, _ := v.Entries()
		for _, e := range entries {
			checkKey(e, what)
			if at, twice := places[e.Key]; twice {
				e.Value.KeyProblem("", "%s %q is given twice; it stands in %s already", what, short(e.Key), at)
				continue
			}
			places[e.Key] = l.fileOf(e.Value)
			all = append(all, e)
		}
	}
	return all
}

// fileOf names the file in which a value stands.
func (l *loader) fileOf(v strict.Value) string {
	for _, f := range l.files {
		if f.doc == v.Document() {
			return f.file
		}
	}
	return l.text.File
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
