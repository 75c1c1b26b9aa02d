package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/read"
)

// What is read belongs to what was asked for, as a scope does: when it shrinks, what follows waits for the operator.

// leaveUnread lets go of what no stream lists any more. The source is not asked for that.
func (r *run) leaveUnread(ctx context.Context) error {
	if r.job.unlisted {
		return nil
	}
	if r.state.RulesHash != "" && r.state.Reads == nil {
		var streams []string
		err := r.state.view(ctx, func(tx store.Reader) (err error) { streams, err = tx.Streams(); return err })
		if err != nil {
			return err
		}
		if err := r.state.update(ctx, nil, settledFrom(streams)); err != nil {
			return err
		}
	}
	found, err := read.Unread(ctx, r.readTask())
	r.rec.Removed += found.Removed
	return err
}

// reads is what is read now, in the form of store.TenantState.Reads.
func (r *run) reads(ctx context.Context) (list []string, err error) {
	if r.job.unlisted {
		return r.state.Reads, nil
	}
	err = r.state.view(ctx, func(tx store.Reader) error {
		list = nil
		for _, s := range r.streams() {
			position, err := tx.Stream(s.Name)
			if err != nil {
				return err
			}
			list = append(list, s.Name)
			for _, entry := range position.Reads {
				list = append(list, s.Name+"/"+entry)
			}
		}
		return nil
	})
	slices.Sort(list)
	return list, err
}

// less says what of that from which the records were made is no longer read, in words that go on after "the plan would";
// nothing when nothing can follow from it.
func (r *run) less(now []string) (reasons []string) {
	if len(r.state.Reads) > 0 && len(now) == 0 {
		return []string{"take away everything that came from the connection, for nothing is read of it any more"}
	}
	var words []string
	anchors := ""
	for _, was := range r.state.Reads {
		stream, entry, detailed := strings.Cut(was, "/")
		name, from, _ := strings.Cut(entry, ": ")
		instead := ""
		for _, is := range now {
			if s, e, _ := strings.Cut(is, "/"); s == stream {
				if n, f, _ := strings.Cut(e, ": "); n == name {
					instead = f
				}
			}
		}
		switch {
		case reads(now, was):
		case !detailed:
			words = append(words, stream+" are no longer read")
		case !slices.Contains(now, stream):
			// the stream says it
		case name == anchorEntry && instead != "":
			anchors = fmt.Sprintf("%s to %s", from, instead)
		case r.conn.settledHash(&r.state.TenantState) == r.state.RulesHash && r.conn.Rules.Ignores(name):
		case instead != "":
			words = append(words, fmt.Sprintf("%s of %s comes from %s in place of %s", name, stream, instead, from))
		default:
			words = append(words, fmt.Sprintf("%s of %s is no longer read", name, stream))
		}
	}
	if anchors != "" {
		reasons = append(reasons, "take everybody for somebody new, and those of before for gone: the anchor was changed from "+anchors)
	}
	if len(words) > 0 {
		reasons = append(reasons, "act on less than was read before: "+strings.Join(words, "; "))
	}
	return reasons
}

// anchorEntry is the entry of connectors.Proof.Reads that says by what objects are known.
const anchorEntry = "id"

// reads reports whether an entry is read: as it was, or with more to fall back to.
func reads(now []string, entry string) bool {
	return slices.ContainsFunc(now, func(is string) bool { return is == entry || strings.HasPrefix(is, entry+", ") })
}
