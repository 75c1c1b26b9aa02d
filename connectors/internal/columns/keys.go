package columns

import "hash/maphash"

// Keys remembers which ids were there, in 11 to 16 bytes of memory each, and so finds those that come twice. Two different ids
// are taken for the same once in many million reads of a million rows; that can only make somebody stay. The zero value is empty.
type Keys struct {
	seed   maphash.Seed
	shards [256]shard
	n      int
}

// shard is an open hash table; 0 is free.
type shard struct {
	slots []uint64
	used  int
}

// Add takes an id and reports whether it is new.
func (k *Keys) Add(id string) bool {
	if k.n == 0 {
		k.seed = maphash.MakeSeed()
	}
	h := maphash.String(k.seed, id) | 1<<63
	if !k.shards[byte(h>>40)].add(h) {
		return false
	}
	k.n++
	return true
}

// Len is how many there were.
func (k *Keys) Len() int { return k.n }

func (s *shard) add(h uint64) bool {
	if s.used*4 >= len(s.slots)*3 {
		s.grow()
	}
	for i := h % uint64(len(s.slots)); ; i = (i + 1) % uint64(len(s.slots)) {
		switch s.slots[i] {
		case h:
			return false
		case 0:
			s.slots[i] = h
			s.used++
			return true
		}
	}
}

func (s *shard) grow() {
	old := s.slots
	s.slots, s.used = make([]uint64, max(8, len(old)*3/2)), 0
	for _, h := range old {
		if h != 0 {
			s.add(h)
		}
	}
}
