package host

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	constatv1 "constat/proto/constat/v1"
)

func TestDiskHealth(t *testing.T) {
	failing, err := os.ReadFile("testdata/smartctl-ata-failing.json")
	if err != nil {
		t.Fatal(err)
	}
	root := machine(t, "disks")
	asked := atomic.Int32{}
	s := Observe(t.Context(), Config{Root: root, Privileged: func(_ context.Context, verb, arg string) ([]byte, error) {
		asked.Add(1)
		switch verb + " " + arg {
		case "nvme-health nvme0n1":
			return healthPage(4, 100, 10, 3, 311, 12, 0), nil
		case "smart sda":
			return failing, nil
		}
		return nil, fmt.Errorf("smartctl is not installed: %w", fs.ErrNotExist)
	}}, []string{"readings", "storage"})
	told(t, s)
	if n := asked.Load(); n != 3 {
		t.Errorf("the three disks were asked %d times", n)
	}
	if d := s.Readings.Disks; len(d) != 2 || d[0].GetName() != "nvme0n1" || d[0].GetCelsius() != 38 || d[0].GetPowerOnHours() != 12 || d[1].GetPowerOnHours() != 31337 {
		t.Errorf("readings: %v", d)
	}
	byName := map[string]*constatv1.Disk{}
	for _, d := range s.Storage.Disks {
		byName[d.GetName()] = d
	}
	if d := byName["nvme0n1"]; d.GetCriticalWarning() != 4 || d.GetSmartPassed() || d.SmartPassed == nil || d.GetModel() != "KBG40ZNS256G" || d.IoErrors != nil {
		t.Errorf("NVMe disk: %v", d)
	}
	if d := byName["sda"]; d.SmartPassed == nil || d.GetSmartPassed() || d.GetPendingSectors() != 24 || d.IoErrors != nil {
		t.Errorf("SATA disk: %v", d)
	}
	if d := byName["sdb"]; d.IoErrors == nil || *d.IoErrors != 0 {
		t.Errorf("a disk that counted no error: %v", d)
	}
	if n := s.Storage.Mounts[0].GetErrorCount(); n != 12 {
		t.Errorf("errors of the root file system on device mapper: %d", n)
	}
	var gaps []string
	for _, g := range s.Manifest.Groups[1].Observation.Gaps {
		gaps = append(gaps, g.Fact+" "+g.Status+" "+g.Reason[:3])
	}
	if want := []string{"disks.smart_passed unsupported sdb", "disks.smart_passed unsupported sdc"}; !slices.Equal(gaps, want) {
		t.Errorf("gaps %q, want %q", gaps, want)
	}
}

// TestHungDisk: one that does not answer costs its own health.
func TestHungDisk(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r := newReader(ctx, Config{Privileged: func(ctx context.Context, _, name string) ([]byte, error) {
		if name == "sda" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return healthPage(0, 100, 10, 1, 300, 1, 0), nil
	}})
	disks := []*constatv1.Disk{{Name: set("nvme0n1"), Bus: set("nvme")}, {Name: set("sda"), Bus: set("sata")}}
	readings, silent := readHealth(ctx, r, disks)
	if !disks[0].GetSmartPassed() || disks[1].SmartPassed != nil || len(readings) != 1 || len(silent) != 1 || statusOf(silent[0]) != statusFailed {
		t.Errorf("disks %v, readings %v, silent %v", disks, readings, silent)
	}
}
