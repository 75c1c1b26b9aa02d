package ldap

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/internal/wire"
)

// timestamps polls for entries by modifyTimestamp (RFC 4512 section 3.4.4), which every LDAPv3 server keeps. It is
// the last resort: what was deleted, or left the filter or the bases, is found by full reads only. So it is never
// chosen by itself.
type timestamps struct{}

var _ method = timestamps{}

func (timestamps) name() string { return methodTimestamp }

// An entry may show when it was made, and not that it was changed then: some servers write modifyTimestamp with the first
// change only.
const (
	modifyTimestamp = "modifyTimestamp"
	createTimestamp = "createTimestamp"
)

// overlap is how far a delta looks back behind what was seen before. Where several servers write, an entry of one
// with a slow clock or a slow link arrives late, stamped with a time that has passed.
const overlap = 10 * time.Minute

// stampPosition is how far the stream has been read.
type stampPosition struct {
	// Since is the latest change that was seen, by the server's clock.
	Since time.Time `json:"since"`
	// Areas hold the contextCSN, if the server shows it: while it stays the same, there is nothing new.
	Areas []csnPosition `json:"areas,omitempty"`
}

// begin implements method.
//
// The time from which a delta must look is one before the listing began, by the server's clock. contextCSN says
// when the last change was made. Otherwise it is the latest time that the listing saw, less the listing's duration.
func (timestamps) begin(r *reading) (func() []byte, string, error) {
	if r.preset.name == presetActiveDirectory {
		return nil, "Active Directory does not search by modifyTimestamp: use usn", nil
	}
	var position stampPosition
	var err error
	if position.Areas, err = r.csnPositions(); err != nil {
		return nil, "", err
	}
	if r.session.root.offers(wire.SyncRequestOID) {
		for _, p := range position.Areas {
			why, err := r.covered(area{suffix: p.Suffix}, p.CSN)
			if err != nil {
				return nil, "", err
			}
			if why != "" {
				position.Areas = nil // there can be something new while it stays the same
				break
			}
		}
	}
	r.tr.watch(modifyTimestamp, createTimestamp)
	clock := r.stopwatch()
	return func() []byte {
		if r.tr.newest.IsZero() {
			return nil // no entry shows when it was changed
		}
		position.Since = clock(position.Areas)
		return encodePosition(position)
	}, "", nil
}

// stopwatch begins to measure a listing. The function that it returns gives the time from which the next one must
// look, which our clock can make earlier, never later: that costs repetitions, where a later time costs changes.
func (r *reading) stopwatch() func(areas []csnPosition) time.Time {
	began := r.connector.env.Now()
	return func(areas []csnPosition) time.Time {
		since := latest(areas)
		if since.IsZero() {
			since = r.tr.newest.Add(-max(0, r.connector.env.Now().Sub(began)))
		}
		if since.After(began) {
			since = began
		}
		return since.UTC().Truncate(time.Second)
	}
}

// csnPositions reads contextCSN, or returns nothing when some database does not show it.
func (r *reading) csnPositions() ([]csnPosition, error) {
	areas, ok := r.areas()
	if !ok {
		return nil, nil
	}
	positions := make([]csnPosition, 0, len(areas))
	for _, a := range areas {
		csn, why, err := r.contextCSN(a)
		if err != nil || why != "" {
			return nil, err
		}
		positions = append(positions, csnPosition{Suffix: a.suffix, Base: a.base, CSN: csn})
	}
	return positions, nil
}

// latest returns the time of the latest of all CSNs; zero when there are none.
func latest(areas []csnPosition) (t time.Time) {
	for _, a := range areas {
		for _, csn := range a.CSN {
			if at, ok := parseGeneralizedTime(csn[:len("20060102150405")] + "Z"); ok && at.After(t) {
				t = at
			}
		}
	}
	return t
}

// changes implements method.
func (m timestamps) changes(ctx context.Context, r *reading, data []byte, emit func(*connectors.Page) error) error {
	var position stampPosition
	if err := json.Unmarshal(data, &position); err != nil || position.Since.IsZero() {
		return r.expired("the mark cannot be read")
	}
	next := stampPosition{}
	if len(position.Areas) > 0 {
		var err error
		if next.Areas, err = r.csnPositions(); err != nil {
			return err
		}
	}
	if len(next.Areas) != len(position.Areas) {
		return r.expired("the server shows its contextCSN differently than before")
	}
	same := len(next.Areas) > 0
	for i, a := range next.Areas {
		if a.Suffix != position.Areas[i].Suffix || a.Base != position.Areas[i].Base {
			return r.expired("the server has other naming contexts than before")
		}
		if behind(a.CSN, position.Areas[i].CSN) {
			return behindError(r.op, r.session.server, csnLag(a.CSN, position.Areas[i].CSN))
		}
		same = same && slices.Equal(a.CSN, position.Areas[i].CSN)
	}
	for _, a := range next.Areas {
		if !same || !r.session.root.offers(wire.SyncRequestOID) {
			break
		}
		why, err := r.newerWhileIdle(area{suffix: a.Suffix}, a.CSN)
		if err != nil {
			return err
		}
		same = why == ""
	}
	if same {
		return emit(r.last(m, data))
	}
	r.tr.watch(modifyTimestamp, createTimestamp)
	clock := r.stopwatch()
	if err := r.poll(ctx, position.Since, emit); limited(err) {
		return r.expired("the changes do not fit the server's limits: %v", err)
	} else if err != nil {
		return err
	}
	if next.Since = clock(next.Areas); next.Since.Before(position.Since) {
		next.Since = position.Since
	}
	return emit(r.last(m, encodePosition(next)))
}

// poll emits what was changed since a time, and what lies below changed containers.
func (r *reading) poll(ctx context.Context, since time.Time, emit func(*connectors.Page) error) error {
	conn, err := r.session.stream(r.op)
	if err != nil {
		return err
	}
	d := r.newDelta(conn, emit)
	d.blind = true
	defer d.ranges.close()
	from := since.UTC().Add(-overlap).Format("20060102150405Z")
	newer := fmt.Sprintf("(|(%s>=%s)(%s>=%s))", modifyTimestamp, from, createTimestamp, from)
	found, err := d.anyChange(newer)
	if err != nil || !found {
		return err
	}
	for _, l := range r.query.lines {
		err := d.pages(ctx, wire.Search{
			Base: l.base, Scope: l.scope, Filter: "(&" + l.filter + newer + ")", Attributes: r.tr.row.names,
		}, func() error { return d.take(ctx, "") })
		if err != nil {
			return err
		}
		set := newSearchSet(r.preset.form, []searchLine{l})
		if err := d.relistNewer(ctx, &set, newer); err != nil {
			return err
		}
	}
	return d.flush()
}

// anyChange asks in one small page per line whether there is anything to read.
func (d *delta) anyChange(newer string) (bool, error) {
	for _, l := range d.query.lines {
		began := time.Now()
		err := d.conn.Send(wire.Search{
			Base: l.base, Scope: ldap.ScopeWholeSubtree, Filter: "(&" + newer + "(|" + l.filter + "(hasSubordinates=TRUE)))", Attributes: []string{"1.1"}, PageSize: 1,
		})
		if err != nil {
			return false, operationError(d.op, d.session.server, err)
		}
		entries, res, err := d.page(func() error { return nil })
		if err == nil && refusesPages(res.Code) {
			return true, nil // whether there is anything will be seen
		}
		if err == nil && entries == 0 && res.Code != ldap.LDAPResultSuccess {
			err = resultError(d.op, d.session.server, res.Code, res.Text)
		}
		d.session.requested("page", began, err)
		if err != nil || entries > 0 || res.Cookie != "" {
			return true, err
		}
	}
	return false, nil
}

// relistNewer reads what lies below the changed containers of a search set.
func (d *delta) relistNewer(ctx context.Context, set *searchSet, newer string) error {
	var containers, normal []string
	err := d.pages(ctx, wire.Search{
		Base: set.base, Scope: ldap.ScopeWholeSubtree, Filter: "(&(hasSubordinates=TRUE)" + newer + ")", Attributes: []string{"1.1"},
	}, func() error {
		containers = append(containers, d.entry.DN)
		normal = append(normal, string(set.form.Append(nil, d.entry.DN)))
		return nil
	})
	if err != nil {
		return err
	}
	for _, dn := range outermost(containers, normal) {
		if err := d.relist(ctx, set, dn); err != nil {
			return err
		}
	}
	return nil
}
