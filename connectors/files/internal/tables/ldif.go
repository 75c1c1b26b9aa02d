package tables

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"dirsyncd/connectors/internal/columns"
)

// ldif is an open LDIF file (RFC 2849), as ldapsearch, slapcat, ldbsearch and ldifde write it. A column is an attribute, in any
// case; "dn" is the entry's name. An attribute with several values is a list.
type ldif struct {
	in     *input
	limits Limits
	names  []string
	index  map[string][]int // by the lower-case name of the attribute
	line   int              // of the line that was read last
	ahead  *record
	began  bool
	values [][]string
	cut    []bool
	// entries counts those that came; said is how many the program that wrote the file says there are, or -1.
	entries, said int
	referrals     int
	doubt         string
}

// OpenLDIF reads the beginning of an LDIF file. Its columns are those that are wanted.
func OpenLDIF(src io.Reader, wanted []string, limits Limits) (Table, error) {
	t, err := decode(src, "")
	if err != nil {
		return nil, err
	}
	l := &ldif{in: newInput(t), limits: limits, names: wanted, index: map[string][]int{}, said: -1}
	l.values, l.cut = make([][]string, len(wanted)), make([]bool, len(wanted))
	for i, name := range wanted {
		key := strings.ToLower(name)
		l.index[key] = append(l.index[key], i)
	}
	l.ahead, err = l.record()
	if errors.Is(err, io.EOF) {
		return nil, unfit("a file that is meant to be empty cannot be told from one that was not written", "the file is empty")
	}
	if err != nil {
		return nil, err
	}
	if first := l.ahead.lines; len(first) > 0 && !bytes.ContainsRune(first[0].text, ':') {
		return nil, unfit("is format right?", "the file does not begin with an entry (dn: …)")
	}
	return l, nil
}

func (l *ldif) Header() ([]string, int) { return l.names, 0 }
func (l *ldif) Dialect() string         { return "LDIF" }

// Notes tells of what was left out.
func (l *ldif) Notes() []string {
	if l.referrals == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d references to other servers; what is there is not in the file", l.referrals)}
}

// Doubt says what the program that wrote the file says of it.
func (l *ldif) Doubt() string {
	switch {
	case l.doubt != "":
		return l.doubt
	case l.said >= 0 && l.said != l.entries:
		return fmt.Sprintf("it says that it has %d entries, and has %d", l.said, l.entries)
	default:
		return ""
	}
}

// record is what stands between two blank lines, without comments.
type record struct {
	lines []ldifLine
	bad   *BadRow // what kept it from being read as a whole
}

type ldifLine struct {
	text []byte
	line int
}

// record reads the next record that is not empty.
func (l *ldif) record() (*record, error) {
	r := &record{}
	size := 0
	comment := false
	for {
		line, complete, long, err := l.in.line(l.limits.Row)
		if errors.Is(err, io.EOF) {
			if len(r.lines) == 0 && r.bad == nil {
				return nil, io.EOF
			}
			return r, nil
		}
		if err != nil {
			return nil, err
		}
		l.line++
		if !complete {
			l.doubt = "its last line (" + strconv.Itoa(l.line) + ") has no end"
		}
		size += len(line)
		switch {
		case long || size > l.limits.Row:
			if r.bad == nil {
				r.bad = &BadRow{Line: l.line, Reason: "the entry is too long", Hint: "limits.row allows more"}
			}
			if len(line) == 0 {
				return r, nil
			}
		case len(line) == 0:
			comment = false
			if len(r.lines) > 0 || r.bad != nil {
				return r, nil
			}
		case line[0] == '#':
			comment = true
			l.remark(string(line))
		case line[0] == ' ' && comment: // the rest of a comment
		case line[0] == ' ' && len(r.lines) > 0:
			last := &r.lines[len(r.lines)-1]
			last.text = append(last.text, line[1:]...)
		case line[0] == ' ':
			r.bad = &BadRow{Line: l.line, Reason: "a line that goes on has nothing before it"}
		default:
			comment = false
			if !l.began {
				l.began = true
				if bytes.HasPrefix(line, []byte("version:")) {
					continue
				}
			}
			r.lines = append(r.lines, ldifLine{bytes.Clone(line), l.line})
		}
	}
}

// remark reads what programs say of the whole in comments: "# numEntries: 3" (ldapsearch), "# 3 entries" (ldbsearch).
func (l *ldif) remark(text string) {
	fields := strings.Fields(strings.TrimLeft(text, "# "))
	if len(fields) != 2 {
		return
	}
	number := ""
	switch {
	case fields[0] == "numEntries:":
		number = fields[1]
	case fields[1] == "entries":
		number = fields[0]
	}
	if n, err := strconv.Atoi(number); err == nil && n >= 0 {
		l.said = n
	}
}

// Next implements Table.
func (l *ldif) Next(row *Row) error {
	for {
		r := l.ahead
		l.ahead = nil
		if r == nil {
			var err error
			if r, err = l.record(); err != nil {
				return err
			}
		}
		if r.bad != nil {
			l.entries++
			return r.bad
		}
		row.Line = r.lines[0].line
		name, _, _, err := splitLDIF(r.lines[0].text)
		if err == nil && !strings.EqualFold(name, "dn") {
			if bad := l.trailer(r, name); bad != nil {
				return bad
			}
			continue
		}
		l.entries++
		if err == nil {
			err = l.read(r)
		}
		if err != nil {
			return asBad(err, row.Line)
		}
		l.cells(row)
		return nil
	}
}

func asBad(err error, line int) error {
	var bad *BadRow
	if errors.As(err, &bad) {
		return bad
	}
	return &BadRow{Line: line, Reason: err.Error()}
}

// trailer takes a record that is no entry: how the search ended, and where else there is something.
func (l *ldif) trailer(r *record, name string) error {
	switch strings.ToLower(name) {
	case "search", "result":
		for _, line := range r.lines {
			name, value, _, err := splitLDIF(line.text)
			if err == nil && strings.EqualFold(name, "result") && !strings.HasPrefix(string(value), "0 ") && string(value) != "0" {
				l.doubt = "the search that wrote it ended with " + strconv.Quote(string(value))
			}
		}
		return nil
	case "ref":
		l.referrals += len(r.lines)
		return nil
	default:
		l.entries++
		return &BadRow{Line: r.lines[0].line, Reason: "the entry does not begin with dn:", Hint: "entries have a blank line between them"}
	}
}

// read gathers the values of an entry.
func (l *ldif) read(r *record) error {
	for i := range l.values {
		l.values[i], l.cut[i] = l.values[i][:0], false
	}
	for _, line := range r.lines {
		name, value, url, err := splitLDIF(line.text)
		if err != nil {
			return &BadRow{Line: line.line, Reason: err.Error()}
		}
		if url {
			return &BadRow{Line: line.line, Column: name, Reason: "the value is in another file (:<), which is not read", Hint: "export without -tt"}
		}
		lower := strings.ToLower(name)
		switch lower {
		case "changetype":
			if how := strings.ToLower(string(value)); how != "add" {
				return &BadRow{
					Line: line.line, Reason: "the entry is a change (changetype: " + how + "), and no content",
					Hint: "write a file of what there is, not of what has changed",
				}
			}
			continue
		case "control":
			continue
		}
		lower, cut := withoutRange(lower)
		for _, i := range l.index[lower] {
			l.cut[i] = l.cut[i] || cut
			text := valueText(lower, value)
			if len(text) > l.limits.Field {
				return &BadRow{Line: line.line, Column: name, Reason: tooLong, Hint: "limits.field allows more"}
			}
			l.values[i] = append(l.values[i], text)
		}
	}
	for i, cut := range l.cut {
		if cut {
			return &BadRow{
				Line: r.lines[0].line, Column: l.names[i], Reason: "only the first values are in the file (range=)",
				Hint: "Active Directory lists 1500 members at a time: export with a tool that asks for the rest",
			}
		}
	}
	return nil
}

func (l *ldif) cells(row *Row) {
	row.Cells = row.Cells[:0]
	for _, values := range l.values {
		switch len(values) {
		case 0:
			row.Cells = append(row.Cells, columns.Empty())
		case 1:
			row.Cells = append(row.Cells, columns.Text(values[0]))
		default:
			row.Cells = append(row.Cells, columns.List(slices.Clone(values)...))
		}
	}
}

// withoutRange takes ";range=0-1499" off the name of an attribute, and says whether there is more than it holds. Other options
// stay: name;lang-de is an attribute of its own.
func withoutRange(name string) (plain string, cut bool) {
	plain, options, _ := strings.Cut(name, ";")
	for option := range strings.SplitSeq(options, ";") {
		if limits, is := strings.CutPrefix(option, "range="); is {
			return plain, !strings.HasSuffix(limits, "*")
		}
	}
	if options == "binary" {
		return plain, false
	}
	return name, false
}

// splitLDIF splits a line into name and value. An empty value is one.
func splitLDIF(line []byte) (name string, value []byte, url bool, err error) {
	before, after, ok := bytes.Cut(line, []byte{':'})
	if !ok || len(before) == 0 {
		return "", nil, false, errors.New("a line is neither an attribute nor the rest of one")
	}
	name = string(before)
	switch {
	case len(after) > 0 && after[0] == ':':
		encoded := bytes.TrimSpace(after[1:])
		value = make([]byte, base64.StdEncoding.DecodedLen(len(encoded)))
		n, err := base64.StdEncoding.Decode(value, encoded)
		if err != nil {
			return name, nil, false, errors.New("the value of " + name + " is no base64")
		}
		return name, value[:n], false, nil
	case len(after) > 0 && after[0] == '<':
		return name, nil, true, nil
	default:
		return name, bytes.TrimLeft(after, " "), false, nil
	}
}

// valueText writes a value as a text: those of objectGUID and objectSid as Windows shows them, others that are no text in base64.
func valueText(name string, value []byte) string {
	switch {
	case name == "objectguid" && len(value) == 16:
		g := value
		return fmt.Sprintf("%08x-%04x-%04x-%s-%s", uint32(g[3])<<24|uint32(g[2])<<16|uint32(g[1])<<8|uint32(g[0]),
			uint16(g[5])<<8|uint16(g[4]), uint16(g[7])<<8|uint16(g[6]), hex.EncodeToString(g[8:10]), hex.EncodeToString(g[10:]))
	case name == "objectsid" && len(value) >= 8 && value[0] == 1 && len(value) == 8+4*int(value[1]):
		var authority uint64
		for _, b := range value[2:8] {
			authority = authority<<8 | uint64(b)
		}
		text := fmt.Sprintf("S-1-%d", authority)
		for i := 8; i < len(value); i += 4 {
			text += fmt.Sprintf("-%d", uint32(value[i])|uint32(value[i+1])<<8|uint32(value[i+2])<<16|uint32(value[i+3])<<24)
		}
		return text
	case utf8.Valid(value) && bytes.IndexByte(value, 0) < 0:
		return string(value)
	default:
		return base64.StdEncoding.EncodeToString(value)
	}
}

// AttributesOf lists the attributes of the first entries of an LDIF file, in the order in which they come.
func AttributesOf(src io.Reader, entries int, limits Limits) ([]string, error) {
	t, err := OpenLDIF(src, nil, limits)
	if err != nil {
		return nil, err
	}
	l := t.(*ldif)
	names := []string{"dn"}
	seen := map[string]bool{"dn": true, "changetype": true, "control": true, "search": true, "result": true, "ref": true}
	for r := l.ahead; r != nil && entries > 0 && len(names) < limits.Columns; entries-- {
		for _, line := range r.lines {
			name, _, _, err := splitLDIF(line.text)
			if err != nil {
				continue
			}
			if plain, _, _ := strings.Cut(name, ";range="); !seen[strings.ToLower(plain)] {
				seen[strings.ToLower(plain)] = true
				names = append(names, plain)
			}
		}
		if r, err = l.record(); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return names, nil
}
