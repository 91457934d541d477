package host

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

func TestBandOf(t *testing.T) {
	for mhz, want := range map[uint32]struct {
		ghz     float64
		channel int32
	}{
		2412: {2.4, 1}, 2472: {2.4, 13}, 2484: {2.4, 14}, 5180: {5, 36}, 5885: {5, 177}, 5955: {6, 1}, 7115: {6, 233}, 5935: {6, 2}, 0: {}, 58320: {}, 3650: {},
	} {
		ghz, channel := bandOf(mhz)
		if (ghz == nil) != (want.ghz == 0) || ghz != nil && (*ghz != want.ghz || *channel != want.channel) {
			t.Errorf("%d MHz: band %v, channel %v; want %v", mhz, ghz, channel, want)
		}
	}
}

func TestSecurityOf(t *testing.T) {
	const private = 0x10
	wpa1 := []byte{elementVendor, 6, 0x00, 0x50, 0xf2, 1, 1, 0}
	for name, test := range map[string]struct {
		capability uint16
		elements   []byte
		protected  *bool
		want       string
	}{
		"open":                      {0x01, ssidElement("Guest"), nil, "open"},
		"wep":                       {private, nil, nil, "wep"},
		"first WPA":                 {private, wpa1, nil, ""},
		"wpa2":                      {private, rsnElement(0, 2), set(false), "wpa2"},
		"wpa2 and the first WPA":    {private, slices.Concat(wpa1, rsnElement(0, 2)), nil, "wpa2"},
		"wpa3":                      {private, rsnElement(0xc0, 8), nil, "wpa3"},
		"both, joined with wpa3":    {private, rsnElement(0x80, 2, 8), set(true), "wpa3"},
		"both, joined with wpa2":    {private, rsnElement(0x80, 2, 8), set(false), "wpa2"},
		"both, not told which":      {private, rsnElement(0x80, 2, 8), nil, ""},
		"enterprise":                {private, rsnElement(0x80, 1, 5), set(true), "wpa2Enterprise"},
		"enterprise, wpa3 only":     {private, rsnElement(0xc0, 5), set(true), "wpa3Enterprise"},
		"enterprise with 192 bits":  {private, rsnElement(0xc0, 12), nil, "wpa3Enterprise"},
		"owe":                       {private, rsnElement(0xc0, 18), nil, "owe"},
		"a method from the future":  {private, rsnElement(0xc0, 99), nil, ""},
		"cut off before its method": {private, []byte{elementRSN, 8, 1, 0, 0, 0x0f, 0xac, 4, 9, 0}, nil, ""},
	} {
		got := securityOf(&bss{capability: test.capability, elements: test.elements}, test.protected)
		if (got == nil) != (test.want == "") || got != nil && *got != test.want {
			t.Errorf("%s: %v, want %q", name, got, test.want)
		}
	}
}

func TestAddHeard(t *testing.T) {
	corp := slices.Concat(ssidElement("Corp"), []byte{elementBSSLoad, 5, 12, 0, 204, 0, 0}, rsnElement(0, 2))
	heard := []bss{
		{bssid: ourAP, frequency: 2437, signalDBm: set(int32(-82)), status: set(uint32(bssAssociated)), capability: 0x11, elements: corp},
		{bssid: otherAP, frequency: 5180, signalDBm: set(int32(-60)), elements: corp},
		{bssid: stranger, frequency: 2437, signalDBm: set(int32(-40)), elements: ssidElement("CANARY the neighbours")},
		{bssid: [6]byte{9}, frequency: 2437, seenMsAgo: maxSeen + 1, elements: ssidElement("CANARY gone")},
	}
	got := &constatv1.Radio{}
	addHeard(got, heard, set(false), []string{"Corp", "CANARY at home"})
	want := &constatv1.Radio{
		Ssid: set("Corp"), Bssid: set("02:00:00:00:00:01"), SignalDbm: set(int32(-82)), BandGhz: set(2.4), Channel: set(int32(6)),
		Security: set("wpa2"), ChannelBusyPercent: set(80.0), NetworksHeard: set(int32(3)), NetworksOnChannel: set(int32(2)),
		BetterAccessPoints: set(int32(1)), SsidHeard: set(true),
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("radio (-want +got):\n%s", diff)
	}
	if strings.Contains(prototext.Format(got), "CANARY") {
		t.Errorf("other people's networks are told of: %v", got)
	}

	// Who hears only its own access point may not have listened for others.
	strong := heard[0]
	strong.signalDBm = set(int32(-55))
	mute := heard[0]
	mute.signalDBm = nil
	for name, c := range map[string]struct {
		heard []bss
		want  *int32
	}{
		"its own alone":                       {heard[:1], nil},
		"its own, and one that was there":     {[]bss{heard[0], heard[3]}, nil},
		"its own twice":                       {[]bss{heard[0], {bssid: ourAP, elements: corp}}, nil},
		"another, no better one":              {[]bss{strong, heard[1]}, set(int32(0))},
		"a better one, of another network":    {[]bss{heard[0], heard[2]}, set(int32(0))},
		"others, and its own signal not told": {[]bss{mute, heard[1]}, nil},
	} {
		got := &constatv1.Radio{}
		if addHeard(got, c.heard, nil, nil); !cmp.Equal(c.want, got.BetterAccessPoints) {
			t.Errorf("%s: better access points %v, want %v", name, got, c.want)
		}
	}

	got = &constatv1.Radio{}
	addHeard(got, heard[2:], nil, []string{"Corp"})
	want = &constatv1.Radio{NetworksHeard: set(int32(1)), SsidHeard: set(false)}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("the wanted network is not there (-want +got):\n%s", diff)
	}
	got = &constatv1.Radio{Ssid: set("Corp")}
	addHeard(got, heard[1:], nil, []string{"Corp"})
	want = &constatv1.Radio{
		Ssid: set("Corp"), SignalDbm: set(int32(-60)), BandGhz: set(5.0), Channel: set(int32(36)), Security: set("wpa2"), NetworksHeard: set(int32(2)), SsidHeard: set(true),
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("the network that it tries (-want +got):\n%s", diff)
	}
	got = &constatv1.Radio{}
	addHeard(got, nil, nil, []string{"Corp"})
	if got.SsidHeard != nil || got.NetworksHeard == nil || got.NetworksOnChannel != nil {
		t.Errorf("a radio that may not have listened: %v", got)
	}
}

func TestSupplicantWifi(t *testing.T) {
	const list = "network id / ssid / bssid / flags\n"
	for name, c := range map[string]struct {
		content string
		state   string
		heard   int32
		named   *bool
		want    string // the failure
		ssid    string
		wanted  []string
	}{
		"a wrong key": {"wpa_state=SCANNING\n" + list + "0\tCorp\tany\t[TEMP-DISABLED]\nDisconnectReason=15\nAuthStatusCode=0\nAssocStatusCode=0\n",
			"disconnected", 2, set(true), "wrongKey", "Corp", []string{"Corp"}},
		"not heard":             {"wpa_state=SCANNING\n" + list + "0\tCorp\tany\t\nDisconnectReason=-4\n", "disconnected", 2, set(false), "ssidNotFound", "Corp", []string{"Corp"}},
		"nothing heard":         {"wpa_state=DISCONNECTED\n" + list + "0\tCorp\tany\t\n1\tHome\tany\t[DISABLED]\n", "disconnected", 0, nil, "ssidNotFound", "Corp", []string{"Corp"}},
		"heard, not yet joined": {"wpa_state=SCANNING\n" + list + "0\tCorp\tany\t\n1\tHome\tany\t\n", "disconnected", 2, set(true), "", "", []string{"Corp", "Home"}},
		"refused":               {"wpa_state=SCANNING\n" + list + "0\tCorp\tany\t[TEMP-DISABLED]\nAuthStatusCode=1\n", "disconnected", 2, set(true), "associationRejected", "Corp", []string{"Corp"}},
		"joined":                {"ssid=Caf\\xc3\\xa9\nwpa_state=COMPLETED\n" + list + "0\tCaf\\xc3\\xa9\tany\t[CURRENT]\nDisconnectReason=15\n", "connected", 2, set(true), "", "Café", []string{"Café"}},
		"not understood":        {"wpa_state=SCANNING\n" + list + "0\tCorp\tany\t\n1\t\\q\tany\t\n", "disconnected", 0, nil, "", "", nil},
		"nothing to join":       {"wpa_state=INACTIVE\n" + list, "disconnected", 0, nil, "", "", nil},
	} {
		s := parseSupplicantWifi([]byte(c.content))
		r := &constatv1.Radio{State: &c.state, NetworksHeard: &c.heard, SsidHeard: c.named}
		s.addTo(r)
		if r.GetLastFailure() != c.want || s.ssid != c.ssid || !slices.Equal(s.wanted, c.wanted) {
			t.Errorf("%s: failure %q, tries %q, wants %q", name, r.GetLastFailure(), s.ssid, s.wanted)
		}
	}
	if s := parseSupplicantWifi([]byte("Supplicant PAE state=HELD\n")); s != nil {
		t.Errorf("a wired link: %+v", s)
	}
}

// rsnOf is the element of an access point that offers these methods of IEEE
// 802.11, table 9-151.
func rsnOf(name string, suites ...byte) []byte {
	rsn := []byte{1, 0, 0, 0x0f, 0xac, 4, 1, 0, 0, 0x0f, 0xac, 4, byte(len(suites)), 0}
	for _, suite := range suites {
		rsn = append(rsn, 0, 0x0f, 0xac, suite)
	}
	elements := append([]byte{elementSSID, byte(len(name))}, name...)
	return append(append(elements, elementRSN, byte(len(rsn))), rsn...)
}

// A network that wpa_supplicant never asks because nothing it offers fits, and
// one whose server refused the person, leave no code that tells so.
func TestSupplicantTellsWithoutACode(t *testing.T) {
	psk, both, sae := bss{elements: rsnOf("Corp", 2)}, bss{elements: rsnOf("Corp", 2, 8)}, bss{elements: rsnOf("Corp", 8)}
	open := bss{elements: []byte{elementSSID, 4, 'C', 'o', 'r', 'p'}}
	wep := bss{elements: open.elements, capability: 1 << 4}
	enterprise := bss{elements: rsnOf("Corp", 1)}
	other := bss{elements: rsnOf("Home", 2)}
	const looks, rests = "wpa_state=SCANNING\n0\tCorp\tany\t\n", "wpa_state=SCANNING\n0\tCorp\tany\t[TEMP-DISABLED]\n"
	for name, c := range map[string]struct {
		content string
		heard   []bss
		signal  int32
		want    string
	}{
		"WPA3 only, set to WPA2":      {looks + "key_mgmt.0=WPA-PSK WPA-EAP\n", []bss{sae, other}, -50, "securityMismatch"},
		"WPA2 only, set to WPA3":      {looks + "key_mgmt.0=SAE\n", []bss{psk}, -50, "securityMismatch"},
		"no key, set to one":          {looks + "key_mgmt.0=WPA-PSK WPA-EAP\n", []bss{open}, -50, "securityMismatch"},
		"a key, set to none":          {looks + "key_mgmt.0=NONE\n", []bss{psk}, -50, "securityMismatch"},
		"accounts, set to a key":      {looks + "key_mgmt.0=WPA-PSK\n", []bss{enterprise}, -50, "securityMismatch"},
		"it fits":                     {looks + "key_mgmt.0=WPA-PSK\n", []bss{psk}, -50, ""},
		"both are offered":            {looks + "key_mgmt.0=WPA-PSK\n", []bss{both}, -50, ""},
		"another access point fits":   {looks + "key_mgmt.0=WPA-PSK\n", []bss{sae, psk}, -50, ""},
		"an old kind":                 {looks + "key_mgmt.0=WPA-PSK\n", []bss{wep}, -50, ""},
		"a way that is not known":     {looks + "key_mgmt.0=WPA-PSK DPP\n", []bss{sae}, -50, ""},
		"how it is set is not told":   {looks, []bss{sae}, -50, ""},
		"one of two networks":         {looks + "1\tHome\tany\t\nkey_mgmt.0=WPA-PSK\n", []bss{sae}, -50, ""},
		"it was asked, and rests":     {rests + "key_mgmt.0=WPA-PSK\n", []bss{sae}, -50, ""},
		"its number is gone":          {looks + "key_mgmt.0=FAIL\n", []bss{sae}, -50, ""},
		"the server refused":          {rests + "DisconnectReason=-3\nkey_mgmt.0=WPA-EAP\n", []bss{enterprise}, -50, "eapRejected"},
		"refused, or too far":         {rests + "DisconnectReason=-3\nkey_mgmt.0=WPA-EAP\n", []bss{enterprise}, -85, ""},
		"it may have been a key":      {rests + "DisconnectReason=-3\nkey_mgmt.0=WPA-PSK WPA-EAP\n", []bss{enterprise}, -50, ""},
		"left by itself, not resting": {looks + "DisconnectReason=-3\nkey_mgmt.0=WPA-EAP\n", []bss{enterprise}, -50, ""},
		"sent away":                   {rests + "DisconnectReason=3\nkey_mgmt.0=WPA-EAP\n", []bss{enterprise}, -50, ""},
		"not let in":                  {rests + "DisconnectReason=-3\nAssocStatusCode=17\nkey_mgmt.0=WPA-EAP\n", []bss{enterprise}, -50, "associationRejected"},
	} {
		s := parseSupplicantWifi([]byte(c.content))
		s.addHeard(c.heard)
		r := &constatv1.Radio{State: set("disconnected"), NetworksHeard: set(int32(len(c.heard))), SsidHeard: set(true), SignalDbm: &c.signal}
		s.addTo(r)
		if r.GetLastFailure() != c.want {
			t.Errorf("%s: %q, want %q", name, r.GetLastFailure(), c.want)
		}
	}
}

func FuzzSupplicantWifi(f *testing.F) {
	f.Add([]byte("wpa_state=SCANNING\n0\tCorp \\e\\x20\tany\t[TEMP-DISABLED]\nDisconnectReason=-3\nkey_mgmt.0=WPA-EAP\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if s := parseSupplicantWifi(content); s != nil {
			if len(s.ssid) > maxSSID*3 || len(s.wanted) > maxProfiles {
				t.Errorf("%+v", s)
			}
			s.addTo(&constatv1.Radio{State: set("disconnected"), NetworksHeard: set(int32(0))})
		}
	})
}

func TestRadioState(t *testing.T) {
	joined := func(status uint32) []bss { return []bss{{}, {status: &status}} }
	for want, test := range map[string]struct {
		heard []bss
		ap    *station
	}{
		"disconnected": {[]bss{{}}, nil}, "connected": {joined(bssAssociated), &station{authorized: set(true)}},
		"authenticating": {joined(bssAssociated), &station{authorized: set(false)}}, "associating": {joined(bssAuthenticated), nil},
	} {
		if got := radioState(test.heard, test.ap); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestRandomAddress(t *testing.T) {
	for _, test := range []struct {
		mac       [6]byte
		permanent string
		want      *bool
	}{
		{[6]byte{0x3e, 1}, "80:45:dd:00:00:00", set(true)}, {[6]byte{0x80, 1}, "80:45:dd:00:00:00", set(false)},
		{[6]byte{2}, "02:00:00:00:00:00", set(false)}, {[6]byte{2}, "", nil}, {[6]byte{}, "80:45:dd:00:00:00", nil},
	} {
		if got := randomAddress(test.mac, test.permanent); (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
			t.Errorf("%x of %s: %v", test.mac, test.permanent, got)
		}
	}
}

func TestWifiServiceState(t *testing.T) {
	manager := func(load, active string) []unit {
		return []unit{{name: "NetworkManager.service", load: load, active: active}, {name: "iwd.service", load: "not-found", active: "inactive"}}
	}
	for want, units := range map[string][]unit{
		"running": manager("loaded", "active"), "stopped": manager("masked", "inactive"), "failed": manager("loaded", "failed"), "absent": manager("not-found", "inactive"),
	} {
		if got := wifiServiceState(units, 0); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := wifiServiceState(nil, 1); got != "running" {
		t.Errorf("a service that answers without systemd is %s", got)
	}
}

func TestFailures(t *testing.T) {
	for _, test := range []struct {
		state, reason uint32
		enterprise    bool
		want          string
	}{
		{managerFailed, reasonNoSecrets, false, "wrongKey"}, {managerNeedAuth, reasonSupplicantGone, false, "wrongKey"},
		{managerNeedAuth, reasonSupplicantGone, true, "eapRejected"}, {managerFailed, 53, false, "ssidNotFound"},
		{managerFailed, reasonSupplicantTimeout, false, "timeout"}, {100, 0, false, ""}, {managerDisconnected, 0, false, ""}, {managerFailed, 9999, false, ""},
		{managerFailed, reasonSupplicantGone, false, "other"},
	} {
		if got := managerFailure(test.state, test.reason, test.enterprise); (got == nil) != (test.want == "") || got != nil && *got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
	for _, test := range []struct {
		state                               string
		reason, authentication, association int32
		want                                *constatv1.Radio
	}{
		{"disconnected", 15, 0, 0, &constatv1.Radio{LastReason: set(int32(15)), LastReasonByAp: set(true), LastFailure: set("wrongKey")}},
		{"disconnected", -3, 0, 17, &constatv1.Radio{LastReason: set(int32(3)), LastReasonByAp: set(false), LastStatus: set(int32(17)), LastFailure: set("associationRejected")}},
		{"disconnected", 23, 0, 0, &constatv1.Radio{LastReason: set(int32(23)), LastReasonByAp: set(true), LastFailure: set("eapRejected")}},
		{"disconnected", 0, 15, 0, &constatv1.Radio{LastStatus: set(int32(15)), LastFailure: set("wrongKey")}},
		{"connected", 15, 0, 0, &constatv1.Radio{LastReason: set(int32(15)), LastReasonByAp: set(true)}},
		{"disconnected", -1 << 31, 0, 0, &constatv1.Radio{}},
	} {
		got := &constatv1.Radio{State: set(test.state)}
		supplicantFailure(got, test.reason, test.authentication, test.association)
		test.want.State = got.State
		if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test, diff)
		}
	}
}

func TestRadioCrashes(t *testing.T) {
	for message, want := range map[string]string{
		"iwlwifi 0000:00:14.3: Microcode SW error detected. Restarting 0x2000000.": "0000:00:14.3",
		"iwlwifi 0000:00:14.3: Microcode SW error detected.  Restarting 0x0.":      "0000:00:14.3",
		"ath10k_pci 0000:02:00.0: firmware crashed! (guid 5f4e8b7a)":               "0000:02:00.0",
		"rtw89_8852be 0000:03:00.0: SER catches error: 0x1000":                     "0000:03:00.0",
		"ieee80211 phy0: brcmf_fw_crashed: Firmware has halted or crashed":         "phy0",
		"somebody says: iwlwifi 0000:00:14.3: Microcode SW error detected.":        "",
	} {
		if e, known := kernelEventOf([]byte(message)); known != (want != "") || known && (e.kind != kernelRadio || e.subject != want) {
			t.Errorf("%q: %+v, want %q", message, e, want)
		}
	}
}

// FuzzElements reads beacons as hostile access points send them.
func FuzzElements(f *testing.F) {
	f.Add(slices.Concat(ssidElement("Corp"), rsnElement(0xc0, 8)), uint16(0x11))
	f.Add([]byte{elementRSN, 255, 1}, uint16(0x10))
	f.Fuzz(func(t *testing.T, elements []byte, capability uint16) {
		b := bss{elements: elements, capability: capability, status: set(uint32(1)), frequency: 2437}
		r := &constatv1.Radio{}
		addHeard(r, []bss{b, {elements: elements}}, nil, []string{"Corp"})
		if r.ChannelBusyPercent != nil && !(*r.ChannelBusyPercent >= 0 && *r.ChannelBusyPercent <= 100) {
			t.Errorf("impossible: %v", r)
		}
	})
}
