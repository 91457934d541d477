package host

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
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
	s := Observe(t.Context(), Config{Root: root, Privileged: func(_ context.Context, verb, arg string) ([]byte, error) {
		switch verb + " " + arg {
		case "nvme-health nvme0n1":
			return healthPage(4, 100, 10, 3, 311, 12, 0), nil
		case "smart sda":
			return failing, nil
		}
		return nil, fmt.Errorf("smartctl is not installed: %w", fs.ErrNotExist)
	}}, []string{"storage"})
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
	for _, g := range s.Manifest.Groups[0].Observation.Gaps {
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
	o := observed("test")
	readHealth(ctx, r, disks, o)
	if !disks[0].GetSmartPassed() || disks[1].SmartPassed != nil || len(o.Gaps) != 1 || o.Gaps[0].Status != "failed" {
		t.Errorf("disks %v, gaps %v", disks, o.Gaps)
	}
}
