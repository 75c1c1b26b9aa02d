package entra

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/fault"
)

// envelope is an answer of Graph that lists something: a page of a collection.
type envelope struct {
	// value is the list, never empty text: at least "[]".
	value jsonscan.Value
	next  string // @odata.nextLink
	delta string // @odata.deltaLink
	count int    // @odata.count; 0 when it is not there
}

const oddAnswer = "if it stays so, look for a proxy or firewall that rewrites answers; nothing was removed on its account"

// openEnvelope reads an answer's outer shape. A list that is not there is an error and not an empty list:
// an answer with less than everything must never look like everything.
func openEnvelope(op string, body []byte) (envelope, error) {
	body = bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF"))
	odd := func(format string, args ...any) (envelope, error) {
		return envelope{}, &fault.Error{Class: fault.Transient, Op: op, Err: fmt.Errorf(format, args...), Hint: oddAnswer}
	}
	if !json.Valid(body) {
		return odd("the answer is not JSON, or was cut short")
	}
	text := string(bytes.TrimSpace(body))
	if text[0] != '{' {
		return odd("the answer is %s, not an object", jsonscan.Value(text).Kind())
	}
	var e envelope
	w := jsonscan.Enter(jsonscan.Value(text))
	for w.More() {
		name := w.Name()
		v := w.Value()
		var link *string
		switch name {
		case "value":
			if e.value != "" {
				return odd("the answer has two lists")
			}
			e.value = v
			continue
		case "error":
			if !v.Null() {
				return odd("the answer 200 has an error beside its list, so the list is not whole")
			}
			continue
		case "@odata.count":
			e.count = countOf(v)
			continue
		case "@odata.nextLink":
			link = &e.next
		case "@odata.deltaLink":
			link = &e.delta
		default:
			continue
		}
		if v.Null() {
			continue
		}
		s, ok := v.Text()
		if !ok {
			return odd("%s is %s, not a text", name, v.Kind())
		}
		*link = s
	}
	switch {
	case e.value == "":
		return odd("the answer has no list in it")
	case e.value[0] != '[':
		return odd("the list of the answer is %s", e.value.Kind())
	case e.next != "" && e.delta != "":
		return odd("the answer says both that more follows and that it is the last one")
	}
	return e, nil
}

// errNoEnd is an answer that neither is the last one of a round nor says where the next one is.
var errNoEnd = errors.New("the answer neither says that more follows nor that it is the last one")

// countOf reads a number of entries; 0 when it is none.
func countOf(v jsonscan.Value) int {
	n, err := strconv.Atoi(string(v))
	if err != nil || n < 0 {
		return 0
	}
	return n
}
