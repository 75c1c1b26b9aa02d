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

	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/database/testserver"
)

// server is a PostgreSQL that keeps what it is told as one in operation does: every transaction is synced, and vacuumed as it comes. It is
// reached by a socket in its folder, which nobody else may enter.
type server struct {
	programs, dir, version string
	cmd                    *exec.Cmd
	log                    bytes.Buffer // whole when the server has ended
	ended                  chan struct{}
}

const (
	serverUser = "bench"
	// serverStart is how long it may take to come up on a busy machine.
	serverStart = 5 * time.Minute
)

// startServer starts the newest of the versions in a folder, or says what to install. With statements it adds up what they take.
func startServer(versions string, statements bool) (_ *server, err error) {
	s := &server{ended: make(chan struct{})}
	if s.programs, err = postgrestest.Programs(versions); err != nil {
		return nil, err
	}
	if s.dir, err = testserver.MakeFolder(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(s.dir)
		}
	}()
	if _, err = s.run("initdb", "-D", s.data(), "-U", serverUser, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions"); err != nil {
		return nil, err
	}
	args := []string{"-D", s.data(), "-k", s.dir, "-h", "", "-c", "shared_buffers=1GB"}
	if statements {
		args = append(args, "-c", "shared_preload_libraries=pg_stat_statements", "-c", "pg_stat_statements.track_planning=on")
	}
	s.cmd = testserver.Command(s.dir, s.program("postgres"), args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err = s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	if err = s.ready(); err == nil {
		s.version, err = s.prepare(statements)
	}
	if err != nil {
		s.kill()
		return nil, fmt.Errorf("PostgreSQL did not come up: %w\n%s", err, s.log.String())
	}
	return s, nil
}

func (s *server) data() string               { return filepath.Join(s.dir, "data") }
func (s *server) program(name string) string { return filepath.Join(s.programs, name) }

// url is how the store reaches it.
func (s *server) url() string {
	return fmt.Sprintf("host=%s user=%s dbname=postgres", s.dir, serverUser)
}

// run runs one of its programs to its end and returns what that says.
func (s *server) run(name string, args ...string) (string, error) {
	out, err := testserver.Command(s.dir, s.program(name), args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return strings.TrimSpace(string(out)), err
}

// ready waits until it answers.
func (s *server) ready() error {
	for end := time.Now().Add(serverStart); ; {
		_, err := s.run("pg_isready", "-h", s.dir)
		if err == nil || time.Now().After(end) {
			return err
		}
		select {
		case <-s.ended:
			return errors.New("it ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// prepare asks which version it is, and makes the view of statements.
func (s *server) prepare(statements bool) (version string, err error) {
	ctx := context.Background()
	if statements {
		if _, err := s.psql(ctx, "create extension pg_stat_statements"); err != nil {
			return "", err
		}
	}
	version, err = s.psql(ctx, "show server_version")
	version, _, _ = strings.Cut(version, " ") // after it, who made the package
	return "PostgreSQL " + version, err
}

// psql asks it and returns the answer, a line for each row.
func (s *server) psql(ctx context.Context, statement string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return s.run("psql", "-XqAt", "-F", "  ", "-v", "ON_ERROR_STOP=1", "-h", s.dir, "-U", serverUser, "-d", "postgres", "-c", statement)
}

// printStatements prints which statements took longest since it was asked the last time.
func (s *server) printStatements(ctx context.Context, out io.Writer) error {
	text, err := s.psql(ctx, `select lpad(round(total_exec_time)::text, 7), lpad(round(total_plan_time)::text, 7), lpad(calls::text, 7), lpad(rows::text, 8),
		lpad((shared_blks_hit + shared_blks_read)::text, 9), left(regexp_replace(query, '\s+', ' ', 'g'), 160)
		from pg_stat_statements order by total_exec_time + total_plan_time desc limit 10`)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "%7s  %7s  %7s  %8s  %9s  statement\n%s\n\n", "ms", "plan ms", "calls", "rows", "pages", text)
	_, err = s.psql(ctx, "select pg_stat_statements_reset()")
	return err
}

// close ends it and removes what it kept.
func (s *server) close() error {
	s.kill()
	return os.RemoveAll(s.dir)
}

// kill ends it and its children at once.
func (s *server) kill() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.ended
}

// cpuTime is what all its processes have used of the processors so far; zero where the system does not tell (proc(5)).
func (s *server) cpuTime() time.Duration {
	main := s.cmd.Process.Pid
	sum := 0
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		sum += ticksOf(string(data), main)
	}
	return time.Duration(sum) * 10 * time.Millisecond
}

// ticksOf is what a process has used, in the hundredths of a second that Linux counts in, if it is the main process of a server or one that this
// began. To the main process belongs what those used that have ended.
func ticksOf(stat string, main int) int {
	id, rest, _ := strings.Cut(stat, " (")
	end := strings.LastIndex(rest, ") ") // a name may hold anything
	if end < 0 {
		return 0
	}
	fields := strings.Fields(rest[end+2:])
	const parent, utime, cstime = 1, 11, 14
	if len(fields) <= cstime {
		return 0
	}
	last := cstime
	switch strconv.Itoa(main) {
	case id:
	case fields[parent]:
		last = utime + 1
	default:
		return 0
	}
	sum := 0
	for _, field := range fields[utime : last+1] {
		n, _ := strconv.Atoi(field)
		sum += n
	}
	return sum
}
