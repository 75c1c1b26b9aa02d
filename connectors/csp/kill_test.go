package csp

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"dirsyncd/sync/settings"
)

// killed names the token file of the process that TestKill kills.
const killed = "DIRSYNCD_TEST_TOKEN_FILE"

// TestKill kills a process that renews a token again and again: the file always holds a whole one.
func TestKill(t *testing.T) {
	tail := strings.Repeat("y", 2000)
	if path := os.Getenv(killed); path != "" {
		f, err := openTokenFile(settings.Path(path))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; ; i++ {
			f.rotate(fmt.Sprintf("token-%d-%s", i, tail))
			_, _ = fmt.Fprintln(os.Stdout, "rotated")
		}
	}
	path := writeToken(t, "token-first-"+tail+"\n")
	for round := range 8 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKill$")
		child.Env = append(os.Environ(), killed+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range round + 1 {
			if !lines.Scan() {
				t.Fatal("the process ended by itself")
			}
		}
		_ = child.Process.Kill()
		_ = child.Wait()
		text := contentOf(t, path)
		if !strings.HasPrefix(text, "token-") || !strings.HasSuffix(text, tail+"\n") {
			t.Fatalf("round %d: the file holds %d bytes of a token", round, len(text))
		}
		if token, err := openTokenFile(settings.Path(path)); err != nil || token.token+"\n" != text {
			t.Errorf("the next process: %v", err)
		}
	}
}
