package portal

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
)

// SpaceLink is where links are kept. Key: provider and subject, as a digest; owners: the person.
const SpaceLink = "link"

// Link is who somebody was found to be once.
type Link struct {
	Key          []byte    `json:"-"`
	signin.Owner           // whom they were found to be
	Provider     string    `json:"by,omitempty"` // blank in links of former versions
	Since        time.Time `json:"since,omitzero"`
}

// ID names a link for operators. It says nothing of the subject.
func (l *Link) ID() string { return hex.EncodeToString(l.Key[:min(len(l.Key), 6)]) }

// of reports whether the link is that of somebody who is named by the key of a record or the object, or the link itself.
func (l *Link) of(who string) bool {
	return who == l.Record || who == l.Scope.String()+"/"+l.Owner.ID || who == l.ID()
}

// Links returns the links of one person or one link by its name or, with a blank name, all. What cannot be read is left out: it links nobody.
func Links(ctx context.Context, items Items, who string) (list []Link, err error) {
	err = items.Scan(ctx, SpaceLink, nil, func(i store.Item) bool {
		one := Link{Key: i.Key}
		if json.Unmarshal(i.Value, &one) == nil && (who == "" || one.of(who)) {
			list = append(list, one)
		}
		return true
	})
	return list, err
}

// Link implements signin.Links.
func (p *Portal) Link(ctx context.Context, provider string, s signin.Subject) (owner signin.Owner, found bool, err error) {
	key := linkKey(provider, s)
	item, ok, err := p.Items.Get(ctx, SpaceLink, key)
	if err != nil || !ok {
		return owner, false, err
	}
	var l Link
	if p.unreadable(ctx, SpaceLink, key, json.Unmarshal(item.Value, &l)) {
		return owner, false, nil
	}
	return l.Owner, true, nil
}

// SetLink implements signin.Links.
func (p *Portal) SetLink(ctx context.Context, provider string, s signin.Subject, owner signin.Owner) error {
	if err := p.putLink(ctx, provider, s, owner); err != nil {
		return err
	}
	to, moved, err := p.moved(ctx, owner)
	if moved && err == nil {
		err = p.putLink(ctx, provider, s, to)
	}
	return err
}

func (p *Portal) putLink(ctx context.Context, provider string, s signin.Subject, owner signin.Owner) error {
	value, err := json.Marshal(Link{Owner: owner, Provider: provider, Since: p.Now()})
	if err != nil {
		return err
	}
	return p.Items.Put(ctx, SpaceLink, store.Item{Key: linkKey(provider, s), Owners: [][]byte{ownerKey(owner)}, Value: value})
}

func linkKey(provider string, s signin.Subject) []byte {
	return hashed("link\x00" + provider + "\x00" + s.Realm + "\x00" + s.Value)
}
