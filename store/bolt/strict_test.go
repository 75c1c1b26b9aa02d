package bolt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/store/storetest"
	"dirsyncd/sync/directory"
)

// The suite keeps to the contract itself.
func TestConformanceStrict(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return storetest.Strict(t, openStore(t, bolt.Options{NoSync: true})) })
}

// notes is a test that keeps what it is told.
type notes struct {
	testing.TB
	list []string
}

func (n *notes) Error(args ...any) { n.list = append(n.list, fmt.Sprint(args...)) }

func TestStrictTells(t *testing.T) {
	for name, test := range map[string]struct {
		run  func(t *testing.T, s store.Store) error
		want []string // one for each thing that is told
	}{
		"nothing": {run: func(t *testing.T, s store.Store) error {
			return s.Update(t.Context(), hq, func(w store.Writer) error {
				var nums []store.Num
				err := w.Rows(directory.Person, 0, func(row store.Row) bool { nums = append(nums, row.Num); return true })
				if err != nil {
					return err
				}
				_, err = w.RowsOf(directory.Person, nums, nil)
				return err
			})
		}},
		"a read within a read": {
			run: func(t *testing.T, s store.Store) error {
				return s.View(t.Context(), hq, func(r store.Reader) error {
					return r.Rows(directory.Person, 0, func(row store.Row) bool {
						_, err := r.Owners([]store.Num{row.Num}, nil)
						return err == nil
					})
				})
			},
			want: []string{"Owners is called by a callback, at bolt/strict_test.go"},
		},
		"a write within a read": {
			run: func(t *testing.T, s store.Store) error {
				return s.Update(t.Context(), hq, func(w store.Writer) error {
					return w.Dirty(directory.Person, 0, func(n store.Num, _ store.DirtyReason) bool {
						return w.MarkDirty(directory.Person, n, store.Regrouped) == nil
					})
				})
			},
			want: []string{"MarkDirty is called by a callback"},
		},
		"after the transaction": {
			run: func(t *testing.T, s store.Store) error {
				var late store.Reader
				err := s.View(t.Context(), hq, func(r store.Reader) error { late = r; return nil })
				defer func() { _ = recover() }() // what the store makes of it is its own affair
				_, _ = late.Memberships()
				return err
			},
			want: []string{"Memberships is called after its transaction"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, bolt.Options{NoSync: true})
			fill(t, s)
			told := &notes{TB: t}
			if err := test.run(t, storetest.Strict(told, s)); err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(told.list, test.want, strings.Contains) {
				t.Errorf("told %q, want %q", told.list, test.want)
			}
		})
	}
}

// What was lent is spoilt, and what the first attempt wrote is gone.
func TestStrictSpoils(t *testing.T) {
	s := storetest.Strict(t, openStore(t, bolt.Options{NoSync: true}))
	calls := 0
	err := s.Update(t.Context(), hq, func(w store.Writer) error {
		calls++
		if n, err := w.Count(directory.Person); err != nil || n != 0 {
			t.Errorf("%d people at the beginning, %v", n, err)
		}
		_, err := w.PutRow(benchPerson(calls), store.Here)
		return err
	})
	if err != nil || calls != 2 {
		t.Fatalf("%d calls, %v", calls, err)
	}
	var during, looked store.Row
	err = s.View(t.Context(), hq, func(r store.Reader) (err error) {
		if err = r.Rows(directory.Person, 0, func(row store.Row) bool { during = row; return true }); err != nil {
			return err
		}
		if _, err := directory.ParseObject(during.Data); err == nil {
			t.Error("a row is still there after its callback")
		}
		looked, _, err = r.Row(directory.Person, during.Num)
		if o, bad := directory.ParseObject(looked.Data); bad != nil || o.ID != benchPerson(2).ID {
			t.Errorf("stored: %s, %v", o.ID, bad)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := directory.ParseObject(looked.Data); err == nil {
		t.Error("a row is still there after its transaction")
	}
	if err := s.Update(t.Context(), hq, func(w store.Writer) error {
		return w.Enqueue("journal", &directory.Action{Key: "k", Record: "r"}, time.Now())
	}); err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), hq, func(r store.Reader) error {
		depth, _, err := r.OutboxDepth("journal")
		if depth != 1 {
			t.Errorf("%d actions are waiting", depth)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
