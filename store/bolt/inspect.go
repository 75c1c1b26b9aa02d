package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"syscall"

	"dirsyncd/sync/fault"
)

// The beginning of a bbolt file, version 2 (go.etcd.io/bbolt/internal/common/meta.go): two copies of the meta
// page, of which the one with the higher transaction number and a valid checksum counts. Integers have the
// machine's byte order.
const (
	metaMagic   = 0xED0CDAED
	metaVersion = 2
	metaOffset  = 16 // of the meta within its page
	metaSize    = 64
	maxPageSize = 64 << 10
)

var errShort = errors.New("the file is shorter than its header says")

// inspect looks at an existing file before bbolt maps it into memory: an access behind the end of a mapped
// file ends the process. It leaves alone what another process holds at the moment.
func inspect(path string, readOnly bool) error {
	f, err := os.Open(path)
	if err != nil {
		return classify("open state", path, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil {
		return nil // bbolt waits for the lock, and says so if it does not get it
	}
	info, err := f.Stat()
	if err != nil {
		return classify("open state", path, err)
	}
	if info.Size() == 0 {
		return beginAnew(path, readOnly)
	}
	h, ok, err := readHeader(f)
	switch {
	case err != nil:
		return classify("open state", path, err)
	case !ok:
		return notOurs(path, errors.New("it does not begin as a bbolt file does"))
	case info.Size() >= h.size():
		return nil
	case h.txid <= lastInitTxid:
		return beginAnew(path, readOnly)
	default:
		return damage("open state", path, fmt.Errorf("%w: %d bytes of %d", errShort, info.Size(), h.size()))
	}
}

// beginAnew prepares a file that a first start left behind when it was killed or found no space: without a
// byte, or cut off before the first transaction. There is nothing in it to lose.
func beginAnew(path string, readOnly bool) error {
	if readOnly {
		return &fault.Error{Class: fault.Configuration, Op: "open state", Where: path,
			Err: fmt.Errorf("the file is empty: %w", ErrNone), Hint: "nothing was synced with this state yet"}
	}
	if err := os.Truncate(path, 0); err != nil {
		return classify("open state", path, err)
	}
	return nil
}

// header is what the newer valid copy of the meta says. Pages are counted from the beginning of the file.
type header struct {
	pageSize int64
	root     uint64 // page of the top-level bucket
	freelist uint64 // page of the list of free pages
	high     uint64 // first page never used
	txid     uint64
}

// size is how long the file must be at least.
func (h *header) size() int64 { return h.pageSize * int64(h.high) }

// lastInitTxid is the number of the newer of the two transactions that a new file pretends to have had.
const lastInitTxid = 1

// readHeader returns false when there is no valid copy: it is not a bbolt file.
func readHeader(f io.ReaderAt) (newest header, found bool, err error) {
	// The second copy is at the page size, which a broken first copy does not tell.
	for offset := int64(0); offset <= maxPageSize; offset = max(1024, 2*offset) {
		var page [metaOffset + metaSize]byte
		if _, err := f.ReadAt(page[:], offset); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return header{}, false, err
		}
		if h, ok := parseMeta(page[metaOffset:]); ok && (!found || h.txid > newest.txid) {
			newest, found = h, true
		}
	}
	return newest, found, nil
}

// parseMeta reads one copy of the meta: magic, version, page size, flags, root bucket (page and sequence),
// free list, first page never used, transaction, checksum of all that.
func parseMeta(b []byte) (h header, ok bool) {
	order := binary.NativeEndian
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	if order.Uint32(b) != metaMagic || order.Uint32(b[4:]) != metaVersion || order.Uint64(b[56:]) != sum.Sum64() {
		return header{}, false
	}
	return header{
		pageSize: int64(order.Uint32(b[8:])), root: order.Uint64(b[16:]), freelist: order.Uint64(b[32:]),
		high: order.Uint64(b[40:]), txid: order.Uint64(b[48:]),
	}, true
}
