package sheet

import (
	"slices"
	"strings"
	"testing"

	"constat/agent/host"
	"constat/internal/snapshot"
)

// TestReasonsAreWorded: in French there is no English, and each row is reached.
func TestReasonsAreWorded(t *testing.T) {
	rows := reasons()
	if len(rows) < 50 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, row := range rows {
		for _, earlier := range rows[:i] {
			if strings.Contains(row[0], earlier[0]) {
				t.Errorf("%q is never reached behind %q", row[0], earlier[0])
			}
		}
		if row[1] == row[2] || strings.Contains(row[2], " the ") || strings.ContainsAny(row[2], "'") {
			t.Errorf("%q is no French: %q", row[0], row[2])
		}
	}
	french := &sheet{fr: true}
	for reason, want := range map[string]string{
		"open /sys/class/drm: no such file or directory":                                "ce système n’en a pas",
		"no SMBIOS table: open /sys/firmware/dmi/tables/DMI: no such file or directory": "cet ordinateur ne montre pas de table du matériel (SMBIOS), comme souvent les machines virtuelles",
		"something that nobody foresaw":                                                 "lecture impossible ; --json donne l’erreur",
	} {
		if got := french.reason("failed", reason); got != want {
			t.Errorf("%q is %q, want %q", reason, got, want)
		}
	}
}

func TestGroupsAreNamed(t *testing.T) {
	for _, name := range slices.Concat(host.Groups(), []string{"changes", "vitals"}) {
		if _, known := groupNames[name]; !known {
			t.Errorf("%s has no name", name)
		}
		if !slices.Contains(snapshot.Names(), name) {
			t.Errorf("%s is no group", name)
		}
	}
}
