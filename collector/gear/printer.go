package gear

import (
	"cmp"
	"context"

	"constat/internal/snmp/printermib"
)

// printer reads what a printer has beyond a network device.
func (p *poll) printer(ctx context.Context) error {
	printer, description, err := printermib.Read(ctx, p.session)
	id := p.out.GetIdentity()
	defer func() { fallBack(id, p.description) }()
	if printer == nil {
		return err
	}
	p.plan.Printer = true
	id.Model, id.Serial = cmp.Or(id.Model, present(description), printer.Model), cmp.Or(id.Serial, printer.Serial)
	p.out.Supplies, p.out.Alerts = printer.Supplies, printer.Alerts
	return err
}
