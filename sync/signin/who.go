package signin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/signin/key"
)

// Scope is where somebody is looked for: the people of a connection, or of one tenant of it.
type Scope struct{ Connection, Tenant string }

func (s Scope) String() string {
	if s.Tenant == "" {
		return s.Connection
	}
	return s.Connection + "/" + s.Tenant
}

// Owner is somebody who is stored: an object of a directory, and the record that the rules made of it.
type Owner struct {
	Scope
	ID     string // of the object, within the scope
	Record string // key of the user or agent; blank when the rules make none
}

// Standing is how somebody is known at the moment. What is stored counts: a read that failed or is under way changes nothing.
type Standing struct {
	There   bool              // the directory lists the object, or has not proven that it is gone
	Enabled bool              // the directory does not say that the account is disabled
	Kinds   []string          // kinds of the active records: "user", "agent"
	Fields  map[string]string // of the record, one line each; several values are separated by ", "
	// Values are those of the same fields, each by itself: what somebody's own text says is never two of them.
	Values map[string][]string
	ForNow bool // the directory has not named the object: it is there for a sign-in, and as long as its person comes back
}

// People are those whom the daemon knows. It only reads, and waits for no run. Safe for concurrent use.
type People interface {
	// Scopes returns the scopes of a connection, one for each tenant that was read.
	Scopes(ctx context.Context, connection string) ([]Scope, error)
	// ByID finds an object by its id at the source.
	ByID(ctx context.Context, where Scope, id string) (Owner, bool, error)
	// Find returns everybody, standing or not, who has a value: kind is "mail", "login" or a field that the connection reads.
	Find(ctx context.Context, where []Scope, kind, value string) ([]Owner, error)
	Standing(ctx context.Context, who Owner) (Standing, error)
}

// Links remember who somebody was found to be, by what a provider never gives to anybody else.
type Links interface {
	Link(ctx context.Context, provider string, s Subject) (Owner, bool, error)
	SetLink(ctx context.Context, provider string, s Subject, who Owner) error
}

// Directory is a connection whose people a provider may name.
type Directory struct {
	Connection string
	Tenant     string // the directory's own id of its tenant, or that of the provider, where the connection reads one only; blank when neither is known
	// Foreign: the provider gives ids of another kind of directory. An id that is not there says nothing then.
	Foreign bool
}

// Admission is who may come in: the setting `audience`.
type Admission string

// Who may come in.
const (
	Agents Admission = "agents"
	Users  Admission = "users"
	Both   Admission = "both"
)

// Admits reports whether somebody with active records of these kinds may come in.
func (a Admission) Admits(kinds []string) bool {
	return a != Users && slices.Contains(kinds, "agent") || a != Agents && slices.Contains(kinds, "user")
}

// Policy is what a provider may say of whom.
type Policy struct {
	Provider    string
	Directories []Directory
	Domains     []string // addresses that it may vouch for, in lower case
	Match       []string // in order: "mail", "login", or a claim that is a field of objects by the same name
	Admission   Admission
	// Require looks at what the operator requires of what the provider says, one Check each; nil: nothing is required. It is called with the
	// claims of an Assertion, which it only reads, and the time.
	Require func(claims map[string][]string, now time.Time) []Check
	// Newcomers makes people of those whom nobody knows; nil: they are refused. Own is the connection of those who are in no directory; blank: there are
	// none such.
	Newcomers Newcomers
	Own       string
}

// Required reports whether what the provider says is as the operator requires; else a *Refusal.
func (p *Policy) Required(a *Assertion, now time.Time) ([]Check, error) {
	if p.Require == nil {
		return nil, nil
	}
	checks := p.Require(a.Claims, now)
	for _, c := range checks {
		if !c.OK {
			return checks, &Refusal{Reason: Requirement, Text: "what the provider says is not as `require` has it: " + c.Found,
				Hint: "compare what the provider said (the names are below) with `require` of the provider; a claim that is missing is blank", Checks: checks}
		}
	}
	return checks, nil
}

// Names reports whether the provider may say of somebody that it is them.
func (p *Policy) Names(o Owner) bool {
	return p.Own != "" && o.Connection == p.Own || slices.ContainsFunc(p.Directories, func(d Directory) bool { return d.Connection == o.Connection })
}

// Decision is who somebody is.
type Decision struct {
	Owner    Owner
	Standing Standing
	By       string  // "id", "link", or the key of Policy.Match that found them
	Checks   []Check // what was asked, in order
}

// Who finds out whom an assertion is about: exactly one person who stands, or a *Refusal. The id of an object in a directory that we
// read is final: it never falls through to a mail address, because after an account was made anew the former one may still
// be active here, and whoever has its address now is somebody else.
func (p *Policy) Who(ctx context.Context, people People, links Links, a *Assertion) (Decision, error) {
	w := search{Policy: p, people: people, links: links, a: a}
	owner, err := w.owner(ctx)
	if err != nil {
		owner, err = w.create(ctx, err)
	}
	if err != nil {
		return Decision{Checks: w.checks}, w.explained(err)
	}
	standing, err := people.Standing(ctx, owner)
	if err == nil && w.by == "id" && w.unsettled(standing) {
		owner, standing, err = w.settled(ctx, owner, standing)
	}
	if err != nil {
		return Decision{Owner: owner, Checks: w.checks}, w.explained(err)
	}
	d := Decision{Owner: owner, Standing: standing, By: w.by}
	if err := w.stands(owner, standing); err != nil {
		d.Checks = w.checks
		return d, w.explained(err)
	}
	if standing.ForNow && p.Newcomers != nil {
		if err := p.Newcomers.Keep(ctx, owner); err != nil {
			return d, err
		}
	}
	if w.link && a.Subject.Immutable {
		if err := links.SetLink(ctx, p.Provider, a.Subject, owner); err != nil {
			return d, err
		}
		w.note("link", true, "remembered")
	}
	d.Checks = w.checks
	return d, nil
}

// search is one question of who somebody is.
type search struct {
	*Policy
	people People
	links  Links
	a      *Assertion

	by     string
	link   bool // what was found is worth remembering
	said   bool // there was something to look people up by
	checks []Check
	homes  []Scope // of which the subject is an object, by its id, be it there or not
}

func (w *search) note(name string, ok bool, format string, values ...any) {
	w.checks = append(w.checks, Check{Name: name, OK: ok, Found: fmt.Sprintf(format, values...)})
}

// explained gives a refusal the checks that led to it.
func (w *search) explained(err error) error {
	if r, ok := err.(*Refusal); ok { //nolint:errorlint // made here, never wrapped
		r.Checks = w.checks
	}
	return err
}

func (w *search) owner(ctx context.Context) (Owner, error) {
	if owner, final, err := w.byID(ctx); final || err != nil {
		return owner, err
	}
	if w.a.Subject.Immutable {
		owner, found, err := w.links.Link(ctx, w.Provider, w.a.Subject)
		if err != nil {
			return Owner{}, err
		}
		found = found && w.Names(owner) // `directories` may have been others when the link was made
		w.note("link", found, "%s", w.a.Subject.Realm)
		if found {
			w.by = "link"
			return owner, nil
		}
	}
	where, err := w.scopes(ctx)
	if err != nil {
		return Owner{}, err
	}
	for _, kind := range w.Match {
		owner, found, err := w.byKey(ctx, where, kind)
		if found || err != nil {
			return owner, err
		}
	}
	return Owner{}, w.unknown()
}

// byID is final when the subject is the id of an object in a directory of the provider, be it there or not.
func (w *search) byID(ctx context.Context) (_ Owner, final bool, err error) {
	s := w.a.Subject
	if s.Object == "" {
		return Owner{}, false, nil
	}
	for _, d := range w.Directories {
		if d.Tenant != "" && !strings.EqualFold(d.Tenant, s.Tenant) {
			continue
		}
		all, err := w.people.Scopes(ctx, d.Connection)
		if err != nil {
			return Owner{}, false, err
		}
		where := Scope{Connection: d.Connection}
		if manyTenants(all) {
			where.Tenant = s.Tenant
		}
		if !d.Foreign {
			w.homes = append(w.homes, where)
		}
		found, err := w.withID(ctx, where, s.Object)
		if err != nil {
			return Owner{}, false, err
		}
		w.note("id in "+where.String(), len(found) > 0, "")
		switch len(found) {
		case 0:
		case 1:
			w.by = "id"
			return found[0], true, nil
		default:
			return Owner{}, true, &Refusal{Reason: Ambiguous, Text: "the id that the provider gave is that of two people, by the order of its bytes", Hint: "let the provider send it as text with hyphens"}
		}
	}
	if len(w.homes) == 0 {
		return Owner{}, false, nil
	}
	return Owner{}, true, &Refusal{Reason: UnknownPerson, Text: "no directory of this provider has an object with the id that it gave",
		Hint: w.ifNew("ID")}
}

// withID finds the object with an id as the provider writes it, or as the same GUID is usually written: in base64 it may stand for two.
func (w *search) withID(ctx context.Context, where Scope, id string) (list []Owner, err error) {
	forms := []string{id}
	for _, k := range key.Of(key.GUID, id) {
		if k.Value != id {
			forms = append(forms, k.Value)
		}
	}
	for _, form := range forms {
		owner, found, err := w.people.ByID(ctx, where, form)
		if err != nil {
			return nil, err
		}
		if found {
			list = append(list, owner)
		}
	}
	return list, nil
}

// manyTenants reports whether a connection reads many tenants, each under its id.
func manyTenants(scopes []Scope) bool {
	return slices.ContainsFunc(scopes, func(s Scope) bool { return s.Tenant != "" })
}

// scopes are where keys are looked up: with a tenant that the subject names, in that tenant only.
func (w *search) scopes(ctx context.Context) ([]Scope, error) {
	var list []Scope
	for _, d := range w.Directories {
		all, err := w.people.Scopes(ctx, d.Connection)
		if err != nil {
			return nil, err
		}
		if tenant := w.a.Subject.Tenant; tenant != "" && manyTenants(all) {
			all = slices.DeleteFunc(all, func(s Scope) bool { return s.Tenant != tenant })
		}
		list = append(list, all...)
	}
	if w.Own != "" {
		list = append(list, Scope{Connection: w.Own})
	}
	return list, nil
}

// value returns what a key of Match is looked up by; blank, with a note of why, when the provider may not say it.
func (w *search) value(kind string) string {
	switch kind {
	case key.MatchMail:
		mail := w.a.Mail
		_, domain, _ := strings.Cut(mail, "@")
		domain, _ = key.Domain(domain)
		switch {
		case mail == "":
			w.note("mail", false, "the provider gave none")
		case !w.a.MailVerified:
			w.note("mail", false, "%s", MailNotVerified)
		case !slices.Contains(w.Domains, domain):
			w.note("mail", false, "%s", DomainNotAllowed)
		default:
			return mail
		}
		return ""
	default:
		values := w.a.Claims[kind]
		if len(values) != 1 || values[0] == "" {
			w.note(kind, false, "the provider gave %d values", len(values))
			return ""
		}
		return values[0]
	}
}

// byKey finds the only one who stands under a key; those who do not stand are the answer when there is nobody else, so that they
// are refused and never made anew.
func (w *search) byKey(ctx context.Context, where []Scope, kind string) (_ Owner, found bool, err error) {
	value := w.value(kind)
	if value == "" {
		return Owner{}, false, nil
	}
	w.said = true
	owners, err := w.people.Find(ctx, where, kind, value)
	if err != nil {
		return Owner{}, false, err
	}
	var standing []Owner
	for _, owner := range owners {
		s, err := w.people.Standing(ctx, owner)
		if err != nil {
			return Owner{}, false, err
		}
		if w.stands(owner, s) == nil {
			standing = append(standing, owner)
		}
	}
	w.note(kind, len(owners) > 0, "%d found in %d places, %d of them active", len(owners), len(where), len(standing))
	switch {
	case len(standing) > 1:
		return Owner{}, false, &Refusal{Reason: Ambiguous, Text: fmt.Sprintf("%d people have this %s", len(standing), kind),
			Hint: "let the rules make one record of them (connector `merge`), or name fewer `directories`"}
	case len(standing) == 1:
		w.by, w.link = kind, true
		return standing[0], true, nil
	case len(owners) > 0:
		w.by = kind
		return owners[0], true, nil
	}
	return Owner{}, false, nil
}

// unknown says why nobody was found: a provider that may not vouch for an address is another mistake than a person who is missing.
func (w *search) unknown() error {
	for _, c := range w.checks {
		switch Reason(c.Found) {
		case MailNotVerified:
			return &Refusal{Reason: MailNotVerified, Text: "the provider does not say that the mail address is verified",
				Hint: "match by an id, or set what the provider's page in docs/ names for verified addresses"}
		case DomainNotAllowed:
			return &Refusal{Reason: DomainNotAllowed, Text: "the provider may not vouch for addresses of this domain", Hint: "add the domain to `domains` of the provider if its addresses are the provider's to give"}
		}
	}
	if !w.said {
		return &Refusal{Reason: UnknownPerson, Text: "the provider said nothing of what people are known by", Hint: "let it send what `match` of the provider names, or match by something that it sends"}
	}
	return &Refusal{Reason: UnknownPerson, Text: "nobody is known by what the provider said", Hint: w.ifNew("ADDRESS") + ", or they have another value there than the provider says"}
}

// ifNew says how to read somebody who is unknown because no sync has come by yet. who stands for what they are named by.
func (w *search) ifNew(who string) string {
	connection := "CONNECTION"
	if len(w.Directories) == 1 {
		connection = w.Directories[0].Connection
	}
	return fmt.Sprintf("was the person added after the last sync? `dirsyncd sync %s --user %s` reads them; else the scope of the connection leaves them out", connection, who)
}

// stands refuses whom the directory has disabled, whatever the provider says.
func (w *search) stands(owner Owner, s Standing) error {
	switch {
	case !s.There:
		return &Refusal{Reason: Gone, Text: "the person is gone from " + owner.Scope.String(),
			Hint: "does the directory list them again, under another id? Who was found by a link stays who they were, until `dirsyncd signin unlink` of the record"}
	case !s.Enabled:
		return &Refusal{Reason: Disabled, Text: "the account is disabled in " + owner.Scope.String(), Hint: "enable it there; the next sync sees that"}
	case len(s.Kinds) == 0:
		return &Refusal{Reason: NoRecord, Text: "the rules make no active record of this person", Hint: "`dirsyncd why` of the person says which rule"}
	case !w.Admission.Admits(s.Kinds):
		return &Refusal{Reason: WrongAudience, Text: fmt.Sprintf("the provider lets in %s only; this person has a record of the kind %s", w.Admission, strings.Join(s.Kinds, ", ")),
			Hint: "`audience` of the provider says who may come in"}
	}
	return nil
}
