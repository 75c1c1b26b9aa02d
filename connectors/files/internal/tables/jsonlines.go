package tables

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"dirsyncd/connectors/internal/columns"
)

// jsonLines is an open file of JSON objects, one per line. A column is a path in it: "name", "address.city", "phones.0",
// "emails.value" (of every element of a list).
type jsonLines struct {
	in     *input
	text   *text
	limits Limits
	names  []string
	paths  [][]string
	line   int
	doubt  string
}

// OpenJSONLines reads the beginning of a file of JSON lines. Its columns are those that are wanted.
func OpenJSONLines(src io.Reader, wanted []string, limits Limits) (Table, error) {
	t, err := decode(src, "")
	if err != nil {
		return nil, err
	}
	j := &jsonLines{in: newInput(t), text: t, limits: limits, names: wanted}
	for _, name := range wanted {
		j.paths = append(j.paths, strings.Split(name, "."))
	}
	j.in.more()
	if err := j.in.failed(); err != nil {
		return nil, err
	}
	head := bytes.TrimLeft(j.in.rest(), " \t\r\n")
	switch {
	case len(head) == 0:
		return nil, unfit("a file that is meant to be empty cannot be told from one that was not written", "the file is empty")
	case head[0] == '[':
		return nil, unfit(`make one of it with jq: jq -c '.[]' list.json > list.jsonl`, "the file is one JSON list, and not an object per line")
	case head[0] != '{':
		return nil, unfit("is format right?", "the file does not begin with a JSON object")
	}
	return j, nil
}

func (j *jsonLines) Header() ([]string, int) { return j.names, 0 }
func (j *jsonLines) Doubt() string           { return j.doubt }
func (j *jsonLines) Notes() []string         { return nil }
func (j *jsonLines) Dialect() string         { return "JSON lines, " + j.text.encoding }

// Next implements Table.
func (j *jsonLines) Next(row *Row) error {
	for {
		line, complete, long, err := j.in.line(j.limits.Row)
		if err != nil {
			return err
		}
		j.line++
		row.Line = j.line
		if long {
			return &BadRow{Line: j.line, Reason: tooLong, Hint: "limits.row allows more"}
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		object, err := parseObject(line)
		if err != nil {
			if !complete {
				j.doubt = "its last line (" + strconv.Itoa(j.line) + ") has no end"
			}
			return &BadRow{Line: j.line, Reason: "the line " + err.Error(), Hint: "one JSON object per line, without line breaks in it"}
		}
		row.Cells = row.Cells[:0]
		for i, path := range j.paths {
			cell, err := cellAt(object, path)
			if err != nil {
				return &BadRow{Line: j.line, Column: j.names[i], Reason: err.Error(), Hint: "name what is in it: " + j.names[i] + ".NAME"}
			}
			if text := cell.String(); len(text) > j.limits.Field {
				return &BadRow{Line: j.line, Column: j.names[i], Reason: tooLong, Hint: "limits.field allows more"}
			}
			row.Cells = append(row.Cells, cell)
		}
		return nil
	}
}

func parseObject(line []byte) (map[string]any, error) {
	var object map[string]any
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if err := dec.Decode(&object); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, errors.New("is no JSON: at byte " + strconv.FormatInt(syntax.Offset, 10))
		}
		return nil, errors.New("is no whole JSON object")
	}
	if object == nil {
		return nil, errors.New("is no JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("has something behind the object")
	}
	return object, nil
}

// mostElements bounds a list.
const mostElements = 10_000

// cellAt follows a path. What is not there is an empty cell.
func cellAt(value any, path []string) (columns.Cell, error) {
	var found []any
	if list := collect(value, path, &found); !list {
		if len(found) == 0 {
			return columns.Empty(), nil
		}
		return cellOf(found[0])
	}
	if len(found) > mostElements {
		return columns.Cell{}, errors.New("has more than 10000 elements")
	}
	items := make([]string, 0, len(found))
	for _, v := range found {
		cell, err := cellOf(v)
		if err != nil {
			return cell, err
		}
		if text := cell.String(); text != "" {
			items = append(items, text)
		}
	}
	if len(items) == 0 {
		return columns.Empty(), nil
	}
	return columns.List(items...), nil
}

// collect gathers what a path leads to, and reports whether it leads through a list.
func collect(value any, path []string, found *[]any) (list bool) {
	if elements, is := value.([]any); is {
		if len(path) > 0 {
			if n, err := strconv.Atoi(path[0]); err == nil {
				if n < 0 || n >= len(elements) {
					return false
				}
				return collect(elements[n], path[1:], found)
			}
		}
		for _, e := range elements {
			collect(e, path, found)
		}
		return true
	}
	if len(path) == 0 {
		if value != nil {
			*found = append(*found, value)
		}
		return false
	}
	object, is := value.(map[string]any)
	if !is {
		return false
	}
	// A name may hold dots itself; the longest one that is there holds.
	for n := len(path); n > 0; n-- {
		if v, ok := object[strings.Join(path[:n], ".")]; ok {
			return collect(v, path[n:], found)
		}
	}
	return false
}

func cellOf(v any) (columns.Cell, error) {
	switch v := v.(type) {
	case string:
		return columns.Text(v), nil
	case json.Number:
		return columns.Number(plainNumber(v.String())), nil
	case bool:
		return columns.Bool(v), nil
	case nil:
		return columns.Empty(), nil
	default:
		return columns.Cell{}, errors.New("is an object, and no value")
	}
}

// plainNumber writes a number with an exponent without it, where it is a whole one of at most 20 digits.
func plainNumber(text string) string {
	if !strings.ContainsAny(text, "eE.") {
		return text
	}
	return wholeOr15(text)
}

// PathsOf lists the paths of the values in the first rows of a file of JSON lines, in the order in which they come.
func PathsOf(src io.Reader, rows int, limits Limits) ([]string, error) {
	t, err := OpenJSONLines(src, nil, limits)
	if err != nil {
		return nil, err
	}
	j := t.(*jsonLines)
	found := paths{seen: map[string]bool{}, most: limits.Columns}
	for range rows {
		line, _, long, err := j.in.line(limits.Row)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if object, err := parseObject(line); err == nil && !long {
			found.add("", object)
		}
	}
	return found.names, nil
}

// paths gathers the paths of values.
type paths struct {
	names []string
	seen  map[string]bool
	most  int
}

func (p *paths) add(prefix string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			name := k
			if prefix != "" {
				name = prefix + "." + k
			}
			p.add(name, v[k])
		}
	case []any:
		for _, e := range v {
			p.add(prefix, e)
		}
		if len(v) == 0 {
			p.name(prefix)
		}
	default:
		p.name(prefix)
	}
}

func (p *paths) name(name string) {
	if name != "" && len(p.names) < p.most && !p.seen[name] {
		p.seen[name] = true
		p.names = append(p.names, name)
	}
}
