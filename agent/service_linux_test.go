package main

import (
	"strings"
	"testing"
)

// TestUnit: what `service install` writes differs from what packages install in
// the program's place and its configuration, and in nothing else.
func TestUnit(t *testing.T) {
	packaged, err := unit(networkUnit, packagedBinary, "/etc/constat-agent/agent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	source, err := units.ReadFile("units/" + networkUnit)
	if err != nil {
		t.Fatal(err)
	}
	if packaged != string(source) {
		t.Errorf("the packages' own unit changed:\n%s", packaged)
	}
	other, err := unit(networkUnit, "/opt/a b/100%/constat-agent", "")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(string(source), packagedBinary+" service execute"+packagedConfig, `"/opt/a b/100%%/constat-agent" service execute`, 1)
	if other != want {
		t.Errorf("elsewhere:\n%s\nwant:\n%s", other, want)
	}
	// The mini templates of the service library would take these for their own.
	if strings.Contains(want, "{{") {
		t.Error("the unit holds a template")
	}
}
