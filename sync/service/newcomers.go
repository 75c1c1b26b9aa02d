package service

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/key"
)

// newcomers makes people of those who sign in and whom nobody knows.
type newcomers struct {
	service  *Service
	items    store.Items
	settings config.Newcomers
	provider string
	log      *slog.Logger
	created  prometheus.Counter
}

var _ signin.Newcomers = newcomers{}

// forNow is how long somebody who came by sign-in is there without their directory's word, since they last signed in.
const forNow = 30 * 24 * time.Hour

// Keep implements signin.Newcomers.
func (n newcomers) Keep(ctx context.Context, who signin.Owner) error {
	conn, done, err := n.service.use(who.Connection)
	if err != nil {
		return err
	}
	defer done()
	o := engine.Owner{Partition: store.Partition{Connection: who.Connection, Tenant: who.Tenant}, ID: who.ID}
	return n.service.engine.Keep(ctx, &conn.Connection, o, n.service.now().Add(forNow))
}

// Create implements signin.Newcomers.
func (n newcomers) Create(ctx context.Context, who signin.Newcomer) (signin.Owner, error) {
	conn, done, err := n.service.use(who.Scope.Connection)
	if err != nil {
		return signin.Owner{}, err
	}
	defer done()
	arrival := engine.Arrival{Object: n.object(&who), By: who.Provider}
	if !who.Own {
		arrival.Until = n.service.now().Add(forNow)
	}
	if !who.Known {
		if err := n.addCustomer(ctx, &who, &arrival.Object); err != nil {
			return signin.Owner{}, err
		}
	}
	place := n.placeOf(&who)
	taken := 0
	if !who.Known {
		if taken, err = n.take(ctx, place); err != nil {
			return signin.Owner{}, err
		}
	}
	switch {
	case taken > 2*n.settings.PerDay: // as many again as may come may wait
		return signin.Owner{}, n.giveBack(ctx, place, &signin.Refusal{Reason: signin.NotCreated, Text: "the limit of new people of the day is used up, and as many wait",
			Hint: "is this an attack? Otherwise raise `create.per_day` of the provider; `dirsyncd status` shows who waits"})
	case taken > n.settings.PerDay:
		arrival.Beyond = true
	}
	tenant := connectors.Tenant{ID: who.Scope.Tenant}
	got, err := n.service.engine.SettleOne(ctx, &conn.Connection, tenant, arrival)
	if who.Own && fault.ClassOf(err) == fault.Conflict { // nobody has run the connection yet, and nobody need be asked for that
		n.service.engine.Run(ctx, &conn.Connection, tenant, engine.Job{Trigger: engine.SignIn})
		got, err = n.service.engine.SettleOne(ctx, &conn.Connection, tenant, arrival)
	}
	nobody := fault.ClassOf(err) == fault.Conflict || err == nil && !got.Active && !got.Waits // else another call may have made them
	if err == nil {
		err = n.refusal(&who, &got)
	}
	if !who.Known && nobody {
		err = n.giveBack(ctx, place, err)
	}
	if fault.ClassOf(err) == fault.Conflict && !isRefusal(err) {
		err = &signin.Refusal{Reason: signin.NotCreated, Text: err.Error(), Hint: fault.Hint(err)}
	}
	if got.Created {
		n.created.Inc()
		n.log.Info("person created by sign-in", "provider", who.Provider, "record", got.Record)
	}
	if got.Waits && !who.Known {
		if h := n.service.host; h != nil && h.trigger != nil {
			h.trigger(who.Scope.Connection) // the run shows it as a plan that is held
		}
		n.log.Warn("a person who signed in waits", "provider", who.Provider, "record", got.Record,
			"hint", "the next run shows it as a plan that is held, to be approved")
	}
	return ownerOf(got.Owner), err
}

func isRefusal(err error) bool {
	var refusal *signin.Refusal
	return errors.As(err, &refusal)
}

// refusal is why somebody has no record; nil when they have one.
func (n newcomers) refusal(who *signin.Newcomer, got *engine.Arrived) error {
	switch {
	case got.Gone:
		return &signin.Refusal{Reason: signin.Gone, Text: "the person is gone from " + who.Scope.String(), Hint: "whoever is gone is not made anew; if they are back, the next sync finds them"}
	case got.Waits:
		return &signin.Refusal{Reason: signin.Held, Text: "the person waits for the operator in " + who.Scope.String(),
			Hint: "`dirsyncd status` shows the plan that is held, which can be approved"}
	case got.Failed != nil:
		return &signin.Refusal{Reason: signin.NoRecord, Text: "the rules fail for the person: " + got.Failed.Error(), Hint: "what a provider says is less than what a directory says: allow for blank fields, with ??"}
	case !got.Active && got.Rule != "":
		return &signin.Refusal{Reason: signin.NoRecord, Text: "rule " + got.Rule + " makes no record of the person", Hint: "nothing was stored; groups, licences and manager are blank for whoever comes by sign-in"}
	case !got.Active:
		return &signin.Refusal{Reason: signin.NoRecord, Text: "no rule makes a record of the person", Hint: "nothing was stored; groups, licences and manager are blank for whoever comes by sign-in"}
	default:
		return nil
	}
}

// spaceCreated are those who came in the last days. Their places are taken before anything is stored of them, so that no crash lets too many in.
const spaceCreated = "created"

// place is that of one newcomer on one day.
type place struct{ key, day []byte }

func (n newcomers) placeOf(who *signin.Newcomer) place {
	day := digest("day", n.provider, n.service.now().UTC().Format(time.DateOnly))
	return place{key: digest("person", string(day), who.Scope.Connection, who.Scope.Tenant, who.ID), day: day}
}

func digest(parts ...string) []byte {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return sum[:]
}

// take takes a place and returns how many are taken today, with this one.
func (n newcomers) take(ctx context.Context, p place) (taken int, err error) {
	const kept = 48 * time.Hour
	err = n.items.Put(ctx, spaceCreated, store.Item{Key: p.key, Owners: [][]byte{p.day}, Until: n.service.now().Add(kept)})
	if err != nil {
		return 0, err
	}
	err = n.items.Scan(ctx, spaceCreated, p.day, func(store.Item) bool { taken++; return true })
	return taken, err
}

// giveBack gives a place back for which nobody came, and returns why; or what that failed with, too.
func (n newcomers) giveBack(ctx context.Context, p place, why error) error {
	if _, err := n.items.Delete(context.WithoutCancel(ctx), spaceCreated, p.key); err != nil {
		return errors.Join(why, err)
	}
	return why
}

// object is what a provider says of a person in the words of directories. Who is in which group, and what somebody may do, it does not say.
func (n newcomers) object(who *signin.Newcomer) directory.Object {
	a := who.Assertion
	o := directory.Object{Kind: directory.Person, ID: who.ID}
	o.Set(directory.FieldEnabled, directory.Bool(true)) // they are in there
	for _, f := range []struct {
		field  string
		claims []string
	}{
		{directory.FieldName, []string{"name", "displayname", "http://schemas.microsoft.com/identity/claims/displayname"}},
		{directory.FieldGivenName, []string{"given_name", "givenname", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname"}},
		{directory.FieldFamilyName, []string{"family_name", "surname", "sn", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname"}},
		{directory.FieldLanguage, []string{"locale", "preferredlanguage"}},
	} {
		o.SetText(f.field, claim(a, f.claims))
	}
	if a.MailVerified {
		if mails := key.Of(key.Mail, a.Mail); len(mails) > 0 {
			o.SetText(directory.FieldEmail, mails[0].Value)
		}
	}
	if !who.Own {
		o.SetText(directory.FieldLogin, claim(a, []string{"upn", "preferred_username"})) // in the words of their own directory
	}
	given, _ := o.Get(directory.FieldGivenName)
	family, _ := o.Get(directory.FieldFamilyName)
	if name, _ := o.Get(directory.FieldName); name.Blank() {
		o.SetText(directory.FieldName, strings.TrimSpace(given.Text()+" "+family.Text()))
	}
	return o
}

// longestClaim bounds what is taken from outside, in bytes.
const longestClaim = 256

// claim is the only value of the first of some claims that has one, in letters of any case.
func claim(a *signin.Assertion, names []string) string {
	for _, name := range names {
		for is, values := range a.Claims {
			if strings.EqualFold(is, name) && len(values) == 1 && values[0] != "" && len(values[0]) <= longestClaim {
				return strings.TrimSpace(values[0])
			}
		}
	}
	return ""
}

// addCustomer says whose the person is, as the settings want it: rules see it as `company`.
func (n newcomers) addCustomer(ctx context.Context, who *signin.Newcomer, o *directory.Object) error {
	name := n.settings.Customer
	var err error
	switch name {
	case config.ByTenant:
		name, err = n.customer(ctx, func(p store.Partition, _ *store.TenantState) bool {
			return p.Tenant != "" && p.Tenant == who.Assertion.Subject.Tenant
		})
	case config.ByDomain:
		mail, _ := o.Get(directory.FieldEmail)
		_, domain, _ := strings.Cut(mail.Text(), "@")
		name, err = n.customer(ctx, func(_ store.Partition, s *store.TenantState) bool {
			return domain != "" && (s.Domain == domain || slices.Contains(s.Domains, domain))
		})
	default:
		o.SetText(directory.FieldCompany, name)
		return nil
	}
	if err == nil && name == "" {
		err = &signin.Refusal{Reason: signin.NotCreated, Text: "no customer, or more than one, is found for the person (" + n.settings.Customer + ")",
			Hint: "are the tenants of `directories` read, with all their domains (`customer_details` of csp)? `create.customer` can name one customer for all"}
	}
	o.SetText(directory.FieldCompany, name)
	return err
}

// customer is the name of the only tenant of the provider's directories that is meant.
func (n newcomers) customer(ctx context.Context, meant func(store.Partition, *store.TenantState) bool) (name string, err error) {
	g := n.service.current()
	var directories []string
	for i := range g.cfg.Signin.Providers {
		if p := &g.cfg.Signin.Providers[i]; p.Name == n.provider {
			directories = p.Directories
		}
	}
	parts, err := n.service.store.Partitions(ctx, directories...)
	if err != nil || len(directories) == 0 {
		return "", err
	}
	found := 0
	for _, p := range parts {
		var s store.TenantState
		if err := n.service.store.View(ctx, p, func(tx store.Reader) (err error) { s, err = tx.Tenant(); return err }); err != nil {
			return "", err
		}
		if meant(p, &s) {
			found, name = found+1, s.Name
		}
	}
	if found != 1 {
		name = ""
	}
	return name, nil
}
