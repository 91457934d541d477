package host

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

func TestPercentRoundsHalfUp(t *testing.T) {
	for _, test := range []struct {
		part, whole uint64
		want        int32
	}{
		{0, 100, 0}, {4, 1000, 0}, {5, 1000, 1}, {994, 1000, 99}, {995, 1000, 100}, {200, 100, 100}, {math.MaxUint64 / 2, math.MaxUint64, 50},
	} {
		if got := percent(test.part, test.whole); got == nil || *got != test.want {
			t.Errorf("%d of %d is %v, want %d", test.part, test.whole, got, test.want)
		}
	}
	if percent(0, 0) != nil {
		t.Error("a share of nothing is known")
	}
}

func TestFileSystemFacts(t *testing.T) {
	// 5 of 100 blocks are root's own: nothing is left for users at 95.
	f := fsUse{total: 100, free: 5, available: 0, inodes: 0}.facts()
	if f.GetUsedPercent() != 100 || f.FreeBytes == nil || f.GetFreeBytes() != 0 || f.TotalInodes != nil || f.UsedInodesPercent != nil {
		t.Errorf("full file system without inodes: %v", f)
	}
	f = fsUse{total: 100, free: 60, available: 50, inodes: 10, freeInodes: 0}.facts()
	if f.GetUsedPercent() != 44 || f.GetUsedInodesPercent() != 100 || f.FreeInodes == nil {
		t.Errorf("file system without free inodes: %v", f)
	}
}

func TestHolder(t *testing.T) {
	mounts := []mountPoint{{point: "/"}, {point: "/var"}, {point: "/var/spool/cupsd"}}
	if m := holder(mounts, spoolDirectory); m == nil || m.point != "/var" {
		t.Errorf("the spool lies on %v, want /var", m)
	}
	if holder(nil, "/") != nil {
		t.Error("a path lies on no mount")
	}
}

func TestOvermountedIsGone(t *testing.T) {
	mounts, err := parseMountinfo([]byte("1 0 8:1 / /mnt rw - ext4 /dev/a rw\n2 1 8:2 / /mnt ro - xfs /dev/b rw\n"))
	if err != nil || len(mounts) != 1 || mounts[0].fsType != "xfs" || !mounts[0].readOnly {
		t.Errorf("mounts %v, error %v", mounts, err)
	}
}

func TestReadOnlyAfterAnError(t *testing.T) {
	mounts, err := parseMountinfo([]byte("1 0 7:0 / /home rw,relatime - ext4 /dev/loop0 rw,emergency_ro,errors=remount-ro\n"))
	if err != nil || len(mounts) != 1 || !mounts[0].readOnly {
		t.Errorf("mounts %v, error %v", mounts, err)
	}
}

func TestRemoteHost(t *testing.T) {
	for source, want := range map[string]string{
		"nas:/export/ann": "nas", "//nas/ann": "nas", "ann@nas.example:/home/ann": "nas.example", "[2001:db8::1]:/x": "2001:db8::1",
		"https://dav.example/ann": "dav.example", "": "",
	} {
		if got := remoteHost(source); got != want {
			t.Errorf("%q: %q, want %q", source, got, want)
		}
	}
}

func TestBusiestNamesLargeOnesToo(t *testing.T) {
	before, after := map[int]processStat{}, map[int]processStat{}
	for pid := 1; pid <= 30; pid++ {
		p := processStat{pid: pid, name: fmt.Sprint("p", pid), state: 'R', started: 100, resident: int64(pid)}
		before[pid] = p
		p.cpu = uint64(30 - pid) // the busiest are the smallest
		after[pid] = p
	}
	reused := after[1]
	reused.started = 500
	after[1] = reused
	got := busiest(before, after, time.Second, 10, 4096)
	var pids []int32
	for _, p := range got {
		pids = append(pids, p.GetPid())
	}
	if want := []int32{2, 3, 4, 5, 6, 7, 8, 28, 29, 30}; !slices.Equal(pids, want) {
		t.Errorf("processes %v, want %v", pids, want)
	}
	if p := got[0]; p.GetCpuPercent() != 28 || p.GetResidentBytes() != 2*4096 || p.GetAgeSeconds() != 9 || p.GetState() != "running" {
		t.Errorf("busiest: %v", p)
	}
}

func TestCPUUse(t *testing.T) {
	before := cpuTimes{total: 1000, idle: 500, iowait: 100, steal: 10, threads: 2}
	after := cpuTimes{total: 1100, idle: 520, iowait: 110, steal: 15, threads: 2}
	c := cpuUse(before, after, 400*time.Millisecond)
	if c.GetBusyPercent() != 70 || c.GetIowaitPercent() != 10 || c.GetStealPercent() != 5 || c.GetSampleMs() != 400 {
		t.Errorf("cpu %v", c)
	}
}

func TestNewerKernel(t *testing.T) {
	boot := []string{"config-6.1.0-37-amd64", "vmlinuz-6.1.0-9-amd64", "vmlinuz-6.1.0-18-amd64", "vmlinuz-6.1.0-37-amd64", "vmlinuz-6.9.0-rt-amd64-rt"}
	for running, want := range map[string]struct {
		newest string
		known  bool
	}{
		"6.1.0-37-amd64": {"", true}, "6.1.0-9-amd64": {"6.1.0-37-amd64", true}, "6.8.0-custom": {"", false},
	} {
		if newest, known := newerKernel(boot, running); newest != want.newest || known != want.known {
			t.Errorf("running %s: newer %q, known %v; want %v", running, newest, known, want)
		}
	}
}

func TestCapableSpeed(t *testing.T) {
	superSpeed := []byte{5, 0x0f, 22, 0, 2, 7, bosDeviceCapability, 2, 6, 0, 0, 0, 10, bosDeviceCapability, bosSuperSpeed, 0, 14, 0, 1, 10, 0xff, 7}
	for name, test := range map[string]struct {
		bcd  string
		bos  []byte
		want float64
	}{
		"USB 3": {" 3.20", nil, 5000}, "USB 3 behind USB 2": {" 2.10", superSpeed, 5000}, "USB 2": {" 2.00", nil, 0}, "cut off": {" 2.10", superSpeed[:13], 0}, "zero length": {"x", []byte{0, 0, 0}, 0},
	} {
		if got := capableMbps(test.bcd, test.bos); (got == nil) != (test.want == 0) || got != nil && *got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestUtmp(t *testing.T) {
	record := func(kind uint16, user, from string) []byte {
		r := make([]byte, utmpSize)
		binary.LittleEndian.PutUint16(r, kind)
		copy(r[utmpUser:], user)
		copy(r[utmpHost:], from)
		return r
	}
	content := slices.Concat(record(2, "reboot", "6.1"), record(userProcess, "zoe", "192.0.2.7"), record(userProcess, "ann", ":0"), []byte("rest"))
	got := parseUtmp(content)
	if len(got) != 2 || got[0].GetUser() != "ann" || got[0].GetKind() != "local" || got[1].GetKind() != "remote" || got[1].Active != nil {
		t.Errorf("sessions %v", got)
	}
}

func TestHypervisorOf(t *testing.T) {
	for want, dmi := range map[string][]string{
		"kvm": {"KVM", "Red Hat"}, "qemu": {"Standard PC", "QEMU"}, "hyperv": {"Virtual Machine", "Microsoft Corporation"},
		"": {"Surface Pro 9", "Microsoft Corporation"}, "virtualbox": {"VirtualBox", "innotek GmbH"}, "vmware": {"VMware7,1", "VMware, Inc."},
	} {
		if got := hypervisorOf(dmi...); got != want {
			t.Errorf("%v is %q, want %q", dmi, got, want)
		}
	}
}

func TestServiceWords(t *testing.T) {
	units := []unit{
		{"cups.service", "", "loaded", "active", "running"},
		{"iwd.service", "", "not-found", "inactive", "dead"}, {"cron.service", "", "loaded", "active", "running"},
		{"broken.service", "", "loaded", "failed", "failed"}, {"loop.service", "", "loaded", "activating", "auto-restart"},
		{"a.mount", "", "loaded", "failed", "failed"}, {"bluetooth.service", "", "masked", "inactive", "dead"},
	}
	var names []string
	for _, u := range notable(units) {
		names = append(names, u.name)
	}
	if want := []string{"bluetooth.service", "broken.service", "cups.service", "loop.service"}; !slices.Equal(names, want) {
		t.Errorf("notable %v, want %v", names, want)
	}
	if got := serviceState("activating", "auto-restart"); *got != "restarting" {
		t.Errorf("state %q", *got)
	}
	if serviceState("from the future", "") != nil {
		t.Error("a state nobody knows became a word")
	}
}
