package merge

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// decisionsName is where decisions are kept in the connection's partition (store.Writer.AppendSeen). The list is appended to.
const decisionsName = "merge decisions"

// decision is what a human said of two people, by their names.
type decision struct {
	Subject string    `json:"subject"`
	A       string    `json:"a,omitempty"`
	B       string    `json:"b,omitempty"`
	Same    bool      `json:"same,omitempty"`
	Print   string    `json:"print,omitempty"` // of the pair as it was shown; another one makes the decision lapse
	At      time.Time `json:"at"`
	// Undo ends all that was decided of the subject before.
	Undo bool `json:"undo,omitempty"`
}

// decisionsOf returns what holds of all that was decided, the last word of each pair, and how often somebody said something.
func decisionsOf(tx store.Reader) (list []*decision, said int, err error) {
	last := map[[2]string]*decision{}
	err = tx.Seen(decisionsName, func(chunk []byte) bool {
		d := parseDecision(chunk)
		if d == nil {
			return true
		}
		said++
		if !d.Undo {
			last[pairOf(d.A, d.B)] = d
			return true
		}
		for pair, before := range last {
			if before.Subject == d.Subject {
				delete(last, pair)
			}
		}
		return true
	})
	for _, d := range last {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b *decision) int { return strings.Compare(a.A+"\x00"+a.B, b.A+"\x00"+b.B) })
	return list, said, err
}

func parseDecision(chunk []byte) *decision {
	d := &decision{}
	if json.Unmarshal(chunk, d) != nil {
		return nil
	}
	return d
}

// Questions implements connectors.Asker.
func (c *Connector) Questions(ctx context.Context, view func(context.Context, func(store.Reader) error) error) ([]connectors.Question, error) {
	var at cursor
	err := view(ctx, func(tx store.Reader) (err error) { at, err = storedCursor(tx); return err })
	if err != nil {
		return nil, err
	}
	var list []connectors.Question
	for _, q := range at.Questions {
		shown := connectors.Question{Subject: q.Subject, Kind: directory.Person, Cause: q.Cause, Fingerprint: q.Print, Since: q.Since,
			Reason: map[string]string{causeAmbiguous: "it may be the same person as one of several, or several may be the same as one",
				causeLapsed: "a human said that the two are one, and what joins them has changed since"}[q.Cause]}
		for _, l := range q.Candidates {
			s := connectors.Suggestion{ID: l.Name}
			if l.Join >= 0 && l.Join < len(c.cfg.Join) {
				s.Key = c.cfg.Join[l.Join].label()
			}
			if s.Name, err = c.display(ctx, l.Name); err != nil {
				return nil, err
			}
			shown.Candidates = append(shown.Candidates, s)
		}
		list = append(list, shown)
	}
	return list, nil
}

// display returns what a part is called.
func (c *Connector) display(ctx context.Context, name string) (text string, err error) {
	parts, err := c.contributors(ctx)
	if err != nil {
		return "", err
	}
	for i := range parts {
		id, ok := strings.CutPrefix(name, parts[i].name+"/")
		if !ok {
			continue
		}
		err := c.env.Stored.View(ctx, parts[i].Partition, func(tx store.Reader) error {
			nums, err := tx.Lookup([]string{directory.IDHandle(id)}, nil)
			if err != nil {
				return err
			}
			_, objects, err := some(tx, directory.Person, nums)
			if len(objects) > 0 {
				v, _ := objects[0].Get(directory.FieldName)
				text = v.Text()
			}
			return err
		})
		if err != nil || text != "" {
			return text, err
		}
	}
	return "", nil
}

// Decide implements connectors.Asker.
func (c *Connector) Decide(tx store.Writer, d connectors.Decision) error {
	refuse := func(class fault.Class, hint, text string) error {
		return &fault.Error{Class: class, Op: "decide " + d.Subject, Err: errors.New(text), Hint: hint}
	}
	put := func(list ...decision) error {
		for i := range list {
			list[i].Subject, list[i].At = d.Subject, d.At
			chunk, err := json.Marshal(&list[i])
			if err == nil {
				err = tx.AppendSeen(decisionsName, chunk)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	if d.Verdict == "undo" {
		all, _, err := decisionsOf(tx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(all, func(o *decision) bool { return o.Subject == d.Subject }) {
			return refuse(fault.Invalid, "", "nothing was decided of it")
		}
		return put(decision{Undo: true})
	}
	at, err := storedCursor(tx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(at.Questions, func(q *question) bool { return q.Subject == d.Subject })
	if i < 0 {
		return refuse(fault.Invalid, "`dirsyncd match list` shows what waits", "nothing waits under this name")
	}
	q := at.Questions[i]
	if d.Fingerprint != "" && d.Fingerprint != q.Print {
		return refuse(fault.Conflict, "look at it again", "it has changed since it was shown")
	}
	meant := q.Candidates
	if d.Candidate != "" {
		meant = slices.DeleteFunc(slices.Clone(meant), func(l likely) bool { return l.Name != d.Candidate })
	}
	switch {
	case len(meant) == 0:
		return refuse(fault.Invalid, "`dirsyncd match show` lists the candidates", "there is no such candidate")
	case d.Verdict == "accept" && len(meant) > 1:
		return refuse(fault.Invalid, "name one", "there are several candidates")
	}
	var list []decision
	for _, l := range meant {
		pair := pairOf(q.Subject, l.Name)
		list = append(list, decision{A: pair[0], B: pair[1], Same: d.Verdict == "accept", Print: l.Print})
	}
	return put(list...)
}

// cursor is where a read goes on. It is the memory of who waits, too.
type cursor struct {
	Settings string `json:"settings"`
	// Positions are those in the journals of the contributors, by partition.
	Positions map[string]uint64 `json:"positions"`
	// Said is how many decisions were known.
	Said      int         `json:"said"`
	Questions []*question `json:"questions,omitempty"`
}

// storedCursor is that of the last read that came to its end.
func storedCursor(tx store.Reader) (at cursor, err error) {
	state, err := tx.Stream(streamName)
	if err != nil || len(state.Cursor) == 0 {
		return at, err
	}
	return at, json.Unmarshal(state.Cursor, &at)
}
