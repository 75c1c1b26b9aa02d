package google

import (
	"encoding/json"
	"errors"

	"dirsyncd/connectors/internal/jsonscan"
)

// splitDocument finds the parts of a page without decoding them: the list under one of the keys as the bytes of its
// entries, and the texts beside it. What is inside an entry is not looked at; decoding it finds what is wrong there.
func splitDocument(body []byte, list func(key string) *[]json.RawMessage, text func(key string) *string) error {
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
