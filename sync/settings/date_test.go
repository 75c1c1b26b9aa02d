package settings

import (
	"strings"
	"testing"

	"dirsyncd/sync/settings/strict"
)

func TestDate(t *testing.T) {
	for text, want := range map[string]string{
		"2027-03-31": "2027-03-31", `"2027-03-31"`: "2027-03-31", "31.3.2027": "", "2027-02-30": "", "2027-03-31T10:00:00Z": "", "20270331": "", "0001-01-01": "", "soon": "", "[]": "",
	} {
		var got struct {
			Ends Date `yaml:"ends"`
		}
		doc := strict.Parse([]byte("ends: "+text+"\n"), strict.Options{})
		doc.Root().Into(&got)
		if got.Ends.String() != want || (len(doc.Problems()) > 0) != (want == "") {
			t.Errorf("%s: %q, problems %v", text, got.Ends, doc.Problems())
		}
		for _, p := range doc.Problems() {
			if !strings.Contains(p.Message, "ends") {
				t.Errorf("%s: %q does not name the key", text, p.Message)
			}
		}
	}
}
