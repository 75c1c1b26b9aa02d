package webhook

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// A 2xx answer may speak of single actions: {"results":[{"id":"…","status":422,"error":"…"}]}. Anything else than this
// form says nothing, and then all is taken. What begins as JSON and does not arrive as a whole may have said something:
// then nothing is known, and the same is sent again under the same ids.

// result is what the receiver says about one action.
type result struct {
	ID     string `json:"id"`
	Status int    `json:"status"`
	Error  string `json:"error"`
}

const (
	answerBytes = 1 << 20  // of an answer are read, and this much more for
	resultBytes = 64 << 10 // each action that was sent
	valueBytes  = 1 << 20  // in one piece, which is what is in memory
)

var errLong = errors.New("it is longer than what is read")

// results reads what a 2xx answer says about the actions that were sent, by their ids.
func (t *target) results(resp *http.Response, actions []directory.Action) (map[string]result, error) {
	from := &bounded{from: resp.Body, left: answerBytes + int64(len(actions))*resultBytes, piece: valueBytes}
	body := bufio.NewReader(from)
	first, err := firstByte(body)
	switch {
	case err != nil && !errors.Is(err, io.EOF) && strings.Contains(resp.Header.Get("Content-Type"), "json"):
		return nil, t.unknown(resp.StatusCode, err)
	case err != nil, first != '{':
		return nil, nil
	}
	r := resultReader{json: json.NewDecoder(body), from: from, sent: make(map[string]bool, len(actions)), told: map[string]result{}}
	for i := range actions {
		r.sent[actions[i].Key] = true
	}
	err = r.object(t.printable)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax) && !r.begun:
		return nil, nil
	case err != nil:
		return nil, t.unknown(resp.StatusCode, err)
	}
	return r.told, nil
}

// firstByte goes to the first byte that is no space, and no mark of the byte order.
func firstByte(r *bufio.Reader) (byte, error) {
	if mark, _ := r.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = r.Discard(3)
	}
	for {
		c, err := r.ReadByte()
		if err != nil || !bytes.ContainsRune([]byte(" \t\r\n"), rune(c)) {
			_ = r.UnreadByte()
			return c, err
		}
	}
}

// unknown is the error for an answer that may have refused actions.
func (t *target) unknown(status int, err error) error {
	e := &fault.Error{
		Class: fault.Transient, Op: "deliver events", Where: t.where, Err: fmt.Errorf("answered %d, but the answer broke off: %w", status, err),
		Hint: "what it says about single events is not known, so they are sent again under the same ids; if it goes on: does the receiver, " +
			"or a proxy before it, cut its answers?",
	}
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, errLong):
		e.Class, e.Err = fault.Configuration, fmt.Errorf("answered %d, but the answer cannot be used: %w", status, err)
		e.Hint = "the receiver must answer with one result for each event and with short errors; a smaller batch helps, too"
	case errors.As(err, &syntax):
		e.Class, e.Err = fault.Configuration, fmt.Errorf("answered %d with results that are no JSON", status)
		e.Hint = "the receiver must answer as docs/events.md says, or with an empty body"
	}
	return e
}

// resultReader reads the agreed form piece by piece.
type resultReader struct {
	json  *json.Decoder
	from  *bounded
	sent  map[string]bool
	begun bool // there is a list of results
	told  map[string]result
}

func (r *resultReader) token() (json.Token, error) {
	r.from.piece = valueBytes
	return r.json.Token()
}

func (r *resultReader) object(printable func(string) string) error {
	if _, err := r.token(); err != nil { // the brace
		return err
	}
	for r.json.More() {
		key, err := r.token()
		if err != nil {
			return err
		}
		value, err := r.token()
		if err != nil {
			return err
		}
		if key == "results" && value == json.Delim('[') {
			r.begun = true
			err = r.list(printable)
		} else {
			err = r.skip(value)
		}
		if err != nil {
			return err
		}
	}
	_, err := r.token()
	return err
}

func (r *resultReader) list(printable func(string) string) error {
	for r.json.More() {
		var one result
		r.from.piece = valueBytes
		err := r.json.Decode(&one)
		var other *json.UnmarshalTypeError
		switch {
		case errors.As(err, &other): // no result
		case err != nil:
			return err
		case r.sent[one.ID]:
			one.Error = printable(one.Error)
			r.told[one.ID] = one
		}
	}
	_, err := r.token()
	return err
}

// skip goes on behind a value that begins with a token.
func (r *resultReader) skip(token json.Token) error {
	for depth := 0; ; {
		if d, ok := token.(json.Delim); ok {
			if d == '{' || d == '[' {
				depth++
			} else {
				depth--
			}
		}
		if depth == 0 {
			return nil
		}
		var err error
		if token, err = r.token(); err != nil {
			return err
		}
	}
}

// bounded reads no more than is left in all, and in one piece.
type bounded struct {
	from        io.Reader
	left, piece int64
}

func (b *bounded) Read(p []byte) (int, error) {
	most := min(b.left, b.piece)
	if most <= 0 {
		return 0, errLong
	}
	n, err := b.from.Read(p[:min(int64(len(p)), most)])
	b.left -= int64(n)
	b.piece -= int64(n)
	return n, err
}
