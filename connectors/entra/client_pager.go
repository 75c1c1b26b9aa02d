package entra

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/url"

	"dirsyncd/sync/fault"

	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/rest"
)

// pager follows the links of one listing from page to page and notices when they go wrong: a link that was
// followed before, pages that bring nothing new without end, an answer that is neither the last nor names a next.
type pager struct {
	client *Client
	op     string
	prefer string
	// round: the listing ends with a delta link; otherwise it ends where no link follows.
	round bool

	at    *url.URL // the next page; nil after the last
	delta string   // the delta link, after the last page of a round

	seed  maphash.Seed
	links map[uint64]struct{}
	pages map[uint64]struct{}
	stale int
}

func (c *Client) pager(op string, first *url.URL, round bool, prefer string) *pager {
	return &pager{
		client: c, op: op, prefer: prefer, round: round, at: first,
		seed: maphash.MakeSeed(), links: map[uint64]struct{}{}, pages: map[uint64]struct{}{},
	}
}

// next fetches the next page and returns its list.
func (n *pager) next(ctx context.Context) (jsonscan.Value, error) {
	if err := context.Cause(ctx); err != nil {
		return "", err
	}
	if !n.note(n.links, n.at.String()) {
		return "", n.odd(errors.New("the service sent a link that was followed before in the same listing"))
	}
	body, err := n.client.get(ctx, n.at, n.prefer)
	if err != nil {
		return "", n.own(err)
	}
	page, err := openEnvelope(n.op, body)
	if err != nil {
		return "", err
	}
	n.at = nil
	switch {
	case page.next != "":
		if n.at, err = rest.Link(n.client.graph, n.op, page.next); err != nil {
			return "", err
		}
	case n.round && page.delta == "":
		return "", n.odd(errNoEnd)
	case n.round:
		// It is not followed now, but it must be one that can be.
		if _, err := rest.Link(n.client.graph, n.op, page.delta); err != nil {
			return "", err
		}
		n.delta = page.delta
	case page.delta != "":
		return "", n.odd(errors.New("a list without change tracking ends with a link for changes"))
	}
	return page.value, n.progress(page.value)
}

// own looks at a refusal of a link that the service gave in this very listing. Nothing that somebody here could
// change is the reason, so the listing is worth beginning anew.
func (n *pager) own(err error) error {
	g, ok := asGraph(err)
	if len(n.links) == 1 || !ok || !g.refusesLink() || fault.ClassOf(err) == fault.CursorExpired {
		return err
	}
	return n.odd(fmt.Errorf("the service refuses its own link: %w", g))
}

// progress watches that pages bring something new. Empty ones and repeated ones are lawful, but not for ever.
func (n *pager) progress(value jsonscan.Value) error {
	if len(value) > 2 && n.note(n.pages, string(value)) {
		n.stale = 0
		return nil
	}
	if n.stale++; n.stale < n.client.stale {
		return nil
	}
	return n.odd(fmt.Errorf("%d pages in a row brought nothing new, and more follow", n.stale))
}

// note adds a text to a set and reports whether it is new there.
func (n *pager) note(set map[uint64]struct{}, text string) bool {
	h := maphash.String(n.seed, text)
	_, known := set[h]
	set[h] = struct{}{}
	return !known
}

// last reports whether the page that next returned was the last one.
func (n *pager) last() bool { return n.at == nil }

func (n *pager) odd(err error) error {
	return &fault.Error{
		Class: fault.Transient, Op: n.op, Where: n.client.graph.Host, Err: err,
		Hint: "nothing was removed on its account; if it stays so, ask Microsoft's support",
	}
}
