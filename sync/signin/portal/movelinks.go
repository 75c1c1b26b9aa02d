package portal

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
)

// movedFor is how long a link to who was moved is led on: longer than a sign-in takes that found them before.
const movedFor = time.Hour

// MoveLinks lets what leads to one owner lead to another one, links included that a sign-in sets which found the former one before. What else
// a link says stays.
func MoveLinks(ctx context.Context, items Items, from, to signin.Owner, now time.Time) error {
	owner := make(map[string]json.RawMessage)
	value, err := json.Marshal(to)
	if err == nil {
		err = json.Unmarshal(value, &owner)
	}
	if err == nil { // before the links are read: who sets one from here on looks here afterwards (SetLink)
		err = items.Put(ctx, spaceMoved, store.Item{Key: ownerKey(from), Value: value, Until: now.Add(movedFor)})
	}
	if err != nil {
		return err
	}
	var moved []store.Item
	var bad error
	err = items.Scan(ctx, SpaceLink, ownerKey(from), func(i store.Item) bool {
		link := make(map[string]json.RawMessage)
		if bad = json.Unmarshal(i.Value, &link); bad == nil {
			maps.Copy(link, owner)
			i.Value, bad = json.Marshal(link)
		}
		i.Owners = [][]byte{ownerKey(to)}
		moved = append(moved, i)
		return bad == nil
	})
	if err != nil || bad != nil {
		return errors.Join(err, bad)
	}
	_, err = items.Replace(ctx, SpaceLink, moved...)
	return err
}

// moved is who an owner was found to be meanwhile.
func (p *Portal) moved(ctx context.Context, from signin.Owner) (to signin.Owner, found bool, err error) {
	item, found, err := p.Items.Get(ctx, spaceMoved, ownerKey(from))
	if found && err == nil {
		err = json.Unmarshal(item.Value, &to)
	}
	return to, found, err
}
