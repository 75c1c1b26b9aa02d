package memory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// SyntheticConfig is the block `memory:` of a connection: a population that is made up while it is read.
type SyntheticConfig struct {
	People int `yaml:"people"`
	Groups int `yaml:"groups"`
	// GroupsPerPerson is how many groups a person is in directly.
	GroupsPerPerson int `yaml:"groups_per_person"`
	// Fanout is how many groups a group contains directly; 0: groups do not nest.
	Fanout   int `yaml:"fanout"`
	PageSize int `yaml:"page_size"`
	// Seed makes another population of the same size.
	Seed int `yaml:"seed"`
	// Generation is how often the population has changed. Each time, Changed people get another title.
	Generation int `yaml:"generation"`
	Changed    int `yaml:"changed"`
	// Attributes is how many attributes a person has besides the common fields.
	Attributes int `yaml:"attributes"`
}

// SyntheticDefaults returns a configuration with the defaults set.
func SyntheticDefaults() *SyntheticConfig {
	return &SyntheticConfig{People: 1000, Groups: 50, GroupsPerPerson: 3, PageSize: 1000, Seed: 1, Changed: 100}
}

// Validate reports everything that is wrong with the block.
func (c *SyntheticConfig) Validate() []settings.Issue {
	var issues []settings.Issue
	for _, n := range []struct {
		path       string
		value, min int
	}{
		{"people", c.People, 0}, {"groups", c.Groups, 0}, {"groups_per_person", c.GroupsPerPerson, 0}, {"fanout", c.Fanout, 0},
		{"page_size", c.PageSize, 1}, {"generation", c.Generation, 0}, {"changed", c.Changed, 0}, {"attributes", c.Attributes, 0},
	} {
		if n.value < n.min {
			issues = append(issues, settings.Issue{Path: n.path, Message: fmt.Sprintf("must be at least %d", n.min)})
		}
	}
	return issues
}

// Factory opens synthetic sources.
func Factory() connectors.Factory {
	return connectors.New(sourceName, "a made-up population of any size, for trials and measurements", SyntheticDefaults,
		func(cfg *SyntheticConfig, _ connectors.Env) (connectors.Connector, error) {
			return OpenSynthetic(cfg), nil
		})
}

// Synthetic is a source that makes up its objects while it is read, each a function of its number, the seed and
// the generation, so that its memory does not grow with the population.
type Synthetic struct {
	cfg        SyntheticConfig
	generation atomic.Int64
}

var _ connectors.Connector = (*Synthetic)(nil)

// OpenSynthetic makes a synthetic source.
func OpenSynthetic(cfg *SyntheticConfig) *Synthetic {
	s := &Synthetic{cfg: *cfg}
	s.generation.Store(int64(cfg.Generation))
	return s
}

// SetGeneration changes the population: cfg.Changed people per generation get another title.
func (s *Synthetic) SetGeneration(n int) { s.generation.Store(int64(n)) }

// Describe implements connectors.Connector.
func (s *Synthetic) Describe() connectors.Description {
	return connectors.Description{
		Streams: []connectors.Stream{
			{Name: "users", Kinds: []directory.Kind{directory.Person}, Delta: true, Tombstones: true, Resumable: true, Counted: true},
			{Name: "groups", Kinds: []directory.Kind{directory.Group}, Members: true, Delta: true, Tombstones: true, Resumable: true, Counted: true},
		},
		Permissions: []string{"none"},
	}
}

// Check implements connectors.Connector.
func (s *Synthetic) Check(ctx context.Context) ([]connectors.Finding, error) {
	return []connectors.Finding{{Subject: "memory", OK: true, Detail: fmt.Sprintf("%d people", s.cfg.People)}}, ctx.Err()
}

// Tenants implements connectors.Connector.
func (s *Synthetic) Tenants(ctx context.Context) ([]connectors.Tenant, error) {
	return []connectors.Tenant{{}}, ctx.Err()
}

// Close implements connectors.Connector.
func (s *Synthetic) Close() error { return nil }

// Read implements connectors.Connector. Cursors are the generation and the number of the next object.
func (s *Synthetic) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	total := s.cfg.People
	if req.Stream == "groups" {
		total = s.cfg.Groups
	} else if req.Stream != "users" {
		return &fault.Error{Class: fault.Internal, Op: "read " + req.Stream, Err: errors.New("no such stream")}
	}
	p := &pageGenerator{
		synthetic: s, cfg: &s.cfg, generation: int(s.generation.Load()), emit: emit, total: total, stream: req.Stream,
		attributes: attributeNames(s.cfg.Attributes),
	}
	from, next, ok := s.parse(req)
	if !ok || from > p.generation || next > total {
		return &fault.Error{Class: fault.CursorExpired, Op: "read " + req.Stream, Err: errors.New("not a cursor of this source")}
	}
	if req.Mode == connectors.Delta {
		return p.delta(ctx, from)
	}
	if len(req.Cursor) > 0 {
		p.generation = from
	}
	return p.full(ctx, next)
}

// fingerprint tells cursors of different populations and modes apart.
func (s *Synthetic) fingerprint(stream string, full bool) string {
	return fmt.Sprintf("synthetic/%s/%t/%d/%d/%d/%d/", stream, full, s.cfg.Seed, s.cfg.People, s.cfg.Groups, s.cfg.Changed)
}

func (s *Synthetic) cursor(stream string, full bool, generation, next int) []byte {
	buf := []byte(s.fingerprint(stream, full))
	buf = binary.BigEndian.AppendUint64(buf, uint64(generation))
	return binary.BigEndian.AppendUint64(buf, uint64(next))
}

func (s *Synthetic) parse(req connectors.Request) (generation, next int, ok bool) {
	if len(req.Cursor) == 0 {
		return 0, 0, req.Mode == connectors.Full
	}
	mark := s.fingerprint(req.Stream, req.Mode == connectors.Full)
	if len(req.Cursor) != len(mark)+16 || string(req.Cursor[:len(mark)]) != mark {
		return 0, 0, false
	}
	rest := req.Cursor[len(mark):]
	generation, next = int(binary.BigEndian.Uint64(rest)), int(binary.BigEndian.Uint64(rest[8:]))
	return generation, next, generation >= 0 && next >= 0
}

// period is how many people there are for each that changes in one generation.
func (c *SyntheticConfig) period() int {
	if c.Changed == 0 {
		return 0
	}
	return max(1, c.People/c.Changed)
}

// lastChange is the last generation up to g in which person i changed; 0 when none was.
func (c *SyntheticConfig) lastChange(i, g int) int {
	p := c.period()
	if p == 0 {
		return 0
	}
	back := ((g-i)%p + p) % p
	return max(0, g-back)
}

// memberNumbers appends the numbers of the people that are in group g directly: person i is in the groups
// i + k·stride, modulo the number of groups.
func (c *SyntheticConfig) memberNumbers(list []int, g int) []int {
	per := min(c.GroupsPerPerson, c.Groups)
	if per == 0 {
		return list
	}
	stride := c.Groups / per
	for k := range per {
		first := ((g-k*stride)%c.Groups + c.Groups) % c.Groups
		for i := first; i < c.People; i += c.Groups {
			list = append(list, i)
		}
	}
	return list
}

// Memberships returns how many direct memberships a population has, people and groups together.
func (c *SyntheticConfig) Memberships() int {
	n := c.People * min(c.GroupsPerPerson, c.Groups)
	if c.Fanout > 0 {
		n += max(0, c.Groups-1)
	}
	return n
}

// PersonID and GroupID are the ids of the objects with a number.
func (c *SyntheticConfig) PersonID(i int) string { return string(c.appendID(nil, 'a', i)) }

// GroupID is the id of the group with a number.
func (c *SyntheticConfig) GroupID(i int) string { return string(c.appendID(nil, 'b', i)) }

// appendID makes ids that look like entryUUIDs.
func (c *SyntheticConfig) appendID(buf []byte, kind byte, i int) []byte {
	const hex = "0123456789abcdef"
	buf = append(buf, kind)
	for shift := 24; shift >= 0; shift -= 4 {
		buf = append(buf, hex[i>>shift&15])
	}
	buf = append(buf, "-5eed-4000-8000-"...)
	for shift := 44; shift >= 0; shift -= 4 {
		buf = append(buf, hex[uint64(c.Seed*2654435761+i)>>shift&15])
	}
	return buf
}
