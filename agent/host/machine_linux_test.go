package host

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

// fileGroups are the groups that come from files alone.
var fileGroups = []string{"clock", "crashes", "hardware", "host", "load", "security", "services", "sign_in", "software", "space", "storage", "updates", "usb"}

func TestLaptop(t *testing.T) {
	s := Observe(t.Context(), Config{Root: machine(t, "laptop")}, fileGroups)

	h := s.Host
	if h.GetOsVersion() != "12.5" || h.GetTimezone() != "Europe/Paris" || h.GetLocale() != "fr-FR" || h.GetVirtualization() != "none" ||
		h.GetBootTime().GetSeconds() != 1700000000 || len(h.GetMachineHash()) != 32 || strings.HasPrefix(h.GetMachineHash(), "0123") {
		t.Errorf("host: %v", h)
	}
	w := s.Hardware
	if w.System.GetBrand() != "Lenovo" || w.System.GetVersion() != "ThinkPad T14 Gen 2i" || w.System.Uuid != nil || w.Baseboard.Serial != nil ||
		w.GetChassis() != "laptop" || w.Firmware.GetKind() != "uefi" || w.Firmware.GetDate() != "2022-09-01" || w.Firmware.SecureBoot != nil ||
		w.Processor.GetThreads() != 2 || w.Processor.GetCores() != 1 || w.Tpm.GetVersion() != "2.0" {
		t.Errorf("hardware: %v", w)
	}
	wantBus := []*constatv1.BusDevice{{
		Address: set("0000:00:14.3"), Id: set("8086:a0f0"), Vendor: set("Intel Corporation"), Model: set("Wi-Fi 6 AX201"), Class: set("wireless"), Driver: set(""),
	}, {
		Address: set("0000:00:1f.6"), Id: set("8086:15fc"), Vendor: set("Intel Corporation"), Model: set("Ethernet Connection (13) I219-V"), Class: set("network"), Driver: set("e1000e"),
	}}
	if diff := cmp.Diff(wantBus, w.BusDevices, protocmp.Transform()); diff != "" {
		t.Errorf("bus devices (-want +got):\n%s", diff)
	}

	wantMounts := []*constatv1.Mount{
		{MountPoint: set("/"), Device: set("/dev/mapper/vg-root"), Type: set("ext4"), ReadOnly: set(false), ExpectedWritable: set(true), Encryption: set("luks"), Remote: set(false)},
		{MountPoint: set("/boot"), Device: set("/dev/nvme0n1p2"), Type: set("ext4"), ReadOnly: set(false), ExpectedWritable: set(true), Encryption: set("none"), ErrorCount: set(int64(0)), Remote: set(false)},
		{MountPoint: set("~"), Device: set("nas.example"), Type: set("cifs"), ReadOnly: set(false), Remote: set(true)},
		{MountPoint: set("/media/~"), Device: set("/dev/sda1"), Type: set("vfat"), ReadOnly: set(false), Remote: set(false)},
		{MountPoint: set("/mnt/logs"), Device: set("/dev/mapper/vg-root"), Type: set("ext4"), ReadOnly: set(false), Encryption: set("luks"), Remote: set(false)},
		{MountPoint: set("/srv/old files"), Device: set("/dev/mapper/vg-archive"), Type: set("ext4"), ReadOnly: set(true), ExpectedWritable: set(false), Remote: set(false)},
	}
	if diff := cmp.Diff(wantMounts, s.Storage.Mounts, protocmp.Transform()); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
	wantDisks := []*constatv1.Disk{{
		Name: set("nvme0n1"), Model: set("SAMSUNG MZVLB512HBJQ-000L7"), Serial: set("S4ENNF0M123456"), Firmware: set("5M2QEXF7"),
		SizeBytes: set(int64(1000215216 * 512)), Bus: set("nvme"), Rotational: set(false), Removable: set(false),
	}}
	if diff := cmp.Diff(wantDisks, s.Storage.Disks, protocmp.Transform()); diff != "" {
		t.Errorf("disks (-want +got):\n%s", diff)
	}

	l := s.Load
	if l.Cpu.BusyPercent != nil || l.Cpu.GetThreads() != 2 || l.Memory.GetAvailablePercent() != 25 || l.Memory.SwapPagesPerSecond != nil ||
		l.Pressure.GetMemorySome60() != 3 || l.GetZombies() != 1 || l.GetBlocked() != 1 {
		t.Errorf("load of a machine that stands still: %v", l)
	}
	if p := l.Processes[0]; p.GetName() != "a (odd) name" || p.GetLifetimeCpuPercent() != 100 || p.CpuPercent != nil || p.GetState() != "zombie" {
		t.Errorf("busiest process: %v", p)
	}
	if c := s.Clock; c.GetService() != "systemd-timesyncd" || c.GetServiceState() != "running" || !c.GetSynchronized() || !c.GetEnabled() {
		t.Errorf("clock: %v", c)
	}
	if u := s.Updates; !u.GetRestartPending() || !slices.Equal(u.RestartReasons, []string{"libc6", "linux-image-6.1.0-37-amd64"}) ||
		!slices.Equal(u.BrokenPackages, []string{"again", "halfway"}) || u.Pending != nil {
		t.Errorf("updates: %v", u)
	}
	if text := prototext.Format(s); strings.Contains(text, "secret") || strings.Contains(text, "STICK") || strings.Contains(text, "ann@") {
		t.Errorf("the snapshot tells what users call things:\n%s", text)
	}
}

func TestLaptopUSB(t *testing.T) {
	u := Observe(t.Context(), Config{Root: machine(t, "laptop")}, []string{"usb"}).Usb
	byPath := map[string]*constatv1.UsbDevice{}
	var paths []string
	for _, d := range u.Devices {
		byPath[d.GetPath()] = d
		paths = append(paths, d.GetPath())
	}
	if want := []string{"1-2", "1-3.1", "1-4", "1-5", "usb1"}; !slices.Equal(paths, want) {
		t.Fatalf("devices %v, want %v", paths, want)
	}
	if d := byPath["1-2"]; d.GetBrand() != "Logitech" || d.GetClass() != "hid" || !slices.Equal(d.HidRoles, []string{"keyboard", "mouse"}) ||
		d.GetMaxPowerMa() != 98 || d.SelfPowered == nil || *d.SelfPowered || d.Interfaces[1].GetDriver() != "usbhid" || d.Interfaces[1].DriverAvailable != nil {
		t.Errorf("receiver: %v", d)
	}
	if d := byPath["1-3.1"]; d.GetClass() != "printer" || d.GetIeee1284Model() != "HP LaserJet P2015" || d.Configured == nil || *d.Configured ||
		d.Authorized == nil || *d.Authorized || d.Interfaces[0].Driver == nil || *d.Interfaces[0].Driver != "" {
		t.Errorf("printer: %v", d)
	}
	if d := byPath["1-4"]; d.GetCapableMbps() != 5000 || d.Interfaces[0].DriverAvailable == nil || *d.Interfaces[0].DriverAvailable {
		t.Errorf("card reader without any driver: %v", d)
	}
	if d := byPath["1-5"]; !d.Interfaces[0].GetDriverAvailable() || d.SpeedMbps != nil || d.Configured != nil {
		t.Errorf("stick whose driver is not loaded: %v", d)
	}
	if len(u.Failures) != 1 || u.Failures[0].GetPath() != "1-3" || u.Failures[0].GetCount() != 2 || u.GetPolicyActive() {
		t.Errorf("failures %v, policy %v", u.Failures, u.PolicyActive)
	}
}

// TestHostileMachine: no content of a file may break a reader, and what is not
// understood is unknown.
func TestHostileMachine(t *testing.T) {
	s := Observe(t.Context(), Config{Root: machine(t, "hostile")}, fileGroups)
	for _, entry := range s.Manifest.Groups {
		if strings.Contains(entry.Observation.Reason, "broke at") {
			t.Errorf("%s: %v", entry.Group, entry.Observation)
		}
	}
	if s.Load != nil || s.Space != nil || s.Storage == nil || s.Storage.Mounts != nil {
		t.Errorf("load %v, space %v, storage %v; want what could not be understood gone", s.Load, s.Space, s.Storage)
	}
	if d := s.Storage.Disks[0]; d.GetSizeBytes() != 0 || d.SizeBytes != nil || d.Removable != nil {
		t.Errorf("disk %v", d)
	}
	if s.Host.BootTime != nil || s.Host.MachineHash != nil || s.Hardware.Chassis != nil || s.Hardware.System.Model != nil || s.Hardware.MemoryBytes != nil {
		t.Errorf("host %v, hardware %v", s.Host, s.Hardware)
	}
	if len(s.Usb.Devices) != 0 {
		t.Errorf("usb %v", s.Usb.Devices)
	}
}

// TestEmptyMachine: nothing is there, so nothing is known, and each group says
// why.
func TestEmptyMachine(t *testing.T) {
	s := Observe(t.Context(), Config{Root: t.TempDir()}, fileGroups)
	for _, entry := range s.Manifest.Groups {
		if o := entry.Observation; o.Status != "observed" && (o.Status != "unsupported" || o.Reason == "") {
			t.Errorf("%s: %v", entry.Group, o)
		}
	}
	if s.Hardware.MemoryBytes != nil || s.Hardware.Tpm != nil || s.Host.Virtualization != nil || s.Updates.RestartPending != nil || s.Updates.BrokenPackages != nil {
		t.Errorf("facts out of nothing: %v", s)
	}
}

// asNobody gives this process the rights of an ordinary user until the test
// ends.
func asNobody(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	const nobody = 65534
	if err := syscall.Setresuid(-1, nobody, -1); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setresuid(-1, 0, -1); err != nil {
			panic(err) // nothing after this could be trusted
		}
	})
}

// closed returns a laptop whose root-only files an ordinary user cannot read.
func closed(t *testing.T) (root string) {
	t.Helper()
	root = machine(t, "laptop")
	for _, dir := range []string{root, filepath.Dir(root)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "sys/firmware/dmi/tables"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sys/firmware/dmi/tables/DMI", "sys/class/dmi/id/product_serial", "sys/class/dmi/id/product_uuid", "sys/class/dmi/id/board_serial"} {
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(root, name), 0); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestDeniedIsSaid(t *testing.T) {
	root := closed(t)
	asNobody(t)
	s := Observe(t.Context(), Config{Root: root}, []string{"hardware"})
	if s.Hardware.System.GetBrand() != "Lenovo" || s.Hardware.System.Serial != nil {
		t.Errorf("system %v; want what everybody may read", s.Hardware.System)
	}
	var denied []string
	for _, g := range s.Manifest.Groups[0].Observation.Gaps {
		if g.Status == "denied" {
			denied = append(denied, g.Fact)
		}
	}
	if want := []string{"baseboard.serial", "memory_modules", "system.serial", "system.uuid"}; !slices.Equal(denied, want) {
		t.Errorf("denied %v, want %v", denied, want)
	}
}

func TestRightsHeldElsewhereAreAsked(t *testing.T) {
	root := closed(t)
	asNobody(t)
	table := dell.table()
	framed := append([]byte{0, 0, 0, 4, '_', 'S', 'M', '3'}, table...)
	s := Observe(t.Context(), Config{Root: root, Privileged: func(_ context.Context, verb, arg string) ([]byte, error) {
		if verb != "smbios" || arg != "" {
			return nil, fs.ErrInvalid
		}
		return framed, nil
	}}, []string{"hardware"})
	if got := s.Hardware.System; got.GetSerial() != "7XK2ZZ3" || got.GetBrand() != "Dell" {
		t.Errorf("system %v, want the Dell of the table", got)
	}
	if gaps := s.Manifest.Groups[0].Observation.Gaps; len(gaps) != 0 {
		t.Errorf("gaps %v", gaps)
	}
	// The helper refuses: denied, as without it.
	s = Observe(t.Context(), Config{Root: root, Privileged: func(context.Context, string, string) ([]byte, error) { return nil, fs.ErrPermission }}, []string{"hardware"})
	if gaps := s.Manifest.Groups[0].Observation.Gaps; len(gaps) != 4 || gaps[0].Status != "denied" {
		t.Errorf("gaps %v", gaps)
	}
}
