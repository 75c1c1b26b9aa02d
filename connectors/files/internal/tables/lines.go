package tables

import (
	"bytes"
	"errors"
	"io"
)

// input is a text of which as much is kept as somebody still looks at.
type input struct {
	src        io.Reader
	buf        []byte
	start, end int // what is not used up
	err        error
}

func newInput(src io.Reader) *input { return &input{src: src, buf: make([]byte, sampleSize)} }

// rest is what is there and not used up.
func (in *input) rest() []byte { return in.buf[in.start:in.end] }

// more gets more of the text and reports whether there was any. At the end of the text, err is io.EOF.
func (in *input) more() bool {
	if in.err != nil {
		return false
	}
	if in.start > 0 {
		in.end = copy(in.buf, in.buf[in.start:in.end])
		in.start = 0
	}
	if in.end == len(in.buf) {
		in.buf = append(in.buf, make([]byte, len(in.buf))...)
	}
	before := in.end
	for empty := 0; in.end < len(in.buf) && in.err == nil; {
		n, err := in.src.Read(in.buf[in.end:])
		in.end += n
		in.err = err
		if empty++; n > 0 {
			empty = 0
		} else if err == nil && empty > 100 {
			in.err = io.ErrNoProgress
		}
	}
	return in.end > before
}

// failed returns what kept the text from being read to its end.
func (in *input) failed() error {
	if errors.Is(in.err, io.EOF) {
		return nil
	}
	return in.err
}

// line returns the next line without its end, which is LF or CRLF, and uses it up. complete is false for a last one
// without an end. A line that is longer than most is cut, and long is set.
func (in *input) line(most int) (line []byte, complete, long bool, err error) {
	from := 0
	for {
		if i := bytes.IndexByte(in.rest()[from:], '\n'); i >= 0 {
			line = in.rest()[:from+i]
			in.start += from + i + 1
			return bytes.TrimSuffix(line, []byte{'\r'}), true, false, nil
		}
		from = len(in.rest())
		if from > most {
			line = bytes.Clone(in.rest()[:most])
			return line, true, true, in.skipLine()
		}
		if !in.more() {
			break
		}
	}
	if err := in.failed(); err != nil {
		return nil, false, false, err
	}
	line = in.rest()
	in.start = in.end
	if len(line) == 0 {
		return nil, false, false, io.EOF
	}
	return bytes.TrimSuffix(line, []byte{'\r'}), false, false, nil
}

// skipLine uses up what is left of a line.
func (in *input) skipLine() error {
	for {
		if i := bytes.IndexByte(in.rest(), '\n'); i >= 0 {
			in.start += i + 1
			return nil
		}
		in.start = in.end
		if !in.more() {
			return in.failed()
		}
	}
}
