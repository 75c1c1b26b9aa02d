package postgres

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
)

// streams are the states of a partition's streams, as JSON.
type streams struct {
	states  map[string]string
	changed map[string]bool
}

// Stream implements store.Reader.
func (t *tx) Stream(name string) (s store.StreamState, err error) {
	state, ok := t.streams.states[name]
	if !ok {
		return s, t.failed
	}
	if err := json.Unmarshal([]byte(state), &s); err != nil {
		return store.StreamState{}, t.s.corrupt("stream")
	}
	return s, nil
}

// Streams implements store.Reader.
func (t *tx) Streams() (names []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(t.streams.states)) {
		if t.streams.states[name] != "{}" {
			names = append(names, name)
		}
	}
	return names, t.failed
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
	if old, ok := t.streams.states[name]; ok && old == string(value) {
		return nil
	}
	t.streams.states[name], t.streams.changed[name] = string(value), true
	return nil
}

func (t *tx) flushStreams() error {
	var names, states []string
	for name := range t.streams.changed {
		names, states = append(names, name), append(states, t.streams.states[name])
	}
	clear(t.streams.changed)
	if len(names) == 0 {
		return nil
	}
	return t.write(`insert into @.stream (part, name, state) select $1, * from unnest($2::text[], $3::text[]) on conflict (part, name) do update set state = excluded.state`,
		names, states)
}

// seen is what became of what was seen under a name since the last flush: chunks were added, and before that it may have been cleared.
type seen struct {
	cleared bool
	chunks  [][]byte
}

// Seen implements store.Reader.
func (t *tx) Seen(stream string, fn func(chunk []byte) bool) error {
	if err := t.flushSeen(); err != nil {
		return err
	}
	var list [][]byte
	err := t.query(func(rows pgx.Rows) error {
		var chunk []byte
		err := rows.Scan(&chunk)
		list = append(list, chunk)
		return err
	}, `select chunk from @.seen where part = $1 and stream = $2 order by seq`, stream)
	if err != nil {
		return err
	}
	for _, chunk := range list {
		if !fn(chunk) {
			return nil
		}
	}
	return nil
}

// AppendSeen implements store.Writer.
func (t *tx) AppendSeen(stream string, chunk []byte) error {
	s := t.seen[stream]
	s.chunks = append(s.chunks, append([]byte{}, chunk...))
	t.seen[stream] = s
	return t.failed
}

// ClearSeen implements store.Writer.
func (t *tx) ClearSeen(stream string) error {
	t.seen[stream] = seen{cleared: true}
	return t.failed
}

func (t *tx) flushSeen() error {
	for stream, s := range t.seen {
		if s.cleared {
			if err := t.erase(`delete from @.seen where part = $1 and stream = $2`, stream); err != nil {
				return err
			}
		}
		if len(s.chunks) > 0 {
			err := t.write(`insert into @.seen (part, stream, seq, chunk)
				select $1, $2, coalesce((select max(seq) from @.seen where part = $1 and stream = $2), 0) + c.at, c.chunk from unnest($3::bytea[]) with ordinality c(chunk, at)`,
				stream, s.chunks)
			if err != nil {
				return err
			}
		}
	}
	clear(t.seen)
	return nil
}
