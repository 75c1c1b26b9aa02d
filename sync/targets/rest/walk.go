package rest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

// walk is a list that is read part by part.
type walk struct {
	c    *client
	kind directory.RecordKind
	r    *request
	v    values
	// most is the number of parts after which it ends with a doubt; 0 for no end.
	most int

	parts int
	seen  map[string]struct{}
	proof proof
}

// proof is what a list is worth; see targets.Proof.
type proof struct {
	count int // -1: not said
	doubt string
}

// mostEmpty is how many parts in a row may bring nothing: places that filter a part after they cut it show such.
const mostEmpty = 10

// each hands over the rows of a list, each id once. id is the path of a row's id.
func (w *walk) each(ctx context.Context, id path, yield func(row any, id string) error) (proof, error) {
	w.seen = map[string]struct{}{}
	w.proof = proof{count: -1}
	p := &w.r.pages
	maps.Copy(w.v, w.c.place.names)
	start, err := w.v.address(w.r.address)
	if err != nil {
		return w.proof, &fault.Error{Class: fault.Invalid, Op: wordOf(w.kind, w.r), Where: w.c.base.Host, Err: err}
	}
	next, err := w.c.base.Parse(w.c.base.EscapedPath() + start)
	if err != nil {
		return w.proof, &fault.Error{Class: fault.Internal, Op: wordOf(w.kind, w.r), Err: errors.New("the address cannot be made")}
	}
	if p.Size != "" && p.Per > 0 {
		next = with(next, p.Size, strconv.Itoa(p.Per))
	}
	number := 0
	if p.First != nil {
		number = *p.First
	} else if p.By == "page" {
		number = 1
	}
	if p.By == "page" || p.By == "offset" {
		next = with(next, p.Page, strconv.Itoa(number))
	}
	asked, empty := map[string]bool{}, 0
	for {
		if asked[next.String()] {
			return w.doubt("the place names a part of the list as the next one that it has shown already"), nil
		}
		asked[next.String()] = true
		a, err := w.part(ctx, next)
		if err != nil {
			return w.proof, err
		}
		w.parts++
		rows, err := w.rows(a)
		if err != nil {
			return w.proof, err
		}
		before := len(w.seen)
		for _, row := range rows {
			if err := w.row(row, id, yield); err != nil {
				return w.proof, err
			}
		}
		w.total(a)
		fresh, kept := len(w.seen)-before, len(rows)
		full := w.proof.count >= 0 && len(w.seen) >= w.proof.count
		switch p.By {
		case "page", "offset":
			switch {
			// A total may be less than there is: only a part that is not full, or brings nothing, is the end.
			case kept == 0, full && (kept < p.Per || fresh == 0):
				return w.end(), nil
			case fresh == 0:
				return w.doubt("the place shows the same part of the list again"), nil
			case fresh < kept:
				w.proof.doubt = "the place lists things twice"
			}
			if number++; p.By == "offset" {
				number += kept - 1
			}
			next = with(next, p.Page, strconv.Itoa(number))
		case "cursor", "next", "link":
			if empty++; fresh > 0 {
				empty = 0
			}
			if fresh == 0 && kept > 0 || empty > mostEmpty {
				return w.doubt("the place shows parts of the list without end, and nothing new in them"), nil
			}
			following, err := w.next(a, next)
			if err != nil {
				return w.proof, err
			}
			if following == nil {
				return w.end(), nil
			}
			next = following
		default:
			return w.end(), nil
		}
		if w.most > 0 && w.parts >= w.most {
			return w.doubt("there are more than were asked for"), nil
		}
	}
}

// end is the proof of a list that came to its end.
func (w *walk) end() proof {
	if w.proof.doubt == "" && w.proof.count >= 0 && w.proof.count != len(w.seen) {
		w.proof.doubt = fmt.Sprintf("the place says that there are %d and has listed %d", w.proof.count, len(w.seen))
	}
	if w.proof.count >= 0 && w.proof.count == len(w.seen) {
		w.proof.doubt = "" // something moved while it was read; it is all there
	}
	return w.proof
}

func (w *walk) doubt(text string) proof {
	w.proof.doubt = text
	return w.proof
}

func (w *walk) part(ctx context.Context, at *url.URL) (*answer, error) {
	c := call{word: wordOf(w.kind, w.r), search: w.r.method == http.MethodPost}
	body, err := w.v.body(w.r.body, nil)
	if err != nil {
		return nil, &fault.Error{Class: fault.Invalid, Op: c.word, Where: w.c.base.Host, Err: err}
	}
	return w.c.send(context.WithValue(ctx, callKey{}, c), c, w.r.method, at, body)
}

// rows are the things of an answer. What has no list where one must be is no list without things.
func (w *walk) rows(a *answer) ([]any, error) {
	v, found := w.r.items.get(a.body)
	if len(w.r.items) == 0 {
		v, found = a.body, true
	}
	list, ok := v.([]any)
	if v == nil && found && a.body != nil && len(w.r.items) > 0 {
		ok = true // "items": null
	}
	if !ok {
		return nil, &fault.Error{
			Class: fault.Transient, Op: wordOf(w.kind, w.r), Where: w.c.base.Host, Err: errors.New("the answer holds no list where one must be"), Hint: "check url, and items of the request",
		}
	}
	return list, nil
}

func (w *walk) row(row any, id path, yield func(row any, id string) error) error {
	v, _ := id.get(row)
	text := textOf(v)
	if text == "" {
		return &fault.Error{Class: fault.Transient, Op: wordOf(w.kind, w.r), Where: w.c.base.Host, Err: errors.New("something in the list has no id"), Hint: "check the path of the id"}
	}
	if _, again := w.seen[text]; again {
		return nil
	}
	w.seen[text] = struct{}{}
	if w.r.only != nil && !w.r.only.holds(row) {
		return nil
	}
	return yield(row, text)
}

func (w *walk) total(a *answer) {
	p := &w.r.pages
	text := ""
	if p.TotalHeader != "" {
		text = a.header.Get(p.TotalHeader)
	}
	if p.Total != "" {
		total, _ := parsePath(p.Total)
		v, _ := total.get(a.body)
		text = textOf(v)
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		w.proof.count = n
	}
}

// next is the address of the next part; nil at the end.
func (w *walk) next(a *answer, now *url.URL) (*url.URL, error) {
	p := &w.r.pages
	if p.More != "" {
		more, _ := parsePath(p.More)
		if v, _ := more.get(a.body); textOf(v) != "true" {
			return nil, nil
		}
	}
	text := linkNext(a.header)
	if p.By != "link" {
		next, _ := parsePath(p.Next)
		v, _ := next.get(a.body)
		text = textOf(v)
	}
	if text == "" {
		return nil, nil
	}
	if p.By == "cursor" {
		return with(now, p.Page, text), nil
	}
	u, err := now.Parse(text)
	if err != nil {
		return nil, &fault.Error{Class: fault.Invalid, Op: wordOf(w.kind, w.r), Where: w.c.base.Host, Err: errors.New("the next part of the list has no address that could be used")}
	}
	return rest.Link(w.c.base, wordOf(w.kind, w.r), u.String())
}

// linkNext is the address of the relation "next" in the header Link (RFC 8288).
func linkNext(header http.Header) string {
	for _, line := range header.Values("Link") {
		for line != "" {
			begin := strings.IndexByte(line, '<')
			end := strings.IndexByte(line, '>')
			if begin < 0 || end < begin {
				break
			}
			address, after := line[begin+1:end], line[end+1:]
			parameters, rest, _ := strings.Cut(after, "<")
			for parameter := range strings.SplitSeq(parameters, ";") {
				name, value, _ := strings.Cut(strings.Trim(parameter, " ,"), "=")
				if strings.EqualFold(strings.TrimSpace(name), "rel") && hasWord(strings.Trim(value, `" `), "next") {
					return address
				}
			}
			if line = ""; rest != "" {
				line = "<" + rest
			}
		}
	}
	return ""
}

func hasWord(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

// with is an address with a parameter.
func with(u *url.URL, name, value string) *url.URL {
	query := u.Query()
	query.Set(name, value)
	next := *u
	next.RawQuery = query.Encode()
	return &next
}
