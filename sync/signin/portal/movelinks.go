package portal

import (
	"context"
	"encoding/json"
	"errors"
	"maps"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
)

// MoveLinks lets what led to one owner lead to another one. What else a link says stays.
func MoveLinks(ctx context.Context, items Items, from, to signin.Owner) error {
	owner := make(map[string]json.RawMessage)
	value, err := json.Marshal(to)
	if err == nil {
		err = json.Unmarshal(value, &owner)
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
