package bolt

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"dirsyncd/sync/directory"
)

// What is kept of the actions of runs is in parts, as many actions in one as were queued in a transaction: a value of the bucket is a part,
// its key the run and the position of the first action. How many bytes all parts take is counted beside the buckets.

// keptBytesKey is where the bytes of all parts are counted.
const keptBytesKey = "history"

// About as many bytes take an action and a change of it.
const (
	actionRoom = 72
	changeRoom = 40
)

// actionKey is the key of a part. No id of a run has a NUL.
func actionKey(run string, position int) []byte {
	return binary.BigEndian.AppendUint32(append([]byte(run), 0), uint32(position))
}

func parseActionKey(k []byte) (run string, from int, ok bool) {
	at := bytes.IndexByte(k, 0)
	if at < 1 || len(k) != at+5 {
		return "", 0, false
	}
	return string(k[:at]), int(binary.BigEndian.Uint32(k[at+1:])), true
}

// KeepActions implements store.Writer.
func (t *tx) KeepActions(run string, from int, list []directory.RunAction) error {
	if run == "" || strings.IndexByte(run, 0) >= 0 {
		return misuse("a run has no id")
	}
	if len(list) == 0 {
		return nil
	}
	key := actionKey(run, from)
	room := 0
	for i := range list {
		room += actionRoom + changeRoom*len(list[i].Changes)
	}
	value := directory.AppendRunActions(make([]byte, 0, room), list)
	if err := t.put(runActions, key, value); err != nil {
		return err
	}
	kept, err := t.keptBytes()
	if err != nil {
		return err
	}
	return t.putKeptBytes(kept + int64(len(key)+len(value)))
}

func (t *tx) keptBytes() (int64, error) {
	value := t.value(keptBytesKey)
	if value == nil {
		return 0, nil
	}
	n, size := binary.Uvarint(value)
	if size != len(value) {
		return 0, damage("read history", t.s.path, corrupt(keptBytesKey))
	}
	return int64(n), nil
}

func (t *tx) putKeptBytes(n int64) error {
	return t.putValue(keptBytesKey, binary.AppendUvarint(nil, uint64(max(n, 0))))
}

// RunActions implements store.Reader.
func (t *tx) RunActions(run string, from int, fn func(at int, a directory.RunAction) bool) error {
	b := t.bucket(runActions)
	if b == nil || run == "" {
		return nil
	}
	prefix := append([]byte(run), 0)
	c := b.Cursor()
	k, value := c.Seek(actionKey(run, from))
	if k == nil || !bytes.Equal(k, actionKey(run, from)) { // it is in the part before
		if k, value = c.Prev(); k == nil || !bytes.HasPrefix(k, prefix) {
			k, value = c.Seek(prefix)
		}
	}
	for ; k != nil && bytes.HasPrefix(k, prefix); k, value = c.Next() {
		list, first, err := t.part(k, value, "")
		if err != nil {
			return err
		}
		for i := range list {
			if first+i >= from && !fn(first+i, list[i]) {
				return nil
			}
		}
	}
	return nil
}

// part takes a part apart.
func (t *tx) part(k, value []byte, key string) (list []directory.RunAction, first int, err error) {
	_, first, ok := parseActionKey(k)
	list, err = directory.ParseRunActions(value, key)
	if !ok || err != nil {
		return nil, 0, t.corrupt(runActions)
	}
	return list, first, nil
}

// ActionsOf implements store.Reader.
func (t *tx) ActionsOf(key string, fn func(run string, a directory.RunAction) bool) error {
	b := t.bucket(runActions)
	if b == nil || key == "" {
		return nil
	}
	c := b.Cursor()
	for k, value := c.Last(); k != nil; k, value = c.Prev() {
		list, _, err := t.part(k, value, key)
		if err != nil {
			return err
		}
		run, _, _ := parseActionKey(k)
		for _, a := range slices.Backward(list) {
			if !fn(run, a) {
				return nil
			}
		}
	}
	return nil
}

// ActionsKept implements store.Reader.
func (t *tx) ActionsKept() (first string, at int, kept int64, err error) {
	for k := range t.all(runActions) {
		var ok bool
		if first, at, ok = parseActionKey(k); !ok {
			return "", 0, 0, t.corrupt(runActions)
		}
		break
	}
	kept, err = t.keptBytes()
	return first, at, kept, err
}

// ForgetActions implements store.Writer.
func (t *tx) ForgetActions(before string, most int64) error {
	kept, err := t.keptBytes()
	if err != nil {
		return err
	}
	var old [][]byte
	left := kept
	for k, value := range t.all(runActions) {
		run, _, ok := parseActionKey(k)
		if !ok {
			return t.corrupt(runActions)
		}
		if run >= before && left <= most {
			break
		}
		left -= int64(len(k) + len(value))
		old = append(old, bytes.Clone(k))
	}
	if len(old) == 0 {
		return nil
	}
	for i, k := range old {
		if err := t.del(runActions, k); err != nil {
			return err
		}
		run, _, _ := parseActionKey(k)
		if i+1 < len(old) && bytes.HasPrefix(old[i+1], k[:len(run)+1]) {
			continue
		}
		if err := t.forgetWith(run); err != nil {
			return err
		}
	}
	return t.putKeptBytes(left)
}

// forgetWith forgets a run whose last actions are forgotten, if it is not one of the newest.
func (t *tx) forgetWith(run string) error {
	seq, ok := t.get(runIDs, []byte(run))
	if !ok {
		return nil
	}
	b, n := t.bucket(runs), binary.BigEndian.Uint64(seq)
	if b == nil || n+keptRuns > b.Sequence() {
		return nil
	}
	return t.forgetRun(n)
}

// dropRunActions leads from version 7 to 8. Version 7 kept the first 2,000 actions of each of the latest runs, without what an undo needs.
func dropRunActions(btx *bbolt.Tx) error {
	for _, key := range slices.Collect(partitionNames(btx)) {
		root := btx.Bucket(key)
		if root.Bucket([]byte("runs.actions")) == nil {
			continue
		}
		if err := root.DeleteBucket([]byte("runs.actions")); err != nil {
			return err
		}
	}
	return nil
}
