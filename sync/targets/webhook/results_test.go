package webhook

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/targettest"
)

func deliverBatch(t *testing.T, actions []directory.Action, change func(*Config), say http.HandlerFunc) ([]targets.Outcome, error) {
	t.Helper()
	r := newReceiver(t)
	r.say(say)
	c := r.config()
	c.Batch = largestBatch
	if change != nil {
		change(c)
	}
	return openConfig(t, c).Deliver(t.Context(), targettest.Work(actions))
}

// refusals is an answer that refuses every action with a text of its own.
func refusals(actions []directory.Action, text int) string {
	items := make([]string, len(actions))
	for i := range actions {
		items[i] = fmt.Sprintf(`{"id":%q,"status":422,"error":%q}`, actions[i].Key, strings.Repeat("x", text))
	}
	return `{"results":[` + strings.Join(items, ",") + `],"trace":{"id":[1,{"a":null}]}}`
}

// TestAnswerThatBrokeOff: what may have refused something and did not arrive as a whole is no acceptance.
func TestAnswerThatBrokeOff(t *testing.T) {
	actions := targettest.Actions(10)
	whole := refusals(actions, 10)
	cut := func(body string, n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			_, _ = io.WriteString(w, body[:n])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	for _, n := range []int{1, 5, 12, 40, len(whole) / 2, len(whole) - 25, len(whole) - 1} {
		if out, err := deliverBatch(t, actions, nil, cut(whole, n)); fault.ClassOf(err) != fault.Transient || out != nil {
			t.Errorf("cut at %d: %v, %v", n, out, err)
		}
		if _, err := deliverBatch(t, actions, nil, cut("\ufeff \r\n\t"+whole, n+7)); fault.ClassOf(err) != fault.Transient {
			t.Errorf("cut at %d, behind a mark: %v", n, err)
		}
		// An end that looks like one: what is told is not whole all the same.
		end := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, whole[:n]) }
		if _, err := deliverBatch(t, actions, nil, end); fault.ClassOf(err) != fault.Transient {
			t.Errorf("ended at %d: %v", n, err)
		}
	}
	nothing := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
		cut(whole, 0)(w, r)
	}
	if _, err := deliverBatch(t, actions, nil, nothing); fault.ClassOf(err) != fault.Transient {
		t.Errorf("JSON without a byte of it: %v", err)
	}
	garbled := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Replace(whole, "},{", "},<br>{", 1))
	}
	if _, err := deliverBatch(t, actions, nil, garbled); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("results that are no JSON: %v", err)
	}
	drip := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, whole[:100])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	soon := func(c *Config) { c.Timeout = settings.Duration(100 * time.Millisecond) }
	if _, err := deliverBatch(t, actions, soon, drip); fault.ClassOf(err) != fault.Transient {
		t.Errorf("an answer that does not come to its end: %v", err)
	}
	endless := func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, `{"results":[`)
		for err == nil {
			_, err = io.WriteString(w, `{"id":"stranger","status":422},`)
		}
	}
	if _, err := deliverBatch(t, actions, nil, endless); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("an endless list: %v", err)
	}
	text := func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, `{"results":[{"error":"`)
		for err == nil {
			_, err = io.WriteString(w, strings.Repeat("x", 4096))
		}
	}
	if _, err := deliverBatch(t, actions, nil, text); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("an endless text: %v", err)
	}
}

// TestLargeAnswers: an honest receiver may have much to say about a large batch.
func TestLargeAnswers(t *testing.T) {
	actions := targettest.Actions(1000)
	for _, size := range []int{5000, 20000} {
		body := refusals(actions, size)
		say := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
		out, err := deliverBatch(t, actions, nil, say)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range out {
			if fault.ClassOf(o.Err) != fault.Invalid || len(o.Err.Error()) > 400 {
				t.Fatalf("outcome %d with %d bytes of text: %.500v", i, size, o.Err)
			}
		}
	}
}

// deliverDripping gives up soon on an answer that has no end. A busy machine may need longer to begin it: then it gets more time,
// unless it is to fail anyway.
func deliverDripping(t *testing.T, actions []directory.Action, say http.HandlerFunc, fails bool) (out []targets.Outcome, err error) {
	t.Helper()
	for timeout := 100 * time.Millisecond; timeout < 5*time.Minute; timeout *= 4 {
		out, err = deliverBatch(t, actions, func(c *Config) { c.Timeout = settings.Duration(timeout) }, say)
		if err == nil || fails {
			break
		}
	}
	return out, err
}

// TestAnswersThatSayNothing are taken, as any other 2xx is, however they end.
func TestAnswersThatSayNothing(t *testing.T) {
	actions := targettest.Actions(2)
	for _, body := range []string{
		"", " ", "OK", "{", "{oops}", "{}", `{"results":null}`, `{"results":"none"}`, `{"results":{"a":[]}}`, `{"results":[1,{"id":2,"status":422},"x",[]]}`, `{"ok":true} trailing`,
		`[{"id":"keycreate000000","status":422`, `"text`, "<html>", "\x00",
	} {
		for _, how := range []string{"ends", "breaks off", "drips"} {
			say := func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, body)
				w.(http.Flusher).Flush()
				switch how {
				case "breaks off":
					panic(http.ErrAbortHandler)
				case "drips":
					<-r.Context().Done()
				}
			}
			deliver := func() ([]targets.Outcome, error) { return deliverBatch(t, actions, nil, say) }
			if how == "drips" {
				deliver = func() ([]targets.Outcome, error) { return deliverDripping(t, actions, say, body == "{") }
			}
			out, err := deliver()
			if body == "{" {
				if fault.ClassOf(err) != fault.Transient {
					t.Errorf("%q that %s: %v", body, how, err)
				}
			} else if err != nil || out[0].Err != nil || out[1].Err != nil {
				t.Errorf("%q that %s: %v, %v", body, how, out, err)
			}
		}
	}
}
