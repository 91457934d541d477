package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// maxRadios is how many wireless interfaces are looked at.
const maxRadios = 32

func readWifi(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	const phys, interfaces = "/sys/class/ieee80211/", "/sys/class/net/"
	names, err := r.names(phys)
	if err != nil {
		return nil, failed(phys, fmt.Errorf("the kernel has no wireless stack loaded, so no driver of a radio either: %w", err))
	}
	o := observed("nl80211, rfkill, D-Bus")
	w := &constatv1.Wifi{}
	blocks := r.radioBlocks()
	radios := map[string][]*radio{} // by phy
	for _, phy := range names[:min(len(names), maxRadios)] {
		radios[phy] = []*radio{newRadio(r, phy, blocks)}
	}
	links, _ := r.names(interfaces)
	for _, link := range links {
		phy := r.value(interfaces + link + "/phy80211/name")
		if target, err := r.link(interfaces + link + "/phy80211"); phy == "" && err == nil {
			phy = path.Base(target)
		}
		here := radios[phy]
		switch {
		case here == nil:
			continue
		case here[0].Link == nil:
			here[0].setLink(r, link)
		case len(here) < maxRadios:
			further := newRadio(r, phy, blocks)
			further.setLink(r, link)
			radios[phy] = append(here, further)
		}
	}
	var all []*radio
	for _, phy := range names {
		all = append(all, radios[phy]...)
	}
	bus, err := askWifiServices(ctx, r, w)
	if err != nil {
		gap(o, "service_state", err)
	}
	if bus != nil {
		defer bus.conn.Close()
	}
	if r.supplicantListens() {
		for _, one := range all {
			if err := one.askSupplicant(ctx, r); err != nil {
				gap(o, "radios.last_failure", fmt.Errorf("%s: %w", one.GetLink(), err))
			}
		}
	}
	if len(all) > 0 {
		if err := readAir(ctx, r, all, bus); err != nil {
			gap(o, "radios", err)
		}
		if err := readRadioLog(ctx, r, all); err != nil {
			gap(o, "radios.firmware_crashes", err)
			gap(o, "radios.last_disconnect_at", err)
		}
	}
	for _, one := range all {
		if bus != nil {
			bus.addFailures(ctx, one, o)
		}
		if one.supplicant != nil {
			one.supplicant.addTo(one.Radio)
		}
		w.Radios = append(w.Radios, one.Radio)
	}
	slices.SortStableFunc(w.Radios, func(a, b *constatv1.Radio) int { return strings.Compare(a.GetLink(), b.GetLink()) })
	return w, o
}

// radio is a radio under way.
type radio struct {
	*constatv1.Radio
	permanent string   // the address it was made with
	names     []string // of its phy and its device, as the kernel's log has them
	// supplicant is what wpa_supplicant's control socket says; nil: nothing.
	supplicant *supplicantWifi
}

// askSupplicant asks wpa_supplicant's control socket, before the radio is
// described: what it looks for is wanted there.
func (one *radio) askSupplicant(ctx context.Context, r *reader) error {
	if one.Link == nil {
		return nil
	}
	content, err := r.Privileged(ctx, "supplicant", one.GetLink())
	switch {
	case errors.Is(err, fs.ErrNotExist): // it leaves this link alone
		return nil
	case err != nil:
		return err
	}
	one.supplicant = parseSupplicantWifi(content)
	if one.supplicant != nil {
		one.Ssid = filled(one.supplicant.ssid)
	}
	return nil
}

func newRadio(r *reader, phy string, blocks map[string]block) *radio {
	one := &radio{Radio: &constatv1.Radio{Driver: r.driver("/sys/class/ieee80211/" + phy + "/device")}, permanent: r.value("/sys/class/ieee80211/" + phy + "/macaddress")}
	one.names = []string{phy}
	if target, err := r.link("/sys/class/ieee80211/" + phy + "/device"); err == nil {
		one.names = append(one.names, path.Base(target))
	}
	own, platform := blocks[phy], blocks[""]
	one.SoftBlocked, one.HardBlocked = either(own.soft, platform.soft), either(own.hard, platform.hard)
	if one.GetSoftBlocked() || one.GetHardBlocked() {
		one.State = set("off")
	}
	return one
}

func (one *radio) setLink(r *reader, link string) {
	one.Link = &link
	const up = 1 // IFF_UP
	if flags := r.hex("/sys/class/net/" + link + "/flags"); flags != nil && *flags&up == 0 {
		one.State = set("off")
	}
}

// block is what rfkill says of one radio, or of all: nil where it says nothing.
type block struct{ soft, hard *bool }

// radioBlocks reads the switches of Wi-Fi by the radio they are for; those of
// the platform, a key or a slider, are for all and stand under "".
func (r *reader) radioBlocks() map[string]block {
	const dir = "/sys/class/rfkill/"
	names, _ := r.names(dir) // not there: nothing can be blocked that way
	blocks := map[string]block{}
	for _, name := range names[:min(len(names), maxRadios)] {
		if r.value(dir+name+"/type") != "wlan" {
			continue
		}
		phy := ""
		if target, err := r.link(dir + name + "/device"); err == nil && strings.HasPrefix(path.Base(target), "phy") {
			phy = path.Base(target)
		} else if own := r.value(dir + name + "/name"); strings.HasPrefix(own, "phy") {
			phy = own
		}
		b := blocks[phy]
		b.soft, b.hard = either(b.soft, r.flag(dir+name+"/soft")), either(b.hard, r.flag(dir+name+"/hard"))
		blocks[phy] = b
	}
	return blocks
}

// either is true when one of two facts is; nil is none.
func either(a, b *bool) *bool {
	if a == nil || b != nil && *b {
		return b
	}
	return a
}

// readRadioLog adds how often the kernel logged that a radio's firmware crashed,
// and when one was parted from its network last. None in the log says nothing:
// an old log is cut.
func readRadioLog(ctx context.Context, r *reader, all []*radio) error {
	events, err := r.kernelLog(ctx)
	for _, e := range events {
		for _, one := range all {
			if e.kind == kernelRadio && slices.Contains(one.names, e.subject) {
				one.FirmwareCrashes = set(one.GetFirmwareCrashes() + 1)
			}
			if e.kind == kernelParted && e.subject == one.GetLink() {
				one.LastDisconnectAt = timestamppb.New(e.at.Truncate(time.Minute))
			}
		}
	}
	return err
}

// readAir asks nl80211 about all radios and adds what it tells. Files below a
// root are another machine's, whose kernel can't be asked.
func readAir(ctx context.Context, r *reader, all []*radio, bus *wifiBus) error {
	if r.Root != "" {
		return fmt.Errorf("nl80211: no kernel below %s: %w", r.Root, errors.ErrUnsupported)
	}
	c, err := genetlink.Dial(nil)
	if err != nil {
		return fmt.Errorf("nl80211: %w", err)
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetReadDeadline(deadline); err != nil {
			return fmt.Errorf("nl80211: %w", err)
		}
	}
	family, err := c.GetFamily("nl80211")
	if err != nil {
		return fmt.Errorf("nl80211: %w", err)
	}
	n := &nl80211{c, family}
	interfaces, err := dumpAll(n, nlGetInterface, 0, parseWifiInterface)
	if err != nil {
		return err
	}
	for _, w := range interfaces {
		i := slices.IndexFunc(all, func(one *radio) bool { return one.GetLink() == w.name })
		if w.name == "" || i < 0 {
			continue
		}
		wanted := bus.wanted(ctx)
		if s := all[i].supplicant; s != nil {
			wanted = append(wanted, s.wanted...)
		}
		if err := n.describe(all[i], w, wanted); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

// nl80211 is the kernel's wireless configuration.
type nl80211 struct {
	conn   *genetlink.Conn
	family genetlink.Family
}

// dumpAll asks for all of a kind, of one interface where index is not 0.
func dumpAll[T any](n *nl80211, command uint8, index uint32, parse func([]byte) (T, error)) ([]T, error) {
	ae := netlink.NewAttributeEncoder()
	if index != 0 {
		ae.Uint32(nlIfindex, index)
	}
	request, err := ae.Encode()
	if err != nil {
		return nil, fmt.Errorf("nl80211: %w", err)
	}
	answers, err := n.conn.Execute(genetlink.Message{
		Header: genetlink.Header{Command: command, Version: n.family.Version}, Data: request,
	}, n.family.ID, netlink.Request|netlink.Dump)
	if err != nil {
		return nil, fmt.Errorf("nl80211, command %d: %w", command, err)
	}
	all := make([]T, 0, len(answers))
	for _, a := range answers {
		one, err := parse(a.Data)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// describe adds what nl80211 tells of one interface.
func (n *nl80211) describe(one *radio, w wifiInterface, wanted []string) error {
	one.BandGhz, one.Channel = bandOf(w.frequency)
	one.WidthMhz = w.width
	if w.ssid != "" {
		one.Ssid = &w.ssid
	}
	one.RandomMac = randomAddress(w.mac, one.permanent)
	if w.kind != nlIftypeStation {
		return nil // an access point or a monitor joins nothing
	}
	if one.GetState() == "off" {
		return nil // what it heard is of before
	}
	heard, err := dumpAll(n, nlGetScan, w.index, parseBSS)
	if err != nil {
		return err
	}
	stations, err := dumpAll(n, nlGetStation, w.index, parseStation)
	if err != nil {
		return err
	}
	var ap *station
	if len(stations) > 0 {
		ap = &stations[0]
		addStation(one.Radio, *ap)
	}
	// Drivers need not measure their channel.
	surveys, _ := dumpAll(n, nlGetSurvey, w.index, parseSurvey)
	addSurvey(one.Radio, surveys, w.frequency)
	var protected *bool
	if ap != nil {
		protected = ap.protected
	}
	addHeard(one.Radio, heard, protected, wanted)
	if one.supplicant != nil {
		one.supplicant.addHeard(heard)
	}
	one.State = set(radioState(heard, ap))
	return nil
}
