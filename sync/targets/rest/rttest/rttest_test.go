package rttest

import (
	"net/http"
	"testing"

	"dirsyncd/sync/targets/rest/internal/program"
)

func TestServer(t *testing.T) {
	s := Start(t, Options{People: []Person{{Login: "bob", Mail: "bob@example.test", Given: "Bob", Family: "Ray", Remark: "of a human"}}})
	before := s.Dump(t)
	s.Do(t, http.MethodPost, "/REST/2.0/user", map[string]any{
		"Name": "ann", "EmailAddress": "ann@example.test", "CustomFields": map[string]any{Mark: "hr/1", "Remark": "of a human"},
	}, nil)
	var ann struct{ ID int }
	s.Do(t, http.MethodGet, "/REST/2.0/user/ann", nil, &ann)
	var team struct{ ID string }
	s.Do(t, http.MethodPost, "/REST/2.0/group", map[string]any{"Name": "Team", "CustomFields": map[string]any{Mark: "hr/g"}}, &team)
	s.Do(t, http.MethodPut, "/REST/2.0/group/"+team.ID+"/members", []int{ann.ID}, nil)
	// Bob looks as if he had been made by Request Tracker.
	s.Do(t, http.MethodPost, "/REST/2.0/user", map[string]any{
		"Name": "bob2", "EmailAddress": "bob2@example.test", "RealName": "Bob Ray", "CustomFields": map[string]any{"Remark": "of a human"},
	}, nil)
	after := s.Dump(t)
	program.Alike(t, after, "Name", "bob", "bob2", "id", "Name", "EmailAddress", "Creator", "Created", "LastUpdatedBy", "LastUpdated")
	if len(after) != len(before)+3 {
		t.Fatalf("%d things, then %d", len(before), len(after))
	}
	for id, thing := range after {
		switch {
		case before[id] != nil || thing["Name"] == "bob2":
		case thing["Name"] == "ann" && thing["Disabled"] == "0" && thing["CustomField."+Mark] == "hr/1" && thing["CustomField.Remark"] == "of a human":
		case thing["Name"] == "Team" && thing["members"] != "" && thing["CustomField."+Mark] == "hr/g":
		default:
			t.Errorf("%s: %v", id, thing)
		}
	}
	if n := s.Mails(t); n != 0 {
		t.Errorf("%d mails", n)
	}
	if n := s.Writes(); n != 4 {
		t.Errorf("%d writing requests", n)
	}
}
