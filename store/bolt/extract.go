package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"go.etcd.io/bbolt"
)

// extract writes a bbolt file that holds some of another one's partitions. It copies their pages, each to where it is in
// the other file, so that they need no change, and what is between them stays a hole. Behind them come pages of its own: a
// top level that names these partitions, and the list of free pages. To put key after key into a new file would take
// seven times as long.
func extract(to *os.File, from io.ReaderAt, btx *bbolt.Tx, keys [][]byte) error {
	size := int64(btx.DB().Info().PageSize)
	c := &pageCheck{f: from, h: header{pageSize: size, high: uint64(btx.Size() / size)}}
	c.used = make([]bool, c.h.high)
	c.used[0], c.used[1] = true, true
	var top []element
	for _, key := range keys {
		b := btx.Bucket(key)
		if b == nil {
			continue
		}
		if b.Root() != 0 {
			c.tree(uint64(b.Root()), nil, nil)
		}
		top = append(top, element{flags: bucketFlag, key: key, value: bucketValue(b)})
	}
	if len(c.problems) > 0 {
		return errors.Join(c.problems...)
	}
	if len(top) >= manyFree {
		return fmt.Errorf("%d partitions are too many for one copy", len(top))
	}
	if err := copyPages(to, from, c.used, size); err != nil {
		return err
	}
	h := header{pageSize: size, root: c.h.high, txid: lastInitTxid + 1}
	root := newLeaf(h.root, top, size)
	h.freelist = h.root + uint64(int64(len(root))/size)
	free := newFreeList(h.freelist, c.used, size)
	h.high = h.freelist + uint64(int64(len(free))/size)
	for _, page := range [][]byte{root, free, newMeta(0, h), newMeta(1, h)} {
		if _, err := to.WriteAt(page, int64(binary.NativeEndian.Uint64(page))*size); err != nil {
			return err
		}
	}
	return nil
}

// copyPages copies the pages that are used, but for the two copies of the meta.
func copyPages(to io.WriterAt, from io.ReaderAt, used []bool, size int64) error {
	buf := make([]byte, 1<<20)
	for first := 2; first < len(used); {
		end := first
		for end < len(used) && used[end] {
			end++
		}
		at := int64(first) * size
		if _, err := io.CopyBuffer(io.NewOffsetWriter(to, at), io.NewSectionReader(from, at, int64(end-first)*size), buf); err != nil {
			return err
		}
		first = end + 1
	}
	return nil
}

// bucketValue makes what stands for a bucket in the page above it. The page of a small one is in it.
func bucketValue(b *bbolt.Bucket) []byte {
	value := binary.NativeEndian.AppendUint64(nil, uint64(b.Root()))
	value = binary.NativeEndian.AppendUint64(value, b.Sequence())
	if b.Root() != 0 {
		return value
	}
	var list []element
	for k, v := range scan(b, nil, nil) {
		list = append(list, element{key: k, value: v})
	}
	return append(value, newLeaf(0, list, int64(pageHeader+sizeOf(list)))...)
}

// newPage makes a page with room for a body, and as many overflow pages as that takes.
func newPage(id uint64, flags uint16, count int, body int, size int64) []byte {
	pages := (int64(pageHeader+body) + size - 1) / size
	page := make([]byte, pages*size)
	order := binary.NativeEndian
	order.PutUint64(page, id)
	order.PutUint16(page[8:], flags)
	order.PutUint16(page[10:], uint16(count))
	order.PutUint32(page[12:], uint32(pages-1))
	return page
}

func sizeOf(list []element) (size int) {
	for _, e := range list {
		size += elementSize + len(e.key) + len(e.value)
	}
	return size
}

// newLeaf makes a page that the function elements takes apart.
func newLeaf(id uint64, list []element, size int64) []byte {
	page := newPage(id, leafPage, len(list), sizeOf(list), size)
	order := binary.NativeEndian
	data := pageHeader + len(list)*elementSize
	for i, e := range list {
		at := pageHeader + i*elementSize
		order.PutUint32(page[at:], e.flags)
		order.PutUint32(page[at+4:], uint32(data-at))
		order.PutUint32(page[at+8:], uint32(len(e.key)))
		order.PutUint32(page[at+12:], uint32(len(e.value)))
		data += copy(page[data:], e.key)
		data += copy(page[data:], e.value)
	}
	return page
}

// newFreeList makes the page that lists what is not used.
func newFreeList(id uint64, used []bool, size int64) []byte {
	var list []uint64
	for id, used := range used {
		if !used {
			list = append(list, uint64(id))
		}
	}
	count := len(list)
	if count >= manyFree {
		list = append([]uint64{uint64(count)}, list...)
		count = manyFree
	}
	page := newPage(id, freePage, count, 8*len(list), size)
	for i, id := range list {
		binary.NativeEndian.PutUint64(page[pageHeader+8*i:], id)
	}
	return page
}

// newMeta makes a copy of the meta, for parseMeta.
func newMeta(id uint64, h header) []byte {
	page := newPage(id, metaFlag, 0, metaSize, h.pageSize)
	b, order := page[metaOffset:metaOffset+metaSize], binary.NativeEndian
	order.PutUint32(b, metaMagic)
	order.PutUint32(b[4:], metaVersion)
	order.PutUint32(b[8:], uint32(h.pageSize))
	order.PutUint64(b[16:], h.root)
	order.PutUint64(b[32:], h.freelist)
	order.PutUint64(b[40:], h.high)
	order.PutUint64(b[48:], h.txid+id)
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	order.PutUint64(b[56:], sum.Sum64())
	return page
}
