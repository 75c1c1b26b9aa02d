package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/fault"
)

// Items is the keyed state of sign-in: sessions, codes, what was used once, links, and the last good copy of what a provider
// published. It is beside the partitions, which know nothing of it, and small: one item is read or written at a time.
//
// Every call that changes something is durable when it returns without an error, and leaves no trace otherwise. Calls that wait
// together become durable together, so that many at a time cost little more than one. All methods may be called concurrently,
// but not within a transaction of the Store. Errors are classified by package fault.
//
// The store has no clock. An item is there until it is taken, deleted or expired; whether its time is over is for who asks.
type Items interface {
	// Put stores items, all or none. One under a key that is there is replaced, its owners and its time too. Where a space would have more
	// than MaxItems, the error is of class fault.Throttled.
	Put(ctx context.Context, space string, items ...Item) error
	// Replace is Put for those whose key is there, and returns how many were: what was deleted meanwhile does not come back.
	Replace(ctx context.Context, space string, items ...Item) (int, error)
	// Get returns an item. It never waits for a transaction that writes.
	Get(ctx context.Context, space string, key []byte) (Item, bool, error)
	// Take returns an item and deletes it, in one step: of many callers, in whatever process, one gets it. Where there is none, it
	// waits for nobody and writes nothing.
	Take(ctx context.Context, space string, key []byte) (Item, bool, error)
	// Delete removes items, all or none, and returns how many were there.
	Delete(ctx context.Context, space string, keys ...[]byte) (int, error)
	// Once reports whether a key is fresh, and makes it used until a time, which must not be zero: of many callers with one key, one is told
	// so. It stays used until Expire is called with that time or a later one; when the key comes with a later time, until that. The key
	// has any length, one byte at least; only its digest is kept.
	Once(ctx context.Context, key []byte, until time.Time) (fresh bool, err error)
	// Scan calls fn with the items of an owner, or with all of a space when owner is empty, in ascending order of the keys, until fn returns
	// false. What changes meanwhile may be seen or not. fn may use the Items.
	Scan(ctx context.Context, space string, owner []byte, fn func(Item) bool) error
	// Expire forgets what is over at a time, items and used keys of all spaces, the oldest first, and returns how much: not more than
	// limit, in one step.
	Expire(ctx context.Context, now time.Time, limit int) (int, error)
	// Count returns how many items a space has.
	Count(ctx context.Context, space string) (int, error)
}

// Keeper is a Store that keeps items.
type Keeper interface {
	// Items returns them; the same at each call.
	Items() Items
}

// Item is something that sign-in keeps. What a method returns belongs to the caller; what it is given is not kept.
type Item struct {
	// Key names it within its space: 1 to MaxItemKey bytes. Keys that open something are kept as digests only: this one is stored as it is.
	Key []byte
	// Owners are those by whom it is found, such as a person or the session of a provider: at most MaxItemOwners, each once, each of 1 to
	// MaxItemOwner bytes.
	Owners [][]byte
	// Until is when it is over, to the second, rounded up; zero for never.
	Until time.Time
	// Value is at most MaxItemValue bytes.
	Value []byte
}

// Bounds of items. The name of a space is of 1 to 32 lower-case letters, digits and hyphens.
const (
	MaxItemKey    = 256
	MaxItemOwners = 16
	MaxItemOwner  = 1 << 10
	MaxItemValue  = 1 << 20
	MaxItems      = 2_000_000
)

// CheckItems returns an error of class fault.Internal unless a store can keep items like these in a space.
func CheckItems(space string, items []Item) error {
	if err := CheckItemKeys(space); err != nil {
		return err
	}
	for i := range items {
		item := &items[i]
		if err := CheckItemKeys(space, item.Key); err != nil {
			return err
		}
		if len(item.Value) > MaxItemValue || len(item.Owners) > MaxItemOwners {
			return misuse("an item in %s has %d owners and a value of %d bytes", space, len(item.Owners), len(item.Value))
		}
		for n, owner := range item.Owners {
			same := func(o []byte) bool { return bytes.Equal(o, owner) }
			if len(owner) == 0 || len(owner) > MaxItemOwner || slices.ContainsFunc(item.Owners[:n], same) {
				return misuse("an item in %s has an owner that is too long, blank or there twice", space)
			}
		}
	}
	return nil
}

// CheckItemKeys returns an error of class fault.Internal unless items can have such a space and such keys.
func CheckItemKeys(space string, keys ...[]byte) error {
	if space == "" || len(space) > 32 || strings.Trim(space, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return misuse("items have no space %q", space)
	}
	for _, key := range keys {
		if len(key) == 0 || len(key) > MaxItemKey {
			return misuse("an item has a key of %d bytes", len(key))
		}
	}
	return nil
}

func misuse(format string, args ...any) error {
	return &fault.Error{Class: fault.Internal, Op: "use state", Err: fmt.Errorf(format, args...)}
}
