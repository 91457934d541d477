package host

import (
	"slices"
	"strconv"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// macSecurities are our words for those of SPAirPort. A mode of transition counts
// as the better of its two.
var macSecurities = []struct{ in, word string }{
	{"wpa3_transition", "wpa3"}, {"wpa3_enterprise", "wpa3Enterprise"}, {"wpa3_personal", "wpa3"}, {"wpa2_enterprise", "wpa2Enterprise"},
	{"wpa2_personal", "wpa2"}, {"wpa_enterprise", "wpa2Enterprise"}, {"owe", "owe"}, {"wep", "wep"}, {"none", "open"},
}

// redacted is what recent systems write for a network's name where the program has
// not the user's leave to know where it is.
const redacted = "<redacted>"

// macWifi describes the radios by the report SPAirPort of system_profiler. Withheld:
// the name of the network was not told.
func macWifi(reports node) (w *constatv1.Wifi, withheld bool) {
	w = &constatv1.Wifi{}
	for _, entry := range profiled(reports, "SPAirPortDataType") {
		for _, one := range entry.at("spairport_airport_interfaces").list() {
			link := one.at("_name").text()
			if !macLink(link) || len(w.Radios) == 8 || !one.at("spairport_status_information").there() {
				continue // awdl0, which machines speak to each other by
			}
			radio, hidden := macRadio(one)
			withheld = withheld || hidden
			w.Radios = append(w.Radios, radio)
		}
	}
	slices.SortFunc(w.Radios, func(a, b *constatv1.Radio) int { return strings.Compare(a.GetLink(), b.GetLink()) })
	return w, withheld
}

// macLink tells whether a link is one of those that carry people's traffic.
func macLink(name string) bool {
	digits, found := strings.CutPrefix(name, "en")
	_, err := strconv.ParseUint(digits, 10, 16)
	return found && err == nil
}

func macRadio(one node) (radio *constatv1.Radio, withheld bool) {
	radio = &constatv1.Radio{Link: one.at("_name").word(), Driver: one.at("spairport_wireless_card_type").word()}
	if radio.GetDriver() == "spairport_wireless_card_type_wifi" {
		radio.Driver = nil // says nothing
	} else if kind, found := strings.CutPrefix(radio.GetDriver(), "spairport_wireless_card_type_"); found {
		radio.Driver = set(kind)
	}
	switch one.at("spairport_status_information").text() {
	case "spairport_status_connected":
		radio.State, radio.SoftBlocked = set("connected"), set(false)
	case "spairport_status_off":
		radio.State, radio.SoftBlocked = set("off"), set(true)
	case "spairport_status_inactive", "spairport_status_disconnected", "spairport_status_not_associated":
		radio.State, radio.SoftBlocked = set("disconnected"), set(false)
	}
	others := one.at("spairport_airport_other_local_wireless_networks").list()
	current := one.at("spairport_current_network_information")
	if current.there() {
		name := current.at("_name").text()
		withheld = name == redacted || name == ""
		if !withheld {
			radio.Ssid = set(name)
		}
		if bssid := current.at("spairport_network_bssid").text(); bssid != redacted {
			radio.Bssid = filled(strings.ToLower(bssid))
		}
		radio.Channel, radio.BandGhz, radio.WidthMhz = macChannel(current.at("spairport_network_channel").text())
		radio.SignalDbm, radio.NoiseDbm = macSignal(current.at("spairport_signal_noise").text())
		if rate := current.at("spairport_network_rate").within(1, 100_000); rate != nil {
			radio.TxMbps = set(float64(*rate))
		}
		radio.Security = macSecurity(current.at("spairport_security_mode").text())
	}
	if one.at("spairport_airport_other_local_wireless_networks").there() || current.there() {
		heard := int32(min(len(others), 10_000))
		if current.there() {
			heard++
			radio.SsidHeard = set(true)
		}
		radio.NetworksHeard = set(heard)
	}
	if radio.Channel != nil {
		same := int32(0)
		for _, other := range others {
			if channel, band, _ := macChannel(other.at("spairport_network_channel").text()); channel != nil && *channel == *radio.Channel &&
				(band == nil || radio.BandGhz == nil || *band == *radio.BandGhz) {
				same++
			}
		}
		radio.NetworksOnChannel = set(same)
	}
	return radio, withheld
}

// macBusy adds to a radio how busy its channel is, of what wdutil(8) wrote with “info”:
// “Interface Name       : en0”, and “CCA                  : 46 %”, of 100.
func macBusy(radios []*constatv1.Radio, content []byte) {
	link := ""
	var busy *int32
	for line := range strings.Lines(string(content)) {
		switch key, value := labelled(line); {
		case key == "Interface Name" && link == "":
			link = value
		case key == "CCA" && busy == nil && strings.HasSuffix(value, "%"):
			busy = (node{value}).small(0, 100)
		}
	}
	for _, r := range radios {
		if r.GetLink() == link && busy != nil && r.GetState() == "connected" {
			r.ChannelBusyPercent = set(float64(*busy))
		}
	}
}

// macWifiService tells whether airportd runs, by launchd's word of it. It starts when
// somebody asks: that it does not run means nothing.
func macWifiService(job []byte) *string {
	if parseMacJob("com.apple.airportd", job).GetState() != "running" {
		return nil
	}
	return set("running")
}

func macSecurity(mode string) *string {
	for _, s := range macSecurities {
		if strings.Contains(mode, s.in) {
			return set(s.word)
		}
	}
	return nil
}

// macChannel reads "36 (5GHz, 80MHz)"; older systems write "36,1" or "36".
func macChannel(text string) (channel *int32, band *float64, width *int32) {
	number, rest, _ := strings.Cut(text, " ")
	number, _, _ = strings.Cut(number, ",")
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 1 || n > 253 {
		return nil, nil, nil
	}
	channel = set(int32(n))
	for part := range strings.SplitSeq(strings.Trim(rest, "()"), ",") {
		part = strings.TrimSpace(part)
		if ghz, found := strings.CutSuffix(part, "GHz"); found {
			switch ghz {
			case "2":
				band = set(2.4)
			case "5":
				band = set(5.0)
			case "6":
				band = set(6.0)
			}
		} else if mhz, found := strings.CutSuffix(part, "MHz"); found {
			if n, err := strconv.ParseInt(mhz, 10, 32); err == nil && n > 0 && n <= 320 {
				width = set(int32(n))
			}
		}
	}
	return channel, band, width
}

// macSignal reads "-53 dBm / -91 dBm": signal and noise.
func macSignal(text string) (signal, noise *int32) {
	first, second, _ := strings.Cut(text, "/")
	dbm := func(text string) *int32 {
		number, found := strings.CutSuffix(strings.TrimSpace(text), " dBm")
		n, err := strconv.ParseInt(number, 10, 32)
		if !found || err != nil || n >= 0 || n < -127 { // 0: not known
			return nil
		}
		return set(int32(n))
	}
	return dbm(first), dbm(second)
}
