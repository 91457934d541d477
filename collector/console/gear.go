package console

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	"constat/collector/store"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// devices lists the gear that is polled.
func (c *console) devices(w http.ResponseWriter, v *visit) error {
	list, err := c.desk.Devices(v.Context())
	if err != nil {
		return err
	}
	return c.render(w, v, http.StatusOK, "gear", "gear", list.GetDevices())
}

// deviceView is the page of one device.
type deviceView struct {
	Device    *deskv1.Device
	Gear      *constatv1.Gear
	TakenAt   *timestamppb.Timestamp
	Diagnosis *constatv1.Diagnosis
	History   []desk.Recurrence
	// Peripherals is the printer that it is, where a machine knows it.
	Peripherals []*desk.Peripheral
	// Printer is how it is as a printer; nil: it is none.
	Printer *printerView
	Ports   []portRow
	// Powered and Counted tell whether any port has a word on it.
	Powered, Counted bool
	Events           []eventRow
	chartsView
}

// eventRow is what a device told by itself.
type eventRow struct {
	At                               *timestamppb.Timestamp
	What, Port, Source, Text, Repeat string
}

// chartsView is the charts of a page.
type chartsView struct {
	Span  span
	Spans []span
	// Charts are those with something to draw; Measured: there may be some later.
	Charts   []*chartView
	Measured bool
	// Breaks say since when another device is measured than before.
	Breaks []string
}

// portRow is a port in the list of a device's.
type portRow struct {
	Index                                                            int32
	Name, State, Tone, VLAN, Speed, Errors, Power, Neighbours, Alias string
}

// device shows what a device said last, port by port.
func (c *console) device(w http.ResponseWriter, v *visit) error {
	found, err := c.desk.Device(v.Context(), v.PathValue("id"))
	if err != nil {
		return err
	}
	view := deviceView{Device: found.GetDevice(), Gear: found.GetGear(), TakenAt: found.GetTakenAt(), Diagnosis: found.GetDiagnosis()}
	view.Printer = v.speech.printer(view.Gear.GetPrinter())
	of := desk.Subject{Gear: view.Device.GetId()}
	if view.Gear.GetPrinter() != nil {
		own, err := c.desk.PeripheralOfPrinter(v.Context(), view.Gear.GetPrinter())
		if err != nil {
			return err
		}
		if own != nil {
			of.Peripheral, view.Peripherals = own.ID, []*desk.Peripheral{own}
		}
	}
	if view.History, err = c.desk.History(v.Context(), of); err != nil {
		return err
	}
	neighbours := map[int32][]*constatv1.GearNeighbour{}
	for _, n := range view.Gear.GetNeighbours() {
		if n.LocalIfIndex != nil {
			neighbours[n.GetLocalIfIndex()] = append(neighbours[n.GetLocalIfIndex()], n)
		}
	}
	for _, p := range view.Gear.GetInterfaces() {
		state, tone := v.speech.portState(p)
		view.Ports = append(view.Ports, portRow{
			Index: p.GetIfIndex(), Name: cmp.Or(p.GetName(), fmt.Sprint(p.GetIfIndex())), State: state, Tone: tone, VLAN: v.speech.portVLAN(p), Speed: v.speech.portSpeed(p.SpeedMbps, p.Duplex),
			Errors: v.speech.portErrors(p), Power: v.speech.portPower(p), Neighbours: neighbourNames(neighbours[p.GetIfIndex()]), Alias: p.GetAlias(),
		})
	}
	for _, p := range view.Ports {
		view.Powered, view.Counted = view.Powered || p.Power != "", view.Counted || p.Errors != ""
	}
	view.chartsView = newChartsView(v)
	measured, err := c.desk.Measured(v.Context(), view.Device.GetId(), view.Span.length, deviceMeasures)
	if err != nil {
		return err
	}
	view.draws(v.speech.deviceCharts(measured, view.Span, c.now()), v.speech.replacements(found, c.now()), c.now())
	for _, e := range found.GetEvents() {
		row := eventRow{At: e.GetAt(), What: v.speech.event(e), Port: e.GetPort(), Source: v.speech.word("eventSource", e.GetSource()), Text: strings.TrimSpace(e.GetMnemonic() + " " + e.GetText())}
		if e.GetKind() == "replaced" {
			row.Text = v.speech.replacement(e)
		}
		if e.GetCount() > 1 {
			row.Repeat = v.speech.say("gear.eventCount", "N", e.GetCount())
		}
		view.Events = append(view.Events, row)
	}
	return c.render(w, v, http.StatusOK, "device", "gear", view)
}

func newChartsView(v *visit) chartsView {
	return chartsView{Span: pickSpan(v.URL.Query().Get("span")), Spans: spans, Measured: true}
}

// portView is the page of one port.
type portView struct {
	Device            *deskv1.Device
	TakenAt           *timestamppb.Timestamp
	Name, State, Tone string
	Facts             []socketRow
	chartsView
}

// devicePort shows one port of a device, and what was measured of it.
func (c *console) devicePort(w http.ResponseWriter, v *visit) error {
	found, err := c.desk.Device(v.Context(), v.PathValue("id"))
	if err != nil {
		return err
	}
	s, g := v.speech, found.GetGear()
	i := slices.IndexFunc(g.GetInterfaces(), func(p *constatv1.GearInterface) bool { return fmt.Sprint(p.GetIfIndex()) == v.PathValue("port") })
	if i < 0 {
		return desk.ErrNotFound
	}
	p := g.GetInterfaces()[i]
	view := portView{Device: found.GetDevice(), TakenAt: found.GetTakenAt(), Name: cmp.Or(p.GetName(), fmt.Sprint(p.GetIfIndex())), chartsView: newChartsView(v)}
	view.State, view.Tone = s.portState(p)
	part := fmt.Sprint(p.GetIfIndex())
	measured, err := c.desk.Measured(v.Context(), view.Device.GetId(), view.Span.length, func(m store.Measure) bool { return m.Part == part })
	if err != nil {
		return err
	}
	view.draws(s.portCharts(measured, part, view.Span, c.now()), s.replacements(found, c.now()), c.now())
	var neighbours []*constatv1.GearNeighbour
	for _, n := range g.GetNeighbours() {
		if n.LocalIfIndex != nil && n.GetLocalIfIndex() == p.GetIfIndex() {
			neighbours = append(neighbours, n)
		}
	}
	day := measured
	if view.Span != spans[0] || view.Device.ReplacedAt != nil {
		if day, err = c.portDay(v, view.Device.GetId(), p, view.Device.ReplacedAt); err != nil {
			return err
		}
	}
	changed := ""
	if p.LastChangeAt != nil {
		changed = s.ago(p.GetLastChangeAt().AsTime(), c.now())
	}
	for _, fact := range [][2]string{
		{"alias", p.GetAlias()}, {"speed", s.portSpeed(p.SpeedMbps, p.Duplex)}, {"vlan", s.portVLAN(p)}, {"power", s.portPower(p)},
		{"neighbours", neighbourNames(neighbours)}, {"changed", changed}, {"errors", s.portErrors(p)}, {"errorsDay", s.errorsOfDay(day, p, c.now())},
	} {
		if fact[1] != "" {
			view.Facts = append(view.Facts, socketRow{Label: s.say("socket." + fact[0]), Port: fact[1]})
		}
	}
	return c.render(w, v, http.StatusOK, "port", "gear", view)
}

// portDay is what was measured of a port in the last day, and of the device that
// is there now.
func (c *console) portDay(v *visit, gearID string, p *constatv1.GearInterface, replaced *timestamppb.Timestamp) (map[store.Measure][]store.HourSum, error) {
	part := fmt.Sprint(p.GetIfIndex())
	found, err := c.desk.Measured(v.Context(), gearID, spans[0].length, func(m store.Measure) bool {
		return m.Part == part && slices.Contains(portCounts, m.Kind)
	})
	for name := range found {
		found[name] = slices.DeleteFunc(found[name], func(x store.HourSum) bool { return replaced != nil && x.At.Before(replaced.AsTime()) })
	}
	return found, err
}

// portState says how a port is, and its colour.
func (s *speech) portState(p *constatv1.GearInterface) (text, tone string) {
	switch {
	case p.GetErrDisableCause() != "":
		return s.say("port.errDisabled", "Cause", p.GetErrDisableCause()), "bad"
	case p.GetAdminStatus() == "down":
		return s.say("port.shut"), "warn"
	case p.GetOperStatus() == "up":
		return s.word("oper", "up"), "good"
	}
	return s.word("oper", p.GetOperStatus()), "hollow"
}

func (s *speech) portVLAN(p *constatv1.GearInterface) string {
	switch {
	case p.GetTrunk() && p.NativeVlan != nil:
		return s.say("port.trunkNative", "VLAN", p.GetNativeVlan())
	case p.GetTrunk():
		return s.say("port.trunk")
	case p.Vlan == nil:
		return ""
	case p.VoiceVlan != nil:
		return s.say("port.voice", "VLAN", p.GetVlan(), "Voice", p.GetVoiceVlan())
	}
	return fmt.Sprint(p.GetVlan())
}

func (s *speech) portSpeed(mbps *int32, duplex *string) string {
	var words []string
	if mbps != nil && *mbps > 0 {
		words = append(words, s.quantity("mbps", float64(*mbps)))
	}
	if duplex != nil && *duplex != "" {
		words = append(words, s.word("duplex", *duplex))
	}
	return strings.Join(words, ", ")
}

// portErrors tells what a port counted since the poll before; nothing when it was
// polled only once.
func (s *speech) portErrors(p *constatv1.GearInterface) string {
	if p.DeltaSeconds == nil {
		return ""
	}
	var words []string
	for _, count := range []struct {
		id string
		n  *int64
	}{
		{"in", p.InErrors}, {"out", p.OutErrors}, {"crc", p.CrcErrors}, {"late", p.LateCollisions}, {"discards", p.OutDiscards},
	} {
		if count.n != nil && *count.n > 0 {
			words = append(words, s.say("port.errors."+count.id, "N", *count.n))
		}
	}
	span := s.quantity("seconds", float64(p.GetDeltaSeconds()))
	if minutes := (p.GetDeltaSeconds() + 30) / 60; minutes > 1 {
		span = s.say("port.minutes", "N", minutes)
	}
	if len(words) == 0 {
		if p.InErrors == nil && p.CrcErrors == nil {
			return ""
		}
		return s.say("port.errors.none", "Span", span)
	}
	return s.say("port.errors", "Errors", strings.Join(words, ", "), "Span", span)
}

func (s *speech) portPower(p *constatv1.GearInterface) string {
	poe := p.GetPoe()
	if poe == nil || poe.State == nil {
		return ""
	}
	text := s.word("poe", poe.GetState())
	if poe.GetDenied() {
		text = s.say("port.powerDenied")
	}
	if poe.Watts != nil && poe.GetState() == "deliveringPower" {
		text += ", " + s.quantity("watts", poe.GetWatts())
	}
	return text
}

// neighbourNames lists who announces himself, each once though by two protocols.
func neighbourNames(neighbours []*constatv1.GearNeighbour) string {
	var names []string
	seen := map[string]bool{}
	for _, n := range neighbours {
		name := strings.TrimSpace(n.GetRemoteSystem() + " " + n.GetRemotePort())
		if name != "" && !seen[n.GetRemoteSystem()] {
			seen[n.GetRemoteSystem()] = true
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
