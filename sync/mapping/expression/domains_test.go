package expression

import (
	"errors"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Domains of a tenant that nobody has told are not none: whatever computes with them or shows them fails, unless it is not reached
// or says what to assume.
func TestUnknownDomains(t *testing.T) {
	for text, want := range map[string][2]string{
		`domain(email) in tenant.domains`:                                {"true", ""},
		`"x.test" not in tenant.domains`:                                 {"true", ""},
		`tenant.domains`:                                                 {"[contoso.test example.test]", ""},
		`any(tenant.domains, # == "contoso.test")`:                       {"true", ""},
		`len(tenant.domains) > 1`:                                        {"true", ""},
		`let d = tenant.domains; d[0]`:                                   {"contoso.test", ""},
		`"x.test" in tenant.domains or enabled`:                          {"true", ""},
		`enabled ? tenant.domains : emails`:                              {"[contoso.test example.test]", ""},
		`connection == "other" and "x.test" in tenant.domains`:           {"false", "false"},
		`enabled or "x.test" in tenant.domains`:                          {"true", "true"},
		`domain(email) in (tenant.domains ?? ["example.test"])`:          {"true", "true"},
		`tenant.domains == nil`:                                          {"false", "true"},
		`tenant.domains != nil and domain(email) in tenant.domains`:      {"true", "false"},
		`tenant.domain in (tenant.domains == nil ? [] : tenant.domains)`: {"true", "false"},
	} {
		in := jane()
		if got, err := evaluate(t, text, in); err != nil || listed(got) != want[0] {
			t.Errorf("%s: %s, %v; want %s", text, listed(got), err, want[0])
		}
		in.Source.TenantDomains = nil
		got, err := evaluate(t, text, in)
		var f *fault.Error
		if want[1] != "" {
			if err != nil || listed(got) != want[1] {
				t.Errorf("%s, not told: %s, %v; want %s", text, listed(got), err, want[1])
			}
		} else if !errors.As(err, &f) || f.Class != fault.Invalid || !strings.Contains(f.Error(), "not known") || strings.Contains(f.Error(), "example") {
			t.Errorf("%s, not told: %s, %v", text, listed(got), err)
		}
	}
}

func listed(v directory.Value) string {
	if list := v.List(); list != nil {
		return "[" + strings.Join(list, " ") + "]"
	}
	return v.String()
}

// A condition that is nothing but the name of a list is refused, and one that fails is no false one.
func TestConditionOnUnknownDomains(t *testing.T) {
	x, diagnostics := people().Condition(`enabled and domain(email) in tenant.domains`)
	if diagnostics != nil {
		t.Fatal(diagnostics)
	}
	in := jane()
	in.Source.TenantDomains = nil
	e := NewEvaluator([]*Expression{x}).Begin(in)
	defer e.End()
	if holds, err := e.Truth(x); holds || err == nil {
		t.Errorf("%t, %v", holds, err)
	}
	if term := e.FalseTerm(x); term != "" {
		t.Errorf("%s is false", term)
	}
}
