package mapping

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestRequirements(t *testing.T) {
	claims := map[string][]string{
		"affiliation": {"member", "staff"}, "acr": {"urn:mfa"}, "amr": {"pwd", "otp"}, "empty": {""}, "expires": {"2026-03-01"},
		"http://schemas.example/claims/role": {"desk"}, "address.country": {"DE"}, "not-on": {"x"},
	}
	now := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]bool{
		`"staff" in claims.affiliation`:                              true,
		`"Staff" in claims.affiliation`:                              false,
		`"staff" in claims.groups`:                                   false,
		`claim.acr == "urn:mfa"`:                                     true,
		`claim.amr == "pwd"`:                                         false, // two values are not one
		`claim.missing != nil`:                                       false,
		`claim.empty != nil`:                                         false,
		`claims.missing == []`:                                       true,
		`any(claims.amr, # in ["otp", "fido"])`:                      true,
		`claims["http://schemas.example/claims/role"] == ["desk"]`:   true,
		`claim["address.country"] in ["DE", "AT"]`:                   true,
		`claims["not-on"] == ["x"]`:                                  true,
		`not past(date(claim.expires))`:                              true,
		`not past(date(claim.missing))`:                              false, // no answer
		`claim.acr == "urn:mfa" and "guest" in claims.affiliation`:   false,
		`let a = claims.affiliation; "staff" in a or "faculty" in a`: true,
		`domain(claim.mail) == "example.test" or claim.acr != nil`:   true,
	} {
		r, problems := CompileRequirements([]TextSpec{{Text: text}})
		if len(problems) > 0 {
			t.Errorf("%s: %v", text, problems)
			continue
		}
		all := r.Check(claims, now)
		if len(all) != 1 || all[0].Holds != want || all[0].Text != text || all[0].Holds && all[0].Why != "" {
			t.Errorf("%s: %+v", text, all)
		}
		for _, c := range r.Check(nil, now) { // whoever says nothing at all
			if c.Holds && text != `claims.missing == []` {
				t.Errorf("%s holds for nobody: %+v", text, c)
			}
		}
	}
	r, _ := CompileRequirements([]TextSpec{{Text: `claim.acr == "urn:mfa" and "guest" in claims.affiliation`}, {Text: `"staff" in claims.affiliation`}, {Text: ` claims.acr != [] `}})
	if all := r.Check(claims, now); all[0].Why != `"guest" in claims.affiliation` || !all[1].Holds || !all[2].Holds {
		t.Errorf("%+v", all)
	}
	if names := strings.Join(r.Claims(), " "); names != "acr affiliation" {
		t.Error(names)
	}
}

func TestRequirementProblems(t *testing.T) {
	for text, want := range map[string]string{
		`department == "IT"`:          "5:10: require: unknown name department: no sign-in has it (what the provider says is written claims.department",
		`true and "staff" in groups`:  "5:30: require: unknown name groups",
		`"x" in attributes.y`:         "require: unknown name attributes",
		`manager.email == "x"`:        "require: ",
		`table.teams[claim.x] == "x"`: "require: ",
		`claim.acr`:                   "a condition must be true or false, this is a text",
		`claims.acr == "x"`:           "require: ",
		`claims != []`:                "claims is no value by itself (write claims.NAME",
		`claims[claim.x] == []`:       "must be a literal",
		`claims.a-b == []`:            `a name with a dash is written claims["a-b"]`,
		`true`:                        "5:10: require: the condition reads no claim",
		`"staff" in`:                  "ends too early",
		`now() > date(claim.x)`:       "there is no now()",
	} {
		r, problems := CompileRequirements([]TextSpec{{Text: text, Pos: Pos{Line: 5, Column: 10}}})
		if r != nil || len(problems) == 0 {
			t.Errorf("%s: taken", text)
			continue
		}
		var all []string
		for _, p := range problems {
			all = append(all, strings.TrimSpace(strings.Join([]string{place(p.Pos), p.Message, "(" + p.Hint + ")"}, " ")))
		}
		if got := strings.Join(all, "\n"); !strings.Contains(got, want) {
			t.Errorf("%s: %q is not in\n%s", text, want, got)
		}
	}
}

func place(at Pos) string { return fmt.Sprintf("%d:%d:", at.Line, at.Column) }
