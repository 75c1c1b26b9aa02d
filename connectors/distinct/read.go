package distinct

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// cursor is where a read ended.
type cursor struct {
	Settings string `json:"settings"`
	// Positions are those of the journals, by partition.
	Positions map[string]uint64 `json:"positions"`
	// Named is what is named, and how often.
	Named tallies `json:"named"`
}

// reading is one read.
type reading struct {
	*Connector
	ctx  context.Context //nolint:containedctx // of the one call that the reading lives for
	emit func(*connectors.Page) error

	at      cursor
	touched map[string]made // what may differ from before, by id
}

// Read implements connectors.Connector.
func (c *Connector) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	r := &reading{Connector: c, ctx: ctx, emit: emit, touched: map[string]made{}}
	began := c.env.Now()
	err := r.read(req)
	c.env.Requested(ctx, "distinct", began, err)
	return err
}

func (r *reading) read(req connectors.Request) error {
	var parts []store.Partition
	for _, name := range r.cfg.From {
		list, err := r.partitionsOf(r.ctx, name)
		if err != nil {
			return err
		}
		parts = append(parts, list...)
	}
	whole := req.Mode != connectors.Delta
	if err := r.begin(req, parts, whole); err != nil {
		return err
	}
	for _, p := range parts {
		err := r.env.Stored.View(r.ctx, p, func(tx store.Reader) error {
			if err := mustBeSettled(tx, p); err != nil {
				return err
			}
			if whole {
				return r.all(tx, p)
			}
			return r.since(tx, p)
		})
		if err != nil {
			return err
		}
	}
	return r.send(whole)
}

// begin finds out where the read stands.
func (r *reading) begin(req connectors.Request, parts []store.Partition, whole bool) error {
	sum := sha256.Sum256(fmt.Append(nil, r.cfg.scope(), r.cfg.Blank))
	settings := hex.EncodeToString(sum[:8])
	if !whole {
		if json.Unmarshal(req.Cursor, &r.at) != nil || r.at.Settings != settings {
			return expired("the connection's settings were edited")
		}
		for _, p := range parts {
			if _, ok := r.at.Positions[p.String()]; !ok || len(parts) != len(r.at.Positions) {
				return expired("there are other tenants than before")
			}
		}
	}
	if whole || r.at.Named == nil {
		r.at.Positions, r.at.Named = map[string]uint64{}, tallies{}
	}
	r.at.Settings = settings
	return nil
}

func expired(why string) error {
	return &fault.Error{Class: fault.CursorExpired, Op: "read " + streamName, Err: errors.New(why)}
}

// all counts every record of a partition.
func (r *reading) all(tx store.Reader, p store.Partition) (err error) {
	if _, r.at.Positions[p.String()], err = tx.JournalBounds(); err != nil {
		return err
	}
	for _, kind := range r.cfg.kinds() {
		err := tx.Records(kind, 0, func(_ store.Num, rec directory.Record) bool {
			r.count(&rec, 1)
			return r.ctx.Err() == nil
		})
		if err := errors.Join(err, r.ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

// count counts what a record names that is in use.
func (r *reading) count(rec *directory.Record, by int) {
	if !rec.Active {
		return
	}
	r.at.Named.count(&r.cfg, func(field string) directory.Value {
		v, _ := rec.Get(field)
		return v
	}, by, r.touched)
}

// record is a record of a partition.
type record struct {
	kind directory.RecordKind
	num  store.Num
}

// since counts what the journal of a partition names: what each record said when it was last counted goes, and what it says now comes.
func (r *reading) since(tx store.Reader, p store.Partition) error {
	after := r.at.Positions[p.String()]
	first, last, err := tx.JournalBounds()
	if err != nil {
		return err
	}
	r.at.Positions[p.String()] = last
	if last == after {
		return nil
	}
	if after < first-1 || after > last {
		return expired("what changed in " + p.String() + " is remembered no longer")
	}
	former, err := r.formerly(tx, after)
	if err != nil {
		return err
	}
	kinds, fields := r.cfg.MadeOfRecords()
	numbers := map[directory.RecordKind][]store.Num{}
	for of, was := range former {
		if len(was) > 0 {
			rec := directory.Record{Active: true}
			for _, f := range was {
				rec.Fields = append(rec.Fields, directory.RecordField{Field: f})
			}
			for _, name := range fields {
				if _, told := rec.Get(name); !told {
					return expired("the journal of " + p.String() + " was kept under other settings")
				}
			}
			r.count(&rec, -1)
		}
		numbers[of.kind] = append(numbers[of.kind], of.num)
	}
	for _, kind := range kinds {
		err := tx.RecordsOf(nil, []directory.RecordKind{kind}, numbers[kind], func(_ store.Num, rec directory.Record) bool {
			r.count(&rec, 1)
			return true
		})
		if err != nil {
			return err
		}
	}
	for id := range r.touched {
		if t := r.at.Named[id]; t != nil && !t.sound() {
			return expired("the journal of " + p.String() + " and what was counted before do not agree")
		}
	}
	return nil
}

// formerly returns what each record that a journal names said at a position: nothing of one that was not in use.
func (r *reading) formerly(tx store.Reader, after uint64) (map[record][]directory.Field, error) {
	kinds := r.cfg.kinds()
	former := map[record][]directory.Field{}
	untold := false
	err := tx.Journal(after, func(_ uint64, entries []store.JournalEntry) bool {
		for _, e := range entries {
			of := record{e.Record, e.Num}
			untold = untold || e.Num == 0 && slices.Contains(kinds, e.Record)
			if _, known := former[of]; !known && slices.Contains(kinds, e.Record) {
				former[of] = e.Former
			}
		}
		return true
	})
	if err == nil && untold {
		err = expired("the journal was kept for others for a while, who look at no records")
	}
	return former, err
}

// send emits what was touched, in order: whatever is named is there, and nothing else.
func (r *reading) send(whole bool) error {
	page := &connectors.Page{}
	for _, kind := range r.Describe().Streams[0].Kinds {
		for _, id := range slices.Sorted(maps.Keys(r.touched)) {
			m := r.touched[id]
			switch t := r.at.Named[id]; {
			case m.kind != kind:
				continue
			case t != nil:
				page.Objects = append(page.Objects, m.object(id, t))
			case !whole:
				page.Removed = append(page.Removed, directory.Ref{Kind: kind, ID: id})
			}
			if len(page.Objects)+len(page.Removed) < r.pageSize {
				continue
			}
			if err := r.emit(page); err != nil {
				return err
			}
			page = &connectors.Page{}
		}
	}
	page.Proof = &connectors.Proof{Scope: r.cfg.scope(), Count: -1}
	data, err := json.Marshal(r.at) // the same as before when nothing has changed
	if err != nil {
		return err
	}
	page.Cursor = data
	return r.emit(page)
}
