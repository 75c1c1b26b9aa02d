package file

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"dirsyncd/sync/targets/event"
)

// What is remembered of the end of a file. A delivery that was written but not acknowledged is at most one
// batch; the rest is reserve.
const (
	rememberedIDs = 4 * batch
	fewestIDs     = 2 * batch
	tailBytes     = 8 << 20 // beyond fewestIDs, no more than this is read
	chunk         = 64 << 10
)

// recent remembers the ids of the last events, the oldest making room for new ones.
type recent struct {
	ids  map[string]struct{}
	ring []string
	next int
}

func (r *recent) has(id string) bool {
	_, ok := r.ids[id]
	return ok
}

func (r *recent) add(id string) {
	if r.has(id) {
		return
	}
	if r.ids == nil {
		r.ids = make(map[string]struct{}, rememberedIDs)
	}
	id = strings.Clone(id) // it may be a part of a whole action's text
	if len(r.ring) < rememberedIDs {
		r.ring = append(r.ring, id)
	} else {
		delete(r.ids, r.ring[r.next])
		r.ring[r.next] = id
		r.next = (r.next + 1) % rememberedIDs
	}
	r.ids[id] = struct{}{}
}

// load adds the ids of the last events of a file. What was remembered stays: it may be in the file that this
// one has replaced.
func (r *recent) load(f io.ReaderAt, size int64) error {
	start, err := tailStart(f, size)
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(io.NewSectionReader(f, start, size-start), chunk)
	for {
		head, err := in.ReadSlice('\n')
		if id, ok := event.ID(head); ok {
			r.add(id)
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// tailStart returns where the lines begin that are worth reading.
func tailStart(f io.ReaderAt, size int64) (int64, error) {
	lines := 0
	start := int64(0)
	err := backwards(f, size, func(at int64, part []byte) bool {
		for i := len(part) - 1; i >= 0; i-- {
			i = bytes.LastIndexByte(part[:i+1], '\n')
			if i < 0 {
				break
			}
			lines++
			if lines > rememberedIDs || (lines > fewestIDs && size-at > tailBytes) {
				start = at + int64(i) + 1
				return false
			}
		}
		return true
	})
	return start, err
}

// lastLineBreak returns the length of the file up to and including its last line break.
func lastLineBreak(f io.ReaderAt, size int64) (int64, error) {
	end := int64(0)
	err := backwards(f, size, func(at int64, part []byte) bool {
		i := bytes.LastIndexByte(part, '\n')
		if i >= 0 {
			end = at + int64(i) + 1
		}
		return i < 0
	})
	return end, err
}

// backwards calls fn with the parts of a file from its end to its beginning, and where each one starts, until
// it returns false.
func backwards(f io.ReaderAt, size int64, fn func(at int64, part []byte) bool) error {
	buf := make([]byte, chunk)
	for end := size; end > 0; {
		at := max(0, end-chunk)
		part := buf[:end-at]
		if _, err := f.ReadAt(part, at); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if !fn(at, part) {
			return nil
		}
		end = at
	}
	return nil
}
