package bolt

import (
	"bytes"
	"encoding/json"

	"dirsyncd/store"
)

// Stream implements store.Reader.
func (t *tx) Stream(name string) (store.StreamState, error) {
	var s store.StreamState
	value, ok := t.get(streams, []byte(name))
	if !ok {
		return s, nil
	}
	if err := json.Unmarshal(value, &s); err != nil {
		return store.StreamState{}, t.corrupt(streams)
	}
	return s, nil
}

// Streams implements store.Reader.
func (t *tx) Streams() (names []string, err error) {
	for name, value := range t.all(streams) {
		if string(value) != "{}" {
			names = append(names, string(name))
		}
	}
	return names, nil
}

// PutStream implements store.Writer. A state that is stored already costs no write.
func (t *tx) PutStream(name string, s store.StreamState) error {
	if name == "" {
		return misuse("a stream has no name")
	}
	value, err := json.Marshal(s)
	if err != nil {
		return misuse("stream %s: %w", name, err)
	}
	if old, ok := t.get(streams, []byte(name)); ok && bytes.Equal(old, value) {
		return nil
	}
	return t.put(streams, []byte(name), value)
}

// Seen implements store.Reader.
func (t *tx) Seen(stream string, fn func(chunk []byte) bool) error {
	parent := t.bucket(seen)
	if parent == nil {
		return nil
	}
	for _, chunk := range scan(parent.Bucket([]byte(stream)), nil, nil) {
		if !fn(chunk) {
			return nil
		}
	}
	return nil
}

// AppendSeen implements store.Writer.
func (t *tx) AppendSeen(stream string, chunk []byte) error {
	parent, err := t.writable(seen)
	if err != nil {
		return err
	}
	b, err := parent.CreateBucketIfNotExists([]byte(stream))
	if err != nil {
		return t.failed(err)
	}
	b.FillPercent = seen.fill()
	seq, err := b.NextSequence()
	if err != nil {
		return t.failed(err)
	}
	return t.failed(b.Put(seqKey(seq), t.keep(chunk)))
}

// ClearSeen implements store.Writer.
func (t *tx) ClearSeen(stream string) error {
	parent := t.bucket(seen)
	if parent == nil || parent.Bucket([]byte(stream)) == nil {
		return nil
	}
	t.changed = true
	return t.failed(parent.DeleteBucket([]byte(stream)))
}
