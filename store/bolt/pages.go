package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The pages of a bbolt file, version 2 (go.etcd.io/bbolt/internal/common). bbolt has a check of its own, but it
// runs in a goroutine that nobody can guard and follows what it reads: a damaged page can end the process.
// This one reads the file, not the mapping, and believes nothing.
//
// The pages may be other ones in another version of bbolt: boltVersion is the one whose files were looked at.
const (
	boltVersion = "v1.5.0"

	pageHeader  = 16 // id8 flags2 count2 overflow4
	elementSize = 16 // branch: pos4 ksize4 page8; leaf: flags4 pos4 ksize4 vsize4
	bucketSize  = 16 // root8 sequence8, and the page itself when root is zero
	branchPage  = 0x01
	leafPage    = 0x02
	freePage    = 0x10
	bucketFlag  = 0x01
	manyFree    = 0xFFFF // the true count follows the header
)

var errUnwanted = errors.New("nobody waits for the check any more")

var errElement = errors.New("an element is not within its page")

// pageCheck walks the pages of a file. Every page below the high-water mark must be used once or be free.
type pageCheck struct {
	f        io.ReaderAt
	h        header
	used     []bool
	wanted   func(pages uint64) bool
	problems []error
}

// checkPages returns what is wrong with the pages of a file, which nobody may change meanwhile. It ends early, with something wrong, when
// wanted, that is told of all pages that are read, says so.
func checkPages(f io.ReaderAt, h header, wanted func(pages uint64) bool) []error {
	if h.pageSize < 1024 || h.high < 2 || h.high > uint64(1<<62/h.pageSize) {
		return []error{errors.New("the header cannot be")}
	}
	c := &pageCheck{f: f, h: h, used: make([]bool, h.high), wanted: wanted}
	c.used[0], c.used[1] = true, true
	c.tree(h.root, nil, nil)
	c.freePages()
	for id, used := range c.used {
		if !used {
			c.bad(uint64(id), errors.New("neither used nor free"))
		}
	}
	return c.problems
}

func (c *pageCheck) bad(id uint64, err error) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, fmt.Errorf("page %d: %w", id, err))
	}
}

// use marks pages as used.
func (c *pageCheck) use(first, count uint64) error {
	if first >= c.h.high || count > c.h.high-first {
		return errors.New("beyond the end")
	}
	for id := first; id < first+count; id++ {
		if c.used[id] {
			return errors.New("used twice, or free and used")
		}
		c.used[id] = true
	}
	return nil
}

// read returns a page with its overflow, and marks it as used.
func (c *pageCheck) read(id uint64) ([]byte, error) {
	var head [pageHeader]byte
	if id >= c.h.high {
		return nil, errors.New("beyond the end")
	}
	if _, err := c.f.ReadAt(head[:], int64(id)*c.h.pageSize); err != nil {
		return nil, err
	}
	if binary.NativeEndian.Uint64(head[:]) != id {
		return nil, errors.New("it says that it is another page")
	}
	count := 1 + uint64(binary.NativeEndian.Uint32(head[12:]))
	if err := c.use(id, count); err != nil {
		return nil, err
	}
	if !c.wanted(count) {
		return nil, errUnwanted
	}
	page := make([]byte, int64(count)*c.h.pageSize)
	_, err := c.f.ReadAt(page, int64(id)*c.h.pageSize)
	return page, err
}

// element is a part of a page: a child of a branch, or a key and its value.
type element struct {
	flags      uint32
	child      uint64
	key, value []byte
}

func pageFlags(page []byte) uint16 { return binary.NativeEndian.Uint16(page[8:]) }

// elements takes a branch or leaf page apart.
func elements(page []byte) ([]element, error) {
	order := binary.NativeEndian
	count := int(order.Uint16(page[10:]))
	if pageHeader+count*elementSize > len(page) {
		return nil, errElement
	}
	list := make([]element, count)
	for i := range list {
		at := pageHeader + i*elementSize
		head := page[at : at+elementSize]
		var pos, keySize, valueSize uint64
		if pageFlags(page) == branchPage {
			pos, keySize = uint64(order.Uint32(head)), uint64(order.Uint32(head[4:]))
			list[i].child = order.Uint64(head[8:])
		} else {
			list[i].flags = order.Uint32(head)
			pos, keySize, valueSize = uint64(order.Uint32(head[4:])), uint64(order.Uint32(head[8:])), uint64(order.Uint32(head[12:]))
		}
		from := uint64(at) + pos
		if from+keySize+valueSize > uint64(len(page)) || keySize == 0 {
			return nil, errElement
		}
		list[i].key = page[from : from+keySize]
		list[i].value = page[from+keySize : from+keySize+valueSize]
	}
	return list, nil
}

// tree checks a page and what is below it. Its keys are not less than low and, unless high is nil, less than
// high.
func (c *pageCheck) tree(id uint64, low, high []byte) {
	page, err := c.read(id)
	if err == nil {
		err = c.content(page, low, high, false)
	}
	if err != nil {
		c.bad(id, err)
	}
}

// content checks a page's elements. A page within a value has no buckets.
func (c *pageCheck) content(page, low, high []byte, inline bool) error {
	flags := pageFlags(page)
	if flags != branchPage && flags != leafPage {
		return fmt.Errorf("it is of kind %#x, not a branch or a leaf", flags)
	}
	list, err := elements(page)
	if err != nil {
		return err
	}
	for i, e := range list {
		if bytes.Compare(e.key, low) < 0 || (i > 0 && bytes.Equal(e.key, low)) || (high != nil && bytes.Compare(e.key, high) >= 0) {
			return errors.New("its keys are not in order")
		}
		low = e.key
		switch {
		case flags == branchPage:
			next := high
			if i+1 < len(list) {
				next = list[i+1].key
			}
			c.tree(e.child, e.key, next)
		case e.flags&bucketFlag != 0 && inline:
			return errElement
		case e.flags&bucketFlag != 0:
			if err := c.bucket(e.value); err != nil {
				return err
			}
		}
	}
	return nil
}

// bucket checks a nested bucket. A small one has its only page within its value.
func (c *pageCheck) bucket(value []byte) error {
	if len(value) < bucketSize {
		return errElement
	}
	root := binary.NativeEndian.Uint64(value)
	switch {
	case root != 0:
		c.tree(root, nil, nil)
		return nil
	case len(value) < bucketSize+pageHeader || pageFlags(value[bucketSize:]) != leafPage:
		return errElement
	default:
		return c.content(value[bucketSize:], nil, nil, true)
	}
}

// freePages checks the list of free pages.
func (c *pageCheck) freePages() {
	page, err := c.read(c.h.freelist)
	if err == nil && pageFlags(page) != freePage {
		err = errors.New("it is not the list of free pages")
	}
	if err != nil {
		c.bad(c.h.freelist, err)
		return
	}
	count, list := uint64(binary.NativeEndian.Uint16(page[10:])), page[pageHeader:]
	if count == manyFree {
		count, list = binary.NativeEndian.Uint64(list), list[8:]
	}
	if count > uint64(len(list)/8) {
		c.bad(c.h.freelist, errElement)
		return
	}
	for ; count > 0; count, list = count-1, list[8:] {
		id := binary.NativeEndian.Uint64(list)
		if err := c.use(id, 1); err != nil {
			c.bad(id, err)
		}
	}
}
