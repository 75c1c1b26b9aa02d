package tables

import "bytes"

// parsed is a row of a CSV file: the texts of its cells one after the other, without quotation marks and escapes.
type parsed struct {
	text   []byte
	ends   []int  // where in text each cell ends
	null   []bool // the cells that are \N; shorter than ends, or nil, where none is
	closed bool   // the row has an end of line
}

// Why a row could not be parsed.
const (
	ended    = "the file ends"
	partly   = "the rest of the row is not there yet"
	tooLong  = "the row, or a cell of it, is too long"
	noClose  = "a quotation mark is not closed"
	trailing = "there is text between a closing quotation mark and the separator"
)

// parse parses the row with which b begins and returns how much of b it is. whole says that nothing follows after b;
// without it, the answer is partly if the row may go on.
func (p *parsed) parse(b []byte, whole bool, f *form, limits *Limits) (used int, why string) {
	p.text, p.ends, p.null, p.closed = p.text[:0], p.ends[:0], nil, false
	i := 0
	for {
		from := len(p.text)
		start := i
		// Blanks before a quotation mark do not belong to the cell.
		for f.quote != 0 && i < len(b) && (b[i] == ' ' || b[i] == '\t') && b[i] != f.separator {
			i++
		}
		if f.quote != 0 && i < len(b) && b[i] == f.quote {
			if i, why = p.quoted(b, i+1, whole, f); why != "" {
				return 0, why
			}
		} else {
			i = p.plain(b, start, f)
		}
		if len(p.text)-from > limits.Field || i > limits.Row || len(p.ends) > 16*limits.Columns {
			return 0, tooLong
		}
		if f.escape && len(p.text) == from+2 && i-start == 2 && b[start] == '\\' && b[start+1] == 'N' {
			p.setNull(from)
		}
		p.ends = append(p.ends, len(p.text))
		if i == len(b) {
			if !whole {
				return 0, partly
			}
			return i, ""
		}
		switch c := b[i]; {
		case c == f.separator:
			i++
		case c == '\r' && !f.returns: // plain and quoted stop at one before LF, or at the end of what is there
			if i+1 == len(b) && !whole {
				return 0, partly
			}
			p.closed = true
			return min(i+2, len(b)), ""
		default:
			p.closed = true
			return i + 1, ""
		}
	}
}

// setNull makes the cell under way, of which the text is \N, one without a value.
func (p *parsed) setNull(from int) {
	p.text = p.text[:from]
	for len(p.null) < len(p.ends) {
		p.null = append(p.null, false)
	}
	p.null = append(p.null, true)
}

// plain takes a cell without quotation marks and returns where it ends: at a separator, an end of line, or the end of b.
func (p *parsed) plain(b []byte, i int, f *form) int {
	start := i
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c == f.separator, c == '\n', c == '\r' && (f.returns || endsLine(b, i)):
			p.text = append(p.text, b[start:i]...)
			return i
		case c == '\\' && f.escape && i+1 < len(b):
			p.text = append(p.text, b[start:i]...)
			i++
			if b[i] == 'N' { // as it stands, for those who ask whether it is the whole cell
				p.text = append(p.text, '\\')
			}
			p.text = append(p.text, unescaped(b[i]))
			start = i + 1
		}
	}
	p.text = append(p.text, b[start:]...)
	return i
}

// endsLine reports whether the CR at i belongs to an end of line. One at the end of what is there may.
func endsLine(b []byte, i int) bool { return i+1 == len(b) || b[i+1] == '\n' }

// quoted takes a cell with quotation marks, from behind the first, and returns where it ends.
func (p *parsed) quoted(b []byte, i int, whole bool, f *form) (end int, why string) {
	for {
		n := bytes.IndexByte(b[i:], f.quote)
		if f.escape {
			n = bytes.IndexAny(b[i:], string([]byte{f.quote, '\\'}))
		}
		if n < 0 || i+n+1 == len(b) && !whole || b[i+n] == '\\' && i+n+1 == len(b) {
			if whole {
				return 0, noClose
			}
			return 0, partly
		}
		p.text = append(p.text, b[i:i+n]...)
		i += n + 1
		if b[i-1] == '\\' && f.quote != '\\' {
			p.text = append(p.text, unescaped(b[i]))
			i++
			continue
		}
		if i < len(b) && b[i] == f.quote {
			p.text = append(p.text, f.quote)
			i++
			continue
		}
		break
	}
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') && b[i] != f.separator {
		i++
	}
	if i < len(b) && b[i] != f.separator && b[i] != '\n' && !(b[i] == '\r' && (f.returns || endsLine(b, i))) {
		return 0, trailing
	}
	return i, ""
}

// unescaped is what a backslash and a character stand for (MySQL, LOAD DATA).
func unescaped(c byte) byte {
	switch c {
	case '0':
		return ' ' // a zero byte is nothing that anybody means
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'Z':
		return 26
	default:
		return c
	}
}

// blank reports whether there is nothing in the row. The last one may be the mark with which DOS ended files.
func (p *parsed) blank(last bool) bool {
	if last && len(p.ends) == 1 && bytes.Equal(p.text, []byte{26}) {
		return true
	}
	return len(bytes.TrimSpace(p.text)) == 0
}
