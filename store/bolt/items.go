package bolt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
	"dirsyncd/sync/fault"
)

// What sign-in keeps is beside the partitions, in the bucket "\x00items", which older programs leave alone. A space is a name; that of the keys
// that were used once is empty. In it are
//
//	items   space NUL key -> until, owners, value (encoding.AppendItem)
//	owners  space NUL hash16 of the owner, key -> nothing
//	until   seconds8 space NUL key -> nothing
//	counts  space -> how many
const itemsBucket = "\x00items"

const (
	itemsOf     = "items"
	itemOwners  = "owners"
	itemUntil   = "until"
	itemCounts  = "counts"
	onceSpace   = ""
	ownerSize   = 16
	secondsSize = 8
)

// items implements store.Items.
type items struct{ s *Store }

// Items implements store.Keeper.
func (s *Store) Items() store.Items { return items{s} }

// Put implements store.Items.
func (i items) Put(ctx context.Context, space string, list ...store.Item) error {
	if err := store.CheckItems(space, list); err != nil || len(list) == 0 {
		return err
	}
	return i.s.change(ctx, func(t *itemsTx) error {
		for n := range list {
			if err := t.put(space, &list[n]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Replace implements store.Items.
func (i items) Replace(ctx context.Context, space string, list ...store.Item) (replaced int, err error) {
	if err := store.CheckItems(space, list); err != nil || len(list) == 0 {
		return 0, err
	}
	err = i.s.change(ctx, func(t *itemsTx) error {
		replaced = 0
		for n := range list {
			if t.get(itemsOf, itemKey(space, list[n].Key)) == nil {
				continue
			}
			if err := t.put(space, &list[n]); err != nil {
				return err
			}
			replaced++
		}
		return nil
	})
	return replaced, err
}

// Get implements store.Items.
func (i items) Get(ctx context.Context, space string, key []byte) (item store.Item, ok bool, err error) {
	if err := store.CheckItemKeys(space, key); err != nil {
		return store.Item{}, false, err
	}
	err = i.view(ctx, func(t *itemsTx) error {
		item, ok, err = t.item(space, key)
		return err
	})
	return item, ok, err
}

// Take implements store.Items.
func (i items) Take(ctx context.Context, space string, key []byte) (item store.Item, ok bool, err error) {
	// Anybody may come with keys that never were: that costs no turn among those who write.
	if item, ok, err = i.Get(ctx, space, key); err != nil || !ok {
		return store.Item{}, false, err
	}
	err = i.s.change(ctx, func(t *itemsTx) error {
		if item, ok, err = t.item(space, key); err != nil || !ok {
			return err
		}
		return t.remove(space, &item)
	})
	if err != nil || !ok {
		return store.Item{}, false, err
	}
	return item, true, nil
}

// Delete implements store.Items.
func (i items) Delete(ctx context.Context, space string, keys ...[]byte) (deleted int, err error) {
	if err := store.CheckItemKeys(space, keys...); err != nil || len(keys) == 0 {
		return 0, err
	}
	err = i.s.change(ctx, func(t *itemsTx) error {
		deleted = 0
		for _, key := range keys {
			item, ok, err := t.item(space, key)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if err := t.remove(space, &item); err != nil {
				return err
			}
			deleted++
		}
		return nil
	})
	return deleted, err
}

// Once implements store.Items.
func (i items) Once(ctx context.Context, key []byte, until time.Time) (fresh bool, err error) {
	if len(key) == 0 || until.IsZero() {
		return false, misuse("a key of %d bytes is used until %s", len(key), until)
	}
	digest := sha256.Sum256(key)
	mark := store.Item{Key: digest[:], Until: until}
	known := func(t *itemsTx) (used, long bool, err error) {
		item, used, err := t.item(onceSpace, mark.Key)
		return used, used && !item.Until.Before(encoding.Ceil(until)), err
	}
	// Whoever sends the same again and again costs no turn either.
	long := false
	err = i.view(ctx, func(t *itemsTx) error { _, long, err = known(t); return err })
	if err != nil || long {
		return false, err
	}
	err = i.s.change(ctx, func(t *itemsTx) error {
		used, long, err := known(t)
		if fresh = !used; err != nil || long {
			return err
		}
		return t.put(onceSpace, &mark)
	})
	return fresh && err == nil, err
}

// Count implements store.Items.
func (i items) Count(ctx context.Context, space string) (count int, err error) {
	if err := store.CheckItemKeys(space); err != nil {
		return 0, err
	}
	err = i.view(ctx, func(t *itemsTx) error {
		n, err := t.count(space)
		count = int(n)
		return err
	})
	return count, err
}

// Expire implements store.Items.
func (i items) Expire(ctx context.Context, now time.Time, limit int) (expired int, err error) {
	if limit < 1 {
		return 0, misuse("%d items are to expire", limit)
	}
	over := false
	err = i.view(ctx, func(t *itemsTx) error {
		b := t.bucket(itemUntil)
		if b == nil {
			return nil
		}
		k, _ := b.Cursor().First()
		over = k != nil && (len(k) < secondsSize || !dueTime(k).After(now))
		return nil
	})
	if err != nil || !over {
		return 0, err
	}
	err = i.s.change(ctx, func(t *itemsTx) error {
		expired = 0
		var keys [][]byte
		for k := range scan(t.bucket(itemUntil), nil, nil) {
			if len(keys) == limit || len(k) >= secondsSize && dueTime(k).After(now) {
				break
			}
			keys = append(keys, bytes.Clone(k))
		}
		for _, k := range keys {
			space, key, ok := cutItemKey(k, secondsSize)
			if !ok {
				return t.corrupt(itemUntil)
			}
			item, ok, err := t.item(space, key)
			if err != nil || !ok {
				return errors.Join(err, t.corrupt(itemUntil))
			}
			if err := t.remove(space, &item); err != nil {
				return err
			}
			expired++
		}
		return nil
	})
	return expired, err
}

// How much Scan reads in one transaction.
const (
	itemsScanned = 500
	bytesScanned = 4 << 20
)

// Scan implements store.Items.
func (i items) Scan(ctx context.Context, space string, owner []byte, fn func(store.Item) bool) error {
	if err := store.CheckItemKeys(space); err != nil {
		return err
	}
	if len(owner) > store.MaxItemOwner {
		return misuse("an owner of %d bytes has no items", len(owner))
	}
	bucket, prefix := itemsOf, itemKey(space, nil)
	if len(owner) > 0 {
		bucket, prefix = itemOwners, itemOwnerKey(space, owner, nil)
	}
	for from, more := prefix, true; more; {
		var list []store.Item
		err := i.view(ctx, func(t *itemsTx) error {
			list, more = nil, false
			size := 0
			for k := range scan(t.bucket(bucket), from, prefix) {
				if more = len(list) == itemsScanned || size > bytesScanned; more {
					from = bytes.Clone(k)
					return nil
				}
				item, ok, err := t.item(space, k[len(prefix):])
				if err != nil || !ok {
					return errors.Join(err, t.corrupt(bucket))
				}
				size += len(item.Value)
				if len(owner) == 0 || slices.ContainsFunc(item.Owners, func(o []byte) bool { return bytes.Equal(o, owner) }) {
					list = append(list, item)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, item := range list {
			if !fn(item) {
				return nil
			}
		}
	}
	return nil
}

func (i items) view(ctx context.Context, fn func(*itemsTx) error) error {
	return i.s.transact(ctx, false, "read state", func(btx *bbolt.Tx) (bool, error) { return false, fn(i.s.itemsTx(btx)) })
}

// itemsTx is a transaction on the items.
type itemsTx struct {
	s       *Store
	root    *bbolt.Bucket // nil while there is none
	btx     *bbolt.Tx
	changed bool
}

func (s *Store) itemsTx(btx *bbolt.Tx) *itemsTx {
	return &itemsTx{s: s, btx: btx, root: btx.Bucket([]byte(itemsBucket))}
}

func (t *itemsTx) corrupt(name string) error {
	return damage("read state", t.s.path, corrupt("items, "+name))
}

func (t *itemsTx) bucket(name string) *bbolt.Bucket {
	if t.root == nil {
		return nil
	}
	return t.root.Bucket([]byte(name))
}

func (t *itemsTx) get(name string, key []byte) []byte {
	if b := t.bucket(name); b != nil {
		return b.Get(key)
	}
	return nil
}

// item returns a copy of an item.
func (t *itemsTx) item(space string, key []byte) (store.Item, bool, error) {
	value := t.get(itemsOf, itemKey(space, key))
	if value == nil {
		return store.Item{}, false, nil
	}
	item, ok := encoding.ParseItem(value)
	if !ok {
		return store.Item{}, false, t.corrupt(itemsOf)
	}
	item.Key = bytes.Clone(key)
	return item, true, nil
}

// write stores a value, which must not change until the transaction ends.
func (t *itemsTx) write(name string, key, value []byte) (err error) {
	t.changed = true
	if t.root == nil {
		if t.root, err = t.btx.CreateBucketIfNotExists([]byte(itemsBucket)); err != nil {
			return classify("write state", t.s.path, err)
		}
	}
	b, err := t.root.CreateBucketIfNotExists([]byte(name))
	if err == nil {
		err = b.Put(key, value)
	}
	if err != nil {
		return classify("write state", t.s.path, err)
	}
	return nil
}

func (t *itemsTx) erase(name string, key []byte) error {
	b := t.bucket(name)
	if b == nil {
		return t.corrupt(name)
	}
	t.changed = true
	if err := b.Delete(key); err != nil {
		return classify("write state", t.s.path, err)
	}
	return nil
}

// put stores an item in the place of one that is there.
func (t *itemsTx) put(space string, item *store.Item) error {
	old, ok, err := t.item(space, item.Key)
	if err != nil {
		return err
	}
	if ok {
		err = t.remove(space, &old)
	}
	if err != nil {
		return err
	}
	count, err := t.count(space)
	if err != nil {
		return err
	}
	if count >= uint64(t.s.maxItems) {
		return &fault.Error{Class: fault.Throttled, Op: "write state", Where: "items of " + space,
			Err: errors.New("there are too many"), Hint: "old ones go by themselves when their time is over; somebody makes very many"}
	}
	err = errors.Join(
		t.write(itemsOf, itemKey(space, item.Key), encoding.AppendItem(nil, item)),
		t.write(itemCounts, []byte(space+"\x00"), seqKey(count+1)))
	if !item.Until.IsZero() {
		err = errors.Join(err, t.write(itemUntil, itemUntilKey(space, item), nil))
	}
	for _, owner := range item.Owners {
		err = errors.Join(err, t.write(itemOwners, itemOwnerKey(space, owner, item.Key), nil))
	}
	return err
}

// remove deletes an item as it is stored.
func (t *itemsTx) remove(space string, item *store.Item) error {
	count, err := t.count(space)
	if err != nil || count == 0 {
		return errors.Join(err, t.corrupt(itemCounts))
	}
	err = errors.Join(
		t.erase(itemsOf, itemKey(space, item.Key)),
		t.write(itemCounts, []byte(space+"\x00"), seqKey(count-1)))
	if !item.Until.IsZero() {
		err = errors.Join(err, t.erase(itemUntil, itemUntilKey(space, item)))
	}
	for _, owner := range item.Owners {
		err = errors.Join(err, t.erase(itemOwners, itemOwnerKey(space, owner, item.Key)))
	}
	return err
}

func (t *itemsTx) count(space string) (uint64, error) {
	value := t.get(itemCounts, []byte(space+"\x00"))
	n, ok := keySeq(value)
	if value != nil && !ok {
		return 0, t.corrupt(itemCounts)
	}
	return n, nil
}

func itemKey(space string, key []byte) []byte {
	return append([]byte(space+"\x00"), key...)
}

func itemOwnerKey(space string, owner, key []byte) []byte {
	sum := sha256.Sum256(owner)
	return append(itemKey(space, sum[:ownerSize]), key...)
}

func itemUntilKey(space string, item *store.Item) []byte {
	return append(appendDueTime(nil, encoding.Ceil(item.Until)), itemKey(space, item.Key)...)
}

// cutItemKey takes a key apart in which the space follows after some bytes.
func cutItemKey(k []byte, after int) (space string, key []byte, ok bool) {
	if len(k) < after {
		return "", nil, false
	}
	name, key, ok := bytes.Cut(k[after:], []byte{0})
	return string(name), key, ok
}
