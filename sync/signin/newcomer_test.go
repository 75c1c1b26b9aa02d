package signin

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// house makes people.
type house struct {
	*town
	made   []Newcomer
	kept   []Owner
	reason Reason // why not
}

func (h *house) Create(_ context.Context, n Newcomer) (Owner, error) {
	h.made = append(h.made, n)
	if h.reason != "" {
		return Owner{}, &Refusal{Reason: h.reason, Hint: "ask"}
	}
	o := person(n.Scope.Connection, n.Scope.Tenant, n.ID)
	h.people[o] = active
	return o, nil
}

func (h *house) Keep(_ context.Context, o Owner) error {
	h.kept = append(h.kept, o)
	return nil
}

// TestNewcomers: who is made a person of, where, and who never is.
func TestNewcomers(t *testing.T) {
	ann, off, unsettled, forNow := person("hq", "", "1"), person("hq", "", "2"), person("hq", "", "3"), person("hq", "", "4")
	cleo := person("csp", "t1", "7")
	subject := Subject{Realm: "idp", Value: "zoe-at-idp", Immutable: true}
	mail := Assertion{Subject: subject, Mail: "zoe@example.test", MailVerified: true}
	id := func(tenant, object string) Assertion {
		a := mail
		a.Subject = Subject{Realm: "entra/" + tenant, Value: object, Immutable: true, Tenant: tenant, Object: object}
		return a
	}
	hq := Policy{Provider: "staff", Directories: []Directory{{Connection: "hq"}}, Domains: []string{"example.test"}, Match: []string{"mail"}, Admission: Both, Own: "staff"}
	with := func(change func(*Policy)) Policy {
		p := hq
		change(&p)
		return p
	}
	csp := with(func(p *Policy) { p.Directories = []Directory{{Connection: "csp"}} })
	for name, c := range map[string]struct {
		policy Policy
		a      Assertion
		found  map[string][]Owner
		not    Reason // of Newcomers

		scope  Scope
		id     string
		known  bool
		linked bool
		reason Reason
	}{
		"an object of a directory":                                       {policy: hq, a: id("", "99"), scope: Scope{Connection: "hq"}, id: "99"},
		"even if an address is another's":                                {policy: hq, a: id("", "99"), found: map[string][]Owner{"mail zoe@example.test": {ann}}, scope: Scope{Connection: "hq"}, id: "99"},
		"a GUID, as directories write it":                                {policy: hq, a: id("", "{3F2504E1-4F89-41D3-9A0C-0305E82CB301}"), scope: Scope{Connection: "hq"}, id: "3f2504e1-4f89-41d3-9a0c-0305e82cb301"},
		"a GUID that may be one of two":                                  {policy: hq, a: id("", "4QQlP4lP00GaDAMF6CyzAQ=="), reason: NotCreated},
		"an object of a customer":                                        {policy: csp, a: id("t1", "99"), scope: Scope{"csp", "t1"}, id: "99"},
		"of one of two directories":                                      {policy: with(func(p *Policy) { p.Directories = []Directory{{Connection: "hq"}, {Connection: "csp"}} }), a: id("", "99"), reason: NotCreated},
		"the directory's is another":                                     {policy: with(func(p *Policy) { p.Directories = []Directory{{Connection: "hq", Foreign: true}} }), a: id("t", "99"), scope: Scope{Connection: "staff"}, id: ownID("staff", id("t", "99").Subject), linked: true},
		"of another tenant than the directory":                           {policy: with(func(p *Policy) { p.Directories = []Directory{{Connection: "hq", Tenant: "a"}} }), a: id("b", "99"), scope: Scope{Connection: "staff"}, id: ownID("staff", id("b", "99").Subject), linked: true},
		"of the directory's own tenant":                                  {policy: with(func(p *Policy) { p.Directories = []Directory{{Connection: "hq", Tenant: "a"}} }), a: id("A", "99"), scope: Scope{Connection: "hq"}, id: "99"},
		"of a tenant, and nobody can tell whether it is the directory's": {policy: hq, a: id("b", "99"), reason: NotCreated},
		"no object":                        {policy: hq, a: mail, scope: Scope{Connection: "staff"}, id: ownID("staff", subject), linked: true},
		"no object, and nobody of our own": {policy: with(func(p *Policy) { p.Own = "" }), a: mail, reason: UnknownPerson},
		"no verified mail":                 {policy: hq, a: Assertion{Subject: subject, Mail: "zoe@example.test"}, reason: MailNotVerified},
		"no mail at all":                   {policy: hq, a: Assertion{Subject: subject}, reason: MailNotVerified},
		"mail of another domain":           {policy: hq, a: Assertion{Subject: subject, Mail: "zoe@other.test"}, reason: DomainNotAllowed},
		"mail of another domain, nobody is found by mail": {policy: with(func(p *Policy) { p.Match = nil }), a: Assertion{Subject: subject, Mail: "zoe@other.test"}, reason: DomainNotAllowed},
		"mail that is verified, and of another domain":    {policy: hq, a: Assertion{Subject: subject, Mail: "zoe@other.test", MailVerified: true}, reason: DomainNotAllowed},
		"from anywhere": {policy: with(func(p *Policy) { p.Match, p.Domains = nil, []string{AnyDomain} }), a: Assertion{Subject: subject, Mail: "zoe@other.test", MailVerified: true},
			scope: Scope{Connection: "staff"}, id: ownID("staff", subject), linked: true},
		"an id that may be somebody else's":   {policy: hq, a: Assertion{Subject: Subject{Realm: "idp", Value: "x"}, Mail: "zoe@example.test", MailVerified: true}, reason: NotCreated},
		"several who stand":                   {policy: hq, a: mail, found: map[string][]Owner{"mail zoe@example.test": {ann, cleo}}, reason: UnknownPerson},
		"somebody who does not stand":         {policy: hq, a: mail, found: map[string][]Owner{"mail zoe@example.test": {off}}, reason: Disabled},
		"an object that is disabled":          {policy: hq, a: id("", "2"), reason: Disabled},
		"named, and no run has settled that":  {policy: hq, a: id("", "3"), scope: Scope{Connection: "hq"}, id: "3", known: true},
		"the rules make no record":            {policy: hq, a: mail, not: NoRecord, scope: Scope{Connection: "staff"}, id: ownID("staff", subject), reason: NoRecord},
		"waits":                               {policy: hq, a: id("", "99"), not: Held, scope: Scope{Connection: "hq"}, id: "99", reason: Held},
		"not of those whom the provider lets": {policy: with(func(p *Policy) { p.Admission = Agents }), a: id("", "99"), scope: Scope{Connection: "hq"}, id: "99", reason: WrongAudience},
	} {
		t.Run(name, func(t *testing.T) {
			world := &town{people: map[Owner]Standing{ann: active, cleo: active, off: {There: true, Kinds: []string{"user"}}, unsettled: {There: true, Enabled: true}}, mails: c.found, links: map[Subject]Owner{}}
			if name == "several who stand" {
				world.mails["mail zoe@example.test"] = []Owner{ann, forNow}
				world.people[forNow] = active
				c.reason = Ambiguous
			}
			h := &house{town: world, reason: c.not}
			c.policy.Newcomers = h
			d, err := c.policy.Who(t.Context(), world, world, &c.a)
			var refusal *Refusal
			if c.reason == "" && err != nil || c.reason != "" && (!errors.As(err, &refusal) || refusal.Reason != c.reason || refusal.Hint == "" || strings.Contains(refusal.Text, "zoe@")) {
				t.Fatalf("error %v, want %s", err, c.reason)
			}
			switch {
			case c.id == "" && len(h.made) > 0:
				t.Errorf("made: %+v", h.made)
			case c.id == "":
			case len(h.made) != 1 || h.made[0].Scope != c.scope || h.made[0].ID != c.id || h.made[0].Known != c.known || h.made[0].Own != (c.scope.Connection == "staff"):
				t.Errorf("made: %+v", h.made)
			case c.reason == "" && c.known && d.By != "id", c.reason == "" && !c.known && d.By != "created":
				t.Errorf("by %s", d.By)
			}
			if linked := len(world.links) > 0; linked != c.linked {
				t.Errorf("a link was made: %v", linked)
			}
		})
	}
}

// TestKeep: who is there for a sign-in alone is kept by another one, and nobody else is.
func TestKeep(t *testing.T) {
	ann, zoe := person("hq", "", "1"), person("hq", "", "2")
	forNow := active
	forNow.ForNow = true
	world := &town{people: map[Owner]Standing{ann: active, zoe: forNow}, links: map[Subject]Owner{}}
	h := &house{town: world}
	p := Policy{Directories: []Directory{{Connection: "hq"}}, Admission: Both, Newcomers: h}
	for _, id := range []string{"1", "2"} {
		if _, err := p.Who(t.Context(), world, world, &Assertion{Subject: Subject{Object: id}}); err != nil {
			t.Error(err)
		}
	}
	if len(h.kept) != 1 || h.kept[0] != zoe || len(h.made) > 0 {
		t.Errorf("kept %v, made %v", h.kept, h.made)
	}
}
