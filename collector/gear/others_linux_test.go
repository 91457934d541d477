package gear

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"constat/internal/lab"
	"constat/internal/snmp"
)

// TestOtherDevices polls whatever recordings lie in the folder that
// CONSTAT_RECORDINGS names: of gear that nobody here has seen.
func TestOtherDevices(t *testing.T) {
	folder := os.Getenv("CONSTAT_RECORDINGS")
	if folder == "" {
		t.Skip("CONSTAT_RECORDINGS names no folder of other recordings")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.snmprec"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings in %s (%v)", folder, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".snmprec"), func(t *testing.T) {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := readRecording(t, f)
			began := time.Now()
			result := pollOnce(t, lab.Respond(t, 1, string(text)).Addresses[0], snmp.Credentials{Community: "public"})
			r.compare(t, result.Gear)
			id := result.Gear.GetIdentity()
			t.Logf("%s %s %s %s: %d interfaces, %d sensors, %d neighbours, %d stations, %d objects in %v; faults %q; partial %v",
				id.GetVendor(), id.GetModel(), id.GetOs(), id.GetVersion(), len(result.Gear.GetInterfaces()), len(result.Gear.GetSensors()),
				len(result.Gear.GetNeighbours()), len(result.Gear.GetForwarding()), result.Stats.Objects, time.Since(began).Round(time.Millisecond),
				judged(t, result.Gear), result.Partial)
		})
	}
}
