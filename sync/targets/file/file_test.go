package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/event"
	"dirsyncd/sync/targets/targettest"
)

func openAt(t testing.TB, path string) targets.Target {
	t.Helper()
	c := defaults()
	c.Path = filepath.Base(path)
	target, err := Factory().Open(c, targets.Env{Target: "journal", Dir: filepath.Dir(path), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

// taken reads events from files, one after the other. Every line must be one whole event.
func taken(t testing.TB, paths ...string) []targettest.Taken {
	t.Helper()
	var out []targettest.Taken
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			var e struct {
				ID, Subject string
				Data        struct{ Op string }
			}
			if err := json.Unmarshal(line, &e); err != nil || line[len(line)-1] != '\n' {
				t.Fatalf("line %.100q: %v", line, err)
			}
			out = append(out, targettest.Taken{Key: e.ID, Op: e.Data.Op, Subject: e.Subject})
		}
	}
	return out
}

func keys(t testing.TB, paths ...string) string {
	t.Helper()
	var list []string
	for _, x := range taken(t, paths...) {
		list = append(list, strings.TrimLeft(strings.TrimPrefix(x.Key, "keycreate"), "0"))
	}
	return strings.Join(list, " ")
}

func deliver(t testing.TB, target targets.Target, actions []directory.Action) {
	t.Helper()
	outcomes, err := target.Deliver(t.Context(), targettest.Work(actions))
	if err != nil {
		t.Fatal(err)
	}
	if len(outcomes) != len(actions) {
		t.Fatalf("%d outcomes", len(outcomes))
	}
}

func TestConformance(t *testing.T) {
	targettest.Run(t, func(t *testing.T) *targettest.Place {
		path := filepath.Join(t.TempDir(), "changes.jsonl")
		return &targettest.Place{
			Open:  func(t *testing.T) targets.Target { return openAt(t, path) },
			Taken: func(t *testing.T) []targettest.Taken { return taken(t, path) },
			Break: func(t *testing.T) {
				if err := errors.Join(os.Rename(path, path+".1"), os.Mkdir(path, 0o700)); err != nil {
					t.Fatal(err)
				}
			},
			Mend: func(t *testing.T) {
				if err := errors.Join(os.Remove(path), os.Rename(path+".1", path)); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

func TestTornLastLine(t *testing.T) {
	actions := targettest.Actions(3)
	third := event.Append(nil, &actions[2], nil)
	for _, torn := range [][]byte{third[:1], third[:20], third[:60], third, make([]byte, 4096), bytes.Repeat(third, 2000)} {
		t.Run(fmt.Sprint(len(torn)), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			first := openAt(t, path)
			deliver(t, first, actions[:2])
			_ = first.Close()
			whole, _ := os.ReadFile(path)
			if err := os.WriteFile(path, append(whole, torn...), 0o600); err != nil {
				t.Fatal(err)
			}
			deliver(t, openAt(t, path), actions[2:])
			if got := keys(t, path); got != " 1 2" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestForeignFileIsLeftAlone: a wrong path must not cost the operator a line of another file.
func TestForeignFileIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	const text = "precious\nunfinished"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := openAt(t, path).Deliver(t.Context(), targettest.Work(targettest.Actions(1)))
	if fault.ClassOf(err) != fault.Configuration {
		t.Errorf("error %v", err)
	}
	if now, _ := os.ReadFile(path); string(now) != text {
		t.Errorf("the file is %q", now)
	}
}

func TestRotation(t *testing.T) {
	actions := targettest.Actions(4)
	for name, rotate := range map[string]func(path string) error{
		"rename": func(path string) error { return os.Rename(path, path+".1") },
		"rename and create": func(path string) error {
			return errors.Join(os.Rename(path, path+".1"), os.WriteFile(path, nil, 0o600))
		},
		"copy and truncate": func(path string) error {
			data, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path+".1", data, 0o600), os.Truncate(path, 0))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			target := openAt(t, path)
			deliver(t, target, actions[:2])
			if err := rotate(path); err != nil {
				t.Fatal(err)
			}
			deliver(t, target, actions[1:]) // the second is known, though it is in the old file
			if old, now := keys(t, path+".1"), keys(t, path); old != " 1" || now != "2 3" {
				t.Errorf("old %q, new %q", old, now)
			}
		})
	}
}

// TestReplacedByItsCopy: the same length and the same content, but another file.
func TestReplacedByItsCopy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	target, actions := openAt(t, path), targettest.Actions(2)
	deliver(t, target, actions[:1])
	data, err := os.ReadFile(path)
	if err := errors.Join(err, os.Rename(path, path+".1"), os.WriteFile(path, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	deliver(t, target, actions[1:])
	if old, now := keys(t, path+".1"), keys(t, path); old != "" || now != " 1" {
		t.Errorf("old %q, new %q", old, now)
	}
}

// TestHalfALineOfAnotherWriter: one that does not know of locks, or a copy that was put back.
func TestHalfALineOfAnotherWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	target, actions := openAt(t, path), targettest.Actions(2)
	deliver(t, target, actions[:1])
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"specversion":"1.0","id":"x`); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	deliver(t, target, actions[1:])
	if got := keys(t, path); got != " 1" {
		t.Errorf("got %q", got)
	}
}

func TestAnotherWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	actions := targettest.Actions(2)
	first := openAt(t, path)
	deliver(t, first, actions[:1])
	second := openAt(t, path)
	_, err := second.Deliver(t.Context(), targettest.Work(actions[1:]))
	if fault.ClassOf(err) != fault.Configuration || !strings.Contains(err.Error(), "another process") {
		t.Errorf("error %v", err)
	}
	_ = first.Close()
	deliver(t, second, actions[1:])
	if got := keys(t, path); got != " 1" {
		t.Errorf("got %q", got)
	}
}

// TestNoRoom lets the kernel cut a write short, as a full disk does.
func TestNoRoom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	target := openAt(t, path)
	actions := targettest.Actions(50)
	deliver(t, target, actions[:1])
	before, _ := os.ReadFile(path)

	signal.Ignore(syscall.SIGXFSZ)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	low := unix.Rlimit{Cur: uint64(3*len(before) + 7), Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &low); err != nil {
		t.Skip(err)
	}
	_, err := target.Deliver(t.Context(), targettest.Work(actions[1:]))
	if e := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); e != nil {
		t.Fatal(e)
	}
	if !fault.ClassOf(err).Retryable() || fault.Hint(err) == "" {
		t.Errorf("error %v", err)
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, before) {
		t.Errorf("%d bytes, want the %d from before", len(now), len(before))
	}
	deliver(t, target, actions[1:])
	if n := len(taken(t, path)); n != 50 {
		t.Errorf("%d events", n)
	}
}

func TestFullDevice(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	_, err := openAt(t, "/dev/full").Deliver(t.Context(), targettest.Work(targettest.Actions(1)))
	if fault.ClassOf(err) != fault.Transient || !strings.Contains(fault.Hint(err), "disk is full") {
		t.Errorf("error %v", err)
	}
}

func TestDeviceAndPipe(t *testing.T) {
	deliver(t, openAt(t, "/dev/null"), targettest.Actions(3))

	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	target := openAt(t, path)
	if _, err := target.Deliver(t.Context(), targettest.Work(targettest.Actions(1))); fault.ClassOf(err) != fault.Transient {
		t.Errorf("nobody reads: %v", err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	deliver(t, target, targettest.Actions(1))
	buf := make([]byte, 4096)
	if n, err := reader.Read(buf); err != nil || !bytes.HasPrefix(buf[:n], []byte(`{"specversion"`)) {
		t.Errorf("read %q, %v", buf[:n], err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		path, class, says string
	}{
		{filepath.Join(dir, "none", "f"), "configuration", "create the folder"},
		{dir, "configuration", "must name a file"},
	} {
		target := openAt(t, test.path)
		_, err := target.Deliver(t.Context(), targettest.Work(targettest.Actions(1)))
		for _, err := range []error{err, target.Check(t.Context())} {
			if err == nil || string(fault.ClassOf(err)) != test.class || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s: %v", test.path, err)
			}
		}
	}
	for err, class := range map[error]fault.Class{
		&fs.PathError{Op: "open", Path: "x", Err: unix.EACCES}: fault.Forbidden, unix.EROFS: fault.Forbidden,
		unix.EIO: fault.Transient, unix.EDQUOT: fault.Transient,
	} {
		if got := fault.ClassOf(classify("open file", "f", err)); got != class {
			t.Errorf("%v: %s", err, got)
		}
	}
}

func TestModeAndCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	target := openAt(t, path)
	if err := target.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("Check made the file")
	}
	deliver(t, target, targettest.Actions(1))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for mode, good := range map[string]bool{"0640": true, "600": true, "rw": false, "0888": false, "": false, "7777": false} {
		c := Config{Path: "f", Mode: mode}
		if issues := c.Validate(); (len(issues) == 0) != good {
			t.Errorf("mode %q: %v", mode, issues)
		}
	}
}

// TestTailCoversABatch: whatever the size of the events, the last two batches are remembered.
func TestTailCoversABatch(t *testing.T) {
	for _, length := range []int{1, 5_000} {
		path := filepath.Join(t.TempDir(), "f")
		target := openAt(t, path)
		actions := targettest.Actions(rememberedIDs + 50)
		if length > 1 {
			actions = actions[:2*batch+500]
		}
		for i := range actions {
			actions[i].Fields[1].Value = directory.Text(strings.Repeat("x", length))
		}
		for at := 0; at < len(actions); at += batch {
			deliver(t, target, actions[at:min(at+batch, len(actions))])
		}
		_ = target.Close()
		target = openAt(t, path)
		deliver(t, target, actions[len(actions)-2*batch:])
		if n := len(taken(t, path)); n != len(actions) {
			t.Errorf("events of %d bytes: %d lines for %d events", length, n, len(actions))
		}
	}
}

func BenchmarkDeliver(b *testing.B) {
	for _, fsync := range []bool{false, true} {
		b.Run(fmt.Sprintf("fsync=%v", fsync), func(b *testing.B) {
			c := &Config{Path: filepath.Join(b.TempDir(), "f"), Fsync: fsync, Mode: "0600"}
			target, err := open(c, targets.Env{})
			if err != nil {
				b.Fatal(err)
			}
			actions := targettest.Actions(batch)
			round := 0
			for b.Loop() {
				round++
				for i := range actions {
					actions[i].Key = fmt.Sprintf("key%d-%d", round, i)
				}
				deliver(b, target, actions)
			}
			b.ReportMetric(float64(batch)*float64(round)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
