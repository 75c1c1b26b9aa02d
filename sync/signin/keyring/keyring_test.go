package keyring

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestKeysLive(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	file := filepath.Join(t.TempDir(), "keys")
	open := func() *Ring {
		t.Helper()
		r, err := Open(file, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if _, err := Open(file, time.Now); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a file that is not there: %v", err)
	}
	r, err := Create(file, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(file, time.Now); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, error %v", info, err)
	}
	first := r.Sign().ID
	if again := open(); again.Cookie() != r.Cookie() || again.Sign().ID != first || again.Cookie() == [cookieSize]byte{} {
		t.Error("the keys of the file are others")
	}
	step := func(after time.Duration, changed bool, signs string, published int) string {
		t.Helper()
		now = now.Add(after)
		got, err := r.Turn()
		if err != nil || got != changed || len(r.Published()) != published || signs != "" && r.Sign().ID != signs {
			t.Errorf("after %s: changed %v, error %v, %d published, %s signs", after, got, err, len(r.Published()), r.Sign().ID)
		}
		if again := open(); again.Sign().ID != r.Sign().ID || len(again.Published()) != published {
			t.Errorf("after %s: the file has others", after)
		}
		return r.Published()[published-1].ID
	}
	step(88*24*time.Hour, false, first, 1)
	second := step(24*time.Hour, true, first, 2)
	step(23*time.Hour, false, first, 2)
	step(time.Hour, false, second, 2)
	step(23*time.Hour, false, second, 2)
	step(time.Hour, true, second, 1)
}

func TestKeysThatAreNone(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good")
	if _, err := Create(good, time.Now); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	cut := bytes.Index(data, []byte("-----BEGIN EC"))
	for name, c := range map[string]struct {
		data []byte
		mode os.FileMode
		want string
	}{
		"empty":          {nil, 0o600, "keys are missing"},
		"no signing key": {data[:cut], 0o600, "keys are missing"},
		"no cookie key":  {data[cut:], 0o600, "keys are missing"},
		"others read it": {data, 0o640, "chmod 0600"},
		"short":          {[]byte("-----BEGIN DIRSYNCD COOKIE KEY-----\nAAAA\n-----END DIRSYNCD COOKIE KEY-----\n"), 0o600, "3 bytes"},
		"nonsense":       {[]byte("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"), 0o600, "no P-256 key"},
		"something else": {[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0o600, "unknown block"},
	} {
		file := filepath.Join(t.TempDir(), "keys")
		if err := errors.Join(os.WriteFile(file, c.data, c.mode), os.Chmod(file, c.mode)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(file, time.Now); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestRotate: an operator makes the next key before its time, once, or has it sign at once, when what the former ones have signed counts no more.
func TestRotate(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	file := filepath.Join(t.TempDir(), "keys")
	r, err := Create(file, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	first := r.Sign().ID
	now = now.Add(10 * 24 * time.Hour)
	if err := r.Rotate(false); err != nil || r.Sign().ID != first || strings.Join(statesOf(r), " ") != "signs next" {
		t.Errorf("error %v, %v", err, statesOf(r))
	}
	if err := r.Rotate(false); !errors.Is(err, ErrUnderWay) || len(r.Published()) != 2 {
		t.Errorf("again: %v", err)
	}
	now = now.Add(publish)
	if strings.Join(statesOf(r), " ") != "former signs" {
		t.Error(statesOf(r))
	}
	second := r.Sign().ID
	if err := r.Rotate(true); err != nil || r.Sign().ID == second || len(r.Published()) != 1 {
		t.Errorf("at once: %v, %v", err, statesOf(r))
	}
	if again, err := Open(file, r.now); err != nil || again.Sign().ID != r.Sign().ID || again.Cookie() != r.Cookie() {
		t.Errorf("the file has others: %v", err)
	}
	r.file = filepath.Join(t.TempDir(), "no", "folder")
	if err := r.Rotate(true); err == nil || len(r.Published()) != 1 {
		t.Errorf("what cannot be written: %v", err)
	}
}

// TestKeysOfSomebodyElse: keys that are given as a text are read, and never written.
func TestKeysOfSomebodyElse(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	text, err := New(clock)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse(string(text), clock)
	if err != nil {
		t.Fatal(err)
	}
	first := r.Sign().ID
	now = now.Add(200 * 24 * time.Hour)
	if changed, err := r.Turn(); changed || err != nil || r.Sign().ID != first {
		t.Errorf("turned: %v, error %v", changed, err)
	}
	if err := r.Rotate(true); !errors.Is(err, ErrKept) {
		t.Errorf("rotated: %v", err)
	}
	for _, bad := range []string{"", "x", string(text[:len(text)/2])} {
		if _, err := Parse(bad, clock); err == nil || strings.Contains(err.Error(), "PRIVATE KEY-") {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
}

func statesOf(r *Ring) []string {
	_, states := r.Standing()
	return states
}
