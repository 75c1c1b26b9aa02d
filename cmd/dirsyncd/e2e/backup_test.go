package e2e

import (
	"os"
	"testing"
)

// TestBackupAndRestore: a backup is made while the daemon runs; the company changes; the disk is lost. With the
// backup in its place everything is as the directory says, and the journal leads there.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	in := install(t, of(s).configuration())
	in.expect(0, "sync")
	d := in.startReady()
	in.expect(0, "state", "backup", in.path("backup.db")).says(t, "copied and verified")
	in.expect(0, "state", "verify").says(t, "state.db", "sound")
	in.expect(2, "state", "backup", in.path("backup.db")).says(t, "there is something already")
	d.stop()
	in.expect(0, "state", "verify", in.path("backup.db")).says(t, "sound")

	s.AddPerson("joiner", nil)
	deleteShare(t, in, s, 20)
	in.expect(0, "sync")
	want := wants(withIDs(t, directoryNow(t, s), s))
	replay(t, in.journal()).mustBe(t, want)

	if err := os.Rename(in.path("backup.db"), in.path("state.db")); err != nil {
		t.Fatal(err)
	}
	in.expect(0, "sync")
	replay(t, in.journal()).mustBe(t, want)
	was := len(in.journal())
	in.expect(0, "sync")
	if n := len(in.journal()); n != was {
		t.Errorf("the run after that told of %d more changes", n-was)
	}

	state, err := os.ReadFile(in.path("state.db"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 64 << 10; i < len(state); i += 4 << 10 {
		state[i+100] ^= 0xff // a byte of every page: some of them are in use
	}
	if err := os.WriteFile(in.path("damaged.db"), state, 0o600); err != nil {
		t.Fatal(err)
	}
	in.expect(1, "state", "verify", in.path("damaged.db"))
	in.expect(2, "state", "verify", in.path("missing.db")).says(t, "name a state file or a backup")
}
