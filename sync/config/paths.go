package config

import (
	"path/filepath"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// ControlSocket returns the control socket that a configuration file names. It looks at nothing else in the
// file, so that a command can reach the running daemon although the file has problems by now, or refers to
// secrets that only the daemon can read. The error is an *Error.
func ControlSocket(file string) (string, error) {
	p, err := pathsOf(file)
	if err != nil {
		return "", err
	}
	if p.Control == "" {
		return filepath.Join(filepath.Dir(string(p.State.file)), controlSocket), nil
	}
	return string(p.Control), nil
}

// ReadersSocket returns the socket that a configuration file names for those who may look and not decide; blank where it names none.
func ReadersSocket(file string) (string, error) {
	p, err := pathsOf(file)
	return string(p.Readers.Socket), err
}

// StateFile returns the state file that a configuration file names, and looks at nothing else either. It is empty where a database has
// the state.
func StateFile(file string) (string, error) {
	p, err := pathsOf(file)
	if p.State.database {
		return "", err
	}
	return string(p.State.file), err
}

// paths are the places of a configuration that are looked at before anything else in it.
type paths struct {
	State   statePlace    `yaml:"state"`
	Control settings.Path `yaml:"control"`
	Readers struct {
		Socket settings.Path `yaml:"socket"`
	} `yaml:"readers"`
}

func pathsOf(file string) (paths, error) {
	data, _, err := readFile(file)
	if err != nil {
		return paths{}, &Error{[]Problem{missingFile(file, err)}}
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return paths{}, &Error{[]Problem{missingFile(file, err)}}
	}
	p := paths{State: statePlace{file: DefaultState}}
	doc := strict.Parse(data, strict.Options{Dir: dir})
	if root := doc.Root(); root.Kind() == strict.Block {
		root.IntoWith(&p, func(strict.Entry) bool { return true })
	} else if found := doc.Problems(); len(found) > 0 {
		return paths{}, &Error{problemsOf(file, found)}
	}
	return p, nil
}
