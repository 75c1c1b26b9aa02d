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
	data, _, err := readFile(file)
	if err != nil {
		return "", &Error{[]Problem{missingFile(file, err)}}
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return "", &Error{[]Problem{missingFile(file, err)}}
	}
	s := struct {
		State   settings.Path `yaml:"state"`
		Control settings.Path `yaml:"control"`
	}{State: DefaultState}
	doc := strict.Parse(data, strict.Options{Dir: dir})
	if root := doc.Root(); root.Kind() == strict.Block {
		root.IntoWith(&s, func(strict.Entry) bool { return true })
	} else if found := doc.Problems(); len(found) > 0 {
		return "", &Error{problemsOf(file, found)}
	}
	if s.Control == "" {
		return filepath.Join(filepath.Dir(string(s.State)), controlSocket), nil
	}
	return string(s.Control), nil
}
