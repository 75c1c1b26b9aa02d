package entra

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func withPhotos(c *Config) { c.Photos = true }

// pictured is a tenant of 45 people, of whom two of three have photos, on pages of 25.
func pictured(tb testing.TB) *world {
	return newWorld(tb, microsoftsim.TenantOptions{Population: microsoftsim.Population{People: 45, Photos: true}}, microsoftsim.Pages{Users: 25})
}

// photoOf is how the photo of a person is to be shown, "" for none.
func (w *world) photoOf(id string) string {
	tag, size := w.tenant.Photo(id)
	if tag == "" {
		return ""
	}
	return "etag:" + strings.Trim(tag, `"`) + " " + size
}

func shown(o directory.Object) string {
	v, _ := o.Get(photoField)
	return v.Text()
}

// TestPhotos: everybody who is read is asked about, twenty at a time, and nobody else.
func TestPhotos(t *testing.T) {
	for name, edit := range map[string]func(*Config){
		"by changes": withPhotos,
		"in full":    func(c *Config) { c.Photos, c.SignInActivity = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			w := pictured(t)
			w.s.SetQuirks(microsoftsim.Quirks{Shuffle: true})
			objects, _, err := readAll(t, w.open(edit), streamUsers, connectors.Full, nil)
			if err != nil || len(objects) != 45 {
				t.Fatal(len(objects), err)
			}
			with := 0
			for id, o := range objects {
				if got := shown(o); got != w.photoOf(id) {
					t.Errorf("%s: %q, want %q", id, got, w.photoOf(id))
				} else if got != "" {
					with++
				}
				checkObject(t, o, nil)
			}
			if asked := w.s.Requests("/users/{id}/photo"); with != 30 || asked != 45 || w.s.Requests("$batch") > 4 {
				t.Errorf("%d with photos, %d asked\n%s", with, asked, w.s.Requested())
			}
		})
	}
}

// TestPhotosAreOptional: nobody is asked about a photo that nobody asked for.
func TestPhotosAreOptional(t *testing.T) {
	w := pictured(t)
	objects, _, err := readAll(t, w.open(nil), streamUsers, connectors.Full, nil)
	if err != nil || w.s.Requests("photo")+w.s.Requests("$batch") != 0 || shown(objects[w.tenant.PersonID(1)]) != "" {
		t.Errorf("%v\n%s", err, w.s.Requested())
	}
}

// TestPhotosInDeltas: whoever changed is asked about; a photo that changes by itself is seen by the next full read.
func TestPhotosInDeltas(t *testing.T) {
	w := pictured(t)
	m := newModel(t, w.open(withPhotos))
	sync := func(full bool) (batches, photos int) {
		t.Helper()
		w.s.ResetCounts()
		if err := m.sync(full); err != nil {
			t.Fatal(err)
		}
		return w.s.Requests("$batch"), w.s.Requests("/photo")
	}
	id := func(i int) string { return w.tenant.PersonID(i) }
	see := func(i int) string { return shown(m.objects[directory.Ref{Kind: directory.Person, ID: id(i)}]) }
	sync(true)
	if b, p := sync(false); b != 0 || p != 0 {
		t.Errorf("nobody changed: %d batches, %d photos", b, p)
	}
	before := see(1)
	w.tenant.SetPhoto(id(1), 648, "another")
	w.tenant.RemovePhoto(id(2))
	w.tenant.Set(id(2), microsoftsim.Props{"jobTitle": "Changed"})
	if b, p := sync(false); b != 1 || p != 1 || see(1) != before || see(2) != "" {
		t.Errorf("%d batches, %d photos, %q, %q", b, p, see(1), see(2))
	}
	if sync(true); see(1) != w.photoOf(id(1)) || see(1) == before {
		t.Errorf("after a full read: %q, want %q", see(1), w.photoOf(id(1)))
	}
}

// TestPhotosSwitched: a cursor belongs to its selection, so that photos that are switched on come for everybody, and
// go when they are switched off.
func TestPhotosSwitched(t *testing.T) {
	w := pictured(t)
	on, off := w.open(withPhotos), w.open(nil)
	for _, test := range []struct{ from, to *Connector }{{off, on}, {on, off}} {
		_, last, err := readAll(t, test.from, streamUsers, connectors.Full, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := readAll(t, test.to, streamUsers, connectors.Delta, last.Cursor); fault.ClassOf(err) != fault.CursorExpired {
			t.Errorf("%v", err)
		}
		if _, _, err := readAll(t, test.from, streamUsers, connectors.Delta, last.Cursor); err != nil {
			t.Errorf("unchanged: %v", err)
		}
	}
}

// TestPhotoAnswers: what the service may say about one photo, and about all of them.
func TestPhotoAnswers(t *testing.T) {
	const about = "/photo"
	omit, double := microsoftsim.Fault{Kind: microsoftsim.Omit, Path: about, Times: 1}, microsoftsim.Fault{Kind: microsoftsim.Double, Path: about, Times: 1}
	answer := func(status, times int, body string) microsoftsim.Fault {
		return microsoftsim.Fault{Path: about, Times: times, Status: status, Body: body}
	}
	batch := func(body string) microsoftsim.Fault {
		return microsoftsim.Fault{Path: "$batch", Status: 200, Body: body}
	}
	for _, test := range []struct {
		name  string
		fault microsoftsim.Fault
		want  string // as it is, none, invalid, or what the error says
		class fault.Class
	}{
		{"no image", microsoftsim.ErrorAnswer(about, 1, 404, "ImageNotFound", "x"), "none", ""},
		{"no item", microsoftsim.ErrorAnswer(about, 1, 404, "ErrorItemNotFound", "x"), "none", ""},
		{"no entity", microsoftsim.ErrorAnswer(about, 1, 404, "ErrorEntityNotFound", "x"), "none", ""},
		{"no mailbox", microsoftsim.ErrorAnswer(about, 1, 404, "MailboxNotEnabledForRESTAPI", "x"), "none", ""},
		{"no user", microsoftsim.ErrorAnswer(about, 1, 404, "Request_ResourceNotFound", "x"), "none", ""},
		{"no document", answer(404, 1, ""), "none", ""},
		{"no tag, one pixel", answer(200, 1, `{"@odata.mediaEtag":"","id":"1x1","width":1,"height":1}`), "none", ""},
		{"no mailbox, said in another way", answer(400, 1, `{"error":{"code":"MailboxNotSupportedForRESTAPI","message":"x"}}`), "none", ""},
		{"odd request", answer(400, 1, `{"error":{"code":"AuthenticationError","innerError":{"request-id":"r-1"}}}`), "invalid", ""},
		{"gone for good", microsoftsim.ErrorAnswer(about, 1, 410, "x", "x"), "invalid", ""},
		{"a list", answer(200, 1, `{"value":[]}`), "invalid", ""},
		{"no object", answer(200, 1, `x`), "invalid", ""},
		{"odd size", answer(200, 1, `{"width":"wide"}`), "invalid", ""},
		{"throttled", microsoftsim.Throttle(about, "7", 2), "as it is", ""},
		{"unavailable", microsoftsim.ErrorAnswer(about, 4, 503, "x", "x"), "as it is", ""},
		{"portal", microsoftsim.BadGateway(about, 2), "as it is", ""},
		{"token withdrawn", microsoftsim.ErrorAnswer(about, 1, 401, "InvalidAuthenticationToken", "x"), "as it is", ""},
		{"token challenged", microsoftsim.Challenge(about, 1), "as it is", ""},
		{"throttled for ever", microsoftsim.Throttle(about, "7", 0), "TooManyRequests", fault.Throttled},
		{"told to wait for long", microsoftsim.Throttle(about, "3600", 1), "TooManyRequests", fault.Throttled},
		{"unavailable for ever", microsoftsim.ErrorAnswer(about, 0, 503, "serviceNotAvailable", "x"), "serviceNotAvailable", fault.Transient},
		{"token refused", microsoftsim.ErrorAnswer(about, 0, 401, "InvalidAuthenticationToken", "x"), "InvalidAuthenticationToken", fault.Auth},
		{"one forbidden", microsoftsim.ErrorAnswer(about, 1, 403, "ErrorAccessDenied", "x"), "ProfilePhoto.Read.All or User.Read.All to the application, with admin consent, or set photos: false", fault.Forbidden},
		{"not here", microsoftsim.ErrorAnswer(about, 1, 501, "NotImplemented", "x"), "photos: false", fault.Configuration},
		{"one answer missing", omit, "missing", fault.Transient},
		{"one answer twice", double, "two for the same", fault.Transient},
		{"batch throttled", microsoftsim.Throttle("$batch", "7", 2), "as it is", ""},
		{"batch throttled for ever", microsoftsim.Throttle("$batch", "7", 0), "TooManyRequests", fault.Throttled},
		{"batch refused", microsoftsim.ErrorAnswer("$batch", 0, 400, "BadRequest", "x"), "400", fault.Invalid},
		{"batch without answers", batch(`{"responses":[]}`), "missing", fault.Transient},
		{"batch cut", microsoftsim.Fault{Kind: microsoftsim.Cut, Path: "$batch"}, "cut short", fault.Transient},
		{"batch of something else", batch(`[]`), "not JSON of its form", fault.Transient},
		{"batch with more", batch(`{"responses":[{"id":"47","status":200}]}`), "nobody asked for", fault.Transient},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := pictured(t)
			one := w.tenant.PersonID(1)
			if test.fault.Path == about {
				test.fault.Path = "/users/" + one + about
			}
			m := newModel(t, w.open(withPhotos))
			if err := m.sync(true); err != nil {
				t.Fatal(err)
			}
			here := directory.Ref{Kind: directory.Person, ID: one}
			before := m.objects[here]
			if shown(before) == "" {
				t.Fatal("no photo to begin with")
			}
			w.tenant.Set(one, microsoftsim.Props{"jobTitle": "Changed"})
			w.tenant.Set(w.tenant.PersonID(2), microsoftsim.Props{"jobTitle": "Changed"})
			w.s.Misbehave(test.fault)
			var invalid []connectors.Invalid
			err := m.read(m.c.Describe().Streams[0], connectors.Delta, func(p *connectors.Page) error {
				invalid = append(invalid, p.Invalid...)
				return nil
			})
			after := m.objects[here]
			if fault.ClassOf(err) != test.class || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("class %s, want %s: %v", fault.ClassOf(err), test.class, err)
			}
			title, _ := after.Get(directory.FieldTitle)
			second := m.objects[directory.Ref{Kind: directory.Person, ID: w.tenant.PersonID(2)}]
			other, _ := second.Get(directory.FieldTitle)
			switch {
			case test.want == "none":
				if shown(after) != "" || title.Text() != "Changed" || len(invalid) > 0 {
					t.Errorf("photo %q, title %q, %+v", shown(after), title, invalid)
				}
			case test.want == "as it is":
				if shown(after) != w.photoOf(one) || title.Text() != "Changed" || len(invalid) > 0 {
					t.Errorf("photo %q, title %q, %+v", shown(after), title, invalid)
				}
			case test.want == "invalid":
				if len(invalid) == 1 && (strings.Contains(invalid[0].Err.Error(), "request id") || !strings.Contains(invalid[0].Err.Error(), "photo")) {
					t.Errorf("the reason is another one every time, or none: %v", invalid[0].Err)
				}
				if len(invalid) != 1 || invalid[0].ID != one || shown(after) != shown(before) || other.Text() != "Changed" {
					t.Errorf("photo %q, other's title %q, %+v", shown(after), other, invalid)
				}
			case shown(after) != shown(before) || title.Text() == "Changed":
				t.Errorf("something was stored: photo %q, title %q", shown(after), title)
			}
			w.s.Behave()
			if err := m.sync(false); err != nil {
				t.Fatalf("afterwards: %v", err)
			}
			if again := m.objects[here]; test.class != "" && (shown(again) != w.photoOf(one) || again.Fields == nil) {
				t.Errorf("afterwards: %q", shown(again))
			}
		})
	}
}

// TestThrottledPhotosAreAskedAgain: of twenty parts only those that were throttled are sent again, after the longest
// wait that one of them was told.
func TestThrottledPhotosAreAskedAgain(t *testing.T) {
	w := newWorld(t, microsoftsim.TenantOptions{Population: microsoftsim.Population{People: 20, Photos: true}}, microsoftsim.Pages{})
	var waits []time.Duration
	c := w.openWaiting(withPhotos, func(ctx context.Context, d time.Duration) error {
		waits = append(waits, d)
		return ctx.Err()
	})
	w.s.Misbehave(microsoftsim.Throttle("/users/"+w.tenant.PersonID(4)+"/photo", "3", 1))
	w.s.Misbehave(microsoftsim.Throttle("/users/"+w.tenant.PersonID(5)+"/photo", "9", 1))
	objects, _, err := readAll(t, c, streamUsers, connectors.Full, nil)
	if err != nil || !slices.Equal(waits, []time.Duration{9 * time.Second}) || w.s.Requests("$batch") != 2 || w.s.Requests("/photo") != 22 {
		t.Errorf("%v, waits %v\n%s", err, waits, w.s.Requested())
	}
	for id, o := range objects {
		if shown(o) != w.photoOf(id) {
			t.Errorf("%s: %q", id, shown(o))
		}
	}
}

// TestPhotosWithinABudget: the service refuses the parts for which the application has no units left, again and again.
// The read takes its time, and no photo is missing.
func TestPhotosWithinABudget(t *testing.T) {
	w := newWorld(t, microsoftsim.TenantOptions{Population: microsoftsim.Population{People: 100, Photos: true}}, microsoftsim.Pages{Users: 100})
	w.s.SetBudget(13, 10*time.Second)
	c := w.openWaiting(withPhotos, func(ctx context.Context, d time.Duration) error {
		w.shift.Add(int64(d))
		return ctx.Err()
	})
	objects, _, err := readAll(t, c, streamUsers, connectors.Full, nil)
	if err != nil || len(objects) != 100 || w.s.Refused() < 20 {
		t.Fatalf("%d people, %d refused: %v", len(objects), w.s.Refused(), err)
	}
	for id, o := range objects {
		if shown(o) != w.photoOf(id) {
			t.Errorf("%s: %q", id, shown(o))
		}
	}
}

// TestPhotosWithoutPermission: the permission is named, nothing is stored, and granting it is enough.
func TestPhotosWithoutPermission(t *testing.T) {
	w := pictured(t)
	w.tenant.Revoke(testClient, "User.Read.All")
	w.tenant.Consent(testClient, "Directory.Read.All")
	c := w.open(withPhotos)
	found := must(c.Check(t.Context()))
	if !has(found, "permission ProfilePhoto.Read.All", "grant the application permission ProfilePhoto.Read.All") {
		t.Errorf("%+v", found)
	}
	objects, _, err := readAll(t, c, streamUsers, connectors.Full, nil)
	if fault.ClassOf(err) != fault.Forbidden || len(objects) > 0 || !strings.Contains(err.Error(), "request id") {
		t.Errorf("%d people, %v", len(objects), err)
	}
	w.tenant.Consent(testClient, "ProfilePhoto.Read.All")
	if objects, _, err := readAll(t, c, streamUsers, connectors.Full, nil); err != nil || shown(objects[w.tenant.PersonID(1)]) == "" {
		t.Errorf("once it is granted: %v", err)
	}
	for _, f := range must(c.Check(t.Context())) {
		if !f.OK {
			t.Errorf("%+v", f)
		}
	}
}

// TestCheckPhotosOfNobody: a tenant without people has nobody whose photo could be tried.
func TestCheckPhotosOfNobody(t *testing.T) {
	w := newWorld(t, microsoftsim.TenantOptions{}, microsoftsim.Pages{})
	if found := must(w.open(withPhotos).Check(t.Context())); has(found, "photo", "") || w.s.Requests("$batch") != 0 {
		t.Errorf("%+v", found)
	}
}

// TestPhotoValue reads what is known of photos.
func TestPhotoValue(t *testing.T) {
	for text, want := range map[string]string{
		`{"@odata.mediaEtag":"\"BA09D118\"","id":"240X240","width":240,"height":240}`: "etag:BA09D118 240x240",
		`{"@odata.mediaEtag":"W/\"BA09\"","id":"648x648"}`:                            "etag:BA09 648x648",
		`{"@odata.mediaEtag":"BA09","id":"default","width":0,"height":0}`:             "etag:BA09",
		`{"@odata.mediaEtag":null,"id":"64x64","width":null}`:                         "64x64",
		`{"@odata.mediaEtag":"\"A\"","id":"1x1"}`:                                     "etag:A 1x1",
		`{"@odata.mediaEtag":"","id":"1X1","width":1,"height":1}`:                     "",
		`{"id":"1x1"}`:             "",
		`{}`:                       "an error",
		`[]`:                       "an error",
		`null`:                     "an error",
		`"x"`:                      "an error",
		`{"@odata.mediaEtag":7}`:   "an error",
		`{"width":1.5,"height":2}`: "an error",
	} {
		v, err := photoValue(jsonscan.Value(text))
		got := v.Text()
		if err != nil {
			got = "an error"
		}
		if got != want {
			t.Errorf("%s: %q, want %q, %v", text, got, want, err)
		}
	}
}

// TestBatchCosts: a batch costs what its parts cost, and a throttled part slows everything down.
func TestBatchCosts(t *testing.T) {
	req := must(http.NewRequestWithContext(costing(t.Context(), 17), http.MethodPost, "https://graph.test/v1.0/$batch", http.NoBody))
	if got := cost(req); got != 17 {
		t.Errorf("%v", got)
	}
	c := &paceClock{at: time.Unix(1e9, 0)}
	p := NewPace(PaceOptions{Now: c.now, Sleep: c.sleep})
	c.run(t, p, req, 100) // the burst
	before := c.run(t, p, req, 100)
	p.onResponse(http.StatusTooManyRequests, http.Header{})
	if after := c.run(t, p, req, 100); after < 0.49*before || after > 0.51*before {
		t.Errorf("%.1f a second, and %.1f after a refusal", before, after)
	}
}

// FuzzBatch feeds answers to batches to what reads them: never a panic, never more parts than were asked for, never
// a photo that is an empty text.
func FuzzBatch(f *testing.F) {
	f.Add(`{"responses":[{"id":"1","status":200,"headers":{"Content-Type":"application/json","Retry-After":7},"body":{"@odata.mediaEtag":"\"BA09D118\"","id":"240x240","width":240,"height":240}},{"id":"0","status":404,"body":null}]}`)
	f.Add("\xEF\xBB\xBF" + `{"responses":[{"id":"2","status":429,"headers":{"Retry-After":"10"},"body":{"error":{"code":"TooManyRequests"}}}]}`)
	f.Add(`{"responses":[null,{"id":"-1"},{"id":"0","status":200,"body":[{"id":"1x1"}]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		answers, err := openBatch([]byte(text), 3)
		if err != nil {
			return
		}
		if len(answers) != 3 {
			t.Errorf("%d parts", len(answers))
		}
		for _, a := range answers {
			if a == nil {
				continue
			}
			one := part{body: jsonscan.Value(a.Body)}
			if a.Status/100 != 2 {
				one = part{err: explainGraph(a)}
			}
			v, err := one.photo()
			if err == nil && v.Type() != directory.NullType && v.Text() == "" {
				t.Errorf("%q is a photo", a.Body)
			}
		}
	})
}
