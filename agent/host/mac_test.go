package host

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// composed is the archive of made-up answers in the shape of macOS's.
const composed = "testdata/macos/composed.txtar"

// mac is one file of the archive.
func mac(t testing.TB, name string) []byte {
	t.Helper()
	archive, err := txtar.ParseFile(composed)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if f.Name == name {
			return f.Data
		}
	}
	t.Fatalf("%s has no %s", composed, name)
	return nil
}

// macTree is one file of the archive as a tree.
func macTree(t testing.TB, name string) node {
	t.Helper()
	n, err := parseTree(mac(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// macKernel answers with the values of kernel.txt.
func macKernel(t testing.TB) sysctl {
	t.Helper()
	values := map[string][]byte{}
	for line := range strings.Lines(string(mac(t, "kernel.txt"))) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		kind, value, _ := strings.Cut(rest, " ")
		var raw []byte
		integer := func(text string) uint64 {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				t.Fatal(line, err)
			}
			return n
		}
		switch words := strings.FieldsFunc(value, func(c rune) bool { return c == ' ' || c == '.' }); kind {
		case "text":
			raw = append([]byte(value), 0)
		case "int32":
			raw = binary.LittleEndian.AppendUint32(nil, uint32(integer(value)))
		case "int64", "int64s":
			for _, word := range words {
				raw = binary.LittleEndian.AppendUint64(raw, integer(word))
			}
		case "timeval": // struct timeval: seconds, microseconds, and four bytes to align
			raw = binary.LittleEndian.AppendUint64(nil, integer(words[0]))
			raw = binary.LittleEndian.AppendUint64(raw, integer(words[1]))
		case "loadavg": // struct loadavg: three numbers, four bytes to align, the scale
			for _, word := range words[:3] {
				raw = binary.LittleEndian.AppendUint32(raw, uint32(integer(word)))
			}
			raw = binary.LittleEndian.AppendUint32(raw, 0)
			raw = binary.LittleEndian.AppendUint64(raw, integer(words[3]))
		default:
			t.Fatal(line)
		}
		values[name] = raw
	}
	return func(name string) []byte { return values[name] }
}

// intelKernel tells of one value only; noKernel of none.
func intelKernel(t testing.TB) sysctl {
	ask := macKernel(t)
	return func(name string) []byte {
		if name != "hw.cpufrequency_max" {
			return nil
		}
		return ask(name)
	}
}

func noKernel(string) []byte { return nil }

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("%s:\n%s", what, diff)
	}
}

func TestMacHardware(t *testing.T) {
	h := macHardware(macTree(t, "hardware.json"), macTree(t, "platform.plist"), macKernel(t))
	same(t, "Apple silicon", &constatv1.Hardware{
		System: &constatv1.System{
			Manufacturer: set("Apple Inc."), Brand: set("Apple"), Model: set("Mac14,2"), Family: set("MacBook Air"), Sku: set("Z15S000XXF/A"),
			Serial: set("ZZ0EXAMPLE"), Uuid: set("0d0d0d0d-1111-2222-3333-444444444444"),
		},
		Firmware: &constatv1.Firmware{Vendor: set("Apple Inc."), Version: set("11881.61.3"), Kind: set("other"), SecureBoot: set(true)},
		Chassis:  set("laptop"), MemoryBytes: set(int64(16 << 30)),
		Processor:     &constatv1.Processor{Model: set("Apple M2"), Sockets: set(int32(1)), Cores: set(int32(8)), Threads: set(int32(8)), MaxMhz: set(int32(2600))},
		MemoryModules: []*constatv1.MemoryModule{{SizeBytes: set(int64(16 << 30)), Type: set("LPDDR5"), Manufacturer: set("Hynix")}},
		Gpus:          []*constatv1.Gpu{{Vendor: set("Apple"), Model: set("Apple M2")}},
		Monitors: []*constatv1.Monitor{
			{PnpId: set("APP"), Manufacturer: set("Apple"), Model: set("Color LCD"), Connector: set("internal"), Connected: set(true), Enabled: set(true), EdidRead: set(true)},
			{PnpId: set("DEL"), Manufacturer: set("Dell"), Model: set("DELL U2723QE"), Serial: set("EXMPL01"), Year: set(int32(2022)), Connector: set("displayport_dongletype_dp"), Connected: set(true), Enabled: set(true), EdidRead: set(true)},
		},
	}, h)
	intel := macHardware(macTree(t, "hardware-intel.json"), node{}, intelKernel(t))
	if intel.System.Serial != nil || intel.Firmware.GetKind() != "uefi" || intel.Firmware.SecureBoot != nil || intel.Processor.GetMaxMhz() != 2600 || intel.GetMemoryBytes() != 32<<30 {
		t.Error("an Intel Mac:", intel)
	}
	same(t, "slots", []*constatv1.MemoryModule{
		{Locator: set("BANK 0/ChannelA-DIMM0"), SizeBytes: set(int64(16 << 30)), Type: set("DDR4"), SpeedMts: set(int32(2667)), Manufacturer: set("Micron"), PartNumber: set("8ATF1G64H"), Serial: set("0x01020304")},
		{Locator: set("BANK 2/ChannelB-DIMM0"), SizeBytes: set(int64(0))},
	}, intel.MemoryModules)
}

func TestMacUSB(t *testing.T) {
	devices := macUSB(macTree(t, "usb.plist"))
	same(t, "USB", []*constatv1.UsbDevice{
		{Path: set("1-1"), Id: set("05e3:0610"), Vendor: set("GenesysLogic"), Product: set("USB2.1 Hub"), SpeedMbps: set(480.0), Class: set("hub"), BcdUsb: set("2.10"), Configured: set(true)},
		{
			Path: set("1-1.4"), Id: set("046d:c31c"), Vendor: set("Logitech"), Product: set("USB Keyboard"), Brand: set("Logitech"), SpeedMbps: set(1.5), Class: set("hid"),
			InterfaceClasses: []string{"hid"}, HidRoles: []string{"keyboard"}, BcdUsb: set("1.10"), Configured: set(true),
			Interfaces: []*constatv1.UsbInterface{{Number: set(int32(0)), Class: set("hid"), Driver: set("AppleUserUSBHostHIDDevice"), DriverAvailable: set(true)}},
		},
		{
			Path: set("1-1.5"), Id: set("03f0:0a2a"), Vendor: set("HP"), Product: set("HP LaserJet Pro"), Brand: set("HP"), Serial: set("EXAMPLE123"), SpeedMbps: set(480.0), CapableMbps: set(5000.0),
			Class: set("printer"), InterfaceClasses: []string{"printer"}, BcdUsb: set("3.00"), Configured: set(true),
			// No driver of the kernel's, which says nothing: programs speak to it.
			Interfaces: []*constatv1.UsbInterface{{Number: set(int32(0)), Class: set("printer")}},
		},
	}, devices)
	same(t, "things", []*constatv1.Peripheral{
		{Id: set("046d:c31c"), Brand: set("Logitech"), Model: set("USB Keyboard"), Kind: set("keyboard"), Connection: set("usb"), UsbPath: set("1-1.4")},
		{Id: set("05ac:0269/aa-bb-cc-00-11-22"), Brand: set("Apple"), Model: set("Magic Mouse"), Kind: set("mouse"), Serial: set("aa-bb-cc-00-11-22"), Connection: set("bluetooth"), BatteryPercent: set(int32(42))},
		{Id: set("internal-keyboard"), Brand: set("Apple"), Model: set("Apple Internal Keyboard / Trackpad"), Kind: set("keyboard"), Connection: set("internal")},
	}, macPeripherals(devices, macTree(t, "hid.plist")))
	for location, want := range map[uint32]string{0x14000000: "20-0", 0x14120000: "20-1.2", 0x00123456: "0-1.2.3.4.5.6", 0x01100000: "1-1"} {
		if got := macUSBPath(location); got != want {
			t.Errorf("%#x lies at %s, not %s", location, got, want)
		}
	}
}

func TestMacDesk(t *testing.T) {
	tree := macTree(t, "desk.json")
	adapters, devices := macBluetooth(tree)
	same(t, "radio", []*constatv1.BluetoothAdapter{{Name: set("bluetooth"), Powered: set(true), ServiceState: set("running")}}, adapters)
	same(t, "devices", []*constatv1.BluetoothDevice{
		{Kind: set("phone"), Paired: set(true), Connected: set(false)}, // whose it is, is in its name
		{Name: set("AirPods Pro"), Kind: set("headset"), Paired: set(true), Connected: set(true), BatteryPercent: set(int32(75))},
		{Name: set("MX Keys"), Kind: set("keyboard"), Paired: set(true), Connected: set(true), BatteryPercent: set(int32(91))},
	}, devices)
	audio := macAudio(tree)
	output, input, muted := macVolume([]byte("output volume:0, input volume:75, alert volume:100, output muted:true\n"))
	withVolume(audio, output, input, muted)
	same(t, "sound", []*constatv1.AudioEndpoint{
		{Name: set("DELL U2723QE"), Direction: set("output"), Form: set("hdmi"), DefaultEndpoint: set(false)},
		{Name: set("MacBook Air Microphone"), Direction: set("input"), Form: set("microphone"), DefaultEndpoint: set(true), VolumePercent: set(int32(75)), Muted: set(false)},
		{Name: set("MacBook Air Speakers"), Direction: set("output"), Form: set("speakers"), DefaultEndpoint: set(true), VolumePercent: set(int32(0)), Muted: set(true)},
	}, audio)
	if output, _, muted := macVolume([]byte("output volume:missing value, input volume:50, alert volume:100, output muted:missing value")); output != nil || muted != nil {
		t.Error("a volume that is not there:", output, muted)
	}
	same(t, "cameras", []*constatv1.Camera{{Name: set("FaceTime HD Camera")}, {Name: set("iPhone")}}, macCameras(tree))
}

func TestMacPower(t *testing.T) {
	batteries, chargers := macBatteries(macTree(t, "battery.plist"))
	same(t, "battery", []*constatv1.Battery{{
		Name: set("InternalBattery"), Present: set(true), Model: set("bq40z651"), Serial: set("F8Y0EXAMPLE"), Cycles: set(int32(212)),
		HealthPercent: set(int32(92)), ChargePercent: set(int32(97)), State: set("notCharging"), Failed: set(false),
	}}, batteries)
	same(t, "charger", []*constatv1.Charger{{Name: set("30W USB-C Power Adapter"), Online: set(true), Watts: set(30.0)}}, chargers)
	if p := macPowerSettings(mac(t, "pmset.txt")); p == nil || *p != "low-power" {
		t.Error("profile", p)
	}
	if on := macOnBattery(mac(t, "batt.txt")); on == nil || *on {
		t.Error("on battery", on)
	}
	if n := macSpeedLimit([]byte("Note: No thermal warning level has been recorded\n")); n != nil {
		t.Error("a limit nobody told:", *n)
	}
	if n := macSpeedLimit([]byte("CPU Power notify\n\tCPU_Scheduler_Limit \t= 100\n\tCPU_Available_CPUs \t= 8\n\tCPU_Speed_Limit \t= 64\n")); n == nil || *n != 64 {
		t.Error("speed limit", n)
	}
	if word := macThermalPressure([]byte("com.apple.system.thermalpressurelevel 2\n")); word == nil || *word != "heavy" {
		t.Error("thermal pressure", word)
	}
	if word := macThermalPressure([]byte("com.apple.system.thermalpressurelevel: Failed with code 1\n")); word != nil {
		t.Error("thermal pressure of a failure:", *word)
	}
}

func TestMacStorage(t *testing.T) {
	same(t, "names", []string{"disk0"}, macDiskNames(macTree(t, "disks.plist")))
	disk, reading := macDisk(macTree(t, "disk0.plist"), macTree(t, "buses.json"))
	same(t, "disk", &constatv1.Disk{
		Name: set("disk0"), Vendor: set("Apple"), Model: set("APPLE SSD AP0256Z"), Serial: set("0ba0EXAMPLE"), Firmware: set("873.40.4"), SizeBytes: set(int64(251000193024)),
		Bus: set("nvme"), Rotational: set(false), Removable: set(false), SmartPassed: set(true), CriticalWarning: set(int32(0)), PercentageUsed: set(int32(7)),
		AvailableSparePercent: set(int32(100)), MediaErrors: set(int64(0)), // of the threshold, see appleSpareThreshold
	}, disk)
	same(t, "reading", &constatv1.DiskReading{Name: set("disk0"), Celsius: set(32.0), PowerOnHours: set(int64(321)), WrittenBytes: set(int64(9260388) * 512_000)}, reading)
	encrypted, data := macEncrypted(macTree(t, "apfs.plist"))
	if data == nil || !*data {
		t.Error("people's files are encrypted:", data)
	}
	mounts := []macMount{
		{point: "/", device: "/dev/disk3s1s1", kind: "apfs", readOnly: true, local: true, snapshot: true},
		{point: "/dev", device: "devfs", kind: "devfs", local: true},
		{point: "/System/Volumes/Data", device: "/dev/disk3s5", kind: "apfs", local: true, use: fsUse{total: 1000, free: 100, available: 100}},
		{point: "/System/Volumes/VM", device: "/dev/disk3s6", kind: "apfs", local: true},
		{point: "/Volumes/Ann’s stick", device: "/dev/disk5s1", kind: "exfat", local: true, use: fsUse{total: 100, free: 50, available: 50}},
		{point: "/Volumes/team", device: "//ann@nas.corp.example/team", kind: "smbfs"},
	}
	same(t, "mounts", []*constatv1.Mount{
		{MountPoint: set("/"), Device: set("disk3s1s1"), Type: set("apfs"), ReadOnly: set(true), ExpectedWritable: set(false), Encryption: set("filevault"), Remote: set(false)},
		{MountPoint: set("/System/Volumes/Data"), Device: set("disk3s5"), Type: set("apfs"), ReadOnly: set(false), ExpectedWritable: set(true), Encryption: set("filevault"), Remote: set(false)},
		{MountPoint: set("/Volumes/~"), Device: set("disk5s1"), Type: set("exfat"), ReadOnly: set(false), Encryption: set("none"), Remote: set(false)},
		{MountPoint: set("/Volumes/~"), Device: set("nas.corp.example"), Type: set("smbfs"), ReadOnly: set(false), Remote: set(true)},
	}, macMounts(mounts, encrypted))
	same(t, "space", []*constatv1.FileSystemUse{
		{MountPoint: set("/System/Volumes/Data"), TotalBytes: set(int64(1000)), FreeBytes: set(int64(100)), UsedPercent: set(int32(90)), System: set(true), Spool: set(true), Type: set("apfs"), ReadOnly: set(false)},
		{MountPoint: set("/Volumes/~"), TotalBytes: set(int64(100)), FreeBytes: set(int64(50)), UsedPercent: set(int32(50)), System: set(false), Spool: set(false), Type: set("exfat"), ReadOnly: set(false)},
	}, macSpace(mounts))
	for text, want := range map[string]*bool{"FileVault is On.\n": set(true), "FileVault is Off.\n": set(false), "FileVault is On.\nEncryption in progress: Percent completed = 5\n": set(false), "": nil} {
		if got := macVault([]byte(text)); fmt.Sprint(deref2(got)) != fmt.Sprint(deref2(want)) {
			t.Errorf("%q: %v", text, deref2(got))
		}
	}
}

func deref2(b *bool) string {
	if b == nil {
		return "unknown"
	}
	return fmt.Sprint(*b)
}

func TestMacNetwork(t *testing.T) {
	links := macLinks(mac(t, "ifconfig.txt"), macPorts(mac(t, "ports.txt")))
	got := map[string]*constatv1.Link{}
	for _, l := range links {
		got[l.GetName()] = l
	}
	same(t, "en0", &constatv1.Link{
		Name: set("en0"), Kind: set("wifi"), Mac: set("02:00:00:aa:00:01"), AdminStatus: set("up"), OperStatus: set("up"), Carrier: set(true), Mtu: set(int32(1500)), Physical: set(true),
		Addresses: []*constatv1.Address{
			{Cidr: set("fe80::10:aaaa:bbbb:cccc/64"), Family: set(int32(6)), Scope: set("link"), Origin: set("linkLocal")},
			{Cidr: set("192.0.2.5/24"), Family: set(int32(4)), Scope: set("global")},
			{Cidr: set("2001:db8::5/64"), Family: set(int32(6)), Scope: set("global"), Origin: set("ra")},
		},
	}, got["en0"])
	same(t, "en7", &constatv1.Link{
		Name: set("en7"), Kind: set("ethernet"), Mac: set("02:00:00:aa:00:03"), AdminStatus: set("up"), OperStatus: set("up"), Carrier: set(true), Mtu: set(int32(1500)), Physical: set(true),
		SpeedMbps: set(int32(1000)), Duplex: set("full"), Autonegotiation: set(true), SupportedMbps: set(int32(2500)),
		Addresses: []*constatv1.Address{
			{Cidr: set("198.51.100.7/16"), Family: set(int32(4)), Scope: set("global")},
			{Cidr: set("2001:db8:1::7/64"), Family: set(int32(6)), Scope: set("global"), Origin: set("ra"), Duplicate: set(true)},
			{Cidr: set("2001:db8:1::8/64"), Family: set(int32(6)), Scope: set("global"), Origin: set("ra"), Tentative: set(true), Deprecated: set(true)},
		},
	}, got["en7"])
	same(t, "en1", &constatv1.Link{
		Name: set("en1"), Kind: set("ethernet"), Mac: set("02:00:00:aa:00:02"), AdminStatus: set("up"), OperStatus: set("down"), Carrier: set(false), Mtu: set(int32(1500)), Physical: set(true),
		Autonegotiation: set(true), Master: set("bridge0"),
	}, got["en1"])
	for name, kind := range map[string]string{"lo0": "loopback", "gif0": "tunnel", "bridge0": "bridge", "utun3": "tunnel"} {
		if got[name].GetKind() != kind || got[name].GetPhysical() {
			t.Errorf("%s is %q, physical %v", name, got[name].GetKind(), got[name].GetPhysical())
		}
	}
	same(t, "services", "[{USB 10/100/1000 LAN en7 true} {Wi-Fi en0 false} {Work VPN  true}]", fmt.Sprint(macServices(mac(t, "services.txt"))))
	resolvers, search := macResolvers(mac(t, "dns.txt"))
	same(t, "resolvers", []*constatv1.Resolver{
		{Address: set("192.0.2.53"), Link: set("en0"), Stub: set(false), Origin: set("scutil")},
		{Address: set("2001:db8::53"), Link: set("en0"), Stub: set(false), Origin: set("scutil")},
		{Address: set("203.0.113.53"), Link: set("utun3"), Stub: set(false), Origin: set("scutil"), Domains: []string{"lab.example"}},
	}, resolvers)
	same(t, "search", []string{"corp.example"}, search)
	same(t, "proxy", &constatv1.Proxy{
		Mode: set("manual"), Source: set("scutil"), Http: set("proxy.corp.example:3128"), Https: set("proxy.corp.example:3129"), Exceptions: []string{"*.local", "169.254/16"},
	}, macProxy(mac(t, "proxy.txt")))
	if p := macProxy(mac(t, "proxy-pac.txt")); p.GetMode() != "pac" || strings.Contains(p.GetPacUrl(), "secret") || !strings.HasSuffix(p.GetPacUrl(), "pac.corp.example/p.pac") {
		t.Error("script:", p)
	}
	if p := macProxy([]byte("<dictionary> {\n}\n")); p.GetMode() != "none" {
		t.Error("no proxy:", p)
	}
	if reach := macReach(mac(t, "nwi.txt")); reach == nil || *reach != "none" {
		t.Error("no way out:", reach)
	}
	vpns, _ := macVPNs(mac(t, "nc.txt"))
	same(t, "VPNs", []*constatv1.Vpn{
		{Name: set("Old office"), Kind: set("ipsec"), State: set("disconnected")},
		{Name: set("Work"), Kind: set("wireguard"), State: set("connected")},
	}, vpns)
	same(t, "a tunnel", &constatv1.Vpn{
		Name: set("Work"), Kind: set("wireguard"), State: set("connected"), Gateway: set("203.0.113.7"), Link: set("utun3"), CarriesDefault: set(false), Overlaps: []string{"198.51.100.0/24"},
	}, macConnected(t, links))
	lease, address := macLease(mac(t, "packet.txt"))
	same(t, "lease", &constatv1.Lease{Server: set("192.0.2.1"), Routers: []string{"192.0.2.1"}, Resolvers: []string{"192.0.2.53", "192.0.2.54"}}, lease)
	if address != netip.MustParseAddr("192.0.2.5") {
		t.Error("leased", address)
	}
	same(t, "its term", &constatv1.Lease{
		Server: set("192.0.2.1"), Routers: []string{"192.0.2.1"}, Resolvers: []string{"192.0.2.53", "192.0.2.54"}, Pending: set(false),
		ExpiresAt: timestamppb.New(time.Date(2026, 1, 6, 11, 7, 58, 0, time.UTC)),
	}, macLeaseTerm(lease, mac(t, "summary.txt"), time.UTC))
	same(t, "no server answers", &constatv1.Lease{Pending: set(true)}, macLeaseTerm(nil, mac(t, "summary-asking.txt"), time.UTC))
	if l := macLeaseTerm(nil, nil, time.UTC); l != nil {
		t.Error("a lease of nothing:", l)
	}
	same(t, "firewall", &constatv1.LocalFirewall{Kind: set("alf"), Enabled: set(true), IncomingPolicy: set("drop")},
		macFirewall([]byte("Firewall is enabled. (State = 2) \n"), []byte("Firewall has block all state set to enabled.\n")))
}

// macConnected is the VPN of the composed answers that is connected, with what is told
// of it alone: split, over a prefix that the network at hand has too.
func macConnected(t testing.TB, links []*constatv1.Link) *constatv1.Vpn {
	t.Helper()
	_, byService := macVPNs(mac(t, "vpn-list.txt"))
	v := byService["11111111-2222-3333-4444-555555555555"]
	if v == nil || len(byService) != 2 {
		t.Fatal(byService)
	}
	macTunnel(v, mac(t, "vpn-status.txt"), &constatv1.Network{Links: links}, macPaths(parseMacRoutes(macDump()), macNames))
	return v
}

// routeMessage composes a message of the routing socket by net/route.h.
func routeMessage(kind byte, index int, flags uint32, addresses ...[]byte) []byte {
	m := make([]byte, rtHeader)
	m[2], m[3] = rtmVersion, kind
	binary.LittleEndian.PutUint16(m[rtIndex:], uint16(index))
	binary.LittleEndian.PutUint32(m[rtFlags:], flags)
	for bit, sa := range addresses {
		if sa == nil {
			continue
		}
		m[rtAddrs] |= 1 << bit
		m = append(m, sa...)
		for pad := (len(sa) + 3) &^ 3; pad > len(sa); pad-- {
			m = append(m, 0)
		}
		if len(sa) == 1 { // a mask of nothing: a length of zero takes four bytes
			m[len(m)-4] = 0
		}
	}
	binary.LittleEndian.PutUint16(m, uint16(len(m)))
	return m
}

func inet(a, b, c, d byte) []byte {
	return []byte{16, familyINET, 0, 0, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0}
}

// macNames are the links of the composed messages of the routing socket.
var macNames = map[int]string{4: "en0", 7: "en7", 9: "utun3"}

// macDump is a routing table in messages: default routes, the network at hand, the
// gateway's hardware address, and where a tunnel leads.
func macDump() []byte {
	link := []byte{20, familyLink, 4, 0, 6, 0, 6, 0, 0x02, 0, 0, 0xaa, 0, 1, 0, 0, 0, 0, 0, 0}
	return slices.Concat(
		routeMessage(rtmGet, 4, rtfUp|rtfGate|rtfStatic, inet(0, 0, 0, 0), inet(192, 0, 2, 1), []byte{0}),
		routeMessage(rtmGet, 7, rtfUp|rtfGate|rtfScope, inet(0, 0, 0, 0), inet(198, 51, 100, 1), []byte{0}),
		routeMessage(rtmGet, 4, rtfUp, inet(192, 0, 2, 0), link, []byte{7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
		routeMessage(rtmGet, 4, rtfUp|rtfHost|rtfLLInfo, inet(192, 0, 2, 1), link),
		routeMessage(rtmGet, 9, rtfUp|rtfGate, inet(128, 0, 0, 0), inet(10, 0, 0, 1), []byte{5, 0, 0, 0, 0x80}),
		routeMessage(rtmGet, 9, rtfUp, inet(198, 51, 100, 0), inet(203, 0, 113, 1), []byte{7, 0, 0, 0, 0xff, 0xff, 0xff}))
}

// macCounterDump is one link's message of a dump of links.
func macCounterDump() []byte {
	counters := make([]byte, ifSize)
	binary.LittleEndian.PutUint16(counters, ifSize)
	counters[2], counters[3], counters[ifIndex] = rtmVersion, rtmIfInfo2, 4
	for i, at := range []int{24, 32, 40, 48, 56, 64, 72, 96} {
		binary.LittleEndian.PutUint64(counters[ifHeader+at:], uint64(i+1))
	}
	return counters
}

func TestMacRoutes(t *testing.T) {
	routes := parseMacRoutes(macDump())
	if len(routes) != 6 || routes[2].destination.String() != "192.0.2.0/24" || routes[3].destination.String() != "192.0.2.1/32" {
		t.Fatal(routes)
	}
	list := macDefaultRoutes(routes, macNames)
	same(t, "routes", []*constatv1.Route{
		{Destination: set("0.0.0.0/0"), Family: set(int32(4)), Gateway: set("192.0.2.1"), Link: set("en0"), Origin: set("other"), GatewayMac: set("02:00:00:aa:00:01")},
		{Destination: set("128.0.0.0/1"), Family: set(int32(4)), Gateway: set("10.0.0.1"), Link: set("utun3")},
		{Destination: set("0.0.0.0/0"), Family: set(int32(4)), Gateway: set("198.51.100.1"), Link: set("en7")},
	}, list)
	same(t, "gateways", []*constatv1.GatewayState{
		{Link: set("en0"), Address: set("192.0.2.1")}, {Link: set("en7"), Address: set("198.51.100.1"), State: set("none")}, {Link: set("utun3"), Address: set("10.0.0.1"), State: set("none")},
	}, macGatewayStates(list))

	same(t, "counters", []*constatv1.LinkCounters{{
		Link: set("en0"), InPackets: set(int64(1)), InErrors: set(int64(2)), OutPackets: set(int64(3)), OutErrors: set(int64(4)), Collisions: set(int64(5)),
		InBytes: set(int64(6)), OutBytes: set(int64(7)), InDiscards: set(int64(8)), OutDiscards: set(int64(0)),
	}}, parseMacCounters(macCounterDump(), macNames))
}

func TestMacWifi(t *testing.T) {
	w, withheld := macWifi(macTree(t, "wifi.json"))
	macBusy(w.Radios, mac(t, "wdutil.txt"))
	if !withheld {
		t.Error("the name was withheld")
	}
	same(t, "Wi-Fi", &constatv1.Wifi{Radios: []*constatv1.Radio{{
		Link: set("en0"), SoftBlocked: set(false), State: set("connected"), SignalDbm: set(int32(-53)), NoiseDbm: set(int32(-91)), BandGhz: set(5.0), Channel: set(int32(149)),
		WidthMhz: set(int32(80)), TxMbps: set(866.0), Security: set("wpa3"), NetworksHeard: set(int32(3)), NetworksOnChannel: set(int32(1)), SsidHeard: set(true), ChannelBusyPercent: set(46.0),
	}}}, w)
}

func TestMacSoftware(t *testing.T) {
	packages, updated := macInstalls(macTree(t, "history.plist"))
	programs := withPackages(macPrograms(macTree(t, "applications.json")), packages)
	var told []string
	for _, p := range sortPrograms(programs) {
		told = append(told, fmt.Sprintf("%s %s (%s) %s", p.GetName(), p.GetVersion(), p.GetPublisher(), p.GetSource()))
	}
	same(t, "programs", []string{"Example VPN 2.0 () pkg", "Microsoft Excel 16.89 (Microsoft Corporation) app", "Safari 18.1 (Apple) app"}, told)
	if updated.Format(time.DateOnly) != "2026-01-05" {
		t.Error("the system was last updated", updated)
	}
	u := macUpdates(macTree(t, "updates.plist"))
	if u.GetPending() != 1 || u.GetSecurityPending() != 1 || u.GetLastCheckAt().AsTime().Format(time.DateOnly) != "2026-01-08" {
		t.Error("updates:", u)
	}
	same(t, "start", []string{"Example Sync", "com.example.agent"}, macStartup([]string{"com.apple.own.plist", "com.example.agent.plist", "README"}, macLoginItems(mac(t, "btm.txt"))))
}

func TestMacCrashes(t *testing.T) {
	c := macReport("Example-2026-01-09-100000.ips", mac(t, "crash.ips"))
	at := macReportTime("2026-01-09 10:00:00.00 +0100")
	same(t, "crash", &constatv1.Crashes{Programs: []*constatv1.Crash{{
		Program: set("Example"), Version: set("3.2"), Module: set("ExamplePlugin"), ModuleVersion: set("0.9"), Code: set("SIGABRT"), Kind: set("crash"), At: at,
	}}}, c)
	same(t, "old crash", &constatv1.Crashes{Programs: []*constatv1.Crash{{
		Program: set("Example"), Version: set("3.1"), Module: set("com.example.plugin"), Code: set("SIGSEGV"), Kind: set("crash"), At: macReportTime("2019-06-01 10:00:00.123 +0200"),
	}}}, macReport("Example_2019.crash", mac(t, "old.crash")))
	same(t, "panic", &constatv1.Crashes{System: []*constatv1.SystemCrash{{Kind: set("panic"), Code: set("watchdog timeout"), At: macReportTime("2026-01-10 10:00:00.00 +0100")}}},
		macReport("panic-full-2026-01-10-100000.ips", mac(t, "panic.ips")))
	same(t, "out of memory", &constatv1.Crashes{OomKills: []*constatv1.OutOfMemoryKill{{Program: set("Example"), Scope: set("system"), At: macReportTime("2026-01-11 10:00:00.00 +0100")}}},
		macReport("JetsamEvent-2026-01-11.ips", mac(t, "jetsam.ips")))
	if at == nil {
		t.Error("the time was not read")
	}
	same(t, "an extension's panic", &constatv1.Crashes{System: []*constatv1.SystemCrash{{
		Kind: set("panic"), Module: set("com.example.driver.Net"), At: macReportTime("2026-01-10 10:00:00 +0100"),
	}}}, macReport("Kernel_2026.panic", mac(t, "old.panic")))
	if m := macPanicModule("Kernel Extensions in backtrace:\n\ndependency: com.apple.x(1.0)\nBSD process name (1)"); m != nil {
		t.Error("an extension that is none:", *m)
	}
	same(t, "a library that is missing", &constatv1.Crashes{LaunchFailures: []*constatv1.LaunchFailure{{
		Program: set("Example"), Kind: set("missingLibrary"), Detail: set("libexample.2.dylib"), At: macReportTime("2026-01-12 10:00:00.00 +0100"),
	}}}, macReport("Example-2026-01-12-100000.ips", mac(t, "missing-library.ips")))
}

func TestMacServices(t *testing.T) {
	jobs := parseMacJobs(mac(t, "jobs.txt"))
	same(t, "labels", []string{"com.apple.mDNSResponder", "com.example.looping", "org.cups.cupsd"}, notableJobs(jobs))
	same(t, "a job that loops", &constatv1.Service{
		Name: set("com.example.looping"), State: set("restarting"), StartType: set("automatic"), Result: set("exitCode"), ExitCode: set(int32(78)), Restarts: set(int32(6)), Program: set("looping"),
	}, parseMacJob("com.example.looping", mac(t, "job-looping.txt")))
}

func TestMacLoad(t *testing.T) {
	processes := parseMacProcesses(mac(t, "ps.txt"), 700_000)
	if p := processes[321]; len(processes) != 3 || p.name != "Example Helper (GPU)" || p.cpu != 60000 || p.resident != 1048576 || p.started != (700_000-605)*userHZ {
		t.Error(processes)
	}
	if p := processes[400]; p.state != 'Z' {
		t.Error(p)
	}
	if c := macCPUUse(mac(t, "top.txt"), time.Second); c.GetBusyPercent() != 50 {
		t.Error(c)
	}
	if p := parseVMStat(mac(t, "vm_stat.txt")); p == nil || *p != (macPages{115000 * 16384, 3000}) {
		t.Error(p)
	}
	same(t, "load", &constatv1.Load{
		Cpu: &constatv1.Cpu{Threads: set(int32(8)), BusyPercent: set(50.0), SampleMs: set(int32(2000)), Load1: set(2.0), Load5: set(1.0), Load15: set(0.5)},
		Memory: &constatv1.Memory{
			TotalBytes: set(int64(16 << 30)), AvailableBytes: set(int64(115000 * 16384)), AvailablePercent: set(int32(11)),
			SwapTotalBytes: set(int64(2 << 30)), SwapFreeBytes: set(int64(1 << 30)), SwapPagesPerSecond: set(200.0), Level: set("warning"),
		},
		Processes: []*constatv1.Process{
			{Name: set("Example Helper (GPU)"), Pid: set(int32(321)), CpuPercent: set(90.0), LifetimeCpuPercent: set(99.1), ResidentBytes: set(int64(1 << 30)), State: set("running"), AgeSeconds: set(int64(607))},
			{Name: set("launchd"), Pid: set(int32(1)), CpuPercent: set(0.0), LifetimeCpuPercent: set(0.0), ResidentBytes: set(int64(13456 << 10)), State: set("sleeping"), AgeSeconds: set(int64(682_100))},
			{Name: set("<defunct>"), Pid: set(int32(400)), CpuPercent: set(0.0), LifetimeCpuPercent: set(0.0), ResidentBytes: set(int64(0)), State: set("zombie"), AgeSeconds: set(int64(3))},
			{Name: set("example"), Pid: set(int32(401)), LifetimeCpuPercent: set(0.0), ResidentBytes: set(int64(512 << 10)), State: set("diskSleep"), AgeSeconds: set(int64(3))},
		},
		Disks:   []*constatv1.DiskLoad{{Disk: set("disk0"), AwaitMs: set(50.0), Queue: set(0.5)}},
		Zombies: set(int32(1)), Blocked: set(int32(1)), OpenFiles: set(int64(5231)), MaxOpenFiles: set(int64(245760)),
	}, macComposedLoad(t))
	if macLoad(noKernel, macLook{}) != nil {
		t.Error("the load of nothing")
	}
	if l := macLoad(macKernel(t), macLook{}); l.GetMemory().GetTotalBytes() != 16<<30 || l.Memory.AvailableBytes != nil || l.Processes != nil || l.Zombies != nil || l.Cpu.GetLoad1() != 2 {
		t.Error("of what the kernel tells alone:", l)
	}
}

func macComposedLoad(t testing.TB) *constatv1.Load {
	return macLoad(macKernel(t), macLook{
		psBefore: mac(t, "ps.txt"), psAfter: mac(t, "ps-after.txt"), vmBefore: mac(t, "vm_stat.txt"), vmAfter: mac(t, "vm_stat-after.txt"), top: mac(t, "top.txt"),
		disksBefore: macTree(t, "drivers.plist"), disksAfter: macTree(t, "drivers-after.plist"), sample: 2 * time.Second, since: 700_000,
	})
}

func TestMacHost(t *testing.T) {
	same(t, "host", &constatv1.Host{
		OsFamily: set("darwin"), OsName: set("macOS"), OsVersion: set("15.5"), OsBuild: set("24F74"), Kernel: set("24.5.0"), Architecture: set("arm64"),
		Hostname: set("anns-air.corp.example"), Virtualization: set("none"),
		BootTime: &timestamppb.Timestamp{Seconds: 1767600000, Nanos: 250_000_000}, ResumedAt: &timestamppb.Timestamp{Seconds: 1767700000},
	}, macHost(macKernel(t), "amd64"))
	if h := macHost(noKernel, "amd64"); h.GetArchitecture() != "amd64" || h.OsVersion != nil || h.BootTime != nil {
		t.Error("of a kernel that tells nothing:", h)
	}
	same(t, "sessions", []*constatv1.Session{{User: set("ann"), Kind: set("local")}, {User: set("bob"), Kind: set("remote")}}, parseWho(mac(t, "who.txt")))
	if domain, joined := macJoin(macTree(t, "directory.plist")); !joined || domain != "corp.example" {
		t.Error(domain, joined)
	}
	if _, joined := macJoin(node{}); joined {
		t.Error("joined to nothing")
	}
	for model, want := range map[string]string{"VirtualMac2,1": "apple", "VMware20,1": "vmware", "Parallels18,1": "other"} {
		if got := macHypervisor(&model); got != want {
			t.Errorf("%s runs in %s", model, got)
		}
	}
	if l := macLocale([]byte("fr_FR@rg=chzzzz\n")); l == nil || *l != "fr-FR" {
		t.Error(l)
	}
}

// macRecordings are outputs of real machines, beside the repository.
const macRecordings = "../../../shared/recordings/macos"

// TestMacRecordings reads what real Macs wrote.
func TestMacRecordings(t *testing.T) {
	if _, err := os.Stat(macRecordings); err != nil {
		t.Skip("there are no recordings of Macs beside the repository; the composed ones here have their shape")
	}
	read := func(name string) []byte {
		content, err := os.ReadFile(filepath.Join(macRecordings, name))
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	t.Run("applications", func(t *testing.T) {
		n, err := parseTree(read("sample5.SPApplicationsDataType-xml"))
		if err != nil {
			t.Fatal(err)
		}
		programs := macPrograms(n)
		publishers := map[string]string{}
		for _, p := range programs {
			publishers[p.GetName()] = p.GetPublisher() + " " + p.GetVersion()
		}
		if len(programs) < 50 || publishers["Terminal"] != "Apple 2.12.7" || !strings.HasPrefix(publishers["OneDrive"], "Microsoft Corporation ") {
			t.Errorf("%d programs; Terminal by %q, OneDrive by %q", len(programs), publishers["Terminal"], publishers["OneDrive"])
		}
	})
	t.Run("registry", func(t *testing.T) {
		expert := registryText(t, read("ioreg-IOPlatformExpertDevice"))
		h := macHardware(node{}, expert, noKernel)
		if h.System.GetModel() != "MacBook2,1" || h.System.GetSerial() != "W87305UMYA8" || h.System.GetUuid() != "00000000-0000-1000-8000-001b633026b1" || h.GetChassis() != "laptop" {
			t.Error(h)
		}
		devices := macUSB(registryText(t, read("ioreg-IOUSBDevice1")))
		byName := map[string]*constatv1.UsbDevice{}
		for _, d := range devices {
			byName[d.GetProduct()] = d
		}
		stick, keyboard := byName["Flash Disk"], byName["Apple Internal Keyboard / Trackpad"]
		if stick.GetSpeedMbps() != 480 || stick.GetPath() != "253-3" || stick.GetId() != "1976:6025" || stick.GetSerial() != "16270078C5C90000" {
			t.Error("the stick:", stick)
		}
		if keyboard.GetId() != "05ac:021b" || keyboard.GetSpeedMbps() != 12 || keyboard.Removable == nil || keyboard.GetRemovable() {
			t.Error("the keyboard:", keyboard)
		}
	})
	t.Run("USB report", func(t *testing.T) {
		for _, name := range []string{"SPUSBDataType.xml", "SPUSBDataType2.xml"} {
			n, err := parseTree(read(name))
			if err != nil || len(profiled(n, "SPUSBDataType")) == 0 {
				t.Error(name, err)
			}
			hub := &constatv1.UsbDevice{Path: set(macUSBPath(0x1a100000))}
			if macUSBPower([]*constatv1.UsbDevice{hub}, n); name == "SPUSBDataType.xml" && (hub.GetAvailableMa() != 1000 || hub.GetMaxPowerMa() != 0 || hub.MaxPowerMa == nil) {
				t.Error("the hub:", hub)
			}
		}
	})
}

// registryText reads what ioreg writes for people, as a tree like the one it
// writes with -a: the recordings are of that form. It is for tests only.
func registryText(t testing.TB, content []byte) node {
	t.Helper()
	type entry struct {
		depth int
		m     map[string]any
	}
	root := map[string]any{}
	stack := []entry{{-1, root}}
	for line := range strings.Lines(string(content)) {
		if at := strings.Index(line, "+-o "); at >= 0 {
			m := map[string]any{}
			name, rest, _ := strings.Cut(line[at+4:], "  <class ")
			class, _, _ := strings.Cut(rest, ",")
			m["IORegistryEntryName"], m["IOObjectClass"] = name, class
			for stack[len(stack)-1].depth >= at {
				stack = stack[:len(stack)-1]
			}
			above := stack[len(stack)-1].m
			children, _ := above["IORegistryEntryChildren"].([]any)
			above["IORegistryEntryChildren"] = append(children, m)
			stack = append(stack, entry{at, m})
			continue
		}
		text := strings.TrimLeft(line, " |")
		key, value, found := strings.Cut(strings.TrimSpace(text), `" = `)
		if !found || !strings.HasPrefix(key, `"`) || len(stack) == 1 {
			continue
		}
		var v any = value
		switch number := (node{value}).number(); {
		case strings.HasPrefix(value, `<"`):
			v = strings.Trim(value, `<">`)
		case strings.HasPrefix(value, `"`):
			v = strings.Trim(value, `"`)
		case value == "Yes" || value == "No":
			v = value == "Yes"
		case number != nil:
			v = *number
		}
		stack[len(stack)-1].m[key[1:]] = v
	}
	children, _ := root["IORegistryEntryChildren"].([]any)
	return node{children}
}

// macFacts is evidence for the table of facts: what the decoders told of composed
// answers, and of recorded ones, and what macOS does not tell. Nothing in it was seen
// on a Mac by the agent.
const macFacts = "testdata/facts-macos.txt"

// TestMacFacts keeps that list. CONSTAT_FACTS=write writes it anew; facts of
// recordings stay as they are where those are not there.
func TestMacFacts(t *testing.T) {
	words := map[string]string{}
	before, _ := os.ReadFile(macFacts)
	for line := range strings.Lines(string(before)) {
		if path, word, _ := strings.Cut(strings.TrimSpace(line), "\t"); word == "recording" {
			words[path] = word
		}
	}
	if recorded := recordedMac(t); recorded != nil {
		clear(words)
		for _, path := range lab.SetFacts(recorded) {
			words[path] = "recording"
		}
	}
	for _, s := range []*constatv1.Snapshot{macSnapshot(t), macOlder(t)} {
		for _, path := range lab.SetFacts(s) {
			if words[path] == "" {
				words[path] = "composed"
			}
		}
	}
	for _, u := range macUntold {
		word := "not told"
		switch {
		case errors.Is(u.why, errWithheld):
			word = "withheld"
		case errors.Is(u.why, errMacUnasked), errors.Is(u.why, errMacSMC):
			word = "not asked"
		}
		for fact := range strings.FieldsSeq(u.facts) {
			if path := u.group + "." + fact; words[path] == "" {
				words[path] = word
			} else {
				t.Errorf("%s is %s, and was told (%s)", path, u.why, words[path])
			}
		}
	}
	var now strings.Builder
	for _, path := range slices.Sorted(maps.Keys(words)) {
		fmt.Fprintf(&now, "%s\t%s\n", path, words[path])
	}
	if now.String() == string(before) {
		return
	}
	if os.Getenv("CONSTAT_FACTS") != "write" {
		t.Fatal(macFacts + " is stale: CONSTAT_FACTS=write go test -run TestMacFacts ./agent/host, then ./internal/lab's table")
	}
	if err := os.WriteFile(macFacts, []byte(now.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// recordedMac is what recordings of real machines tell; nil where there are none.
func recordedMac(t testing.TB) *constatv1.Snapshot {
	applications, err := os.ReadFile(filepath.Join(macRecordings, "sample5.SPApplicationsDataType-xml"))
	if err != nil {
		return nil
	}
	tree, err := parseTree(applications)
	if err != nil {
		t.Fatal(err)
	}
	recorded := func(name string) node {
		content, err := os.ReadFile(filepath.Join(macRecordings, name))
		if err != nil {
			t.Fatal(err)
		}
		return registryText(t, content)
	}
	report, err := os.ReadFile(filepath.Join(macRecordings, "SPUSBDataType.xml"))
	if err != nil {
		t.Fatal(err)
	}
	power, err := parseTree(report)
	if err != nil {
		t.Fatal(err)
	}
	hub := &constatv1.UsbDevice{Path: set(macUSBPath(0x1a100000))} // it is in that report
	macUSBPower([]*constatv1.UsbDevice{hub}, power)
	return &constatv1.Snapshot{
		Software: &constatv1.Software{Programs: macPrograms(tree)},
		Hardware: macHardware(node{}, recorded("ioreg-IOPlatformExpertDevice"), noKernel),
		Usb:      &constatv1.Usb{Devices: append(macUSB(recorded("ioreg-IOUSBDevice1")), hub)},
	}
}

// macKeychain is what security(1) wrote of a keychain with an authority of somebody's
// and a certificate of this machine.
func macKeychain(t testing.TB) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example Root"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2034, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	own := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "mac.corp.example"}, NotBefore: root.NotBefore, NotAfter: root.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	var all []byte
	for _, c := range []*x509.Certificate{root, own} {
		der, err := x509.CreateCertificate(rand.Reader, c, root, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return all
}

// macComposedMounts are what getfsstat(2) tells of a Mac with a disk that is in good order.
var macComposedMounts = []macMount{
	{point: "/", device: "/dev/disk3s1s1", kind: "apfs", readOnly: true, local: true, snapshot: true},
	{point: "/System/Volumes/Data", device: "/dev/disk3s5", kind: "apfs", local: true, use: fsUse{total: 250e9, free: 120e9, available: 120e9, inodes: 1e9, freeInodes: 9e8}},
}

// macSnapshot is all that the composed answers of a Mac that is in good order tell,
// and some of what is not.
func macSnapshot(t testing.TB) *constatv1.Snapshot {
	devices := macUSB(macTree(t, "usb.plist"))
	macUSBPower(devices, macTree(t, "usb-power.json"))
	desk := macTree(t, "desk.json")
	audio := macAudio(desk)
	output, input, muted := macVolume([]byte("output volume:50, input volume:75, alert volume:100, output muted:false"))
	withVolume(audio, output, input, muted)
	logged := parseMacLog(mac(t, "log.ndjson"))
	var log crashLog
	log.kernel(logged)
	encrypted, _ := macEncrypted(macTree(t, "apfs.plist"))
	routes := macDefaultRoutes(parseMacRoutes(macDump()), macNames)
	roots, certificates := macCertificates(macKeychain(t))
	s := &constatv1.Snapshot{
		Clock:    macClock(mac(t, "job-timed.txt"), mac(t, "networktime.txt"), mac(t, "ntp.conf")),
		Counters: &constatv1.Counters{Links: parseMacCounters(macCounterDump(), macNames), Gateways: macGatewayStates(routes)},
		Crashes:  &constatv1.Crashes{Refusals: log.refusals, System: log.system},
		Hardware: macHardware(macTree(t, "hardware.json"), macTree(t, "platform.plist"), macKernel(t)),
		Host:     macHost(macKernel(t), "arm64"),
		Load:     macComposedLoad(t),
		Usb:      &constatv1.Usb{Devices: devices, Failures: usbFailures(nil, logged, nil)},
		Peripherals: &constatv1.Peripherals{
			Devices: macPeripherals(devices, macTree(t, "hid.plist")), Audio: audio, Cameras: macCameras(desk),
		},
		Network: &constatv1.Network{
			Links: macLinks(mac(t, "ifconfig.txt"), macPorts(mac(t, "ports.txt"))), Routes: routes, Proxy: macProxy(mac(t, "proxy.txt")), OsConnectivity: macReach(mac(t, "nwi.txt")),
			Firewall: macFirewall([]byte("Firewall is enabled."), []byte("Firewall has block all state set to enabled.")),
		},
		Power:    &constatv1.Power{Profile: macPowerSettings(mac(t, "pmset.txt")), OnBattery: macOnBattery(mac(t, "batt.txt")), ThermalPressure: set("nominal")},
		Printing: &constatv1.Printing{DiscoveryState: macDiscovery(mac(t, "job-timed.txt"))},
		Storage:  &constatv1.Storage{Mounts: macMounts(macComposedMounts, encrypted)},
		Space:    &constatv1.Space{Filesystems: macSpace(macComposedMounts)},
		Readings: &constatv1.Readings{},
		Updates:  macUpdates(macTree(t, "updates.plist")),
		Software: &constatv1.Software{Programs: macPrograms(macTree(t, "applications.json")), StartupItems: macLoginItems(mac(t, "btm.txt"))},
		Services: &constatv1.Services{Manager: set("launchd"), Services: []*constatv1.Service{parseMacJob("com.example.looping", mac(t, "job-looping.txt"))}},
		Security: macProtection(t),
		SignIn:   &constatv1.SignIn{Accounts: macAccounts(mac(t, "who.txt")), Directory: macDirectory(macTree(t, "directory.plist"))},
	}
	s.Host.Sessions = parseWho(mac(t, "who.txt"))
	macActive(s.Host.Sessions, "ann")
	s.Host.Timezone, s.Host.Locale = zoneOf("/var/db/timezone/zoneinfo/Europe/Paris"), macLocale([]byte("fr_FR\n"))
	s.Host.MachineHash, s.Host.JoinKind, s.Host.Domain = macMachine(macTree(t, "platform.plist")), set("domain"), s.SignIn.Directory.Name
	macPacketFilter(s.Network.Firewall, mac(t, "pfctl.txt"))
	s.Network.Vpns = []*constatv1.Vpn{macConnected(t, s.Network.Links)}
	s.Network.Resolvers, s.Network.SearchDomains = macResolvers(mac(t, "dns.txt"))
	for i, l := range s.Network.Links {
		l.Index = set(int32(i + 1))
		if l.GetName() == "en0" {
			l.Lease, _ = macLease(mac(t, "packet.txt"))
			l.Lease = macLeaseTerm(l.Lease, mac(t, "summary.txt"), time.UTC)
		}
	}
	heard := OpenAnnouncements("")
	at := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	if heard.hear(at, "en7", framed(lldpFrame, switchCDP)) != 2 { // as what listens by /dev/bpf hands it on
		t.Fatal("not understood")
	}
	s.Network.Neighbours, _ = heard.neighbours(at.Add(150 * time.Second)) // LLDP's holds for two minutes
	s.Peripherals.BluetoothAdapters, s.Peripherals.BluetoothDevices = macBluetooth(desk)
	s.Power.Batteries, s.Power.Chargers = macBatteries(macTree(t, "battery.plist"))
	disk, reading := macDisk(macTree(t, "disk0.plist"), macTree(t, "buses.json"))
	s.Storage.Disks, s.Readings.Disks = []*constatv1.Disk{disk}, []*constatv1.DiskReading{reading}
	countErrors(s.Storage.Disks, logged)
	s.Wifi, _ = macWifi(macTree(t, "wifi.json"))
	macBusy(s.Wifi.Radios, mac(t, "wdutil.txt"))
	s.Wifi.ServiceState = macWifiService(mac(t, "job-timed.txt"))
	macParted(s.Wifi.Radios, logged)
	_, updated := macInstalls(macTree(t, "history.plist"))
	s.Updates.LastSuccessAt = timestamppb.New(updated)
	s.SignIn.Directory.State = macDirectoryState(mac(t, "nodenames.txt"))
	s.SignIn.Accounts[0].Kind, s.SignIn.Accounts[1].Kind = macAccountKind(mac(t, "dscl-ann.txt")), macAccountKind(mac(t, "dscl-bob.txt"))
	for _, a := range s.SignIn.Accounts {
		a.Locked = macLocked(mac(t, "allowed.txt"))
		macPasswordEnd(a, macPasswordDays(mac(t, "policies.txt")), mac(t, "password-bob.txt"), time.Unix(1767600000, 0))
	}
	macTicketOf(s.SignIn.Accounts, "ann", macTicket(macTree(t, "klist.json"), time.UTC))
	s.Security.AddedRoots, s.Security.Certificates = roots, certificates
	s.Security.DiskEncrypted = macVault([]byte("FileVault is On."))
	s.Security.Products = append(macProducts(func(path string) bool { return path == "/Applications/Falcon.app" }, map[string]bool{}), macFirewallProduct([]byte("Firewall is enabled.")))
	for name, file := range map[string]string{"a.ips": "crash.ips", "b.ips": "panic.ips", "c.ips": "jetsam.ips", "d.ips": "missing-library.ips"} {
		proto.Merge(s.Crashes, macReport(name, mac(t, file)))
	}
	return s
}

// macOlder is what older Macs tell, and newer ones don't: those with Intel's
// processors, disks that are not Apple's, networks whose names were still told.
func macOlder(t testing.TB) *constatv1.Snapshot {
	s := &constatv1.Snapshot{
		Hardware: macHardware(macTree(t, "hardware-intel.json"), node{}, intelKernel(t)),
		Crashes:  macReport("x.panic", mac(t, "old.panic")),
		Network:  &constatv1.Network{Proxy: macProxy(mac(t, "proxy-pac.txt"))},
		Power:    &constatv1.Power{},
	}
	s.Power.MaxMhz, s.Power.LimitMhz = macSpeed(intelKernel(t), mac(t, "therm.txt"))
	s.Power.Batteries, s.Power.Chargers = macBatteries(macTree(t, "battery-intel.plist"))
	disk, _ := macDisk(macTree(t, "disk-other.plist"), node{})
	s.Storage = &constatv1.Storage{Disks: []*constatv1.Disk{disk}}
	s.Wifi, _ = macWifi(macTree(t, "wifi-named.json"))
	return s
}

// TestMacKept: a neighbour that can't be reached is withheld, one that is down or beyond
// a router is not.
func TestMacKept(t *testing.T) {
	own := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("203.0.113.2/32")}
	for _, c := range []struct {
		root bool
		err  error
		to   string
		kept bool
	}{
		{false, syscall.EHOSTUNREACH, "192.0.2.60", true},
		{true, syscall.EHOSTUNREACH, "192.0.2.60", false},
		{false, syscall.EHOSTDOWN, "192.0.2.60", false},
		{false, syscall.EHOSTUNREACH, "198.51.100.60", false},
		{false, nil, "192.0.2.60", false},
	} {
		if kept := macKept(c.root, c.err, netip.MustParseAddr(c.to), own); (kept != nil) != c.kept || c.kept && statusOf(kept) != statusWithheld {
			t.Errorf("%+v: %v", c, kept)
		}
	}
}

func TestMacSignIn(t *testing.T) {
	accounts := macAccounts(mac(t, "who.txt"))
	accounts[0].Kind, accounts[1].Kind = macAccountKind(mac(t, "dscl-ann.txt")), macAccountKind(mac(t, "dscl-bob.txt"))
	macTicketOf(accounts, "bob", time.Date(2024, 5, 1, 20, 0, 0, 0, time.UTC))
	same(t, "accounts", []*constatv1.Account{
		{User: set("ann"), Kind: set("domain")},
		{User: set("bob"), Kind: set("local"), TicketExpiresAt: timestamppb.New(time.Date(2024, 5, 1, 20, 0, 0, 0, time.UTC))},
	}, accounts)
	for name, good := range map[string]bool{"ann": true, "ann.martin-2": true, "": false, "-plist": false, "../x": false, "a b": false, "ann/..": false} {
		if macUserName(name) != good {
			t.Errorf("%q: %v", name, !good)
		}
	}
	if locked := macLocked(mac(t, "locked.txt")); locked == nil || !*locked {
		t.Error("too many wrong passwords, and locked is", locked)
	}
	for _, text := range []string{"", "User <bob> is not allowed to authenticate: account is disabled", "pwpolicy: unknown user"} {
		if locked := macLocked([]byte(text)); locked != nil {
			t.Errorf("%q: locked %v", text, *locked)
		}
	}
	days := macPasswordDays(mac(t, "policies.txt"))
	if days == nil || *days != 90 {
		t.Fatal("days", days)
	}
	if none := macPasswordDays([]byte("Getting global account policies\n")); none == nil || *none != 0 {
		t.Error("no policy:", none)
	}
	if unknown := macPasswordDays(nil); unknown != nil {
		t.Error("no answer:", *unknown)
	}
	macPasswordEnd(accounts[0], days, mac(t, "password-bob.txt"), time.Unix(1767600000, 0))
	macPasswordEnd(accounts[1], days, mac(t, "password-bob.txt"), time.Unix(1767600000, 0))
	if accounts[0].PasswordExpired != nil || accounts[1].GetPasswordExpiresAt().AsTime().Unix() != 1760000000+90*86400 || accounts[1].PasswordExpired == nil || accounts[1].GetPasswordExpired() {
		t.Error(accounts)
	}
	macPasswordEnd(accounts[1], days, mac(t, "password-bob.txt"), time.Unix(1770000000, 0))
	if !accounts[1].GetPasswordExpired() {
		t.Error("not expired:", accounts[1])
	}
	if kind := macAccountKind([]byte("<dscl_cmd> DS Error: -14136 (eDSRecordNotFound)\n")); kind != nil {
		t.Error("an account that is not there:", *kind)
	}
}

func TestMacSecurity(t *testing.T) {
	roots, own := macCertificates(macKeychain(t))
	if len(roots) != 1 || !strings.Contains(roots[0], "Example Root") || len(own) != 1 || !strings.Contains(own[0].GetSubject(), "mac.corp.example") {
		t.Error(roots, own)
	}
	same(t, "clock", &constatv1.Clock{Service: set("timed"), ServiceState: set("running"), Enabled: set(true), Source: set("time.apple.com")},
		macClock(mac(t, "job-timed.txt"), mac(t, "networktime.txt"), mac(t, "ntp.conf")))
	same(t, "a clock that nobody told of", &constatv1.Clock{Service: set("timed")}, macClock(nil, nil, nil))
}

func TestMacProtection(t *testing.T) {
	same(t, "protection", &constatv1.Security{SystemIntegrity: set(true), Gatekeeper: set(true), Managed: set(true), Profiles: []string{"Certificates", "Office Wi-Fi"}}, macProtection(t))
	for text, want := range map[string]*bool{
		"System Integrity Protection status: disabled.\n":                                                                     set(false),
		"System Integrity Protection status: unknown (Custom Configuration).\n\nConfiguration:\n\tApple Internal: disabled\n": nil,
		"": nil, "csrutil: command not found": nil,
	} {
		if got := macIntegrity([]byte(text)); fmt.Sprint(deref2(got)) != fmt.Sprint(deref2(want)) {
			t.Errorf("%q: %v", text, deref2(got))
		}
	}
	if got := macManaged([]byte("Enrolled via DEP: No\nMDM enrollment: No\n")); got == nil || *got {
		t.Errorf("not enrolled: %v", deref2(got))
	}
	if macManaged([]byte("profiles: the command could not be run")) != nil || macEnabled([]byte("assessments disabled\n")) == nil || len(macProfiles(node{})) != 0 {
		t.Error("what was not said is told")
	}
	f := macFirewall([]byte("Firewall is disabled. (State = 0)"), nil)
	if macPacketFilter(f, []byte("Status: Enabled for 3 days 01:02:03           Debug: Urgent\n")); f.OutgoingPolicy != nil {
		t.Error("rules that nobody read:", f)
	}
	if macPacketFilter(f, mac(t, "pfctl.txt")); f.GetOutgoingPolicy() != "accept" || f.OutgoingBlocks == nil {
		t.Error(f)
	}
	macPacketFilter(nil, mac(t, "pfctl.txt"))
}

// TestMacLog: numbers and names of the messages that are understood are kept, of the
// kernel's alone, and nothing else of them.
func TestMacLog(t *testing.T) {
	events := parseMacLog(mac(t, "log.ndjson"))
	disks := []*constatv1.Disk{{Name: set("disk0")}}
	countErrors(disks, events)
	same(t, "disks", []*constatv1.Disk{{Name: set("disk0"), IoErrors: set(int64(1))}}, disks)
	same(t, "USB", []*constatv1.UsbPortFailure{{Path: set("20-4.2"), Kind: set("enumeration"), Count: set(int32(1))}}, usbFailures(nil, events, nil))
	radios := []*constatv1.Radio{{Link: set("en0")}}
	macParted(radios, events)
	if r := radios[0]; r.GetLastReason() != 8 || r.GetLastDisconnectAt().AsTime() != time.Date(2024, 5, 1, 8, 0, 0, 0, time.UTC) {
		t.Error(r)
	}
	var log crashLog
	log.kernel(events)
	if len(log.refusals) != 1 || log.refusals[0].GetProgram() != "Example App" || log.refusals[0].GetBy() != "gatekeeper" {
		t.Error(log.refusals)
	}
	if len(log.system) != 1 || log.system[0].GetKind() != "powerLoss" || log.system[0].GetCode() != "shutdown cause 0" {
		t.Error(log.system)
	}
	if words := strings.Join(macLogWords(), " "); !strings.Contains(words, `processID == 0 AND (eventMessage CONTAINS ": I/O error" OR `) {
		t.Error(words)
	}
	if until := macTicket(macTree(t, "klist.json"), time.UTC); until != time.Date(2024, 5, 1, 20, 0, 0, 0, time.UTC) {
		t.Error(until)
	}
	if state := macDirectoryState(mac(t, "nodenames.txt")); state == nil || *state != "offline" {
		t.Error(state)
	}
}

// macProtection is what the composed answers tell of it.
func macProtection(t testing.TB) *constatv1.Security {
	return &constatv1.Security{
		SystemIntegrity: macIntegrity(mac(t, "csrutil.txt")), Gatekeeper: macEnabled(mac(t, "spctl.txt")), Managed: macManaged(mac(t, "enrollment.txt")),
		Profiles: macProfiles(macTree(t, "profiles.plist")),
	}
}

func FuzzMac(f *testing.F) {
	archive, err := txtar.ParseFile(composed)
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range archive.Files {
		f.Add(file.Data)
	}
	f.Add(binaryFixture)
	f.Add(macKeychain(f))
	f.Add(macDump())
	f.Add(macCounterDump())
	f.Add(routeMessage(rtmGet, 4, rtfUp|rtfGate, inet(0, 0, 0, 0), inet(192, 0, 2, 1)))
	f.Fuzz(func(t *testing.T, content []byte) {
		if tree, err := parseTree(content); err == nil {
			h := macHardware(tree, tree, noKernel)
			devices := macUSB(tree)
			macUSBPower(devices, tree)
			macDiskLoads(macTransferred(tree), macTransferred(tree), time.Second)
			macDirectory(tree)
			macMachine(tree)
			p := macPeripherals(devices, tree)
			macBatteries(tree)
			encrypted, _ := macEncrypted(tree)
			for _, name := range macDiskNames(tree) {
				if !macDiskName(name) || strings.ContainsAny(name, " -/;") {
					t.Errorf("a disk called %q", name)
				}
			}
			macDisk(tree, tree)
			macWifi(tree)
			macBluetooth(tree)
			macAudio(tree)
			macCameras(tree)
			sortPrograms(macPrograms(tree))
			macInstalls(tree)
			macUpdates(tree)
			macJoin(tree)
			macProfiles(tree)
			macTicket(tree, time.UTC)
			macMounts([]macMount{{point: "/", device: "/dev/disk1s1", local: true}}, encrypted)
			for _, m := range []proto.Message{h, &constatv1.Usb{Devices: devices}, &constatv1.Peripherals{Devices: p}} {
				scrub(m)
				if _, err := proto.Marshal(m); err != nil {
					t.Error(err)
				}
			}
		}
		parseMacLog(content)
		macDirectoryState(content)
		macReport("x.ips", content)
		macReport("x.crash", content)
		macReport("x.panic", content)
		for _, label := range notableJobs(parseMacJobs(content)) {
			if strings.ContainsAny(label, " /\n") || strings.HasPrefix(label, "-") {
				t.Errorf("a job called %q", label)
			}
		}
		parseMacJob("x", content)
		macLinks(content, macPorts(content))
		macServices(content)
		macResolvers(content)
		if p := macProxy(content); strings.Contains(p.GetPacUrl(), "@") && !strings.Contains(p.GetPacUrl(), "/") {
			t.Errorf("an account in %q", p.GetPacUrl())
		}
		macReach(content)
		vpns, byService := macVPNs(content)
		for id := range byService {
			if !macServiceID(id) || strings.ContainsAny(id, " /") {
				t.Errorf("a service called %q", id)
			}
		}
		for _, v := range vpns {
			macTunnel(v, content, &constatv1.Network{Links: []*constatv1.Link{{Name: set("utun3")}}}, macPaths(parseMacRoutes(content), macNames))
		}
		lease, _ := macLease(content)
		macLeaseTerm(lease, content, time.UTC)
		macFirewall(content, content)
		routes := parseMacRoutes(content)
		macGatewayStates(macDefaultRoutes(routes, map[int]string{4: "en0"}))
		parseMacCounters(content, map[int]string{4: "en0"})
		macPowerSettings(content)
		macOnBattery(content)
		macSpeedLimit(content)
		macThermalPressure(content)
		macVault(content)
		macIntegrity(content)
		macManaged(content)
		macPacketFilter(&constatv1.LocalFirewall{}, content)
		macLoginItems(content)
		macCertificates(content)
		processes := parseMacProcesses(content, 1000)
		sameProcesses(processes, processes)
		busiest(processes, processes, time.Second, 1000, macPageSize)
		macCPUUse(content, time.Second)
		macLoad(func(string) []byte { return content[:min(len(content), 24)] }, macLook{psBefore: content, psAfter: content, vmBefore: content, vmAfter: content, top: content, sample: time.Second, since: 1000})
		macHost(func(string) []byte { return content[:min(len(content), 16)] }, "arm64")
		macMhz(func(string) []byte { return content[:min(len(content), 8)] })
		for _, a := range macAccounts(content) {
			if name := a.GetUser(); macUserName(name) && (strings.ContainsAny(name, "/ ") || name[0] == '-') {
				t.Errorf("an account called %q", name)
			}
		}
		macAccountKind(content)
		macLocked(content)
		macPasswordDays(content)
		macPasswordEnd(&constatv1.Account{Kind: set("local")}, set(int32(90)), content, time.Unix(1770000000, 0))
		macClock(content, content, content)
		macWifiService(content)
		macBusy([]*constatv1.Radio{{Link: set("en0"), State: set("connected")}}, content)
		macDiscovery(content)
		macLocale(content)
		macVolume(content)
	})
}
