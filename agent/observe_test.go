package main

import (
	"testing"

	"constat/agent/history"
	"constat/agent/host"
	"constat/internal/diagnosis"
	"constat/internal/fault"
)

// TestGroupsAreToldOnce: a collector refuses a snapshot that tells a group
// twice, and procedures ask for some of what is remembered by themselves.
func TestGroupsAreToldOnce(t *testing.T) {
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	o := &observer{catalog: catalog, memory: &history.Memory{}, config: host.Config{Root: t.TempDir()}}
	for _, p := range diagnosis.Procedures() {
		_, s := o.diagnose(t.Context(), p, "en", "user", nil)
		told := map[string]bool{}
		for _, entry := range s.Manifest.Groups {
			if told[entry.Group] {
				t.Errorf("%s: the manifest lists group %s twice", p.ID, entry.Group)
			}
			told[entry.Group] = true
		}
	}
}
