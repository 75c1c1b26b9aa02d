package google

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/fault"
)

// listPage is a page of any of Google's lists. The list's key is absent when the list is empty.
type listPage struct {
	Kind, Etag, NextPageToken                       string
	Users, Groups, Members, Items, ChromeOS, Mobile []json.RawMessage
	Subscriptions                                   []json.RawMessage
}

func (d *listPage) list(key string) *[]json.RawMessage {
	switch key {
	case "users":
		return &d.Users
	case "groups":
		return &d.Groups
	case "members":
		return &d.Members
	case "items":
		return &d.Items
	case "chromeosdevices":
		return &d.ChromeOS
	case "mobiledevices":
		return &d.Mobile
	case "subscriptions":
		return &d.Subscriptions
	}
	return nil
}

func (d *listPage) text(key string) *string {
	switch key {
	case "kind":
		return &d.Kind
	case "etag":
		return &d.Etag
	case "nextPageToken":
		return &d.NextPageToken
	}
	return nil
}

// parseListPage reads a page. Every list of Google's says what it is and carries an etag, also an empty one; a
// document with neither is somebody else's, or a broken one, and is not taken for an empty list.
func parseListPage(op string, body []byte) (*listPage, error) {
	var d listPage
	if err := splitListPage(body, d.list, d.text); err != nil {
		return nil, odd(op, fmt.Errorf("the answer is not a list as Google describes it: %w", shapeOnly(err)))
	}
	if d.Kind == "" && d.Etag == "" {
		return nil, odd(op, errors.New("the answer 200 is a document, but not one of Google's lists"))
	}
	return &d, nil
}

// splitListPage finds the parts of a page without decoding them: the list under one of the keys as the bytes of its
// entries, and the texts beside it. What is inside an entry is not looked at; decoding it finds what is wrong there.
func splitListPage(body []byte, list func(key string) *[]json.RawMessage, text func(key string) *string) error {
	s := jsonscan.Object(string(body))
	for s.More() {
		key := s.Name()
		entries := list(key)
		switch {
		case entries == nil:
			if err := beside(s.Value(), text(key)); err != nil {
				return err
			}
		case *entries != nil:
			// Either of the two would hide what the other lists.
			return errors.New(key + " stands there twice")
		case s.AtList():
			*entries = []json.RawMessage{}
			for e := range s.Elements {
				*entries = append(*entries, body[s.At()-len(e):s.At()])
			}
		case s.Value() != "null":
			return errors.New(key + " is no list")
		}
	}
	return s.Err()
}

// beside takes what is no list of entries: a text that is wanted, or anything.
func beside(v jsonscan.Value, text *string) error {
	if text != nil {
		return json.Unmarshal([]byte(v), text)
	}
	if !json.Valid([]byte(v)) {
		return jsonscan.ErrBroken
	}
	return nil
}

// odd is the error for an answer that cannot be right. It is worth another try: such answers come from something
// in between that is out of order.
func odd(op string, err error) error {
	return &fault.Error{
		Class: fault.Transient, Op: op, Err: err,
		Hint: "if it stays so, look for a proxy that answers in Google's place",
	}
}

// shapeOnly keeps of an error of the JSON decoder what names no content.
func shapeOnly(err error) error {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return fmt.Errorf("%s is a %s", typ.Field, strings.Fields(typ.Value + " ?")[0])
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return jsonscan.ErrBroken
	}
	return err
}

// many is a list whose entries are objects. Old data has a single object in place of a list, and null in place of
// either.
type many[T any] []T

func (m *many[T]) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	*m = (*m)[:0]
	switch {
	case string(data) == "null":
		return nil
	case len(data) > 0 && data[0] == '{':
		var one T
		if err := json.Unmarshal(data, &one); err != nil {
			return err
		}
		*m = append(*m, one)
		return nil
	}
	return json.Unmarshal(data, (*[]T)(m))
}

// parseTime reads a time of Google's. 1970 is its word for never.
func parseTime(text string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil && t.Unix() > 0
}
