package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"constat/agent/host"
	constatv1 "constat/proto/constat/v1"
)

// TestRecord: of two sources of one machine, nothing is left that tells whose it
// is, the same thing has the same word in both, and the forms still hold.
func TestRecord(t *testing.T) {
	var r recorder
	c := host.Config{}
	r.attach(&c)
	c.Record("system_profiler -json SPHardwareDataType", []byte(`{"SPHardwareDataType":[{"machine_name":"MacBook Air","chip_type":"Apple M2","serial_number":"zz0-EXAMPLE","platform_UUID":"0D0D0D0D-1111-2222-3333-444444444444","note":"C02QM3FSFVH8"}]}`))
	c.Record("ioreg -a", []byte("<plist><dict><key>IOPlatformSerialNumber</key><string>zz0-EXAMPLE</string><key>serial</key><data>enowLUVYQU1QTEUA</data><key>model</key><data>TWFjMTQsMgA=</data><key>key</key><data>3q2+7wA=</data></dict></plist>"))
	c.Record("ifconfig -a", []byte("en0: flags=8863<UP> mtu 1500\n\tether a4:83:e7:01:02:03\n\tinet 192.168.1.23 netmask 0xffffff00 broadcast 192.168.1.255\n\tinet6 2a01:cb00::1234 prefixlen 64\n\tinet6 fe80::1c2b:3d4e:5f60:7182%en0 prefixlen 64\n"))
	c.Record("scutil --dns", []byte("resolver #1\n  search domain[0] : corp.acme.fr\n  nameserver[0] : 192.168.1.1\n  options  : mdns\nntp.corp.acme.fr\n"))
	c.Record("who", []byte("annabel  console  Jan  5 09:00:00\n"))
	c.Record("system_profiler -json SPBluetoothDataType", []byte(`{"SPBluetoothDataType":[{"device_connected":[{"Annabel’s AirPods Pro":{"device_address":"A4:83:E7:01:02:03"}}]}]}`))
	c.Record("system_profiler -json SPAirPortDataType", []byte(`{"SPAirPortDataType":[{"spairport_airport_interfaces":[{"_name":"en0","spairport_current_network_information":{"_name":"ACME guests"}}]}]}`))
	c.Record("mount", []byte("/Users/annabel/Documents /Volumes/Payroll 2026\n//annabel:pw@nas.corp.acme.fr/team annabel.martin@acme.fr\n"))
	c.Record("/Library/Logs/DiagnosticReports/x.ips", []byte("SECRET"))
	c.Record("profiles list -output stdout-xml", []byte("<key>SSID_STR</key><string>SECRET</string>"))
	c.Record("profiles status -type enrollment", []byte("MDM enrollment: Yes (User Approved)\nMDM server: https://mdm.initech.example.net/checkin\n"))
	c.Record("scutil --proxy", []byte("<dictionary> {\n  ExceptionsList : <array> {\n    0 : *.initech.test\n  }\n  HTTPEnable : 1\n  HTTPPort : 3128\n  HTTPProxy : wwwcache.initech.test\n}\n"))
	c.Record("scutil --nc list", []byte("* (Connected) 0D0D0D0D-1111-2222-3333-444444444444 VPN (com.wireguard.macos) \"Work\" [VPN:com.wireguard.macos]\n"))
	c.Record("ipconfig getsummary en0", []byte("  ClientIdentifier : 01a483e7010203\n  SSID : ACME guests\n  State : BOUND\n"))
	c.Record("/etc/hosts", []byte("10.1.2.3 payroll-db.initech\n"))
	c.Record("sysctl kern.hostname", []byte("annabels-air.initech.test\x00"))
	s := &constatv1.Snapshot{
		Host:     &constatv1.Host{Sessions: []*constatv1.Session{{User: ptr("annabel")}}},
		Security: &constatv1.Security{AddedRoots: []string{"CN=Initech Root"}, Profiles: []string{"Initech Wi-Fi"}, Gatekeeper: ptr(true)},
		Printing: &constatv1.Printing{Queues: []*constatv1.Queue{{Name: ptr("Office"), DeviceUri: ptr("ipp://print3.initech.test/ipp/print")}}},
		Network:  &constatv1.Network{SearchDomains: []string{"initech.test"}, Proxy: &constatv1.Proxy{Http: ptr("wwwcache.initech.test:3128")}},
	}
	dir := filepath.Join(t.TempDir(), "recording")
	if err := r.write(dir, s); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Error(f.Name(), "is for others too:", info.Mode(), err)
		}
		content, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(f.Name() + "\n" + string(content) + "\n")
		if strings.HasPrefix(string(content), "{") && !json.Valid(content) {
			t.Errorf("%s is no JSON any more: %s", f.Name(), content)
		}
	}
	text := all.String()
	lower := strings.ToLower(text)
	for _, secret := range []string{
		"zz0-example", "c02qm3fsfvh8", "0d0d0d0d", "a4:83:e7", "192.168.1.23", "192.168.1.1\n", "2a01:cb00", "5f60", "acme", "annabel", "payroll", "pw@", "martin", "secret", "enowluvyqu", "3q2+7wa", "initech", "wwwcache", "print3", "01a483e7010203",
	} {
		if strings.Contains(lower, secret) {
			t.Errorf("%q is left in\n%s", secret, text)
		}
	}
	for _, kept := range []string{"MacBook Air", "Apple M2", "netmask 0xffffff00", "TWFjMTQsMgA=", "AirPods Pro", "02:00:00:00:00:01", "09:00:00", "options  : mdns", "not recorded", "com.wireguard.macos", "State : BOUND", "MDM enrollment: Yes", "HTTPPort : 3128", "gatekeeper"} {
		if !strings.Contains(text, kept) {
			t.Errorf("%q is gone from\n%s", kept, text)
		}
	}
	if strings.Count(text, "serial-1") < 2 || strings.Count(text, "02:00:00:00:00:01") != 2 {
		t.Errorf("one thing has several words:\n%s", text)
	}
	if err := r.write(dir, s); err == nil {
		t.Error("a directory that holds something was taken")
	}
}

// TestRecordMac: what was composed in the shape of macOS's answers is redacted
// without breaking its form.
func TestRecordMac(t *testing.T) {
	archive, err := txtar.ParseFile("host/testdata/macos/composed.txtar")
	if err != nil {
		t.Fatal(err)
	}
	d := newRedactor(map[string]string{"ann": "person", "bob": "person"})
	for _, f := range archive.Files {
		d.learn(f.Name, f.Data)
	}
	for _, f := range archive.Files {
		content := d.content(f.Name, f.Data)
		if strings.HasSuffix(f.Name, ".json") && !json.Valid(content) {
			t.Errorf("%s is no JSON any more: %s", f.Name, content)
		}
		for _, secret := range []string{"ZZ0EXAMPLE", "F8Y0EXAMPLE", "EXAMPLE123", "Ann’s", "corp.example", "0ba0EXAMPLE", "AA:BB:CC", "192.0.2.", "/Users/ann"} {
			if strings.Contains(string(content), secret) {
				t.Errorf("%s still has %q", f.Name, secret)
			}
		}
	}
}

// TestRecordReaders: readers hand on what they read of files.
func TestRecordReaders(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/hosts"), []byte("192.0.2.7 intranet.corp.example\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var r recorder
	c := host.Config{Root: root}
	r.attach(&c)
	host.Observe(t.Context(), c, []string{"network"})
	if !slices.Contains(recordedSources(&r), "/etc/hosts") {
		t.Error("only these were recorded:", recordedSources(&r))
	}
}

func recordedSources(r *recorder) (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.sources {
		names = append(names, name)
	}
	return names
}

func ptr[T any](v T) *T { return &v }

func FuzzRedactor(f *testing.F) {
	f.Add([]byte(`{"serial_number":"ZZ0EXAMPLE","x":"ZZ0EXAMPLE"}`))
	f.Add([]byte("ether a4:83:e7:01:02:03\ninet 192.168.1.23\n<data>AAAA</data>"))
	f.Fuzz(func(t *testing.T, content []byte) {
		d := newRedactor(map[string]string{"annabel": "person"})
		d.learn("x", content)
		out := d.content("x", content)
		if strings.Contains(strings.ToLower(string(out)), " annabel ") {
			t.Errorf("%q became %q", content, out)
		}
	})
}
