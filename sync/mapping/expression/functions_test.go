package expression

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
)

const reference = "../../../docs/rules.md"

var update = flag.Bool("update", false, "write the table of functions into docs/rules.md")

func TestFunctionExamples(t *testing.T) {
	for _, f := range Functions() {
		if len(f.Examples) == 0 || f.Help == "" || !strings.HasPrefix(f.Signature, f.Name+"(") {
			t.Errorf("%s: the reference is incomplete: %+v", f.Name, f)
		}
		for _, e := range f.Examples {
			v, err := evaluate(t, e.Expression, jane())
			if err != nil || v.String() != e.Result {
				t.Errorf("%s: got %q, %v, want %q", e.Expression, v, err, e.Result)
			}
		}
	}
}

// TestReferenceIsCurrent: the table of functions is that of Functions, and every name is mentioned.
// With -update the table is written.
func TestReferenceIsCurrent(t *testing.T) {
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	start, end := "<!-- functions -->\n", "<!-- end of functions -->\n"
	head, rest, ok1 := strings.Cut(text, start)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for the functions", reference)
	}
	current := head + start + functionReference() + end + tail
	if *update {
		if err := os.WriteFile(reference, []byte(current), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if current != text {
		t.Errorf("the table of functions is old: go test ./sync/mapping/expression -update")
	}
	names := append(NamesOf(directory.Person).List(), NamesOf(directory.Group).List()...)
	for _, n := range append(names, NamesOf(directory.Site).List()...) {
		if base, _, _ := strings.Cut(n.Name, "."); KindOf(base) != 0 {
			continue
		}
		if !strings.Contains(text, "`"+n.Name+"`") {
			t.Errorf("the reference does not mention %s", n.Name)
		}
	}
	for _, word := range []string{"`manager.NAME`", "`owner.NAME`", "`customer.NAME`", "`site.NAME`", "`attributes.NAME`", "`attribute_values.NAME`"} {
		if !strings.Contains(text, word) {
			t.Errorf("the reference does not mention %s", word)
		}
	}
}

func functionReference() string {
	var out strings.Builder
	cell := func(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
	out.WriteString("| function | is | for example |\n|---|---|---|\n")
	for _, f := range Functions() {
		var examples []string
		for _, e := range f.Examples {
			examples = append(examples, fmt.Sprintf("`%s` is `%s`", e.Expression, e.Result))
		}
		signatures := strings.ReplaceAll(f.Signature, "), ", ")`, `")
		fmt.Fprintf(&out, "| `%s` | %s | %s |\n", cell(signatures), cell(f.Help), cell(strings.Join(examples, ", ")))
	}
	return out.String()
}
