package host

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

// attributes encodes a message of the kernel.
func attributes(t testing.TB, add func(*netlink.AttributeEncoder)) []byte {
	t.Helper()
	ae := netlink.NewAttributeEncoder()
	add(ae)
	content, err := ae.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// nested is attributes inside one.
func nested(t testing.TB, kind uint16, add func(*netlink.AttributeEncoder)) []byte {
	t.Helper()
	return attributes(t, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(46, 7) // a generation, as each answer has
		ae.Nested(kind, func(inner *netlink.AttributeEncoder) error { add(inner); return nil })
	})
}

// rsnElement composes an RSN element with these methods.
func rsnElement(capabilities uint16, suites ...byte) []byte {
	rsn := []byte{1, 0, 0, 0x0f, 0xac, 4, 1, 0, 0, 0x0f, 0xac, 4}
	rsn = binary.LittleEndian.AppendUint16(rsn, uint16(len(suites)))
	for _, s := range suites {
		rsn = append(rsn, 0, 0x0f, 0xac, s)
	}
	rsn = binary.LittleEndian.AppendUint16(rsn, capabilities)
	return append([]byte{elementRSN, byte(len(rsn))}, rsn...)
}

// ssidElement composes the element with a network's name.
func ssidElement(name string) []byte { return append([]byte{elementSSID, byte(len(name))}, name...) }

var (
	ourAP    = [6]byte{2, 0, 0, 0, 0, 1}
	otherAP  = [6]byte{2, 0, 0, 0, 0, 2}
	stranger = [6]byte{2, 0, 0, 0, 0, 3}
)

func encodeBSS(t testing.TB) []byte {
	return nested(t, nlBSS, func(ae *netlink.AttributeEncoder) {
		ae.Bytes(nlBSSID, ourAP[:])
		ae.Uint32(nlBSSFrequency, 5180)
		ae.Uint16(nlCapability, 0x0511)
		ae.Bytes(nlElements, append(ssidElement("Corp"), rsnElement(0x80, 2, 8)...))
		ae.Bytes(nlBeacon, ssidElement(""))
		ae.Int32(nlSignalMBm, -9500)
		ae.Uint32(nlBSSStatus, bssAssociated)
		ae.Uint32(nlSeenMsAgo, 120)
	})
}

func encodeStation(t testing.TB) []byte {
	flags := binary.NativeEndian.AppendUint32(nil, 1<<1|1<<4)
	flags = binary.NativeEndian.AppendUint32(flags, 1<<1)
	rate := func(units uint32) func(*netlink.AttributeEncoder) error {
		return func(ae *netlink.AttributeEncoder) error {
			ae.Uint16(nlBitrate, uint16(units))
			ae.Uint32(nlBitrate32, units)
			return nil
		}
	}
	content := nested(t, nlStation, func(ae *netlink.AttributeEncoder) {
		ae.Int8(nlSignal, -71)
		ae.Int8(nlSignalAvg, -68)
		ae.Uint32(nlTxPackets, 900)
		ae.Uint32(nlTxRetries, 100)
		ae.Uint32(nlTxFailed, 9)
		ae.Bytes(nlStationFlags, flags)
		ae.Nested(nlTxBitrate, rate(8667))
		ae.Nested(nlRxBitrate, rate(65))
	})
	return append(content, attributes(t, func(ae *netlink.AttributeEncoder) { ae.Bytes(nlMAC, ourAP[:]) })...)
}

func encodeSurvey(t testing.TB) []byte {
	return nested(t, nlSurvey, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(nlSurveyFrequency, 5180)
		ae.Int8(nlSurveyNoise, -92)
		ae.Flag(nlSurveyInUse, true)
		ae.Uint64(nlSurveyTime, 2000)
		ae.Uint64(nlSurveyBusy, 1530)
	})
}

func encodeInterface(t testing.TB) []byte {
	return attributes(t, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(nlWiphy, 0)
		ae.Uint32(nlIfindex, 3)
		ae.String(nlIfname, "wlp0s20f3")
		ae.Uint32(nlIftype, nlIftypeStation)
		ae.Bytes(nlMAC, []byte{0x3e, 1, 2, 3, 4, 5})
		ae.Bytes(nlSSID, []byte("Corp"))
		ae.Uint32(nlFrequency, 5180)
		ae.Uint32(nlChannelWidth, 3)
	})
}

func TestInterfaceAnswer(t *testing.T) {
	w, err := parseWifiInterface(encodeInterface(t))
	if err != nil || w.name != "wlp0s20f3" || w.index != 3 || w.kind != nlIftypeStation || w.ssid != "Corp" || w.frequency != 5180 || w.width == nil || *w.width != 80 || w.mac[0] != 0x3e {
		t.Errorf("%+v, %v", w, err)
	}
}

func TestScanAnswer(t *testing.T) {
	b, err := parseBSS(encodeBSS(t))
	if err != nil || b.bssid != ourAP || b.frequency != 5180 || b.signalDBm == nil || *b.signalDBm != -95 || b.status == nil || *b.status != bssAssociated || b.ssid() != "Corp" || b.seenMsAgo != 120 {
		t.Errorf("%+v, %v", b, err)
	}
	if _, err := parseBSS([]byte{1, 2, 3}); err == nil {
		t.Error("rubbish was taken for an access point")
	}
}

func TestStationAndSurveyAnswers(t *testing.T) {
	s, err := parseStation(encodeStation(t))
	if err != nil || s.mac != ourAP || s.authorized == nil || !*s.authorized || s.protected == nil || *s.protected {
		t.Errorf("%+v, %v", s, err)
	}
	channel, err := parseSurvey(encodeSurvey(t))
	if err != nil || !channel.inUse {
		t.Errorf("%+v, %v", channel, err)
	}
	got := &constatv1.Radio{}
	addStation(got, s)
	addSurvey(got, []survey{{frequency: 5180, noiseDBm: set(int32(-1))}, channel}, 5180)
	want := &constatv1.Radio{
		SignalDbm: set(int32(-71)), RxMbps: set(6.5), TxMbps: set(866.7), RetryPercent: set(10.0), FailedPercent: set(1.0),
		NoiseDbm: set(int32(-92)), ChannelBusyPercent: set(76.5),
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("radio (-want +got):\n%s", diff)
	}
	// A driver that measures nothing, or rubbish.
	got = &constatv1.Radio{}
	addStation(got, station{retries: set(uint32(3)), failures: set(uint32(3)), packets: set(uint32(0))})
	addSurvey(got, []survey{{frequency: 2437, time: set(uint64(1)), busy: set(uint64(2))}, {noiseDBm: set(int32(-1))}}, 2437)
	if diff := cmp.Diff(&constatv1.Radio{}, got, protocmp.Transform()); diff != "" {
		t.Errorf("facts out of nothing:\n%s", diff)
	}
}

func TestDecibels(t *testing.T) {
	for dBm, want := range map[float64]int32{-1: -1, -95: -95, -127: -127, 0: 0, 20: 0, -128: 0} {
		if got := decibels(dBm); (got == nil) != (want == 0) || got != nil && *got != want {
			t.Errorf("%v dBm became %v", dBm, got)
		}
	}
}

func FuzzNL80211(f *testing.F) {
	f.Add(encodeInterface(f))
	f.Add(encodeBSS(f))
	f.Add(encodeStation(f))
	f.Add(encodeSurvey(f))
	f.Fuzz(func(t *testing.T, content []byte) {
		r := &constatv1.Radio{}
		if w, err := parseWifiInterface(content); err == nil {
			if len(w.ssid) > 3*maxSSID {
				t.Errorf("a name of %d bytes", len(w.ssid))
			}
			r.BandGhz, r.Channel = bandOf(w.frequency)
		}
		if s, err := parseStation(content); err == nil {
			addStation(r, s)
		}
		if s, err := parseSurvey(content); err == nil {
			addSurvey(r, []survey{s}, s.frequency)
		}
		if b, err := parseBSS(content); err == nil {
			addHeard(r, []bss{b, b}, nil, nil)
			radioState([]bss{b}, nil)
		}
		for _, share := range []*float64{r.RetryPercent, r.FailedPercent, r.ChannelBusyPercent} {
			if share != nil && !(*share >= 0 && *share <= 100) {
				t.Errorf("impossible share: %v", r)
			}
		}
		if r.GetSignalDbm() > 0 || r.GetNoiseDbm() > 0 || r.GetNetworksHeard() > 1 {
			t.Errorf("impossible radio: %v", r)
		}
	})
}
