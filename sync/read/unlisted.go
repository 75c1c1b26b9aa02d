package read

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// NotListed is what is unproven about a tenant that its source no longer lists.
const NotListed = "the source did not list the tenant"

// Unlisted says of everything in a tenant that the source no longer lists that it is out of scope: that waits
// for the operator. A tenant that is listed again is to be read in full.
func Unlisted(ctx context.Context, t *Task, found *Result) error {
	found.Unproven = NotListed
	t.note("the source no longer lists this tenant; the removal of what it had waits for approval")
	for _, kind := range directory.Kinds() {
		here := roaring.New()
		err := store.EachRow(ctx, t.State.View, kind, func(row store.Row) {
			if row.Gone == store.Here {
				here.Add(uint32(row.Num))
			}
		})
		if err != nil {
			return err
		}
		if err := t.markMissing(ctx, found, kind, here, store.OutOfScope); err != nil {
			return err
		}
	}
	return nil
}
