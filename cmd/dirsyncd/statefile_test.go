package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
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
