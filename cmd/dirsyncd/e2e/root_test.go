package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// serviceUser is a user who is not root. Nobody needs to have that name.
const serviceUser = 12345

// installForService makes an installation whose folder belongs to the service's user, and skips where only root could.
func installForService(t *testing.T, configuration string) *installation {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make an installation of another user's")
	}
	in := install(t, configuration)
	for dir := in.dir; strings.HasPrefix(dir, os.TempDir()) && dir != os.TempDir(); dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755)) // others may pass, as on any machine
	}
	must(t, os.Chown(in.path("config.yaml"), 0, serviceUser))
	must(t, os.Chmod(in.path("config.yaml"), 0o640))
	must(t, os.Chown(in.dir, serviceUser, serviceUser))
	return in
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func belongsTo(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Lstat(path)
	must(t, err)
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

// TestRootActsAsTheService: what root does in the service's folders it does with the service's rights, so that a link
// which the service's user made leads nowhere that this user could not go, and the service finds files of its own.
func TestRootActsAsTheService(t *testing.T) {
	t.Parallel()
	in := installForService(t, of(small().open(t)).configuration())
	in.expect(0, "sync")
	for _, name := range []string{"state.db", "changes.jsonl"} {
		if got := belongsTo(t, in.path(name)); got != serviceUser {
			t.Errorf("%s belongs to %d", name, got)
		}
	}

	victim := filepath.Join(t.TempDir(), "victim")
	must(t, os.WriteFile(victim, []byte("root's own\n"), 0o644))
	for dir := filepath.Dir(victim); strings.HasPrefix(dir, os.TempDir()) && dir != os.TempDir(); dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755))
	}
	plant := func(name string) {
		must(t, os.Remove(in.path(name)))
		must(t, os.Symlink(victim, in.path(name)))
		must(t, os.Lchown(in.path(name), serviceUser, serviceUser))
	}
	plant("changes.jsonl")
	must(t, os.Remove(in.path("state.db"))) // everybody is to be told of again
	in.expect(1, "sync").says(t, "permission denied")
	plant("state.db")
	in.expect(2, "sync").says(t, "not a state file")
	in.run("check", "--probe")
	must(t, os.Chmod(in.path("config.yaml"), 0o600))
	in.expect(2, "status").says(t, "may not be read by this user", "chgrp dirsyncd")
	info, err := os.Stat(victim)
	must(t, err)
	if text, err := os.ReadFile(victim); err != nil || string(text) != "root's own\n" || info.Mode().Perm() != 0o644 || belongsTo(t, victim) != 0 {
		t.Errorf("root's file is now %v, %q, of user %d (%v)", info.Mode(), text, belongsTo(t, victim), err)
	}
}

// TestRootFollowsNoPlantedFolder: a link of the service's user in the place of the state's folder gives it nobody else's rights.
func TestRootFollowsNoPlantedFolder(t *testing.T) {
	t.Parallel()
	text := of(small().open(t)).configuration()
	in := installForService(t, strings.Replace(text, "state: state.db", "state: data/state.db", 1))
	elsewhere := t.TempDir()
	must(t, os.Symlink(elsewhere, in.path("data")))
	must(t, os.Lchown(in.path("data"), serviceUser, serviceUser))
	if r := in.run("sync"); r.code == 0 {
		t.Errorf("sync ended with 0: %s", r.out)
	}
	if found, _ := os.ReadDir(elsewhere); len(found) > 0 {
		t.Errorf("root made %v in a folder that the service's user named", found[0].Name())
	}
}

// TestBackupStaysRoots: a copy goes where root may write.
func TestBackupStaysRoots(t *testing.T) {
	t.Parallel()
	in := installForService(t, of(small().open(t)).configuration())
	in.expect(0, "sync")
	copied := filepath.Join(t.TempDir(), "copy.db")
	in.expect(0, "state", "backup", copied)
	if got := belongsTo(t, copied); got != 0 {
		t.Errorf("root's backup belongs to %d", got)
	}
}

// TestSocketOfRootIsReplaced: a socket that nobody listens on, and that the service may not even ask, keeps no service down.
func TestSocketOfRootIsReplaced(t *testing.T) {
	t.Parallel()
	in := installForService(t, of(small().open(t)).configuration())
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: in.path("control.sock")})
	must(t, err)
	l.SetUnlinkOnClose(false)
	must(t, l.Close())
	must(t, os.Chmod(in.path("control.sock"), 0o600))
	d := in.start()
	eventually(t, "the daemon answers", func() bool { return strings.Contains(d.log.String(), "started") || d.over() })
	if got := belongsTo(t, in.path("control.sock")); got != serviceUser {
		t.Errorf("the socket belongs to %d", got)
	}
	in.expect(0, "sync")
	d.stop()
}
