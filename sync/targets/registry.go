package targets

import (
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Factory makes targets of one kind; see connectors.Factory.
type Factory struct {
	Name      string // the word in `target: NAME`, and the key of the target's own block
	Summary   string
	NewConfig func() any
	// Open makes a target, OpenDesk a place that has things of its own: a factory has one of them. Neither does network I/O.
	Open     func(cfg any, env Env) (Target, error)
	OpenDesk func(cfg any, env Env) (Desk, error)
	// About is what the place of a configuration says of itself (Desk.Describe); nil for targets without things of their own.
	About func(cfg any) DeskDescription
}

// Env is what a target gets from the program.
type Env struct {
	Target string       // the target's name in the configuration
	Dir    string       // relative paths of the configuration start here: the folder of the configuration file
	Log    *slog.Logger // for debug lines only: errors are returned
	Now    func() time.Time
}

// New makes a factory whose functions know the target's configuration type C.
func New[C any](name, summary string, defaults func() *C, open func(*C, Env) (Target, error)) Factory {
	return Factory{
		Name: name, Summary: summary,
		NewConfig: func() any { return defaults() },
		Open:      func(cfg any, env Env) (Target, error) { return open(cfg.(*C), env) },
	}
}

// NewDesk is New for places that have things of their own.
func NewDesk[C any](name, summary string, defaults func() *C, about func(*C) DeskDescription, open func(*C, Env) (Desk, error)) Factory {
	return Factory{
		Name: name, Summary: summary,
		NewConfig: func() any { return defaults() },
		OpenDesk:  func(cfg any, env Env) (Desk, error) { return open(cfg.(*C), env) },
		About:     func(cfg any) DeskDescription { return about(cfg.(*C)) },
	}
}

// Registry is the list of the targets that a program was built with.
type Registry []Factory

// Lookup returns the factory with this name.
func (r Registry) Lookup(name string) (Factory, bool) {
	i := slices.IndexFunc(r, func(f Factory) bool { return f.Name == name })
	if i < 0 {
		return Factory{}, false
	}
	return r[i], true
}

// Names lists the names in alphabetical order.
func (r Registry) Names() []string {
	names := make([]string, len(r))
	for i, f := range r {
		names[i] = f.Name
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
