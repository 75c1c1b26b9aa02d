package connectors_test

import (
	"errors"
	"testing"

	"dirsyncd/connectors"
)

func TestUnreadable(t *testing.T) {
	failed := errors.New("403")
	bad := connectors.Invalid{ID: "g", Err: failed}
	for _, test := range []struct {
		what           string
		read, unread   int
		parked         int
		whole, atLimit bool
	}{
		{"one of several", 3, 1, 1, false, false},
		{"the only one", 0, 1, 1, false, false},
		{"all", 0, 2, 0, true, false},
		{"very many, and no other", 0, 21, 0, true, true},
		{"very many, and one other", 1, 50, 50, false, false},
		{"none", 2, 0, 0, false, false},
	} {
		var u connectors.Unreadable
		for range test.read {
			u.Read()
		}
		var stop error
		for range test.unread {
			stop = u.Add(bad)
		}
		list, err := u.All()
		if len(list) != test.parked || (err != nil) != test.whole || (stop != nil) != test.atLimit {
			t.Errorf("%s: %d parked, %v, %v", test.what, len(list), err, stop)
		}
	}
}
