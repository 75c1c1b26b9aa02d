package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// connections measures the daemon itself (`make build` first): how much is resident when it reads many connections for the first time, and
// what it costs at rest. Each connection reads a file of its own. Linux only: the figures are those of /proc.
func connections(ctx context.Context, out io.Writer, o options) error {
	_, _ = fmt.Fprintf(out, "\n%-44s %9s %11s %11s %8s %8s %13s\n", "what", "time", "largest MiB", "at rest MiB", "own MiB", "file MiB", "wake-ups/min")
	for _, c := range []struct{ connections, people int }{{60, 1000}, {1, 1}, {200, 1}} {
		dir, err := os.MkdirTemp(o.dir, "connections-")
		if err != nil {
			return err
		}
		if err := atRest(ctx, out, o, dir, c.connections, c.people); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "\nload %s\n", load())
	return err
}

// atRest runs a daemon until everything is delivered and then lets it rest.
func atRest(ctx context.Context, out io.Writer, o options, dir string, connections, people int) (err error) {
	if err := writeInstallation(dir, connections, people); err != nil {
		return err
	}
	var log bytes.Buffer
	// It is asked to end, and not killed.
	daemon := exec.CommandContext(context.WithoutCancel(ctx), o.daemon, "run", "--config", filepath.Join(dir, "config.yaml"))
	daemon.Stdout, daemon.Stderr = &log, &log
	began := time.Now()
	if err := daemon.Start(); err != nil {
		return fmt.Errorf("%w: `make build` makes it, -daemon says where it is", err)
	}
	ctx, end := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := daemon.Wait()
		end(errors.New("the daemon has ended"))
		ended <- err
	}()
	defer func() {
		_ = daemon.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		if err = errors.Join(err, <-ended); err != nil {
			err = fmt.Errorf("%w; it said: %s", err, log.Bytes()[max(log.Len()-2000, 0):])
		}
	}()
	for {
		data, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if bytes.Count(data, []byte("\n")) >= connections*people {
			break
		}
		if err := pause(ctx, time.Second/10); err != nil {
			return err
		}
		if time.Since(began) > 10*time.Minute {
			return errors.New("not everything was delivered within ten minutes")
		}
	}
	took := time.Since(began)
	if err := pause(ctx, o.rest); err != nil {
		return err
	}
	p := process(daemon.Process.Pid)
	before, err := p.wakeUps()
	if err != nil {
		return err
	}
	if err := pause(ctx, time.Minute); err != nil {
		return err
	}
	after, err := p.wakeUps()
	if err != nil {
		return err
	}
	memory, err := p.numbers("status")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%-44s %8.1fs %11d %11d %8d %8d %13d\n", fmt.Sprintf("%d connections of %d", connections, people), took.Seconds(),
		memory["VmHWM"]>>10, memory["VmRSS"]>>10, memory["RssAnon"]>>10, memory["RssFile"]>>10, after-before)
	return err
}

func writeInstallation(dir string, connections, people int) error {
	config := &strings.Builder{}
	config.WriteString("state: state.db\ncontrol: control.sock\nlisten: \"\"\nconnections:\n")
	for c := range connections {
		name := fmt.Sprintf("site%03d", c)
		rows := &strings.Builder{}
		rows.WriteString("id,name,email,department\n")
		for p := range people {
			_, _ = fmt.Fprintf(rows, "%s-%d,Person %d,person%d@%s.example,Department %d\n", name, p, p, p, name, p%20)
		}
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, "people.csv"), []byte(rows.String()), 0o600); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(config, "  %s: {connector: files, schedule: \"@every 24h\", mapping: all, targets: [events], files: {folder: %s, settle: 0s, kinds: "+
			"{person: {file: people.csv, key: id, columns: {department: department}}}}}\n", name, name)
	}
	config.WriteString("mappings:\n  all:\n    rules: [{name: everyone, user: {department: = department}}]\n    fields: {user: {name: = name, email: = email}}\n" +
		"targets:\n  events: {target: file, file: {path: events.jsonl}}\n")
	return os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(config.String()), 0o600)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// process is a running process, by its number.
type process int

// numbers reads the lines "name: number" of one of its files; those of memory are KiB.
func (p process) numbers(file string) (map[string]int, error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(int(p)), file))
	if err != nil {
		return nil, err
	}
	numbers := map[string]int{}
	for line := range strings.Lines(string(data)) {
		name, text, _ := strings.Cut(line, ":")
		if fields := strings.Fields(text); len(fields) > 0 {
			if n, err := strconv.Atoi(fields[0]); err == nil {
				numbers[name] = n
			}
		}
	}
	return numbers, nil
}

// wakeUps is how often its threads have slept of their own accord, which is how often they were woken.
func (p process) wakeUps() (sum int, err error) {
	threads, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(int(p)), "task"))
	for _, thread := range threads {
		numbers, err := p.numbers(filepath.Join("task", thread.Name(), "status"))
		if err != nil {
			return 0, err
		}
		sum += numbers["voluntary_ctxt_switches"]
	}
	return sum, err
}
