package service

import (
	"strings"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Somebody is found by whatever people have in hand: any of the addresses, the number on the badge.
func TestWhyByWhatPeopleHaveInHand(t *testing.T) {
	w := newWorld(t)
	o := directory.Object{Kind: directory.Person, ID: "ada"}
	o.SetText(directory.FieldName, "Ada")
	o.SetText(directory.FieldEmployeeID, "4711")
	o.Set(directory.FieldEmails, directory.List("SMTP:ada@example.test", "countess@example.test"))
	w.source.Put("", o)
	s := w.open(t)
	if _, err := s.Sync(t.Context(), api.SyncRequest{Connections: []string{"hq"}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"ada", "ADA", "hq/ada", "4711", "ada@example.test", "Countess@Example.test", "smtp:ada@example.test"} {
		if found, err := s.Why(t.Context(), "user", who); err != nil || len(found) != 1 {
			t.Errorf("%q: %d found, %v", who, len(found), err)
		}
	}
	for _, who := range []string{"", "example.test", "471"} {
		_, err := s.Why(t.Context(), "user", who)
		if fault.ClassOf(err) != fault.Gone || !strings.Contains(err.Error(), "none of 2 connections") {
			t.Errorf("%q: %v", who, err)
		}
	}
}
