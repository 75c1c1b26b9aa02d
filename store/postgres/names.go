package postgres

import (
	"crypto/sha256"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// Names give each handle text its number. Texts are replaced by a truncated hash: they are long and the number is all
// that anybody asks for. The number of a name never changes while its partition is there, and no other partition ever gets the
// number of that: what a transaction has read of names, later ones need not ask for.

type nameHash [16]byte

func hashName(handle string) nameHash {
	sum := sha256.Sum256([]byte(handle))
	return nameHash(sum[:16])
}

// names are those that a transaction knows.
type names struct {
	known map[nameHash]store.Num // of a writer: zero for those that have none
	fresh []nameHash             // given here and not flushed yet, in the order of their numbers, which end with the last one given
	given []nameHash             // given here and flushed
	begun uint64                 // the last number that was given before
	epoch uint64
	asked int  // how often the database was asked
	all   bool // those that are not known have no number
}

// isFresh reports whether a number was given by this transaction: nothing is stored about it that it has not written.
func (t *tx) isFresh(n store.Num) bool { return uint64(n) > t.names.begun }

// isKnown reports whether a number was ever given.
func (t *tx) isKnown(n store.Num) bool { return n != 0 && uint64(n) <= t.count.lastNum }

// findNames makes the numbers of names known, where they have one. It returns the rest of the question for who asks more in the same
// round trip; nil when there is none.
func (t *tx) findNames(hashes []nameHash, found func(h nameHash, n store.Num)) *question {
	if t.part == 0 || len(hashes) == 0 {
		return nil
	}
	list := make([]pgtype.UUID, len(hashes))
	for i, h := range hashes {
		list[i] = pgtype.UUID{Bytes: h, Valid: true}
	}
	part := t.part
	return &question{func(rows pgx.Rows) error {
		var at int64
		var num int32
		if err := rows.Scan(&at, &num); err != nil {
			return err
		}
		h := hashes[at-1]
		t.s.names.add(t.names.epoch, part, h, store.Num(num))
		found(h, store.Num(num))
		return nil
	}, `select u.at, n.num from unnest($2::uuid[]) with ordinality u(hash, at)
		cross join lateral (select num from @.name where part = $1 and hash = u.hash limit 1) n`, []any{list}}
}

// unknownNames returns those of some names, each once, of which this transaction does not know whether they have a number.
func (t *tx) unknownNames(hashes []nameHash) (list []nameHash) {
	asked := map[nameHash]bool{}
	for _, h := range hashes {
		if _, ok := t.names.known[h]; ok || asked[h] {
			continue
		}
		if n := t.s.names.get(t.names.epoch, t.part, h); n != 0 && uint64(n) <= t.names.begun { // a later one is none of an older view's
			t.names.known[h] = n
			continue
		}
		asked[h] = true
		list = append(list, h)
	}
	return list
}

// namesPerTrip is how many names are read in the time that a round trip takes, roughly.
const namesPerTrip = 500

// learnNames is the question that makes names known, or known to have no number. A writer that asks for one name after the other is given
// all of the partition's, when it has waited for as long as that takes.
func (t *tx) learnNames(hashes []nameHash) *question {
	hashes = t.unknownNames(hashes)
	if t.names.all || t.part == 0 {
		return nil
	}
	for _, h := range hashes {
		t.names.known[h] = 0
	}
	if t.names.asked++; len(hashes) > 0 && t.writable && uint64(t.names.asked)*namesPerTrip > t.names.begun {
		t.names.all = true
		return t.allNames()
	}
	return t.findNames(hashes, func(h nameHash, n store.Num) { t.names.known[h] = n })
}

// allNames is the question that makes all names known.
func (t *tx) allNames() *question {
	return &question{func(rows pgx.Rows) error {
		var h pgtype.UUID
		var n int32
		err := rows.Scan(&h, &n)
		t.names.known[h.Bytes] = store.Num(n)
		return err
	}, `select hash, num from @.name where part = $1 and num <= $2`, []any{int64(t.names.begun)}}
}

// ask asks those of some questions that there are.
func (t *tx) ask(list ...*question) error {
	var some []question
	for _, q := range list {
		if q != nil {
			some = append(some, *q)
		}
	}
	return t.queries(some...)
}

func hashesOf(handles []string) []nameHash {
	list := make([]nameHash, len(handles))
	for i, handle := range handles {
		list[i] = hashName(handle)
	}
	return list
}

// Lookup implements store.Reader.
func (t *tx) Lookup(handles []string, nums []store.Num) ([]store.Num, error) {
	if err := t.resolve(); err != nil {
		return nums, err
	}
	if t.foreseen() && len(t.ahead.need.Linked) > 0 {
		if err := t.lookAround(handles); err != nil {
			return nums, err
		}
	}
	hashes := hashesOf(handles)
	if err := t.ask(t.learnNames(hashes)); err != nil {
		return nums, err
	}
	for _, h := range hashes {
		nums = append(nums, t.names.known[h])
	}
	if !t.remembers() {
		clear(t.names.known)
	}
	return nums, nil
}

// Intern implements store.Writer.
func (t *tx) Intern(handles []string, nums []store.Num) ([]store.Num, error) {
	hashes := hashesOf(handles)
	if err := t.ask(t.learnNames(hashes)); err != nil {
		return nums, err
	}
	for _, h := range hashes {
		n, err := t.number(h)
		if err != nil {
			return nums, err
		}
		nums = append(nums, n)
	}
	return nums, nil
}

// number returns the number of a name that is known or known to have none, and gives it one then.
func (t *tx) number(h nameHash) (store.Num, error) {
	if n := t.names.known[h]; n != 0 {
		return n, nil
	}
	if t.count.lastNum == maxNum {
		return 0, misuse("partition is full: all numbers of handles are given")
	}
	t.count.lastNum++
	n := store.Num(t.count.lastNum)
	t.names.known[h] = n
	t.names.fresh = append(t.names.fresh, h)
	return n, nil
}

// internID is Intern for the handle of an id.
func (t *tx) internID(id string) (store.Num, error) {
	h := hashName(directory.IDHandle(id))
	if err := t.ask(t.learnNames([]nameHash{h})); err != nil {
		return 0, err
	}
	return t.number(h)
}

func (t *tx) flushNames() error {
	fresh := t.names.fresh
	if len(fresh) == 0 {
		return nil
	}
	list := make([]pgtype.UUID, len(fresh))
	for i, h := range fresh {
		list[i] = pgtype.UUID{Bytes: h, Valid: true}
	}
	first := t.count.lastNum - uint64(len(fresh))
	t.names.given, t.names.fresh = append(t.names.given, fresh...), nil
	return t.write(`insert into @.name (part, hash, num) select $1, u.hash, ($3 + u.at)::int from unnest($2::uuid[]) with ordinality u(hash, at)`,
		list, int64(first))
}

// keepNames remembers the names that a transaction gave, once it is committed.
func (t *tx) keepNames() {
	for i, h := range t.names.given {
		t.s.names.add(t.names.epoch, t.part, h, store.Num(t.names.begun)+store.Num(i)+1)
	}
}

// nameCache has numbers of names. It begins anew with every connection to the database: after a fail-over or when a backup was
// restored, some may be gone.
type nameCache struct {
	mu         sync.Mutex
	epoch      uint64
	young, old map[nameKey]store.Num
}

type nameKey struct {
	part int32
	hash nameHash
}

// maxNames is how many names of one generation are kept; there are two.
const maxNames = 200_000

// begin returns what names belong to that a transaction reads from now on.
func (c *nameCache) begin() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// forget forgets all, and what is added by transactions that are under way.
func (c *nameCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.young, c.old = nil, nil
}

func (c *nameCache) get(epoch uint64, part int32, h nameHash) store.Num {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := nameKey{part, h}
	if epoch != c.epoch {
		return 0
	}
	n := c.young[key]
	if n == 0 {
		if n = c.old[key]; n != 0 {
			c.put(key, n)
		}
	}
	return n
}

func (c *nameCache) add(epoch uint64, part int32, h nameHash, n store.Num) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch == c.epoch {
		c.put(nameKey{part, h}, n)
	}
}

func (c *nameCache) put(key nameKey, n store.Num) {
	if len(c.young) >= maxNames {
		c.young, c.old = nil, c.young
	}
	if c.young == nil {
		c.young = map[nameKey]store.Num{}
	}
	c.young[key] = n
}
