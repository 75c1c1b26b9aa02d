package csp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// tokenFile keeps a refresh token in a file. The service hands out a new one with every use, and each is good for
// ninety days from then; the file always holds a whole token, whatever is killed when, because it is replaced and
// never rewritten. It may be used by many goroutines, of one process.
type tokenFile struct {
	path string

	mu    sync.Mutex
	token string // as read or written last
	seen  fs.FileInfo
	// unsaved is why the file holds an older token than memory does; nil when it does not.
	unsaved error
}

// maxTokenFile is more than any token needs.
const maxTokenFile = 64 << 10

func openTokenFile(path settings.Path) (*tokenFile, error) {
	t := &tokenFile{path: string(path)}
	t.tidy()
	_, err := t.current()
	return t, err
}

// tidy removes what killed processes have left beside the file: tokens, if old ones. What is recent may be another
// process's work.
func (t *tokenFile) tidy() {
	leftovers, err := filepath.Glob(filepath.Join(filepath.Dir(t.path), partName(t.path)+"*"))
	if err != nil {
		return // a name with brackets in it; nothing is lost but tidiness
	}
	for _, path := range leftovers {
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > time.Hour {
			_ = os.Remove(path) // the next start tries again
		}
	}
}

func (t *tokenFile) bad(err error, hint string) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return &fault.Error{Class: fault.Configuration, Op: "read refresh_token_file", Where: t.path, Err: err, Hint: hint}
}

// current returns the token to use. A file that somebody has replaced since is read again: that is how a new sign-in
// arrives.
func (t *tokenFile) current() (string, error) {
	const hint = "sign in as the partner's user and put the refresh token into this file, which the service must be able to write"
	t.mu.Lock()
	defer t.mu.Unlock()
	info, err := os.Stat(t.path)
	if err != nil {
		return "", t.bad(err, hint)
	}
	if t.same(info) {
		return t.token, nil
	}
	if info.Size() > maxTokenFile {
		return "", t.bad(errors.New("the file is too large to hold a token"), hint)
	}
	data, err := os.ReadFile(t.path)
	if err != nil {
		return "", t.bad(err, hint)
	}
	token := strings.TrimSpace(string(data))
	if token == "" || strings.ContainsAny(token, " \t\r\n") {
		return "", t.bad(errors.New("the file does not hold exactly one token"), hint)
	}
	t.token, t.seen, t.unsaved = token, info, nil
	return token, nil
}

// rotate takes the token that the service gave in exchange for another one. It is used from now on, even when it
// cannot be stored: the old one in the file stays good for its own ninety days. A file that somebody has replaced
// meanwhile is left alone: what is in it is a newer sign-in.
func (t *tokenFile) rotate(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if token == "" || token == t.token || !t.unchanged() {
		return
	}
	t.token = token
	t.unsaved = replaceFile(t.path, []byte(token+"\n"))
	if t.unsaved == nil {
		t.seen, t.unsaved = os.Stat(t.path)
	}
}

// unchanged reports whether the file is still the one that was read or written last. The caller holds the lock.
func (t *tokenFile) unchanged() bool {
	info, err := os.Stat(t.path)
	return err == nil && t.same(info)
}

func (t *tokenFile) same(info fs.FileInfo) bool {
	return t.seen != nil && os.SameFile(t.seen, info) && t.seen.ModTime().Equal(info.ModTime()) && t.seen.Size() == info.Size()
}

// age is how long ago the file's token was handed out, and why a newer one could not be stored.
func (t *tokenFile) age(now time.Time) (age time.Duration, mode fs.FileMode, unsaved, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	info, err := os.Stat(t.path)
	if err != nil {
		return 0, 0, t.unsaved, t.bad(err, "")
	}
	return now.Sub(info.ModTime()), info.Mode().Perm(), t.unsaved, nil
}

// partName begins the name of a file that is to take a token's place. Nobody else's file is called so: an operator may
// keep a copy beside it.
func partName(path string) string { return "." + filepath.Base(path) + ".dirsyncd-" }

// replaceFile puts a file with new content in the place of another in one step: whoever reads sees the old or the new
// one, also after a crash in between. Only the owner may read it.
func replaceFile(path string, content []byte) (err error) {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, partName(path)+"*") // mode 0600
	if err != nil {
		return withoutPath(err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // what matters is the error that led here
		}
	}()
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return withoutPath(err)
	}
	return syncFolder(folder)
}

// syncFolder makes a rename last.
func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return withoutPath(err)
	}
	defer func() { _ = d.Close() }()
	return withoutPath(d.Sync())
}

func withoutPath(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return fmt.Errorf("%s: %w", p.Op, p.Err)
	case errors.As(err, &l):
		return fmt.Errorf("%s: %w", l.Op, l.Err)
	default:
		return err
	}
}
