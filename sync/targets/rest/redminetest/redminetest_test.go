package redminetest

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"dirsyncd/sync/targets/rest/internal/program"
)

func TestServer(t *testing.T) {
	s := Start(t, []Person{{Login: "bob", Mail: "bob@example.test", Given: "Bob", Family: "Ray", Remark: "of a human"}})
	before := s.Dump(t)
	type made struct{ User, Group struct{ ID int } }
	var ann made
	s.Do(t, http.MethodPost, "/users.json", map[string]any{"user": map[string]any{
		"login": "ann", "firstname": "Ann", "lastname": "Lee", "mail": "ann@example.test",
		"custom_fields": []any{map[string]any{"id": UserMark, "value": "hr/1"}},
	}}, &ann)
	s.Do(t, http.MethodPost, "/groups.json", map[string]any{"group": map[string]any{
		"name": "Team", "user_ids": []int{ann.User.ID}, "custom_fields": []any{map[string]any{"id": GroupMark, "value": "hr/g"}},
	}}, nil)
	// Bob looks as if he had been made by Redmine.
	s.Do(t, http.MethodPost, "/users.json", map[string]any{"user": map[string]any{
		"login": "bob2", "firstname": "Bob", "lastname": "Ray", "mail": "bob2@example.test", "custom_fields": []any{map[string]any{"id": 1, "value": "of a human"}},
	}}, nil)
	after := s.Dump(t)
	program.Alike(t, after, "login", "bob", "bob2", "id", "login", "mail", "created_on", "updated_on")
	if len(after) != len(before)+3 {
		t.Fatalf("%d things, then %d", len(before), len(after))
	}
	for id, thing := range after {
		switch {
		case before[id] != nil || thing["login"] == "bob2":
		case thing["login"] == "ann" && thing["mail"] == "ann@example.test" && thing["status"] == "1" && thing["custom.dirsync"] == "hr/1":
		case thing["lastname"] == "Team" && thing["members"] != "" && thing["custom.dirsync"] == "hr/g":
		default:
			t.Errorf("%s: %v", id, thing)
		}
	}
	if n := s.Mails(t); n != 0 {
		t.Errorf("%d mails", n)
	}
	s.Do(t, http.MethodPut, "/users/"+strconv.Itoa(ann.User.ID)+".json", map[string]any{"user": map[string]any{"mail": "lee@example.test"}}, nil)
	// A changed address is told to both, by a thread of its own.
	for end := time.Now().Add(5 * time.Minute); s.Mails(t) == 0; <-time.After(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("mails are not seen")
		}
	}
	if n := s.Writes(); n != 4 {
		t.Errorf("%d writing requests", n)
	}
}
