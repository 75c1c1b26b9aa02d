package relations

import (
	"cmp"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// cachedGroups bounds the memory that remembered groups take.
const cachedGroups = 50_000

// few groups are looked through one by one: a map costs more.
const few = 16

// Groups remembers the groups that were asked about, with those that contain them: what it says holds for as long as
// no group changes. It is used by one goroutine at a time. The zero value is ready.
type Groups struct{ known map[store.Num]*group }

// group is what is remembered of a group; nothing of one that is not there.
type group struct {
	here     bool
	id, name string
	parents  []store.Num
}

// Above returns for each of some groups, stored or not, the groups that contain it by their lists, directly or not.
// Only groups that are there count. Cycles are legal.
func (g *Groups) Above(tx store.Reader, groups []store.Num) ([][]store.Num, error) {
	if len(groups) == 0 {
		return nil, nil
	}
	rows, err := tx.RowsOf(directory.Group, groups, make([]store.Row, 0, len(groups)))
	if err != nil {
		return nil, err
	}
	objects := make([]Object, len(groups))
	for i, n := range groups {
		objects[i] = Object{Num: n, Nums: append([]store.Num{n}, rows[i].Handles...)}
	}
	direct, err := naming(tx, objects)
	if err != nil {
		return nil, err
	}
	return g.above(tx, direct)
}

// above returns for each list of groups those that are there and all that contain them. It puts the lists in order.
func (g *Groups) above(tx store.Reader, direct [][]store.Num) ([][]store.Num, error) {
	if len(g.known) > cachedGroups {
		clear(g.known)
	}
	var asked []store.Num
	for i := range direct {
		direct[i] = distinct(direct[i])
		asked = append(asked, direct[i]...)
	}
	if err := g.remember(tx, asked); err != nil {
		return nil, err
	}
	all, visited := make([][]store.Num, len(direct)), map[store.Num]bool{}
	var next []store.Num
	for i := range direct {
		clear(visited)
		list := make([]store.Num, 0, len(direct[i]))
		for next = append(next[:0], direct[i]...); len(next) > 0; {
			n := next[len(next)-1]
			next = next[:len(next)-1]
			info := g.known[n]
			if !info.here || visited[n] || len(list) < few && slices.Contains(list, n) {
				continue
			}
			if list = append(list, n); len(list) == few {
				for _, n := range list {
					visited[n] = true
				}
			} else if len(list) > few {
				visited[n] = true
			}
			next = append(next, info.parents...)
		}
		all[i] = list
	}
	return all, nil
}

// remember looks up groups that are not known yet and those that contain them, level by level.
func (g *Groups) remember(tx store.Reader, groups []store.Num) error {
	if g.known == nil {
		g.known = map[store.Num]*group{}
	}
	for {
		groups = slices.DeleteFunc(distinct(groups), func(n store.Num) bool { return g.known[n] != nil })
		if len(groups) == 0 {
			return nil
		}
		objects, err := loadHere(tx, directory.Group, groups, nil)
		if err != nil {
			return err
		}
		parents, err := naming(tx, objects)
		if err != nil {
			return err
		}
		for _, n := range groups {
			g.known[n] = &group{}
		}
		groups = groups[:0]
		for i := range objects {
			name, _ := objects[i].Get(directory.FieldName)
			g.known[objects[i].Num] = &group{here: true, id: objects[i].ID, name: name.Text(), parents: distinct(parents[i])}
			groups = append(groups, parents[i]...)
		}
	}
}

// Paths says how somebody is in groups, as Of gave them last: the names of the groups from each one down to that which names
// them, by the shortest way. The path of a group that names them itself is its name alone.
func (g *Groups) Paths(list []Membership) [][]string {
	below := map[store.Num]store.Num{} // the next group on the way down; itself at its end
	var next []store.Num
	for _, m := range list {
		if m.Direct {
			below[m.Group], next = m.Group, append(next, m.Group)
		}
	}
	for len(next) > 0 {
		n := next[0]
		next = next[1:]
		info := g.known[n]
		if info == nil || !info.here {
			continue
		}
		for _, parent := range info.parents {
			if _, ok := below[parent]; !ok {
				below[parent], next = n, append(next, parent)
			}
		}
	}
	paths := make([][]string, len(list))
	for i, m := range list {
		paths[i] = []string{m.Name}
		for n := m.Group; below[n] != 0 && below[n] != n; {
			n = below[n]
			paths[i] = append(paths[i], g.known[n].name)
		}
	}
	return paths
}

// memberships describes groups, of which some are direct ones.
func (g *Groups) memberships(direct, all []store.Num) []Membership {
	list := make([]Membership, 0, len(all))
	for _, n := range all {
		info := g.known[n]
		list = append(list, Membership{Group: n, ID: info.id, Name: info.name, Direct: slices.Contains(direct, n)})
	}
	slices.SortFunc(list, func(a, b Membership) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return list
}
