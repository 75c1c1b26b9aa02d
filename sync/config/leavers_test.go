package config

import (
	"reflect"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// TestLeavers: the old word holds for all kinds; a block says it by kind; and what is printed is read as the same.
func TestLeavers(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]map[directory.RecordKind]mapping.Leaver{
		"leavers: delete": {directory.UserRecord: {Do: mapping.DeleteLeavers}, directory.AssetRecord: {Do: mapping.DeleteLeavers}},
		"leavers: {}":     {directory.UserRecord: {Do: mapping.DeactivateLeavers}},
		"leavers: {user: deactivate, agent: {delete_after: 30d}, asset: delete, default: keep}": {
			directory.UserRecord: {Do: mapping.DeactivateLeavers}, directory.AgentRecord: {Do: mapping.DeactivateLeavers, DeleteAfter: 30 * day},
			directory.AssetRecord: {Do: mapping.DeleteLeavers}, directory.SiteRecord: {Do: mapping.KeepLeavers},
		},
		"leavers: {default: {do: deactivate, delete_after: 1d12h}, customer: keep}": {
			directory.UserRecord: {Do: mapping.DeactivateLeavers, DeleteAfter: 36 * time.Hour}, directory.CustomerRecord: {Do: mapping.KeepLeavers},
		},
	} {
		file := `connections:
  hq: {connector: ldap, mapping: m, targets: [journal], ldap: {servers: ["ldap://127.0.0.1"], base: "dc=example,dc=test", bind: {user: a, password: x}}}
mappings:
  m:
    rules: [{name: everyone, user: {name: = name, role: = title}}]
    ` + text + `
    keep:
      - {name: the board, when: role == "Board", records: [user]}
      - {name: by hand, keys: [hq/1, hq/2]}
    seats: {user: 25, agent: {total: 30, field: role, of: {Full: 20, Light: 10}}}
targets:
  journal: {target: file, file: {path: changes.jsonl}}
`
		cfg, err := Parse([]byte(file), "c", testParts(nil))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		m := cfg.Mappings["m"]
		for kind, leaver := range want {
			if got := m.Rules.Leaver(kind); got != leaver {
				t.Errorf("%s: %s: %+v, want %+v", text, kind, got, leaver)
			}
		}
		if len(m.Spec.Keep) != 2 || !reflect.DeepEqual(m.Spec.Keep[1].Keys, []string{"hq/1", "hq/2"}) || m.Spec.Keep[0].Records[0] != directory.UserRecord {
			t.Errorf("%s: %+v", text, m.Spec.Keep)
		}
		if user, agent := m.Rules.Seats(directory.UserRecord), m.Rules.Seats(directory.AgentRecord); *user.Total != 25 || agent.Field != "role" || agent.Of["Light"] != 10 || *agent.Total != 30 {
			t.Errorf("%s: %+v %+v", text, user, agent)
		}
		printed, err := cfg.Print()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(printed, "c", testParts(nil))
		if err != nil {
			t.Fatalf("%v in\n%s", err, printed)
		}
		if again.Mappings["m"].Rules.Hash() != m.Rules.Hash() || !reflect.DeepEqual(again.Mappings["m"].Spec.Seats, m.Spec.Seats) {
			t.Errorf("%s: what is printed means something else:\n%s", text, printed)
		}
	}
}
