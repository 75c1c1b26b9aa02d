package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// bouncer starts a PgBouncer before the server and returns the URL by which it is reached.
func (r *rig) bouncer(t *testing.T, settings string) string {
	return strings.Replace(r.url, r.address, r.Bouncer(t, r.server, settings), 1)
}

// Behind a pooler everything works that works without one.
func behindBouncer(t *testing.T, r *rig) {
	url, schema := r.bouncer(t, ""), r.schema(t)
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

// A pooler that does as if it had taken the settings is noticed, too; so is that sessions are not called as they should be. One that keeps no
// transaction together is refused.
func ignoredSettings(t *testing.T, r *rig) {
	var said strings.Builder
	url := r.bouncer(t, "application_name_add_host = 1\nignore_startup_parameters = idle_in_transaction_session_timeout,lock_timeout,statement_timeout,"+
		"client_connection_check_interval,tcp_keepalives_idle,tcp_keepalives_interval,tcp_keepalives_count,tcp_user_timeout,plan_cache_mode")
	s := r.openSchema(t, postgres.Options{URL: url, Schema: r.schema(t), LeaseFor: longLeases, Log: logTo(&said)})
	if !s.Pooled() || !strings.Contains(said.String(), "calls this process' sessions otherwise") {
		t.Errorf("pooled %v, said %q", s.Pooled(), said.String())
	}
	held, release, err := s.Lease(t.Context(), "run hq", wholeLife)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for range 3 {
		if err := s.Update(held, hq, count); err != nil {
			t.Fatal(err)
		}
	}
	_, err = postgres.Open(t.Context(), postgres.Options{URL: r.bouncer(t, "pool_mode = statement"), Schema: r.schema(t)})
	if fault.ClassOf(err) != fault.Configuration || !strings.Contains(err.Error(), "statement pooling mode") {
		t.Errorf("in statement mode: %v", err)
	}
}
