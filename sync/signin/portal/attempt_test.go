package portal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/signin"
)

// TestAttemptsAreBounded: anybody can make attempts, and the state grows no further by them; the newest are those that are kept.
func TestAttemptsAreBounded(t *testing.T) {
	w := newWorld(t)
	const more = 10
	for i := range mostKept + more {
		one := Attempt{ID: fmt.Sprintf("%012d", i), At: w.now.Add(time.Duration(i) * time.Millisecond), Reason: signin.NotBegunHere}
		if i >= mostKept {
			w.portal.attempts.add(&one)
			continue
		}
		key := attemptKey(&one)
		w.shelf.list[spaceAttempt+" "+string(key)] = store.Item{Key: key, Value: fmt.Appendf(nil, `{"id":%q,"at":%q}`, one.ID, one.At.Format(time.RFC3339Nano))}
	}
	if err := w.portal.StoreAttempts(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := Attempts(t.Context(), w.shelf, false, time.Time{})
	if err != nil || len(list) != mostKept || list[0].ID != fmt.Sprintf("%012d", mostKept+more-1) || list[len(list)-1].ID != fmt.Sprintf("%012d", more) {
		t.Errorf("%d attempts, error %v", len(list), err)
	}
}

// TestLongAttempt: what comes from outside is cut, and one attempt does not take the others with it.
func TestLongAttempt(t *testing.T) {
	w := newWorld(t)
	s, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w.portal.Items = s.Items()
	long := strings.Repeat("ä ann@example.test ", 60_000)
	w.idp.refuses = &signin.Refusal{Reason: signin.ProviderError, Text: long, Hint: long, Code: long, Checks: []signin.Check{{Name: long, Found: long}}}
	b := w.browser()
	_, at, _ := b.visit("https://desk.test/")
	u, _ := url.Parse(at)
	resp := b.get("https://auth.test/auth/oidc/staff/callback?" + url.Values{"state": u.Query()["state"]}.Encode())
	if page, err := io.ReadAll(resp.Body); err != nil || len(page) > 5000 {
		t.Errorf("a page of %d bytes, error %v", len(page), err)
	}
	if err := w.portal.StoreAttempts(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := Attempts(t.Context(), w.portal.Items, true, time.Time{})
	if err != nil || len(list) != 1 || len(list[0].Text) > 2*longestText || len(list[0].Checks[0].Found) > 2*longestText {
		t.Fatalf("%d attempts, error %v", len(list), err)
	}
	if one, found, err := AttemptOf(t.Context(), w.portal.Items, list[0].ID); err != nil || !found || one.Reason != signin.ProviderError {
		t.Errorf("%v, error %v", one, err)
	}
	for _, id := range []string{"", "AAAAAAAAAAAA", strings.Repeat("A", 5000)} {
		if _, found, err := AttemptOf(t.Context(), w.portal.Items, id); err != nil || found {
			t.Errorf("%d characters: found %v, error %v", len(id), found, err)
		}
	}
}

// TestLogNamesNobody: what a provider says of an error may name people. It is for `signin show`.
func TestLogNamesNobody(t *testing.T) {
	w := newWorld(t)
	w.idp.refuses = &signin.Refusal{Reason: signin.ProviderError, Text: `the provider answers Responder, and says "ann@example.test is locked"`, Hint: "see there"}
	b := w.browser()
	_, at, _ := b.visit("https://desk.test/")
	b.back("staff", at)
	if log := w.log.String(); strings.Contains(log, "ann@") || !strings.Contains(log, "sign-in refused") {
		t.Errorf("the log:\n%s", log)
	}
}

// TestAttemptsWaitForTheStore: what could not be stored is, as soon as that works again.
func TestAttemptsWaitForTheStore(t *testing.T) {
	w := newWorld(t)
	w.portal.attempts.add(&Attempt{ID: "AAAAAAAAAAAA", At: w.now})
	w.shelf.broken = errors.New("the disk is full")
	if err := w.portal.StoreAttempts(t.Context()); err == nil {
		t.Error("no error")
	}
	w.shelf.broken = nil
	clear(w.shelf.list)
	if w.last().ID != "AAAAAAAAAAAA" {
		t.Error("lost")
	}
}

type heap struct{ left int }

func (h *heap) Expire(_ context.Context, _ time.Time, limit int) (int, error) {
	n := min(h.left, limit)
	h.left -= n
	return n, nil
}

// TestExpireAll: all that is over goes, however much it is.
func TestExpireAll(t *testing.T) {
	h := &heap{3*expireMost + 1}
	if err := expire(t.Context(), h, time.Now()); err != nil || h.left != 0 {
		t.Errorf("%d left, error %v", h.left, err)
	}
}
