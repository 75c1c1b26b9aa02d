package settle

import "dirsyncd/sync/directory"

// Matches counts, by kind of object and name of the rule, for how many of the objects that a pass looked at a rule decided;
// under the empty name, for how many none did.
type Matches map[directory.Kind]map[string]int

func (m Matches) add(kind directory.Kind, rule string) {
	if m[kind] == nil {
		m[kind] = map[string]int{}
	}
	m[kind][rule]++
}

// Matches returns what the rules decided in the last pass, be it Preview's or Apply's. It belongs to the caller once the passes
// are over.
func (s *Settlement) Matches() Matches { return s.matches }
