package ldap

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/internal/wire"
)

// dirsync asks a domain controller of Active Directory what changed, by the directory synchronization control
// (MS-ADTS 3.1.1.3.4.1.3). Only changes of the attributes that are read count. What changed is then read as a full
// read reads it: an answer holds parts of entries.
//
// Its cookie would be good on other domain controllers, which is not made use of: on one that has not yet heard of
// everything, an entry would be read in an earlier state than before, and since the cookie covers the later one,
// nothing would ever name it again. So positions are of one database, as those of usn are.
type dirsync struct{}

var _ method = dirsync{}

func (dirsync) name() string { return methodDirSync }

// dirsyncPosition is where a delta begins.
type dirsyncPosition struct {
	usnPosition
	Cookie []byte `json:"cookie"`
	// Secured: asked under the account's own rights to read, without the right to replicate.
	Secured bool `json:"secured"`
}

func (p dirsyncPosition) encode() []byte {
	data, err := json.Marshal(p)
	if err != nil {
		panic(err) // texts and numbers always have a JSON form
	}
	return data
}

func decodeDirSyncPosition(data []byte) (position dirsyncPosition, ok bool) {
	if err := json.Unmarshal(data, &position); err != nil || len(position.Cookie) == 0 {
		return dirsyncPosition{}, false
	}
	_, ok = decodeUSNPosition(data)
	return position, ok
}

// dirsyncBytes is how large one answer should be.
const dirsyncBytes = 2 << 20

func (p *dirsyncPosition) flags() uint32 {
	flags := wire.DirSyncIncrementalValues | wire.DirSyncAncestorsFirst
	if p.Secured {
		flags |= wire.DirSyncObjectSecurity
	}
	return flags
}

// request makes the control that asks for what changed since the position.
func (p *dirsyncPosition) request() wire.Control {
	return wire.DirSyncRequest(p.flags(), dirsyncBytes, string(p.Cookie))
}

// begin implements method. Where a delta begins is known from a question that no entry answers.
//
// By the right to replicate, the server tells of all changes. Without it, it tells of what the account may read, and it
// then depends on more rights what can be seen: who configures the method has chosen so, and nobody else gets it.
func (dirsync) begin(r *reading) (end func() []byte, why string, err error) {
	if !r.session.root.offers(wire.DirSyncOID) {
		return nil, "the server does not offer the control", nil
	}
	area, last, why := r.usnUsable()
	if why != "" {
		return nil, why, nil
	}
	m := dirsyncPosition{usnPosition: usnPosition{Host: r.session.root.hostName, USN: last}}
	m.Cookie, why, err = r.presentCookie(area.suffix, &m)
	if why != "" && r.connector.cfg.Incremental == methodDirSync {
		m.Secured = true
		m.Cookie, why, err = r.presentCookie(area.suffix, &m)
	}
	if why != "" || err != nil {
		return nil, why, err
	}
	if m.Invocation, m.TombstoneProbe, why, err = r.findTombstoneProbe(area.suffix); why != "" || err != nil {
		return nil, why, err
	}
	return m.encode, "", nil
}

// presentCookie asks for a cookie of the present state. why says what the server refuses.
func (r *reading) presentCookie(suffix string, m *dirsyncPosition) (cookie []byte, why string, err error) {
	for {
		req := ldap.NewSearchRequest(suffix, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, nobody(),
			r.changeAttributes(), []ldap.Control{ldap.NewRequestControlDirSync(int64(m.flags()), dirsyncBytes, cookie)})
		var res *ldap.SearchResult
		began := time.Now()
		err := r.session.limit(func() (err error) {
			res, err = r.session.conn.Search(req)
			return err
		})
		if err != nil {
			err = operationError(r.op+": ask for directory synchronization", r.session.server, err)
		}
		r.session.requested("search", began, err)
		var refusal *serverResult
		if errors.As(err, &refusal) {
			if words, known := dirsyncRefused(err); known {
				return nil, words, nil
			}
			return nil, "the server refuses the control: " + refusal.Error(), nil
		}
		if err != nil {
			return nil, "", err
		}
		answer, ok := ldap.FindControl(res.Controls, wire.DirSyncOID).(*ldap.ControlDirSync)
		switch {
		case !ok || len(answer.Cookie) == 0:
			return nil, "the server ignores the control", nil
		case answer.Flags == 0:
			return answer.Cookie, "", nil
		case string(answer.Cookie) == string(cookie):
			return nil, "the server comes to no end", nil
		}
		cookie = answer.Cookie
	}
}

// nobody is a filter that no entry matches.
func nobody() string { return "(objectGUID=" + escapeBytes("00000000000000000000000000000000") + ")" }

// dirsyncRefused reports whether an error is the server's refusal of the control or of its cookie, and which one.
func dirsyncRefused(err error) (words string, refused bool) {
	var res *serverResult
	if !errors.As(err, &res) {
		return "", false
	}
	switch res.code {
	case ldap.LDAPResultInsufficientAccessRights:
		return "the bind user may not: give it Replicating Directory Changes on the domain", true
	case ldap.LDAPResultUnavailableCriticalExtension, ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultProtocolError:
		return "the server refuses the control: " + res.Error(), true
	}
	return "", false
}

// changes implements method.
func (m dirsync) changes(ctx context.Context, r *reading, data []byte, emit func(*connectors.Page) error) error {
	position, ok := decodeDirSyncPosition(data)
	if !ok {
		return r.expired("the mark is damaged")
	}
	area, last, err := r.continued(&position.usnPosition)
	switch {
	case err != nil:
		return err
	case last == position.USN:
		return emit(r.last(m, data))
	}
	if err := r.sameDatabase(&position.usnPosition); err != nil {
		return err
	}
	if err := r.knowsChanges(area.suffix, &position.usnPosition, last); err != nil {
		return err
	}
	conn, err := r.session.stream(r.op)
	if err != nil {
		return err
	}
	d := r.newDelta(conn, emit)
	defer d.ranges.close()
	d.hold = true
	l := &changeList{usnScan: &usnScan{delta: d, tombstoneProbe: position.TombstoneProbe, newest: position.TombstoneProbe}, position: &position}
	if err := l.run(ctx, area.suffix); err != nil {
		return err
	}
	if err := d.release(); err != nil {
		return err
	}
	if err := l.objects(ctx); err != nil {
		return err
	}
	position.USN, position.TombstoneProbe = last, l.newest
	return emit(r.last(m, position.encode()))
}
