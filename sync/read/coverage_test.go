package read

import (
	"errors"
	"testing"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/relations"
)

func sampleCoverage() *coverage {
	s := newCoverage()
	s.named = 5
	s.objects.AddMany([]uint32{1, 2, 70_000})
	s.whole.Add(9)
	s.mayBeShort.Add(9)
	s.members[3] = relations.Set([]store.Num{4, 5})
	s.unlisted[9] = relations.Set([]store.Num{6})
	return s
}

func TestCoverageSurvivesTheStore(t *testing.T) {
	s := sampleCoverage()
	chunk, err := s.encode()
	if err != nil {
		t.Fatal(err)
	}
	got := newCoverage()
	for range 2 { // a chunk that comes twice adds memberships only
		if err := got.decode(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if !got.objects.Equals(s.objects) || !got.whole.Equals(s.whole) || !got.mayBeShort.Equals(s.mayBeShort) || !got.members[3].Equals(s.members[3]) || !got.unlisted[9].Equals(s.unlisted[9]) {
		t.Errorf("got %+v, want %+v", got, s)
	}
	for cut := 1; cut < len(chunk); cut++ {
		if err := newCoverage().decode(chunk[:cut]); err != nil && !errors.Is(err, directory.ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v", cut, err)
		}
	}
}

func FuzzCoverage(f *testing.F) {
	chunk, err := sampleCoverage().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(chunk)
	f.Add([]byte{})
	f.Add([]byte{0, 'o', 0, 200})
	f.Fuzz(func(_ *testing.T, data []byte) {
		_ = newCoverage().decode(data) // must not panic, nor take memory for a damaged length
	})
}
