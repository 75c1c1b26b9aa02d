package entra

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
)

const (
	testState  = "the-secret-of-this-process"
	testTenant = "99999999-0000-4000-8000-000000000001"
)

func TestReceiver(t *testing.T) {
	entry := func(state, tenant, more string) string {
		return `{"subscriptionId":"s1","clientState":"` + state + `","tenantId":"` + tenant + `"` + more + `}`
	}
	list := func(entries ...string) string { return `{"value":[` + strings.Join(entries, ",") + `]}` }
	good := entry(testState, testTenant, `,"changeType":"updated","resource":"Users/1","resourceData":{"id":"1"}`)
	for name, tc := range map[string]struct {
		method, body string
		status       int
		changed      bool
	}{
		"a change":                {"", list(good), 202, true},
		"one of several":          {"", list(entry("x", testTenant, ""), good), 202, true},
		"capitals":                {"", list(entry(testState, strings.ToUpper(testTenant), "")), 202, true},
		"another state":           {"", list(entry(testState+"x", testTenant, "")), 202, false},
		"a part of the state":     {"", list(entry(testState[:5], testTenant, "")), 202, false},
		"no state":                {"", list(entry("", testTenant, "")), 202, false},
		"another tenant":          {"", list(entry(testState, testClient, "")), 202, false},
		"no tenant":               {"", list(entry(testState, "", "")), 202, false},
		"reading":                 {http.MethodGet, "", 405, false},
		"deleting":                {http.MethodDelete, list(good), 405, false},
		"nothing":                 {"", "", 400, false},
		"no JSON":                 {"", "<html>", 400, false},
		"no list":                 {"", `{}`, 400, false},
		"null":                    {"", `{"value":null}`, 400, false},
		"a list of texts":         {"", `{"value":["x"]}`, 400, false},
		"just large enough":       {"", list(good, entry("x", "y", `,"more":"`+strings.Repeat("x", largestEntry-1000)+`"`)), 202, true},
		"one is too large":        {"", list(good, entry("x", "y", `,"more":"`+strings.Repeat("x", 2*largestEntry)+`"`)), 413, false},
		"too large":               {"", list(good, strings.Repeat(entry("x", "y", `,"more":"`+strings.Repeat("x", 10000)+`"`)+",", 30)+good), 413, false},
		"too large beside it":     {"", `{"more":"` + strings.Repeat("x", 2*largestEntry) + `",` + list(good)[1:], 413, false},
		"more than is looked at":  {"", list(strings.Repeat("{},", mostEntries) + good), 202, false},
		"as many as looked at":    {"", list(strings.Repeat("{},", mostEntries-1) + good), 202, true},
		"a list that is cut":      {"", strings.TrimSuffix(list(good), "]}"), 400, false},
		"an entry that is cut":    {"", list(good, entry("x", "y", ""))[:250], 400, false},
		"something beside it":     {"", `{"@odata.context":{"a":[1]},` + list(good)[1:], 202, true},
		"a state of another kind": {"", `{"value":[{"clientState":7}]}`, 400, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(testState, testTenant)
			method := tc.method
			if method == "" {
				method = http.MethodPost
			}
			w := httptest.NewRecorder()
			r.ServeHTTP(w, httptest.NewRequest(method, "/any/path", strings.NewReader(tc.body)))
			changed, renew, replace := r.take()
			if w.Code != tc.status || changed != tc.changed || len(renew)+len(replace) > 0 || (len(r.news) > 0) != tc.changed {
				t.Errorf("status %d, changed %t, news %d", w.Code, changed, len(r.news))
			}
			if strings.Contains(w.Body.String()+w.Result().Status, testState) {
				t.Error("the answer tells the secret")
			}
		})
	}
}

func TestReceiverLifecycle(t *testing.T) {
	r := newReceiver(testState, "") // the tenant is not known: the secret alone counts
	call := func(event string) (bool, int, int) {
		body := `{"value":[{"subscriptionId":"s1","clientState":"` + testState + `","tenantId":"any","lifecycleEvent":"` + event + `"}]}`
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
		if w.Code != http.StatusAccepted {
			t.Errorf("%s: %d", event, w.Code)
		}
		changed, renew, replace := r.take()
		return changed, len(renew), len(replace)
	}
	for event, want := range map[string][3]int{
		"reauthorizationRequired": {0, 1, 0}, "subscriptionRemoved": {1, 0, 1}, "missed": {1, 0, 1},
	} {
		changed, renew, replace := call(event)
		if changed != (want[0] == 1) || renew != want[1] || replace != want[2] {
			t.Errorf("%s: %t %d %d", event, changed, renew, replace)
		}
	}
}

func TestValidationCall(t *testing.T) {
	for token, want := range map[string]int{
		"Validation: a+b c/%20<script>ü": 200, "": 400, strings.Repeat("x", longestToken+1): 400, strings.Repeat("x", longestToken): 200,
	} {
		w := httptest.NewRecorder()
		newReceiver(testState, "").ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/?x=1&validationToken="+url.QueryEscape(token), http.NoBody))
		h := w.Header()
		if w.Code != want || want == 200 && (w.Body.String() != token || !strings.HasPrefix(h.Get("Content-Type"), "text/plain") || h.Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%.40q: %d %q %v", token, w.Code, w.Body, h)
		}
	}
}

// TestSlowCallers: those who let their calls trickle in keep nobody else waiting.
func TestSlowCallers(t *testing.T) {
	r := newReceiver(testState, "")
	const slow = 100
	begun, release := make(chan struct{}, slow), make(chan struct{})
	done := make(chan int, slow)
	for range slow {
		go func() {
			w := httptest.NewRecorder()
			r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", readerFunc(func([]byte) (int, error) {
				begun <- struct{}{}
				<-release
				return 0, errors.New("hung up")
			})))
			done <- w.Code
		}()
	}
	for range slow {
		<-begun
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"value":[{"clientState":"`+testState+`"}]}`)))
	if changed, _, _ := r.take(); w.Code != http.StatusAccepted || !changed {
		t.Errorf("one more: %d, %t", w.Code, changed)
	}
	close(release)
	for range slow {
		if code := <-done; code != http.StatusBadRequest {
			t.Errorf("a call that was cut: %d", code)
		}
	}
}

// TestReceiverMemory: what anybody may send costs next to nothing.
func TestReceiverMemory(t *testing.T) {
	r := newReceiver(testState, testTenant)
	for name, body := range map[string]string{
		"empty entries": `{"value":[` + strings.Repeat("{},", 350_000) + `{}]}`,
		"a long text":   `{"value":[{"clientState":"` + strings.Repeat("x", 1<<20) + `"}]}`,
		"another list":  `{"more":[` + strings.Repeat("{},", 350_000) + `{}]}`,
		"many keys":     "{" + strings.Repeat(`"x":1,`, 170_000) + `"value":[]}`,
		"deep":          `{"value":` + strings.Repeat("[", 1<<20),
		"genuine":       `{"value":[` + strings.Repeat(`{"clientState":"`+testState+`","tenantId":"`+testTenant+`"},`, 10_000) + `{}]}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const calls = 20
		for range calls {
			r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / calls; each > 8*mostNotified {
			t.Errorf("%s: %d bytes were allocated for a call", name, each)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// FuzzNotifications: whatever is called, only the secret counts.
func FuzzNotifications(f *testing.F) {
	f.Add(`{"value":[{"subscriptionId":"a","clientState":"` + testState + `","tenantId":"` + testTenant + `"}]}`)
	f.Add(`{"value":[{"lifecycleEvent":"missed","clientState":null}]}`)
	f.Add(`{"value":[null,{}],"value":[]}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		all := func(notification) bool { return true }
		if list, err := parseNotifications(strings.NewReader(body), all); err != nil && len(list) > 0 || len(list) > mostEntries {
			t.Error("a list and an error")
		}
		// A process with another secret, which no input can hold.
		r := newReceiver("another "+testState+body, testTenant)
		r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
		if changed, renew, replace := r.take(); changed || len(renew)+len(replace) > 0 || len(r.news) > 0 {
			t.Errorf("a call without the secret counts: %q", body)
		}
	})
}
