package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/sync/settings/strict"
)

func write(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "lines"), "one\n\n", 0o600)
	write(t, filepath.Join(dir, "shared"), "x", 0o620)
	write(t, filepath.Join(dir, "empty"), "\n", 0o600)
	write(t, filepath.Join(dir, "huge"), strings.Repeat("x", maxSecret+1), 0o600)
	tests := []struct{ source, value, problem string }{
		{"{file: lines}", "one\n", ""},
		{"{file: " + dir + "/lines}", "one\n", ""},
		{"{credential: lines}", "one\n", ""},
		{"{env: E}", "from env\n", ""},
		{"literal", "literal", ""},
		{"{env: EMPTY}", "", "the secret is empty"},
		{"{env: }", "", "a value is missing"},
		{"{env: [E]}", "", "expected text, found a list"},
		{"{file: ''}", "", "the path is empty"},
		{"{file: none}", "", "none does not exist"},
		{"{file: shared}", "", "others may write"},
		{"{file: empty}", "", "the secret is empty"},
		{"{file: huge}", "", "is larger than 64 KiB"},
		{"{file: .}", "", "is not a regular file"},
		{"{file: /dev/zero}", "", "is not a regular file"},
		{"{credential: none}", "", "credential none: "},
		{"{credential: ../x}", "", "is not a file name"},
		{"{credential: .}", "", "is not a file name"},
		{"{}", "", "a secret has one source, found 0"},
	}
	env := map[string]string{"E": "from env\n", "EMPTY": "", credentialsVar: dir}
	for _, test := range tests {
		doc := strict.Parse([]byte("s: "+test.source), strict.Options{Dir: dir,
			LookupEnv: func(n string) (string, bool) { v, ok := env[n]; return v, ok }})
		var got struct {
			S Secret `yaml:"s"`
		}
		ok := doc.Root().Into(&got)
		problems := fmt.Sprint(doc.Problems())
		if ok != (test.problem == "") || got.S.Reveal() != test.value || !strings.Contains(problems, test.problem) {
			t.Errorf("%s: %q, %s", test.source, got.S.Reveal(), problems)
		}
	}
	if os.Getuid() != 0 {
		write(t, filepath.Join(dir, "locked"), "x", 0o000)
		if _, _, err := readSecret(filepath.Join(dir, "locked")); err == nil || !strings.Contains(err.Error(), "may not be read") {
			t.Errorf("%v", err)
		}
	}
}
