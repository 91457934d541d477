package wine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// firmware is what Wine composes an SMBIOS table of: files that Linux fills of the
// one below, where there is one.
var firmware = map[string]string{
	"sys_vendor": "Dell Inc.", "product_name": "Latitude 5420", "product_serial": "7XK2ZZ3", "product_version": "A01", "product_sku": "0A20", "product_family": "Latitude",
	"bios_vendor": "Dell Inc.", "bios_version": "1.24.3", "bios_date": "03/14/2024",
	"board_vendor": "Dell Inc.", "board_name": "0XK2Z", "board_serial": "/7XK2ZZ3/", "board_version": "A00", "board_asset_tag": "IT-0042",
	"chassis_vendor": "Dell Inc.", "chassis_type": "10", "chassis_serial": "7XK2ZZ3", "chassis_tag": "IT-0042",
}

// screen is an EDID 1.4 of a DELL P2419H with its name and serial number (VESA
// E-EDID A.2), composed.
func screen() []byte {
	b := make([]byte, 128)
	copy(b, "\x00\xff\xff\xff\xff\xff\xff\x00\x10\xac\xec\xa0\x07\x00\x00\x00\x01\x21\x01\x04")
	b[54] = 1 // the preferred timing comes first
	copy(b[72:], "\x00\x00\x00\xfc\x00DELL P2419H\n ")
	copy(b[90:], "\x00\x00\x00\xff\x008HYF5X2\n     ")
	var sum byte
	for _, x := range b {
		sum += x
	}
	b[127] = -sum
	return b
}

// certificate is one as a store in the registry keeps it: property 32 of a value
// "Blob".
func certificate(t *testing.T, name string, authority bool) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(24 * time.Hour).Truncate(time.Second),
		IsCA: authority, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	blob := binary.LittleEndian.AppendUint32(nil, 32)
	blob = binary.LittleEndian.AppendUint32(blob, 1)
	return append(binary.LittleEndian.AppendUint32(blob, uint32(len(der))), der...)
}

// laptop is a registry with what Windows keeps of a screen, a Bluetooth radio, a
// camera, certificates of the machine's own, a company's root, a product of the
// Security Center, and when updates were looked for.
func laptop(t *testing.T) string {
	t.Helper()
	const enum, machine = `[HKEY_LOCAL_MACHINE\System\CurrentControlSet\Enum\`, `[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\`
	return registryHeader + enum + `DISPLAY\DELA0EC\5&1A2B&0&UID256]
"Class"="Monitor"
"ClassGUID"="{4d36e96e-e325-11ce-bfc1-08002be10318}"
"DeviceDesc"="Generic PnP Monitor"

` + enum + `DISPLAY\DELA0EC\5&1A2B&0&UID256\Device Parameters]
"EDID"=` + binaryValue("", screen()) + `

` + enum + `USB\VID_8087&PID_0029\5&2&0&10]
"Class"="Bluetooth"
"ClassGUID"="{e0cbf06c-cd8b-4647-bb8a-263b43f0f974}"
"DeviceDesc"="Intel(R) Wireless Bluetooth(R)"

` + enum + `USB\VID_0BDA&PID_5520\200901010001]
"Class"="Camera"
"ClassGUID"="{ca3e7ab9-b4c3-4ae6-8251-579ef933890f}"
"DeviceDesc"="Integrated Webcam"
"Service"="usbvideo"

` + machine + `SystemCertificates\MY\Certificates\0001]
"Blob"=` + binaryValue("", certificate(t, "pc.example", false)) + `

[HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\SystemCertificates\Root\Certificates\0001]
"Blob"=` + binaryValue("", certificate(t, "Company Root", true)) + `

` + machine + `Security Center\Provider\Av\{1}]
"DISPLAYNAME"="Maker Antivirus"
"STATE"=dword:00041010

` + machine + `Windows\CurrentVersion\WindowsUpdate\Auto Update\Results\Detect]
"LastSuccessTime"="2026-03-09 10:11:12"

` + machine + `Windows\CurrentVersion\WindowsUpdate\Auto Update\Results\Install]
"LastSuccessTime"="2026-03-02 10:11:12"

` + machine + `Windows NT\CurrentVersion]
"DisplayVersion"="23H2"

` + machine + `Windows\CurrentVersion\CapabilityAccessManager\ConsentStore\webcam]
"Value"="Deny"

[HKEY_CURRENT_USER\Software\Microsoft\Windows\CurrentVersion\Internet Settings]
"AutoConfigURL"="http://proxy.example/wpad.dat"
`
}

// TestLaptop: a computer with a make, a screen, a radio, a camera and sound is seen
// as such, with what it trusts and what protects it. Sound is Wine's own, on a card
// that swallows it.
func TestLaptop(t *testing.T) {
	from := image(t)
	s, err := start(from, "", func(s *session) error {
		// /sys takes no directories; what else has a class matters nothing here.
		return s.outside(t.Context(), "sh", "-c", "mount -t tmpfs tmpfs /sys/class && mkdir -p /sys/class/dmi/id && chmod 755 /sys/class/dmi/id").Run()
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	w := &Windows{s, t}
	for name, text := range firmware {
		cmd := s.outside(t.Context(), "tee", "/sys/class/dmi/id/"+name)
		cmd.Stdin = strings.NewReader(text + "\n")
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(w.inside("/etc"), "asound.conf"), []byte("pcm.!default { type null }\nctl.!default { type null }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	install(w)
	w.Registry(laptop(t))
	w.Write(`C:\windows\system32\drivers\etc\hosts`, []byte("127.0.0.1 localhost\n192.0.2.99 site.example\n"))
	seen := facts(w, "hardware", "host", "network", "peripherals", "security", "updates")
	for _, g := range seen.GetManifest().GetGroups() {
		for _, gap := range g.GetObservation().GetGaps() {
			t.Logf("%s.%s is %s: %s", g.GetGroup(), gap.GetFact(), gap.GetStatus(), gap.GetReason())
		}
	}

	h := seen.GetHardware()
	if m := h.GetSystem(); m.GetManufacturer() != "Dell Inc." || m.GetBrand() != "Dell" || m.GetModel() != "Latitude 5420" || m.GetVersion() != "A01" || m.GetSerial() != "7XK2ZZ3" ||
		m.GetSku() != "0A20" || m.GetFamily() != "Latitude" || h.GetChassis() != "laptop" {
		t.Errorf("the machine: %v, %s", m, h.GetChassis())
	}
	if f, b := h.GetFirmware(), h.GetBaseboard(); f.GetVersion() != "1.24.3" || f.GetDate() != "2024-03-14" || b.GetModel() != "0XK2Z" || b.GetSerial() != "/7XK2ZZ3/" {
		t.Errorf("firmware and board: %v, %v", f, b)
	}
	i := slices.IndexFunc(h.GetMonitors(), func(m *constatv1.Monitor) bool { return m.GetModel() == "DELL P2419H" })
	if i < 0 || h.GetMonitors()[i].GetPnpId() != "DEL" || h.GetMonitors()[i].GetSerial() != "8HYF5X2" || h.GetMonitors()[i].GetYear() != 2023 || !h.GetMonitors()[i].GetEdidRead() {
		t.Errorf("screens: %v", h.GetMonitors())
	}
	p := seen.GetPeripherals()
	if a := p.GetBluetoothAdapters(); len(a) != 1 || a[0].GetName() != "Intel(R) Wireless Bluetooth(R)" || a[0].GetServiceState() != "absent" {
		t.Errorf("radios: %v", a)
	}
	if c := p.GetCameras(); len(c) != 1 || c[0].GetName() != "Integrated Webcam" || c[0].GetPermission() != "denied" {
		t.Errorf("cameras: %v", c)
	}
	outputs := slices.DeleteFunc(slices.Clone(p.GetAudio()), func(e *constatv1.AudioEndpoint) bool { return e.GetDirection() != "output" })
	if len(outputs) != 1 || outputs[0].GetName() == "" || !outputs[0].GetDefaultEndpoint() || outputs[0].Muted == nil || outputs[0].GetMuted() || outputs[0].GetVolumePercent() != 100 {
		t.Errorf("sound: %v", p.GetAudio())
	}
	security := seen.GetSecurity()
	if c := security.GetCertificates(); len(c) != 1 || c[0].GetSubject() != "pc.example" || c[0].GetPurpose() == "" || c[0].GetNotAfter() == nil {
		t.Errorf("certificates: %v", c)
	}
	if !slices.Contains(security.GetAddedRoots(), "Company Root") {
		t.Errorf("roots: %v", security.GetAddedRoots())
	}
	if a := security.GetProducts(); len(a) != 1 || a[0].GetName() != "Maker Antivirus" || !a[0].GetEnabled() || a[0].UpToDate == nil || a[0].GetUpToDate() {
		t.Errorf("products: %v", a)
	}
	if u := seen.GetUpdates(); u.GetLastCheckAt().AsTime().Day() != 9 || u.GetLastSuccessAt().AsTime().Day() != 2 {
		t.Errorf("updates: %v", u)
	}
	if v := seen.GetHost().GetOsVersion(); v != "23H2" {
		t.Errorf("version %q", v)
	}
	n := seen.GetNetwork()
	if n.GetProxy().GetPacUrl() != "http://proxy.example/wpad.dat" {
		t.Errorf("proxy: %v", n.GetProxy())
	}
	if !slices.ContainsFunc(n.GetHostsOverrides(), func(o *constatv1.HostsEntry) bool {
		return o.GetName() == "site.example" && o.GetAddress() == "192.0.2.99"
	}) {
		t.Errorf("the hosts file: %v", n.GetHostsOverrides())
	}
}
