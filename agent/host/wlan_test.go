package host

import (
	"encoding/binary"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

// wlanSSIDOf and the like compose the structures of wlanapi.h from their
// documentation.
func wlanSSIDOf(name string) []byte {
	return append(append(words(uint32(len(name))), name...), make([]byte, 32-len(name))...)
}

func bssEntry(name string, mac byte, dbm int32, kHz uint32, capability uint16) (entry, elements []byte) {
	entry = make([]byte, wlanBSSEntry)
	copy(entry, wlanSSIDOf(name))
	copy(entry[40:], []byte{2, 0, 0, 0, 0, mac})
	binary.LittleEndian.PutUint32(entry[56:], uint32(dbm))
	binary.LittleEndian.PutUint16(entry[88:], capability)
	binary.LittleEndian.PutUint32(entry[92:], kHz)
	elements = append([]byte{elementSSID, byte(len(name))}, name...)
	// RSN: CCMP, one pairwise cipher, one way of signing in: a key.
	return entry, append(elements, elementRSN, 20, 1, 0, 0, 0x0f, 0xac, 4, 1, 0, 0, 0x0f, 0xac, 4, 1, 0, 0, 0x0f, 0xac, 2, 0, 0)
}

func bssList() []byte {
	var entries, elements [][]byte
	for _, b := range []struct {
		name string
		mac  byte
		dbm  int32
		kHz  uint32
	}{{"office", 1, -71, 2437000}, {"office", 2, -55, 5180000}, {"guest", 3, -60, 2437000}} {
		e, x := bssEntry(b.name, b.mac, b.dbm, b.kHz, 1<<4)
		entries, elements = append(entries, e), append(elements, x)
	}
	raw := words(0, uint32(len(entries)))
	behind := 8 + len(entries)*wlanBSSEntry
	for i, e := range entries {
		start := 8 + i*wlanBSSEntry
		binary.LittleEndian.PutUint32(e[352:], uint32(behind-start))
		binary.LittleEndian.PutUint32(e[356:], uint32(len(elements[i])))
		behind += len(elements[i])
		raw = append(raw, e...)
	}
	for _, x := range elements {
		raw = append(raw, x...)
	}
	binary.LittleEndian.PutUint32(raw, uint32(len(raw)))
	return raw
}

func wlanConnected(state uint32) []byte {
	raw := make([]byte, wlanConnection)
	binary.LittleEndian.PutUint32(raw, state)
	copy(raw[520:], wlanSSIDOf("office"))
	copy(raw[560:], []byte{2, 0, 0, 0, 0, 1})
	binary.LittleEndian.PutUint32(raw[580:], 130000)
	binary.LittleEndian.PutUint32(raw[584:], 86700)
	binary.LittleEndian.PutUint32(raw[596:], 7)
	binary.LittleEndian.PutUint32(raw[600:], 4)
	return raw
}

func TestWlanConnection(t *testing.T) {
	r := &constatv1.Radio{}
	own, err := addConnection(r, wlanConnected(1))
	if err != nil || r.GetState() != "connected" || r.GetSsid() != "office" || r.GetBssid() != "02:00:00:00:00:01" || r.GetRxMbps() != 130 || r.GetTxMbps() != 86.7 || r.GetSecurity() != "wpa2" {
		t.Fatalf("%v: %v", err, r)
	}
	heard, err := parseBSSList(bssList(), own)
	if err != nil || len(heard) != 3 {
		t.Fatal(heard, err)
	}
	addHeard(r, heard, nil, []string{"office"})
	if r.GetSignalDbm() != -71 || r.GetChannel() != 6 || r.GetBandGhz() != 2.4 || r.GetNetworksHeard() != 3 || r.GetNetworksOnChannel() != 2 || r.GetBetterAccessPoints() != 1 || !r.GetSsidHeard() {
		t.Errorf("heard %v", r)
	}
	trying := &constatv1.Radio{}
	if own, err := addConnection(trying, wlanConnected(5)); err != nil || own != nil || trying.GetState() != "associating" || trying.Bssid != nil || trying.Security != nil {
		t.Errorf("%v: %v", err, trying)
	}
}

func TestWlanRadioState(t *testing.T) {
	for name, c := range map[string]struct {
		raw        []byte
		soft, hard bool
	}{
		"on":           {words(2, 0, 1, 1, 1, 1, 1), false, false},
		"switched off": {words(2, 0, 2, 1, 1, 2, 1), true, false},
		"by the key":   {words(1, 0, 1, 2), false, true},
		"one of two":   {words(2, 0, 2, 1, 1, 1, 1), false, false},
	} {
		r := &constatv1.Radio{}
		addRadioState(r, c.raw)
		if r.SoftBlocked == nil || r.GetSoftBlocked() != c.soft || r.GetHardBlocked() != c.hard || (r.GetState() == "off") != (c.soft || c.hard) {
			t.Errorf("%s: %v", name, r)
		}
	}
	r := &constatv1.Radio{}
	if addRadioState(r, words(1, 0)); r.SoftBlocked != nil {
		t.Error("a cut one was understood")
	}
}

func TestWlanProfile(t *testing.T) {
	const xml = `<?xml version="1.0"?><WLANProfile xmlns="http://www.microsoft.com/networking/WLAN/profile/v1"><name>Other</name>
<SSIDConfig><SSID><hex>52264420</hex><name>R&amp;D</name></SSID></SSIDConfig><connectionType>ESS</connectionType><connectionMode>auto</connectionMode></WLANProfile>`
	if got := profileName(xml); got != "R&D" || !wantsByItself(xml) {
		t.Errorf("name %q", got)
	}
	if profileName("<name>x</name>") != "" || profileName("<SSIDConfig><name>x") != "" {
		t.Error("a profile without a network has one")
	}
}

func TestConsent(t *testing.T) {
	for c, want := range map[consent]string{
		{}: "", {machine: "Allow"}: "allowed", {"Allow", "Allow", "Deny"}: "denied", {"Deny", "Allow", "Allow"}: "denied", {user: "Prompt"}: "",
	} {
		if got := c.permission(); (got == nil) != (want == "") || got != nil && *got != want {
			t.Errorf("%v: %v", c, got)
		}
	}
	for key, want := range map[string]string{
		`C:#Program Files#Zoom#bin#Zoom.exe`: "Zoom.exe", "Microsoft.WindowsCamera_8wekyb3d8bbwe": "Microsoft.WindowsCamera",
	} {
		if got := consentProgram(key); got != want {
			t.Errorf("%s is %s", key, got)
		}
	}
}

func TestBluetoothKind(t *testing.T) {
	for class, want := range map[uint32]string{
		0x240404: "headset", 0x002540: "keyboard", 0x002580: "mouse", 0x5a020c: "phone", 0x2a010c: "computer", 0x240414: "speakers", 0x002508: "gamepad", 0: "other",
	} {
		if got := bluetoothKind(class); got != want {
			t.Errorf("%#x is %s, want %s", class, got, want)
		}
	}
}

func FuzzWlan(f *testing.F) {
	f.Add(bssList(), []byte{2, 0, 0, 0, 0, 1})
	f.Add(wlanConnected(1), []byte{})
	f.Fuzz(func(t *testing.T, raw, own []byte) {
		r := &constatv1.Radio{}
		if heard, err := parseBSSList(raw, own); err == nil {
			addHeard(r, heard, nil, []string{"office"})
		}
		_, _ = addConnection(r, raw)
		addRadioState(r, raw)
		profileName(string(raw))
	})
}
