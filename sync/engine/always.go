package engine

import (
	"context"
	"fmt"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// noteStrangers names the keys that rules want among the members of their groups (`always`) and that are nobody's of this tenant: a
// misspelt one would be missed only when somebody looks at the group. Keys of other tenants and connections are theirs.
func (r *run) noteStrangers(ctx context.Context, origin directory.Origin) error {
	rules, prefix := r.conn.Rules, origin.RecordKey()
	if !rules.Uses().Always {
		return nil
	}
	var keys, handles, of []string
	for _, rule := range rules.RuleNames(directory.Group) {
		for _, key := range rules.Always(rule) {
			if id, ours := strings.CutPrefix(key, prefix); ours {
				keys, handles, of = append(keys, key), append(handles, directory.IDHandle(id)), append(of, rule)
			}
		}
	}
	return r.engine.store.View(ctx, r.part, func(tx store.Reader) error {
		nums, err := tx.Lookup(handles, nil)
		if err != nil {
			return err
		}
		rows, err := tx.RowsOf(directory.Person, nums, nil)
		if err != nil {
			return err
		}
		for i := range rows {
			if rows[i].Num == 0 {
				r.note(fmt.Sprintf("rule %s: always names %s, which is the key of nobody here: `dirsyncd why user NAME` shows keys", of[i], keys[i]))
			}
		}
		return nil
	})
}
