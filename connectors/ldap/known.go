package ldap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// known is what a server knew when it was read: of every writer whose changes come to it, up to where they had come. It is
// held against every server before that is read. One that has seen less of some writer, a replica that lags behind or is
// still being filled, would take back what is newer.
type known struct {
	// CSN are the contextCSN of OpenLDAP by naming context.
	CSN map[string][]string `json:"csn,omitempty"`
	// USN are the last changes by the database of a domain controller that made them (invocationId), by naming context.
	USN map[string]map[string]uint64 `json:"usn,omitempty"`
}

func (k known) encode() []byte {
	if len(k.CSN)+len(k.USN) == 0 {
		return nil
	}
	data, err := json.Marshal(k)
	if err != nil {
		panic(err) // texts and numbers always have a JSON form
	}
	return data
}

// decodeKnown reads what a connector has written, and nothing from anything else.
func decodeKnown(data []byte) (k known) {
	if json.Unmarshal(data, &k) != nil {
		return known{}
	}
	return k
}

// errBehind is in the chain of the error of a server that knows less than was read before.
var errBehind = errors.New("the server knows less than was read before")

// hintBehind says what an operator can do about it.
const hintBehind = "nothing was read from it, so that nothing newer is undone. Wait until its replication has caught up, or let servers name " +
	"one that has. If it was restored from a backup for good: `dirsyncd sync CONNECTION --full` reads it, and holds what would follow"

func behindError(op, server, how string) error {
	return &fault.Error{Class: fault.Transient, Op: op, Where: server, Err: fmt.Errorf("%w: %s", errBehind, how), Hint: hintBehind}
}

// openKnowing opens a reading on the first server that works and knows at least what was read before. Where none does, and
// the operator wants it all the same, it is the first that works, and older says by how much that one is behind.
func (c *Connector) openKnowing(ctx context.Context, op string, kind directory.Kind, host string, req *connectors.Request) (r *reading, err error) {
	before, older := decodeKnown(req.Known), ""
	accept := func(s *session) error {
		r = c.newReading(s, op, kind, req.Mode == connectors.Full)
		if err := r.searches(); err != nil {
			return err
		}
		how, err := r.behind(&before, req.Mode)
		if err != nil || how == "" {
			return err
		}
		return behindError(op, s.server, how)
	}
	_, err = c.open(ctx, op, host, accept)
	if req.Older && errors.Is(err, errBehind) {
		_, err = c.open(ctx, op, host, func(s *session) (err error) {
			r = c.newReading(s, op, kind, req.Mode == connectors.Full)
			older, err = r.behind(&before, req.Mode)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	r.older, r.owners = older, req.Owners
	return r, nil
}

// behind says in words by how much the server knows less than was known; nothing when it knows that and more. It notes what
// the server knows.
func (r *reading) behind(before *known, mode connectors.Mode) (how string, err error) {
	areas, ok := r.areas()
	if !ok {
		return "", nil // the read itself will say so
	}
	if r.preset.name == presetActiveDirectory {
		if mode != connectors.Full {
			r.known = *before
			return "", nil // positions are of one database, which is looked at with them
		}
		return r.behindUSN(areas, before.USN)
	}
	for _, a := range areas {
		csn, why, err := r.contextCSN(a)
		if err != nil {
			return "", err
		}
		seen := before.CSN[a.suffix]
		switch {
		case len(seen) > 0 && why != "":
			return why + ", where one was seen before: it is still being filled, or a right was taken away", nil
		case why == "":
			if how := csnLag(csn, seen); how != "" {
				return how + ", of " + a.suffix, nil
			}
			r.known.setCSN(a.suffix, csn)
		}
	}
	return "", nil
}

func (k *known) setCSN(suffix string, csn []string) {
	if k.CSN == nil {
		k.CSN = make(map[string][]string)
	}
	k.CSN[suffix] = csn
}

// csnLag says in words by how much a server has seen less than was seen before; nothing when it has not.
func csnLag(server, seen []string) string {
	if !behind(server, seen) {
		return ""
	}
	var most time.Duration
	for _, c := range seen {
		sid, _ := serverOf(c)
		at := csnTime(c)
		i := slices.IndexFunc(server, func(own string) bool { id, _ := serverOf(own); return id == sid })
		if i < 0 {
			return "it has heard nothing of writer " + sid + ", of which changes were read until " + at.Format(time.RFC3339)
		}
		most = max(most, at.Sub(csnTime(server[i])))
	}
	return fmt.Sprintf("its last change is %s older than what was read", max(most.Round(time.Second), time.Second))
}

// csnTime is the time of a CSN; zero where it cannot be told.
func csnTime(csn string) (at time.Time) {
	if size := len("20060102150405"); len(csn) >= size {
		at, _ = parseGeneralizedTime(csn[:size] + "Z")
	}
	return at
}

// merge adds what was read later.
func (k *known) merge(csn []csnPosition) {
	for _, p := range csn {
		k.setCSN(p.Suffix, p.CSN)
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
