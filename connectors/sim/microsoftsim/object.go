package microsoftsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// resource is a kind of directory object.
type resource uint8

const (
	users resource = iota
	groups
	devices
	resources // how many there are
)

func (r resource) String() string { return [...]string{"users", "groups", "devices"}[r] }

// odataType is the resource's type in answers that mix several.
func (r resource) odataType() string {
	return [...]string{"#microsoft.graph.user", "#microsoft.graph.group", "#microsoft.graph.device"}[r]
}

// state is whether an object is there.
type state uint8

const (
	live    state = iota
	soft          // in the deleted items, restorable
	deleted       // for good
)

// Props are properties of an object by their Graph names. A value is anything that encoding/json takes; nil clears
// a property, which is not the same as never having set it.
type Props map[string]any

// prop is a property that was set at some time; raw is its value in JSON.
type prop struct{ name, raw string }

// object is a user, group or device.
type object struct {
	res     resource
	id      string
	state   state
	props   []prop // sorted by name
	manager string // the manager's id
	photo   *photo // nil: none
	members []member
	slots   map[string]int // where in members an id is; made when it is needed
	owners  []member       // of a group
}

// member is one membership. A former one keeps its place, so that a page token can count places.
type member struct {
	id   string
	gone bool
}

// get returns a property's JSON.
func (o *object) get(name string) (string, bool) {
	i, ok := slices.BinarySearchFunc(o.props, name, compareProp)
	if !ok {
		return "", false
	}
	return o.props[i].raw, true
}

// set stores a property and reports whether that changed anything. A property that was never set is not cleared.
func (o *object) set(name, raw string) bool {
	i, ok := slices.BinarySearchFunc(o.props, name, compareProp)
	switch {
	case ok && o.props[i].raw == raw, !ok && raw == "null":
		return false
	case ok:
		o.props[i].raw = raw
	default:
		o.props = slices.Insert(o.props, i, prop{name, raw})
	}
	return true
}

func compareProp(p prop, name string) int {
	switch {
	case p.name < name:
		return -1
	case p.name > name:
		return 1
	default:
		return 0
	}
}

// slot returns the place of a member, or -1.
func (o *object) slot(id string) int {
	if o.slots == nil {
		o.slots = make(map[string]int, len(o.members))
		for i, m := range o.members {
			o.slots[m.id] = i
		}
	}
	if i, ok := o.slots[id]; ok {
		return i
	}
	return -1
}

// encode spells properties in JSON, in a fixed order.
func (p Props) encode() []prop {
	list := make([]prop, 0, len(p))
	for _, name := range slices.Sorted(maps.Keys(p)) {
		raw, err := json.Marshal(p[name])
		if err != nil {
			panic(fmt.Sprintf("property %s: %v", name, err)) // a mistake in the program that uses the simulator
		}
		list = append(list, prop{name, string(raw)})
	}
	return list
}

// directoryData is a tenant's content.
type directoryData struct {
	objects [resources][]*object // in the order in which they were made; none is ever taken out
	byID    map[string]*object
	index   map[*object]int
	log     []event
	polls   int // how many delta rounds were begun
	skus    []SKU
	managed []*managedDevice
	// serial numbers what is added later.
	serial int
}

func newDirectoryData() *directoryData {
	return &directoryData{byID: map[string]*object{}, index: map[*object]int{}}
}

func (d *directoryData) add(o *object) {
	d.index[o] = len(d.objects[o.res])
	d.objects[o.res] = append(d.objects[o.res], o)
	d.byID[o.id] = o
}

// what is a kind of event.
type what uint8

const (
	created  what = iota // also restored
	changed              // props
	removed              // softly or for good; the object's state tells
	membered             // a member came or went; the object's list tells
	owned                // an owner did
)

// event is an entry of a tenant's change log.
type event struct {
	object *object
	what   what
	props  []string
	member string
	poll   int // the delta round in which it happened
}
