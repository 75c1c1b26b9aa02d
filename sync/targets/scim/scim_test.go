package scim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/scim/scimtest"
)

// services are the real ones that every test runs on.
var services = []struct {
	name  string
	start func(testing.TB) *scimtest.Server
	pages bool // it hears startIndex
}{
	{"scimmy on Express 4", func(t testing.TB) *scimtest.Server { return scimtest.Scimmy(t, scimtest.Express4) }, true},
	{"scimmy on Express 5", func(t testing.TB) *scimtest.Server { return scimtest.Scimmy(t, scimtest.Express5) }, false},
	{"elimity", scimtest.Elimity, true},
}

func onAll(t *testing.T, test func(t *testing.T, d *Desk, pages bool)) {
	for _, s := range services {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			server := s.start(t)
			test(t, open(t, server, nil), s.pages)
		})
	}
}

func open(t testing.TB, server *scimtest.Server, change func(*Config)) *Desk {
	t.Helper()
	cfg := defaults()
	cfg.URL, cfg.Token, cfg.Rate = server.URL, settings.NewSecret(server.Token), 1000
	if change != nil {
		change(cfg)
	}
	if issues := cfg.Validate(); len(issues) > 0 {
		t.Fatal(issues)
	}
	d, err := Open(cfg, targets.Env{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func fields(pairs ...string) []directory.Field {
	var o directory.Object
	for i := 0; i < len(pairs); i += 2 {
		v := directory.Null()
		if pairs[i+1] != "" {
			v = directory.Text(pairs[i+1])
		}
		o.Set(pairs[i], v)
	}
	return o.Fields
}

func do(t testing.TB, d *Desk, job targets.Job) targets.Entity {
	t.Helper()
	results, err := d.Apply(t.Context(), []targets.Job{job})
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Err != nil {
		t.Fatal(results[0].Err)
	}
	return results[0].Entity
}

func userJob(n int) targets.Job {
	return targets.Job{Op: directory.Create, Kind: directory.UserRecord, Mark: fmt.Sprintf("hq/%d", n), Fields: fields(
		"login", fmt.Sprintf("User%d@example.test", n), "name", fmt.Sprintf("User %d", n), "given_name", "User", "email", fmt.Sprintf("user%d@example.test", n),
		"department", "Lab", "phone", "+1 555")}
}

func TestLifeOfAUser(t *testing.T) {
	onAll(t, func(t *testing.T, d *Desk, _ bool) {
		e := do(t, d, userJob(1))
		if e.ID == "" || e.Keys[targets.Mark] != "hq/1" || e.Keys[keyUserName] != "User1@example.test" || e.Keys[keyEmail] != "user1@example.test" || !e.Active {
			t.Fatalf("made: %+v", e)
		}
		if e.Fields["department"] != "Lab" || e.Fields["given_name"] != "User" || e.Fields["phone"] != "+1 555" {
			t.Errorf("fields: %v", e.Fields)
		}
		e = do(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: e.ID, Sent: fields("login", "User1@example.test"), Fields: fields(
			"email", "new@example.test", "department", "", "phone", "", "mobile", "+2", "family_name", "One", "title", "Dr")})
		for field, want := range map[string]string{
			"email": "new@example.test", "department": "", "phone": "", "mobile": "+2", "family_name": "One", "given_name": "User", "title": "Dr",
		} {
			if e.Fields[field] != want {
				t.Errorf("%s is %q and not %q", field, e.Fields[field], want)
			}
		}
		e = do(t, d, targets.Job{Op: directory.Deactivate, Kind: directory.UserRecord, ID: e.ID})
		if e.Active {
			t.Error("deactivated, and still active")
		}
		e = do(t, d, targets.Job{Op: directory.Reactivate, Kind: directory.UserRecord, ID: e.ID, Fields: fields("login", "User1@Example.test")})
		if !e.Active || e.Keys[keyUserName] != "User1@Example.test" {
			t.Errorf("reactivated: %+v", e)
		}
		do(t, d, targets.Job{Op: directory.Delete, Kind: directory.UserRecord, ID: e.ID})
		if _, err := d.Fetch(t.Context(), directory.UserRecord, e.ID); fault.ClassOf(err) != fault.Gone {
			t.Errorf("fetch what is deleted: %v", err)
		}
		for _, op := range []directory.Op{directory.Update, directory.Delete} {
			results, err := d.Apply(t.Context(), []targets.Job{{Op: op, Kind: directory.UserRecord, ID: e.ID, Fields: fields("title", "x")}})
			if err != nil || fault.ClassOf(results[0].Err) != fault.Gone {
				t.Errorf("%s what is deleted: %v, %v", op, results, err)
			}
		}
	})
}

func TestTakenName(t *testing.T) {
	onAll(t, func(t *testing.T, d *Desk, _ bool) {
		do(t, d, userJob(1))
		again := userJob(2)
		again.Fields = fields("login", "USER1@example.test")
		results, err := d.Apply(t.Context(), []targets.Job{again})
		if err != nil || !errors.Is(results[0].Err, targets.ErrExists) || fault.ClassOf(results[0].Err) != fault.Invalid {
			t.Errorf("%v, %v", results, err)
		}
	})
}

func TestFind(t *testing.T) {
	onAll(t, func(t *testing.T, d *Desk, _ bool) {
		if _, err := d.Find(t.Context(), directory.UserRecord, keyUserName, "user1@example.test"); !errors.Is(err, targets.ErrCannotFind) {
			t.Errorf("nothing to measure with: %v", err)
		}
		made := map[int]targets.Entity{}
		for n := range 5 {
			made[n] = do(t, d, userJob(n))
		}
		for _, test := range []struct {
			key, value string
			want       int
		}{
			{targets.Mark, "hq/3", 3}, {keyExternalID, "hq/4", 4}, {targets.Mark, "hq/9", -1}, {keyUserName, "User2@example.test", 2}, {keyUserName, "nobody", -1},
			{keyUserName, `"quoted" \ & name`, -1}, {keyUserName, "User3@example.test", 3},
		} {
			found, err := d.Find(t.Context(), directory.UserRecord, test.key, test.value)
			if errors.Is(err, targets.ErrCannotFind) && test.want < 0 && test.key == keyUserName {
				continue // a search that minds the case, or a value with a quotation mark
			}
			if err != nil {
				t.Errorf("%s %s: %v", test.key, test.value, err)
				continue
			}
			switch {
			case test.want < 0 && len(found) > 0, test.want >= 0 && (len(found) != 1 || found[0].ID != made[test.want].ID):
				t.Errorf("%s %s: %+v", test.key, test.value, found)
			}
		}
		if _, err := d.Find(t.Context(), directory.UserRecord, keyEmail, "x"); !errors.Is(err, targets.ErrCannotFind) {
			t.Errorf("addresses cannot be filtered everywhere: %v", err)
		}
	})
}

func TestSurvey(t *testing.T) {
	onAll(t, func(t *testing.T, d *Desk, pages bool) {
		d.cfg.Page = 10
		ids := map[string]bool{}
		for n := range 45 {
			e := do(t, d, userJob(n))
			ids[e.ID] = true
			if n == 7 {
				do(t, d, targets.Job{Op: directory.Deactivate, Kind: directory.UserRecord, ID: e.ID})
			}
		}
		inactive := 0
		proof, err := d.Survey(t.Context(), directory.UserRecord, func(e *targets.Entity) error {
			if !ids[e.ID] {
				t.Errorf("%s comes twice or is nobody's", e.ID)
			}
			delete(ids, e.ID)
			if !e.Active {
				inactive++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if pages && (proof.Doubt != "" || proof.Count != 45 || len(ids) != 0 || inactive != 1) {
			t.Errorf("%+v, %d missing, %d inactive", proof, len(ids), inactive)
		}
		if !pages && len(ids) > 0 && !strings.Contains(proof.Doubt, "of 45") {
			t.Errorf("the service shows one page, and the survey is believed: %+v", proof)
		}
		stop := errors.New("stop")
		if _, err := d.Survey(t.Context(), directory.UserRecord, func(*targets.Entity) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("the error of yield: %v", err)
		}
	})
}

func TestGroups(t *testing.T) {
	onAll(t, func(t *testing.T, d *Desk, _ bool) {
		d.cfg.Chunk = 2
		var people []string
		for n := range 7 {
			people = append(people, do(t, d, userJob(n)).ID)
		}
		g := do(t, d, targets.Job{Op: directory.Create, Kind: directory.GroupRecord, Mark: "hq/g", Fields: fields("title", "Lab"), Add: people[:5]})
		members := func() []string {
			e, err := d.Fetch(t.Context(), directory.GroupRecord, g.ID)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(e.Members)
			return e.Members
		}
		if got := members(); !slices.Equal(got, people[:5]) {
			t.Errorf("made with %v", got)
		}
		do(t, d, targets.Job{Op: directory.Update, Kind: directory.GroupRecord, ID: g.ID, Fields: fields("title", "Laboratory"), Add: people[5:], Remove: people[:3]})
		if got := members(); !slices.Equal(got, people[3:]) {
			t.Errorf("then %v", got)
		}
		e, err := d.Fetch(t.Context(), directory.GroupRecord, g.ID)
		if err != nil || e.Keys[keyName] != "Laboratory" {
			t.Errorf("%+v, %v", e, err)
		}
		do(t, d, targets.Job{Op: directory.Delete, Kind: directory.GroupRecord, ID: g.ID})
	})
}

// TestNothingToWrite: what is as it should be is not written, whoever made it so.
func TestNothingToWrite(t *testing.T) {
	server := scimtest.Scimmy(t, scimtest.Express4)
	d := open(t, server, nil)
	job := userJob(1)
	e := do(t, d, job)
	before := server.Requests(t)
	job.Op, job.ID = directory.Update, e.ID
	do(t, d, job)
	job.Op = directory.Reactivate
	do(t, d, job)
	after := server.Requests(t)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		if after[method] != before[method] {
			t.Errorf("%d requests of %s", after[method]-before[method], method)
		}
	}
}

// TestPut: a service that knows PUT only is sent all that it has, what is not ours included.
func TestPut(t *testing.T) {
	onAll(t, func(t *testing.T, d *Desk, _ bool) {
		d.cfg.Updates = "put"
		e := do(t, d, userJob(1))
		e = do(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: e.ID, Fields: fields("title", "Dr", "department", "")})
		if e.Fields["title"] != "Dr" || e.Fields["name"] != "User 1" || e.Fields["email"] != "user1@example.test" || e.Fields["department"] != "" || e.Keys[targets.Mark] != "hq/1" {
			t.Errorf("%+v", e)
		}
	})
}

func TestManager(t *testing.T) {
	onAll(t, func(t *testing.T, d *Desk, _ bool) {
		boss, e := do(t, d, userJob(1)), do(t, d, userJob(2))
		e = do(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: e.ID, Refs: map[string]string{refManager: boss.ID}})
		if e.Refs[refManager] != boss.ID {
			t.Errorf("%+v", e.Refs)
		}
		e = do(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: e.ID, Refs: map[string]string{refManager: ""}})
		if e.Refs[refManager] != "" || e.Fields["department"] != "Lab" {
			t.Errorf("%+v %+v", e.Refs, e.Fields)
		}
	})
}

func TestWrongToken(t *testing.T) {
	onAll(t, func(t *testing.T, d *Desk, _ bool) {
		d.client.token = settings.NewSecret("wrong-SECRET")
		err := d.Check(t.Context())
		if fault.ClassOf(err) != fault.Auth || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%v", err)
		}
		if _, err := d.Apply(t.Context(), []targets.Job{userJob(1)}); fault.ClassOf(err) != fault.Auth {
			t.Errorf("%v", err)
		}
	})
}

func TestProbe(t *testing.T) {
	onAll(t, func(t *testing.T, d *Desk, pages bool) {
		for n := range 4 {
			do(t, d, userJob(n))
		}
		list, err := d.Probe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		has := map[string]bool{}
		for _, a := range list {
			has[a.Name] = a.Has
			if strings.Contains(a.Detail, "example.test") {
				t.Errorf("%s holds personal data: %s", a.Name, a.Detail)
			}
		}
		if has["pages"] != pages || !has["filter by userName"] || !has["filter by externalId"] || !has["patch"] {
			t.Errorf("%+v", list)
		}
	})
}

func TestWithdrawn(t *testing.T) {
	d := open(t, &scimtest.Server{URL: "http://127.0.0.1:1/scim", Token: "x"}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Check(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// The name by which somebody signs in is written when what it is made of is, and not along with another address.
func TestUserNameStays(t *testing.T) {
	onAll(t, func(t *testing.T, d *Desk, _ bool) {
		for i, tt := range []struct {
			name         string
			fields, sent []directory.Field
			mark         string
			want         string
		}{
			{"another field of those that it may be made of", fields("email", "a@x.test"), fields("email", "a@x.test", "login", "a@x.test"), "", "Hers"},
			{"an adoption of who has a name", fields("email", "b@x.test"), fields("email", "b@x.test"), "m2", "Hers"},
			{"its field", fields("login", "b"), fields("email", "b@x.test", "login", "b"), "", "b"},
			{"the field that stands in for it", fields("email", "c@x.test"), fields("email", "c@x.test"), "", "c@x.test"},
			{"the field that does no longer", fields("login", ""), fields("email", "d@x.test"), "", "d@x.test"},
		} {
			made := do(t, d, targets.Job{Op: directory.Create, Kind: directory.UserRecord, Mark: fmt.Sprint("m", i), Fields: fields("login", "Hers"), Sent: fields("login", "Hers")})
			e := do(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: made.ID, Mark: tt.mark, Fields: tt.fields, Sent: tt.sent})
			if e.Fields["login"] != tt.want {
				t.Errorf("%s: userName is %q, want %q", tt.name, e.Fields["login"], tt.want)
			}
			do(t, d, targets.Job{Op: directory.Delete, Kind: directory.UserRecord, ID: made.ID})
		}
	})
}
