package config

import (
	"strings"
	"testing"
	"time"
)

func TestHistory(t *testing.T) {
	const rest = "\nconnections: {hq: {connector: memory, mapping: m, targets: [j]}}\nmappings: {m: {rules: [{name: r, user: {name: = name}}]}}\ntargets: {j: {target: file, file: {path: x}}}\n"
	for _, tc := range []struct {
		text  string
		want  History
		wrong string
	}{
		{"", DefaultHistory(), ""},
		{"history: {keep: 2w}", History{Keep: DefaultHistory().Keep / 90 * 14, Megabytes: 64}, ""},
		{"history: {keep: 0s, megabytes: 5}", History{Megabytes: 5}, ""},
		{"history: {megabytes: 0}", History{}, "history.megabytes: 0 is not between 1 and 16384"},
		{"history: {megabytes: 99999}", History{}, "is not between"},
		{"history: {keep: 7}", History{}, "a duration needs a unit"},
		{"history: {days: 7}", History{}, `unknown key "days"`},
	} {
		cfg, err := Parse([]byte(tc.text+rest), "config.yaml", testParts(nil))
		switch {
		case tc.wrong != "":
			if err == nil || !strings.Contains(err.Error(), tc.wrong) {
				t.Errorf("%s: %v, want %q", tc.text, err, tc.wrong)
			}
		case err != nil || cfg.History != tc.want:
			t.Errorf("%s: %+v, %v", tc.text, cfg.History, err)
		}
	}
	if h := DefaultHistory(); h.Keep.Std() != 90*24*time.Hour || h.Megabytes != 64 {
		t.Errorf("the defaults are documented, and now %+v", h)
	}
}
