package expression

import (
	"fmt"
	"strings"
	"testing"

	"dirsyncd/sync/fault"
)

// TestConstantsMeanTheSame: an expression of constants comes to what the same one of names comes to, its error included.
func TestConstantsMeanTheSame(t *testing.T) {
	for _, c := range []struct {
		text       string // $T, $U and $N stand for texts and a number
		texts      [2]string
		isConstant bool // it is made when the expression is compiled
	}{
		{`lower($T) + upper($U)`, [2]string{"Ab", "cD"}, true},
		{`split($T, $U)`, [2]string{"a;b;;c", ";"}, true},
		{`sort(split($T, $U))[1:]`, [2]string{"c;b;a", ";"}, true},
		{`uniq(concat(split($T, $U), [$U]))`, [2]string{"c;b;c", ";"}, true},
		{`len(filter(split($T, $U), # startsWith "a")) + $N`, [2]string{"ab;b;ac", ";"}, true},
		{`map(split($T, $U), lower(#) + "!")`, [2]string{"A;B", ";"}, true},
		{`any(split($T, $U), any(split($T, $U), # == "b"))`, [2]string{"A;b", ";"}, true},
		{`find(split($T, $U), # contains "z") ?? "none"`, [2]string{"A;b", ";"}, false},
		{`first(split($T, $U)) ?? "none"`, [2]string{"", ";"}, false},
		{`first(split($T, $U)) ?? "none"`, [2]string{"a", ";"}, true},
		{`int($T) + $N`, [2]string{"12", ""}, true},
		{`int($T)`, [2]string{"", ""}, false},
		{`int($T) + $N`, [2]string{"", ""}, false},
		{`int($T) + $N`, [2]string{"twelve", ""}, false},
		{`int($T) ?? $N`, [2]string{"", ""}, false},
		{`$N > 5 ? $T : $U`, [2]string{"more", "less"}, true},
		{`$N > 50 ? $T : nil`, [2]string{"more", "less"}, false},
		{`$T == nil ? "blank" : $T`, [2]string{"", ""}, true},
		{`date($T) > date($U)`, [2]string{"2026-02-01", "2026-01-31"}, true},
		{`date($T) > date(trim($U))`, [2]string{"2026-02-01", "soon"}, false},
		{`string(date($T)) + string($N)`, [2]string{"2026-02-01", ""}, true},
		{`replace($T, $U, "` + strings.Repeat("x", 2000) + `")`, [2]string{strings.Repeat("a", 2000), "a"}, false},
		{`$T in split("a;b", $U)`, [2]string{"b", ";"}, true},
		{`not ($T startsWith $U) and $N in [7, 8]`, [2]string{"b", ";"}, false},
		{`-$N`, [2]string{"", ""}, true},
		{`let x = split($T, $U); x[0] + x[5]`, [2]string{"b;c", ";"}, false},
	} {
		t.Run(c.text, func(t *testing.T) {
			in := jane()
			in.Object.SetText("title", c.texts[0])
			in.Object.SetText("office", c.texts[1])
			literal := strings.NewReplacer("$T", fmt.Sprintf("%q", c.texts[0]), "$U", fmt.Sprintf("%q", c.texts[1]), "$N", "7").Replace(c.text)
			named := strings.NewReplacer("$T", "title", "$U", "office", "$N", "attributes.level").Replace(c.text)
			named = strings.ReplaceAll(named, "attributes.level", `int(attributes.level)`)
			got, err := evaluate(t, literal, in)
			want, wanted := evaluate(t, named, in)
			if !got.Equal(want) || fmt.Sprint(err) != fmt.Sprint(wanted) || fault.ClassOf(err) != fault.ClassOf(wanted) {
				t.Errorf("%v, %v; with names %v, %v", got, err, want, wanted)
			}
			x, _ := people().Value(literal)
			if n := len(x.program.Bytecode); (n == 1) != c.isConstant {
				t.Errorf("%d instructions, constant %t", n, c.isConstant)
			}
		})
	}
}

// TestConstantsFailWhereTheyStand: what cannot be made fails when it is reached, and only then.
func TestConstantsFailWhereTheyStand(t *testing.T) {
	for text, want := range map[string]string{
		`true or int("x") > 1`:                        "true",
		`login == "nobody" and int("x") > 1`:          "false",
		`login == "jroe" and int("x") > 1`:            "Invalid",
		`any(emails, # == "none" and int("x") == 1)`:  "false",
		`any(emails, # contains "@" and int("") > 1)`: "Invalid",
	} {
		x, diagnostics := people().Condition(text)
		if diagnostics != nil {
			t.Fatalf("%s: %+v", text, diagnostics)
		}
		e := NewEvaluator([]*Expression{x}).Begin(jane())
		holds, err := e.Truth(x)
		got := fmt.Sprint(holds)
		if fault.ClassOf(err) == fault.Invalid {
			got = "Invalid"
		}
		if got != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
		e.End()
	}
}

// BenchmarkConstantList is a condition over a list that looks into a list of constants.
func BenchmarkConstantList(b *testing.B) {
	for name, text := range map[string]string{
		"one person": `lower(department) in split(lower("Sales,Support,Finance,People,Legal"), ",")`,
		"3000 items": `any(emails, # in split("a,b,c,d,e,f,g,h", ","))`,
	} {
		b.Run(name, func(b *testing.B) {
			x, diagnostics := people().Condition(text)
			if diagnostics != nil {
				b.Fatal(diagnostics)
			}
			ev, in := NewEvaluator([]*Expression{x}), jane()
			if name != "one person" {
				in = crowded()
			}
			b.ReportAllocs()
			for b.Loop() {
				e := ev.Begin(in)
				if _, err := e.Truth(x); err != nil {
					b.Fatal(err)
				}
				e.End()
			}
		})
	}
}
