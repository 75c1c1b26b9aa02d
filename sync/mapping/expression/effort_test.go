package expression

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// crowded has lists and texts that are longer than anybody's.
func crowded() Input {
	in := jane()
	items := make([]string, 3000)
	for i := range items {
		items[i] = fmt.Sprintf("i%03d", i)
	}
	in.Object.SetText("title", strings.Join(items, ","))
	in.Object.SetText("department", strings.Repeat("x", 1<<20))
	in.Object.Set("emails", directory.List(items...))
	return in
}

// TestEffortIsBounded: no rule takes the memory or the time of the machine for one person.
func TestEffortIsBounded(t *testing.T) {
	for _, text := range []string{
		`any(split(title, ","), any(split(title, ","), # == "none"))`,
		`any(emails, any(split(title, ","), # == "none"))`,
		`count(emails, all(emails, # != "none")) > 5`,
		`any(emails, lower(department) == #)`,
		`any(emails, any(emails, lower(department) == #))`,
		`len(map(emails, upper(department))) > 3`,
		`any(emails, any(emails, department contains "y"))`,
		`len(filter(split(title, ","), len(filter(emails, # != "none")) > 0)) > 3`,
		`let parts = split(title, ","); any(parts, len(map(parts, # + "x")) == 0)`,
	} {
		x, diagnostics := people().Condition(text)
		if diagnostics != nil {
			t.Fatalf("%s: %+v", text, diagnostics)
		}
		in := crowded()
		e := NewEvaluator([]*Expression{x}).Begin(in)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := e.Truth(x); fault.ClassOf(err) != fault.Invalid || !strings.Contains(err.Error(), "too many times") && !strings.Contains(err.Error(), "memory budget") {
			t.Errorf("%s: %v", text, err)
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 600<<20 {
			t.Errorf("%s: %d MiB were allocated", text, grown>>20)
		}
		e.End()
	}
}

// TestEffortThatIsNeeded: what rules do is far from the limit, and what ends early costs only what was done.
func TestEffortThatIsNeeded(t *testing.T) {
	for _, text := range []string{
		`any(emails, lower(#) == "i2999")`,
		`any(split(title, ","), # == "i2999")`,
		`let some = emails[0:700]; count(some, any(some, # == "none")) == 0`,
		`all(emails, any(emails, # startsWith "i"))`,
		`len(map(emails, "mailto:" + lower(#))) == 3000`,
	} {
		x, diagnostics := people().Condition(text)
		if diagnostics != nil {
			t.Fatalf("%s: %+v", text, diagnostics)
		}
		e := NewEvaluator([]*Expression{x}).Begin(crowded())
		if holds, err := e.Truth(x); !holds || err != nil {
			t.Errorf("%s: %t, %v", text, holds, err)
		}
		e.End()
	}
}
