package google

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"dirsyncd/sync/fault"
)

const (
	// mostRestarts is how often a listing begins anew because its page token died.
	mostRestarts = 3
	// mostEmpty is how many pages with nothing on them may follow each other. Google allows itself some.
	mostEmpty = 50
)

// pager follows the pages of one list. It ends when a page without a token for the next one was decoded; every
// other way out is an error.
type pager struct {
	op string
	// fetch asks for one page; the token of the first is empty.
	fetch func(ctx context.Context, token string) ([]byte, error)
	// entries picks the list out of a page.
	entries func(*listPage) []json.RawMessage
	// restart is told that the listing begins anew: what came so far comes again. Nil: it makes no difference.
	restart func()
	// take gets every page.
	take func(entries []json.RawMessage) error
}

func (c *pager) follow(ctx context.Context) error {
	tokens, firsts := map[string]bool{}, map[string]int{}
	restarts, empty, token := 0, 0, ""
	for {
		body, err := c.fetch(ctx, token)
		if token != "" && statusOf(err) == http.StatusBadRequest {
			// Tokens live for days at most, and a token that died cannot be told from a bad one.
			if restarts++; restarts > mostRestarts {
				return &fault.Error{Class: fault.Transient, Op: c.op, Err: fmt.Errorf("the page token was refused %d times: %w", restarts, err)}
			}
			clear(tokens)
			clear(firsts)
			token, empty = "", 0
			if c.restart != nil {
				c.restart()
			}
			continue
		}
		if err != nil {
			return err
		}
		page, err := parseListPage(c.op, body)
		if err != nil {
			return err
		}
		list := c.entries(page)
		if err := c.take(list); err != nil {
			return err
		}
		token = page.NextPageToken
		if token == "" {
			return nil
		}
		if empty++; len(list) > 0 {
			empty = 0
			firsts[string(list[0])]++
			if firsts[string(list[0])] > 2 {
				return c.circle("the same page comes again and again under other tokens")
			}
		}
		switch {
		case tokens[token]:
			return c.circle("a page leads back to an earlier one")
		case empty > mostEmpty:
			return c.circle(fmt.Sprintf("%d empty pages in a row", empty))
		}
		tokens[token] = true
	}
}

func (c *pager) circle(what string) error {
	return &fault.Error{
		Class: fault.Transient, Op: c.op, Err: fmt.Errorf("the listing does not end: %s", what),
		Hint: "nothing was concluded from it; if it stays so, tell Google's support",
	}
}
