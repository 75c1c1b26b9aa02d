package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/api"
	"dirsyncd/sync/api/apitest"
	"dirsyncd/sync/signin/keyring"
)

// TestSigninWho: what is asked, what is shown, and what scripts learn by the exit code.
func TestSigninWho(t *testing.T) {
	asked := ""
	answer := api.SigninWho{Provider: "staff", Record: "hq/ada", Object: "hq/1", By: "mail", Apps: []string{"desk"}, Checks: []api.SigninCheck{{Name: "mail", OK: true, Found: "1 found in 1 places, 1 of them active"}}}
	fake := &apitest.Fake{SigninWhoFunc: func(_ context.Context, req api.SigninWhoRequest) (api.SigninWho, error) {
		asked = req.Provider
		for _, k := range slices.Sorted(maps.Keys(req.Says)) {
			asked += " " + k + "=" + req.Says[k]
		}
		return answer, nil
	}}
	c := newCommandLine(t, fake)
	if code := c.run("signin", "who", "staff", "mail=ada@example.test", "tenant=a=b"); code != exitClean || asked != "staff mail=ada@example.test tenant=a=b" {
		t.Errorf("exit code %d, asked %q: %s", code, asked, c.stderr.String())
	}
	for _, want := range []string{"hq/ada, found by mail", "would be in at desk", "found: hq/1", "1 found in 1 places"} {
		if !strings.Contains(c.stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, c.stdout.String())
		}
	}
	answer = api.SigninWho{Provider: "staff", Reason: "unknown_person", Detail: "nobody is known", Hint: "look"}
	c = newCommandLine(t, fake)
	if code := c.run("signin", "who", "staff", "id=7", "--json"); code != exitFailed || !json.Valid(c.stdout.Bytes()) {
		t.Errorf("refused: exit code %d, %s", code, c.stdout.String())
	}
	for _, bad := range [][]string{{"staff"}, {"staff", "mail"}, {"staff", "=x"}, {"staff", "mail="}, {"staff", "mail=a", "mail=b"}, {}} {
		c = newCommandLine(t, fake)
		if code := c.run(append([]string{"signin", "who"}, bad...)...); code != exitUsage {
			t.Errorf("%v: exit code %d", bad, code)
		}
	}
}

// TestSigninLinksAndKeys: links and keys are listed, forgotten, turned.
func TestSigninLinksAndKeys(t *testing.T) {
	var forgot string
	var turned []api.SigninKeysRequest
	fake := &apitest.Fake{
		SigninLinksFunc: func(_ context.Context, who string) ([]api.SigninLink, error) {
			if who != "" && who != "hq/ada" {
				return nil, nil
			}
			return []api.SigninLink{{ID: "5f1c09ab77d2", Record: "hq/ada", Object: "hq/1", Provider: "staff", Since: at(48 * time.Hour)}, {ID: "0011223344aa", Object: "hq/2"}}, nil
		},
		UnlinkFunc: func(_ context.Context, who string) (int, error) {
			forgot = who
			return strings.Count(who, "hq/ada"), nil
		},
		SigninKeysFunc: func(_ context.Context, req api.SigninKeysRequest) ([]api.SigninKey, error) {
			turned = append(turned, req)
			return []api.SigninKey{{ID: "kid1", Created: at(time.Hour), State: "signs"}}, nil
		},
	}
	for _, tc := range []struct {
		args, want string
		code       int
	}{
		{"signin links", "5f1c09ab77d2", exitClean}, {"signin links hq/bob", "there are no links", exitClean}, {"signin links --json", `"provider": "staff"`, exitClean},
		{"signin unlink hq/ada", "forgot 1 link", exitClean}, {"signin unlink nobody", "", exitUsage}, {"signin unlink", "", exitUsage},
		{"signin keys", "kid1", exitClean}, {"signin keys rotate", "signs", exitClean}, {"signin keys rotate --now --json", `"id": "kid1"`, exitClean},
		{"signin keys --now", "", exitUsage}, {"signin keys turn", "", exitUsage},
	} {
		c := newCommandLine(t, fake)
		if code := c.run(strings.Fields(tc.args)...); code != tc.code || !strings.Contains(c.stdout.String(), tc.want) {
			t.Errorf("%s: exit code %d\n%s%s", tc.args, code, c.stdout.String(), c.stderr.String())
		}
	}
	if forgot != "nobody" || !slices.Equal(turned, []api.SigninKeysRequest{{}, {Rotate: true}, {Rotate: true, Now: true}}) {
		t.Errorf("forgot %q, asked for keys by %+v", forgot, turned)
	}
	c := newCommandLine(t, nil)
	if code := c.run("signin", "keys", "new"); code != exitClean {
		t.Fatal(code)
	}
	if _, err := keyring.Parse(c.stdout.String(), time.Now); err != nil {
		t.Errorf("keys that are none: %v", err)
	}
}
