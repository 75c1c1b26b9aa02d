package okta

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"dirsyncd/sync/fault"
)

// smallestCap is the smallest size at which Okta cuts any of the lists that are read here (Okta, List
// applications). A shorter list without Link headers may be whole, unless the org has shown that it sends one
// with every list.
const smallestCap = 20

// list follows a listing from its first page to the page that no link follows, and hands every page's entries to
// take, with the link to the page after it. It returns when the first page was made, by the org's clock.
//
// A listing is whole only when it really was followed to its end. So everything that is odd about a page is an
// error: no list, a list without a single Link header that is long enough to be a cut one, a link that leads to
// another resource or to a page that was there before.
func (c *Connector) list(ctx context.Context, path string, take func(entries []json.RawMessage, next string) error) (began time.Time, err error) {
	resource, _, _ := strings.Cut(path, "?")
	op := "list " + resourceName(resource)
	seen, round := map[string]struct{}{path: {}}, newCircle()
	for page := 1; ; page++ {
		a, err := c.get(ctx, path)
		if err != nil {
			return began, c.lostPage(op, resource, page, err)
		}
		if page == 1 {
			began = a.date
		}
		entries, problem := entriesOf(a.body)
		switch {
		case problem != "":
			return began, c.invalid(op, "page %d: %s", page, problem)
		case !a.linked && (page > 1 || len(entries) >= smallestCap || topLevel(resource) && c.selfLinks.Load()):
			return began, c.invalid(op, "page %d came without the header Link, which says whether more follows", page)
		}
		if a.linked && len(entries) < smallestCap && topLevel(resource) {
			c.selfLinks.Store(true)
		}
		if next, _, _ := strings.Cut(a.next, "?"); a.next != "" && next != resource {
			return began, c.invalid(op, "page %d: the link to the next page leads to another resource", page)
		}
		if _, again := seen[a.next]; again {
			return began, c.invalid(op, "page %d: the link to the next page leads to a page that was there before", page)
		}
		if a.next != "" {
			if problem := round.take(entries); problem != "" {
				return began, c.invalid(op, "%s", problem)
			}
		}
		if err := take(entries, a.next); err != nil {
			return began, err
		}
		if a.next == "" {
			return began, nil
		}
		path = a.next
		seen[path] = struct{}{}
	}
}

// lostPage says what an error on a later page means: a link that the org does not take any more is mended by
// beginning again.
func (c *Connector) lostPage(op, resource string, page int, err error) error {
	class := fault.ClassOf(err)
	if page == 1 || class != fault.Invalid && (class != fault.Gone || !topLevel(resource)) {
		return err
	}
	return &fault.Error{Class: fault.Transient, Op: op, Where: c.host, Err: err, Hint: "the listing is read again from its beginning"}
}

// topLevel reports whether a resource is a list of the org's own, such as users, and not of one object.
func topLevel(resource string) bool {
	return !strings.Contains(strings.TrimPrefix(resource, apiRoot), "/")
}

// entriesOf splits a list into its entries, or says why it is none. An answer that is empty, null or an object
// is not an empty list.
func entriesOf(body []byte) (entries []json.RawMessage, problem string) {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '[' {
		return nil, "the answer is not a list"
	}
	if err := json.Unmarshal(trimmed, &entries); err != nil {
		return nil, "the answer is not valid JSON"
	}
	return entries, ""
}

const apiRoot = "/api/v1/"

// resourceName is a path as errors show it, without ids.
func resourceName(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, apiRoot), "/")
	if len(parts) > 1 {
		parts[1] = "{id}"
	}
	return strings.Join(parts, "/")
}

// query builds path and query of a listing from pairs; pairs without a value are left out.
func query(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return path + "?" + q.Encode()
}

// and joins two expressions, either of which may be empty. Parentheses are put only where an `or` needs them.
func and(a, b string) string {
	apart := func(r rune) bool { return unicode.IsSpace(r) || r == '(' || r == ')' }
	wrap := func(s string) string {
		if slices.ContainsFunc(strings.FieldsFunc(s, apart), func(word string) bool { return strings.EqualFold(word, "or") }) {
			return "(" + s + ")"
		}
		return s
	}
	switch {
	case a == "":
		return b
	case b == "":
		return a
	default:
		return wrap(a) + " and " + wrap(b)
	}
}

// anyOf joins comparisons of one attribute with several values.
func anyOf(attribute string, values []string) string {
	terms := make([]string, len(values))
	for i, v := range values {
		terms[i] = attribute + ` eq "` + v + `"`
	}
	return strings.Join(terms, " or ")
}

// timestamp is how Okta writes times.
const timestamp = "2006-01-02T15:04:05.000Z"

func stamp(t time.Time) string { return t.UTC().Format(timestamp) }
