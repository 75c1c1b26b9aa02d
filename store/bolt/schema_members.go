package bolt

import (
	"encoding/binary"
	"slices"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
)

// chunkMembers leads from version 6 to 7. Version 6 had the members of a group by group4 handle3: a value was the sorted
// last bytes of those handles that begin with these three.
func chunkMembers(btx *bbolt.Tx) error {
	for _, key := range slices.Collect(partitionNames(btx)) {
		root := btx.Bucket(key)
		old := root.Bucket([]byte("members"))
		if old == nil {
			continue
		}
		chunks, err := chunksOfBytes(old)
		if err != nil {
			return err
		}
		if err := root.DeleteBucket([]byte("members")); err != nil {
			return err
		}
		b, err := root.CreateBucket([]byte("members"))
		if err != nil {
			return err
		}
		b.FillPercent = members.fill()
		for _, c := range chunks {
			if err := b.Put(c.key, c.value); err != nil {
				return err
			}
		}
	}
	return nil
}

type memberChunk struct{ key, value []byte }

// chunksOfBytes reads the members of version 6.
func chunksOfBytes(old *bbolt.Bucket) (chunks []memberChunk, err error) {
	var group store.Num
	var list []store.Num
	end := func() {
		for bound, chunk := range chunksOf(list, maxNum) {
			chunks = append(chunks, memberChunk{memberKey(nil, group, bound), encoding.AppendMembers(nil, chunk)})
		}
		list = list[:0]
	}
	for k, lows := range scan(old, nil, nil) {
		if len(k) != 7 || len(lows) == 0 {
			return nil, corrupt("members")
		}
		if of := store.Num(binary.BigEndian.Uint32(k)); of != group {
			end()
			group = of
		}
		first := store.Num(k[4])<<24 | store.Num(k[5])<<16 | store.Num(k[6])<<8
		for i, low := range lows {
			if i > 0 && lows[i-1] >= low || first|store.Num(low) == 0 {
				return nil, corrupt("members")
			}
			list = append(list, first|store.Num(low))
		}
	}
	end()
	return chunks, nil
}
