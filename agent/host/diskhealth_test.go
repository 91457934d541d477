package host

import (
	"encoding/binary"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

// healthPage composes a health page.
func healthPage(warning, spare, threshold, used byte, kelvin uint16, hours, mediaErrors uint64) []byte {
	page := make([]byte, nvmePage)
	page[0], page[3], page[4], page[5] = warning, spare, threshold, used
	binary.LittleEndian.PutUint16(page[1:], kelvin)
	binary.LittleEndian.PutUint64(page[128:], hours)
	binary.LittleEndian.PutUint64(page[160:], mediaErrors)
	return page
}

func nothingTold() health { return health{&constatv1.Disk{}, &constatv1.DiskReading{}} }

func TestNVMeHealth(t *testing.T) {
	for name, test := range map[string]struct {
		page    []byte
		want    *constatv1.Disk
		reading *constatv1.DiskReading
	}{
		"healthy": {healthPage(0, 100, 10, 3, 273+38, 1204, 0), &constatv1.Disk{
			CriticalWarning: set(int32(0)), SmartPassed: set(true), AvailableSparePercent: set(int32(100)),
			SpareThresholdPercent: set(int32(10)), PercentageUsed: set(int32(3)), MediaErrors: set(int64(0)),
		}, &constatv1.DiskReading{Celsius: set(38.0), PowerOnHours: set(int64(1204)), WrittenBytes: set(int64(0))}},
		"worn out and read-only": {healthPage(0x0d, 4, 10, 118, 0, 40000, 7), &constatv1.Disk{
			CriticalWarning: set(int32(0x0d)), SmartPassed: set(false), AvailableSparePercent: set(int32(4)),
			SpareThresholdPercent: set(int32(10)), PercentageUsed: set(int32(118)), MediaErrors: set(int64(7)),
		}, &constatv1.DiskReading{PowerOnHours: set(int64(40000)), WrittenBytes: set(int64(0))}},
		"counters beyond all": {healthPage(0, 100, 101, 0, 300, math.MaxUint64, math.MaxUint64), &constatv1.Disk{
			CriticalWarning: set(int32(0)), SmartPassed: set(true), PercentageUsed: set(int32(0)),
			MediaErrors: set(int64(math.MaxInt64)),
		}, &constatv1.DiskReading{Celsius: set(27.0), PowerOnHours: set(int64(math.MaxInt64)), WrittenBytes: set(int64(0))}},
	} {
		got := nothingTold()
		if err := parseNVMeHealth(test.page, got); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(test.want, got.disk, protocmp.Transform()) + cmp.Diff(test.reading, got.reading, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, page := range map[string][]byte{
		"short": make([]byte, 8), "zeros": make([]byte, nvmePage), "ones": []byte(strings.Repeat("\xff", nvmePage)), "none": nil,
	} {
		if err := parseNVMeHealth(page, nothingTold()); err == nil {
			t.Errorf("%s: taken for a page", name)
		}
	}
}

func FuzzNVMeHealth(f *testing.F) {
	f.Add(healthPage(4, 100, 10, 3, 311, 1204, 1))
	f.Fuzz(func(t *testing.T, page []byte) {
		h := nothingTold()
		if err := parseNVMeHealth(page, h); err != nil {
			return
		}
		d := h.disk
		if d.GetPercentageUsed() > 255 || d.GetAvailableSparePercent() > 100 || h.reading.GetPowerOnHours() < 0 || h.reading.GetWrittenBytes() < 0 || d.GetMediaErrors() < 0 {
			t.Errorf("impossible: %v", d)
		}
	})
}

func TestSmartctl(t *testing.T) {
	for file, want := range map[string]health{
		"ata-failing": {&constatv1.Disk{
			SmartPassed: set(false), ReallocatedSectors: set(int64(1544)), PendingSectors: set(int64(24)), OfflineUncorrectable: set(int64(0)),
			InterfaceCrcErrors: set(int64(3)),
		}, &constatv1.DiskReading{Celsius: set(41.0), PowerOnHours: set(int64(31337))}},
		"scsi": {
			&constatv1.Disk{SmartPassed: set(true), ReallocatedSectors: set(int64(2))},
			&constatv1.DiskReading{Celsius: set(33.0), PowerOnHours: set(int64(9))},
		},
	} {
		content, err := os.ReadFile("testdata/smartctl-" + file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		got := nothingTold()
		if err := parseSmartctl(content, got); err != nil {
			t.Errorf("%s: %v", file, err)
		} else if diff := cmp.Diff(want.disk, got.disk, protocmp.Transform()) + cmp.Diff(want.reading, got.reading, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
	for content, want := range map[string]string{
		`{"smartctl":{"messages":[{"string":"Device is in STANDBY mode, exit(2)"}],"exit_status":2}}`: "STANDBY",
		`{}`:                                  "nothing of the disk",
		`smartctl: command`:                   "smartctl's answer",
		`{"smart_status":{"passed":"maybe"`:   "smartctl's answer",
		`{"smart_status":{"passed":"maybe"}}`: "smartctl's answer",
	} {
		if err := parseSmartctl([]byte(content), nothingTold()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", content, err, want)
		}
	}
}

func FuzzSmartctl(f *testing.F) {
	for _, file := range []string{"ata-failing", "scsi"} {
		content, err := os.ReadFile("testdata/smartctl-" + file + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		h := nothingTold()
		if parseSmartctl(content, h) == nil && (h.disk.GetReallocatedSectors() < 0 || h.reading.GetPowerOnHours() < 0 || math.IsNaN(h.reading.GetCelsius())) {
			t.Errorf("impossible: %v", h)
		}
	})
}
