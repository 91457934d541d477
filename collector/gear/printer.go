package gear

import (
	"cmp"
	"context"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/snmp/printermib"
	constatv1 "constat/proto/constat/v1"
)

// printer reads what a printer has beyond a network device.
func (p *poll) printer(ctx context.Context) error {
	printer, description, err := printermib.Read(ctx, p.session)
	id := p.out.GetIdentity()
	if printer != nil {
		id.Model, id.Serial = cmp.Or(id.Model, present(description), printer.Model), cmp.Or(id.Serial, printer.Serial)
	}
	fallBack(id, p.description)
	if printer == nil {
		return err
	}
	p.plan.Printer = true
	printer.Connection, printer.Reachable, printer.Sources = proto.String("network"), proto.Bool(true), []string{"snmp"}
	printer.Model = cmp.Or(printer.Model, id.Model)
	printer.Id = cmp.Or(printer.Serial, id.Name)
	p.out.Printer = printer
	return err
}

// Snapshot is what a device said as its rules see it, by whom it is told: a
// printer's faults are told of what was polled of it, as those of the printers
// behind an endpoint's queues are.
func Snapshot(g *constatv1.Gear, source string, now time.Time) *constatv1.Snapshot {
	s := &constatv1.Snapshot{Gear: g, Manifest: &constatv1.Manifest{TakenAt: timestamppb.New(now)}}
	groups := []string{"gear"}
	if g.Printer != nil {
		p := proto.CloneOf(g.Printer)
		p.Brand = cmp.Or(p.Brand, g.GetIdentity().Vendor)
		s.Polled, groups = &constatv1.Polled{Printers: []*constatv1.Printer{p}}, append(groups, "polled")
	}
	for _, group := range groups {
		o := &constatv1.Observation{Status: "observed", Source: source, At: timestamppb.New(now)}
		if group == "polled" && g.GetPollResult() != "ok" { // what was not read is not known to be well
			for _, fact := range []string{"state_reasons", "supplies", "trays", "alerts"} {
				o.Gaps = append(o.Gaps, &constatv1.Gap{Fact: "printers." + fact, Status: "failed", Reason: "the poll ended before"})
			}
		}
		s.Manifest.Groups = append(s.Manifest.Groups, &constatv1.GroupEntry{Group: group, Observation: o})
	}
	return s
}
