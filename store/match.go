package store

import "dirsyncd/sync/signin/key"

// MatchKey is the hash of a key by which people are known at a provider of identity (key.Key). Of two people who have the same one, what
// is stored of them tells who is meant.
type MatchKey [16]byte

// MatchKeyOf is the hash of a key.
func MatchKeyOf(k key.Key) MatchKey { return k.Hash() }

// MatchReader finds people by what they are called at a provider of identity.
type MatchReader interface {
	// Matching returns the fields by which people are found, in order; none where there is no index of any.
	Matching() ([]key.Field, error)
	// Match iterates over the people who have any of some keys in these fields, gone ones included: in the order of the keys, and of each in
	// ascending order of the numbers. key is the position in keys. Without an index it finds nobody.
	Match(keys []MatchKey, fn func(key int, n Num) bool) error
}

// MatchWriter changes by what people are found.
type MatchWriter interface {
	// SetMatching makes the index of some fields, in place of one of others; none drops it. Making it costs a look at every
	// person; where it is there already it costs nothing. From then on the store keeps it, in each transaction that changes a person.
	SetMatching(fields []key.Field) error
}
