package google

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"google.golang.org/api/googleapi"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// userPage is the most that Google puts on a page.
const userPage = 500

// fullUsers lists everybody who is not deleted. The licences are read before the people: their holders are people's
// own words, and with a part of the licences unread somebody would seem to have lost one.
func (r *reading) fullUsers(ctx context.Context) error {
	held, err := r.holdings(ctx)
	if err != nil {
		return err
	}
	l := &userListing{reading: r, held: held}
	for _, query := range r.userQueries() {
		if err := l.list(ctx, query); err != nil {
			return err
		}
	}
	if l.listed == 0 && l.wholeCustomer() {
		return odd(r.op, errors.New("nobody is listed, although the account that reads is somebody"))
	}
	return r.emit(r.closing())
}

// userQueries are the searches that together find the people asked for; a single empty one finds everybody.
func (r *reading) userQueries() []string {
	own := strings.TrimSpace(r.connector.cfg.Users.Query)
	if len(r.connector.units) == 0 {
		return []string{own}
	}
	var list []string
	for _, unit := range r.connector.units {
		q := "orgUnitPath='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(unit) + "'"
		list = append(list, strings.TrimSpace(q+" "+own))
	}
	return list
}

// userListing is one full read of people.
type userListing struct {
	*reading
	held   *holdings
	listed int
	pages  int
	// last are the ids on the last page that had any, lastEmail the address of the last person.
	last      map[string]bool
	lastEmail string
}

// wholeCustomer reports whether at least the subject must be listed.
func (l *userListing) wholeCustomer() bool {
	cfg := &l.connector.cfg.Users
	return cfg.Query == "" && len(l.connector.units) == 0 && cfg.IncludeSuspended && cfg.IncludeArchived
}

func (l *userListing) list(ctx context.Context, query string) error {
	l.last, l.lastEmail = map[string]bool{}, ""
	c := &pager{
		op: l.op, entries: func(d *listPage) []json.RawMessage { return d.Users },
		fetch: func(ctx context.Context, token string) ([]byte, error) {
			return l.askUsers(ctx, query, token, userPage, "ASCENDING")
		},
		take: l.take,
	}
	if err := c.follow(ctx); err != nil {
		return err
	}
	return l.probe(ctx, query)
}

func (l *userListing) askUsers(ctx context.Context, query, token string, size int64, order string) ([]byte, error) {
	cfg := l.connector
	return ask(ctx, "list users", func(ctx context.Context) error {
		call := l.users.Users.List().Context(ctx).Customer(l.customer).MaxResults(size).OrderBy("email").SortOrder(order)
		call.Fields(googleapi.Field("kind,etag,nextPageToken,users(" + cfg.userMask() + ")"))
		if names := schemas(cfg.attributes); len(names) > 0 {
			call.Projection("custom").CustomFieldMask(strings.Join(names, ","))
		}
		if query != "" {
			call.Query(query)
		}
		if token != "" {
			call.PageToken(token)
		}
		_, err := call.Do()
		return err
	})
}

// take translates one page.
func (l *userListing) take(entries []json.RawMessage) error {
	l.pages++
	p := &connectors.Page{Objects: make([]directory.Object, 0, len(entries)), MayLack: l.mayLack(false)}
	if len(entries) > 0 {
		clear(l.last)
	}
	for i, raw := range entries {
		l.listed++
		u, err := parseUser(raw)
		if err != nil {
			p.Invalid = append(p.Invalid, l.invalidUser(raw, err, fmt.Sprintf("users, page %d, entry %d", l.pages, i+1)))
			continue
		}
		l.last[u.ID], l.lastEmail = true, fold(u.PrimaryEmail)
		if err := l.addPerson(p, u, raw, l.held); err != nil {
			return err
		}
	}
	if len(p.Objects)+len(p.Invalid) == 0 {
		return nil
	}
	return l.emit(p)
}

// addPerson puts a person on a page: as an object, as one that could not be read, or not at all when the
// configuration does not ask for it.
func (r *reading) addPerson(p *connectors.Page, u *user, raw json.RawMessage, held *holdings) error {
	if u.CustomerID != "" && u.CustomerID != r.customer {
		return &fault.Error{
			Class: fault.Invalid, Op: r.op, Where: r.customer, Err: errors.New("people of another customer are listed"),
			Hint: "nothing was concluded from it; see whether the subject belongs to the customer",
		}
	}
	if u.Deleted != "" || !r.connector.selected(u) {
		return nil
	}
	holds, err := held.of(u)
	if err == nil {
		var o directory.Object
		if o, err = r.person(u, raw, holds); err == nil {
			p.Objects = append(p.Objects, o)
			return nil
		}
	}
	p.Invalid = append(p.Invalid, r.invalidUser(raw, err, ""))
	return nil
}

// probe asks for the last person by another way, from the end. A listing that ended too early, with an empty page
// that should not have been empty, has not seen that person.
func (l *userListing) probe(ctx context.Context, query string) error {
	body, err := l.askUsers(ctx, query, "", 1, "DESCENDING")
	if err != nil {
		return err
	}
	d, err := parseListPage(l.op, body)
	if err != nil {
		return err
	}
	for _, raw := range d.Users {
		u, err := parseUser(raw)
		if err != nil || l.last[u.ID] || fold(u.PrimaryEmail) <= l.lastEmail {
			continue
		}
		if created, ok := parseTime(u.Created); ok && created.After(l.began.Add(-skew)) {
			continue
		}
		return endedEarly(l.op)
	}
	return nil
}

func endedEarly(op string) error {
	return &fault.Error{
		Class: fault.Transient, Op: op, Err: errors.New("the listing ended before its last entry"),
		Hint: "nothing was concluded from it; somebody at the end of the list was renamed just now, or Google's answer was incomplete",
	}
}

// lookForUsers asks for people one by one and returns the ids of those who are there and are asked for.
func (r *reading) lookForUsers(ctx context.Context, ids []string) (there []string, err error) {
	for _, id := range ids {
		switch u, _, err := r.getUser(ctx, id); {
		case err != nil:
			return there, err
		case u != nil && u.Deleted == "" && r.connector.selected(u):
			there = append(there, id)
		}
	}
	return there, nil
}

// getUser reads one person by id or address. A nil user is not there.
func (r *reading) getUser(ctx context.Context, key string) (*user, json.RawMessage, error) {
	body, err := ask(ctx, "get a user", func(ctx context.Context) error {
		call := r.users.Users.Get(key).Context(ctx).Fields(googleapi.Field("kind,etag," + r.connector.userMask()))
		if names := schemas(r.connector.attributes); len(names) > 0 {
			call.Projection("custom").CustomFieldMask(strings.Join(names, ","))
		}
		_, err := call.Do()
		return err
	})
	switch {
	case gone(err):
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	}
	u, err := parseUser(body)
	if err != nil {
		return nil, nil, odd(r.op, fmt.Errorf("a single user: %w", err))
	}
	return u, body, nil
}

// scope says what a full read lists. It changes exactly when that could be another set.
func (r *reading) scope() string {
	if r.account.customer == resellerTenant {
		return fmt.Sprintf("%s, reseller, %s, as %s", r.host(hostReseller), r.stream.Name, r.identity())
	}
	host := r.host("admin.googleapis.com")
	parts := []string{host, "customer " + r.customer, r.stream.Name, "as " + r.identity()}
	cfg := &r.connector.cfg
	switch r.stream.Name {
	case streamUsers:
		if len(r.connector.units) > 0 {
			parts = append(parts, "org units "+strings.Join(r.connector.units, " "))
		}
		if cfg.Users.Query != "" {
			parts = append(parts, "query "+cfg.Users.Query)
		}
		if !cfg.Users.IncludeSuspended {
			parts = append(parts, "without suspended")
		}
		if !cfg.Users.IncludeArchived {
			parts = append(parts, "without archived")
		}
	case streamLicences:
		parts = append(parts, "products "+strings.Join(sortedCopy(cfg.Licences.Products), " "))
	case streamDevices:
		parts = append(parts, fmt.Sprintf("chromeos %t, mobile %t", cfg.Devices.ChromeOS, cfg.Devices.Mobile))
	case streamGroups:
		parts = append(parts, fmt.Sprintf("organisation %t", cfg.Groups.Organisation))
	}
	return strings.Join(parts, ", ")
}

// host is where a service is asked, given where Google has it.
func (r *reading) host(of string) string {
	if u, err := url.Parse(r.connector.cfg.Endpoint); err == nil && u.Host != "" {
		return u.Host
	}
	return of
}
