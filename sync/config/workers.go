package config

import (
	"fmt"

	"dirsyncd/sync/settings/strict"
)

// local is the block of a connector or target that needs something of the machine on which it is: files, a device. Local says what, and is
// empty when it needs nothing of the kind.
type local interface{ Local() string }

// localOf says what a block needs of the machine.
func localOf(block any) string {
	if b, ok := block.(local); ok {
		return b.Local()
	}
	return ""
}

const workersKey = "workers"

// checkWorkers looks at the names of the workers that run a connection or deliver to a target. Where several may share the state, and what is
// there on one machine is not there on another, they have to be said.
func (l *loader) checkWorkers(v strict.Value, names []string, block any) {
	at, shared := v.Get(workersKey), l.cfg.Database != nil
	switch needs := localOf(block); {
	case at.Kind() == strict.List && len(names) == 0:
		at.Problem("name at least one, or leave it out: then every worker does it", "workers: there is none")
	case len(names) > 0 && !shared:
		at.Warn("leave it out", "workers: no others share a state that is a file, so this says nothing")
	case len(names) == 0 && shared && needs != "":
		v.KeyWarn("write `workers: [NAME]`, with the name of the worker on the machine that is meant; several if all of them see the same",
			"%s needs %s of one machine, and nothing says which; a second worker is refused until that is said", v.Label(), needs)
	}
	seen := map[string]bool{}
	if at.Kind() != strict.List {
		return
	}
	items, _ := at.Items()
	for i, item := range items[:min(len(items), len(names))] {
		switch name := names[i]; {
		case name == "":
			item.Problem("", "workers: a name is empty")
		case seen[name]:
			item.Problem("", "workers: %q is named twice", short(name))
		default:
			seen[name] = true
		}
	}
}

// Unplaced names the connections and targets that need something of one machine, and of which nothing says which: one worker alone may run
// them, and no other.
func (c *Config) Unplaced() (list []string) {
	for i := range c.Connections {
		if o := &c.Connections[i]; len(o.Workers) == 0 && localOf(o.Block) != "" {
			list = append(list, fmt.Sprintf("connection %q", o.Name))
		}
	}
	for i := range c.Targets {
		if o := &c.Targets[i]; len(o.Workers) == 0 && localOf(o.Block) != "" {
			list = append(list, fmt.Sprintf("target %q", o.Name))
		}
	}
	return list
}
