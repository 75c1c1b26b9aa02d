package bolt_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
)

// The benchmarks work on a population of this size. One operation is one object, membership or action.
const (
	population = 100_000
	perGroup   = 300
)

var hq = store.Partition{Connection: "hq"}

// benchPerson is like an entry of an LDAP directory: its id is random, and it has a DN, a login and a manager.
func benchPerson(i int) *directory.Object {
	sum := sha256.Sum256(fmt.Append(nil, i))
	o := &directory.Object{
		Kind: directory.Person, ID: hex.EncodeToString(sum[:16]),
		Handles: []string{fmt.Sprintf("dn:uid=p%06d,ou=people,dc=example,dc=test", i), fmt.Sprintf("uid:p%06d", i)},
		Links:   []directory.Link{{Type: directory.Manager, To: fmt.Sprintf("dn:uid=p%06d,ou=people,dc=example,dc=test", i/10)}},
	}
	o.SetText(directory.FieldName, fmt.Sprintf("Person Number %d", i))
	o.SetText(directory.FieldGivenName, "Person")
	o.SetText(directory.FieldFamilyName, fmt.Sprintf("Number %d", i))
	o.SetText(directory.FieldEmail, fmt.Sprintf("person.%d@example.test", i))
	o.SetText(directory.FieldLogin, fmt.Sprintf("p%06d", i))
	o.SetText(directory.FieldDepartment, fmt.Sprintf("Department %d", i%50))
	o.SetText(directory.FieldTitle, "Engineer")
	o.SetText(directory.FieldPhone, "+44 20 7946 0000")
	o.Set(directory.FieldEnabled, directory.Bool(true))
	return o
}

func benchPeople() []*directory.Object {
	people := make([]*directory.Object, population)
	for i := range people {
		people[i] = benchPerson(i)
	}
	return people
}

func benchUpdate(b *testing.B, s store.Store, fn func(store.Writer) error) {
	b.Helper()
	if err := s.Update(b.Context(), hq, fn); err != nil {
		b.Fatal(err)
	}
}

func benchView(b *testing.B, s store.Store, fn func(store.Reader) error) {
	b.Helper()
	if err := s.View(b.Context(), hq, fn); err != nil {
		b.Fatal(err)
	}
}

// putAll stores people in transactions of so many.
func putAll(b *testing.B, s store.Store, people []*directory.Object, perTx int) {
	for from := 0; from < len(people); from += perTx {
		benchUpdate(b, s, func(w store.Writer) error {
			for _, o := range people[from:min(from+perTx, len(people))] {
				n, err := w.PutRow(o, store.Here)
				if err != nil {
					return err
				}
				if err := w.MarkDirty(directory.Person, n, store.Changed); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// stopwatch measures an operation of which a benchmark makes very many. Beside the time on the clock it counts
// the processor's: what the store costs on a machine that has other things to do as well.
type stopwatch struct {
	clock, cpu time.Duration
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (w *stopwatch) time(fn func()) {
	start, cpu := time.Now(), cpuTime()
	fn()
	w.clock += time.Since(start)
	w.cpu += cpuTime() - cpu
}

func (w *stopwatch) report(b *testing.B, operations int) {
	b.ReportMetric(w.clock.Seconds()*1e6/float64(operations), "µs/op")
	b.ReportMetric(w.cpu.Seconds()*1e6/float64(operations), "cpu-µs/op")
	b.ReportMetric(0, "ns/op")
}

// each runs fn, which is so many operations, on fresh stores until b is done.
func each(b *testing.B, operations int, prepare func(s *bolt.Store), fn func(s *bolt.Store)) {
	b.Helper()
	var w stopwatch
	for b.Loop() {
		s := openStore(b, bolt.Options{})
		if prepare != nil {
			prepare(s)
		}
		w.time(func() { fn(s) })
	}
	w.report(b, b.N*operations)
}

func BenchmarkPutRow(b *testing.B) {
	people := benchPeople()
	for _, perTx := range []int{1000, 10000} {
		b.Run(fmt.Sprintf("new/tx=%d", perTx), func(b *testing.B) {
			each(b, population, nil, func(s *bolt.Store) { putAll(b, s, people, perTx) })
		})
	}
	b.Run("changed/tx=1000", func(b *testing.B) {
		each(b, population, func(s *bolt.Store) { putAll(b, s, people, 10000) }, func(s *bolt.Store) {
			for _, o := range people {
				o.SetText(directory.FieldTitle, fmt.Sprint("Title ", b.N))
			}
			putAll(b, s, people, 1000)
		})
	})
}

func BenchmarkAddMembers(b *testing.B) {
	people := benchPeople()
	rnd := rand.New(rand.NewPCG(1, 1))
	var handles []string
	for _, o := range people {
		handles = append(handles, o.Handles[0])
	}
	for _, perTx := range []int{10, 100} {
		b.Run(fmt.Sprintf("tx=%dx%d", perTx, perGroup), func(b *testing.B) {
			each(b, 3*population, func(s *bolt.Store) { putAll(b, s, people, 10000) }, func(s *bolt.Store) {
				addMembers(b, s, handles, rnd, perTx)
			})
		})
	}
}

// addMembers gives everybody about three groups, so many groups per transaction.
func addMembers(b *testing.B, s store.Store, handles []string, rnd *rand.Rand, perTx int) {
	list := make([]string, perGroup)
	for g := 0; g < 3*population/perGroup; g += perTx {
		benchUpdate(b, s, func(w store.Writer) error {
			for i := range perTx {
				for j := range list {
					list[j] = handles[rnd.IntN(len(handles))]
				}
				group, err := w.Intern([]string{fmt.Sprint("id:g", g+i)}, nil)
				if err != nil {
					return err
				}
				nums, err := w.Intern(list, nil)
				if err != nil {
					return err
				}
				if _, err := w.AddMembers(group[0], nums, nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	s := openStore(b, bolt.Options{NoSync: true})
	people := benchPeople()
	putAll(b, s, people, 10000)
	handles := make([]string, 1000)
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range handles {
		handles[i] = people[rnd.IntN(population)].Handles[i%2]
	}
	var w stopwatch
	benchView(b, s, func(r store.Reader) (err error) {
		var nums []store.Num
		w.time(func() {
			for b.Loop() && err == nil {
				nums, err = r.Lookup(handles, nums[:0])
			}
		})
		return err
	})
	w.report(b, b.N*len(handles))
}

// BenchmarkFirstLookup is what a partition of a million names costs when it is first asked for one.
func BenchmarkFirstLookup(b *testing.B) {
	s := openStore(b, bolt.Options{NoSync: true})
	texts := make([]string, 10_000)
	for first := range 100 {
		for i := range texts {
			texts[i] = fmt.Sprint("id:", first*len(texts)+i)
		}
		if err := s.Update(b.Context(), hq, func(w store.Writer) error { _, err := w.Intern(texts, nil); return err }); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		b.StopTimer()
		path := s.Path()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		var err error
		if s, err = bolt.Open(path, bolt.Options{NoSync: true}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		benchView(b, s, func(r store.Reader) error { _, err := r.Lookup(texts[:1], nil); return err })
	}
	_ = s.Close()
}

// BenchmarkUnchanged is what an unchanged full read asks of the store.
func BenchmarkUnchanged(b *testing.B) {
	s := openStore(b, bolt.Options{NoSync: true})
	people := benchPeople()
	putAll(b, s, people, 10000)
	var w stopwatch
	w.time(func() {
		for b.Loop() {
			for page := range slices.Chunk(people, 1000) {
				benchView(b, s, func(r store.Reader) error { return compareAll(b, r, page) })
			}
		}
	})
	w.report(b, b.N*population)
}

func compareAll(b *testing.B, r store.Reader, people []*directory.Object) error {
	var nums []store.Num
	var buf []byte
	for _, o := range people {
		var err error
		if nums, err = r.Lookup([]string{directory.IDHandle(o.ID)}, nums[:0]); err != nil {
			return err
		}
		row, ok, err := r.Row(directory.Person, nums[0])
		if err != nil {
			return err
		}
		buf = directory.AppendObject(buf[:0], o)
		if !ok || !bytes.Equal(row.Data, buf) {
			b.Fatal("an object differs")
		}
	}
	return nil
}

func BenchmarkGroupsOf(b *testing.B) {
	s := openStore(b, bolt.Options{NoSync: true})
	people := benchPeople()
	putAll(b, s, people, 10000)
	var handles []string
	for _, o := range people {
		handles = append(handles, o.Handles[0])
	}
	addMembers(b, s, handles, rand.New(rand.NewPCG(1, 1)), 100)
	var w stopwatch
	benchView(b, s, func(r store.Reader) error {
		nums, err := r.Lookup(handles, nil)
		w.time(func() {
			for b.Loop() && err == nil {
				for _, n := range nums {
					err = r.GroupsOf([]store.Num{n}, func(_, _ store.Num) bool { return true })
				}
			}
		})
		return err
	})
	w.report(b, b.N*population)
}

// BenchmarkBatches is what a chunk of people costs that are read at once.
func BenchmarkBatches(b *testing.B) {
	s := openStore(b, bolt.Options{NoSync: true})
	people := benchPeople()
	putAll(b, s, people, 10000)
	settleAll(b, s)
	var nums, handles []store.Num
	benchView(b, s, func(r store.Reader) (err error) {
		for _, o := range people {
			nums, err = r.Lookup([]string{directory.IDHandle(o.ID)}, nums)
			if err == nil {
				handles, err = r.Lookup(o.Handles, handles)
			}
		}
		return err
	})
	var rows []store.Row
	var owners []store.Num
	kinds := []directory.RecordKind{directory.UserRecord, directory.AgentRecord}
	for name, read := range map[string]func(r store.Reader, i, j int) error{
		"rows": func(r store.Reader, i, j int) (err error) {
			rows, err = r.RowsOf(directory.Person, nums[i:j], rows[:0])
			return err
		},
		"owners": func(r store.Reader, i, j int) (err error) {
			owners, err = r.Owners(handles[i:j], owners[:0])
			return err
		},
		"records": func(r store.Reader, i, j int) error {
			return r.RecordsOf(nil, kinds, nums[i:j], func(store.Num, directory.Record) bool { return true })
		},
		"row by row": func(r store.Reader, i, j int) (err error) {
			for ; i < j && err == nil; i++ {
				_, _, err = r.Row(directory.Person, nums[i])
			}
			return err
		},
		"owner by owner": func(r store.Reader, i, j int) (err error) {
			for ; i < j && err == nil; i++ {
				_, err = r.Owners(handles[i:i+1], nil)
			}
			return err
		},
		"record by record": func(r store.Reader, i, j int) (err error) {
			for ; i < j && err == nil; i++ {
				for _, kind := range kinds {
					_, _, err = r.Record(kind, nums[i])
				}
			}
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			const chunk = 2000
			var w stopwatch
			w.time(func() {
				for b.Loop() {
					for i := 0; i < population; i += chunk {
						benchView(b, s, func(r store.Reader) error { return read(r, i, i+chunk) })
					}
				}
			})
			w.report(b, b.N*population)
		})
	}
}

// BenchmarkScratch is what copies of a large state cost, per object in it.
func BenchmarkScratch(b *testing.B) {
	s := openStore(b, bolt.Options{NoSync: true})
	putAll(b, s, benchPeople(), 10000)
	settleAll(b, s)
	small := store.Partition{Connection: "small"}
	err := s.Update(b.Context(), small, func(w store.Writer) error { _, err := w.PutRow(benchPerson(0), store.Here); return err })
	if err != nil {
		b.Fatal(err)
	}
	for name, parts := range map[string][]store.Partition{"all": {hq, small}, "large": {hq}, "small": {small}} {
		b.Run(name, func(b *testing.B) {
			var w stopwatch
			for b.Loop() {
				w.time(func() {
					copied, err := s.Scratch(b.Context(), parts...)
					if err == nil {
						err = copied.Close()
					}
					if err != nil {
						b.Fatal(err)
					}
				})
			}
			w.report(b, b.N*population)
		})
	}
}

// BenchmarkSettle is what the end of a first sync asks of the store: a record and an action per person, and
// its dirty mark cleared.
func BenchmarkSettle(b *testing.B) {
	people := benchPeople()
	each(b, population, func(s *bolt.Store) { putAll(b, s, people, 10000) }, func(s *bolt.Store) { settleAll(b, s) })
}

func settleAll(b *testing.B, s store.Store) {
	const perTx = 2000
	stamp := directory.Stamp{Run: "r1", Time: time.Unix(1, 0)}
	for {
		var nums []store.Num
		benchView(b, s, func(r store.Reader) error {
			return r.Dirty(directory.Person, 0, func(n store.Num, _ store.DirtyReason) bool {
				nums = append(nums, n)
				return len(nums) < perTx
			})
		})
		if len(nums) == 0 {
			return
		}
		benchUpdate(b, s, func(w store.Writer) error {
			for _, n := range nums {
				rec := directory.Record{Kind: directory.UserRecord, Key: fmt.Sprint("hq/", n), Active: true, Rule: "all", Changed: stamp}
				a := directory.Action{Key: rec.Key, Op: directory.Create, Kind: directory.UserRecord, Record: rec.Key, Rule: "all"}
				for _, name := range []string{directory.FieldEmail, directory.FieldName, directory.FieldTitle} {
					f := directory.Field{Name: name, Value: directory.Text("a value of some length")}
					a.Fields = append(a.Fields, f)
					rec.Fields = append(rec.Fields, directory.RecordField{Field: f, Since: &stamp})
				}
				if err := w.PutRecord(n, &rec); err != nil {
					return err
				}
				if err := w.Enqueue("journal", &a, stamp.Time); err != nil {
					return err
				}
			}
			return w.ClearDirty(directory.Person, nums)
		})
	}
}

func BenchmarkDequeue(b *testing.B) {
	people := benchPeople()
	prepare := func(s *bolt.Store) {
		putAll(b, s, people, 10000)
		settleAll(b, s)
	}
	each(b, population, prepare, func(s *bolt.Store) {
		for after := uint64(0); after < population; after += 500 {
			benchUpdate(b, s, func(w store.Writer) error {
				seqs := make([]uint64, 0, 500)
				err := w.Outbox("journal", 0, func(q store.Queued) bool {
					seqs = append(seqs, q.Seq)
					return len(seqs) < 500
				})
				if err != nil {
					return err
				}
				return w.Dequeue("journal", seqs)
			})
		}
	})
}
