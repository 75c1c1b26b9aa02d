package settings

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"dirsyncd/sync/settings/strict"
)

// maxSecret bounds what is read from a file; the largest secrets are private keys of a few kilobytes.
const maxSecret = 64 << 10

const (
	secretForms = "write a text, {env: NAME}, {file: PATH} or {credential: NAME}"
	// credentialsVar is set by systemd for a service with LoadCredential=, see systemd.exec(5).
	credentialsVar = "CREDENTIALS_DIRECTORY"
)

// DecodeStrict reads the secret from where the configuration says it is. No message quotes what stands there:
// it may be the secret itself, put in the wrong place.
func (s *Secret) DecodeStrict(v strict.Value) {
	switch v.Kind() {
	case strict.Text:
		s.literal(v)
	case strict.Block:
		s.source(v)
	default:
		hint := secretForms
		if k := v.Kind(); k == strict.Int || k == strict.Float || k == strict.Bool {
			hint = "put the secret in quotes"
		}
		v.Problem(hint, "%s: expected a secret, found %s", v.Label(), v.Kind())
	}
}

func (s *Secret) literal(v strict.Value) {
	text := v.Literal()
	switch {
	case text == "":
		v.Problem(secretForms, "%s: the secret is empty", v.Label())
		return
	case strings.HasPrefix(text, "${") || strings.HasPrefix(text, "$(") || strings.HasPrefix(text, "env:"):
		v.Warn("write {env: NAME}",
			"%s: variables are not expanded in a text; this is taken as the secret itself", v.Label())
	case v.Document().Exposed():
		v.Warn("chmod 0640 the file, or write {file: PATH}",
			"%s: a secret in a file that everybody can read", v.Label())
	}
	*s = NewSecret(text)
}

func (s *Secret) source(v strict.Value) {
	entries, _ := v.Entries()
	if len(entries) != 1 {
		v.Problem(secretForms, "%s: a secret has one source, found %d", v.Label(), len(entries))
		return
	}
	e := entries[0]
	read := map[string]func(strict.Value, string) (string, error){
		"env": fromEnv, "file": fromFile, "credential": fromCredential,
	}[e.Key]
	if read == nil {
		e.Value.KeyProblem(secretForms, "%s: unknown source of a secret", v.Label())
		return
	}
	name, ok := e.Value.Text()
	if !ok {
		return
	}
	value, err := read(e.Value, name)
	var missing *sourceError
	if errors.As(err, &missing) {
		e.Value.Unseen(missing.elsewhere, missing.hint, "%s: %s", v.Label(), missing.message)
		*s = Secret{unseen: true}
		return
	}
	if value == "" {
		e.Value.Problem("", "%s: the secret is empty", v.Label())
		return
	}
	*s = NewSecret(value)
}

// sourceError says why a secret could not be read. elsewhere: another process, such as the service, may be able to.
type sourceError struct {
	message, hint string
	elsewhere     bool
}

func (e *sourceError) Error() string { return e.message }

func fromEnv(v strict.Value, name string) (string, error) {
	value, ok := v.Document().LookupEnv(name)
	if !ok {
		return "", &sourceError{fmt.Sprintf("environment variable %s is not set", name),
			"set it for the service, for example in an EnvironmentFile= of its unit", true}
	}
	return value, nil
}

func fromFile(v strict.Value, path string) (string, error) {
	if path == "" {
		return "", &sourceError{"the path is empty", "", false}
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(v.Document().Dir(), path)
	}
	value, mode, err := readSecret(path)
	if err != nil {
		return "", err
	}
	switch {
	case mode&0o022 != 0:
		return "", &sourceError{fmt.Sprintf("others may write %s (mode %#o)", path, mode.Perm()), "chmod go-w " + path, false}
	case mode&0o004 != 0:
		v.Warn("chmod o-r "+path, "%s: everybody on this machine can read %s", v.Label(), path)
	}
	return value, nil
}

func fromCredential(v strict.Value, name string) (string, error) {
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return "", &sourceError{"the name of a credential is not a file name", "", false}
	}
	dir, ok := v.Document().LookupEnv(credentialsVar)
	if !ok {
		return "", &sourceError{fmt.Sprintf("credential %s: systemd passed none to this process", name),
			"add LoadCredential=" + name + ":/path to the unit; outside the service set " + credentialsVar, true}
	}
	value, _, err := readSecret(filepath.Join(dir, name))
	if err != nil {
		return "", &sourceError{fmt.Sprintf("credential %s: %v", name, err),
			"add LoadCredential=" + name + ":/path to the unit", false}
	}
	return value, nil
}

// readSecret returns the content of a regular file without its last line break.
func readSecret(path string) (string, fs.FileMode, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return "", 0, &sourceError{path + " is not a regular file", "", false}
	}
	if err != nil {
		return "", 0, unreadable(path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", 0, unreadable(path, err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", 0, unreadable(path, err)
	}
	if len(data) > maxSecret {
		return "", 0, &sourceError{fmt.Sprintf("%s is larger than %d KiB", path, maxSecret>>10),
			"is this the right file?", false}
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), info.Mode(), nil
}

func unreadable(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &sourceError{path + " does not exist", "create it, or correct the path", false}
	case errors.Is(err, fs.ErrPermission):
		return &sourceError{path + " may not be read by this user", "chgrp and chmod it for the service's user", true}
	}
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err
	}
	return &sourceError{fmt.Sprintf("%s cannot be read: %v", path, err), "", false}
}
