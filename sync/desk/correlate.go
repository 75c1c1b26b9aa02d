package desk

import (
	"cmp"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/targets"
)

// Ours is a record as it is compared with the things at the place.
type Ours struct {
	Subject string
	// ID is the thing that it is linked with; empty when with none, which is what Correlate decides about.
	ID string
	// Customer is the id of the record's customer at the place; empty when it has none or it is not known.
	Customer string
	Mark     Value
	Keys     []Value // as DeskKind.Keys
	// Not are ids that a human ruled out.
	Not []string
}

// Theirs is a thing at the place as it is compared with records.
type Theirs struct {
	ID        string
	Customer  string
	Mark      Value
	Keys      []Value // as DeskKind.Keys
	Protected string
	Short     bool
	Inactive  bool
}

// Situation is what a record finds at the place.
type Situation uint8

// The situations.
const (
	Nobody Situation = iota // nobody there could be it
	Same                    // exactly one thing is it
	Asked                   // a human has to say
)

// Cause says why a human has to look. The words are stored.
type Cause string

// The causes.
const (
	Ambiguous    Cause = "ambiguous"    // several things, or several records, have the value
	Contradicted Cause = "contradicted" // a stronger key says that it is somebody else
	OtherPlace   Cause = "customer"     // it has the value in another customer
	Proposal     Cause = "proposal"     // the key only proposes
	Taken        Cause = "taken"        // the thing belongs to another record, whose value it is not
	Contested    Cause = "contested"    // the thing waits for a human already, for another record
	Protected    Cause = "protected"    // the thing is never touched
	Twins        Cause = "twins"        // several things have our mark
)

// Verdict is what Correlate says of a record.
type Verdict struct {
	Subject   string
	Situation Situation
	// Key is the key that decided or asks: an index of DeskKind.Keys, or MarkKey.
	Key int
	// ID is the thing of a Same.
	ID    string
	Cause Cause
	// Candidates are the things that a human has to look at, by id.
	Candidates []string
	// Against is, of a contradiction, the stronger key: an index, or MarkKey.
	Against int
	// Holder is, of what is taken, the record that has the thing.
	Holder string
}

// MarkKey stands for the mark in the place of a key.
const MarkKey = -1

// Correlate says what records without a link find at the place, one Verdict per such record in the order of ours. It is a
// function of the two sides: in which order they are given makes no difference.
//
// The keys are asked one after the other, the strongest first, each for all records. A key decides when its value occurs
// once among the records and once among the things, no stronger key says otherwise, and the thing is free. A value that
// occurs and does not decide goes to a human; weaker keys are not asked then.
func Correlate(keys []targets.DeskKey, ours []Ours, theirs []Theirs) []Verdict {
	c := correlation{keys: keys, ours: ours, theirs: theirs, verdicts: make([]Verdict, len(ours)), decided: make([]bool, len(ours))}
	c.holder, c.asked = map[int]int{}, map[int]bool{}
	byID := make(map[string]int, len(theirs))
	for i := range theirs {
		byID[theirs[i].ID] = i
	}
	for i := range ours {
		c.verdicts[i].Subject = ours[i].Subject
		if ours[i].ID == "" {
			continue
		}
		c.decided[i] = true
		if t, ok := byID[ours[i].ID]; ok {
			c.holder[t] = i
		}
	}
	c.marks()
	c.endRound()
	for k := range keys {
		c.key(k)
		c.endRound()
	}
	c.thin()
	out := make([]Verdict, 0, len(ours))
	for i := range ours {
		if ours[i].ID == "" {
			out = append(out, c.verdicts[i])
		}
	}
	return out
}

type correlation struct {
	keys     []targets.DeskKey
	ours     []Ours
	theirs   []Theirs
	verdicts []Verdict
	decided  []bool
	holder   map[int]int  // thing → record
	asked    map[int]bool // things that a human is asked about
	// What the round that is under way found out. It counts from the next one on: all records are in the same round.
	matched   [][2]int // thing, record
	questions []int
}

func (c *correlation) endRound() {
	for _, m := range c.matched {
		c.holder[m[0]] = m[1]
	}
	for _, t := range c.questions {
		c.asked[t] = true
	}
	c.matched, c.questions = nil, nil
}

// marks finds what has the record's own mark.
func (c *correlation) marks() {
	by := map[store.Digest][]int{}
	for t := range c.theirs {
		if !c.theirs[t].Mark.None() {
			by[c.theirs[t].Mark.fold] = append(by[c.theirs[t].Mark.fold], t)
		}
	}
	for o := range c.ours {
		if c.decided[o] || c.ours[o].Mark.None() {
			continue
		}
		found := c.free(o, by[c.ours[o].Mark.fold], func(int) bool { return false })
		switch {
		case len(found) == 0:
		case len(found) > 1:
			c.review(o, MarkKey, Twins, found)
		default:
			c.settle(o, MarkKey, found, 1)
		}
	}
}

// bucket is where equal values meet.
type bucket struct {
	customer string
	value    store.Digest
}

// key asks one key for all records that are not decided.
func (c *correlation) key(k int) {
	key := &c.keys[k]
	theirs, anywhere, rivals := map[bucket][]int{}, map[store.Digest][]int{}, map[bucket]int{}
	for t := range c.theirs {
		if v := c.theirs[t].Keys[k]; !v.None() {
			b := c.bucket(key, v, c.theirs[t].Customer)
			theirs[b] = append(theirs[b], t)
			if key.Within {
				anywhere[v.by(key)] = append(anywhere[v.by(key)], t)
			}
		}
	}
	for o := range c.ours {
		if v := c.ours[o].Keys[k]; !v.None() {
			rivals[c.bucket(key, v, c.ours[o].Customer)]++
		}
	}
	for o := range c.ours {
		v := c.ours[o].Keys[k]
		if c.decided[o] || v.None() {
			continue
		}
		explained := func(t int) bool { return c.explained(t, k, v) }
		b := c.bucket(key, v, c.ours[o].Customer)
		var found []int
		if !key.Within || c.ours[o].Customer != "" {
			found = c.free(o, theirs[b], explained)
		}
		switch {
		case len(found) > 0 && key.Proposes:
			c.propose(o, k, Proposal, found)
		case len(found) > 0:
			c.settle(o, k, found, rivals[b])
		case key.Within:
			c.propose(o, k, OtherPlace, c.free(o, anywhere[v.by(key)], explained))
		}
	}
}

// explained reports whether a thing has a value because it is another record that has the value.
func (c *correlation) explained(t, k int, v Value) bool {
	h, held := c.holder[t]
	return held && c.ours[h].Keys[k].same(v, &c.keys[k])
}

func (c *correlation) bucket(key *targets.DeskKey, v Value, customer string) bucket {
	if !key.Within {
		customer = ""
	}
	return bucket{customer, v.by(key)}
}

// free leaves out what a human ruled out, and what is explained.
func (c *correlation) free(o int, things []int, explained func(t int) bool) []int {
	var out []int
	for _, t := range things {
		if !slices.Contains(c.ours[o].Not, c.theirs[t].ID) && !explained(t) {
			out = append(out, t)
		}
	}
	return out
}

// propose remembers what a human could be shown, unless a weaker key decides.
func (c *correlation) propose(o, k int, cause Cause, found []int) {
	if v := &c.verdicts[o]; len(found) > 0 && v.Situation == Nobody {
		v.Situation, v.Key, v.Cause, v.Candidates = Asked, k, cause, c.ids(found)
	}
}

// thin takes from the proposals what turned out to be somebody else.
func (c *correlation) thin() {
	byID := map[string]int{}
	for t := range c.theirs {
		byID[c.theirs[t].ID] = t
	}
	for o := range c.verdicts {
		v := &c.verdicts[o]
		if c.decided[o] || v.Situation != Asked {
			continue
		}
		v.Candidates = slices.DeleteFunc(v.Candidates, func(id string) bool { return c.explained(byID[id], v.Key, c.ours[o].Keys[v.Key]) })
		if len(v.Candidates) == 0 {
			*v = Verdict{Subject: v.Subject}
		}
	}
}

// settle decides about a record whose value by a key is there.
func (c *correlation) settle(o, k int, found []int, rivals int) {
	v := &c.verdicts[o]
	if len(found) > 1 || rivals > 1 {
		c.review(o, k, Ambiguous, found)
		return
	}
	t := found[0]
	holder, held := c.holder[t]
	against, contradicted := c.contradiction(o, t, k)
	switch {
	case held:
		v.Holder = c.ours[holder].Subject
		c.review(o, k, Taken, found)
	case c.theirs[t].Protected != "":
		c.review(o, k, Protected, found)
	case contradicted:
		v.Against = against
		c.review(o, k, Contradicted, found)
	case c.asked[t]:
		c.review(o, k, Contested, found)
	default:
		c.matched, c.decided[o] = append(c.matched, [2]int{t, o}), true
		*v = Verdict{Subject: v.Subject, Situation: Same, Key: k, ID: c.theirs[t].ID}
	}
}

func (c *correlation) review(o, k int, cause Cause, found []int) {
	v := &c.verdicts[o]
	v.Situation, v.Key, v.Cause, v.Candidates = Asked, k, cause, c.ids(found)
	c.decided[o] = true
	c.questions = append(c.questions, found...)
}

// contradiction looks for a key stronger than k by which the two are not the same.
func (c *correlation) contradiction(o, t, k int) (against int, found bool) {
	ours, theirs := &c.ours[o], &c.theirs[t]
	if !theirs.Mark.None() && !ours.Mark.None() && theirs.Mark.fold != ours.Mark.fold {
		return MarkKey, true
	}
	for s := range max(k, 0) {
		// A log-in that is the mail address once more says nothing beside it.
		if !c.keys[s].Anchor && k >= 0 && (ours.Keys[s].fold == ours.Keys[k].fold || theirs.Keys[s].fold == theirs.Keys[k].fold) {
			continue
		}
		// Two that differ in case only contradict nobody, whatever the key says.
		if !ours.Keys[s].None() && !theirs.Keys[s].None() && ours.Keys[s].fold != theirs.Keys[s].fold {
			return s, true
		}
	}
	return 0, false
}

func (c *correlation) ids(things []int) []string {
	ids := make([]string, len(things))
	for i, t := range things {
		ids[i] = c.theirs[t].ID
	}
	slices.SortFunc(ids, cmp.Compare)
	return ids
}
