package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets"
)

// exchange is a request and its answer as documents show them: "METHOD ADDRESS", the body or "", the status and the body of the answer.
type exchange struct{ request, body, answer string }

// played is a server that takes exactly the requests of a script, in their order.
func played(t *testing.T, script []exchange) (server *httptest.Server, left func() int) {
	next := 0
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if next == len(script) {
			t.Errorf("%s %s was not expected any more", r.Method, r.URL)
			w.WriteHeader(http.StatusTeapot)
			return
		}
		e := script[next]
		next++
		method, address, _ := strings.Cut(e.request, " ")
		want, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if r.Method != method || r.URL.Path != want.Path || !reflect.DeepEqual(r.URL.Query(), want.Query()) {
			t.Errorf("request %d is %s %s, want %s", next, r.Method, r.URL, e.request)
		}
		body, _ := io.ReadAll(r.Body)
		if text := sample(body); text != sample([]byte(e.body)) {
			t.Errorf("request %d sends %s, want %s", next, text, sample([]byte(e.body)))
		}
		status, answer, _ := strings.Cut(e.answer, " ")
		n, _ := strconv.Atoi(status)
		for strings.HasPrefix(answer, "@") {
			header, rest, _ := strings.Cut(answer[1:], "@ ")
			name, value, _ := strings.Cut(header, ": ")
			w.Header().Set(name, value)
			answer = rest
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(n)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server, func() int { return len(script) - next }
}

// sample is a body in one form; random passwords are all the same.
func sample(body []byte) string {
	v, err := rest.Document(body)
	if err != nil || v == nil {
		return string(body)
	}
	if m, ok := v.(map[string]any); ok {
		for _, name := range []string{"password", "password_confirmation"} {
			if text, is := m[name].(string); is && (len(text) > 20 || text == "RANDOM") {
				m[name] = "RANDOM"
			}
		}
	}
	out, _ := json.Marshal(v)
	return string(out)
}

const (
	zammadMe   = `200 {"id": 3, "login": "sync", "active": true, "role_ids": [1]}`
	zammadAda  = `{"id": 42, "organization_id": 2, "login": "ada", "firstname": "Ada", "lastname": "Lovelace", "email": "ada@acme.test", "phone": "", "active": %s, "roles": ["Customer"], "dirsync_key": "hq/ada", "updated_at": "2026-02-03T04:05:06.789Z"}`
	snipeMe    = `200 {"id": 1, "username": "sync"}`
	snipeAda   = `{"id": 42, "username": "ada", "first_name": "Ada", "last_name": "O&#039;Brien", "email": "ada@acme.test", "employee_num": "hq/ada", "company": {"id": 5, "name": "Acme"}, "manager": null, "activated": %s, "permissions": null, "ldap_import": false}`
	freshAda   = `{"id": 21000418006, "is_agent": false, "first_name": "Ada", "last_name": "Lovelace", "primary_email": "ada@acme.test", "department_ids": [21000011111], "reporting_manager_id": null, "active": %s, "external_id": null, "custom_fields": {"dirsync_key": "hq/ada"}}`
	zendeskMe  = `200 {"user": {"id": 9, "role": "admin"}}`
	zendeskAda = `{"id": 35436, "name": "Ada", "email": "ada@acme.test", "external_id": "hq/ada", "organization_id": 57542, "role": "end-user", "suspended": %s, "active": true, "shared": false, "updated_at": "2026-02-03T04:05:06Z"}`
	snowAda    = `{"sys_id": "02826bf03710200044e0bfc8bcbe5d3f", "user_name": "ada", "first_name": "Ada", "last_name": "", "email": "ada@acme.test", "company": "31bea3d53790200044e0bfc8bcbe5dec", "manager": "", "active": "%s", "source": "", "u_key": "hq/ada", "sys_updated_on": "2026-02-03 04:05:06"}`
	redmineMe  = `200 {"user": {"id": 1, "login": "admin", "admin": true, "status": 1}}`
	redmineAda = `{"id": 42, "login": "ada", "admin": false, "firstname": "Ada", "lastname": "Lovelace", "mail": "ada@acme.test", "status": %s, "custom_fields": [{"id": 7, "name": "key", "value": "hq/ada"}]}`
	rtAda      = `{"id": "42", "Name": "ada", "RealName": "Ada", "EmailAddress": "ada@acme.test", "Privileged": 0, "Disabled": "%s", "CustomFields": [{"id": "3", "type": "customfield", "name": "key", "values": ["hq/ada"]}]}`
)

func ada(pairs ...string) targets.Job {
	f := fields(append([]string{"email", "ada@acme.test", "login", "ada"}, pairs...)...)
	return targets.Job{Op: directory.Create, Kind: directory.UserRecord, Key: "k", Mark: "hq/ada", Fields: f, Sent: f}
}

func in(id string, j targets.Job) targets.Job { j.Refs = map[string]string{"customer": id}; return j }

func ends(id string, op directory.Op) targets.Job {
	return targets.Job{Op: op, Kind: directory.UserRecord, ID: id, Key: "e"}
}

// TestExchanges plays what the documents of the products show, or what was recorded, against their presets. sees is what the
// job's thing must look like: id, in use, mark, customer; or the word of the error.
func TestExchanges(t *testing.T) {
	for name, tc := range map[string]struct {
		preset string
		names  nameMap
		job    targets.Job
		script []exchange
		sees   string
	}{
		"zammad: made": {"zammad", nameMap{"mark": "dirsync_key"}, in("2", ada("given_name", "Ada")), []exchange{
			{"GET /users/me", "", zammadMe},
			{"POST /users?expand=true", `{"roles": ["Customer"], "dirsync_key": "hq/ada", "login": "ada", "firstname": "Ada", "email": "ada@acme.test", "organization_id": 2}`, "201 " + fmt.Sprintf(zammadAda, "true")},
		}, "42 true hq/ada 2"},
		"zammad: address in use": {"zammad", nil, ada(), []exchange{
			{"GET /users/me", "", zammadMe},
			{"POST /users?expand=true", `{"roles": ["Customer"], "login": "ada", "email": "ada@acme.test"}`, `422 {"error": "Email address 'ada@acme.test' is already used for another user.", "error_human": "Email address 'ada@acme.test' is already used for another user."}`},
		}, "exists"},
		"zammad: out of use": {"zammad", nameMap{"mark": "dirsync_key"}, ends("42", directory.Deactivate), []exchange{
			{"GET /users/me", "", zammadMe},
			{"GET /users/42?expand=true", "", "200 " + fmt.Sprintf(zammadAda, "true")},
			{"PUT /users/42?expand=true", `{"active": false}`, "200 " + fmt.Sprintf(zammadAda, "false")},
			{"GET /users/42?expand=true", "", "200 " + fmt.Sprintf(zammadAda, "false")},
		}, "42 false hq/ada 2"},
		"snipe-it: made": {"snipe-it", nameMap{"mark": "employee_num"}, in("5", ada("given_name", "Ada", "family_name", "O'Brien")), []exchange{
			{"GET /users/me", "", snipeMe},
			{"POST /users", `{"password": "RANDOM", "password_confirmation": "RANDOM", "activated": true, "username": "ada", "email": "ada@acme.test", "first_name": "Ada", "last_name": "O'Brien", "employee_num": "hq/ada", "company_id": 5}`,
				`200 {"status": "success", "messages": "User was successfully created.", "payload": ` + fmt.Sprintf(snipeAda, "true") + `}`},
			{"GET /users/42", "", "200 " + fmt.Sprintf(snipeAda, "true")},
		}, "42 true hq/ada 5"},
		"snipe-it: refused with 200": {"snipe-it", nil, ada("given_name", "Ada"), []exchange{
			{"GET /users/me", "", snipeMe},
			{"POST /users", `{"password": "RANDOM", "password_confirmation": "RANDOM", "activated": true, "username": "ada", "email": "ada@acme.test", "first_name": "Ada"}`,
				`200 {"status": "error", "messages": {"username": ["The username has already been taken."]}, "payload": null}`},
		}, "exists"},
		"snipe-it: gone with 200": {"snipe-it", nil, ends("42", directory.Deactivate), []exchange{
			{"GET /users/me", "", snipeMe},
			{"GET /users/42", "", `200 {"status": "error", "messages": "User not found", "payload": null}`},
			{"GET /users/me", "", snipeMe},
		}, "gone"},
		"snipe-it: ignored without a word": {"snipe-it", nil, ends("42", directory.Deactivate), []exchange{
			{"GET /users/me", "", snipeMe},
			{"GET /users/42", "", "200 " + fmt.Sprintf(snipeAda, "true")},
			{"PATCH /users/42", `{"activated": false}`, `200 {"status": "success", "messages": "", "payload": ` + fmt.Sprintf(snipeAda, "true") + `}`},
			{"GET /users/42", "", "200 " + fmt.Sprintf(snipeAda, "true")},
		}, "invalid"},
		"freshservice: made": {"freshservice", nameMap{"mark": "dirsync_key"}, in("21000011111", ada("given_name", "Ada", "family_name", "Lovelace")), []exchange{
			{"POST /requesters", `{"first_name": "Ada", "last_name": "Lovelace", "primary_email": "ada@acme.test", "custom_fields": {"dirsync_key": "hq/ada"}, "department_ids": [21000011111]}`, `201 {"requester": ` + fmt.Sprintf(freshAda, "true") + `}`},
			{"GET /requesters/21000418006", "", `200 {"requester": ` + fmt.Sprintf(freshAda, "true") + `}`},
		}, "21000418006 true hq/ada 21000011111"},
		"freshservice: out of use by delete": {"freshservice", nil, ends("21000418006", directory.Deactivate), []exchange{
			{"GET /requesters/21000418006", "", `200 {"requester": ` + fmt.Sprintf(freshAda, "true") + `}`},
			{"DELETE /requesters/21000418006", "", "204"},
			{"GET /requesters/21000418006", "", `200 {"requester": ` + fmt.Sprintf(freshAda, "false") + `}`},
		}, "21000418006 false  21000011111"},
		"freshservice: back": {"freshservice", nil, ends("21000418006", directory.Reactivate), []exchange{
			{"GET /requesters/21000418006", "", `200 {"requester": ` + fmt.Sprintf(freshAda, "false") + `}`},
			{"PUT /requesters/21000418006/reactivate", "", "204"},
			{"GET /requesters/21000418006", "", `200 {"requester": ` + fmt.Sprintf(freshAda, "true") + `}`},
		}, "21000418006 true  21000011111"},
		"freshservice: duplicate": {"freshservice", nil, ada("given_name", "Ada"), []exchange{
			{"POST /requesters", `{"first_name": "Ada", "primary_email": "ada@acme.test"}`, `409 {"description": "Validation failed", "errors": [{"field": "primary_email", "message": "It should be a unique value", "code": "duplicate_value"}]}`},
		}, "exists"},
		"freshservice: too much": {"freshservice", nil, ada("given_name", "Ada"), []exchange{
			{"POST /requesters", `{"first_name": "Ada", "primary_email": "ada@acme.test"}`, `429 @Retry-After: 26@ {"message": "You have exceeded the limit of requests per hour"}`},
		}, "throttled"},
		"freshservice: a member": {"freshservice", nil, targets.Job{Op: directory.Update, Kind: directory.GroupRecord, ID: "7", Key: "m", Add: []string{"42"}}, []exchange{
			{"POST /requester_groups/7/members/42", "", "200"},
			{"GET /requester_groups/7", "", `200 {"requester_group": {"id": 7, "name": "VIP", "type": "manual"}}`},
			{"GET /requester_groups/7/members?per_page=100", "", `200 {"requesters": [{"id": 42}]}`},
		}, "7 true  "},
		"zendesk: made": {"zendesk", nameMap{"mark": "external_id"}, in("57542", ada("name", "Ada")), []exchange{
			{"GET /users/me.json", "", zendeskMe},
			{"POST /users.json", `{"user": {"role": "end-user", "skip_verify_email": true, "name": "Ada", "email": "ada@acme.test", "external_id": "hq/ada", "organization_id": 57542}}`, `201 {"user": ` + fmt.Sprintf(zendeskAda, "false") + `}`},
		}, "35436 true hq/ada 57542"},
		"zendesk: another address is not written": {"zendesk", nil, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: "35436", Key: "u", Fields: fields("email", "new@acme.test")}, []exchange{
			{"GET /users/me.json", "", zendeskMe},
			{"GET /users/35436.json", "", `200 {"user": ` + fmt.Sprintf(zendeskAda, "false") + `}`},
		}, "35436 true  57542"},
		"zendesk: duplicate": {"zendesk", nil, ada("name", "Ada"), []exchange{
			{"GET /users/me.json", "", zendeskMe},
			{"POST /users.json", `{"user": {"role": "end-user", "skip_verify_email": true, "name": "Ada", "email": "ada@acme.test"}}`,
				`422 {"error": "RecordInvalid", "description": "Record validation errors", "details": {"email": [{"description": "Email: ada@acme.test is already being used by another user", "error": "DuplicateValue"}]}}`},
		}, "exists"},
		"zendesk: suspended": {"zendesk", nameMap{"mark": "external_id"}, ends("35436", directory.Deactivate), []exchange{
			{"GET /users/me.json", "", zendeskMe},
			{"GET /users/35436.json", "", `200 {"user": ` + fmt.Sprintf(zendeskAda, "false") + `}`},
			{"PUT /users/35436.json", `{"user": {"suspended": true}}`, `200 {"user": ` + fmt.Sprintf(zendeskAda, "true") + `}`},
			{"GET /users/35436.json", "", `200 {"user": ` + fmt.Sprintf(zendeskAda, "true") + `}`},
		}, "35436 false hq/ada 57542"},
		"zendesk: deleted": {"zendesk", nil, ends("35436", directory.Deactivate), []exchange{
			{"GET /users/me.json", "", zendeskMe},
			{"GET /users/35436.json", "", `200 {"user": {"id": 35436, "name": "Permanently", "active": false}}`},
			{"GET /users/me.json", "", zendeskMe},
		}, "gone"},
		"servicenow: made": {"servicenow", nameMap{"mark": "u_key"}, in("31bea3d53790200044e0bfc8bcbe5dec", ada("given_name", "Ada")), []exchange{
			{"POST /sys_user?sysparm_exclude_reference_link=true", `{"active": "true", "user_name": "ada", "first_name": "Ada", "email": "ada@acme.test", "u_key": "hq/ada", "company": "31bea3d53790200044e0bfc8bcbe5dec"}`, `201 {"result": ` + fmt.Sprintf(snowAda, "true") + `}`},
		}, "02826bf03710200044e0bfc8bcbe5d3f true hq/ada 31bea3d53790200044e0bfc8bcbe5dec"},
		"servicenow: duplicate": {"servicenow", nil, ada(), []exchange{
			{"POST /sys_user?sysparm_exclude_reference_link=true", `{"active": "true", "user_name": "ada", "email": "ada@acme.test"}`, `403 {"error": {"message": "Operation Failed", "detail": "Unique Key violation detected by database ((conn=1) Duplicate entry 'ada' for key 'user_name')"}, "status": "failure"}`},
		}, "exists"},
		"servicenow: no member any more": {"servicenow", nil, targets.Job{Op: directory.Update, Kind: directory.GroupRecord, ID: "77", Key: "m", Remove: []string{"42"}}, []exchange{
			{"GET /sys_user_grmember?sysparm_query=group%3D77^user%3D42&sysparm_fields=sys_id&sysparm_limit=1000&sysparm_offset=0", "", `200 @X-Total-Count: 1@ {"result": [{"sys_id": "r1"}]}`},
			{"DELETE /sys_user_grmember/r1", "", "204"},
			{"GET /sys_user_group/77?sysparm_exclude_reference_link=true", "", `200 {"result": {"sys_id": "77", "name": "Hardware", "active": "true", "source": ""}}`},
			{"GET /sys_user_grmember?sysparm_query=group%3D77^ORDERBYsys_id&sysparm_exclude_reference_link=true&sysparm_fields=sys_id,user&sysparm_limit=1000&sysparm_offset=0", "", `200 @X-Total-Count: 0@ {"result": []}`},
		}, "77 true  "},
		"redmine: made": {"redmine", nameMap{"mark": "7"}, ada("given_name", "Ada", "family_name", "Lovelace"), []exchange{
			{"GET /users/current.json", "", redmineMe},
			{"POST /users.json", `{"user": {"generate_password": true, "login": "ada", "firstname": "Ada", "lastname": "Lovelace", "mail": "ada@acme.test", "custom_fields": [{"id": 7, "value": "hq/ada"}]}}`, `201 {"user": ` + fmt.Sprintf(redmineAda, "1") + `}`},
			{"GET /users/42.json", "", `200 {"user": ` + fmt.Sprintf(redmineAda, "1") + `}`},
		}, "42 true hq/ada "},
		"redmine: taken": {"redmine", nil, ada("given_name", "Ada", "family_name", "Lovelace"), []exchange{
			{"GET /users/current.json", "", redmineMe},
			{"POST /users.json", `{"user": {"generate_password": true, "login": "ada", "firstname": "Ada", "lastname": "Lovelace", "mail": "ada@acme.test"}}`, `422 {"errors": ["Login has already been taken"]}`},
		}, "exists"},
		"redmine: lacks a name": {"redmine", nil, ada("given_name", "Ada"), []exchange{{"GET /users/current.json", "", redmineMe}}, "invalid"},
		"request-tracker: made": {"request-tracker", nameMap{"mark": "key"}, ada("name", "Ada"), []exchange{
			{"POST /user", `{"Privileged": 0, "Name": "ada", "RealName": "Ada", "EmailAddress": "ada@acme.test", "CustomFields": {"key": "hq/ada"}}`, `201 {"type": "user", "id": "ada", "_url": "http://rt.test/REST/2.0/user/ada"}`},
			{"POST /users?find_disabled_rows=1&fields=id,Name&per_page=100&page=1", `[{"field": "Name", "value": "ada"}]`, `200 {"items": [{"id": "42", "Name": "ada", "type": "user"}], "total": 1}`},
			{"GET /user/42", "", "200 " + fmt.Sprintf(rtAda, "0")},
		}, "42 true hq/ada "},
		"request-tracker: in use": {"request-tracker", nil, ada(), []exchange{
			{"POST /user", `{"Privileged": 0, "Name": "ada", "EmailAddress": "ada@acme.test"}`, `400 {"message": "Name in use"}`},
		}, "exists"},
		"request-tracker: refused with 200": {"request-tracker", nil, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: "42", Key: "u", Fields: fields("email", "bob@acme.test", "name", "Ada in use")}, []exchange{
			{"PUT /user/42", `{"EmailAddress": "bob@acme.test", "RealName": "Ada in use"}`, `200 ["User ada: RealName changed from 'Ada' to 'Ada in use'", "User ada: Email address in use"]`},
		}, "exists"},
		"request-tracker: one is a member, another is nobody": {"request-tracker", nil, targets.Job{Op: directory.Update, Kind: directory.GroupRecord, ID: "7", Key: "m", Add: []string{"31", "99"}}, []exchange{
			{"PUT /group/7/members", `["31", "99"]`, `200 ["Group already has member: ada", "Couldn't find that principal"]`},
		}, "invalid"},
		"request-tracker: names that sound like a refusal": {"request-tracker", nameMap{"mark": "key"}, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: "42", Key: "u", Fields: fields("name", "Ada")}, []exchange{
			{"PUT /user/42", `{"RealName": "Ada"}`, `200 ["RealName changed from 'permission denied' to 'Ada'"]`},
			{"GET /user/42", "", "200 " + fmt.Sprintf(rtAda, "0")},
		}, "42 true hq/ada "},
	} {
		t.Run(name, func(t *testing.T) {
			server, left := played(t, tc.script)
			cfg := configOf(t, tc.preset, tc.names)
			cfg.URL, cfg.Rate, cfg.Timeout = server.URL, 1000, settings.Duration(time.Minute)
			d, err := Open(cfg, targets.Env{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			r := try(t, d, tc.job)
			sees := wordOfResult(&r)
			if sees != tc.sees {
				t.Errorf("%q, want %q: %v", sees, tc.sees, r.Err)
			}
			if n := left(); n > 0 {
				t.Errorf("%d requests were not sent", n)
			}
		})
	}
}

func wordOfResult(r *targets.Result) string {
	switch {
	case errors.Is(r.Err, targets.ErrExists):
		return "exists"
	case r.Err != nil:
		return string(fault.ClassOf(r.Err))
	default:
		return fmt.Sprintf("%s %t %s %s", r.Entity.ID, r.Entity.Active, r.Entity.Keys[targets.Mark], r.Entity.Refs["customer"])
	}
}
