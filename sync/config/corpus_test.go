package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wants returns the messages that a file of the corpus asks for in its "# want: " lines.
func wants(data []byte) []string {
	var list []string
	for line := range strings.Lines(string(data)) {
		if want, ok := strings.CutPrefix(line, "# want: "); ok {
			list = append(list, strings.TrimRight(want, "\n"))
		}
	}
	return list
}

// matches compares a message with what is wanted. An ellipsis at the end stands for words that are the mapping
// compiler's own.
func matches(got, want string) bool {
	begin, open := strings.CutSuffix(want, "…")
	return got == want || open && strings.HasPrefix(got, begin)
}

// TestBadFiles loads every file of testdata/bad and compares its problems with its "# want: " lines.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 45 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(data, "c", testParts(nil))
			var bad *Error
			if !errors.As(err, &bad) {
				t.Fatalf("no *Error: %v", err)
			}
			got := strings.Split(strings.ReplaceAll("\n"+err.Error(), "\nc:", "\n"), "\n")[1:]
			if !slices.EqualFunc(got, wants(data), matches) {
				t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(wants(data), "\n"))
			}
		})
	}
}
