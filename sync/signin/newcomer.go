package signin

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"

	"dirsyncd/sync/signin/key"
)

// Newcomers makes people of those whom nobody knows: the setting `unknown: create`. Safe for concurrent use.
type Newcomers interface {
	// Create makes the record of somebody, by the rules, or says with a *Refusal why not. Of two calls for one person both return the same.
	Create(ctx context.Context, n Newcomer) (Owner, error)
	// Keep notes that somebody signed in who is there for no other reason (Standing.ForNow).
	Keep(ctx context.Context, who Owner) error
}

// Newcomer is somebody who signed in and has no record.
type Newcomer struct {
	Provider string
	Scope    Scope
	ID       string // of the object: that at its source, where the scope is a directory
	// Own: the scope is the provider's own, for people of whom no directory that we read can know by an id.
	Own bool
	// Known: the directory has named them already, and no run has made a record of that yet.
	Known     bool
	Assertion *Assertion
}

// AnyDomain in place of a domain lets a provider vouch for every address of the people whom it makes. Nobody is found by such an address.
const AnyDomain = "*"

// create makes a person of somebody who is unknown, as far as the provider may say so.
func (w *search) create(ctx context.Context, unknown error) (Owner, error) {
	n := Newcomer{Provider: w.Provider, Assertion: w.a}
	switch refusal, ok := unknown.(*Refusal); { //nolint:errorlint // made here, never wrapped
	case !ok || w.Newcomers == nil:
		return Owner{}, unknown
	case refusal.Reason == UnknownPerson && len(w.homes) > 0:
		if err := w.atHome(&n); err != nil {
			return Owner{}, err
		}
	case w.homes != nil || w.Own == "" || refusal.Reason != UnknownPerson && refusal.Reason != MailNotVerified:
		return Owner{}, unknown
	default:
		if err := w.mayBeMade(); err != nil {
			return Owner{}, err
		}
		n.Scope, n.ID, n.Own = Scope{Connection: w.Own}, ownID(w.Provider, w.a.Subject), true
	}
	owner, err := w.Newcomers.Create(ctx, n)
	w.note("create in "+n.Scope.String(), err == nil, "")
	w.by, w.link = "created", n.Own
	return owner, err
}

// atHome names the directory whose object the subject is.
func (w *search) atHome(n *Newcomer) error {
	n.Scope, n.ID = w.homes[0], w.a.Subject.Object
	forms := key.Of(key.GUID, n.ID)
	if len(forms) == 1 {
		n.ID = forms[0].Value
	}
	if len(w.homes) > 1 || len(forms) > 1 {
		return &Refusal{Reason: NotCreated, Text: "nobody can tell of which directory the object is, or which of two ids it has",
			Hint: "name one of `directories` with ids of this kind, and let the provider send a GUID as text with hyphens"}
	}
	if w.a.Subject.Tenant != "" && n.Scope.Tenant == "" && !w.ofTenant(n.Scope.Connection) {
		return &Refusal{Reason: NotCreated, Text: "nobody can tell whether the directory is that of the person's tenant",
			Hint: "write `tenant` of the connection as an id (a GUID); who is of another tenant is nobody's there"}
	}
	return nil
}

// ofTenant reports whether it is known of which tenant the directory of a connection is: that of the subject then.
func (w *search) ofTenant(connection string) bool {
	return slices.ContainsFunc(w.Directories, func(d Directory) bool { return d.Connection == connection && d.Tenant != "" })
}

// mayBeMade refuses those of whom the provider says too little to make a person of it.
func (w *search) mayBeMade() error {
	_, domain, _ := strings.Cut(w.a.Mail, "@")
	domain, _ = key.Domain(domain)
	switch {
	case !w.a.Subject.Immutable:
		return &Refusal{Reason: NotCreated, Text: "the provider gives no id that stays with the person", Hint: "let it send one: a persistent NameID, or an attribute that is never given to somebody else"}
	case w.a.Subject.Tenant != "" || w.a.MailVerified:
		return nil
	case w.a.Mail == "" || slices.Contains(w.Domains, domain) || slices.Contains(w.Domains, AnyDomain):
		return &Refusal{Reason: MailNotVerified, Text: "the provider does not say that the mail address is verified, so nobody is made of it",
			Hint: "set what the provider's page in docs/ names for verified addresses"}
	default:
		return &Refusal{Reason: DomainNotAllowed, Text: "the provider may not vouch for addresses of this domain, so nobody is made of it", Hint: "add the domain to `domains` of the provider, or \"*\" for people from anywhere"}
	}
}

// ownID is the id of somebody whom only the provider knows.
func ownID(provider string, s Subject) string {
	const size = 26 // characters: 130 bits
	sum := sha256.Sum256([]byte(provider + "\x00" + s.Realm + "\x00" + s.Value))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:size])
}

// unsettled reports whether somebody whom the directory has named may have a record that no run has made yet.
func (w *search) unsettled(s Standing) bool {
	return w.Newcomers != nil && s.There && s.Enabled && len(s.Kinds) == 0
}

// settled makes that record. A run that reads for an hour would come to it later.
func (w *search) settled(ctx context.Context, owner Owner, before Standing) (Owner, Standing, error) {
	made, err := w.Newcomers.Create(ctx, Newcomer{Provider: w.Provider, Scope: owner.Scope, ID: owner.ID, Known: true, Assertion: w.a})
	w.note("create in "+owner.Scope.String(), err == nil, "the directory has named them, and no run has made a record yet")
	if err != nil {
		return owner, before, err
	}
	now, err := w.people.Standing(ctx, made)
	return made, now, err
}
