package host

import (
	"bytes"
	"encoding/binary"
	"net"
	"slices"
	"strconv"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// Elements of a beacon (IEEE 802.11, table 9-92).
const (
	elementSSID    = 0
	elementBSSLoad = 11
	elementRSN     = 48
	elementVendor  = 221
)

// element returns the content of the first element of a kind that begins with
// prefix; nil when there is none.
func element(elements []byte, kind byte, prefix ...byte) []byte {
	for len(elements) >= 2 {
		length := int(elements[1])
		if 2+length > len(elements) {
			return nil
		}
		if content := elements[2 : 2+length]; elements[0] == kind && bytes.HasPrefix(content, prefix) {
			return content
		}
		elements = elements[2+length:]
	}
	return nil
}

// ssid is the network's name in a beacon; "" when it is hidden.
func (b *bss) ssid() string { return networkName(element(b.elements, elementSSID)) }

// band and channel of a frequency in MHz (IEEE 802.11, annex E); nil for
// frequencies of neither of the three bands.
func bandOf(mhz uint32) (ghz *float64, channel *int32) {
	switch n := int32(mhz); {
	case n == 2484:
		return set(2.4), set(int32(14))
	case n >= 2412 && n <= 2472:
		return set(2.4), set((n - 2407) / 5)
	case n >= 5150 && n <= 5895:
		return set(5.0), set((n - 5000) / 5)
	case n == 5935:
		return set(6.0), set(int32(2))
	case n >= 5955 && n <= 7115:
		return set(6.0), set((n - 5950) / 5)
	}
	return nil, nil
}

// Authentication suites of the 802.11 working group (IEEE 802.11, table
// 9-151), by the method they stand for.
const (
	akmEnterprise  = "enterprise"
	akmSuiteB      = "suiteB"
	akmPersonal    = "personal"
	akmSAE         = "sae"
	akmOpenPrivacy = "owe"
)

var akmSuites = map[byte]string{
	1: akmEnterprise, 3: akmEnterprise, 5: akmEnterprise, 11: akmSuiteB, 12: akmSuiteB, 13: akmSuiteB, 22: akmSuiteB, 23: akmSuiteB,
	2: akmPersonal, 4: akmPersonal, 6: akmPersonal, 19: akmPersonal, 20: akmPersonal,
	8: akmSAE, 9: akmSAE, 24: akmSAE, 25: akmSAE, 18: akmOpenPrivacy,
}

// securityOf says how a network protects itself: open, owe, wpa2, wpa3,
// wpa2Enterprise, wpa3Enterprise or wep. Networks that allow both of WPA2 and
// WPA3 are told apart by what we use with them: protected says that our
// management frames are, which WPA3 demands. nil: not told, or an older kind
// of protection.
func securityOf(b *bss, protected *bool) *string {
	rsn := element(b.elements, elementRSN)
	if rsn == nil {
		const privacy = 1 << 4
		switch {
		case b.capability&privacy == 0:
			return set("open")
		case element(b.elements, elementVendor, 0x00, 0x50, 0xf2, 1) != nil:
			return nil // the first WPA, long forbidden
		}
		return set("wep")
	}
	methods, managementRequired := parseRSN(rsn)
	withWPA3 := protected != nil && *protected
	switch {
	case slices.Contains(methods, akmSuiteB):
		return set("wpa3Enterprise")
	case slices.Contains(methods, akmEnterprise) && managementRequired:
		return set("wpa3Enterprise")
	case slices.Contains(methods, akmEnterprise):
		return set("wpa2Enterprise")
	case slices.Contains(methods, akmSAE) && (withWPA3 || !slices.Contains(methods, akmPersonal)):
		return set("wpa3")
	case slices.Contains(methods, akmSAE) && protected == nil:
		return nil
	case slices.Contains(methods, akmPersonal):
		return set("wpa2")
	case slices.Contains(methods, akmOpenPrivacy):
		return set("owe")
	}
	return nil
}

// parseRSN reads the RSN element (IEEE 802.11, 9.4.2.24): which methods of
// signing in it allows, and whether it demands protected management frames.
// What is cut off is not there: all but the version is optional.
func parseRSN(rsn []byte) (methods []string, managementRequired bool) {
	const version, groupCipher, suite = 2, 4, 4
	rest := rsn[min(len(rsn), version+groupCipher):]
	suites := func() []byte {
		if len(rest) < 2 {
			rest = nil
			return nil
		}
		length := int(binary.LittleEndian.Uint16(rest)) * suite
		if 2+length > len(rest) {
			rest = nil
			return nil
		}
		list := rest[2 : 2+length]
		rest = rest[2+length:]
		return list
	}
	suites() // the pairwise ciphers
	for akm := range slices.Chunk(suites(), suite) {
		if method := akmSuites[akm[3]]; method != "" && bytes.Equal(akm[:3], []byte{0x00, 0x0f, 0xac}) {
			methods = append(methods, method)
		}
	}
	const required = 1 << 6
	return methods, len(rest) >= 2 && binary.LittleEndian.Uint16(rest)&required != 0
}

// better is how much stronger another access point must be to be worth a
// change, in dB.
const better = 10

// maxSeen is how long ago an access point may have been heard to count as
// there, in milliseconds; the kernel keeps some longer.
const maxSeen = 60_000

// addHeard adds to a radio what a scan tells: where it is, and how many others
// there are. Names of networks other than its own go nowhere. Wanted are the
// names that this machine is set up to join by itself.
func addHeard(r *constatv1.Radio, heard []bss, protected *bool, wanted []string) {
	heard = slices.DeleteFunc(slices.Clone(heard), func(b bss) bool { return b.status == nil && b.seenMsAgo > maxSeen })
	var own *bss
	if i := slices.IndexFunc(heard, func(b bss) bool { return b.status != nil }); i >= 0 {
		own = &heard[i]
		r.Bssid = set(hardwareAddress(own.bssid))
		if name := own.ssid(); name != "" {
			r.Ssid = &name
		}
		if r.SignalDbm == nil {
			r.SignalDbm = own.signalDBm
		}
		if r.Channel == nil {
			r.BandGhz, r.Channel = bandOf(own.frequency)
		}
		r.Security = securityOf(own, protected)
		if load := element(own.elements, elementBSSLoad); r.ChannelBusyPercent == nil && len(load) >= 3 {
			r.ChannelBusyPercent = set(tenth(float64(load[2]) / 255 * 100)) // the access point's own measure
		}
	}
	if own == nil && r.GetSsid() != "" {
		addTried(r, heard, protected)
	}
	networks := map[[6]byte]bool{}
	onChannel, stronger := map[[6]byte]bool{}, map[[6]byte]bool{}
	named := false
	for _, b := range heard {
		networks[b.bssid] = true
		name := b.ssid()
		named = named || name != "" && (slices.Contains(wanted, name) || name == r.GetSsid())
		if own == nil {
			continue
		}
		if b.frequency == own.frequency {
			onChannel[b.bssid] = true
		}
		if name != "" && name == r.GetSsid() && b.bssid != own.bssid && b.signalDBm != nil && r.SignalDbm != nil && *b.signalDBm >= *r.SignalDbm+better {
			stronger[b.bssid] = true
		}
	}
	r.NetworksHeard = set(int32(len(networks)))
	if own != nil {
		r.NetworksOnChannel = set(int32(len(onChannel)))
		// Only a scan hears others: without one nothing is known of what else is near.
		if r.SignalDbm != nil && len(networks) > 1 {
			r.BetterAccessPoints = set(int32(len(stronger)))
		}
	}
	// A radio that heard nothing at all may not have listened.
	if named || len(networks) > 0 && (len(wanted) > 0 || r.Ssid != nil) {
		r.SsidHeard = &named
	}
}

// addTried adds to a radio that is on no network how the one it tries is heard:
// its strongest access point.
func addTried(r *constatv1.Radio, heard []bss, protected *bool) {
	var best *bss
	for i, b := range heard {
		if b.ssid() == r.GetSsid() && b.signalDBm != nil && (best == nil || *b.signalDBm > *best.signalDBm) {
			best = &heard[i]
		}
	}
	if best != nil {
		r.SignalDbm, r.Security = best.signalDBm, securityOf(best, protected)
		r.BandGhz, r.Channel = bandOf(best.frequency)
	}
}

// radioState says of a radio that is on: connected, associating,
// authenticating or disconnected.
func radioState(heard []bss, s *station) string {
	for _, b := range heard {
		switch {
		case b.status == nil:
		case *b.status == bssAuthenticated:
			return "associating"
		case *b.status == bssAssociated && s != nil && s.authorized != nil && !*s.authorized:
			return "authenticating" // on the air, but no keys yet
		default:
			return "connected"
		}
	}
	return "disconnected"
}

func hardwareAddress(mac [6]byte) string { return net.HardwareAddr(mac[:]).String() }

// randomAddress tells whether an interface's address is made up: of the locally
// administered kind, and not the one its radio was made with; nil when the
// latter is not known.
func randomAddress(mac [6]byte, permanent string) *bool {
	const local = 2
	if mac == [6]byte{} || permanent == "" {
		return nil
	}
	return set(mac[0]&local != 0 && hardwareAddress(mac) != permanent)
}

// wifiServices are the units of systemd that run Wi-Fi.
var wifiServices = []string{"NetworkManager.service", "iwd.service", "wpa_supplicant.service", "connman.service"}

// wifiServiceState folds the states of the services that run Wi-Fi into one
// word. Answering are those that hold their name on the bus.
func wifiServiceState(units []unit, answering int) string {
	installed := false
	for _, u := range units {
		if u.load == "not-found" {
			continue
		}
		installed = true
		if u.active == "failed" {
			return "failed"
		}
		if u.active == "active" {
			answering++
		}
	}
	switch {
	case answering > 0:
		return "running"
	case installed:
		return "stopped"
	}
	return "absent"
}

// managerReasons are our words for NetworkManager's reasons of a device's state
// (NMDeviceStateReason).
var managerReasons = map[uint32]string{
	7: "wrongKey", // no-secrets: nobody has another key than the one that failed
	9: "other", 10: "other", 11: "timeout", 35: "other", 40: "other", 53: "ssidNotFound", 56: "other", 57: "other",
}

// States and reasons of NetworkManager with a meaning of their own here.
const (
	managerDisconnected     = 30
	managerNeedAuth         = 60
	managerFailed           = 120
	reasonNoSecrets         = 7
	reasonSupplicantGone    = 8
	reasonSupplicantFailed  = 10
	reasonSupplicantTimeout = 11
)

// managerFailure says why NetworkManager could not connect; nil when the
// present state is not one of a failure.
func managerFailure(state, reason uint32, enterprise bool) *string {
	if state != managerNeedAuth && state != managerFailed && state != managerDisconnected {
		return nil
	}
	switch {
	case enterprise && (reason == reasonNoSecrets || reason == reasonSupplicantGone || reason == reasonSupplicantFailed || reason == reasonSupplicantTimeout):
		return set("eapRejected")
	case reason == reasonSupplicantGone && state == managerNeedAuth:
		return set("wrongKey") // it asks for the key again
	case reason == reasonSupplicantGone:
		return set("other")
	}
	return filled(managerReasons[reason])
}

// maxProfiles is how many networks that a service keeps are looked at.
const maxProfiles = 64

// supplicantWifi is what wpa_supplicant says of a wireless link.
type supplicantWifi struct {
	state string // its own word
	ssid  string // the network it is on or tries; "" where it tries none
	// wanted are the names of the networks that it joins by itself, and networks
	// what else it tells of them; nil where one is not understood.
	wanted   []string
	networks []supplicantNetwork
	// heard are the access points of the network that it tries, by the ways of
	// signing in that each offers; nil where that is not understood.
	heard [][]string
	// codes are those of the last disconnect, by their names; nil: not told.
	codes map[string]int32
}

// supplicantNetwork is a network of wpa_supplicant's configuration.
type supplicantNetwork struct {
	number  string // its own count
	resting bool   // it leaves it alone for a while, because it failed
	methods []string
}

// akmOpen stands for networks that ask for nothing.
const akmOpen = "open"

// supplicantMethods are the ways of signing in by wpa_supplicant's words for
// them (key_mgmt in wpa_supplicant.conf).
var supplicantMethods = map[string][]string{
	"WPA-PSK": {akmPersonal}, "FT-PSK": {akmPersonal}, "WPA-PSK-SHA256": {akmPersonal},
	"SAE": {akmSAE}, "FT-SAE": {akmSAE}, "SAE-EXT-KEY": {akmSAE}, "FT-SAE-EXT-KEY": {akmSAE},
	"WPA-EAP": {akmEnterprise}, "FT-EAP": {akmEnterprise}, "FT-EAP-SHA384": {akmEnterprise}, "WPA-EAP-SHA256": {akmEnterprise},
	"WPA-EAP-SUITE-B": {akmEnterprise}, "WPA-EAP-SUITE-B-192": {akmEnterprise},
	"OWE": {akmOpenPrivacy, akmOpen}, "NONE": {akmOpen},
}

// methodsOf reads such words; nil where one is not known.
func methodsOf(words string) (methods []string) {
	for word := range strings.FieldsSeq(words) {
		known := supplicantMethods[word]
		if known == nil {
			return nil
		}
		methods = append(methods, known...)
	}
	return methods
}

// offeredBy returns the ways of signing in that an access point offers; nil where
// it is of an older kind, or offers none that is known.
func offeredBy(b *bss) []string {
	const privacy = 1 << 4
	rsn := element(b.elements, elementRSN)
	switch {
	case element(b.elements, elementVendor, 0x00, 0x50, 0xf2, 1) != nil:
		return nil // the first WPA
	case rsn == nil && b.capability&privacy != 0:
		return nil // WEP
	case rsn == nil:
		return []string{akmOpen}
	}
	methods, _ := parseRSN(rsn)
	for i, method := range methods {
		if method == akmSuiteB {
			methods[i] = akmEnterprise
		}
	}
	return methods
}

// addHeard notes how the network that it tries is heard.
func (s *supplicantWifi) addHeard(heard []bss) {
	for i := range heard {
		if b := &heard[i]; s.ssid != "" && b.ssid() == s.ssid && b.seenMsAgo <= maxSeen {
			s.heard = append(s.heard, offeredBy(b))
		}
	}
}

// parseSupplicantWifi reads wpa_supplicant's answers to STATUS and LIST_NETWORKS
// (wpa_ctrl.h), and the codes and the networks' ways of signing in behind them;
// nil when they are of no wireless link.
func parseSupplicantWifi(content []byte) *supplicantWifi {
	s := &supplicantWifi{}
	understood := true
	for line := range strings.Lines(string(content)) {
		line = strings.TrimRight(line, "\r\n")
		if network := strings.Split(line, "\t"); len(network) == 4 {
			if _, err := strconv.Atoi(network[0]); err != nil {
				continue // the heading
			}
			name, flags := supplicantName(network[1]), network[3]
			switch {
			case strings.Contains(flags, "[DISABLED]"), strings.Contains(flags, "[P2P"):
			case name == "":
				understood = false
			case len(s.wanted) < maxProfiles:
				s.wanted = append(s.wanted, name)
				s.networks = append(s.networks, supplicantNetwork{number: network[0], resting: strings.Contains(flags, "[TEMP-DISABLED]")})
			}
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "wpa_state":
			s.state = value
		case "ssid":
			s.ssid = supplicantName(value)
		case "DisconnectReason", "AuthStatusCode", "AssocStatusCode":
			if n, err := strconv.ParseInt(value, 10, 32); err == nil {
				if s.codes == nil {
					s.codes = map[string]int32{}
				}
				s.codes[key] = int32(n)
			}
		default:
			for i := range s.networks {
				if n := &s.networks[i]; key == "key_mgmt."+n.number {
					n.methods = methodsOf(value)
				}
			}
		}
	}
	if s.state == "" {
		return nil
	}
	if !understood {
		s.wanted, s.networks = nil, nil
	}
	if s.ssid == "" && len(s.wanted) == 1 {
		s.ssid = s.wanted[0]
	}
	return s
}

// resting is how many of its networks it leaves alone for a while.
func (s *supplicantWifi) resting() (n int) {
	for _, network := range s.networks {
		if network.resting {
			n++
		}
	}
	return n
}

// unfit tells that what it tries is heard, and that no access point of it offers
// a way of signing in that this computer is set to use: then it never asks one,
// and no code tells of a failure. One that rests was asked, and failed otherwise.
func (s *supplicantWifi) unfit() bool {
	if len(s.networks) != 1 || s.networks[0].resting || len(s.networks[0].methods) == 0 || len(s.heard) == 0 {
		return false
	}
	for _, offered := range s.heard {
		if offered == nil || slices.ContainsFunc(offered, func(way string) bool { return slices.Contains(s.networks[0].methods, way) }) {
			return false
		}
	}
	return true
}

// near is the weakest signal, in dBm, at which a network that is left alone was
// not just too far away to answer.
const near = -70

// signInRefused tells that the network's server refused the person: where it does
// so and the access point does not send the computer away, wpa_supplicant leaves
// by itself and lets a network rest to which people sign in with an account.
func (s *supplicantWifi) signInRefused(r *constatv1.Radio) bool {
	const leaving = -3 // its own word: DEAUTH_LEAVING
	if len(s.networks) != 1 || !s.networks[0].resting || len(s.networks[0].methods) == 0 {
		return false
	}
	account := !slices.ContainsFunc(s.networks[0].methods, func(way string) bool { return way != akmEnterprise })
	return account && s.codes["DisconnectReason"] == leaving && s.codes["AuthStatusCode"] == 0 && s.codes["AssocStatusCode"] == 0 &&
		r.GetSsidHeard() && r.SignalDbm != nil && r.GetSignalDbm() >= near
}

// supplicantName is an SSID as wpa_supplicant writes it: with \x20 and the like
// for what is not printable.
func supplicantName(text string) string {
	name, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `\e`, `\x1b`) + `"`)
	if err != nil {
		return ""
	}
	return networkName([]byte(name))
}

// addTo adds why a radio that nl80211 was asked about is not connected.
func (s *supplicantWifi) addTo(r *constatv1.Radio) {
	// It goes on looking for what it may join and does not hear it: whatever
	// failed before.
	looking := s.state == "SCANNING" || s.state == "DISCONNECTED"
	if r.LastFailure == nil && r.GetState() == "disconnected" && looking {
		switch {
		case len(s.networks) > s.resting() && r.NetworksHeard != nil && !r.GetSsidHeard():
			r.LastFailure = set("ssidNotFound")
		case s.unfit():
			r.LastFailure = set("securityMismatch")
		case s.signInRefused(r):
			r.LastFailure = set("eapRejected")
		}
	}
	supplicantFailure(r, s.codes["DisconnectReason"], s.codes["AuthStatusCode"], s.codes["AssocStatusCode"])
}

// Reason and status codes that tell a wrong key (IEEE 802.11, tables 9-77 and
// 9-78).
const (
	reasonHandshakeTimeout = 15
	reasonRejected8021X    = 23
	statusChallenge        = 15
)

// supplicantFailure adds what wpa_supplicant keeps of the last disconnect: a
// reason (negative: we left by ourselves) and the status of the last
// authentication and association, 0 when they succeeded.
func supplicantFailure(r *constatv1.Radio, reason, authentication, association int32) {
	const largest = 0xffff // reasons have two bytes
	if reason != 0 && reason >= -largest && reason <= largest {
		r.LastReason, r.LastReasonByAp = set(max(reason, -reason)), set(reason > 0)
	}
	if association != 0 {
		r.LastStatus = &association
	} else if authentication != 0 {
		r.LastStatus = &authentication
	}
	if r.GetState() == "connected" || r.LastFailure != nil {
		return
	}
	switch {
	case authentication == statusChallenge, r.GetLastReason() == reasonHandshakeTimeout:
		r.LastFailure = set("wrongKey")
	case r.GetLastReason() == reasonRejected8021X:
		r.LastFailure = set("eapRejected")
	case r.LastStatus != nil:
		r.LastFailure = set("associationRejected")
	}
}
