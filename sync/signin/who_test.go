package signin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// town is a handful of people.
type town struct {
	people map[Owner]Standing
	mails  map[string][]Owner // by key, a blank and value
	links  map[Subject]Owner
	failed error
}

func (t *town) Scopes(_ context.Context, connection string) ([]Scope, error) {
	var list []Scope
	for o := range t.people {
		if o.Connection == connection && !slices.Contains(list, o.Scope) {
			list = append(list, o.Scope)
		}
	}
	return list, t.failed
}

func (t *town) ByID(_ context.Context, where Scope, id string) (Owner, bool, error) {
	for o := range t.people {
		if o.Scope == where && o.ID == id {
			return o, true, t.failed
		}
	}
	return Owner{}, false, t.failed
}

func (t *town) Find(_ context.Context, where []Scope, kind, value string) (list []Owner, err error) {
	for _, o := range t.mails[kind+" "+value] {
		if slices.Contains(where, o.Scope) {
			list = append(list, o)
		}
	}
	return list, t.failed
}

func (t *town) Standing(_ context.Context, o Owner) (Standing, error) { return t.people[o], t.failed }

func (t *town) Link(_ context.Context, _ string, s Subject) (Owner, bool, error) {
	o, ok := t.links[s]
	return o, ok, t.failed
}

func (t *town) SetLink(_ context.Context, _ string, s Subject, o Owner) error {
	t.links[s] = o
	return nil
}

var active = Standing{There: true, Enabled: true, Kinds: []string{"user"}}

func person(connection, tenant, id string) Owner {
	return Owner{Scope: Scope{connection, tenant}, ID: id, Record: connection + "/" + id}
}

func TestWho(t *testing.T) {
	ann, bob, former := person("hq", "", "1"), person("hq", "", "2"), person("hq", "", "0")
	adGUID, otherGUID := person("hq", "", "3f2504e1-4f89-41d3-9a0c-0305e82cb301"), person("hq", "", "e104253f-894f-d341-9a0c-0305e82cb301")
	cleo, dan := person("csp", "t1", "7"), person("csp", "t2", "8")
	subject := Subject{Realm: "idp", Value: "ann-at-idp", Immutable: true}
	mail := func(address string) Assertion {
		return Assertion{Subject: subject, Mail: address, MailVerified: true}
	}
	id := func(tenant, object, address string) Assertion {
		a := mail(address)
		a.Subject = Subject{Realm: "entra/" + tenant, Value: object, Immutable: true, Tenant: tenant, Object: object}
		return a
	}
	for name, c := range map[string]struct {
		people map[Owner]Standing
		found  map[string][]Owner
		links  map[Subject]Owner
		policy Policy
		a      Assertion

		owner  Owner
		by     string
		reason Reason
		linked bool
	}{
		"by mail":                   {found: map[string][]Owner{"mail ann@example.test": {ann}}, a: mail("ann@example.test"), owner: ann, by: "mail", linked: true},
		"mail that is not verified": {found: map[string][]Owner{"mail ann@example.test": {ann}}, a: Assertion{Subject: subject, Mail: "ann@example.test"}, reason: MailNotVerified},
		"mail of another domain":    {found: map[string][]Owner{"mail ann@other.test": {ann}}, a: mail("ann@other.test"), reason: DomainNotAllowed},
		"nobody":                    {a: mail("zoe@example.test"), reason: UnknownPerson},
		"several who stand":         {found: map[string][]Owner{"mail x@example.test": {ann, bob}}, a: mail("x@example.test"), reason: Ambiguous},
		"one of several stands": {people: map[Owner]Standing{ann: active, bob: {There: true}}, found: map[string][]Owner{"mail x@example.test": {bob, ann}},
			a: mail("x@example.test"), owner: ann, by: "mail", linked: true},
		"only such as do not stand": {people: map[Owner]Standing{bob: {There: true}}, found: map[string][]Owner{"mail x@example.test": {bob}}, a: mail("x@example.test"), reason: Disabled},
		"id":                        {a: id("", "1", ""), owner: ann, by: "id"},
		"an unknown id never falls through to mail": {found: map[string][]Owner{"mail ann@example.test": {former}}, people: map[Owner]Standing{former: active},
			a: id("", "99", "ann@example.test"), reason: UnknownPerson},
		"an id of another tenant than the directory's": {policy: Policy{Directories: []Directory{{Connection: "hq", Tenant: "t9"}}, Match: []string{"mail"}, Domains: []string{"example.test"}, Admission: Both},
			found: map[string][]Owner{"mail ann@example.test": {ann}}, a: id("t1", "1", "ann@example.test"), owner: ann, by: "mail", linked: true},
		"the GUID of Active Directory in base64": {people: map[Owner]Standing{adGUID: active}, a: id("", "4QQlP4lP00GaDAMF6CyzAQ==", ""), owner: adGUID, by: "id"},
		"a GUID in capitals":                     {people: map[Owner]Standing{adGUID: active}, a: id("", "{3F2504E1-4F89-41D3-9A0C-0305E82CB301}", ""), owner: adGUID, by: "id"},
		"a GUID that is that of two":             {people: map[Owner]Standing{adGUID: active, otherGUID: active}, a: id("", "4QQlP4lP00GaDAMF6CyzAQ==", ""), reason: Ambiguous},
		"id of a customer":                       {policy: Policy{Directories: []Directory{{Connection: "csp"}}, Admission: Both}, a: id("t1", "7", ""), owner: cleo, by: "id"},
		"id in another customer's tenant":        {policy: Policy{Directories: []Directory{{Connection: "csp"}}, Admission: Both}, a: id("t2", "7", ""), reason: UnknownPerson},
		"mail in another customer's tenant": {policy: Policy{Directories: []Directory{{Connection: "csp"}}, Match: []string{"mail"}, Domains: []string{"example.test"}, Admission: Both},
			found: map[string][]Owner{"mail dan@example.test": {dan}}, a: Assertion{Subject: Subject{Realm: "r", Value: "v", Tenant: "t1"}, Mail: "dan@example.test", MailVerified: true}, reason: UnknownPerson},
		"link": {links: map[Subject]Owner{subject: bob}, found: map[string][]Owner{"mail ann@example.test": {ann}}, a: mail("ann@example.test"), owner: bob, by: "link"},
		"link to somebody outside of the directories": {links: map[Subject]Owner{subject: cleo}, a: mail("ann@example.test"), reason: UnknownPerson},
		"link to whom is gone":                        {links: map[Subject]Owner{subject: former}, a: mail("ann@example.test"), reason: Gone},
		"a link counts for its id":                    {links: map[Subject]Owner{subject: bob}, a: Assertion{Subject: Subject{Realm: "idp", Value: "other", Immutable: true}}, reason: UnknownPerson},
		"who is known by mail alone is found anew each time": {found: map[string][]Owner{"mail ann@example.test": {ann}},
			a: Assertion{Subject: Subject{Realm: "idp", Value: "x"}, Mail: "ann@example.test", MailVerified: true}, owner: ann, by: "mail"},
		"a claim": {policy: Policy{Directories: []Directory{{Connection: "hq"}}, Match: []string{"employee_id", "mail"}, Admission: Both}, found: map[string][]Owner{"employee_id 4711": {ann}},
			a: Assertion{Subject: subject, Claims: map[string][]string{"employee_id": {"4711"}}}, owner: ann, by: "employee_id", linked: true},
		"a claim with two values": {policy: Policy{Directories: []Directory{{Connection: "hq"}}, Match: []string{"employee_id"}, Admission: Both}, found: map[string][]Owner{"employee_id 4711": {ann}},
			a: Assertion{Subject: subject, Claims: map[string][]string{"employee_id": {"4711", "4712"}}}, reason: UnknownPerson},
		"an id of another kind of directory": {policy: Policy{Directories: []Directory{{Connection: "hq", Foreign: true}}, Match: []string{"mail"}, Domains: []string{"example.test"}, Admission: Both},
			found: map[string][]Owner{"mail ann@example.test": {ann}}, a: id("t1", "99", "ann@example.test"), owner: ann, by: "mail", linked: true},
		"an id that neither directory has": {policy: Policy{Directories: []Directory{{Connection: "hq", Foreign: true}, {Connection: "csp"}}, Match: []string{"mail"}, Domains: []string{"example.test"}, Admission: Both},
			found: map[string][]Owner{"mail ann@example.test": {ann}}, a: id("t1", "99", "ann@example.test"), reason: UnknownPerson},
		"disabled":  {people: map[Owner]Standing{ann: {There: true, Kinds: []string{"user"}}}, a: id("", "1", ""), reason: Disabled},
		"gone":      {people: map[Owner]Standing{ann: {Enabled: true, Kinds: []string{"user"}}}, a: id("", "1", ""), reason: Gone},
		"no record": {people: map[Owner]Standing{ann: {There: true, Enabled: true}}, a: id("", "1", ""), reason: NoRecord},
		"no agent":  {policy: Policy{Directories: []Directory{{Connection: "hq"}}, Admission: Agents}, a: id("", "1", ""), reason: WrongAudience},
		"agent": {policy: Policy{Directories: []Directory{{Connection: "hq"}}, Admission: Agents}, people: map[Owner]Standing{ann: {There: true, Enabled: true, Kinds: []string{"agent"}}},
			a: id("", "1", ""), owner: ann, by: "id"},
	} {
		t.Run(name, func(t *testing.T) {
			people := map[Owner]Standing{ann: active, bob: active, cleo: active, dan: active}
			if c.people != nil {
				people = c.people
			}
			world := &town{people: people, mails: c.found, links: c.links}
			if world.links == nil {
				world.links = map[Subject]Owner{}
			}
			before := len(world.links)
			policy := c.policy
			if policy.Admission == "" {
				policy = Policy{Directories: []Directory{{Connection: "hq"}}, Domains: []string{"example.test"}, Match: []string{"mail"}, Admission: Both}
			}
			d, err := policy.Who(t.Context(), world, world, &c.a)
			var refusal *Refusal
			switch {
			case c.reason == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case c.reason != "" && (!errors.As(err, &refusal) || refusal.Reason != c.reason || refusal.Hint == "" || len(d.Checks) == 0 && refusal.Reason != Gone):
				t.Fatalf("error %v, checks %v; want %s", err, d.Checks, c.reason)
			case c.reason == "" && (d.Owner != c.owner || d.By != c.by):
				t.Errorf("%v by %s, want %v by %s", d.Owner, d.By, c.owner, c.by)
			}
			if linked := len(world.links) > before; linked != c.linked {
				t.Errorf("a link was made: %v", linked)
			}
			if refusal != nil && strings.Contains(refusal.Text+refusal.Hint, c.a.Mail) && c.a.Mail != "" {
				t.Errorf("%q, %q have the address", refusal.Text, refusal.Hint)
			}
		})
	}
}

// TestWhatToDoAboutTheUnknown: the way on is another command than the one that shows it.
func TestWhatToDoAboutTheUnknown(t *testing.T) {
	subject := Subject{Realm: "idp", Value: "1"}
	hq, two := []Directory{{Connection: "hq"}}, []Directory{{Connection: "hq"}, {Connection: "csp"}}
	for name, c := range map[string]struct {
		directories []Directory
		a           Assertion
		hint        string
	}{
		"one directory":          {hq, Assertion{Subject: subject, Mail: "ann@example.test", MailVerified: true}, "`dirsyncd sync hq --user ADDRESS`"},
		"several":                {two, Assertion{Subject: subject, Mail: "ann@example.test", MailVerified: true}, "`dirsyncd sync CONNECTION --user ADDRESS`"},
		"an id":                  {hq, Assertion{Subject: Subject{Realm: "idp", Value: "1", Object: "9"}}, "`dirsyncd sync hq --user ID`"},
		"nothing to look for is": {hq, Assertion{Subject: subject}, "`match`"},
	} {
		p := Policy{Directories: c.directories, Domains: []string{"example.test"}, Match: []string{"mail"}, Admission: Both}
		world := &town{links: map[Subject]Owner{}}
		_, err := p.Who(t.Context(), world, world, &c.a)
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Reason != UnknownPerson || !strings.Contains(refusal.Hint, c.hint) || strings.Contains(refusal.Hint, "signin show") {
			t.Errorf("%s: %+v", name, refusal)
		}
	}
}

// TestWhoCannotBeAsked: an error lets nobody in, and is not told as a refusal.
func TestWhoCannotBeAsked(t *testing.T) {
	world := &town{failed: errors.New("the state cannot be read"), links: map[Subject]Owner{}}
	p := Policy{Directories: []Directory{{Connection: "hq"}}, Admission: Both}
	for _, a := range []Assertion{{Subject: Subject{Object: "1"}}, {Subject: Subject{Realm: "r", Value: "v", Immutable: true}}} {
		if _, err := p.Who(t.Context(), world, world, &a); !errors.Is(err, world.failed) {
			t.Errorf("error %v", err)
		}
	}
}
