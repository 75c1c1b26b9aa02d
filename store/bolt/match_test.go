package bolt

import (
	"fmt"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/signin/key"
)

// peopleByMail stores people who are found by their mail address.
func peopleByMail(t testing.TB, s *Store, n int, fields ...key.Field) {
	t.Helper()
	err := s.Update(t.Context(), store.Partition{Connection: "hq"}, func(w store.Writer) error {
		if err := w.SetMatching(fields); err != nil {
			return err
		}
		for i := range n {
			o := &directory.Object{Kind: directory.Person, ID: fmt.Sprint(i)}
			o.SetText(directory.FieldEmail, fmt.Sprintf("Person.%d@example.test", i))
			o.SetText(directory.FieldLogin, fmt.Sprintf("p%d@example.test", i))
			if _, err := w.PutRow(o, store.Here); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func byMail() key.Field { return key.Field{Kind: key.Mail, Name: directory.FieldEmail} }

func TestVerifyMatch(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(part *bbolt.Bucket) error
		want  string
	}{
		"sound":   {spoil: func(*bbolt.Bucket) error { return nil }},
		"missing": {spoil: func(b *bbolt.Bucket) error { return dropFirst(b.Bucket([]byte("match"))) }, want: "match: a key of person"},
		"of nobody": {
			spoil: func(b *bbolt.Bucket) error { return b.Bucket([]byte("match")).Put(make([]byte, matchSize), nil) },
			want:  "match: entry 0000",
		},
		"of another form": {spoil: func(b *bbolt.Bucket) error {
			return b.Put([]byte(matchingKey), []byte(`{"form":0,"fields":[{"kind":"mail","field":"login"}]}`))
		}, want: "is of no person"},
		"no index, but entries": {spoil: func(b *bbolt.Bucket) error { return b.Delete([]byte(matchingKey)) }, want: "is of no person"},
		"damaged":               {spoil: func(b *bbolt.Bucket) error { return b.Put([]byte(matchingKey), []byte("{")) }, want: "matching: "},
	} {
		t.Run(name, func(t *testing.T) {
			s := itemStore(t)
			peopleByMail(t, s, 5, byMail())
			err := s.db.Update(func(tx *bbolt.Tx) error { return test.spoil(tx.Bucket([]byte("hq\x00"))) })
			if err != nil {
				t.Fatal(err)
			}
			err = s.Verify(t.Context())
			if name == "of another form" { // it is no damage: it finds nobody until it is made anew
				checkOtherForm(t, s, err)
				return
			}
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// checkOtherForm: an index of other normal forms finds nobody, and is made anew.
func checkOtherForm(t *testing.T, s *Store, verified error) {
	t.Helper()
	if verified != nil {
		t.Errorf("verify: %v", verified)
	}
	k := store.MatchKeyOf(key.Of(key.Mail, "person.3@example.test")[0])
	for _, want := range []int{0, 1} {
		err := s.Update(t.Context(), store.Partition{Connection: "hq"}, func(w store.Writer) error {
			found := 0
			if err := w.Match([]store.MatchKey{k}, func(int, store.Num) bool { found++; return true }); err != nil {
				return err
			}
			if found != want {
				t.Errorf("found %d, want %d", found, want)
			}
			return w.SetMatching([]key.Field{byMail()})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// BenchmarkMatch tells what the index of 100,000 people costs, with two keys each.
func BenchmarkMatch(b *testing.B) {
	const people = 100_000
	fields := []key.Field{byMail(), {Kind: key.Login, Name: directory.FieldLogin}}
	hq := store.Partition{Connection: "hq"}
	s := itemStore(b)
	peopleByMail(b, s, people)
	set := func(b *testing.B, f []key.Field) {
		b.Helper()
		if err := s.Update(b.Context(), hq, func(w store.Writer) error { return w.SetMatching(f) }); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			set(b, nil)
			b.StartTimer()
			set(b, fields)
		}
		var used int
		_ = s.db.View(func(tx *bbolt.Tx) error {
			stats := tx.Bucket([]byte("hq\x00")).Bucket([]byte("match")).Stats()
			used = stats.LeafAlloc + stats.BranchAlloc
			return nil
		})
		b.ReportMetric(float64(used)/(2*people), "B/key")
	})
	b.Run("find", func(b *testing.B) {
		k := []store.MatchKey{store.MatchKeyOf(key.Of(key.Mail, "person.77777@example.test")[0])}
		for b.Loop() {
			found := 0
			err := s.View(b.Context(), hq, func(r store.Reader) error {
				return r.Match(k, func(int, store.Num) bool { found++; return true })
			})
			if err != nil || found != 1 {
				b.Fatal(found, err)
			}
		}
	})
	page := func(b *testing.B, f []key.Field) {
		set(b, f)
		for round := 0; b.Loop(); round++ {
			err := s.Update(b.Context(), hq, func(w store.Writer) error {
				for i := range 1000 {
					o := &directory.Object{Kind: directory.Person, ID: fmt.Sprint(i * 100)}
					o.SetText(directory.FieldEmail, fmt.Sprintf("r%d.%d@example.test", round, i))
					if _, err := w.PutRow(o, store.Here); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("page of 1000 changed, with", func(b *testing.B) { page(b, fields) })
	b.Run("page of 1000 changed, without", func(b *testing.B) { page(b, nil) })
}
