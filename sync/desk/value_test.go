package desk

import (
	"testing"
)

// FuzzValue holds that blanks around a text say nothing.
func FuzzValue(f *testing.F) {
	for _, text := range []string{"", "A. User", "straße", "\u01f1", "\xf1\u01f1", "\xff", "ﬁ"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		reader := NewReader(nil)
		if a, b := reader.Value(text), reader.Value(" "+text+"\n "); a != b {
			t.Errorf("%q is not what it is between blanks", text)
		}
	})
}
