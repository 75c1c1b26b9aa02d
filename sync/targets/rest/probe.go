package rest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// nobody is a value that nothing has.
const nobody = "dirsyncd-nobody-7f3a"

// Probe implements targets.Desk: it looks at the lists, and whether searches find somebody who is there and nobody who is not.
func (d *Desk) Probe(ctx context.Context) ([]targets.Ability, error) {
	var all []targets.Ability
	for _, of := range d.place.order {
		k := d.place.kinds[of]
		var some targets.Entity
		parts := &walk{c: d.client, kind: of, r: k.list[0], v: values{}, most: 2}
		p, err := parts.each(ctx, k.id, func(row any, id string) error {
			if e := d.entity(of, k, row, id); some.ID == "" || len(e.Keys) > len(some.Keys) {
				some = e
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		count := "no total"
		if p.count >= 0 {
			count = fmt.Sprintf("says that there are %d", p.count)
		}
		all = append(all, targets.Ability{Name: "list " + of.String(), Has: !strings.Contains(p.doubt, "again"), Detail: count})
		if some.ID == "" {
			continue
		}
		if k.list[0].short {
			if some, err = d.Fetch(ctx, of, some.ID); err != nil {
				return nil, err
			}
		}
		for _, name := range sortedKeys(k.find) {
			ability, err := d.probeFind(ctx, k, &some, name)
			if err != nil {
				return nil, err
			}
			all = append(all, ability)
		}
		if k.about.Marked {
			_, err := d.markField(ctx, k, some.ID)
			all = append(all, targets.Ability{Name: "mark of " + of.String(), Has: err == nil, Detail: detailOf(err)})
		} else {
			all = append(all, targets.Ability{Name: "mark of " + of.String(), Detail: "none is configured: what was made without an answer waits for a human"})
		}
	}
	return all, nil
}

func detailOf(err error) string {
	if err == nil {
		return ""
	}
	return fault.Text(err)
}

// markField says whether the place shows the field of the mark, whoever has one.
func (d *Desk) markField(ctx context.Context, k *kind, id string) (bool, error) {
	a, err := d.client.do(ctx, k.about.Kind, k.get, values{"id": id}, nil, nil)
	if err != nil {
		return false, err
	}
	at := k.mark.read
	for i := len(at) - 1; i > 0 && at[i].key == "" && at[i].name == ""; i-- {
		at = at[:i] // an element that is not there yet
	}
	if _, shown := at.get(item(k.get, a)); !shown {
		return false, errors.New("the place does not show the field of the mark")
	}
	return true, nil
}

func (d *Desk) probeFind(ctx context.Context, k *kind, some *targets.Entity, name string) (targets.Ability, error) {
	out := targets.Ability{Name: "find " + k.about.Kind.String() + " by " + name}
	wild, err := d.Find(ctx, k.about.Kind, name, nobody)
	switch {
	case errors.Is(err, targets.ErrCannotFind):
		out.Detail = "the search is not heard: it answers others, or refuses"
		return out, nil
	case err != nil:
		return out, err
	case len(wild) > 0:
		out.Detail = "finds somebody who is not there"
		return out, nil
	}
	value := some.Keys[name]
	if value == "" {
		out.Has, out.Detail = true, "finds nobody who is not there; nobody was at hand to look for"
		return out, nil
	}
	found, err := d.Find(ctx, k.about.Kind, name, value)
	if err != nil && !errors.Is(err, targets.ErrCannotFind) {
		return out, err
	}
	for i := range found {
		out.Has = out.Has || found[i].ID == some.ID
	}
	if !out.Has {
		out.Detail = "does not find somebody who is there"
	}
	return out, nil
}
