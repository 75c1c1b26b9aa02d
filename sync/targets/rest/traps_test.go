package rest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

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

func person(login string) targets.Job {
	f := fields("email", login+"@example.test", "login", login, "name", "Name of "+login)
	return targets.Job{Op: directory.Create, Kind: directory.UserRecord, Key: "k" + login, Mark: "hq/" + login, Fields: f, Sent: f}
}

func try(t testing.TB, d *Desk, job targets.Job) targets.Result {
	t.Helper()
	results, err := d.Apply(t.Context(), []targets.Job{job})
	if err != nil {
		return targets.Result{Err: err}
	}
	return results[0]
}

func do(t testing.TB, d *Desk, job targets.Job) targets.Entity {
	t.Helper()
	r := try(t, d, job)
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	return r.Entity
}

func survey(t testing.TB, d *Desk) (map[string]targets.Entity, targets.Proof, error) {
	t.Helper()
	all := map[string]targets.Entity{}
	proof, err := d.Survey(t.Context(), directory.UserRecord, func(e *targets.Entity) error {
		if _, twice := all[e.ID]; twice {
			t.Errorf("%s is handed over twice", e.ID)
		}
		all[e.ID] = *e
		return nil
	})
	return all, proof, err
}

// TestSurveyLies: a list that lies proves nothing; one that does not is worth something.
func TestSurveyLies(t *testing.T) {
	for by := range simPages() {
		for name, tc := range map[string]struct {
			fault func(*simFaults)
			n     int
			doubt bool
			total bool // it takes a total to see it
		}{
			"nothing wrong":        {func(*simFaults) {}, 47, false, false},
			"a whole last page":    {func(*simFaults) {}, 60, false, false},
			"pages are ignored":    {func(f *simFaults) { f.pageIgnored = true }, 47, true, false},
			"the total is too big": {func(f *simFaults) { f.totalOff = 3 }, 47, true, true},
			"it is too small":      {func(f *simFaults) { f.totalOff = -27 }, 47, true, true},
		} {
			if says := by == "page" || by == "offset" || by == "cursor"; tc.total && !says || by == "none" && tc.doubt {
				continue
			}
			t.Run(by+"/"+name, func(t *testing.T) {
				s := newSim(t, by)
				d := openSim(t, s, "")
				for i := range tc.n {
					do(t, d, person("p"+textOf(int64(i))))
				}
				s.set(tc.fault)
				all, proof, err := survey(t, d)
				if err != nil {
					t.Fatal(err)
				}
				if (proof.Doubt != "") != tc.doubt {
					t.Errorf("%d things, doubt %q", len(all), proof.Doubt)
				}
				if !tc.doubt && (len(all) != tc.n || proof.Count >= 0 && proof.Count != tc.n) {
					t.Errorf("%d things, count %d", len(all), proof.Count)
				}
			})
		}
	}
}

// TestEndlessList: addresses that grow for ever end a list, with a doubt.
func TestEndlessList(t *testing.T) {
	for name, body := range map[string]string{"the same": `{"list": [{"id": 1, "active": true}], "next": "x/"}`, "nothing": `{"list": [], "next": "x/"}`} {
		cfg := configOfSim(t, &sim{Server: &httptest.Server{URL: "http://desk.test"}, by: "next"}, "")
		cfg.Self = nil
		p := compile(cfg, ignored)
		cl, err := newClientOver(&says{status: 200, body: body, header: http.Header{"Content-Type": {"application/json"}}, hosts: map[string]bool{}}, cfg, p, targets.Env{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		if _, proof, err := survey(t, &Desk{cfg: cfg, place: p, client: cl}); err != nil || proof.Doubt == "" {
			t.Errorf("%s: %+v %v", name, proof, err)
		}
	}
}

// TestForeignLink: what leads to another host is not followed, and the token stays here.
func TestForeignLink(t *testing.T) {
	asked := false
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer foreign.Close()
	for _, by := range []string{"next", "link"} {
		s := newSim(t, by)
		d := openSim(t, s, "")
		for i := range 25 {
			do(t, d, person("p"+textOf(int64(i))))
		}
		s.set(func(f *simFaults) { f.nextElsewhere = foreign.URL })
		if _, _, err := survey(t, d); fault.ClassOf(err) != fault.Invalid || !strings.Contains(err.Error(), "leads to") {
			t.Errorf("%s: %v", by, err)
		}
		s.set(func(f *simFaults) { f.nextElsewhere, f.redirect = "", true })
		if _, _, err := survey(t, d); fault.ClassOf(err) != fault.Configuration {
			t.Errorf("%s: a redirect: %v", by, err)
		}
	}
	if asked {
		t.Error("the other host was asked")
	}
}

// TestAnswersThatAreNone: each is classified for what it is.
func TestAnswersThatAreNone(t *testing.T) {
	for name, tc := range map[string]struct {
		fault func(*simFaults)
		class fault.Class
		after time.Duration
	}{
		"an error in a good answer": {func(f *simFaults) { f.errorInside = true }, fault.Invalid, 0},
		"a portal's page":           {func(f *simFaults) { f.html = true }, fault.Transient, 0},
		"too much":                  {func(f *simFaults) { f.throttle, f.retryAfter = 1, "7" }, fault.Throttled, 7 * time.Second},
		"too much, without a time":  {func(f *simFaults) { f.throttle = 1 }, fault.Throttled, 0},
		"down":                      {func(f *simFaults) { f.down = true }, fault.Transient, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, "page")
			d := openSim(t, s, "")
			if err := d.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := d.signedIn(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.set(tc.fault)
			err := try(t, d, person("x")).Err
			if fault.ClassOf(err) != tc.class || fault.After(err) != tc.after {
				t.Errorf("%s after %s: %v", fault.ClassOf(err), fault.After(err), err)
			}
			var f *fault.Error
			if errors.As(err, &f) && strings.Contains(f.Op+f.Where+f.Hint, "name may not") {
				t.Errorf("what the place says stands outside of the cause: %+v", f)
			}
			if len(s.things["people"]) > 0 {
				t.Error("it was made")
			}
		})
	}
}

// TestLostAnswer: what was made without an answer is found by its mark.
func TestLostAnswer(t *testing.T) {
	s := newSim(t, "page")
	d := openSim(t, s, "")
	s.set(func(f *simFaults) { f.lost = 1 })
	job := person("ada")
	if err := try(t, d, job).Err; fault.ClassOf(err) != fault.Transient {
		t.Fatal(err)
	}
	found, err := d.Find(t.Context(), directory.UserRecord, targets.Mark, job.Mark)
	if err != nil || len(found) != 1 || found[0].Keys["login"] != "ada" {
		t.Fatalf("%v %v", found, err)
	}
	if len(s.things["people"]) != 1 {
		t.Errorf("%d things", len(s.things["people"]))
	}
}

// TestCutTexts: what the place made of a text is shown, and told.
func TestCutTexts(t *testing.T) {
	s := newSim(t, "page")
	d := openSim(t, s, "")
	s.set(func(f *simFaults) { f.cut = 9 })
	r := try(t, d, person("ada"))
	if r.Err != nil || r.Entity.Fields["name"] != "Name of a" || !slices.Contains(r.Warnings, "name is not shown as it was sent") {
		t.Errorf("%+v", r)
	}
}

// TestNotFoundIsAboutAnother: a thing that can be read is not gone because something that it was to have is.
func TestNotFoundIsAboutAnother(t *testing.T) {
	s := newSim(t, "page")
	d := openSim(t, s, "")
	ada := do(t, d, person("ada"))
	team := do(t, d, targets.Job{Op: directory.Create, Kind: directory.GroupRecord, Mark: "hq/team", Fields: fields("name", "Team")})
	jobs := []targets.Job{
		{Op: directory.Update, Kind: directory.GroupRecord, ID: team.ID, Add: []string{"999"}},
		{Op: directory.Update, Kind: directory.UserRecord, ID: ada.ID, Fields: fields("name", "Ada")},
		{Op: directory.Deactivate, Kind: directory.UserRecord, ID: ada.ID},
		{Op: directory.Delete, Kind: directory.UserRecord, ID: ada.ID},
	}
	s.set(func(f *simFaults) { f.notThere = true })
	for _, job := range jobs {
		if err := try(t, d, job).Err; fault.ClassOf(err) != fault.Invalid {
			t.Errorf("%s %s: %v", job.Op, job.Kind, err)
		}
	}
	s.set(func(f *simFaults) { f.notThere = false })
	do(t, d, jobs[3])
	for _, job := range jobs[1:] {
		if err := try(t, d, job).Err; fault.ClassOf(err) != fault.Gone {
			t.Errorf("%s %s, who is gone: %v", job.Op, job.Kind, err)
		}
	}
}

// TestFilterIgnored: a search that answers everybody finds nobody.
func TestFilterIgnored(t *testing.T) {
	s := newSim(t, "page")
	d := openSim(t, s, "")
	for i := range 3 {
		do(t, d, person("p"+textOf(int64(i))))
	}
	s.set(func(f *simFaults) { f.filterIgnored = true })
	for _, key := range []string{targets.Mark, "login"} {
		if found, err := d.Find(t.Context(), directory.UserRecord, key, "nobody"); !errors.Is(err, targets.ErrCannotFind) {
			t.Errorf("%s: %v %v", key, found, err)
		}
	}
	// One that is known to answer others, too, is read: these are all.
	if found, err := d.Find(t.Context(), directory.UserRecord, "email", "p1@example.test"); err != nil || len(found) != 1 {
		t.Errorf("%v %v", found, err)
	}
	abilities, err := d.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range abilities {
		if heard := a.Name != "find user by login" && a.Name != "find user by mark"; a.Has != heard && strings.HasPrefix(a.Name, "find") {
			t.Errorf("%+v", a)
		}
	}
}

// TestMarkIsNotThere: a place that takes a mark and does not keep it is told at once, not after a thousand people.
func TestMarkIsNotThere(t *testing.T) {
	s := newSim(t, "page")
	d := openSim(t, s, "")
	s.set(func(f *simFaults) { f.noMark = true })
	if err := try(t, d, person("ada")).Err; fault.ClassOf(err) != fault.Configuration || fault.Hint(err) == "" {
		t.Error(err)
	}
}

// TestReadingOnly: nothing but Apply can send what changes something.
func TestReadingOnly(t *testing.T) {
	s := newSim(t, "page")
	d := openSim(t, s, "")
	e := do(t, d, person("ada"))
	s.methods = nil
	ctx := t.Context()
	if err := d.Check(ctx); err != nil {
		t.Error(err)
	}
	if _, err := d.Probe(ctx); err != nil {
		t.Error(err)
	}
	if _, _, err := survey(t, d); err != nil {
		t.Error(err)
	}
	if _, err := d.Find(ctx, directory.UserRecord, targets.Mark, "hq/ada"); err != nil {
		t.Error(err)
	}
	if _, err := d.Fetch(ctx, directory.UserRecord, e.ID); err != nil {
		t.Error(err)
	}
	if len(s.methods) > 0 {
		t.Errorf("sent %v", s.methods)
	}
	before := s.requests
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		u, _ := url.Parse(s.URL + "/api/people")
		_, err := d.client.send(context.WithValue(ctx, callKey{}, call{word: "list user"}), call{word: "list user"}, method, u, map[string]any{})
		if fault.ClassOf(err) != fault.Internal {
			t.Errorf("%s: %v", method, err)
		}
	}
	if s.requests != before {
		t.Errorf("%d requests were sent", s.requests-before)
	}
}

// TestStateChanges: fields are written to what is in use, and what is so already is not done again.
func TestStateChanges(t *testing.T) {
	s := newSim(t, "page")
	d := openSim(t, s, "")
	e := do(t, d, person("ada"))
	name := fields("name", "Countess")
	end := targets.Job{Op: directory.Deactivate, Kind: directory.UserRecord, ID: e.ID, Key: "e", Fields: name}
	if e := do(t, d, end); e.Active || e.Fields["name"] != "Countess" {
		t.Errorf("%+v", e)
	}
	writes := s.writes
	end.Fields = nil
	if do(t, d, end); s.writes != writes {
		t.Errorf("%d writes for what was so already", s.writes-writes)
	}
	if e := do(t, d, targets.Job{Op: directory.Reactivate, Kind: directory.UserRecord, ID: e.ID, Key: "r", Fields: fields("title", "Analyst", "phone", "1")}); !e.Active || e.Fields["title"] != "Analyst" || e.Fields["phone"] != "1" {
		t.Errorf("%+v", e)
	}
	if e := do(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: e.ID, Key: "n", Fields: fields("title", "")}); e.Fields["title"] != "" {
		t.Errorf("%+v", e)
	}
	if v, there := s.things["people"][0]["job"]; !there || v != nil {
		t.Errorf("no value was sent as %v", v)
	}
}

// TestOverwritten: every key of a description can be written over, one by one.
func TestOverwritten(t *testing.T) {
	s := newSim(t, "none")
	cfg := readConfig(t, `preset: redmine
url: `+s.URL+`
auth: {token: x}
names: {mark: 7}
errors: [{status: [422], matches: "ist bereits vergeben", class: exists}]
kinds:
  group: none
  user: {delete: none, find: {mail: none}, fields: {given_name: none, title: "custom_fields[id=9].value"}}
`)
	about := describe(cfg)
	if len(about.Kinds) != 1 || !about.Kinds[0].Marked || len(about.Kinds[0].Ends) != 1 {
		t.Errorf("%+v", about.Kinds)
	}
	p := compile(cfg, func(path, _, format string, args ...any) { t.Errorf("%s: "+format, append([]any{path}, args...)...) })
	k := p.kinds[directory.UserRecord]
	if len(k.find) != 2 || k.find["login"] == nil || len(k.fields) != 4 || len(p.errors) != 3 || !p.errors[0].matches.MatchString("Mail ist bereits vergeben") {
		t.Errorf("find %v, fields %v, %d rules", k.find, k.fields, len(p.errors))
	}
	other := defaults()
	loadPreset(other, "redmine")
	if len(other.Kinds["user"].Find) != 3 || other.Kinds["group"] == nil {
		t.Error("the preset itself was changed")
	}
}

// TestIDOfAnother: what has another record's mark by now is not written, whatever is to become of it.
func TestIDOfAnother(t *testing.T) {
	s := newSim(t, "page")
	d := openSim(t, s, "")
	job := person("ada")
	e := do(t, d, job)
	for _, op := range []directory.Op{directory.Update, directory.Deactivate, directory.Reactivate} {
		before := s.writes
		r := try(t, d, targets.Job{Op: op, Kind: directory.UserRecord, ID: e.ID, Key: op.String(), Owner: "hq/another", Fields: fields("title", "T")})
		if fault.ClassOf(r.Err) != fault.Gone || s.writes != before {
			t.Errorf("%s: %v after %d writes", op, r.Err, s.writes-before)
		}
	}
	if e := do(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: e.ID, Key: "own", Owner: job.Mark, Fields: fields("title", "T")}); e.Fields["title"] != "T" {
		t.Errorf("%+v", e)
	}
}
