package halo

import (
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
	"dirsyncd/sync/targets/halo/halosim"
)

func config(s *halosim.Sim, change func(*Config)) *Config {
	cfg := defaults()
	cfg.URL, cfg.ClientID, cfg.ClientSecret = s.URL, halosim.ClientID, settings.NewSecret(halosim.Secret)
	cfg.Rate, cfg.Page, cfg.Module, cfg.Asset.Type, cfg.Ticket.Type = 1000, 50, halosim.Module, 12, 27
	if change != nil {
		change(cfg)
	}
	return cfg
}

func open(t testing.TB, s *halosim.Sim, change func(*Config)) *Desk {
	t.Helper()
	cfg := config(s, change)
	if issues := cfg.Validate(); len(issues) > 0 {
		t.Fatal(issues)
	}
	d, err := Open(cfg, targets.Env{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	d.client.reads = d.client.writes // what is broken is not tried again
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// start starts a desk, and holds it against the description at the end: no name that is not in it, no mail, no automation.
func start(t testing.TB, seed uint64) *halosim.Sim {
	t.Helper()
	s := halosim.Start(t, seed)
	t.Cleanup(func() {
		for _, strange := range s.Strange() {
			t.Error("it was sent:", strange)
		}
		if c := s.Counts(); c.Mails+c.Automations > 0 {
			t.Errorf("%d mails and %d automations went off", c.Mails, c.Automations)
		}
	})
	return s
}

// fieldsFor are the fields of what the suite makes. Its groups are teams; where people are put into them who are no agents, boards.
func fieldsFor(boards bool) func(directory.RecordKind, string) []directory.Field {
	return func(kind directory.RecordKind, unique string) []directory.Field {
		switch {
		case kind == directory.UserRecord || kind == directory.AgentRecord:
			return fields("email", unique+"@example.test", "login", "login"+unique, "name", "Thing "+unique)
		case kind == directory.TicketRecord:
			return fields("summary", "New starter "+unique)
		case kind == directory.GroupRecord && boards:
			return fields("name", "Thing "+unique, "type", cab)
		default:
			return fields("name", "Thing "+unique)
		}
	}
}

func fields(pairs ...string) []directory.Field {
	var o directory.Object
	for i := 0; i < len(pairs); i += 2 {
		v := directory.Null()
		if pairs[i+1] != "" {
			v = directory.Text(pairs[i+1])
		}
		o.Set(pairs[i], v)
	}
	return o.Fields
}

func TestConformance(t *testing.T) {
	for _, way := range []struct {
		name   string
		change func(*Config)
		faults func(*halosim.Faults)
	}{
		{"as described", nil, func(*halosim.Faults) {}},
		{"in other spellings", nil, func(f *halosim.Faults) {
			f.Numbers, f.Words, f.ListAnswer, f.LinksBare, f.LinksHidden, f.BareText = true, true, true, true, true, true
		}},
		{"searches that are no use", func(c *Config) { c.Details = true }, func(f *halosim.Faults) { f.SearchIgnored, f.FiltersIgnored, f.Trim = true, true, true }},
		{"no mark", func(c *Config) { c.Mark = markNone }, func(f *halosim.Faults) { f.SearchMinds, f.LinkIgnored = true, true }},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, 1)
			desktest.Run(t, func(t *testing.T) *desktest.Place {
				s.Mend()
				s.Set(way.faults)
				return &desktest.Place{
					Fields:  fieldsFor(strings.HasSuffix(t.Name(), "/members")),
					Open:    func(t *testing.T) targets.Desk { return open(t, s, way.change) },
					Many:    120,
					Break:   func(*testing.T) { s.Set(func(f *halosim.Faults) { f.Down = 1 }) },
					Mend:    func(*testing.T) { s.Set(func(f *halosim.Faults) { f.Down = 0 }) },
					Secrets: []string{halosim.Secret},
				}
			})
		})
	}
}
