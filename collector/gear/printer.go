package gear

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

const (
	printerName   = "1.3.6.1.2.1.43.5.1.1.16" // prtGeneralPrinterName
	printerSerial = "1.3.6.1.2.1.43.5.1.1.17" // prtGeneralSerialNumber
	deviceType    = "1.3.6.1.2.1.25.3.2.1.2"  // hrDeviceType
	deviceDescr   = "1.3.6.1.2.1.25.3.2.1.3"  // hrDeviceDescr
	colorantValue = "1.3.6.1.2.1.43.12.1.1.4" // prtMarkerColorantValue
	isPrinter     = "1.3.6.1.2.1.25.3.1.5"    // hrDevicePrinter
)

// supply is a row of prtMarkerSuppliesTable (Printer-MIB, RFC 3805).
type supply struct {
	description                 string
	colorant, class, kind, unit int64
	capacity, level             *int64
}

var supplyColumns = []column[supply]{
	{"prtMarkerSuppliesColorantIndex", "1.3.6.1.2.1.43.11.1.1.3", func(r *supply, v snmp.Value) { r.colorant, _ = v.Int() }},
	{"prtMarkerSuppliesClass", "1.3.6.1.2.1.43.11.1.1.4", func(r *supply, v snmp.Value) { r.class, _ = v.Int() }},
	{"prtMarkerSuppliesType", "1.3.6.1.2.1.43.11.1.1.5", func(r *supply, v snmp.Value) { r.kind, _ = v.Int() }},
	{"prtMarkerSuppliesDescription", "1.3.6.1.2.1.43.11.1.1.6", func(r *supply, v snmp.Value) { r.description = v.Text() }},
	{"prtMarkerSuppliesSupplyUnit", "1.3.6.1.2.1.43.11.1.1.7", func(r *supply, v snmp.Value) { r.unit, _ = v.Int() }},
	{"prtMarkerSuppliesMaxCapacity", "1.3.6.1.2.1.43.11.1.1.8", func(r *supply, v snmp.Value) { r.capacity = integer(v) }},
	{"prtMarkerSuppliesLevel", "1.3.6.1.2.1.43.11.1.1.9", func(r *supply, v snmp.Value) { r.level = integer(v) }},
}

// Numbers of the Printer-MIB with a meaning of their own.
const (
	receptacle  = 4  // prtMarkerSuppliesClass: it fills up
	unitPercent = 19 // prtMarkerSuppliesSupplyUnit: the level is a percentage
	someLeft    = -3 // prtMarkerSuppliesLevel
	lowPercent  = 10
)

// supplyKinds are PrtMarkerSuppliesTypeTC, folded.
var supplyKinds = map[int64]string{
	3: "toner", 4: "wasteToner", 5: "ink", 6: "ink", 7: "ink", 8: "wasteInk", 9: "drum", 15: "fuser", 20: "fuser", 21: "toner",
}

// percent is how much is left; of a receptacle, how much room (RFC 3805,
// prtMarkerSuppliesLevel). ok is false where the device does not tell: -2 is
// unknown, -3 some, -1 no limit; and some tell a level without a capacity.
func (r *supply) percent() (int32, bool) {
	if r.level == nil || *r.level < 0 {
		return 0, false
	}
	full := int64(0)
	if r.capacity != nil {
		full = *r.capacity
	}
	if full <= 0 && r.unit == unitPercent {
		full = 100
	}
	if full <= 0 {
		return 0, false
	}
	// Devices tell more than full for a cartridge of a larger kind.
	return int32(min((*r.level*200+full)/(2*full), 100)), true
}

func (r *supply) state() string {
	percent, known := r.percent()
	switch {
	case r.level == nil || *r.level < 0 && *r.level != someLeft:
		return "unknown"
	case *r.level == 0 && r.class == receptacle:
		return "full"
	case *r.level == 0:
		return "empty"
	case known && percent <= lowPercent:
		return "low"
	}
	return "ok"
}

var (
	alertSeverities = words{1: "other", 3: "critical", 4: "warning", 5: "warning"}
	alertTrainings  = words{1: "other", 2: "unknown", 3: "untrained", 4: "trained", 5: "fieldService", 6: "management", 7: "noInterventionRequired"}
	// alertGroups are PrtAlertGroupTC.
	alertGroups = words{
		1: "other", 3: "hostResourcesMIBStorageTable", 4: "hostResourcesMIBDeviceTable", 5: "generalPrinter", 6: "cover", 7: "localization", 8: "input",
		9: "output", 10: "marker", 11: "markerSupplies", 12: "markerColorant", 13: "mediaPath", 14: "channel", 15: "interpreter",
		16: "consoleDisplayBuffer", 17: "consoleLights", 18: "alert", 30: "finDevice", 31: "finSupply", 32: "finSupplyMediaInput", 33: "finAttribute",
	}
)

// alertColumns are prtAlertTable, by printer and a number.
var alertColumns = []column[constatv1.PrinterAlert]{
	{"prtAlertSeverityLevel", "1.3.6.1.2.1.43.18.1.1.2", func(r *constatv1.PrinterAlert, v snmp.Value) { r.Severity = alertSeverities.of(v) }},
	{"prtAlertTrainingLevel", "1.3.6.1.2.1.43.18.1.1.3", func(r *constatv1.PrinterAlert, v snmp.Value) { r.Training = alertTrainings.of(v) }},
	{"prtAlertGroup", "1.3.6.1.2.1.43.18.1.1.4", func(r *constatv1.PrinterAlert, v snmp.Value) { r.Group = alertGroups.of(v) }},
	{"prtAlertLocation", "1.3.6.1.2.1.43.18.1.1.6", func(r *constatv1.PrinterAlert, v snmp.Value) { r.Location = small(v) }},
	{"prtAlertCode", "1.3.6.1.2.1.43.18.1.1.7", func(r *constatv1.PrinterAlert, v snmp.Value) { r.Code = small(v) }},
	{"prtAlertDescription", "1.3.6.1.2.1.43.18.1.1.8", func(r *constatv1.PrinterAlert, v snmp.Value) { r.Description = text(v) }},
}

// printer reads what a printer has beyond a network device.
func (p *poll) printer(ctx context.Context) error {
	supplies, err := walk(ctx, p.session, supplyColumns)
	if err != nil {
		return err
	}
	columns := []string{printerName, printerSerial, deviceType, deviceDescr, colorantValue}
	found := map[string]map[string]snmp.Value{}
	for _, c := range columns {
		found[c] = map[string]snmp.Value{}
	}
	err = p.session.Walk(ctx, columns, func(column int, index string, v snmp.Value) { found[columns[column]][index] = v })
	if err != nil {
		return err
	}
	var model string
	for _, index := range byIndex(found[deviceDescr]) {
		kind := found[deviceType][index].OID()
		if kind == isPrinter || kind == "" && len(supplies) > 0 {
			model = cmp.Or(model, found[deviceDescr][index].Text())
		}
	}
	if model == "" && len(supplies)+len(found[printerName])+len(found[printerSerial]) == 0 {
		return nil // no printer
	}
	first := func(column string) string {
		for _, index := range byIndex(found[column]) {
			return found[column][index].Text()
		}
		return ""
	}
	id := p.out.GetIdentity()
	id.Model = cmp.Or(id.Model, present(cmp.Or(model, first(printerName))))
	id.Serial = cmp.Or(id.Serial, present(first(printerSerial)))
	for _, index := range byIndex(supplies) {
		r := supplies[index]
		printer, _, _ := strings.Cut(index, ".")
		s := &constatv1.Supply{
			Name: present(r.description), Kind: proto.String(cmp.Or(supplyKinds[r.kind], "other")), State: proto.String(r.state()),
			Colour: present(strings.ToLower(found[colorantValue][printer+"."+strconv.FormatInt(r.colorant, 10)].Text())),
		}
		if percent, ok := r.percent(); ok {
			s.Percent = proto.Int32(percent)
		}
		p.out.Supplies = append(p.out.Supplies, s)
	}
	alerts, err := walk(ctx, p.session, alertColumns)
	for _, index := range byIndex(alerts) {
		p.out.Alerts = append(p.out.Alerts, alerts[index])
	}
	return err
}
