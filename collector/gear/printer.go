package gear

import (
	"cmp"
	"context"

	"constat/internal/snmp/printermib"
)

// printer reads what a printer has beyond a network device.
func (p *poll) printer(ctx context.Context) error {
	printer, description, err := printermib.Read(ctx, p.session)
	if printer == nil {
		return err
	}
	p.plan.Printer = true
	id := p.out.GetIdentity()
	id.Model, id.Serial = cmp.Or(id.Model, present(description), printer.Model), cmp.Or(id.Serial, printer.Serial)
	p.out.Supplies, p.out.Alerts = printer.Supplies, printer.Alerts
	return err
}
