package console

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"constat/collector/desk"
	"constat/collector/store"
	constatv1 "constat/proto/constat/v1"
)

// socketView is both ends of a machine's cable.
type socketView struct {
	*desk.Socket
	// Verdict says in one sentence how the port is; Tone colours it.
	Verdict, Tone string
	Rows          []socketRow
}

// socketRow is one fact, as the switch and as the machine tells it.
type socketRow struct {
	Label, Port, Own string
	// Tone colours the port's state.
	Tone string
	// OneSided: the machine has no such fact.
	OneSided bool
}

// bothSides are the facts that both ends of a cable have.
var bothSides = []string{"name", "state", "speed"}

// socket tells where a ticket's machine is plugged in; nil when that is not known.
func (c *console) socket(v *visit, endpoint string) (*socketView, error) {
	if endpoint == "" {
		return nil, nil
	}
	found, err := c.desk.Socket(v.Context(), endpoint)
	if errors.Is(err, desk.ErrNotFound) || err == nil && found == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, p, own := v.speech, found.GetPort(), found.Link
	view := &socketView{Socket: found}
	row := func(id, port, mine string) {
		if port != "" || mine != "" {
			view.Rows = append(view.Rows, socketRow{Label: s.say("socket." + id), Port: port, Own: mine, OneSided: !slices.Contains(bothSides, id)})
		}
	}
	if p == nil {
		return view, nil
	}
	state, tone := s.portState(p)
	mine := s.word("oper", own.GetOperStatus())
	if own != nil && own.Carrier != nil && !own.GetCarrier() {
		mine = s.say("socket.noSignal")
	}
	row("name", strings.TrimSpace(p.GetName()+" "+p.GetAlias()), own.GetName())
	row("state", state, mine)
	view.Rows[len(view.Rows)-1].Tone = tone
	if own == nil {
		own = &constatv1.Link{}
	}
	mine = s.portSpeed(own.SpeedMbps, own.Duplex)
	if virtual(own) { // what it says of its speed is made up
		mine = s.say("socket.virtual")
	}
	row("speed", s.portSpeed(p.SpeedMbps, p.Duplex), mine)
	row("vlan", s.portVLAN(p), "")
	row("errors", s.portErrors(p), "")
	day, err := c.portDay(v, found.GetGearId(), p, found.ReplacedAt)
	if err != nil {
		return nil, err
	}
	row("errorsDay", s.errorsOfDay(day, p, c.now()), "")
	if found.State == "ok" || found.State == "partial" {
		view.Verdict, view.Tone = s.portVerdict(found, day)
	}
	row("power", s.portPower(p), "")
	row("neighbours", neighbourNames(found.Neighbours), "")
	row("via", s.between(found.Attachment), "")
	switch n := found.GetStations(); {
	case n > 2 && found.GetVia() == "":
		row("stations", s.say("socket.unmanaged", "N", n), "")
	case n > 1:
		row("stations", fmt.Sprint(n), "")
	}
	if p.LastChangeAt != nil {
		row("changed", s.ago(p.GetLastChangeAt().AsTime(), c.now()), "")
	}
	if e := p.GetLastEvent(); e != nil {
		row("event", s.say("socket.eventAt", "Ago", s.ago(e.GetAt().AsTime(), c.now()), "Event", s.event(e), "Source", s.word("eventSource", e.GetSource())), "")
	}
	return view, nil
}

// event says what a device told.
func (s *speech) event(e *constatv1.GearEvent) string {
	text := s.word("event", e.GetKind())
	if e.GetCause() != "" {
		text += ": " + e.GetCause()
	}
	return text
}

// between says who stands between a port and the machine.
func (s *speech) between(a *constatv1.Attachment) string {
	words := map[string]string{"phone": "socket.viaPhone", "accessPoint": "socket.viaAccessPoint", "hypervisor": "socket.viaHypervisor"}
	if a.GetVia() == "" || words[a.GetViaKind()] == "" {
		return ""
	}
	return s.say(words[a.GetViaKind()], "Name", a.GetVia())
}

// virtual tells an adapter of software.
func virtual(l *constatv1.Link) bool {
	return l != nil && (l.GetKind() == "veth" || l.Physical != nil && !l.GetPhysical())
}

// portVerdict answers what is asked first: is the port well? It says well only of
// what was seen to be.
func (s *speech) portVerdict(found *desk.Socket, day map[store.Measure][]store.HourSum) (text, tone string) {
	p, own := found.GetPort(), found.Link
	vlan := p.GetVlan()
	if p.Dot1XVlan != nil {
		vlan = p.GetDot1XVlan()
	}
	counted, counts := s.countedOfDay(day, p)
	lately := p.GetInErrors() + p.GetOutErrors() + p.GetCrcErrors() + p.GetLateCollisions() + p.GetOutDiscards()
	counted = counted || p.DeltaSeconds != nil && (p.InErrors != nil || p.CrcErrors != nil)
	switch {
	case p.GetErrDisableCause() != "":
		return s.say("socket.verdict.errDisabled", "Cause", s.word("errDisable", p.GetErrDisableCause())), "bad"
	case p.GetAdminStatus() == "down":
		return s.say("socket.verdict.shut"), "bad"
	case p.GetPoe().GetDenied():
		return s.say("socket.verdict.power"), "bad"
	case p.OperStatus == nil:
		return "", ""
	case p.GetOperStatus() != "up":
		return s.say("socket.verdict.down"), "hollow"
	case slices.Contains([]string{"failed", "unauthorized"}, p.GetDot1XState()):
		return s.say("socket.verdict.refused"), "bad"
	case found.ExpectedVlan != nil && vlan != 0 && vlan != found.GetExpectedVlan():
		return s.say("socket.verdict.vlan", "VLAN", vlan, "Expected", found.GetExpectedVlan()), "warn"
	case p.Duplex != nil && own.GetDuplex() != "" && p.GetDuplex() != own.GetDuplex() && !virtual(own):
		return s.say("socket.verdict.duplex", "Port", s.word("duplex", p.GetDuplex()), "Own", s.word("duplex", own.GetDuplex())), "warn"
	case p.GetDuplex() == "half" && p.GetLateCollisions() > 0:
		return s.say("socket.verdict.half"), "warn"
	case counts != "" || lately > 0:
		return s.say("socket.verdict.errors"), "warn"
	case counted:
		return s.say("socket.verdict.well"), "good"
	}
	return s.say("socket.verdict.up"), "hollow"
}
