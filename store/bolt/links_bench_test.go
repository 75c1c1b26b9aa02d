package bolt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
)

// benchLink is like the link of a person at a service desk.
func benchLink(i int) store.Link {
	l := store.Link{
		Subject: fmt.Sprintf("user/hq/%032x", i), Kind: directory.UserRecord, ID: fmt.Sprint(1_000_000 + i), State: store.Linked, Owner: store.Created, Active: true,
		Mark: fmt.Sprintf("hq/%032x", i), Parent: "12", LastKey: fmt.Sprintf("%032d", i), Contributor: hq, Since: time.Unix(1_800_000_000, 0).UTC(), Changed: time.Unix(1_800_000_000, 0).UTC(),
		Sent: map[string]store.Digest{},
	}
	for _, name := range []string{"name", "email", "login", "phone", "title", "department", "site", "customer"} {
		l.Sent[name] = store.DigestOf(fmt.Sprint(name, i))
	}
	l.Saw = l.Sent
	return l
}

// BenchmarkLinks stores links, a thousand in a transaction and one, and reads them in batches. One operation is one link.
func BenchmarkLinks(b *testing.B) {
	desk := store.TargetPartition("desk")
	fill := func(b *testing.B, n, each int) (*bolt.Store, string) {
		b.Helper()
		path := filepath.Join(b.TempDir(), "state.db")
		s, err := bolt.Open(path, bolt.Options{NoSync: true})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		for at := 0; at < n; at += each {
			err := s.Update(b.Context(), desk, func(w store.Writer) error {
				for i := at; i < min(at+each, n); i++ {
					if err := w.PutLink(benchLink(i)); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		return s, path
	}
	for _, each := range []int{1000, 1} {
		b.Run(fmt.Sprintf("put/%d", each), func(b *testing.B) {
			_, path := fill(b, b.N, each)
			if info, err := os.Stat(path); err == nil && b.N > 10_000 {
				b.ReportMetric(float64(info.Size())/float64(b.N), "bytes/link")
			}
		})
	}
	s, _ := fill(b, population, 1000)
	read := func(name string, batch func(store.Reader, int) (int, error)) {
		b.Run(name, func(b *testing.B) {
			for at := 0; at < b.N; at += 100 {
				err := s.View(b.Context(), desk, func(r store.Reader) error {
					n, err := batch(r, at)
					if err == nil && n != 100 {
						err = fmt.Errorf("%d links", n)
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	read("by subject", func(r store.Reader, at int) (int, error) {
		var subjects []string
		for i := range 100 {
			subjects = append(subjects, fmt.Sprintf("user/hq/%032x", (at+i*7919)%population))
		}
		links, err := r.LinksOf(subjects)
		return len(links), err
	})
	read("by id", func(r store.Reader, at int) (int, error) {
		var ids []string
		for i := range 100 {
			ids = append(ids, fmt.Sprint(1_000_000+(at+i*7919)%population))
		}
		links, err := r.LinksAt(directory.UserRecord, ids)
		return len(links), err
	})
	b.Run("all", func(b *testing.B) {
		for n := 0; n < b.N; n += population {
			err := s.View(b.Context(), desk, func(r store.Reader) error { return r.Links("", func(store.Link) bool { return true }) })
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
