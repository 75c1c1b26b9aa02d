package engine

import (
	"cmp"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// cachedGroups bounds the memory that remembered groups take in a pass.
const cachedGroups = 50_000

// surroundings answers what the rules want to know about a person beyond the person: the groups it is in, its
// manager, its licences; and the other way round, whom a change touches. It remembers groups.
type surroundings struct {
	*run
	uses   mapping.Uses
	source mapping.Source
	known  map[store.Num]*groupInfo
}

// groupInfo is what is remembered of a group.
type groupInfo struct {
	here    bool
	named   mapping.Named
	parents []store.Num
}

func newSurroundings(r *run, uses mapping.Uses) *surroundings {
	return &surroundings{
		run: r, uses: uses, known: map[store.Num]*groupInfo{},
		source: mapping.Source{
			Connection: r.conn.Name, TenantID: r.tenant.ID, TenantName: r.tenant.Name, TenantDomain: r.tenant.Domain,
		},
	}
}

// person gathers what the rules see of a person.
func (s *surroundings) person(tx store.Reader, n store.Num, row *store.Row, o *directory.Object) (*mapping.Person, error) {
	p := &mapping.Person{Object: o, Source: s.source}
	if s.uses.Groups {
		groups, err := s.memberships(tx, n, row.Handles, o)
		if err != nil {
			return nil, err
		}
		p.Groups = groups
	}
	if s.uses.Manager {
		manager, err := s.linked(tx, o, directory.Manager, directory.Person)
		if err != nil {
			return nil, err
		}
		if len(manager) > 0 {
			p.Manager = &manager[0]
		}
	}
	if s.uses.Licences {
		licences, err := s.linked(tx, o, directory.Holds, directory.Licence)
		if err != nil {
			return nil, err
		}
		for i := range licences {
			p.Licences = append(p.Licences, named(&licences[i]))
		}
	}
	return p, nil
}

func named(o *directory.Object) mapping.Named {
	name, _ := o.Get(directory.FieldName)
	return mapping.Named{ID: o.ID, Name: name.Text()}
}

// memberships lists the groups that a person is in, sorted by name and id.
func (s *surroundings) memberships(tx store.Reader, n store.Num, handles []store.Num, o *directory.Object) ([]mapping.Membership, error) {
	direct, err := s.directGroups(tx, n, handles, o)
	if err != nil {
		return nil, err
	}
	all, err := s.above(tx, direct)
	if err != nil {
		return nil, err
	}
	list := make([]mapping.Membership, 0, len(all))
	for _, g := range all {
		list = append(list, mapping.Membership{Named: s.known[g].named, Direct: slices.Contains(direct, g)})
	}
	slices.SortFunc(list, func(a, b mapping.Membership) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

// directGroups lists the groups that name a person by one of its handles, or that the person itself names.
func (s *surroundings) directGroups(tx store.Reader, n store.Num, handles []store.Num, o *directory.Object) ([]store.Num, error) {
	groups, err := groupsNaming(tx, n, handles)
	if err != nil {
		return nil, err
	}
	for _, l := range o.Links {
		if l.Type != directory.MemberOf {
			continue
		}
		owners, err := owners(tx, l.To)
		if err != nil {
			return nil, err
		}
		groups = append(groups, owners...)
	}
	slices.Sort(groups)
	return slices.Compact(groups), nil
}

// groupsNaming lists the groups whose members include an object, by any of its handles.
func groupsNaming(tx store.Reader, n store.Num, handles []store.Num) ([]store.Num, error) {
	var groups []store.Num
	add := func(g store.Num) bool { groups = append(groups, g); return true }
	if err := tx.GroupsOf(n, add); err != nil {
		return nil, err
	}
	for _, h := range handles {
		if err := tx.GroupsOf(h, add); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// owners returns the number of the object that has a handle; none when nobody ever mentioned it.
func owners(tx store.Reader, handle string) ([]store.Num, error) {
	h, err := tx.Lookup([]string{handle}, nil)
	if err != nil || h[0] == 0 {
		return nil, err
	}
	n, err := tx.Owner(h[0])
	return []store.Num{n}, err
}

// above returns groups and all groups that contain them, those that are there. Cycles are legal.
func (s *surroundings) above(tx store.Reader, groups []store.Num) ([]store.Num, error) {
	if len(s.known) > cachedGroups {
		clear(s.known)
	}
	var all []store.Num
	visited := make(map[store.Num]bool, len(groups))
	for next := slices.Clone(groups); len(next) > 0; {
		g := next[len(next)-1]
		next = next[:len(next)-1]
		if visited[g] {
			continue
		}
		visited[g] = true
		info, err := s.group(tx, g)
		if err != nil {
			return nil, err
		}
		if info.here {
			all = append(all, g)
			next = append(next, info.parents...)
		}
	}
	return all, nil
}

// group remembers a group.
func (s *surroundings) group(tx store.Reader, n store.Num) (*groupInfo, error) {
	if info, ok := s.known[n]; ok {
		return info, nil
	}
	info := &groupInfo{}
	row, ok, err := tx.Row(directory.Group, n)
	if err != nil {
		return nil, err
	}
	if ok && row.Gone == store.Here {
		o, err := directory.ParseObject(row.Data)
		if err != nil {
			return nil, damaged("look up a group", err)
		}
		info.here, info.named = true, named(&o)
		if info.parents, err = groupsNaming(tx, n, row.Handles); err != nil {
			return nil, err
		}
	}
	s.known[n] = info
	return info, nil
}

// linked returns the objects of a kind that an object states links to, those that are there.
func (s *surroundings) linked(tx store.Reader, o *directory.Object, link directory.LinkType, kind directory.Kind) ([]directory.Object, error) {
	var list []directory.Object
	for _, l := range o.Links {
		if l.Type != link {
			continue
		}
		nums, err := owners(tx, l.To)
		if err != nil {
			return nil, err
		}
		for _, n := range nums {
			row, ok, err := tx.Row(kind, n)
			if err != nil {
				return nil, err
			}
			if !ok || row.Gone != store.Here {
				continue
			}
			target, err := directory.ParseObject(row.Data)
			if err != nil {
				return nil, damaged("look up a linked object", err)
			}
			list = append(list, target)
		}
	}
	return list, nil
}

// addReferrers adds those who state a link of a type to any of some objects of a kind.
func (s *surroundings) addReferrers(tx store.Reader, kind directory.Kind, targets []store.Num, link directory.LinkType, to *roaring.Bitmap) error {
	for _, n := range targets {
		row, ok, err := tx.Row(kind, n)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		for _, h := range append([]store.Num{n}, row.Handles...) {
			err := tx.Referrers(link, h, func(r store.Num) bool { to.Add(uint32(r)); return true })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// object gathers what the rules see of an object that is no person.
func (s *surroundings) object(tx store.Reader, o *directory.Object) (*mapping.View, error) {
	v := &mapping.View{Object: o, Source: s.source}
	if o.Kind != directory.Device || !s.uses.Owner {
		return v, nil
	}
	owner, err := s.linked(tx, o, directory.Owner, directory.Person)
	if len(owner) > 0 {
		v.Owner = &owner[0]
	}
	return v, err
}

// addBelow adds everybody below groups, through all levels. The groups themselves may be gone already; a gone
// group on the way has no members.
func (s *surroundings) addBelow(tx store.Reader, groups []store.Num, people *roaring.Bitmap) error {
	visited := roaring.New()
	for next := slices.Clone(groups); len(next) > 0; {
		g := next[len(next)-1]
		next = next[:len(next)-1]
		if !visited.CheckedAdd(uint32(g)) {
			continue
		}
		err := s.eachMember(tx, g, func(kind directory.Kind, n store.Num) {
			if kind == directory.Person {
				people.Add(uint32(n))
			} else {
				next = append(next, n)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachMember calls fn for every person and group that is directly in a group and is stored: by the group's
// list, and by their own word. Handles that nobody owns (yet) are passed over.
func (s *surroundings) eachMember(tx store.Reader, group store.Num, fn func(directory.Kind, store.Num)) error {
	var bad error
	err := tx.Members(group, func(h store.Num) bool {
		bad = withOwner(tx, h, fn)
		return bad == nil
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		return err
	}
	row, ok, err := tx.Row(directory.Group, group)
	if err != nil || !ok {
		return err
	}
	for _, h := range append([]store.Num{group}, row.Handles...) {
		err := tx.Referrers(directory.MemberOf, h, func(n store.Num) bool { fn(directory.Person, n); return true })
		if err != nil {
			return err
		}
	}
	return nil
}

func withOwner(tx store.Reader, h store.Num, fn func(directory.Kind, store.Num)) error {
	n, err := tx.Owner(h)
	if err != nil {
		return err
	}
	for _, kind := range []directory.Kind{directory.Person, directory.Group} {
		row, ok, err := tx.Row(kind, n)
		if err != nil {
			return err
		}
		if ok && (kind == directory.Person || row.Gone == store.Here) {
			fn(kind, n)
			return nil
		}
	}
	return nil
}
