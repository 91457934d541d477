package host

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// Objects of RFC 2790 (Host Resources), RFC 3805 (Printer) and PWG 5107.1 (Port
// Monitor). A printer has one of itself; the last number of an index tells rows
// apart.
var (
	hostDevices = oid{1, 3, 6, 1, 2, 1, 25, 3}
	printerMIB  = oid{1, 3, 6, 1, 2, 1, 43}

	hrDeviceDescr  = below(hostDevices, 2, 1, 3)
	hrDeviceStatus = below(hostDevices, 2, 1, 5)
	hrPrinterState = below(hostDevices, 5, 1, 1)
	hrPrinterError = below(hostDevices, 5, 1, 2)
	prtSerial      = below(printerMIB, 5, 1, 1, 17)
	ppmDeviceID    = oid{1, 3, 6, 1, 4, 1, 2699, 1, 2, 1, 2, 1, 1, 3}

	prtCoverStatus = below(printerMIB, 6, 1, 1, 3)
	prtInput       = below(printerMIB, 8, 2, 1)
	prtSupplies    = below(printerMIB, 11, 1, 1)
	prtColorant    = below(printerMIB, 12, 1, 1, 4)
	prtAlert       = below(printerMIB, 18, 1, 1)
)

func below(root oid, more ...uint32) oid { return slices.Concat(root, oid(more)) }

// Most rows of a printer's tables that are read.
const (
	maxTrays    = 16
	maxSupplied = 32
	maxAlerts   = 20
)

// columnsOf are columns of a table by their number.
func columnsOf(table oid, numbers ...uint32) []oid {
	var columns []oid
	for _, n := range numbers {
		columns = append(columns, below(table, n))
	}
	return columns
}

// mibTables is what was read of a printer, by column and row.
type mibTables map[string]map[uint32]snmpValue

func (t mibTables) column(o oid) map[uint32]snmpValue { return t[o.String()] }

// number and text are cells; nil and "" where there is none.
func (t mibTables) number(o oid, row uint32) *int64 {
	if v, there := t.column(o)[row]; there && v.isNumber {
		return &v.number
	}
	return nil
}

func (t mibTables) text(o oid, row uint32) string {
	return clean(strings.TrimRight(t.column(o)[row].octets, "\x00"))
}

// first is the first row of a column.
func (t mibTables) first(o oid) string {
	for _, row := range slices.Sorted(maps.Keys(t.column(o))) {
		if text := t.text(o, row); text != "" {
			return text
		}
	}
	return ""
}

// readPrinterMIB asks a printer for what it tells of itself. An error means that
// it told nothing.
func readPrinterMIB(ctx context.Context, talk *snmpTalk) (mibTables, error) {
	tables := mibTables{}
	var first error
	for i, part := range []struct {
		rows    int
		columns []oid
	}{
		{1, []oid{hrDeviceDescr, hrDeviceStatus, hrPrinterState, hrPrinterError, prtSerial, ppmDeviceID}},
		{maxAlerts, columnsOf(prtAlert, 2, 3, 4, 6, 7, 8)},
		{maxSupplied, append(columnsOf(prtSupplies, 3, 4, 5, 6, 8, 9), prtColorant)},
		{maxTrays, append(columnsOf(prtInput, 9, 10, 11, 12, 13), prtCoverStatus)},
	} {
		found, err := talk.walk(ctx, part.rows, part.columns...)
		maps.Copy(tables, found)
		if err != nil {
			if i == 0 && len(found) == 0 {
				return nil, err // silent: no further question is worth its time
			}
			first = cmp.Or(first, err)
		}
	}
	if len(tables) == 0 {
		return nil, cmp.Or(first, errBER)
	}
	return tables, nil
}

// detectedErrors are the bits of hrPrinterDetectedErrorState, first bit first,
// in IPP's words; "" for those that are told better elsewhere.
var detectedErrors = []string{
	"media-low-warning", "media-empty-error", "toner-low-warning", "toner-empty-error", "door-open-error", "media-jam-error", "offline-report", "",
	"input-tray-missing-error", "output-tray-missing-error", "marker-supply-missing-error", "output-area-almost-full-warning", "output-area-full-error", "media-empty-warning", "",
}

// Words of RFC 3805: prtAlertSeverityLevel, prtAlertTrainingLevel, prtAlertGroup
// and prtMarkerSuppliesType.
var (
	alertSeverities = map[int64]string{3: "critical", 4: "warning", 5: "warning"}
	alertTrainings  = map[int64]string{3: "untrained", 4: "trained", 5: "fieldService", 6: "management", 7: "noInterventionRequired"}
	alertGroups     = map[int64]string{
		5: "generalPrinter", 6: "cover", 7: "localization", 8: "input", 9: "output", 10: "marker", 11: "markerSupplies", 12: "markerColorant", 13: "mediaPath",
		14: "channel", 15: "interpreter", 16: "consoleDisplayBuffer", 17: "consoleLights", 18: "alert", 30: "finDevice", 31: "finSupply", 32: "finSupplyMediaInput",
	}
	supplyTypes = map[int64]string{3: "toner", 4: "wasteToner", 5: "ink", 6: "ink", 8: "wasteInk", 9: "drum", 15: "fuser", 21: "toner"}
)

// describeByMIB adds to a printer what its tables tell and what is not known of
// it yet: IPP tells more of most things. Alerts are in the tables only.
func describeByMIB(p *constatv1.Printer, t mibTables) {
	id := parse1284(t.first(ppmDeviceID))
	p.Serial = cmp.Or(p.Serial, filled(cmp.Or(t.first(prtSerial), id["SN"], id["SERN"], id["SERIALNUMBER"])))
	p.Manufacturer = cmp.Or(p.Manufacturer, filled(cmp.Or(id["MFG"], id["MANUFACTURER"])))
	p.Model = cmp.Or(p.Model, filled(cmp.Or(id["MDL"], id["MODEL"], t.first(hrDeviceDescr))))
	if p.Brand == nil {
		p.Brand = brandOf(cmp.Or(p.GetManufacturer(), p.GetModel()))
	}
	p.Id = cmp.Or(p.Serial, p.Uuid, p.Id)
	if p.State == nil {
		p.State = stateByMIB(t)
	}
	p.StateReasons = withReasons(p.StateReasons, reasonsByMIB(t))
	if len(p.Supplies) == 0 {
		p.Supplies = suppliesByMIB(t)
	}
	if len(p.Trays) == 0 {
		p.Trays = traysByMIB(t)
	}
	severity, training, group, location, code, description := below(prtAlert, 2), below(prtAlert, 3), below(prtAlert, 4), below(prtAlert, 6), below(prtAlert, 7), below(prtAlert, 8)
	for _, row := range slices.Sorted(maps.Keys(t.column(severity))) {
		a := &constatv1.PrinterAlert{
			Severity: set(cmp.Or(wordOf(alertSeverities, t.number(severity, row)), "other")), Code: small(t.number(code, row)), Location: small(t.number(location, row)),
			Group: filled(wordOf(alertGroups, t.number(group, row))), Training: filled(wordOf(alertTrainings, t.number(training, row))),
		}
		if text := t.text(description, row); text != "" {
			a.Description = discreetMessage(&text)
		}
		p.Alerts = append(p.Alerts, a)
	}
}

func wordOf(words map[int64]string, n *int64) string {
	if n == nil {
		return ""
	}
	return words[*n]
}

// small is a number of the schema's size; nil for a larger one.
func small(n *int64) *int32 {
	if n == nil || int64(int32(*n)) != *n {
		return nil
	}
	return set(int32(*n))
}

// stateByMIB folds hrPrinterStatus and hrDeviceStatus (RFC 2790 section 4.4).
func stateByMIB(t mibTables) *string {
	for _, row := range slices.Sorted(maps.Keys(t.column(hrPrinterState))) {
		const down, idle, printing, warmup = 5, 3, 4, 5
		if device := t.number(hrDeviceStatus, row); device != nil && *device == down {
			return set("stopped")
		}
		switch *cmp.Or(t.number(hrPrinterState, row), new(int64)) {
		case idle:
			return set("idle")
		case printing, warmup:
			return set("processing")
		}
	}
	return nil
}

func reasonsByMIB(t mibTables) []string {
	var reasons []string
	for _, v := range t.column(hrPrinterError) {
		for i, reason := range detectedErrors {
			if i/8 < len(v.octets) && v.octets[i/8]&(0x80>>(i%8)) != 0 && reason != "" {
				reasons = append(reasons, reason)
			}
		}
	}
	for _, v := range t.column(prtCoverStatus) {
		const coverOpen, interlockOpen = 3, 5
		if v.isNumber && (v.number == coverOpen || v.number == interlockOpen) {
			reasons = append(reasons, "cover-open-report")
		}
	}
	slices.Sort(reasons)
	return slices.Compact(reasons)
}

// withReasons adds reasons that are not known already, whatever their severity.
func withReasons(known, more []string) []string {
	stem := func(reason string) string {
		for _, end := range []string{"-report", "-warning", "-error"} {
			reason = strings.TrimSuffix(reason, end)
		}
		return reason
	}
	for _, reason := range more {
		if !slices.ContainsFunc(known, func(k string) bool { return stem(k) == stem(reason) }) {
			known = append(known, reason)
		}
	}
	slices.Sort(known)
	return known
}

func suppliesByMIB(t mibTables) []*constatv1.Supply {
	colorant, class, kind, name, most, level := below(prtSupplies, 3), below(prtSupplies, 4), below(prtSupplies, 5), below(prtSupplies, 6), below(prtSupplies, 8), below(prtSupplies, 9)
	var list []*constatv1.Supply
	for _, row := range slices.Sorted(maps.Keys(t.column(level))) {
		s := &constatv1.Supply{Name: filled(t.text(name, row)), Kind: set(cmp.Or(wordOf(supplyTypes, t.number(kind, row)), "other")), State: set("unknown")}
		if index := t.number(colorant, row); index != nil && *index > 0 {
			s.Colour = filled(t.text(prtColorant, uint32(*index)))
		}
		now, full := t.number(level, row), t.number(most, row)
		if now != nil && full != nil && *now >= 0 && *full > 0 {
			s.Percent = percent(uint64(*now), uint64(*full))
		}
		const receptacle, someLeft = 4, -3
		switch c := t.number(class, row); {
		case c != nil && *c == receptacle, strings.HasPrefix(s.GetKind(), "waste"): // makers disagree whether its level is filled or free
			s.Percent = nil
		case now != nil && *now == someLeft:
			s.State = set("ok")
		case s.Percent == nil:
		case *s.Percent == 0:
			s.State = set("empty")
		case *s.Percent <= lowByDefault:
			s.State = set("low")
		default:
			s.State = set("ok")
		}
		list = append(list, s)
	}
	return list
}

func traysByMIB(t mibTables) []*constatv1.Tray {
	most, level, media, name := below(prtInput, 9), below(prtInput, 10), below(prtInput, 12), below(prtInput, 13)
	var list []*constatv1.Tray
	for _, row := range slices.Sorted(maps.Keys(t.column(level))) {
		tray := &constatv1.Tray{Name: filled(t.text(name, row)), Media: filled(t.text(media, row))}
		now, full := t.number(level, row), t.number(most, row)
		const someLeft = -3
		switch {
		case now == nil || *now < someLeft || *now == -1 || *now == -2:
		case *now == 0:
			tray.State = set("empty")
		default:
			tray.State = set("ok")
		}
		if now != nil && full != nil && *now >= 0 && *full > 0 {
			tray.Percent = percent(uint64(*now), uint64(*full))
		}
		list = append(list, tray)
	}
	return list
}
