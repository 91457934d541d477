package console

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"constat/collector/desk"
	constatv1 "constat/proto/constat/v1"
)

// printerView is how a printer says it is.
type printerView struct {
	State, Tone string
	// Reasons are what it wants, in words, what stops it first.
	Reasons         []string
	Supplies, Trays []levelRow
	Alerts          []string
}

// levelRow is a supply or a tray.
type levelRow struct {
	Name, Detail, Level, Tone string
}

// levelTones colour what is left, or the room that is.
var levelTones = map[string]string{"ok": "good", "low": "warn", "empty": "bad", "full": "bad", "missing": "bad", "open": "warn"}

// printer words what a printer told.
func (s *speech) printer(p *constatv1.Printer) *printerView {
	if p == nil {
		return nil
	}
	v := &printerView{State: s.word("printerState", p.GetState()), Tone: "hollow"}
	stops := slices.ContainsFunc(p.GetStateReasons(), func(r string) bool { return strings.HasSuffix(r, "-error") })
	switch {
	case p.GetState() == "stopped":
		v.Tone = "bad"
	case p.State != nil:
		v.Tone = "good"
	case stops:
		v.State, v.Tone = s.word("printerState", "stopped"), "bad"
	}
	reasons := slices.Clone(p.GetStateReasons())
	slices.SortStableFunc(reasons, func(a, b string) int { return cmp.Compare(severity(a), severity(b)) })
	for _, reason := range reasons {
		stem := reason
		for _, end := range []string{"-report", "-warning", "-error"} {
			stem = strings.TrimSuffix(stem, end)
		}
		if text := s.word("printerReason", stem); stem != "none" && !slices.Contains(v.Reasons, text) {
			v.Reasons = append(v.Reasons, text)
		}
	}
	level := func(percent *int32, state string) string {
		if percent != nil && (state == "ok" || state == "low") {
			return s.quantity("percent", float64(*percent))
		}
		return s.word("level", cmp.Or(state, "unknown"))
	}
	for _, one := range p.GetSupplies() {
		v.Supplies = append(v.Supplies, levelRow{cmp.Or(one.GetName(), one.GetColour(), one.GetKind()), "", level(one.Percent, one.GetState()), levelTones[one.GetState()]})
	}
	for _, one := range p.GetTrays() {
		tone := levelTones[one.GetState()]
		if one.GetState() == "empty" && p.GetState() != "stopped" { // it may print from another
			tone = "warn"
		}
		v.Trays = append(v.Trays, levelRow{one.GetName(), one.GetMedia(), level(one.Percent, one.GetState()), tone})
	}
	for _, one := range p.GetAlerts() {
		if text := one.GetDescription(); text != "" && one.GetSeverity() != "other" && !slices.Contains(v.Alerts, text) {
			v.Alerts = append(v.Alerts, text)
		}
	}
	return v
}

// severity orders reasons: what stops a printer comes first.
func severity(reason string) int {
	switch {
	case strings.HasSuffix(reason, "-warning"):
		return 1
	case strings.HasSuffix(reason, "-report"):
		return 2
	}
	return 0
}

// printerCard is a printer behind the queues of a ticket's machine, and its port.
type printerCard struct {
	*desk.Printer
	Told       *printerView
	Name       string
	QueueNames string
	// Silent: the machine does not reach it.
	Silent bool
	// Port says how its switch port is; PortTone colours it.
	Port, PortTone string
}

// concernsPrinting tells whether a ticket's page shows printers.
func concernsPrinting(ticket *constatv1.Ticket, found *constatv1.Diagnosis) bool {
	return ticket.GetCategory() == "printing" || found.GetProcedure() == "printing" || strings.HasPrefix(ticket.GetRootCause(), "printer-")
}

// printers tells of the printers behind the queues of a ticket's machine.
func (c *console) printers(v *visit, endpoint string) ([]*printerCard, error) {
	if endpoint == "" {
		return nil, nil
	}
	found, err := c.desk.Printers(v.Context(), endpoint)
	if errors.Is(err, desk.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var cards []*printerCard
	for _, p := range found {
		card := &printerCard{
			Printer: p, Told: v.speech.printer(p.Polled), QueueNames: strings.Join(p.Queues, ", "), Silent: p.Own.Reachable != nil && !p.Own.GetReachable(),
			Name: cmp.Or(p.Polled.GetModel(), p.Own.GetModel(), p.Device.GetModel(), p.Own.GetAddress(), p.Own.GetId()),
		}
		if p.Socket != nil {
			card.Port, card.PortTone = v.speech.printerPort(p.Socket)
		}
		cards = append(cards, card)
	}
	return cards, nil
}

// printerPort says how the port of a printer is.
func (s *speech) printerPort(found *desk.Socket) (text, tone string) {
	if found.State != "ok" && found.State != "partial" {
		return s.say("socket.silent"), "hollow"
	}
	if text, tone = s.portVerdict(found, nil); text == "" {
		text, tone = s.portState(found.GetPort())
	}
	return text, tone
}
