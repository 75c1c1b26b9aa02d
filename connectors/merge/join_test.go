package merge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dirsyncd/store"
)

// parse makes people of lines such as "ad/1 guid=A no=7 mail=x <K1 3": a name, anchors in the order guid, no, mail, and the
// key that the person had, with its age. Sources are ad, entra, hr.
func parse(t *testing.T, lines []string) (people []*person) {
	t.Helper()
	for _, line := range lines {
		p := &person{anchors: make([]string, 3)}
		words := strings.Fields(line)
		p.name = words[0]
		p.source = slices.Index([]string{"ad", "entra", "hr"}, strings.Split(p.name, "/")[0])
		p.rank = p.source
		for i := 1; i < len(words); i++ {
			if key, ok := strings.CutPrefix(words[i], "<"); ok {
				p.former = key
				var age int
				_, err := fmt.Sscan(words[i+1], &age)
				if err != nil {
					t.Fatal(err)
				}
				p.age = store.Num(age)
				break
			}
			kind, value, _ := strings.Cut(words[i], "=")
			p.anchors[slices.Index([]string{"guid", "no", "mail"}, kind)] = value
		}
		people = append(people, p)
	}
	return people
}

// show renders groups: the key, its parts, and whom it may be.
func show(groups []*group) (lines []string) {
	for _, g := range groups {
		var names []string
		for _, p := range g.people {
			names = append(names, p.name)
		}
		line := g.key + ": " + strings.Join(names, " ")
		if g.asks != nil {
			line += " ?" + g.asks.Cause
			for _, c := range g.asks.Candidates {
				line += " " + c.Name
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func TestJoin(t *testing.T) {
	decided := func(a, b string, same bool) func([]*person) *decision {
		return func(people []*person) *decision {
			of := func(name string) *person {
				return people[slices.IndexFunc(people, func(p *person) bool { return p.name == name })]
			}
			pair := paired(of(a), of(b))
			return &decision{A: pair[0].name, B: pair[1].name, Same: same, Print: printOf(pair...)}
		}
	}
	lapsed := func(people []*person) *decision { return &decision{A: "ad/1", B: "hr/1", Same: true, Print: "other"} }
	for name, test := range map[string]struct {
		people  []string
		decided []func([]*person) *decision
		want    []string
	}{
		"nobody": {},
		"each for itself": {people: []string{"ad/1", "entra/1", "hr/1"},
			want: []string{"ad/1: ad/1", "entra/1: entra/1", "hr/1: hr/1"}},
		"by the strongest": {people: []string{"ad/1 guid=A", "entra/1 guid=A", "hr/1"},
			want: []string{"ad/1: ad/1 entra/1", "hr/1: hr/1"}},
		"by several, one after the other": {people: []string{"ad/1 guid=A", "entra/1 guid=A no=7", "hr/1 no=7"},
			want: []string{"ad/1: ad/1 entra/1 hr/1"}},
		"by the mail of one with the number of another": {people: []string{"ad/1 no=7 mail=x", "entra/1 mail=x", "hr/1 no=7"},
			want: []string{"ad/1: ad/1 entra/1 hr/1"}},
		"a stronger anchor contradicts": {people: []string{"ad/1 no=7 mail=x", "hr/1 no=8 mail=x"},
			want: []string{"ad/1: ad/1", "hr/1: hr/1"}},
		"a stronger anchor of another part contradicts": {people: []string{"ad/1 guid=A mail=x", "entra/1 guid=A no=7", "hr/1 no=8 mail=x"},
			want: []string{"ad/1: ad/1 entra/1", "hr/1: hr/1"}},
		"an address that was given on": {people: []string{"ad/1 no=1", "ad/2 no=2 mail=x", "hr/1 no=1 mail=x", "hr/2 no=2"},
			want: []string{"ad/1: ad/1 hr/1", "ad/2: ad/2 hr/2"}},
		"several of the second": {people: []string{"ad/1 no=7", "hr/1 no=7", "hr/2 no=7"},
			want: []string{"ad/1: ad/1", ": hr/1 ?ambiguous ad/1", ": hr/2 ?ambiguous ad/1"}},
		"several of the first": {people: []string{"ad/1 no=7", "ad/2 no=7", "hr/1 no=7"},
			want: []string{"ad/1: ad/1", "ad/2: ad/2", ": hr/1 ?ambiguous ad/1 ad/2"}},
		"several, but one is known better": {people: []string{"ad/1 guid=A mail=x", "entra/1 guid=A mail=x", "entra/2 mail=x", "hr/9"},
			want: []string{"ad/1: ad/1 entra/1", "entra/2: entra/2", "hr/9: hr/9"}},
		"what is open is not settled by a weaker anchor": {people: []string{"ad/1 no=7 mail=x", "hr/1 no=7 mail=x", "hr/2 no=7 mail=y"},
			want: []string{"ad/1: ad/1", ": hr/1 ?ambiguous ad/1", ": hr/2 ?ambiguous ad/1"}},
		"one between two of a source": {people: []string{"ad/1 no=1", "entra/1 no=1", "ad/2 no=2 guid=B", "entra/2 guid=B", "hr/1 mail=x no=1", "hr/2 mail=x no=2"},
			want: []string{"ad/1: ad/1 entra/1 hr/1", "ad/2: ad/2 entra/2 hr/2"}},
		"a human joins": {people: []string{"ad/1 no=7", "hr/1 no=7", "hr/2 no=7"}, decided: []func([]*person) *decision{decided("ad/1", "hr/2", true)},
			want: []string{"ad/1: ad/1 hr/2", "hr/1: hr/1"}},
		"a human joins against anchors": {people: []string{"ad/1 no=7", "hr/1 no=8"}, decided: []func([]*person) *decision{decided("ad/1", "hr/1", true)},
			want: []string{"ad/1: ad/1 hr/1"}},
		"a human parts": {people: []string{"ad/1 no=7", "hr/1 no=7"}, decided: []func([]*person) *decision{decided("ad/1", "hr/1", false)},
			want: []string{"ad/1: ad/1", "hr/1: hr/1"}},
		"one of several is out": {people: []string{"ad/1 no=7", "hr/1 no=7", "hr/2 no=7"}, decided: []func([]*person) *decision{decided("ad/1", "hr/1", false)},
			want: []string{"ad/1: ad/1", "hr/1: hr/1", ": hr/2 ?ambiguous ad/1"}},
		"a decision lapsed": {people: []string{"ad/1 <K 1", "hr/1 <K 1"}, decided: []func([]*person) *decision{lapsed},
			want: []string{"K: ad/1 hr/1 ?lapsed ad/1"}},
		"a decision lapsed and anchors join": {people: []string{"ad/1 no=1 <K 1", "hr/1 no=1 <K 1"}, decided: []func([]*person) *decision{lapsed},
			want: []string{"K: ad/1 hr/1"}},
		"a rival comes":            {people: []string{"ad/1 no=7 <K 1", "hr/1 no=7 <K 1", "hr/2 no=7"}, want: []string{"K: ad/1 hr/1 ?ambiguous ad/1", ": hr/2 ?ambiguous ad/1"}},
		"a rival who has a record": {people: []string{"ad/1 no=7 <K 1", "hr/1 no=7 <K 1", "hr/2 no=7 <H 2"}, want: []string{"K: ad/1 hr/1 ?ambiguous ad/1", "H: hr/2 ?ambiguous ad/1"}},
		"split: the strongest keeps the key": {people: []string{"ad/1 no=1 <hr/1 1", "hr/1 no=2 <hr/1 1"},
			want: []string{"hr/1: ad/1", "hr/1~2: hr/1"}},
		"joined again: the older key": {people: []string{"ad/1 no=1 <B 5", "hr/1 no=1 <A 2"}, want: []string{"A: ad/1 hr/1"}},
		"three keys":                  {people: []string{"ad/1 no=1 <B 5", "entra/1 no=1 <C 9", "hr/1 no=1 <A 7"}, want: []string{"B: ad/1 entra/1 hr/1"}},
		"a key moves with its strongest": {people: []string{"ad/1 no=1 <K 1", "entra/1 no=2 <K 1", "hr/1 no=2 <L 2"},
			want: []string{"K: ad/1", "L: entra/1 hr/1"}},
	} {
		t.Run(name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(1, 2))
			for range 20 { // in any order
				people := parse(t, test.people)
				var decisions []*decision
				for _, d := range test.decided {
					decisions = append(decisions, d(people))
				}
				rnd.Shuffle(len(people), func(a, b int) { people[a], people[b] = people[b], people[a] })
				groups := join(people, 3, decisions)
				keys(groups, func(string) bool { return false })
				if got := show(groups); !slices.Equal(got, test.want) {
					t.Fatalf("\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(test.want, "\n     "))
				}
			}
		})
	}
}

// Whatever there is, nobody is in two groups, no group has two of one source or a key of another, and order does not matter.
func TestJoinRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	value := func(prefix string) string {
		if rnd.IntN(3) == 0 {
			return ""
		}
		return fmt.Sprint(prefix, "=", rnd.IntN(6))
	}
	for range 3000 {
		var lines []string
		for i := range 2 + rnd.IntN(9) {
			words := []string{fmt.Sprintf("%s/%d", []string{"ad", "entra", "hr"}[rnd.IntN(3)], i)}
			for _, kind := range []string{"guid", "no", "mail"} {
				if v := value(kind); v != "" {
					words = append(words, v)
				}
			}
			if n := rnd.IntN(8); n > 3 {
				words = append(words, fmt.Sprintf("<K%d %d", n, n))
			}
			lines = append(lines, strings.Join(words, " "))
		}
		var want []string
		for round := range 3 {
			people := parse(t, lines)
			rnd.Shuffle(len(people), func(a, b int) { people[a], people[b] = people[b], people[a] })
			groups := join(people, 3, nil)
			keys(groups, func(string) bool { return false })
			got := show(groups)
			if round == 0 {
				want = got
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%q:\n got %q\nwant %q", lines, got, want)
			}
			seen, taken := map[string]bool{}, map[string]bool{}
			for _, g := range groups {
				sources := map[int]bool{}
				for _, p := range g.people {
					if seen[p.name] || sources[p.source] {
						t.Fatalf("%q: %q", lines, got)
					}
					seen[p.name], sources[p.source] = true, true
				}
				if g.key != "" && taken[g.key] || (g.key == "") != g.waits() {
					t.Fatalf("%q: %q", lines, got)
				}
				taken[g.key] = true
			}
			if len(seen) != len(people) {
				t.Fatalf("%q: %q", lines, got)
			}
		}
	}
}
