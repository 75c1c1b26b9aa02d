package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
)

// A backup gets its name on every file system, and never another file's.
func TestGiveName(t *testing.T) {
	linkless := func(string, string) error { return &os.LinkError{Op: "link", Err: syscall.EPERM} }
	for name, link := range map[string]func(string, string) error{"with links": os.Link, "without links": linkless} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			whole, file := filepath.Join(folder, "whole"), filepath.Join(folder, "backup.db")
			for i, want := range []error{nil, fs.ErrExist} {
				if err := os.WriteFile(whole, []byte{byte('1' + i)}, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := giveName(whole, file, link); !errors.Is(err, want) {
					t.Errorf("%v, want %v", err, want)
				}
				if data, err := os.ReadFile(file); err != nil || string(data) != "1" {
					t.Errorf("%q, %v", data, err)
				}
				_ = os.Remove(whole)
			}
		})
	}
}

func TestStateFileMistakes(t *testing.T) {
	c := withConfig(t, goodConfig)
	c.openLocal = func(context.Context, *config.Config, *slog.Logger) (api.Operations, func(), error) {
		return sample(), func() {}, nil
	}
	c.readLocal = c.openLocal
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(folder, "none")
	for _, tc := range []struct{ command, file, says, hint string }{
		{"backup", filepath.Join(none, "b.db"), "there is no folder " + none + "\n", "create the folder, or name a file in one that is there"},
		{"backup", "config.yaml/b.db", "there is no folder config.yaml\n", "create the folder, or name a file in one that is there"},
		{"backup", "config.yaml", "there is something already", "give the name of a new file"},
		{"verify", "config.yaml", "this is not a state file of dirsyncd", "name a state file or a backup"},
		{"verify", "none.db", "no such file", "name a state file or a backup"},
	} {
		code := c.run("state", tc.command, tc.file)
		text := c.stderr.String()
		if code != exitUsage || !strings.Contains(text, tc.says) || !strings.HasSuffix(text, "  → "+tc.hint+"\n") || strings.Contains(text, ".part-") {
			t.Errorf("%s %s: exit code %d\n%s", tc.command, tc.file, code, text)
		}
	}
}
