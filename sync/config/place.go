package config

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// StateOf returns a configuration in which only the place of the state is that of a configuration file, with the password of a database. It looks at
// nothing else in the file, so that it need have nothing else. A secret that this process cannot see is left out. The error is an *Error.
func StateOf(file string) (*Config, error) {
	data, mode, err := readFile(file)
	if err != nil {
		return nil, &Error{[]Problem{missingFile(file, err)}}
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, &Error{[]Problem{missingFile(file, err)}}
	}
	place := struct {
		State state `yaml:"state"`
	}{state{file: DefaultState}}
	doc := strict.Parse(data, strict.Options{Dir: dir, Exposed: mode&0o004 != 0, Blind: true})
	if root := doc.Root(); root.Kind() == strict.Block {
		root.IntoWith(&place, func(strict.Entry) bool { return true })
	}
	if found := doc.Problems(); len(found) > 0 {
		return nil, &Error{problemsOf(file, found)}
	}
	return &Config{State: place.State.file, Database: place.State.database}, nil
}

// StateAt is StateOf for what could stand at `state` itself: a path, which begins in the folder of the process, or the URL of a database. The password is libpq's
// matter then: it is neither in the URL nor anywhere else.
func StateAt(text string) (*Config, error) {
	if !isURL(text) {
		path, err := filepath.Abs(text)
		return &Config{State: settings.Path(path)}, err
	}
	u, err := url.Parse(text)
	wrong := func(why, hint string) error {
		return &fault.Error{Class: fault.Configuration, Op: "read the URL of a database", Err: errors.New(why), Hint: hint}
	}
	const hint = "write postgres://USER@HOST/DATABASE"
	switch {
	case err != nil || !isDatabase(text):
		return nil, wrong("it is no URL of a PostgreSQL database", hint)
	case u.User.Username() == "":
		return nil, wrong("it names no role", hint)
	case strings.Trim(u.Path, "/") == "":
		return nil, wrong("it names no database", hint)
	}
	if _, has := u.User.Password(); has || u.Query().Has("password") {
		return nil, wrong("it holds a password, which others on this machine can see while the command runs",
			"leave it out: PGPASSWORD and ~/.pgpass are read, or name a file in which {url: …, password: {file: PATH}} stands at `state`")
	}
	return &Config{Database: &Database{URL: text}}, nil
}
