package postgres_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/database/testserver"
	"dirsyncd/sync/directory"
)

// bouncer starts a PgBouncer before the server, which gives a session to somebody else after each transaction, and returns the URL by which it is
// reached.
func (r *rig) bouncer(t *testing.T) string {
	program := "/usr/sbin/pgbouncer"
	if _, err := exec.LookPath(program); err != nil {
		testserver.Missing(t, "PgBouncer", "pgbouncer")
	}
	dir, port := testserver.Folder(t), testserver.Port(t)
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	_, serverPort, _ := strings.Cut(r.address, ":")
	users := write("users.txt", fmt.Sprintf("%q %q\n", postgrestest.Admin, postgrestest.AdminPassword))
	file := write("pgbouncer.ini", fmt.Sprintf(`[databases]
%s = host=127.0.0.1 port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = plain
auth_file = %s
pool_mode = transaction
default_pool_size = 6
`, r.Name, serverPort, port, users))
	testserver.Own(t, dir)
	url := strings.Replace(r.url, r.address, testserver.Address(port), 1)
	db, err := sql.Open("pgx", url+"&default_query_exec_mode=exec")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	testserver.Start(t, dir, db.Ping, program, file)
	return url
}

// Behind a pooler everything works that works without one.
func behindBouncer(t *testing.T, r *rig) {
	url, schema := r.bouncer(t), r.schema(t)
	open := func() *postgres.Store {
		return r.openSchema(t, postgres.Options{URL: url, Schema: schema, LeaseFor: longLeases})
	}
	a, b := open(), open()
	if !a.Pooled() || !b.Pooled() {
		t.Error("the pooler was not noticed")
	}
	held, release, err := a.Lease(t.Context(), "run hq", wholeLife)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for range 3 {
		if err := a.Update(held, hq, count); err != nil {
			t.Fatal(err)
		}
	}
	a.Suspend(wholeLife)
	next, releaseNext, err := b.Lease(t.Context(), "run hq", wholeLife)
	if err != nil {
		t.Fatal(err)
	}
	defer releaseNext()
	if err := a.Update(held, hq, count); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("after somebody took over: %v", err)
	}
	err = b.Update(next, hq, func(tx store.Writer) error {
		group, err := tx.PutRow(&directory.Object{Kind: directory.Group, ID: "g"}, store.Here)
		if err != nil {
			return err
		}
		nums, err := tx.Lookup([]string{"uid:1", "uid:2"}, nil)
		if err != nil {
			return err
		}
		_, err = tx.AddMembers(group, nums, nil)
		return errors.Join(err, tx.SetMemberDigest(group, store.MemberDigest{Count: 2}), count(tx))
	})
	if err != nil || counted(t, b, hq) != 4 {
		t.Errorf("the new holder: %v", err)
	}
	copied, err := b.Scratch(t.Context(), hq)
	if err != nil {
		t.Fatal(err)
	}
	if counted(t, copied, hq) != 4 {
		t.Error("the copy says something else")
	}
	if err := errors.Join(copied.Close(), b.Verify(t.Context())); err != nil {
		t.Error(err)
	}
	// A copy that is restored is noticed: the connection to the pooler outlives that.
	r.Exec("DELETE FROM " + schema + ".name")
	err = b.View(t.Context(), hq, func(tx store.Reader) error {
		nums, err := tx.Lookup([]string{directory.IDHandle("g")}, nil)
		if err == nil && nums[0] != 0 {
			t.Errorf("a name that is there no more has the number %d", nums[0])
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
