package desk

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"dirsyncd/sync/targets"
)

// A line of a side: "name anchor=A login=L email=E mark=M customer=C id=ID not=ID protected".
func parseSide(t *testing.T, line string) (name string, words map[string]string) {
	t.Helper()
	fields := strings.Fields(line)
	words = map[string]string{}
	for _, f := range fields[1:] {
		k, v, _ := strings.Cut(f, "=")
		words[k] = strings.ReplaceAll(v, "_", " ")
	}
	return fields[0], words
}

func sides(t *testing.T, keys []targets.DeskKey, ours, theirs []string) (o []Ours, e []Theirs) {
	t.Helper()
	r := NewReader([]string{"k.A."})
	values := func(w map[string]string) (list []Value) {
		for _, k := range keys {
			list = append(list, r.Value(w[k.Name]))
		}
		return list
	}
	for _, line := range ours {
		name, w := parseSide(t, line)
		s := Ours{Subject: name, ID: w["id"], Customer: w["customer"], Mark: r.Value(name), Keys: values(w)}
		if w["not"] != "" {
			s.Not = strings.Split(w["not"], ",")
		}
		o = append(o, s)
	}
	for _, line := range theirs {
		name, w := parseSide(t, line)
		_, protected := w["protected"]
		s := Theirs{ID: name, Customer: w["customer"], Mark: r.Value(w["mark"]), Keys: values(w)}
		if protected {
			s.Protected = "an administrator"
		}
		e = append(e, s)
	}
	return o, e
}

func sayVerdict(keys []targets.DeskKey, v Verdict) string {
	name := func(k int) string {
		if k == MarkKey {
			return "mark"
		}
		return keys[k].Name
	}
	switch v.Situation {
	case Same:
		return fmt.Sprintf("%s is %s by %s", v.Subject, v.ID, name(v.Key))
	case Asked:
		text := fmt.Sprintf("%s asks %s by %s: %s", v.Subject, strings.Join(v.Candidates, ","), name(v.Key), v.Cause)
		if v.Cause == Contradicted {
			text += " " + name(v.Against)
		}
		if v.Holder != "" {
			text += " " + v.Holder
		}
		return text
	default:
		return v.Subject + " is new"
	}
}

func personKeys() []targets.DeskKey {
	return []targets.DeskKey{
		{Name: "anchor", Anchor: true}, {Name: "login", Folded: true}, {Name: "email", Folded: true, Within: true}, {Name: "name", Folded: true, Proposes: true},
	}
}

func TestCorrelate(t *testing.T) {
	tests := []struct {
		name               string
		ours, theirs, want []string
	}{
		{"an empty desk", []string{"a login=a"}, nil, []string{"a is new"}},
		{"no value matches nothing", []string{"a", "b login=n/a"}, []string{"1", "2 login=n/a"}, []string{"a is new", "b is new"}},
		{"the operator's blanks", []string{"a login=k.A."}, []string{"1 login=K.a."}, []string{"a is new"}},
		{"the mark comes first", []string{"a login=x"}, []string{"1 login=x", "2 mark=a"}, []string{"a is 2 by mark"}},
		{"two have our mark", []string{"a"}, []string{"1 mark=a", "2 mark=a"}, []string{"a asks 1,2 by mark: twins"}},
		{"the strongest key decides", []string{"a anchor=A login=x"}, []string{"1 login=x", "2 anchor=A"}, []string{"a is 2 by anchor"}},
		{"case and width of letters", []string{"a login=Müller", "b anchor=A"}, []string{"1 login=MÜLLER", "2 anchor=a"}, []string{"a is 1 by login", "b is new"}},
		{"two things have the value", []string{"a login=x"}, []string{"1 login=x", "2 login=X"}, []string{"a asks 1,2 by login: ambiguous"}},
		{"two records have the value", []string{"a login=x", "b login=x"}, []string{"1 login=x"}, []string{"a asks 1 by login: ambiguous", "b asks 1 by login: ambiguous"}},
		{"one of the two is linked elsewhere", []string{"a login=x", "b login=x id=7"}, []string{"1 login=x", "7"}, []string{"a asks 1 by login: ambiguous"}},
		{"what is linked explains its value", []string{"a login=x", "b login=x id=1"}, []string{"1 login=x"}, []string{"a is new"}},
		{"an address was given on", []string{"a anchor=A customer=c email=x"}, []string{"1 anchor=B customer=c email=x"}, []string{"a asks 1 by email: contradicted anchor"}},
		{"a log-in that is the address again says nothing", []string{"a customer=c login=jo email=j@x"}, []string{"1 customer=c login=J@x email=j@x"}, []string{"a is 1 by email"}},
		{"and none of ours that is", []string{"a customer=c login=j@x email=j@x"}, []string{"1 customer=c login=jo email=j@x"}, []string{"a is 1 by email"}},
		{"another log-in is somebody else", []string{"a customer=c login=jo email=j@x"}, []string{"1 customer=c login=jane email=j@x"}, []string{"a asks 1 by email: contradicted login"}},
		{"an anchor says what it says", []string{"a customer=c anchor=j@x email=j@x"}, []string{"1 customer=c anchor=B email=j@x"}, []string{"a asks 1 by email: contradicted anchor"}},
		{"a mark of another record", []string{"a login=x"}, []string{"1 login=x mark=z"}, []string{"a asks 1 by login: contradicted mark"}},
		{"case alone contradicts nobody", []string{"a anchor=A login=x"}, []string{"1 anchor=a login=x"}, []string{"a is 1 by login"}},
		{"a linked one keeps a value that is not its own any more", []string{"a login=x", "b login=y id=1"}, []string{"1 login=x"}, []string{"a asks 1 by login: taken b"}},
		{"the stronger of two claims", []string{"a anchor=A login=y", "b login=x"}, []string{"1 anchor=A login=x"}, []string{"a is 1 by anchor", "b asks 1 by login: taken a"}},
		{"a thing that waits for a human", []string{"a anchor=A", "b anchor=A", "c login=x"}, []string{"1 anchor=A login=x"},
			[]string{"a asks 1 by anchor: ambiguous", "b asks 1 by anchor: ambiguous", "c asks 1 by login: contested"}},
		{"protected", []string{"a login=x"}, []string{"1 login=x protected"}, []string{"a asks 1 by login: protected"}},
		{"ruled out", []string{"a login=x not=1"}, []string{"1 login=x"}, []string{"a is new"}},
		{"ruled out, the other is left", []string{"a login=x not=1"}, []string{"1 login=x", "2 login=x"}, []string{"a is 2 by login"}},
		{"within the customer", []string{"a customer=c email=x"}, []string{"1 customer=c email=x", "2 customer=d email=x"}, []string{"a is 1 by email"}},
		{"in another customer", []string{"a customer=c email=x"}, []string{"2 customer=d email=x"}, []string{"a asks 2 by email: customer"}},
		{"the customer is not known", []string{"a email=x"}, []string{"2 customer=d email=x"}, []string{"a asks 2 by email: customer"}},
		{"a name only proposes", []string{"a name=Ada"}, []string{"1 name=ada"}, []string{"a asks 1 by name: proposal"}},
		{"a weaker key decides after a proposal", []string{"a customer=c email=x login=y"}, []string{"1 customer=d email=x login=y"}, []string{"a is 1 by login"}},
		{"a proposal that is somebody else", []string{"a name=Ada", "b name=Ada id=1"}, []string{"1 name=Ada"}, []string{"a is new"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			keys := personKeys()
			ours, theirs := sides(t, keys, tt.ours, tt.theirs)
			var got []string
			for _, v := range Correlate(keys, ours, theirs) {
				got = append(got, sayVerdict(keys, v))
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
		})
	}
}

// The verdicts are a function of the two sides: the order in which pages come makes no difference. And they keep what they
// promise: nobody is two, nobody is shared, nothing that is taken or protected is given away.
func TestCorrelateRandom(t *testing.T) {
	keys := personKeys()
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		pick := func() string { return string(rune('a' + r.IntN(5))) }
		var lines [2][]string
		for side := range lines {
			for i := range r.IntN(7) {
				line := fmt.Sprintf("%d", i)
				if side == 0 {
					line = "s" + line
				}
				for _, k := range []string{"anchor", "login", "email", "name", "customer"} {
					if r.IntN(2) == 0 {
						line += " " + k + "=" + pick()
					}
				}
				switch {
				case side == 0 && r.IntN(5) == 0:
					line += fmt.Sprintf(" id=%d", i)
				case side == 0 && r.IntN(5) == 0:
					line += fmt.Sprintf(" not=%d", r.IntN(7))
				case side == 1 && r.IntN(6) == 0:
					line += " protected"
				case side == 1 && r.IntN(6) == 0:
					line += fmt.Sprintf(" mark=s%d", r.IntN(7))
				}
				lines[side] = append(lines[side], line)
			}
		}
		ours, theirs := sides(t, keys, lines[0], lines[1])
		first := map[string]string{}
		used := map[string]string{}
		for _, o := range ours {
			if o.ID != "" {
				used[o.ID] = o.Subject
			}
		}
		for _, v := range Correlate(keys, ours, theirs) {
			first[v.Subject] = sayVerdict(keys, v)
			if v.Situation != Same {
				continue
			}
			if other, taken := used[v.ID]; taken {
				t.Fatalf("seed %d: %s is %s's: %s", seed, v.ID, other, first[v.Subject])
			}
			used[v.ID] = v.Subject
		}
		r.Shuffle(len(ours), func(i, j int) { ours[i], ours[j] = ours[j], ours[i] })
		r.Shuffle(len(theirs), func(i, j int) { theirs[i], theirs[j] = theirs[j], theirs[i] })
		for _, v := range Correlate(keys, ours, theirs) {
			if again := sayVerdict(keys, v); again != first[v.Subject] {
				t.Fatalf("seed %d: %q, in another order %q\nours %q\ntheirs %q", seed, first[v.Subject], again, lines[0], lines[1])
			}
		}
	}
}
