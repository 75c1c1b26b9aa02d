package postgres_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
)

// script makes random calls, whose answers it writes down.
type script struct {
	*rand.Rand
	log   strings.Builder
	fresh []store.Num // given by the transaction
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func (s *script) at() time.Time     { return epoch.Add(time.Duration(s.IntN(20)) * time.Second) }
func (s *script) target() string    { return fmt.Sprint("desk", s.IntN(2)) }
func (s *script) subject() string   { return fmt.Sprint("user/", s.IntN(6)) }
func (s *script) run() string       { return fmt.Sprint("run", s.IntN(4)) }
func (s *script) id() string        { return fmt.Sprint(s.IntN(8)) }
func (s *script) stream() string    { return fmt.Sprint("stream", s.IntN(2)) }
func (s *script) nums() []store.Num { return []store.Num{s.num(), 0, s.num(), s.num()} }
func (s *script) cause() string     { return fmt.Sprint("cause", s.IntN(2)) }
func (s *script) kind() directory.Kind {
	return []directory.Kind{directory.Person, directory.Group}[s.IntN(2)]
}
func (s *script) record() directory.RecordKind {
	return []directory.RecordKind{directory.UserRecord, directory.GroupRecord}[s.IntN(2)]
}

// queued is an action as it is stored.
func queued(n int) []byte {
	return directory.AppendAction(nil, &directory.Action{Op: directory.Create, Kind: directory.UserRecord, Key: fmt.Sprint(n)})
}

func (s *script) num() store.Num {
	if len(s.fresh) > 0 && s.IntN(2) == 0 {
		return s.fresh[s.IntN(len(s.fresh))]
	}
	return store.Num(1 + s.IntN(40))
}

// made is how many there are; where there is an error, nobody asks.
func made(nums []store.Num, err error) int {
	if err != nil {
		return 0
	}
	return len(nums)
}

func (s *script) answer(what string, answers ...any) {
	for i, a := range answers {
		if err, ok := a.(error); ok { // stores word them differently
			answers[i] = fmt.Sprint("error ", err != nil)
		}
	}
	fmt.Fprintln(&s.log, what, fmt.Sprintf("%+v", answers))
}

// list gathers what an iteration hands out, which may be ended early.
func list[T any](s *script, each func(fn func(T) bool) error) (all []T, err error) {
	most := 1 + s.IntN(30)
	err = each(func(v T) bool { all = append(all, v); return len(all) < most })
	return all, err
}

type two[A, B any] struct {
	A A
	B B
}

func list2[A, B any](s *script, each func(fn func(A, B) bool) error) ([]two[A, B], error) {
	return list(s, func(fn func(two[A, B]) bool) error { return each(func(a A, b B) bool { return fn(two[A, B]{a, b}) }) })
}

// write makes one change.
func (s *script) write(w store.Writer) {
	switch n := s.IntN(39); n {
	case 0, 1, 2:
		o := &directory.Object{Kind: s.kind(), ID: s.id(), Handles: []string{"uid:" + s.id()}}
		if s.IntN(2) == 0 {
			o.Links = []directory.Link{{Type: directory.Manager, To: "uid:" + s.id()}}
		}
		num, err := w.PutRow(o, store.GoneCause(s.IntN(3)))
		s.answer("put", num, err)
	case 3:
		s.answer("gone", w.SetGone(s.kind(), s.num(), store.GoneCause(s.IntN(3))))
	case 4:
		s.answer("delete", w.DeleteRow(s.kind(), s.num()))
	case 5, 6:
		nums, err := w.AddMembers(s.num(), []store.Num{s.num(), s.num()}, nil)
		s.answer("add", made(nums, err), err)
	case 7:
		nums, err := w.RemoveMembers(s.num(), []store.Num{s.num(), s.num()}, nil)
		s.answer("remove", made(nums, err), err)
	case 8:
		s.answer("digest", w.SetMemberDigest(s.num(), store.MemberDigest{Count: uint64(s.IntN(3))}))
	case 9:
		s.answer("mark", w.MarkDirty(s.kind(), s.num(), store.DirtyReason(1+s.IntN(15))))
	case 10:
		s.answer("clear", w.ClearDirty(s.kind(), s.nums()))
	case 11:
		s.answer("stream", w.PutStream(s.stream(), store.StreamState{Scope: strings.Repeat("x", s.IntN(2))}))
	case 12:
		s.answer("saw", w.AppendSeen(s.stream(), []byte{byte(s.IntN(256))}))
	case 13:
		s.answer("forget", w.ClearSeen(s.stream()))
	case 14, 15:
		r := &directory.Record{Kind: s.record(), Key: s.id(), Active: s.IntN(2) == 0, Revision: s.Uint64N(100)}
		s.answer("record", w.PutRecord(s.num(), r))
	case 16, 17:
		s.answer("enqueue", w.Enqueue(s.target(), &directory.Action{Key: s.id(), Op: directory.Create, Kind: s.record()}, s.at()))
	case 18:
		s.answer("claim", w.Claim(s.target(), s.Uint64N(20)))
	case 19:
		s.answer("dequeue", w.Dequeue(s.target(), []uint64{s.Uint64N(20), s.Uint64N(20), s.Uint64N(20)}))
	case 20:
		p := store.Parked{Since: s.at(), Reason: s.id(), Kind: s.kind(), Object: s.id()}
		if s.IntN(2) == 0 {
			p = store.Parked{Since: s.at(), Reason: s.id(), Target: s.target(), Subject: s.subject(), Action: queued(0)}
		}
		id, err := w.Park(p)
		s.answer("park", id, err)
	case 21:
		was, err := w.Unpark(s.Uint64N(20))
		s.answer("unpark", was, err)
	case 22:
		s.answer("tenant", w.PutTenant(store.TenantState{Name: s.id()}))
	case 23:
		s.answer("run", w.PutRun(store.Run{ID: s.run(), Trigger: s.id()}))
	case 24:
		s.answer("due", w.PutDue(s.kind(), s.num(), s.at().Add(time.Duration(s.IntN(2)))))
	case 25:
		s.answer("never due", w.PutDue(s.kind(), s.num(), time.Time{}))
	case 26:
		s.answer("journal", w.AppendJournal(1+s.Uint64N(5), 1+s.IntN(4), []store.JournalEntry{{Kind: s.kind(), Num: s.num()}}))
		if s.IntN(6) == 0 {
			s.answer("no journal", w.DropJournal())
		}
	case 27, 28:
		id, err := w.PutWait(store.Wait{Target: s.target(), Subject: s.subject(), Cause: s.cause(), Key: s.id(), Since: s.at(), Due: s.at(), Action: queued(s.IntN(9))})
		s.answer("wait", id, err)
	case 29:
		s.answer("try", w.TryWaits(s.target(), []uint64{s.Uint64N(20)}))
		woken, err := w.WakeKeys(s.target(), []string{s.id(), s.id()}, s.at())
		s.answer("wake", woken, err)
	case 30:
		ended, err := w.EndWaits(s.target(), []string{s.subject()})
		s.answer("end", ended, err)
	case 31, 32:
		s.answer("link", w.PutLink(store.Link{Subject: s.subject(), Kind: s.record(), ID: s.id(), State: store.LinkState(1 + s.IntN(4)), Since: s.at(), Once: []string{s.id(), s.id()}}))
	case 33:
		was, err := w.DeleteLink(s.subject())
		s.answer("unlink", was, err)
	case 34:
		number, err := w.PutReview(store.Review{Subject: s.subject(), Cause: s.cause(), Since: s.at()})
		s.answer("review", number, err)
		if s.IntN(2) == 0 {
			was, err := w.DeleteReview(s.subject())
			s.answer("no review", was, err)
		}
	case 35:
		s.answer("reject", w.Reject(store.Rejection{Subject: s.subject(), Kind: s.record(), ID: s.id(), Since: s.at()}))
		if s.IntN(2) == 0 {
			s.answer("unreject", w.Unreject(s.subject(), s.record(), s.id()))
		}
		s.answer("desk", w.PutDesk(store.DeskState{Place: s.id()}))
	case 36:
		run, from := s.run(), 0
		err := w.RunActions(run, 0, func(at int, _ directory.RunAction) bool { from = at + 1; return true })
		s.answer("kept", from, err)
		actions := make([]directory.RunAction, 1+s.IntN(3))
		for i := range actions {
			actions[i] = directory.RunAction{Op: directory.Create, Kind: s.record(), Num: s.Uint32N(9), Key: s.id(), Revision: s.Uint64N(9)}
		}
		s.answer("keep", w.KeepActions(run, from, actions))
	case 37:
		s.answer("forget", w.ForgetActions(s.run(), s.Int64N(200)))
	case 38:
		woken, err := w.WakeRecords(s.target(), []string{s.subject()}, s.at())
		s.answer("wake records", woken, err)
		woken, err = w.WakeCause(s.target(), s.cause(), s.at())
		s.answer("wake cause", woken, err)
		s.answer("give", w.Give(s.num(), s.num()))
	}
}

// read asks one question.
func (s *script) read(r store.Reader) {
	switch n := s.IntN(40); n {
	case 0:
		nums, err := r.Lookup([]string{directory.IDHandle(s.id()), "uid:" + s.id(), "nobody"}, nil)
		s.answer("lookup", nums, err)
	case 1:
		nums, err := r.Owners(s.nums(), nil)
		s.answer("owners", nums, err)
	case 2:
		all, err := list2(s, func(fn func(a, b store.Num) bool) error { return r.Contestants(s.nums(), fn) })
		s.answer("contestants", all, err)
	case 3:
		rows, err := r.RowsOf(s.kind(), s.nums(), nil)
		s.answer("rows of", rows, err)
	case 4:
		all, err := list(s, func(fn func(store.Row) bool) error {
			return r.Rows(s.kind(), s.num(), func(row store.Row) bool {
				row.Data, row.Handles = bytes.Clone(row.Data), slices.Clone(row.Handles)
				return fn(row)
			})
		})
		s.answer("rows", all, err)
	case 5:
		n, err := r.Count(s.kind())
		s.answer("count", n, err)
	case 6:
		all, err := list(s, func(fn func(store.Num) bool) error { return r.Members(s.num(), fn) })
		s.answer("members", all, err)
	case 7:
		all, err := list2(s, func(fn func(a, b store.Num) bool) error { return r.MembersOf(s.nums(), fn) })
		s.answer("members of", all, err)
	case 8:
		d, err := r.MemberDigest(s.num())
		s.answer("digest", d, err)
	case 9:
		all, err := list2(s, func(fn func(a, b store.Num) bool) error { return r.GroupsOf(s.nums(), fn) })
		s.answer("groups of", all, err)
	case 10:
		all, err := list2(s, func(fn func(a, b store.Num) bool) error { return r.ReferrersOf(directory.Manager, s.nums(), fn) })
		s.answer("referrers", all, err)
	case 11:
		n, err := r.Memberships()
		s.answer("memberships", n, err)
	case 12:
		all, err := list2(s, func(fn func(store.Num, store.DirtyReason) bool) error { return r.Dirty(s.kind(), s.num(), fn) })
		s.answer("dirty", all, err)
	case 13:
		st, err := r.Stream(s.stream())
		s.answer("stream", st, err)
	case 14:
		names, err := r.Streams()
		s.answer("streams", names, err)
	case 15:
		all, err := list(s, func(fn func(string) bool) error {
			return r.Seen(s.stream(), func(chunk []byte) bool { return fn(string(chunk)) })
		})
		s.answer("seen", all, err)
	case 16, 17:
		rec, there, err := r.Record(s.record(), s.num())
		s.answer("record", rec, there, err)
	case 18:
		all, err := list2(s, func(fn func(store.Num, directory.Record) bool) error {
			return r.RecordsOf(nil, []directory.RecordKind{directory.GroupRecord, directory.UserRecord}, s.nums(), fn)
		})
		s.answer("records of", all, err)
	case 19:
		all, err := list2(s, func(fn func(store.Num, directory.Record) bool) error { return r.Records(s.record(), s.num(), fn) })
		s.answer("records", all, err)
	case 20:
		n, err := r.ActiveRecords(s.record())
		s.answer("active", n, err)
	case 21:
		names, err := r.Targets()
		s.answer("targets", names, err)
	case 22:
		all, err := list(s, func(fn func(string) bool) error {
			return r.Outbox(s.target(), s.Uint64N(20), func(q store.Queued) bool { return fn(fmt.Sprint(q)) })
		})
		s.answer("outbox", all, err)
	case 23:
		seq, err := r.Claimed(s.target())
		s.answer("claimed", seq, err)
	case 24:
		n, oldest, err := r.OutboxDepth(s.target())
		s.answer("depth", n, oldest, err)
	case 25:
		all, err := list(s, r.Parked)
		s.answer("parked", all, err)
	case 26:
		p, there, err := r.ParkedObject(s.kind(), s.id())
		s.answer("parked object", p, there, err)
	case 27:
		p, there, err := r.ParkedAction(s.target(), s.subject())
		s.answer("parked action", p, there, err)
	case 28:
		n, err := r.ParkedCount()
		s.answer("parked count", n, err)
	case 29:
		st, err := r.Tenant()
		s.answer("tenant", st, err)
		runs, err := list(s, r.Runs)
		s.answer("runs", runs, err)
	case 30:
		all, err := list2(s, func(fn func(time.Time, string) bool) error {
			return r.Due(s.at(), func(at time.Time, kind directory.Kind, n store.Num) bool { return fn(at, fmt.Sprint(kind, n)) })
		})
		s.answer("due", all, err)
		times, err := r.DueOf(s.kind(), s.nums(), nil)
		s.answer("due of", times, err)
	case 31:
		first, last, err := r.JournalBounds()
		s.answer("bounds", first, last, err)
		all, err := list(s, func(fn func(string) bool) error {
			return r.Journal(s.Uint64N(4), func(n uint64, entries []store.JournalEntry) bool { return fn(fmt.Sprint(n, entries)) })
		})
		s.answer("journal", all, err)
	case 32:
		all, err := list(s, func(fn func(store.Wait) bool) error { return r.Waits(s.target(), s.Uint64N(20), fn) })
		s.answer("waits", all, err)
		some, err := r.WaitsOf(s.target(), []string{s.subject(), s.subject()})
		s.answer("waits of", some, err)
	case 33:
		all, err := list(s, func(fn func(store.Wait) bool) error { return r.WaitsDue(s.target(), s.at(), fn) })
		s.answer("waits due", all, err)
		next, err := r.NextWait(s.target())
		s.answer("next wait", next, err)
	case 34:
		counts, err := r.WaitCounts(s.target())
		s.answer("wait counts", len(counts), counts["cause0"], counts["cause1"], err)
	case 35:
		some, err := r.LinksOf([]string{s.subject(), s.subject()})
		s.answer("links of", some, err)
		all, err := list(s, func(fn func(store.Link) bool) error { return r.Links("", fn) })
		s.answer("links", len(all), err)
	case 36:
		some, err := r.LinksAt(s.record(), []string{s.id(), s.id()})
		s.answer("links at", len(some), err)
		counts, err := r.LinkCounts()
		s.answer("link counts", counts, err)
	case 37:
		all, err := list(s, func(fn func(store.Review) bool) error { return r.Reviews(s.Uint64N(5), fn) })
		s.answer("reviews", all, err)
		some, err := r.Rejected([]string{s.subject(), s.subject()})
		s.answer("rejected", some, err)
		d, err := r.Desk()
		s.answer("desk", d, err)
	case 38:
		all, err := list2(s, func(fn func(int, directory.RunAction) bool) error { return r.RunActions(s.run(), s.IntN(5), fn) })
		s.answer("actions", all, err)
	case 39:
		all, err := list2(s, func(fn func(string, directory.RunAction) bool) error { return r.ActionsOf(s.id(), fn) })
		s.answer("actions of", all, err)
		first, at, kept, err := r.ActionsKept()
		s.answer("actions kept", first, at, kept, err)
	}
}

// need foresees what transactions ask for, or something else.
func (s *script) need() store.Need {
	n := store.Need{Digests: s.IntN(2) == 0, Groups: s.IntN(2) == 0, Actions: s.IntN(2) == 0}
	for range s.IntN(5) {
		n.IDs = append(n.IDs, directory.IDHandle(s.id()), "nobody")
		n.Handles = append(n.Handles, "uid:"+s.id(), directory.IDHandle(s.id()))
	}
	for _, kind := range []directory.Kind{directory.Person, directory.Group} {
		if s.IntN(2) == 0 {
			n.Kinds = append(n.Kinds, kind)
		}
		if s.IntN(2) == 0 {
			n.Linked = append(n.Linked, kind)
		}
		if s.IntN(3) == 0 {
			n.Marks = kind
		}
	}
	for _, kind := range []directory.RecordKind{directory.GroupRecord, directory.UserRecord} {
		if s.IntN(2) == 0 {
			n.Records = append(n.Records, kind)
		}
	}
	n.Referrers = map[directory.LinkType][]store.Num{directory.Manager: s.nums()}
	n.Members = map[store.Num][]store.Num{s.num(): {s.num(), s.num()}, s.num(): {s.num()}}
	for range s.IntN(40) {
		n.Nums = append(n.Nums, s.num())
	}
	slices.Sort(n.Nums)
	n.Nums = slices.Compact(n.Nums)
	return n
}

// transaction is one of random calls, each of which may be followed by questions.
func (s *script) transaction(w store.Writer) {
	var texts []string
	for range s.IntN(6) {
		texts = append(texts, fmt.Sprint("text:", s.Uint64()))
	}
	nums, err := w.Intern(texts, nil)
	s.fresh = nums
	s.answer("intern", nums, err)
	for range s.IntN(40) {
		s.write(w)
		for range s.IntN(4) {
			s.read(w)
		}
	}
}

// Both stores answer the same to the same calls, within transactions and between them.
func likeBolt(t *testing.T, r *rig) {
	other, err := bolt.Open(filepath.Join(t.TempDir(), "state"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	sameAnswers(t, 0, 100, other, r.open(t))
}

// sameAnswers makes random calls, of so many seeds from one on, to stores that hold the same.
func sameAnswers(t *testing.T, seed, seeds uint64, stores ...store.Store) {
	t.Helper()
	fails := errors.New("this transaction is given up")
	for end := seed + seeds; seed < end; seed++ {
		var logs [2]string
		for i, st := range stores {
			s := &script{Rand: rand.New(rand.NewPCG(seed, 8))}
			ctx, later := t.Context(), t.Context()
			if seed%3 > 0 {
				first, second := s.need(), s.need()
				ctx, later = store.Expect(ctx, func() store.Need { return first }), store.Expect(ctx, func() store.Need { return second })
			}
			err := st.Update(ctx, hq, func(w store.Writer) error {
				s = &script{Rand: rand.New(rand.NewPCG(seed, 7))}
				if seed == 0 { // what objects name has the same numbers in both
					for n := range 8 {
						if _, err := w.Intern([]string{directory.IDHandle(fmt.Sprint(n)), fmt.Sprint("uid:", n)}, nil); err != nil {
							return err
						}
					}
				}
				s.transaction(w)
				if s.IntN(5) == 0 {
					return fails
				}
				return nil
			})
			if err != nil && !errors.Is(err, fails) {
				t.Fatal(err)
			}
			err = st.View(later, hq, func(r store.Reader) error {
				for range 30 {
					s.read(r)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			logs[i] = s.log.String()
		}
		if logs[0] == logs[1] {
			continue
		}
		a, b := strings.Split(logs[0], "\n"), strings.Split(logs[1], "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("seed %d, answer %d:\nbolt     %s\npostgres %s\nafter %s", seed, i, a[i], b[i], strings.Join(a[max(0, i-12):i], "\n"))
			}
		}
	}
}
