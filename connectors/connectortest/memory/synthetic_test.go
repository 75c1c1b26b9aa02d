package memory_test

import (
	"maps"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/sync/directory"
)

func smallPopulation() *memory.SyntheticConfig {
	cfg := memory.SyntheticDefaults()
	cfg.People, cfg.Groups, cfg.Fanout, cfg.PageSize, cfg.Changed, cfg.Attributes = 500, 85, 3, 10, 20, 2
	return cfg
}

// TestSyntheticConformance runs the part of the suite that needs no change and no breakage.
func TestSyntheticConformance(t *testing.T) {
	connectortest.Run(t, connectortest.Harness{
		Start: func(testing.TB) *connectortest.Fixture {
			return &connectortest.Fixture{Connector: memory.OpenSynthetic(smallPopulation())}
		},
	})
}

// contentOf reads a stream and returns the canonical bytes of each object, and how many memberships there are.
func contentOf(t *testing.T, c connectors.Connector, req connectors.Request) (content map[string]string, members int, cursor []byte) {
	t.Helper()
	content = make(map[string]string)
	err := c.Read(t.Context(), req, func(p *connectors.Page) error {
		for i := range p.Objects {
			content[p.Objects[i].ID] = string(directory.AppendObject(nil, &p.Objects[i]))
		}
		for _, m := range p.Members {
			members += len(m.Add)
		}
		cursor = append([]byte(nil), p.Cursor...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return content, members, cursor
}

// TestSyntheticGenerations: a delta brings exactly what differs between two generations.
func TestSyntheticGenerations(t *testing.T) {
	cfg := smallPopulation()
	s := memory.OpenSynthetic(cfg)
	before, _, cursor := contentOf(t, s, connectors.Request{Stream: "users", Mode: connectors.Full})
	for _, generation := range []int{1, 2, 60} {
		s.SetGeneration(generation)
		delta, _, next := contentOf(t, s, connectors.Request{Stream: "users", Mode: connectors.Delta, Cursor: cursor})
		after, _, _ := contentOf(t, s, connectors.Request{Stream: "users", Mode: connectors.Full})
		changed := 0
		for id, content := range after {
			if before[id] != content {
				changed++
			}
		}
		if changed == 0 || len(delta) != changed {
			t.Errorf("generation %d: %d objects differ, the delta brings %d", generation, changed, len(delta))
		}
		maps.Copy(before, delta)
		if !maps.Equal(before, after) {
			t.Errorf("generation %d: the delta does not lead to the full read", generation)
		}
		cursor = next
	}
}

func TestSyntheticMemberships(t *testing.T) {
	cfg := smallPopulation()
	groups, members, _ := contentOf(t, memory.OpenSynthetic(cfg), connectors.Request{Stream: "groups", Mode: connectors.Full})
	if len(groups) != cfg.Groups || members != cfg.Memberships() {
		t.Errorf("%d groups with %d members, want %d with %d", len(groups), members, cfg.Groups, cfg.Memberships())
	}
	other := smallPopulation()
	other.Seed = 2
	different, _, _ := contentOf(t, memory.OpenSynthetic(other), connectors.Request{Stream: "groups", Mode: connectors.Full})
	for id := range different {
		if _, ok := groups[id]; ok {
			t.Fatalf("two seeds share the id %s", id)
		}
	}
}

func TestSyntheticValidate(t *testing.T) {
	cfg := memory.SyntheticDefaults()
	if issues := cfg.Validate(); len(issues) > 0 {
		t.Errorf("the defaults have issues: %v", issues)
	}
	cfg.PageSize, cfg.People = 0, -1
	if issues := cfg.Validate(); len(issues) != 2 {
		t.Errorf("issues %v, want two", issues)
	}
}
