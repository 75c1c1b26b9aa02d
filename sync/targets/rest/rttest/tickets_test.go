package rttest_test

import (
	"fmt"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/rest"
	"dirsyncd/sync/targets/rest/rttest"
)

// TestTickets: a ticket is made in the queue, of the person who comes, and is found by its mark.
func TestTickets(t *testing.T) {
	t.Setenv("DESK_SECRET", rttest.Password)
	s := rttest.Start(t, rttest.Options{})
	text := fmt.Sprintf("{preset: request-tracker, url: %q, auth: {user: %s, password: {env: DESK_SECRET}}, names: {mark: %[3]s, ticket_mark: %[3]s, queue: General}, rate: 1000}",
		s.REST, rttest.User, rttest.Mark)
	cfg := rest.Factory().NewConfig()
	doc := strict.Parse([]byte(text), strict.Options{})
	doc.Root().Into(cfg)
	desk, err := rest.Factory().OpenDesk(cfg, targets.Env{})
	if err != nil || len(doc.Problems()) > 0 {
		t.Fatal(err, doc.Problems())
	}
	field := func(name, value string) directory.Field {
		return directory.Field{Name: name, Value: directory.Text(value)}
	}
	apply := func(job targets.Job) targets.Entity {
		t.Helper()
		job.Op = directory.Create
		results, err := desk.Apply(t.Context(), []targets.Job{job})
		if err != nil || results[0].Err != nil {
			t.Fatal(err, results)
		}
		return results[0].Entity
	}
	person := apply(targets.Job{Kind: directory.UserRecord, Mark: "hq/7", Fields: []directory.Field{field("email", "ada@example.test"), field("login", "ada")}})
	const mark = "hq/7/ticket/joiner/1"
	ticket := apply(targets.Job{Kind: directory.TicketRecord, Mark: mark, Refs: map[string]string{"user": person.ID},
		Fields: []directory.Field{field("details", "Room 3"), field("priority", "40"), field("summary", "New starter: Ada")}})
	if ticket.Keys[targets.Mark] != mark {
		t.Errorf("%+v", ticket)
	}
	apply(targets.Job{Kind: directory.TicketRecord, Mark: "hq/7/ticket/joiner/2", Fields: []directory.Field{field("summary", "Another")}})
	for value, want := range map[string]int{mark: 1, "hq/7/ticket/joiner/3": 0, "hq/7/ticket/joiner": 0} {
		found, err := desk.Find(t.Context(), directory.TicketRecord, targets.Mark, value)
		if err != nil || len(found) != want || want == 1 && (found[0].ID != ticket.ID || found[0].Keys[targets.Mark] != mark) {
			t.Errorf("%s: %v, %v", value, found, err)
		}
	}
	n := 0
	proof, err := desk.Survey(t.Context(), directory.TicketRecord, func(*targets.Entity) error { n++; return nil })
	if err != nil || n != 2 || proof.Count != 2 || proof.Doubt != "" {
		t.Errorf("%d tickets, %+v, %v", n, proof, err)
	}
	var at struct {
		Subject, Priority string
		Queue             struct{ Name string }
		Requestor         []struct{ ID string }
	}
	s.Do(t, "GET", "/REST/2.0/ticket/"+ticket.ID, nil, &at)
	if at.Subject != "New starter: Ada" || len(at.Requestor) != 1 || at.Requestor[0].ID != "ada" {
		t.Errorf("%+v", at)
	}
	t.Logf("%d mails", s.Mails(t))
}
