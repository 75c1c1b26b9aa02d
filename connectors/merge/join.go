package merge

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"dirsyncd/store"
)

// person is somebody as one connection has that person.
type person struct {
	name    string // "hq-ad/5f1c": names the object among all
	source  int    // the place of its connection in Config.From
	rank    int    // the same, the leader's first
	part    int    // the place of its partition among the contributors
	num     store.Num
	anchors []string
	// former is the key of the merged object that the person was part of last, and age that one's number: a smaller one is
	// older. Empty: of none.
	former string
	age    store.Num
}

// stronger puts people in the order in which they speak for the merged object.
func stronger(a, b *person) int {
	return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.name, b.name))
}

// group is somebody as a whole: at most one person of each connection, the strongest first.
type group struct {
	people  []*person
	sources uint64 // the connections that have the person
	asks    *question
	key     string
}

// question is a group that may be part of another one.
type question struct {
	Subject    string    `json:"subject"` // the strongest person's name
	Cause      string    `json:"cause"`
	Print      string    `json:"print"` // of both sides
	Since      time.Time `json:"since"`
	Candidates []likely  `json:"candidates"`
}

// likely is somebody who may be the subject of a question, by an anchor.
type likely struct {
	Name  string `json:"name"`
	Join  int    `json:"join"`
	Print string `json:"print"` // of the pair
}

// The causes of a question.
const (
	causeAmbiguous = "ambiguous"
	causeLapsed    = "lapsed"
)

// joining works out who is who. What it comes to depends on the people, what was decided, and what those who wait were part of
// before, and not on the order in which they come.
type joining struct {
	joins   int
	groups  map[*person]*group
	verdict map[[2]string]*decision // by the names of two people
}

// pairOf names two people, in order.
func pairOf(a, b string) [2]string { return [2]string{min(a, b), max(a, b)} }

// join returns the groups that people are, in order of their strongest.
func join(people []*person, joins int, decisions []*decision) []*group {
	j := &joining{joins: joins, groups: map[*person]*group{}, verdict: map[[2]string]*decision{}}
	byName := make(map[string]*person, len(people))
	for _, p := range people {
		byName[p.name] = p
		j.groups[p] = &group{people: []*person{p}, sources: 1 << p.source}
	}
	for _, d := range decisions {
		a, b := byName[d.A], byName[d.B]
		switch {
		case a == nil || b == nil:
		case printOf(a, b) != d.Print:
			if d.Same {
				j.askAgain(a, b)
			}
		case d.Same:
			if ga, gb := j.groups[a], j.groups[b]; ga.sources&gb.sources == 0 {
				j.unite(ga, gb)
			}
		default:
			j.verdict[pairOf(d.A, d.B)] = d
		}
	}
	for i := range joins {
		j.by(i, people)
	}
	j.stay(people)
	var list []*group
	for p, g := range j.groups {
		if p == g.people[0] {
			list = append(list, g)
		}
	}
	slices.SortFunc(list, func(a, b *group) int { return stronger(a.people[0], b.people[0]) })
	return list
}

func (j *joining) unite(a, b *group) {
	if a == b {
		return
	}
	a.people = append(a.people, b.people...)
	slices.SortFunc(a.people, stronger)
	a.sources |= b.sources
	if a.asks == nil {
		a.asks = b.asks
	}
	for _, p := range b.people {
		j.groups[p] = a
	}
}

// mayBe reports whether two groups may be the same, as far as anchors that are stronger than one say.
func (j *joining) mayBe(a, b *group, anchor int) bool {
	if a.sources&b.sources != 0 {
		return false
	}
	for i := range anchor {
		said, agreed := [2]bool{}, false
		for _, p := range a.people {
			said[0] = said[0] || p.anchors[i] != ""
			for _, q := range b.people {
				said[1] = said[1] || q.anchors[i] != ""
				agreed = agreed || p.anchors[i] != "" && p.anchors[i] == q.anchors[i]
			}
		}
		if said[0] && said[1] && !agreed {
			return false
		}
	}
	for _, p := range a.people {
		for _, q := range b.people {
			if j.verdict[pairOf(p.name, q.name)] != nil {
				return false
			}
		}
	}
	return true
}

// by joins by one anchor. Groups that share a value and may be the same are joined when all that hang together so may be one,
// and no connection has the value twice. Otherwise those of the strongest connection go on as they are, and the others wait.
func (j *joining) by(anchor int, people []*person) {
	with := map[string][]*person{}
	for _, p := range people {
		if v := p.anchors[anchor]; v != "" {
			with[v] = append(with[v], p)
		}
	}
	near := map[*group][]*group{} // those that share a value and may be the same
	doubt := map[*group]bool{}
	for _, same := range with {
		if len(same) < 2 {
			continue
		}
		var sources uint64
		twice := false
		for _, p := range same {
			twice = twice || sources&(1<<p.source) != 0
			sources |= 1 << p.source
		}
		for i, p := range same {
			for _, q := range same[i+1:] {
				a, b := j.groups[p], j.groups[q]
				if a == b || a.asks != nil || b.asks != nil || !j.mayBe(a, b, anchor) {
					continue
				}
				near[a], near[b] = append(near[a], b), append(near[b], a)
				if twice {
					doubt[a], doubt[b] = true, true
				}
			}
		}
	}
	seen := map[*group]bool{}
	for _, p := range people { // each once, in any order: what hangs together is joined or asked about as a whole
		if g := j.groups[p]; len(near[g]) > 0 && !seen[g] {
			j.settle(together(g, near, seen), near, doubt, anchor)
		}
	}
}

// together returns a group and all that hang together with it.
func together(g *group, near map[*group][]*group, seen map[*group]bool) []*group {
	list := []*group{g}
	seen[g] = true
	for i := 0; i < len(list); i++ {
		for _, next := range near[list[i]] {
			if !seen[next] {
				seen[next] = true
				list = append(list, next)
			}
		}
	}
	slices.SortFunc(list, func(a, b *group) int { return stronger(a.people[0], b.people[0]) })
	return list
}

func (j *joining) settle(list []*group, near map[*group][]*group, doubt map[*group]bool, anchor int) {
	sure := true
	for i, a := range list {
		sure = sure && !doubt[a]
		for _, b := range list[i+1:] {
			sure = sure && j.mayBe(a, b, anchor)
		}
		if !sure {
			break
		}
	}
	if sure {
		for _, g := range list[1:] {
			j.unite(list[0], g)
		}
		return
	}
	first := list[0].people[0].rank
	for _, g := range list {
		if g.people[0].rank != first {
			g.asks = ask(g, near[g], anchor, causeAmbiguous)
		}
	}
}

// ask makes a question of a group that may be one of others.
func ask(g *group, others []*group, anchor int, cause string) *question {
	q := &question{Subject: g.people[0].name, Cause: cause}
	sides := []*person{g.people[0]}
	slices.SortFunc(others, func(a, b *group) int { return stronger(a.people[0], b.people[0]) })
	for _, o := range slices.Compact(others) {
		q.Candidates = append(q.Candidates, likely{Name: o.people[0].name, Join: anchor, Print: printOf(paired(g.people[0], o.people[0])...)})
		sides = append(sides, o.people[0])
	}
	q.Print = printOf(sides...)
	return q
}

// paired puts two people in the order of pairOf.
func paired(a, b *person) []*person {
	if b.name < a.name {
		a, b = b, a
	}
	return []*person{a, b}
}

// askAgain asks about two whom a human had joined, and of whom one has changed since. Until that is answered they stay together. Where
// an anchor has come that joins them there is nothing to ask.
func (j *joining) askAgain(p, q *person) {
	a, b := j.groups[p], j.groups[q]
	if p.former == "" || p.former != q.former || a.sources&b.sources != 0 {
		return
	}
	for i, v := range p.anchors {
		if v != "" && v == q.anchors[i] {
			return
		}
	}
	if stronger(p, q) < 0 {
		a, b = b, a
	}
	asks := ask(a, []*group{b}, -1, causeLapsed)
	j.unite(a, b)
	a.asks = asks
}

// stay leaves those who wait where they were: what is open is no reason to part anybody from anybody.
func (j *joining) stay(people []*person) {
	holders := map[string]*person{} // of former keys: the strongest of those who do not wait
	var waiting []*group
	for _, p := range people {
		g := j.groups[p]
		if g.asks != nil {
			if p == g.people[0] {
				waiting = append(waiting, g)
			}
			continue
		}
		if h := holders[p.former]; p.former != "" && (h == nil || stronger(p, h) < 0) {
			holders[p.former] = p
		}
	}
	slices.SortFunc(waiting, func(a, b *group) int { return stronger(a.people[0], b.people[0]) })
	for _, g := range waiting {
		for _, key := range claimsOf(g) {
			if h := holders[key]; h != nil && j.groups[h].sources&g.sources == 0 {
				asks := cmp.Or(j.groups[h].asks, g.asks)
				j.unite(j.groups[h], g)
				j.groups[h].asks = asks
				break
			}
		}
	}
}

// claimsOf lists the former keys of a group's people, the oldest first.
func claimsOf(g *group) []string {
	ages := map[string]store.Num{}
	for _, p := range g.people {
		if p.former != "" {
			ages[p.former] = p.age
		}
	}
	return slices.SortedFunc(maps.Keys(ages), func(a, b string) int { return cmp.Or(cmp.Compare(ages[a], ages[b]), strings.Compare(a, b)) })
}

// waits reports whether nothing is made of a group until somebody decides.
func (g *group) waits() bool { return g.asks != nil && len(claimsOf(g)) == 0 }

// keys gives groups that do not wait their keys. One that existed goes to the strongest of those who were part of it; who has several takes
// the oldest. Who has none gets the name of the strongest, unless used says that something is called so, and a number
// behind it then.
func keys(groups []*group, used func(key string) bool) {
	heirs := map[string]*person{}
	of := map[*person]*group{}
	for _, g := range groups {
		for _, p := range g.people {
			of[p] = g
			if h := heirs[p.former]; p.former != "" && (h == nil || stronger(p, h) < 0) {
				heirs[p.former] = p
			}
		}
	}
	taken := map[string]bool{}
	for _, g := range groups {
		for _, key := range claimsOf(g) {
			if of[heirs[key]] == g {
				g.key, taken[key] = key, true
				break
			}
		}
	}
	for _, g := range groups {
		if g.key != "" || g.waits() {
			continue
		}
		name := g.people[0].name
		for n := 1; g.key == "" || taken[g.key] || used(g.key); n++ {
			if g.key = name; n > 1 {
				g.key = name + "~" + itoa(n)
			}
		}
		taken[g.key] = true
	}
}
