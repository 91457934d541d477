package host

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"unicode/utf16"

	constatv1 "constat/proto/constat/v1"
)

// Sizes of the structures of wlanapi.h, whose numbers are little endian.
const (
	wlanSSID       = 36 // DOT11_SSID: a length and 32 bytes
	wlanBSSEntry   = 360
	wlanConnection = 604
)

// wlanName is the network's name in a DOT11_SSID; "" where it is hidden.
func wlanName(raw []byte) string {
	length := binary.LittleEndian.Uint32(raw)
	if length > 32 {
		return ""
	}
	return networkName(raw[4 : 4+length])
}

// parseBSSList reads WLAN_BSS_LIST: a size, a count, entries, and behind them the
// elements of beacons that the entries point to. Own is the access point that the
// radio is on, if any.
func parseBSSList(raw []byte, own []byte) ([]bss, error) {
	const (
		header, maxEntries = 8, 1024
		mac, rssi          = 40, 56
		capability, kHz    = 88, 92
		offset, size       = 352, 356
	)
	if len(raw) < header {
		return nil, errors.New("the list of networks is cut off")
	}
	count := binary.LittleEndian.Uint32(raw[4:])
	if count > maxEntries || uint64(header)+uint64(count)*wlanBSSEntry > uint64(len(raw)) {
		return nil, errors.New("the list of networks is cut off")
	}
	var list []bss
	for i := range int(count) {
		start := header + i*wlanBSSEntry
		entry := raw[start : start+wlanBSSEntry]
		b := bss{
			bssid: [6]byte(entry[mac:]), frequency: binary.LittleEndian.Uint32(entry[kHz:]) / 1000,
			signalDBm: set(int32(binary.LittleEndian.Uint32(entry[rssi:]))), capability: binary.LittleEndian.Uint16(entry[capability:]),
		}
		if *b.signalDBm >= 0 || *b.signalDBm < -200 {
			b.signalDBm = nil
		}
		at, length := uint64(start)+uint64(binary.LittleEndian.Uint32(entry[offset:])), uint64(binary.LittleEndian.Uint32(entry[size:]))
		if at+length <= uint64(len(raw)) {
			b.elements = raw[at : at+length]
		}
		if len(own) == 6 && [6]byte(own) == b.bssid {
			b.status = set(uint32(bssAssociated))
		}
		list = append(list, b)
	}
	return list, nil
}

// wlanStates are our words for WLAN_INTERFACE_STATE.
var wlanStates = []string{"disconnected", "connected", "connected", "disconnected", "disconnected", "associating", "disconnected", "authenticating"}

// wlanAlgorithms are our words for DOT11_AUTH_ALGORITHM; those of the first WPA
// have none.
var wlanAlgorithms = map[uint32]string{
	1: "open", 2: "wep", 6: "wpa2Enterprise", 7: "wpa2", 8: "wpa3Enterprise", 9: "wpa3", 10: "owe", 11: "wpa3Enterprise",
}

// addConnection reads WLAN_CONNECTION_ATTRIBUTES, and returns the address of the
// access point.
func addConnection(r *constatv1.Radio, raw []byte) (own []byte, err error) {
	const (
		association = 520 // behind state, mode and the profile's name
		bssid       = association + wlanSSID + 4
		rx, tx      = 580, 584 // kbit/s
		algorithm   = 596
		cipher      = 600
		cipherNone  = 0
	)
	if len(raw) < wlanConnection {
		return nil, errors.New("what is told of the connection is cut off")
	}
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(raw[at:]) }
	if state := word(0); int(state) < len(wlanStates) {
		r.State = &wlanStates[state]
	}
	r.Ssid = filled(wlanName(raw[association:]))
	if r.GetState() != "connected" {
		return nil, nil
	}
	own = raw[bssid : bssid+6]
	r.Bssid = set(hardwareAddress([6]byte(own)))
	if kbps := word(rx); kbps > 0 {
		r.RxMbps = set(tenth(float64(kbps) / 1000))
	}
	if kbps := word(tx); kbps > 0 {
		r.TxMbps = set(tenth(float64(kbps) / 1000))
	}
	if r.Security = filled(wlanAlgorithms[word(algorithm)]); r.GetSecurity() == "open" && word(cipher) != cipherNone {
		r.Security = set("wep")
	}
	return own, nil
}

// addRadioState reads WLAN_RADIO_STATE: the switch in the settings, and that of
// the machine. A radio of several kinds is off when all are.
func addRadioState(r *constatv1.Radio, raw []byte) {
	const off, most = 2, 64
	if len(raw) < 4 {
		return
	}
	count := int(min(binary.LittleEndian.Uint32(raw), most))
	soft, hard := count > 0, count > 0
	for i := range count {
		at := 4 + 12*i
		if at+12 > len(raw) {
			return
		}
		soft = soft && binary.LittleEndian.Uint32(raw[at+4:]) == off
		hard = hard && binary.LittleEndian.Uint32(raw[at+8:]) == off
	}
	if count > 0 {
		r.SoftBlocked, r.HardBlocked = &soft, &hard
		if soft || hard {
			r.State = set("off")
		}
	}
}

// profileName finds the network that a profile is for in its XML (the schema
// WLANProfile): the first name in an SSID. Only that is looked at.
func profileName(xml string) string {
	_, inside, found := strings.Cut(xml, "<SSIDConfig>")
	if !found {
		return ""
	}
	inside, _, _ = strings.Cut(inside, "</SSIDConfig>")
	_, name, found := strings.Cut(inside, "<name>")
	if !found {
		return ""
	}
	name, _, found = strings.Cut(name, "</name>")
	if !found || len(name) > 200 {
		return ""
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&amp;", "&").Replace(name)
}

// wantsByItself tells whether a profile is one that Windows joins by itself.
func wantsByItself(xml string) bool {
	return strings.Contains(xml, "<connectionMode>auto</connectionMode>")
}

// consent is one capability of the machine as the privacy settings have it
// (CapabilityAccessManager\ConsentStore): the words of the machine's own switch
// and of each user's, for programs from the shop and for others.
type consent struct{ machine, user, desktop string }

// permission is allowed or denied: what the settings say of ordinary programs;
// nil where nothing is told.
func (c consent) permission() *string {
	told := false
	for _, word := range []string{c.machine, c.user, c.desktop} {
		switch strings.ToLower(word) {
		case "deny":
			return set("denied")
		case "allow":
			told = true
		}
	}
	if told {
		return set("allowed")
	}
	return nil
}

// consentProgram is the program in a key of that store: "C:#Program
// Files#x#x.exe" or a package's name. Only the program's own name is told.
func consentProgram(key string) string {
	name := key[strings.LastIndex(key, "#")+1:]
	if family, _, found := strings.Cut(name, "_"); found {
		name = family
	}
	return name
}

// audioForms are our words for EndpointFormFactor (mmdeviceapi.h).
var audioForms = map[uint64]string{
	1: "speakers", 2: "other", 3: "headset", 4: "microphone", 5: "headset", 6: "headset", 8: "other", 9: "hdmi",
}

// endpointState is what the audio service says of an endpoint.
type endpointState struct {
	// preferred: programs that choose none use it.
	preferred bool
	muted     *bool
	percent   *int32
	// silent is why it does not tell its volume.
	silent error
}

// endpointKey is the name of an endpoint's key in the registry: what is behind its
// way in "{0.0.0.00000000}.{b3a5b5a4-…}".
func endpointKey(id string) string {
	return strings.ToLower(id[strings.LastIndex(id, ".")+1:])
}

// volumePercent is a volume from 0 to 1, as people set it; nil for what is none.
func volumePercent(level float32) *int32 {
	if !(level >= 0 && level <= 1) {
		return nil
	}
	return set(int32(float64(level)*100 + 0.5))
}

// addTo notes it of an endpoint.
func (s endpointState) addTo(e *constatv1.AudioEndpoint) {
	e.DefaultEndpoint, e.Muted, e.VolumePercent = set(s.preferred), s.muted, s.percent
}

// bluetoothInfo is BLUETOOTH_DEVICE_INFO (bluetoothapis.h).
type bluetoothInfo struct {
	size                                 uint32
	address                              uint64
	class                                uint32
	connected, remembered, authenticated int32
	seen, used                           [8]uint16
	name                                 [248]uint16
}

// device is what it tells of a device; nil for one that is neither paired nor there.
func (i *bluetoothInfo) device() *constatv1.BluetoothDevice {
	d := &constatv1.BluetoothDevice{Kind: set(bluetoothKind(i.class)), Paired: set(i.authenticated != 0), Connected: set(i.connected != 0)}
	if !d.GetPaired() && !d.GetConnected() {
		return nil
	}
	if name, _, _ := strings.Cut(string(utf16.Decode(i.name[:])), "\x00"); !slices.Contains(namedByPeople, d.GetKind()) {
		d.Name = filled(name)
	}
	return d
}

// bluetoothKind is what a device is by its class of device (Bluetooth Assigned
// Numbers, 2.8).
func bluetoothKind(class uint32) string {
	major, minor := class>>8&0x1f, class>>2&0x3f
	switch major {
	case 1:
		return "computer"
	case 2:
		return "phone"
	case 4:
		switch minor {
		case 1, 2, 6:
			return "headset"
		case 5, 7, 8, 10:
			return "speakers"
		case 11, 12, 13:
			return "webcam"
		}
	case 5:
		switch {
		case minor&0x30 == 0x10:
			return "keyboard"
		case minor&0x30 == 0x20:
			return "mouse"
		case minor&0x0f == 1, minor&0x0f == 2:
			return "gamepad"
		}
	case 6:
		if minor&0x20 != 0 {
			return "printer"
		}
	}
	return "other"
}

// namedByPeople are kinds of Bluetooth devices whose names tell who is near.
var namedByPeople = []string{"phone", "computer", "other"}
