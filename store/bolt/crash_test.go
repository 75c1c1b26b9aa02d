package bolt_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// perBatch is how many people a batch adds.
const perBatch = 60

func flock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// writeBatch is one transaction that touches every bucket. What the store holds after batch i follows from i.
func writeBatch(w store.Writer, batch int) error {
	groups, err := w.Intern([]string{"id:g0", fmt.Sprint("id:g", 1+batch%7)}, nil)
	if err != nil {
		return err
	}
	var people []store.Num
	for j := range perBatch {
		n, err := writePerson(w, batch, j)
		if err != nil {
			return err
		}
		people = append(people, n)
	}
	for _, g := range groups {
		if _, err := w.AddMembers(g, people, nil); err != nil {
			return err
		}
	}
	if _, err := w.RemoveMembers(groups[0], people[:perBatch/2], nil); err != nil {
		return err
	}
	// The person before the last leaves, and half of what waited has been delivered.
	var seqs []uint64
	err = w.Outbox("journal", 0, func(q store.Queued) bool { seqs = append(seqs, q.Seq); return len(seqs) < perBatch/2 })
	if err != nil {
		return err
	}
	id, err := w.Park(store.Parked{Stage: "map", Kind: directory.Person, Object: fmt.Sprint(batch)})
	if err != nil {
		return err
	}
	if _, err := w.Unpark(id - 3); err != nil {
		return err
	}
	return errors.Join(
		w.DeleteRow(directory.Person, people[perBatch-2]),
		w.Claim("journal", seqs[len(seqs)-1]), w.Dequeue("journal", seqs),
		w.SetMemberDigest(groups[0], store.MemberDigest{Count: uint64(batch)}),
		w.AppendSeen("users", fmt.Append(nil, batch)),
		w.PutStream("users", store.StreamState{Cursor: strconv.AppendInt(nil, int64(batch), 10)}),
		w.PutRun(store.Run{ID: fmt.Sprint("r", batch)}),
		w.PutTenant(store.TenantState{Why: fmt.Sprint(batch)}),
	)
}

func writePerson(w store.Writer, batch, j int) (store.Num, error) {
	name := fmt.Sprintf("%d-%d", batch, j)
	// Handles of the first people of a batch move on to the next batch's.
	o := &directory.Object{Kind: directory.Person, ID: name, Handles: []string{"uid:" + name, fmt.Sprint("seat:", j)},
		Links: []directory.Link{{Type: directory.Manager, To: fmt.Sprintf("uid:%d-0", batch)}}}
	o.SetText(directory.FieldName, strings.Repeat(name, 20))
	n, err := w.PutRow(o, store.Here)
	if err != nil {
		return 0, err
	}
	rec := &directory.Record{Kind: directory.UserRecord, Key: "hq/" + name, Active: j%3 > 0}
	a := &directory.Action{Key: name, Op: directory.Create, Kind: directory.UserRecord, Record: rec.Key}
	return n, errors.Join(w.MarkDirty(directory.Person, n, store.Changed), w.PutRecord(n, rec), w.Enqueue("journal", a, time.Unix(1, 0)))
}

// checkBatches checks that exactly so many batches are in the store.
func checkBatches(t *testing.T, s store.Store, batches int) {
	t.Helper()
	err := s.View(t.Context(), hq, func(r store.Reader) error {
		if batches == 0 {
			return nil
		}
		state, err := r.Stream("users")
		if string(state.Cursor) != fmt.Sprint(batches-1) {
			t.Errorf("cursor %q after %d batches", state.Cursor, batches)
		}
		people, err1 := r.Count(directory.Person)
		active, err2 := r.ActiveRecords(directory.UserRecord)
		memberships, err3 := r.Memberships()
		parked, err4 := r.ParkedCount()
		depth, _, err5 := r.OutboxDepth("journal")
		for _, counted := range []struct {
			what      string
			got, want int
		}{
			{"people", people, batches * (perBatch - 1)},
			{"active records", active, batches * perBatch * 2 / 3},
			{"memberships", memberships, batches * perBatch * 3 / 2},
			{"parked", parked, min(batches, 3)},
			{"waiting", depth, batches * perBatch / 2},
		} {
			if counted.got != counted.want {
				t.Errorf("%s after %d batches: got %d, want %d", counted.what, batches, counted.got, counted.want)
			}
		}
		return errors.Join(err, err1, err2, err3, err4, err5)
	})
	if err != nil {
		t.Error(err)
	}
}

// batchesIn returns how many batches are in the store.
func batchesIn(t *testing.T, s store.Store) (batches int) {
	t.Helper()
	err := s.View(t.Context(), hq, func(r store.Reader) error {
		state, err := r.Stream("users")
		if err != nil || len(state.Cursor) == 0 {
			return err
		}
		last, err := strconv.Atoi(string(state.Cursor))
		batches = last + 1
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return batches
}

// childEnv names the state file for a test that is run as a child of another test.
const childEnv = "DIRSYNCD_TEST_STATE"

// child makes the command that runs one test of this binary with a state file of its own.
func child(t *testing.T, test, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestKilled kills a process again and again while it writes. Whatever it was told to be durable must be
// there, of what it was doing all or nothing, and the file must be in order.
func TestKilled(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	path := filepath.Join(t.TempDir(), "state.db")
	rnd := rand.New(rand.NewPCG(1, 1))
	for range rounds {
		told := writeAndKill(t, path, rnd.IntN(12))
		s, err := bolt.Open(path, bolt.Options{LockTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		batches := batchesIn(t, s)
		if batches < told || batches > told+1 {
			t.Errorf("%d batches are there after %d were reported", batches, told)
		}
		checkBatches(t, s, batches)
		if err := errors.Join(s.Verify(t.Context()), s.Close(), bboltCheck(t, path)); err != nil {
			t.Fatal(err)
		}
	}
}

// bboltCheck is bbolt's own check of a file, to which Verify is an alternative.
func bboltCheck(t *testing.T, path string) (err error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(db.View(func(tx *bbolt.Tx) error {
		for problem := range tx.Check() {
			err = errors.Join(err, problem)
		}
		return err
	}), db.Close())
}

// writeAndKill lets a child write, kills it after it has reported so many batches, and returns how many
// batches it reported to be in the file.
func writeAndKill(t *testing.T, path string, after int) (told int) {
	t.Helper()
	cmd := child(t, "TestWriter", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for reported := -1; lines.Scan(); {
		word, ok := strings.CutPrefix(lines.Text(), "batches ")
		if !ok {
			continue
		}
		if told, err = strconv.Atoi(word); err != nil {
			t.Error(err)
		}
		if reported++; reported == after {
			// What it writes from here on comes while the kill is on its way.
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	return told
}

// TestWriter is the child: it writes batches until it is killed.
func TestWriter(t *testing.T) {
	path := os.Getenv(childEnv)
	if path == "" {
		t.Skip("runs as a child of TestKilled")
	}
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for batch := batchesIn(t, s); ; batch++ {
		if _, err := fmt.Fprintln(os.Stdout, "batches", batch); err != nil {
			t.Fatal(err)
		}
		if err := s.Update(t.Context(), hq, func(w store.Writer) error { return writeBatch(w, batch) }); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDisk makes a child's file hit a limit of its size, which fails at the same places as a full disk.
func TestFullDisk(t *testing.T) {
	out, err := child(t, "TestFullDiskChild", filepath.Join(t.TempDir(), "state.db")).Output()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestFullDiskChild") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestFullDiskChild is the child of TestFullDisk.
func TestFullDiskChild(t *testing.T) {
	path := os.Getenv(childEnv)
	if path == "" {
		t.Skip("runs as a child of TestFullDisk")
	}
	signal.Ignore(syscall.SIGXFSZ)
	t.Run("grow", func(t *testing.T) { // bbolt reserves space for many transactions at once
		s := openStore(t, bolt.Options{})
		fillDisk(t, s, 0, 1<<20)
	})
	t.Run("write", func(t *testing.T) {
		s := openStore(t, bolt.Options{NoSync: true})
		fill(t, s)
		batches := 5
		for _, room := range []uint64{0, 4096, 40960} {
			batches = fillDisk(t, s, batches, uint64(len(read(t, s.Path())))+room)
		}
	})
	t.Run("upgrade", func(t *testing.T) {
		path := stateFile(t)
		bolt.ToVersion5(t, path)
		free := limitFileSize(t, 4*4096)
		_, err := bolt.Open(path, bolt.Options{})
		free()
		checkFault(t, err, fault.Transient, path, "free some space")
		s, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			t.Fatalf("after space was freed: %v", err)
		}
		defer s.Close()
		checkBatches(t, s, 5)
		if err := s.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("create", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state.db")
		free := limitFileSize(t, 8192)
		_, err := bolt.Open(path, bolt.Options{})
		free()
		checkFault(t, err, fault.Transient, path, "free some space")
		s, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			t.Fatalf("after space was freed: %v", err)
		}
		defer s.Close()
		fill(t, s)
	})
}

// fillDisk writes batches until the file may not grow, makes room, and writes one more.
func fillDisk(t *testing.T, s *bolt.Store, batches int, limit uint64) int {
	t.Helper()
	free := limitFileSize(t, limit)
	var failed error
	for failed == nil {
		failed = s.Update(t.Context(), hq, func(w store.Writer) error { return writeBatch(w, batches) })
		if failed == nil {
			batches++
		}
	}
	checkFault(t, failed, fault.Transient, s.Path(), "free some space")
	checkBatches(t, s, batches)
	free()
	if err := s.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.Update(t.Context(), hq, func(w store.Writer) error { return writeBatch(w, batches) })
	if err != nil {
		t.Fatalf("after space was freed: %v", err)
	}
	checkBatches(t, s, batches+1)
	return batches + 1
}

func limitFileSize(t *testing.T, size uint64) (restore func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	set := func(limit syscall.Rlimit) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
	}
	set(syscall.Rlimit{Cur: size, Max: old.Max})
	return func() { set(old) }
}
