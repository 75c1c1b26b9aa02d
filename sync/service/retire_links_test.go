package service

import (
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
)

// ada is who somebody of the connection lab is at a desk.
func ada(t *testing.T, s *Service) store.Link {
	t.Helper()
	var list []store.Link
	err := s.store.View(t.Context(), store.TargetPartition("desk"), func(tx store.Reader) (err error) {
		list, err = tx.LinksOf([]string{"user/lab/ada"})
		return err
	})
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	return list[0]
}

func linkAda(t *testing.T, s *Service) {
	t.Helper()
	err := s.store.Update(t.Context(), store.TargetPartition("desk"), func(tx store.Writer) error {
		return tx.PutLink(store.Link{Subject: "user/lab/ada", Kind: directory.UserRecord, ID: "7", State: store.Linked, Owner: store.Adopted,
			Contributor: store.Partition{Connection: "lab"}})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Who was linked by a connection that is retired is remembered, and the thing is free for others; while something of it waits at a
// target, nothing is forgotten.
func TestRetireEndsLinks(t *testing.T) {
	w := newWorld(t)
	s := w.open(t)
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	linkAda(t, s)
	lab := store.Partition{Connection: "lab"}
	waits := func(change func(store.Writer) error) {
		t.Helper()
		if err := s.store.Update(t.Context(), lab, change); err != nil {
			t.Fatal(err)
		}
	}
	waits(func(tx store.Writer) error {
		a := directory.Action{Op: directory.Deactivate, Kind: directory.UserRecord, Record: "lab/ada", Key: "k"}
		_, err := tx.PutWait(store.Wait{Target: "desk", Subject: "user/lab/ada", Action: directory.AppendAction(nil, &a), Cause: "busy", Due: time.Now()})
		return err
	})
	s = w.edit(t, s, labLine, "")
	held, err := s.RetireConnection(t.Context(), "lab")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Approve(t.Context(), held.Runs[0].Held); err != nil {
		t.Fatal(err)
	}
	left := func() int {
		t.Helper()
		parts, err := s.partitionsOf(t.Context(), chosen{connection: "lab"})
		if err != nil {
			t.Fatal(err)
		}
		return len(parts)
	}
	if l := ada(t, s); left() != 1 || l.State != store.Linked {
		t.Errorf("something waits still: %+v, %d left", l, left())
	}
	waits(func(tx store.Writer) error {
		_, err := tx.EndWaits("desk", []string{"user/lab/ada"})
		return err
	})
	if err := s.warnAboutLeftovers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l := ada(t, s); left() != 0 || l.State != store.LinkDead || l.ID != "7" || l.Why != "retired" {
		t.Errorf("%+v, %d left", l, left())
	}
}

// Links name the connection that has a record, and its records keep their keys when it is renamed.
func TestRenameMovesLinks(t *testing.T) {
	w := newWorld(t)
	s := w.open(t)
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	linkAda(t, s)
	s = w.edit(t, s, "  lab:", "  plant:")
	if err := s.RenameConnection(t.Context(), "lab", "plant"); err != nil {
		t.Fatal(err)
	}
	if l := ada(t, s); l.Contributor != (store.Partition{Connection: "plant"}) || l.State != store.Linked {
		t.Errorf("%+v", l)
	}
}
