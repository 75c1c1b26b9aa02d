package postgres

import (
	"cmp"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// What a transaction will be asked for (store.Need) is asked for with its beginning, under the number that its partition had the last time. What
// depends on answers of that is asked for all at once when the first of it is wanted (lookAround). Look-ups go name by name and number by number,
// in subqueries that the planner cannot turn into joins: without statistics it would read whole tables for them.

// ahead is what a transaction will be asked for, and what of it is known that a writer does not know in another form.
type ahead struct {
	need        *store.Need
	around      bool                      // what is around the objects is known
	recordsRead bool                      // by a writer
	groups      map[store.Num][]store.Num // that list handles
	records     map[recordKey][]byte      // nil for none
	marks       []dirty
	marked      bool
	referrers   map[directory.LinkType]map[store.Num][]store.Num // who states links to handles
	first       map[directory.Kind]*[]dirty                      // the first marks of each kind
}

// remembers reports whether a transaction keeps what it has read: a writer, or a reader of which it is known how much that will be.
func (t *tx) remembers() bool { return t.writable || t.ahead.need != nil }

// foreseen reports whether a reader will be asked for what is around objects.
func (t *tx) foreseen() bool {
	return !t.writable && t.ahead.need != nil && (t.ahead.need.Groups || len(t.ahead.need.Linked) > 0)
}

// named are handles whose numbers are known, and those of which only the names are.
type named struct {
	nums   []store.Num
	hashes []nameHash
}

// cached tells handles apart by whether their numbers are known to this process. Those that are not are asked for by somebody, who
// says that here.
func (t *tx) cached(handles []string) (list named) {
	seen := map[nameHash]bool{}
	for _, handle := range handles {
		h := hashName(handle)
		if seen[h] {
			continue
		}
		seen[h] = true
		if n := t.s.names.get(t.names.epoch, t.part, h); n != 0 && (!t.begun || uint64(n) <= t.names.begun) {
			t.names.known[h] = n
			list.nums = append(list.nums, n)
			continue
		}
		t.names.known[h] = 0
		list.hashes = append(list.hashes, h)
	}
	return list
}

// numbers returns the numbers of handles, now that the answers are there.
func (t *tx) numbers(of named) []store.Num {
	nums := slices.Clone(of.nums)
	for _, h := range of.hashes {
		if n := t.names.known[h]; n != 0 {
			nums = append(nums, n)
		}
	}
	return nums
}

// asks makes questions about handles, in which h.n is a handle's number. Their other arguments begin with $3.
func asks(of named, scan func(pgx.Rows) error, columns, rest string, args ...any) (list []question) {
	if len(of.nums) > 0 {
		list = append(list, question{scan, `select ` + columns + ` from unnest($2::int[]) h(n) ` + rest, append([]any{ints(of.nums)}, args...)})
	}
	if len(of.hashes) > 0 {
		hashes := make([]pgtype.UUID, len(of.hashes))
		for i, h := range of.hashes {
			hashes[i] = uuidOf(h)
		}
		list = append(list, question{scan, `select ` + columns + ` from unnest($2::uuid[]) u(hash)
			cross join lateral (select num from @.name where part = $1 and hash = u.hash limit 1) h(n) ` + rest, append([]any{hashes}, args...)})
	}
	return list
}

const (
	ownersOf      = `cross join lateral (select num from @.owner where part = $1 and handle = h.n limit 1) o`
	contestantsOf = `cross join lateral (select num from @.contested where part = $1 and handle = h.n offset 0) o`
	rowsOf        = `cross join lateral (select * from @.object where part = $1 and kind = $3 and num = h.n limit 1) o`
	rowsOfOwners  = `left join lateral (select num from @.owner where part = $1 and handle = h.n limit 1) w on true
		cross join lateral (select * from @.object where part = $1 and kind = $3 and num = coalesce(w.num, h.n) limit 1) o`
	memberDigestsOf = `cross join lateral (select * from @.digest where part = $1 and grp = h.n limit 1) d`
	recordsOf       = `cross join unnest($3::int2[]) k(kind) cross join lateral (select active, data from @.record where part = $1 and kind = k.kind and num = h.n limit 1) r`
)

// lookAhead makes the questions that can be asked with the beginning of a transaction, and says what to do when they are answered.
func (t *tx) lookAhead() (list []question, answered func()) {
	need := t.ahead.need
	if need == nil || t.part == 0 {
		return nil, func() {}
	}
	ids, handles, objects := t.cached(need.IDs), t.cached(need.Handles), named{nums: need.Nums}
	if unknown := slices.Concat(ids.hashes, handles.hashes); len(unknown) > 0 {
		list = append(list, *t.findNames(unknown, func(h nameHash, n store.Num) { t.names.known[h] = n }))
	}
	for _, kind := range need.Kinds {
		list = append(list, asks(ids, t.scanKnown(), objectColumns, rowsOf, int16(kind))...)
		list = append(list, asks(objects, t.scanKnown(), objectColumns, rowsOf, int16(kind))...)
	}
	if need.Digests {
		list = append(list, asks(ids, func(rows pgx.Rows) error {
			n, digest, err := scanDigest(rows)
			t.members.digests.known[n] = digest
			return err
		}, digestColumns, memberDigestsOf)...)
	}
	list = append(list, t.claimsOf(handles)...)
	list = append(list, t.membersAhead(need)...)
	list = append(list, t.recordsAhead(need)...)
	list = append(list, t.referrersAhead(need)...)
	if need.Marks != 0 && len(need.Nums) > 0 && !t.writable {
		list = append(list, t.dirtyQuestion(need.Marks, need.Nums[0]-1, len(need.Nums)+1, func(d dirty) { t.ahead.marks = append(t.ahead.marks, d) }))
		t.ahead.marked = true
	}
	if need.Actions && t.writable {
		list = append(list, t.historyQuestions()...)
	}
	return list, func() {
		nums := t.numbers(ids)
		for _, kind := range need.Kinds {
			t.knowRows(kind, nums)
			t.knowRows(kind, need.Nums)
		}
		if need.Digests {
			know(t.members.digests.known, nums)
		}
		t.knowClaims(handles)
		t.desk.history.known = need.Actions && t.writable
		for h, n := range t.names.known {
			if uint64(n) > t.names.begun { // it was given after what this transaction sees
				delete(t.names.known, h)
			}
		}
	}
}

// scanKnown makes a row known.
func (t *tx) scanKnown() func(pgx.Rows) error {
	return t.scanObject(func(kind directory.Kind, row store.Row) {
		t.objects.known[objectKey{kind, row.Num}] = &object{row: row, exists: true}
	})
}

// knowRows notes that the rows of a kind that are not known are not there.
func (t *tx) knowRows(kind directory.Kind, nums []store.Num) {
	for _, n := range nums {
		if key := (objectKey{kind, n}); t.objects.known[key] == nil {
			t.objects.known[key] = &object{}
		}
	}
}

// claimsOf asks who has handles, and who contests them.
func (t *tx) claimsOf(handles named) []question {
	c := &t.claims
	list := asks(handles, scanPair(func(h, n store.Num) { c.owner[h] = n }), `h.n, o.num`, ownersOf)
	if c.none {
		return list
	}
	return append(list, asks(handles, scanPair(c.addContestant), `h.n, o.num`, contestantsOf)...)
}

// knowClaims notes that there are none but those that are known.
func (t *tx) knowClaims(handles named) {
	nums := t.numbers(handles)
	know(t.claims.owner, nums)
	know(t.claims.contestants, nums)
}

// know notes that of some numbers, where nothing else is known of them, there is nothing.
func know[V any](known map[store.Num]V, nums []store.Num) {
	for _, n := range nums {
		if _, ok := known[n]; !ok {
			var nothing V
			known[n] = nothing
		}
	}
}

// membersAhead asks, for a writer, which handles are members of the groups in which they are changed.
func (t *tx) membersAhead(need *store.Need) []question {
	if !t.writable || len(need.Members) == 0 {
		return nil
	}
	var groups, handles []int32
	for group, list := range need.Members {
		s := &memberSet{has: map[store.Num]bool{}}
		t.members.of[group] = s
		for _, h := range list {
			s.has[h] = false
			groups, handles = append(groups, int32(group)), append(handles, int32(h))
		}
	}
	return []question{{scanPair(func(g, h store.Num) { t.members.of[g].has[h] = true }), `select u.grp, u.handle from unnest($2::int[], $3::int[]) u(grp, handle)
		cross join lateral (select from @.member where part = $1 and grp = u.grp and handle = u.handle limit 1) m`, []any{groups, handles}}}
}

// recordsAhead asks for the records of objects: a writer for whether they are active, a reader for all of them.
func (t *tx) recordsAhead(need *store.Need) []question {
	if len(need.Records) == 0 || len(need.Nums) == 0 {
		return nil
	}
	if !t.writable {
		return t.recordsQuestions(need)
	}
	for _, kind := range need.Records {
		for _, n := range need.Nums {
			t.records.active[recordKey{kind, n}] = false
		}
	}
	return asks(named{nums: need.Nums}, scanRecord(func(key recordKey, _ []byte) { t.records.active[key] = true }),
		`k.kind, h.n, ''::bytea`, recordsOf+` where r.active`, recordKinds(need.Records))
}

// recordsQuestions asks for all records that are foreseen.
func (t *tx) recordsQuestions(need *store.Need) []question {
	for _, kind := range need.Records {
		for _, n := range need.Nums {
			t.ahead.records[recordKey{kind, n}] = nil
		}
	}
	return asks(named{nums: need.Nums}, scanRecord(func(key recordKey, data []byte) { t.ahead.records[key] = data }),
		`k.kind, h.n, r.data`, recordsOf, recordKinds(need.Records))
}

func recordKinds(kinds []directory.RecordKind) []int16 {
	list := make([]int16, len(kinds))
	for i, kind := range kinds {
		list[i] = int16(kind)
	}
	return list
}

// lookAround asks for what is around the objects that were foreseen, once: who contests their handles, which groups list them, and to what
// their links, which point to handles, lead.
func (t *tx) lookAround(links []string) error {
	need := t.ahead.need
	if t.ahead.around {
		return nil
	}
	t.ahead.around = true
	var list []question
	to := t.cached(links)
	if len(to.hashes) > 0 && t.part != 0 {
		list = append(list, *t.findNames(to.hashes, func(h nameHash, n store.Num) { t.names.known[h] = n }))
	}
	list = append(list, t.claimsOf(to)...)
	for _, kind := range need.Linked {
		list = append(list, asks(to, t.scanKnown(), objectColumns, rowsOfOwners, int16(kind))...)
	}
	var own []store.Num
	if need.Groups {
		for _, kind := range need.Kinds {
			for _, n := range need.Nums {
				if o := t.objects.known[objectKey{kind, n}]; o != nil && o.exists {
					own = append(append(own, n), o.row.Handles...)
				}
			}
		}
	}
	for _, q := range []*question{t.learnContestants(own), t.learnGroups(own)} {
		if q != nil {
			list = append(list, *q)
		}
	}
	if err := t.queries(list...); err != nil {
		return err
	}
	t.knowClaims(to)
	for _, kind := range need.Linked {
		for _, h := range t.numbers(to) {
			t.knowRows(kind, []store.Num{cmp.Or(t.claims.owner[h], h)})
		}
	}
	return nil
}

// learnGroups is the question that makes it known to a reader which groups list handles.
func (t *tx) learnGroups(handles []store.Num) *question {
	var list []store.Num
	for _, h := range handles {
		if _, ok := t.ahead.groups[h]; !ok && t.isKnown(h) {
			t.ahead.groups[h] = nil
			list = append(list, h)
		}
	}
	if len(list) == 0 || t.part == 0 {
		return nil
	}
	return &question{scanPair(func(h, g store.Num) { t.ahead.groups[h] = append(t.ahead.groups[h], g) }), groupsOf, []any{ints(list)}}
}

// learnNaming makes known what is asked of handles to find the groups of those who have them.
func (t *tx) learnNaming(handles []store.Num) error {
	if len(t.ahead.need.Linked) == 0 {
		if err := t.lookAround(nil); err != nil {
			return err
		}
	}
	contestants := t.learnContestants(handles)
	if !t.ahead.need.Groups {
		return t.ask(contestants)
	}
	return t.ask(contestants, t.learnGroups(handles))
}

// handOut calls fn with what is known of handles, in order.
func (t *tx) handOut(handles []store.Num, known map[store.Num][]store.Num, fn func(a, b store.Num) bool) {
	for _, h := range t.given(handles) {
		list := known[h]
		if !slices.IsSorted(list) {
			list = slices.Sorted(slices.Values(list))
		}
		for _, n := range list {
			if !fn(h, n) {
				return
			}
		}
	}
}

// forgetAhead forgets what was read of another partition.
func (t *tx) forgetAhead() {
	clear(t.names.known)
	clear(t.claims.owner)
	clear(t.claims.contestants)
	clear(t.objects.known)
	clear(t.records.active)
	clear(t.members.digests.known)
	clear(t.ahead.records)
	clear(t.members.of)
	t.ahead.marks, t.ahead.marked, t.ahead.referrers = nil, false, nil
	t.desk.history = history{}
}
