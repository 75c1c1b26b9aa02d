package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/relations"
	"dirsyncd/sync/settle"
	"dirsyncd/sync/signin/key"
)

// Strangers are people who came by sign-in to a connection of their own, since no directory had them. Some day a directory may: then they are that
// person, and their own record ends.
type Strangers struct {
	// Own is their connection.
	Own *Connection
	// Domains are those of the mail addresses by which they are known, in lower case.
	Domains []string
	// Moved hears of each that is somebody else from now on, before anything is stored of that; it may hear so more than once.
	Moved func(ctx context.Context, from, to Owner) error
}

// takeover is somebody in the directory who is a stranger, too.
type takeover struct {
	num      store.Num // in the directory
	to, from Owner
	of       *Strangers
	replaces string // directory.Subject of the stranger's record
}

// findStrangers looks for strangers among those whom the run is going to settle, and tells the settlement. They have the same address, and nobody else
// has it.
func (r *run) findStrangers(ctx context.Context, task *settle.Task) (list []takeover, err error) {
	task.Replaces = map[store.Num]string{}
	for i := range r.conn.Strangers {
		of := &r.conn.Strangers[i]
		found, err := r.takeovers(ctx, of)
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			task.Replaces[t.num] = t.replaces
		}
		if why, err := r.tooMany(ctx, of, len(found)); err != nil {
			return nil, err
		} else if why != "" {
			task.Less = append(task.Less, why)
		}
		list = append(list, found...)
	}
	return list, nil
}

// tooMany says why so many takeovers are no accident that may happen unasked; empty when they may.
func (r *run) tooMany(ctx context.Context, of *Strangers, n int) (why string, err error) {
	if n == 0 {
		return "", nil
	}
	population := map[directory.RecordKind]int{}
	err = r.engine.store.View(ctx, store.Partition{Connection: of.Own.Name}, func(tx store.Reader) (err error) {
		population[directory.UserRecord], err = tx.ActiveRecords(directory.UserRecord)
		return err
	})
	counts := plan.Counts{directory.UserRecord: {directory.Deactivate: n}}
	if breaches := of.Own.Guard.Check(counts, func(kind directory.RecordKind) int { return population[kind] }); len(breaches) > 0 {
		why = fmt.Sprintf("take %d people for such as signed in to %s: %s", n, of.Own.Name, breaches[0].Text)
	}
	return why, err
}

// addressed is somebody with an address that strangers may have.
type addressed struct {
	num  store.Num
	id   string
	mail key.Key
}

func (r *run) takeovers(ctx context.Context, of *Strangers) (list []takeover, err error) {
	own := Scope{Connection: of.Own.Name}
	if parts, err := r.engine.partitionsOf(ctx, []Scope{own}); err != nil || len(parts) == 0 {
		return nil, err
	}
	people, err := r.addressed(ctx, of.Domains)
	if err != nil {
		return nil, err
	}
	doubtful := 0
	for _, p := range people {
		strangers, err := r.there(ctx, own, p.mail)
		if err != nil || len(strangers) == 0 {
			if err != nil {
				return nil, err
			}
			continue
		}
		same, err := r.there(ctx, Scope{Connection: r.part.Connection, Tenants: []string{r.part.Tenant}}, p.mail)
		if err != nil {
			return nil, err
		}
		if len(strangers) > 1 || len(same) != 1 || same[0].ID != p.id {
			doubtful++
			continue
		}
		kind, err := r.engine.recordKind(ctx, strangers[0])
		if err != nil {
			return nil, err
		}
		list = append(list, takeover{num: p.num, to: same[0], from: strangers[0], of: of, replaces: directory.Subject(kind, strangers[0].Record)})
	}
	if doubtful > 0 {
		r.note(fmt.Sprintf("%d people have a mail address of somebody who signed in to %s, and are not alone with it: both stay until only one has it", doubtful, of.Own.Name))
	}
	return list, nil
}

// addressed lists the people who are to be settled and have an address in some domains.
func (r *run) addressed(ctx context.Context, domains []string) (list []addressed, err error) {
	look := func(row store.Row) error {
		if row.Num == 0 || row.Gone != store.Here {
			return nil
		}
		o, err := row.Object("look for people who signed in")
		if err != nil {
			return err
		}
		for _, k := range key.OfObject(&o, []key.Field{{Kind: key.Mail, Name: directory.FieldEmail}}) {
			if _, domain, _ := strings.Cut(k.Value, "@"); slices.Contains(domains, domain) {
				list = append(list, addressed{row.Num, o.ID, k})
			}
		}
		return nil
	}
	if r.state.RulesHash == "" { // nobody is marked before the first settling
		var bad error
		err = store.EachRow(ctx, r.state.view, directory.Person, func(row store.Row) { bad = errors.Join(bad, look(row)) })
		return list, errors.Join(err, bad)
	}
	err = r.state.view(ctx, func(tx store.Reader) error {
		list = nil
		var nums []store.Num
		if err := tx.Dirty(directory.Person, 0, func(n store.Num, _ store.DirtyReason) bool { nums = append(nums, n); return true }); err != nil {
			return err
		}
		for chunk := range slices.Chunk(nums, settle.Chunk) {
			rows, err := tx.RowsOf(directory.Person, chunk, nil)
			for i := range rows {
				err = errors.Join(err, look(rows[i]))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// there lists those who have a key and whose object is there.
func (r *run) there(ctx context.Context, where Scope, k key.Key) (list []Owner, err error) {
	found, err := r.engine.Find(ctx, []Scope{where}, []key.Key{k})
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		s, err := r.engine.Standing(ctx, f.Owner)
		if err != nil {
			return nil, err
		}
		if s.There {
			list = append(list, f.Owner)
		}
	}
	return list, nil
}

// recordKind is the kind of somebody's active record, or of the one that there was.
func (e *Engine) recordKind(ctx context.Context, o Owner) (kind directory.RecordKind, err error) {
	kind = directory.UserRecord
	err = e.store.View(ctx, o.Partition, func(tx store.Reader) error {
		nums, err := tx.Lookup([]string{directory.IDHandle(o.ID)}, nil)
		if err != nil {
			return err
		}
		return tx.RecordsOf(nil, mapping.RecordsOf(directory.Person), nums, func(_ store.Num, rec directory.Record) bool {
			kind = rec.Kind
			return !rec.Active
		})
	})
	return kind, err
}

// releaseStrangers ends the records of those who are somebody in the directory who has one after the settlement: before that is made, so that a
// place which has room for one of them only can make it. Whose record waits in the directory keeps their own.
func (r *run) releaseStrangers(ctx context.Context, s *settle.Settlement, list []takeover) error {
	for _, t := range list {
		kind, ok := s.Replacing(t.num)
		if !ok {
			continue
		}
		to := t.to
		to.Record = r.settleTask().Origin.Of(to.ID).RecordKey()
		if r.job.visits == nil { // else it is a plan only
			if err := t.of.Moved(ctx, t.from, to); err != nil {
				return err
			}
		}
		if err := r.engine.release(ctx, t.of.Own, t.from, directory.Subject(kind, to.Record)); err != nil {
			return err
		}
		r.log.Info("a person who came by sign-in is in the directory now", "record", t.from.Record, "replaced_by", to.Record)
	}
	return nil
}

// release ends somebody's record for the one that replaces it, and forgets the object.
func (e *Engine) release(ctx context.Context, c *Connection, o Owner, by string) error {
	r := e.begin(c, connectors.Tenant{ID: o.Partition.Tenant}, tenantJob{Job: Job{Trigger: SignIn}})
	if err := r.load(ctx); err != nil {
		return err
	}
	r.ofMinute()
	told := false
	err := r.state.update(ctx, func(tx store.Writer) error {
		nums, err := tx.Lookup([]string{directory.IDHandle(o.ID)}, nil)
		if err != nil {
			return err
		}
		row, ok, err := tx.Row(directory.Person, nums[0])
		if err != nil || !ok || row.Gone != store.Here {
			return errors.Join(err, errNothing)
		}
		if err := tx.SetGone(directory.Person, nums[0], store.NamedRemoved); err != nil {
			return err
		}
		if err := (relations.Marker{}).Gone(tx, directory.Person, nums[0]); err != nil {
			return err
		}
		task := r.settleTask()
		task.Queued, task.Replaces = func(string) {}, map[store.Num]string{nums[0]: by}
		one, err := settle.One(ctx, task, tx, nums[0])
		if err = cmp.Or(err, one.Failed); err != nil {
			return err
		}
		told = one.Counts.Total() > 0
		a := arrival{run: r, counts: one.Counts}
		return a.record(tx)
	}, alone(rand.Text()), decidedAt(r.stamp.Time))
	if errors.Is(err, errNothing) {
		return nil
	}
	if err == nil && told {
		for _, target := range c.Targets {
			r.queued(target)
		}
	}
	return err
}

// ofMinute makes the run that of a minute's sign-ins.
func (r *run) ofMinute() {
	minute := r.rec.Started.Truncate(time.Minute)
	r.stamp.Run = minute.Format("20060102T150405") + "-sign-in"
	r.rec.ID, r.rec.Mode, r.rec.Started = r.stamp.Run, SignIn, minute
}
