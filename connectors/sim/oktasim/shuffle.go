package oktasim

import (
	"encoding/json"
	"slices"
)

// shuffle turns the list round and repeats its first entry.
func (a *reply) shuffle() {
	var list []json.RawMessage
	if json.Unmarshal(a.body, &list) != nil || len(list) == 0 {
		return
	}
	slices.Reverse(list)
	a.json(append(list, list[0]))
}

// withoutLast takes the last entry off the list.
func (a *reply) withoutLast() {
	var list []json.RawMessage
	if json.Unmarshal(a.body, &list) != nil || len(list) == 0 {
		return
	}
	a.json(list[:len(list)-1])
}
