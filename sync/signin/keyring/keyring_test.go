package keyring

import (
	"bytes"
	"errors"
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
	r := open()
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
	if _, err := Open(good, time.Now); err != nil {
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
