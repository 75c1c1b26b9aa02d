package store

import (
	"context"

	"dirsyncd/sync/directory"
)

// Need says what the function of a transaction is going to ask for. See Expect.
type Need struct {
	// IDs are handles of ids: their numbers are looked up, and the rows of Kinds that are stored under them. Digests: so are the digests of the
	// groups among them.
	IDs     []string
	Kinds   []directory.Kind
	Digests bool
	// Handles are others: their numbers are looked up, who has them and who else states them.
	Handles []string
	// Members are handles that are added to groups or removed from them.
	Members map[Num][]Num

	// Nums are objects of Kinds, in ascending order. Their rows are read or, where there are no Kinds, not.
	Nums []Num
	// Records are kinds of records of Nums, which are read or put.
	Records []directory.RecordKind
	// Groups: those that list any of Nums are read. Linked are kinds of objects to which links of Nums lead, and which are read.
	Groups bool
	Linked []directory.Kind
	// Referrers are handles of which is read who states a link of a type to them.
	Referrers map[directory.LinkType][]Num
	// Marks is the kind of which the dirty marks are read, from the first one of Nums to the last.
	Marks directory.Kind
	// Actions: those of a run are kept.
	Actions bool
}

// Expect returns a context under which a transaction can find out what its function will ask for. A store at the far end of a wire asks for all of
// it together with the beginning of the transaction, and answers from that; one in a file never calls need, and loses no time. No answer is another
// one for it: what is not asked for in the end was read for nothing, and what nobody has foreseen is asked for when it is wanted. The
// lists are only read. It is meant for one call of View or Update, whose every attempt calls need.
func Expect(ctx context.Context, need func() Need) context.Context {
	return context.WithValue(ctx, needKey{}, need)
}

// Expected returns what a transaction under a context will ask for; false when nobody said.
func Expected(ctx context.Context) (Need, bool) {
	need, ok := ctx.Value(needKey{}).(func() Need)
	if !ok {
		return Need{}, false
	}
	return need(), true
}

type needKey struct{}
