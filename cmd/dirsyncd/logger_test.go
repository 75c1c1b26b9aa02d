package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/config"
)

// In systemd's journal a line has its priority, no second time, and is text; elsewhere it is as it was.
func TestJournal(t *testing.T) {
	write := func(stream, format string) string {
		f, err := os.Create(t.TempDir() + "/out")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		t.Setenv("JOURNAL_STREAM", strings.Replace(stream, "its own", fmt.Sprintf("%d:%d", stat.Dev, stat.Ino), 1))
		log, _ := newLogger(config.Log{Level: "debug", Format: config.Format(format)}, term.New(f))
		log = log.With("connection", "hq")
		log.Debug("d")
		log.Info("i", "text", "two\nlines")
		log.WithGroup("g").Warn("w", "time", "3s")
		log.Error("e")
		out, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	want := `<7>level=DEBUG msg=d connection=hq
<6>level=INFO msg=i connection=hq text="two\nlines"
<4>level=WARN msg=w connection=hq g.time=3s
<3>level=ERROR msg=e connection=hq
`
	for _, format := range []string{"auto", "text"} {
		if got := write("its own", format); got != want {
			t.Errorf("%s in the journal:\n%swant\n%s", format, got, want)
		}
	}
	if got := write("its own", "json"); !strings.HasPrefix(got, `{"time":`) {
		t.Errorf("json in the journal: %s", got)
	}
	for _, stream := range []string{"", "1:2"} { // the second is the journal of somebody who sent our output elsewhere
		if got := write(stream, "auto"); !strings.HasPrefix(got, `{"time":`) {
			t.Errorf("JOURNAL_STREAM=%s: %s", stream, got)
		}
	}
}
