package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
)

// table is what the events have made: records by subject. Every line of its file is an event that was taken and what its
// record was then, so that a file that is read from its beginning to its end gives the table, and the ids that were taken.
type table struct {
	mu    sync.Mutex
	file  *os.File
	size  int64 // of the lines that are whole
	rows  map[string]row
	taken map[string]bool
}

// row is a record, and its lists: members of a group, holders of a licence.
type row struct {
	Active bool                `json:"active"`
	Record map[string]any      `json:"record"`
	Lists  map[string][]string `json:"lists,omitempty"`
}

// line is a line of the file. Row is nil after a delete.
type line struct {
	ID      string `json:"id"`
	Subject string `json:"subject"`
	Row     *row   `json:"row"`
}

func openTable(name string) (*table, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	t := &table{file: file, rows: map[string]row{}, taken: map[string]bool{}}
	for in := bufio.NewReader(file); ; {
		data, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break // what is left has no line break: it was cut, and never answered
		}
		var l line
		if err == nil {
			err = json.Unmarshal(data, &l)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		t.size += int64(len(data))
		t.put(&l)
	}
	return t, file.Truncate(t.size)
}

func (t *table) put(l *line) {
	t.taken[l.ID] = true
	if l.Row == nil {
		delete(t.rows, l.Subject)
	} else {
		t.rows[l.Subject] = *l.Row
	}
}

// take takes events, those that are new, and returns the ones that it refuses. Nothing was taken after an error.
func (t *table) take(events []event) (refused []result, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	refused = []result{}
	var made []line
	var out bytes.Buffer
	changed, taken := map[string]*row{}, map[string]bool{}
	for i := range events {
		e := &events[i]
		if t.taken[e.ID] || taken[e.ID] {
			continue
		}
		before, ok := changed[e.Subject]
		if r, known := t.rows[e.Subject]; !ok && known {
			before = &r
		}
		after, err := apply(before, e)
		if err != nil {
			refused = append(refused, result{e.ID, http.StatusUnprocessableEntity, err.Error()})
			continue
		}
		l := line{e.ID, e.Subject, after}
		data, err := json.Marshal(l)
		if err != nil {
			return nil, err
		}
		taken[e.ID], changed[e.Subject] = true, after
		made = append(made, l)
		out.Write(append(data, '\n'))
	}
	// What was answered must survive a power cut.
	_, err = t.file.WriteAt(out.Bytes(), t.size)
	if err == nil {
		err = t.file.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, t.file.Truncate(t.size))
	}
	t.size += int64(out.Len())
	for i := range made {
		t.put(&made[i])
	}
	return refused, nil
}

// A joiner is who comes with the op "create", without "initial": true, and not as "sent again": only then is it time for a welcome.

// apply says what an event makes of a record; nil stands for none.
func apply(before *row, e *event) (*row, error) {
	switch e.Data.Op {
	case "delete":
		return nil, nil
	case "create", "update", "reactivate", "deactivate":
	default:
		return nil, fmt.Errorf("unknown operation %q", e.Data.Op)
	}
	if e.Subject == "" || e.Data.Record == nil {
		return nil, errors.New("subject or record is missing")
	}
	// The record is complete in every event: whether it was known before does not matter.
	r := &row{Active: e.Data.Op != "deactivate", Record: e.Data.Record, Lists: map[string][]string{}}
	if before != nil && e.Data.Op != "create" { // which lists all members
		maps.Copy(r.Lists, before.Lists)
	}
	for name, data := range e.Data.Changes {
		var change struct{ Added, Removed []string }
		if json.Unmarshal(data, &change) != nil || change.Added == nil {
			continue // a field; what it is now stands in the record
		}
		members := slices.DeleteFunc(slices.Concat(r.Lists[name], change.Added), func(m string) bool { return slices.Contains(change.Removed, m) })
		slices.Sort(members)
		r.Lists[name] = slices.Compact(members)
	}
	return r, nil
}

// show prints the table, one record a line.
func (t *table) show(to io.Writer) error {
	out := json.NewEncoder(to)
	out.SetEscapeHTML(false)
	for _, subject := range slices.Sorted(maps.Keys(t.rows)) {
		r := t.rows[subject]
		shown := map[string]any{"subject": subject, "active": r.Active, "record": r.Record}
		for name, members := range r.Lists {
			if len(members) > 0 {
				shown[name] = members
			}
		}
		if err := out.Encode(shown); err != nil {
			return err
		}
	}
	return nil
}
