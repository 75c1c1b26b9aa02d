package bolt

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"dirsyncd/store"
)

// TestNamesKeepTheirNumbers interns many names in transactions of different sizes, so that the tables are merged often,
// and looks all of them up.
func TestNamesKeepTheirNumbers(t *testing.T) {
	for _, batch := range []int{1000, 20_000, 90_000} {
		t.Run(fmt.Sprint(batch), func(t *testing.T) {
			t.Parallel()
			s, err := Open(filepath.Join(t.TempDir(), "state.db"), Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			p := store.Partition{Connection: "hq"}
			const names = 180_000
			var given []store.Num
			for first := 0; first < names; first += batch {
				texts := namesFrom(first, min(batch, names-first))
				err := s.Update(t.Context(), p, func(w store.Writer) (err error) { given, err = w.Intern(texts, given); return err })
				if err != nil {
					t.Fatal(err)
				}
			}
			err = s.View(t.Context(), p, func(r store.Reader) error {
				found, err := r.Lookup(namesFrom(0, names+1), nil)
				if err != nil {
					return err
				}
				for i, n := range given {
					if n != store.Num(i+1) || found[i] != n {
						t.Fatalf("name %d has the number %d and is found as %d", i, n, found[i])
					}
				}
				if found[names] != 0 {
					t.Errorf("a name that nobody gave is found as %d", found[names])
				}
				c := &r.(*tx).count //nolint:forcetypeassert // it is this package's
				if c.newNames == 0 || c.newNames > maxNewNames {
					t.Errorf("%d names are in the small table", c.newNames)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Verify(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func namesFrom(first, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("id:%d", first+i)
	}
	return list
}

// TestChooseNames: room is made, nobody is lost, and what moves lies together in the large table.
func TestChooseNames(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, slots := range []uint32{1, 3, 8, 1000, 31_250} {
		for _, n := range []int{maxNewNames + 1, maxNewNames + 1000, 4 * maxNewNames} {
			entries := make([]nameEntry, n)
			for i := range entries {
				binary.BigEndian.PutUint64(entries[i].hash[:], rnd.Uint64())
				entries[i].num = store.Num(i + 1)
			}
			moving, staying := chooseNames(entries, slots)
			seen := make([]bool, n+1)
			parts := map[int]int{}
			for i, e := range append(moving[:len(moving):len(moving)], staying...) {
				if seen[e.num] {
					t.Fatalf("%d is there twice", e.num)
				}
				seen[e.num] = true
				part, moves := int(uint64(slotOf(&e.hash, slots))*nameParts/uint64(slots)), 1
				if i >= len(moving) {
					moves = 2
				}
				parts[part] |= moves
			}
			moved := 0
			for part, which := range parts {
				if which == 3 {
					t.Errorf("of part %d some move and others stay", part)
				}
				moved += which & 1
			}
			if len(moving)+len(staying) != n || len(staying) > namesStay {
				t.Errorf("%d slots, %d entries: %d move, %d stay", slots, n, len(moving), len(staying))
			}
			if slots > nameParts && n == maxNewNames+1 && moved > nameParts/2 {
				t.Errorf("%d slots: %d of %d parts move for the sake of a few entries", slots, moved, nameParts)
			}
		}
	}
}
