package spelling

import (
	"strings"
	"testing"
)

func TestSuggest(t *testing.T) {
	known := []string{"schedule", "full", "page_size", "on"}
	for word, want := range map[string]string{
		"scheduel": `did you mean "schedule"?`, "Schedule": `did you mean "schedule"?`, "page-size": `did you mean "page_size"?`,
		"pagesize": `did you mean "page_size"?`, "fulll": `did you mean "full"?`, "no": `did you mean "on"?`,
		"colour": "known: schedule, full, page_size, on", "": "known: schedule, full, page_size, on",
		strings.Repeat("x", 1<<20): "known: schedule, full, page_size, on",
	} {
		if got := Suggest(word, known); got != want {
			t.Errorf("%.20q: %s, want %s", word, got, want)
		}
	}
	if got := Suggest("x", nil); got != "" {
		t.Errorf("nothing is known, but the hint is %q", got)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"given_name", "name", "department", "title"}
	for word, want := range map[string]string{
		"givenName": "given_name", "GIVEN-NAME": "given_name", "nmae": "name", "titel": "title", "departmnt": "department",
		"dept": "", "departmentNumber": "", "": "", strings.Repeat("name", 20): "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	known := []string{"connections", "mapping", "on"}
	for word, want := range map[string]string{
		"conn": `did you mean "connections"?`, "mapping_file": `did you mean "mapping"?`, "o": `did you mean "on"?`, "co": "else",
	} {
		if got := DidYouMean(word, known, "else"); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}
