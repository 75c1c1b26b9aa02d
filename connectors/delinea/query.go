package delinea

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"dirsyncd/sync/fault"
)

// row is one row of a table, by column.
type row map[string]json.RawMessage

// pageArgs are the arguments of every list. PageNumber begins with 1.
type pageArgs struct {
	PageNumber int
	PageSize   int
	Limit      int
	Caching    int
	SortBy     string
	Direction  string
}

// uncached asks for what is there now: 0 would take what was asked before.
const uncached = -1

func (c *Config) args(page int) pageArgs {
	return pageArgs{PageNumber: page, PageSize: c.PageSize, Limit: max(c.Limit, c.PageSize), Caching: uncached, Direction: "False"}
}

// asked makes the body of a call for one page.
type asked func(args pageArgs) any

func query(script string) asked { return func(args pageArgs) any { return queryBody{script, args} } }

func membersOf(role string) asked { return func(args pageArgs) any { return membersBody{role, args} } }

// results is the Result of a list.
type results struct {
	FullCount *int `json:"FullCount"`
	Results   []struct {
		Row row `json:"Row"`
	} `json:"Results"`
}

// queryBody is what a query asks.
type queryBody struct {
	Script string
	Args   pageArgs
}

// membersBody asks for the members of a role: name is its id.
type membersBody struct {
	Name string   `json:"name"`
	Args pageArgs `json:"Args"`
}

// tries is how often a list is read from its beginning before it is given up.
const tries = 3

// errMoved is a list that was another one in the end than in the beginning.
var errMoved = errors.New("the list has changed while it was read")

// list follows a list to its end and hands each page to take; key is the column by which its rows are told apart, blank
// where one may come twice. The tenant counts the rows with every page: a list that does not agree with the count, or whose count changes under way,
// has lost or doubled rows where pages meet, and is read again from its beginning, with restart called before.
func (c *Connector) list(ctx context.Context, path, key string, body asked, restart func(), take func([]row) error) error {
	for try := 1; ; try++ {
		err := c.listOnce(ctx, path, key, body, take)
		if !errors.Is(err, errMoved) {
			return err
		}
		if try == tries {
			return &fault.Error{Class: fault.Transient, Op: wordOf(path), Where: c.host, Err: err, Hint: "it is read again with the next run; where it never ends otherwise, raise limit or page_size"}
		}
		if restart != nil {
			restart()
		}
	}
}

func (c *Connector) listOnce(ctx context.Context, path, key string, body asked, take func([]row) error) error {
	op := wordOf(path)
	seen, nameless, total := map[string]struct{}{}, 0, -1
	for page := 1; ; page++ {
		result, err := c.call(ctx, path, body(c.cfg.args(page)))
		if err != nil {
			return err
		}
		rows, count, problem := rowsOf(result)
		switch {
		case problem != "":
			return c.invalid(op, "page %d: %s", page, problem)
		case total >= 0 && count != total:
			return fmt.Errorf("%w: it had %d rows, and then %d", errMoved, total, count)
		}
		if total < 0 {
			if err := c.uncut(ctx, path, body, count); err != nil {
				return err
			}
		}
		total = count
		before := len(seen) + nameless
		for _, r := range rows {
			if id := r.text(key); key != "" && id != "" {
				seen[id] = struct{}{}
			} else {
				nameless++
			}
		}
		if err := take(rows); err != nil {
			return err
		}
		switch have := len(seen) + nameless; {
		case have == total:
			return nil
		case have > total || have == before:
			return fmt.Errorf("%w: it has %d rows by its own count, and %d came", errMoved, total, have)
		}
	}
}

// uncut asks once more when there are exactly as many rows as the argument Limit: some versions are said to cut the list there, and to count what is left.
func (c *Connector) uncut(ctx context.Context, path string, body asked, count int) error {
	args := c.cfg.args(1)
	if count != args.Limit {
		return nil
	}
	args.Limit *= 2
	result, err := c.call(ctx, path, body(args))
	if err != nil {
		return err
	}
	if _, more, problem := rowsOf(result); problem != "" || more != count {
		return &fault.Error{Class: fault.Configuration, Op: wordOf(path), Where: c.host, Err: fmt.Errorf("the tenant cuts the list after %d rows", count),
			Hint: "set delinea.limit to more than there are people, roles and members of a role"}
	}
	return nil
}

// rowsOf reads one page, or says what keeps it from being one.
func rowsOf(result json.RawMessage) (rows []row, count int, problem string) {
	if t := bytes.TrimSpace(result); len(t) == 0 || t[0] != '{' {
		return nil, 0, "the result is not a list"
	}
	var r results
	switch err := json.Unmarshal(result, &r); {
	case err != nil:
		return nil, 0, "the result is not the documented one"
	case r.FullCount == nil || *r.FullCount < 0:
		return nil, 0, "the result does not say how many rows there are (FullCount)"
	case r.Results == nil && *r.FullCount > 0:
		return nil, 0, "the result has no rows"
	}
	rows = make([]row, len(r.Results))
	for i, e := range r.Results {
		if e.Row == nil {
			return nil, 0, fmt.Sprintf("row %d is none", i+1)
		}
		rows[i] = e.Row
	}
	return rows, *r.FullCount, ""
}
