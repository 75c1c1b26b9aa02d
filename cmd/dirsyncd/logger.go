package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/config"
)

// newLogger makes the logger of a configuration, whose level can be changed: text for people, whether they watch or read the
// journal, JSON where a machine does.
func newLogger(cfg config.Log, w *term.Printer) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	level.Set(cfg.Level.Slog())
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: textAttr}
	journal := toJournal(w.W)
	switch {
	case cfg.Format == "json" || cfg.Format == "auto" && !w.Terminal && !journal:
		return slog.New(slog.NewJSONHandler(w.W, &slog.HandlerOptions{Level: level, ReplaceAttr: logAttr})), level
	case journal:
		return slog.New(newJournalHandler(w.W, opts)), level
	default:
		return slog.New(slog.NewTextHandler(w.W, opts)), level
	}
}

// toJournal reports whether what is written goes to systemd's journal, as JOURNAL_STREAM says: see systemd.exec(5).
func toJournal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// journalHandler writes a record as one line of text that begins with its priority (sd-daemon(3)), so that `journalctl -p
// err` finds it. The journal has the time already.
type journalHandler struct {
	slog.Handler // writes to line
	line         *priorityLine
}

// priorityLine puts a priority before what is written.
type priorityLine struct {
	mu       sync.Mutex
	to       io.Writer
	priority int
}

func newJournalHandler(w io.Writer, opts *slog.HandlerOptions) slog.Handler {
	line := &priorityLine{to: w}
	bare := *opts
	bare.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return opts.ReplaceAttr(groups, a)
	}
	return &journalHandler{slog.NewTextHandler(line, &bare), line}
}

// Write implements io.Writer. It is called with the lock held, once for each record.
func (l *priorityLine) Write(p []byte) (int, error) {
	if _, err := l.to.Write(append(fmt.Appendf(nil, "<%d>", l.priority), p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// priorityOf is syslog's number for a level: 3 err, 4 warning, 6 info, 7 debug.
func priorityOf(level slog.Level) int {
	switch {
	case level >= slog.LevelError:
		return 3
	case level >= slog.LevelWarn:
		return 4
	case level >= slog.LevelInfo:
		return 6
	default:
		return 7
	}
}

// Handle implements slog.Handler.
func (h *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	h.line.mu.Lock()
	defer h.line.mu.Unlock()
	h.line.priority = priorityOf(r.Level)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &journalHandler{h.Handler.WithAttrs(attrs), h.line}
}

// WithGroup implements slog.Handler.
func (h *journalHandler) WithGroup(name string) slog.Handler {
	return &journalHandler{h.Handler.WithGroup(name), h.line}
}
