package host

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/mdlayher/netlink"

	constatv1 "constat/proto/constat/v1"
)

// Commands and attributes of nl80211 that are read (linux/nl80211.h).
const (
	nlGetStation   = 17
	nlGetInterface = 5
	nlGetScan      = 32
	nlGetSurvey    = 50

	nlWiphy        = 1
	nlIfindex      = 3
	nlIfname       = 4
	nlIftype       = 5
	nlMAC          = 6
	nlStation      = 21
	nlFrequency    = 38
	nlBSS          = 47
	nlSSID         = 52
	nlSurvey       = 84
	nlChannelWidth = 159

	nlBSSID        = 1
	nlBSSFrequency = 2
	nlCapability   = 5
	nlElements     = 6
	nlSignalMBm    = 7
	nlBSSStatus    = 9
	nlSeenMsAgo    = 10
	nlBeacon       = 11

	nlSignal       = 7
	nlTxBitrate    = 8
	nlTxPackets    = 10
	nlTxRetries    = 11
	nlTxFailed     = 12
	nlSignalAvg    = 13
	nlRxBitrate    = 14
	nlStationFlags = 17

	nlBitrate   = 1
	nlBitrate32 = 5

	nlSurveyFrequency = 1
	nlSurveyNoise     = 2
	nlSurveyInUse     = 3
	nlSurveyTime      = 4
	nlSurveyBusy      = 5

	// nlIftypeStation is an interface that joins networks.
	nlIftypeStation = 2
)

// maxSSID is the longest name of a network, in bytes (IEEE 802.11, 9.4.2.2).
const maxSSID = 32

// wifiInterface is one answer to NL80211_CMD_GET_INTERFACE.
type wifiInterface struct {
	phy, index, kind uint32
	name             string
	mac              [6]byte
	ssid             string // "" when it is on no network, or not told
	frequency        uint32 // MHz; 0 when not told
	width            *int32 // MHz
}

// channelWidths are the values of NL80211_ATTR_CHANNEL_WIDTH in MHz.
var channelWidths = map[uint32]int32{0: 20, 1: 20, 2: 40, 3: 80, 4: 160, 5: 160, 6: 5, 7: 10, 13: 320}

func parseWifiInterface(content []byte) (wifiInterface, error) {
	var w wifiInterface
	err := eachAttribute(content, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case nlWiphy:
			w.phy = ad.Uint32()
		case nlIfindex:
			w.index = ad.Uint32()
		case nlIfname:
			w.name = ad.String()
		case nlIftype:
			w.kind = ad.Uint32()
		case nlMAC:
			copy(w.mac[:], ad.Bytes())
		case nlSSID:
			w.ssid = networkName(ad.Bytes())
		case nlFrequency:
			w.frequency = ad.Uint32()
		case nlChannelWidth:
			if mhz, known := channelWidths[ad.Uint32()]; known {
				w.width = &mhz
			}
		}
	})
	return w, err
}

// networkName is an SSID as text. Hidden networks name themselves with nothing
// or zeros.
func networkName(ssid []byte) string {
	if len(ssid) > maxSSID {
		return ""
	}
	return clean(string(ssid))
}

// eachAttribute decodes the attributes of one message.
func eachAttribute(content []byte, read func(*netlink.AttributeDecoder)) error {
	ad, err := netlink.NewAttributeDecoder(content)
	if err != nil {
		return fmt.Errorf("nl80211: %w", err)
	}
	for ad.Next() {
		read(ad)
	}
	if err := ad.Err(); err != nil {
		return fmt.Errorf("nl80211: %w", err)
	}
	return nil
}

// nestedAttributes reads the attributes nested in one of a kind.
func nestedAttributes(content []byte, kind uint16, read func(*netlink.AttributeDecoder)) error {
	return eachAttribute(content, func(ad *netlink.AttributeDecoder) {
		if ad.Type() == kind {
			ad.Nested(func(inner *netlink.AttributeDecoder) error {
				for inner.Next() {
					read(inner)
				}
				return nil
			})
		}
	})
}

// Values of NL80211_BSS_STATUS.
const (
	bssAuthenticated = 0
	bssAssociated    = 1
)

// bss is one access point heard, an answer to NL80211_CMD_GET_SCAN.
type bss struct {
	bssid      [6]byte
	frequency  uint32 // MHz
	signalDBm  *int32
	status     *uint32 // only of one that we are joining or on
	capability uint16
	elements   []byte // IEEE 802.11, 9.4.2
	seenMsAgo  uint32
}

func parseBSS(content []byte) (bss, error) {
	var b bss
	err := nestedAttributes(content, nlBSS, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case nlBSSID:
			copy(b.bssid[:], ad.Bytes())
		case nlBSSFrequency:
			b.frequency = ad.Uint32()
		case nlCapability:
			b.capability = ad.Uint16()
		case nlElements:
			b.elements = ad.Bytes()
		case nlBeacon:
			if b.elements == nil { // no probe was answered
				b.elements = ad.Bytes()
			}
		case nlSignalMBm:
			b.signalDBm = decibels(math.Round(float64(ad.Int32()) / 100))
		case nlBSSStatus:
			b.status = set(ad.Uint32())
		case nlSeenMsAgo:
			b.seenMsAgo = ad.Uint32()
		}
	})
	return b, err
}

// decibels is a strength that a radio can hear; nil for what drivers put where
// they know none.
func decibels(dBm float64) *int32 {
	if dBm >= 0 || dBm < -127 {
		return nil
	}
	return set(int32(dBm))
}

// station is the access point we are on as the radio sees it, an answer to
// NL80211_CMD_GET_STATION.
type station struct {
	mac                        [6]byte
	signalDBm                  *int32
	rxMbps, txMbps             *float64
	packets, retries, failures *uint32
	authorized, protected      *bool // keys are in place; management frames too
}

func parseStation(content []byte) (station, error) {
	var s station
	if err := eachAttribute(content, func(ad *netlink.AttributeDecoder) {
		if ad.Type() == nlMAC {
			copy(s.mac[:], ad.Bytes())
		}
	}); err != nil {
		return s, err
	}
	err := nestedAttributes(content, nlStation, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case nlSignal: // what other programs show
			if dBm := decibels(float64(ad.Int8())); dBm != nil {
				s.signalDBm = dBm
			}
		case nlSignalAvg: // some drivers tell only this
			if s.signalDBm == nil {
				s.signalDBm = decibels(float64(ad.Int8()))
			}
		case nlTxBitrate:
			s.txMbps = bitrate(ad)
		case nlRxBitrate:
			s.rxMbps = bitrate(ad)
		case nlTxPackets:
			s.packets = set(ad.Uint32())
		case nlTxRetries:
			s.retries = set(ad.Uint32())
		case nlTxFailed:
			s.failures = set(ad.Uint32())
		case nlStationFlags: // struct nl80211_sta_flag_update: mask, set
			const authorized, protected = 1 << 1, 1 << 4
			if flags := ad.Bytes(); len(flags) >= 8 {
				mask, on := binary.NativeEndian.Uint32(flags), binary.NativeEndian.Uint32(flags[4:])
				if mask&authorized != 0 {
					s.authorized = set(on&authorized != 0)
				}
				if mask&protected != 0 {
					s.protected = set(on&protected != 0)
				}
			}
		}
	})
	return s, err
}

// bitrate reads a nested rate, which is in units of 100 kb/s.
func bitrate(ad *netlink.AttributeDecoder) *float64 {
	var units uint32
	ad.Nested(func(rate *netlink.AttributeDecoder) error {
		for rate.Next() {
			switch rate.Type() {
			case nlBitrate32:
				units = rate.Uint32()
			case nlBitrate:
				if units == 0 {
					units = uint32(rate.Uint16())
				}
			}
		}
		return nil
	})
	if units == 0 {
		return nil
	}
	return set(float64(units) / 10)
}

// survey is what the radio measured of one channel, an answer to
// NL80211_CMD_GET_SURVEY.
type survey struct {
	frequency  uint32 // MHz
	inUse      bool
	noiseDBm   *int32
	time, busy *uint64 // milliseconds listened, and of them busy
}

func parseSurvey(content []byte) (survey, error) {
	var s survey
	err := nestedAttributes(content, nlSurvey, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case nlSurveyFrequency:
			s.frequency = ad.Uint32()
		case nlSurveyInUse:
			s.inUse = true
		case nlSurveyNoise:
			s.noiseDBm = decibels(float64(ad.Int8()))
		case nlSurveyTime:
			s.time = set(ad.Uint64())
		case nlSurveyBusy:
			s.busy = set(ad.Uint64())
		}
	})
	return s, err
}

// addStation adds what the radio measures of its own traffic.
func addStation(r *constatv1.Radio, s station) {
	if s.signalDBm != nil {
		r.SignalDbm = s.signalDBm
	}
	r.RxMbps, r.TxMbps = s.rxMbps, s.txMbps
	if s.packets == nil || *s.packets == 0 {
		return
	}
	// A frame that is sent again is one more of those sent.
	if s.retries != nil {
		r.RetryPercent = set(tenth(100 * float64(*s.retries) / (float64(*s.retries) + float64(*s.packets))))
	}
	if s.failures != nil {
		r.FailedPercent = set(tenth(min(100, 100*float64(*s.failures)/float64(*s.packets))))
	}
}

// addSurvey adds what the radio measures of its channel: the one in use, or
// where the driver marks none, the one of the frequency it is on.
func addSurvey(r *constatv1.Radio, channels []survey, frequency uint32) {
	i := slices.IndexFunc(channels, func(s survey) bool { return s.inUse })
	if i < 0 {
		i = slices.IndexFunc(channels, func(s survey) bool { return frequency != 0 && s.frequency == frequency })
	}
	if i < 0 {
		return
	}
	s := channels[i]
	r.NoiseDbm = s.noiseDBm
	if s.time != nil && s.busy != nil && *s.time > 0 && *s.busy <= *s.time {
		r.ChannelBusyPercent = set(tenth(100 * float64(*s.busy) / float64(*s.time)))
	}
}
