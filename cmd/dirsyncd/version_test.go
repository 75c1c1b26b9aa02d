package main

import (
	"runtime/debug"
	"testing"
)

// The commit is told where the build knows it, and not made up elsewhere.
func TestBuild(t *testing.T) {
	if b := described("1.2.3", &debug.BuildInfo{}); b.Version != "1.2.3" || b.Commit != "" || b.Time != "" || b.Modified {
		t.Errorf("without a checkout: %+v", b)
	}
	b := described(unreleased, &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "5b2fc07"}, {Key: "vcs.time", Value: "2026-01-31T12:00:00Z"}, {Key: "vcs.modified", Value: "true"},
	}})
	if b.Version != "v1.2.3" || b.Commit != "5b2fc07" || b.Time != "2026-01-31T12:00:00Z" || !b.Modified {
		t.Errorf("of a checkout: %+v", b)
	}
}
