package host

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"constat/internal/snmp/printermib"
	constatv1 "constat/proto/constat/v1"
)

// Fuzz tests of the parsers of what the kernel and the distribution write.
// IPP, SMBIOS and the like have theirs beside their tests.

func FuzzAssignments(f *testing.F) {
	f.Add("NAME=\"Debian \\\"GNU\\\"/Linux\"\nID=debian\n# comment=1\nLANG='fr_FR.UTF-8'\n\\=\n")
	f.Fuzz(func(t *testing.T, content string) {
		for key, value := range parseAssignments([]byte(content)) {
			if strings.Contains(key, "=") || len(value) > len(content) {
				t.Errorf("%q = %q", key, value)
			}
			bcp47(value)
			zoneOf(value)
		}
	})
}

func FuzzMountinfo(f *testing.F) {
	f.Add("25 1 254:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw\n28 25 8:1 / /srv/old\\040files ro - cifs //ann@nas/x ro\n")
	f.Fuzz(func(t *testing.T, content string) {
		mounts, err := parseMountinfo([]byte(content))
		if err != nil {
			return
		}
		for _, m := range mounts {
			if host := remoteHost(m.source); strings.Contains(host, "@") {
				t.Errorf("%q tells an account: %q", m.source, host)
			}
			if strings.HasPrefix(m.point, "/home/") && len(m.point) > len("/home/") && discreet(m.point) != "~" {
				t.Errorf("%q tells a person", m.point)
			}
			holder(mounts, m.point)
			busOf(m.source)
		}
		parseFstab([]byte(content))
	})
}

func FuzzPressure(f *testing.F) {
	f.Add("some avg10=45.27 avg60=37.76 avg300=23.63 total=190188728\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
	f.Fuzz(func(t *testing.T, content string) {
		some10, some60, full10, full60, err := parsePressure([]byte(content))
		for _, x := range []*float64{some10, some60, full10, full60} {
			if x != nil && (err != nil || !(*x >= 0 && *x <= 100)) {
				t.Errorf("%q has pressure %v, error %v", content, *x, err)
			}
		}
	})
}

func FuzzLpoptions(f *testing.F) {
	f.Add("Dest office/draft media=A5\nDefault office/duplex sides=two-sided-long-edge\n")
	f.Add("default floor2\n")
	f.Fuzz(func(t *testing.T, content string) {
		if name := parseLpoptions([]byte(content)); strings.ContainsAny(name, " \t\r\n/") {
			t.Errorf("a queue called %q", name)
		}
	})
}

func FuzzProc(f *testing.F) {
	f.Add("cpu  48747 5760 15185 283749 1564 0 202 68 0 0\ncpu0 24027 2952 7254 142830 473 0 19 33 0 0\nbtime 1700000000\n")
	f.Add("400 (a (odd) name) Z 1 1 1 0 -1 4194560 1 1 1 1 45000 45000 1 1 20 0 1 0 10000 0 0 1 1 1 0 0 0 0\n")
	f.Add("MemTotal:       16000000 kB\nMemAvailable:    4000000 kB\n")
	f.Add(" 259       0 nvme0n1 100 0 800 50 200 0 1600 100 0 120 150 0 0 0 0 0 0\n")
	f.Add("processor\t: 0\nmodel name\t: A\nphysical id\t: 0\ncore id\t: 0\nflags\t: fpu\n")
	f.Fuzz(func(t *testing.T, content string) {
		raw := []byte(content)
		if times, err := parseCPUTimes(raw); err == nil {
			c := cpuUse(cpuTimes{}, times, 400*time.Millisecond)
			if c.BusyPercent != nil && (math.IsNaN(*c.BusyPercent) || *c.BusyPercent < 0 || *c.BusyPercent > 100) {
				t.Errorf("busy %v %%", *c.BusyPercent)
			}
		}
		if p, err := parseProcessStat(raw); err == nil {
			all := map[int]processStat{p.pid: p}
			busiest(all, all, 400*time.Millisecond, 1000, 4096)
		}
		if m, err := memoryOf(raw); err == nil && (m.GetTotalBytes() <= 0 || m.GetAvailablePercent() > 100 || m.GetAvailablePercent() < 0) {
			t.Errorf("memory %v", m)
		}
		for name, stat := range parseDiskStats(raw) {
			diskUse(name, diskStat{}, stat, 400*time.Millisecond)
		}
		parseBootTime(raw)
		processorOf(raw)
		parseUtmp(raw)
	})
}

func FuzzDevices(f *testing.F) {
	f.Add("\n8086  Intel\n\t15fc  I219\n", "8086", "usb:v0951p1666d0110ic08isc06ip50in00")
	f.Add("alias usb:v*p*d*dc*dsc*dp*ic03isc*ip*in* usbhid\n", "03f0", "usb:ic03")
	f.Fuzz(func(t *testing.T, table, vendor, alias string) {
		if name, _ := idNames([]byte(table), vendor, vendor); strings.Contains(name, "\n") {
			t.Errorf("a name over two lines: %q", name)
		}
		hasDriver([]byte(table), alias)
		capableMbps(alias, []byte(table))
		printermib.DeviceID(table)
		trayOf(table)
		milliampere(alias)
		parsePrintDevice(alias)
		parseVPDSerial([]byte(table))
		if name, known := newerKernel(strings.Fields(table), alias); name == alias && name != "" {
			t.Errorf("%q is newer than itself (%v)", name, known)
		}
		d := &constatv1.UsbDevice{Id: &vendor, Vendor: &table, Product: &alias}
		scrub(d)
		if text := d.GetVendor(); !utf8.ValidString(text) || len(text) > maxText {
			t.Errorf("%q was cleaned to %q", table, text)
		}
	})
}
