// Package printermib reads what a printer tells of itself over SNMP: RFC 3805
// (Printer), the printers' part of RFC 2790 (Host Resources) and PWG 5107.1 (Port
// Monitor). The agent asks the printers behind its queues so, the collector those
// that it polls: one reading, so that both say the same of one printer.
package printermib

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// Columns, by the name the MIB gives them.
const (
	hrDeviceType                = "1.3.6.1.2.1.25.3.2.1.2"
	hrDeviceDescr               = "1.3.6.1.2.1.25.3.2.1.3"
	hrDeviceStatus              = "1.3.6.1.2.1.25.3.2.1.5"
	hrPrinterStatus             = "1.3.6.1.2.1.25.3.5.1.1"
	hrPrinterDetectedErrorState = "1.3.6.1.2.1.25.3.5.1.2"
	prtGeneralPrinterName       = "1.3.6.1.2.1.43.5.1.1.16"
	prtGeneralSerialNumber      = "1.3.6.1.2.1.43.5.1.1.17"
	ppmPrinterIEEE1284DeviceID  = "1.3.6.1.4.1.2699.1.2.1.2.1.1.3"

	prtCoverStatus = "1.3.6.1.2.1.43.6.1.1.3"

	prtInputMaxCapacity  = "1.3.6.1.2.1.43.8.2.1.9"
	prtInputCurrentLevel = "1.3.6.1.2.1.43.8.2.1.10"
	prtInputMediaName    = "1.3.6.1.2.1.43.8.2.1.12"
	prtInputName         = "1.3.6.1.2.1.43.8.2.1.13"

	prtMarkerSuppliesColorantIndex = "1.3.6.1.2.1.43.11.1.1.3"
	prtMarkerSuppliesClass         = "1.3.6.1.2.1.43.11.1.1.4"
	prtMarkerSuppliesType          = "1.3.6.1.2.1.43.11.1.1.5"
	prtMarkerSuppliesDescription   = "1.3.6.1.2.1.43.11.1.1.6"
	prtMarkerSuppliesSupplyUnit    = "1.3.6.1.2.1.43.11.1.1.7"
	prtMarkerSuppliesMaxCapacity   = "1.3.6.1.2.1.43.11.1.1.8"
	prtMarkerSuppliesLevel         = "1.3.6.1.2.1.43.11.1.1.9"
	prtMarkerColorantValue         = "1.3.6.1.2.1.43.12.1.1.4"

	prtAlertSeverityLevel = "1.3.6.1.2.1.43.18.1.1.2"
	prtAlertTrainingLevel = "1.3.6.1.2.1.43.18.1.1.3"
	prtAlertGroup         = "1.3.6.1.2.1.43.18.1.1.4"
	prtAlertLocation      = "1.3.6.1.2.1.43.18.1.1.6"
	prtAlertCode          = "1.3.6.1.2.1.43.18.1.1.7"
	prtAlertDescription   = "1.3.6.1.2.1.43.18.1.1.8"
)

// first are the columns that tell whether a device is a printer at all: one that
// is not costs one datagram. A few more are asked with them.
var (
	first = []string{
		hrDeviceType, hrDeviceDescr, hrDeviceStatus, hrPrinterStatus, hrPrinterDetectedErrorState,
		prtGeneralPrinterName, prtGeneralSerialNumber, ppmPrinterIEEE1284DeviceID,
		prtMarkerSuppliesColorantIndex, prtMarkerSuppliesClass, prtMarkerSuppliesType, prtMarkerSuppliesDescription,
		prtMarkerSuppliesSupplyUnit, prtMarkerSuppliesMaxCapacity, prtMarkerSuppliesLevel,
	}
	rest = []string{
		prtAlertSeverityLevel, prtAlertTrainingLevel, prtAlertGroup, prtAlertLocation, prtAlertCode, prtAlertDescription,
		prtMarkerColorantValue, prtCoverStatus, prtInputMaxCapacity, prtInputCurrentLevel, prtInputMediaName, prtInputName,
	}
)

// maxRows bounds each list of a printer; the largest has some twenty of any.
const maxRows = 100

// tables are what was read, by column and index.
type tables map[string]map[string]snmp.Value

// Read asks a device. It gives nil where the device is no printer; beside an
// error, what was read before it came. The description is the device's own line
// about itself, which need not be the model that its device id names.
func Read(ctx context.Context, session *snmp.Session) (printer *constatv1.Printer, description string, err error) {
	t := tables{}
	walk := func(columns []string) error {
		return session.Walk(ctx, columns, func(column int, index string, v snmp.Value) {
			t.add(columns[column], index, v)
		})
	}
	err = walk(first)
	if !t.tellOfPrinter() {
		return nil, "", err
	}
	if err == nil {
		err = walk(rest)
	}
	return t.printer(), t.description(), err
}

func (t tables) add(column, index string, v snmp.Value) {
	if t[column] == nil {
		t[column] = map[string]snmp.Value{}
	}
	t[column][index] = v
}

// tellOfPrinter: other devices have the Host Resources too.
func (t tables) tellOfPrinter() bool {
	for _, column := range first {
		switch column {
		case hrDeviceType, hrDeviceDescr, hrDeviceStatus:
		default:
			if len(t[column]) > 0 {
				return true
			}
		}
	}
	return slices.ContainsFunc(slices.Collect(maps.Values(t[hrDeviceType])), isPrinter)
}

// isPrinter compares with hrDevicePrinter (RFC 2790).
func isPrinter(kind snmp.Value) bool { return kind.OID() == "1.3.6.1.2.1.25.3.1.5" }

func (t tables) printer() *constatv1.Printer {
	id := DeviceID(t.firstText(ppmPrinterIEEE1284DeviceID))
	p := &constatv1.Printer{
		Serial:       present(cmp.Or(t.firstText(prtGeneralSerialNumber), id["SN"], id["SERN"], id["SERIALNUMBER"])),
		Manufacturer: present(cmp.Or(id["MFG"], id["MANUFACTURER"])),
		Model:        present(cmp.Or(id["MDL"], id["MODEL"], t.description())),
		State:        t.state(), Alerts: t.alerts(), Trays: t.trays(),
	}
	p.StateReasons, p.Supplies = t.reasons(p.State, p.Alerts), t.supplies(p.Alerts)
	return p
}

// DeviceID reads a device id of IEEE 1284: "MFG:HP;MDL:LaserJet;". Keys become
// upper case.
func DeviceID(text string) map[string]string {
	id := map[string]string{}
	for part := range strings.SplitSeq(text, ";") {
		if key, value, found := strings.Cut(part, ":"); found {
			id[strings.ToUpper(strings.TrimSpace(key))] = strings.TrimSpace(value)
		}
	}
	return id
}

// description is hrDeviceDescr of the row that is the printer: a device lists its
// network card and its disk there too. It is prtGeneralPrinterName where that is
// all there is.
func (t tables) description() string {
	for _, index := range byIndex(t[hrDeviceDescr]) {
		kind, text := t[hrDeviceType][index], t.text(hrDeviceDescr, index)
		if text != "" && (isPrinter(kind) || kind.OID() == "") {
			return text
		}
	}
	return t.firstText(prtGeneralPrinterName)
}

// Values of hrDeviceStatus and hrPrinterStatus (RFC 2790).
const (
	deviceRunning, deviceWarning, deviceDown                    = 2, 3, 5
	statusOther, statusIdle, statusPrinting, statusWarmup int64 = 1, 3, 4, 5
)

// state folds hrPrinterStatus and hrDeviceStatus (RFC 3805 section 2.2.13.2): one
// that prints or warms up is at work whatever its device's row says, one that is
// down waits for somebody, and one that runs and is in no state is asleep.
func (t tables) state() *string {
	for _, index := range byIndex(t[hrPrinterStatus]) {
		device, _ := t[hrDeviceStatus][index].Int()
		switch status, _ := t[hrPrinterStatus][index].Int(); {
		case status == statusPrinting, status == statusWarmup:
			return proto.String("processing")
		case device == deviceDown:
			return proto.String("stopped")
		case status == statusIdle, status == statusOther && device == deviceRunning:
			return proto.String("idle")
		}
	}
	if device, told := t.device(); told && device == deviceDown && len(t[hrPrinterStatus]) == 0 {
		return proto.String("stopped")
	}
	return nil
}

// device is hrDeviceStatus of the printer.
func (t tables) device() (status int64, told bool) {
	for _, index := range byIndex(t[hrDeviceStatus]) {
		if isPrinter(t[hrDeviceType][index]) || t[hrDeviceType][index].OID() == "" {
			return t[hrDeviceStatus][index].Int()
		}
	}
	return 0, false
}

// detectedErrors are the bits of hrPrinterDetectedErrorState, first bit first,
// in IPP's words; "" for those that are told better elsewhere. What ends in
// neither -warning nor -report keeps a printer from printing.
var detectedErrors = []string{
	"media-low-warning", "media-empty", "toner-low-warning", "toner-empty", "door-open", "media-jam", "offline-report", "",
	"input-tray-missing", "output-tray-missing", "marker-supply-missing", "output-area-almost-full-warning", "output-area-full", trayEmpty, "",
}

// trayEmpty is the bit inputTrayEmpty: one of several may be, and nobody waits.
const trayEmpty = "media-empty-warning"

// criticalAlerts are alerts that keep a printer from printing, in IPP's words
// (PrtAlertCodeTC of IANA-PRINTER-MIB; PWG 5100.9).
var criticalAlerts = map[int32]string{
	3: "cover-open", 5: "interlock-open", 8: "media-jam", 501: "door-open", 801: "input-tray-missing", 808: "media-empty",
	901: "output-tray-missing", 903: "output-area-full", 1101: "marker-supply-empty", 1102: "marker-supply-empty", 1103: "marker-supply-empty",
	1109: "marker-waste-full", 1110: "marker-waste-full", 1112: "opc-life-over", 1114: "developer-empty", 1115: "marker-supply-missing",
}

// partAlerts are those that say what is the matter with the part that their group
// names: subunitMissing, subunitEmpty, subunitFull, subunitOpened.
var partAlerts = map[int32]map[string]string{
	9:  {"input": "input-tray-missing", "output": "output-tray-missing", "markerSupplies": "marker-supply-missing"},
	13: {"input": "media-empty", "markerSupplies": "marker-supply-empty"},
	15: {"output": "output-area-full"},
	18: {"cover": "cover-open", "input": "input-tray-missing"},
}

// reasons are why the printer does not print, or what it wants though it does: the
// bits and alerts name it, and the state says which of the two it is.
func (t tables) reasons(state *string, alerts []*constatv1.PrinterAlert) []string {
	severity := "-error"
	device, _ := t.device()
	works := state != nil && *state != "stopped" || state == nil && (device == deviceRunning || device == deviceWarning)
	if works {
		severity = "-warning"
	}
	var reasons []string
	for _, v := range t[hrPrinterDetectedErrorState] {
		for i, reason := range detectedErrors {
			if bits := v.Bytes(); i/8 < len(bits) && bits[i/8]&(0x80>>(i%8)) != 0 && reason != "" {
				if !strings.HasSuffix(reason, "-warning") && !strings.HasSuffix(reason, "-report") {
					reason += severity
				}
				reasons = append(reasons, reason)
			}
		}
	}
	for _, v := range t[prtCoverStatus] {
		const coverOpen, interlockOpen = 3, 5
		if status, _ := v.Int(); status == coverOpen || status == interlockOpen {
			reason := "cover-open-report"
			if works { // a flap that stops nothing
				reason = "cover-open-warning"
			}
			reasons = append(reasons, reason)
		}
	}
	for _, a := range alerts {
		reason := cmp.Or(criticalAlerts[a.GetCode()], partAlerts[a.GetCode()][a.GetGroup()])
		if a.GetSeverity() != "critical" || reason == "" || slices.ContainsFunc(reasons, func(r string) bool {
			return r != trayEmpty && strings.HasPrefix(r, reason+"-")
		}) {
			continue
		}
		reasons = append(reasons, reason+severity)
	}
	// A printer that waits, and has nothing to name but an empty tray, waits for that.
	if state != nil && *state == "stopped" && !slices.ContainsFunc(reasons, func(r string) bool { return strings.HasSuffix(r, "-error") }) {
		for i, r := range reasons {
			if r == trayEmpty {
				reasons[i] = "media-empty-error"
			}
		}
	}
	slices.Sort(reasons)
	return slices.Compact(reasons)
}

// Words of RFC 3805; a number that it did not have keeps its number.
var (
	// severities are PrtAlertSeverityLevelTC.
	severities = []string{1: "other", 3: "critical", 4: "warning", 5: "warning"}
	// trainings are PrtAlertTrainingLevelTC.
	trainings = []string{1: "other", 2: "unknown", 3: "untrained", 4: "trained", 5: "fieldService", 6: "management", 7: "noInterventionRequired"}
	// groups are PrtAlertGroupTC.
	groups = []string{
		1: "other", 3: "hostResourcesMIBStorageTable", 4: "hostResourcesMIBDeviceTable", 5: "generalPrinter", 6: "cover", 7: "localization", 8: "input",
		9: "output", 10: "marker", 11: "markerSupplies", 12: "markerColorant", 13: "mediaPath", 14: "channel", 15: "interpreter",
		16: "consoleDisplayBuffer", 17: "consoleLights", 18: "alert", 30: "finDevice", 31: "finSupply", 32: "finSupplyMediaInput", 33: "finAttribute",
	}
	// supplyKinds are PrtMarkerSuppliesTypeTC, folded.
	supplyKinds = map[int64]string{
		3: "toner", 4: "wasteToner", 5: "ink", 6: "ink", 7: "ink", 8: "wasteInk", 9: "drum", 15: "fuser", 20: "fuser", 21: "toner",
	}
)

// supplyWords name a kind in the description of a supply whose type the printer does
// not tell, the more special first: a box of waste toner at 5 % is no low toner.
var supplyWords = []struct{ word, kind string }{
	{"waste ink", "wasteInk"}, {"waste", "wasteToner"}, {"drum", "drum"}, {"photoconductor", "drum"}, {"imaging unit", "drum"},
	{"fuser", "fuser"}, {"fusing", "fuser"}, {"developer", "other"}, {"toner", "toner"}, {"ink tank", "ink"}, {"ink cartridge", "ink"},
}

// supplyKind is the kind of a supply by its type, or by its description where the
// type is other(1), unknown(2) or not told.
func supplyKind(kind int64, description string) string {
	if kind > 2 {
		return cmp.Or(supplyKinds[kind], "other")
	}
	description = strings.ToLower(description)
	for _, w := range supplyWords {
		if strings.Contains(description, w.word) {
			return w.kind
		}
	}
	return "other"
}

func word(words []string, v snmp.Value) *string {
	n, told := v.Int()
	switch {
	case !told:
		return nil
	case n >= 0 && n < int64(len(words)) && words[n] != "":
		return proto.String(words[n])
	}
	return proto.String(fmt.Sprintf("other(%d)", n))
}

func (t tables) alerts() []*constatv1.PrinterAlert {
	var alerts []*constatv1.PrinterAlert
	for _, index := range t.rows("1.3.6.1.2.1.43.18.1.1.") {
		alerts = append(alerts, &constatv1.PrinterAlert{
			Severity: word(severities, t[prtAlertSeverityLevel][index]), Training: word(trainings, t[prtAlertTrainingLevel][index]),
			Group: word(groups, t[prtAlertGroup][index]), Location: small(t[prtAlertLocation][index]), Code: small(t[prtAlertCode][index]),
			Description: present(Discreet(t.text(prtAlertDescription, index))),
		})
	}
	return alerts
}

// What may give away a document or an account in a message.
var (
	quoted = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile("\"[^\"]*\"|'[^']*'|`[^`]*`|“[^”]*”|«[^»]*»")
	})
	credentials = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`//[^/@\s]+@`) })
)

// Discreet takes quoted names and accounts out of a printer's message.
func Discreet(message string) string {
	return credentials().ReplaceAllString(quoted().ReplaceAllString(message, "…"), "//")
}

const (
	unknownLevel = -2 // prtMarkerSuppliesLevel, prtInputCurrentLevel
	someLeft     = -3
	lowPercent   = 10
)

func (t tables) supplies(alerts []*constatv1.PrinterAlert) []*constatv1.Supply {
	var supplies []*constatv1.Supply
	for _, index := range t.rows("1.3.6.1.2.1.43.11.1.1.") {
		kind, _ := t[prtMarkerSuppliesType][index].Int()
		printer, _, _ := strings.Cut(index, ".")
		colorant, _ := t[prtMarkerSuppliesColorantIndex][index].Int()
		name := t.text(prtMarkerSuppliesDescription, index)
		s := &constatv1.Supply{
			Name: present(name), Kind: proto.String(supplyKind(kind, name)),
			Colour:  present(strings.ToLower(t.text(prtMarkerColorantValue, printer+"."+strconv.FormatInt(colorant, 10)))),
			Percent: t.supplyPercent(index),
		}
		s.State = proto.String(t.supplyState(index, s, alerts))
		supplies = append(supplies, s)
	}
	return supplies
}

// supplyPercent is how much is left; of a receptacle, how much room. nil where
// the device does not tell: -2 is unknown, -3 some, -1 no limit; and some tell a
// level without a capacity.
func (t tables) supplyPercent(index string) *int32 {
	const percentUnit = 19
	full, _ := t[prtMarkerSuppliesMaxCapacity][index].Int()
	if unit, _ := t[prtMarkerSuppliesSupplyUnit][index].Int(); full <= 0 && unit == percentUnit {
		full = 100
	}
	return percent(t[prtMarkerSuppliesLevel][index], full)
}

func (t tables) supplyState(index string, s *constatv1.Supply, alerts []*constatv1.PrinterAlert) string {
	const receptacle = 4
	class, _ := t[prtMarkerSuppliesClass][index].Int()
	level, told := t[prtMarkerSuppliesLevel][index].Int()
	switch {
	case class == receptacle, strings.HasPrefix(s.GetKind(), "waste"):
		// Makers disagree whether its level is filled or free: only that there is
		// room, and an alert, are beyond doubt.
		const tonerFull, inkFull = 1109, 1110 // IANA-PRINTER-MIB, PrtAlertCodeTC
		code := map[string]int32{"wasteToner": tonerFull, "wasteInk": inkFull}[s.GetKind()]
		switch {
		case code != 0 && slices.ContainsFunc(alerts, func(a *constatv1.PrinterAlert) bool { return a.GetCode() == code }):
			return "full"
		case told && level == someLeft:
			return "ok"
		}
		return "unknown"
	case !told || level < 0 && level != someLeft:
		return "unknown"
	case level == 0 && t.holdsNothing(index): // a place for a supply that is not there
		return "unknown"
	case level == 0:
		return "empty"
	case s.Percent != nil && *s.Percent <= lowPercent:
		return "low"
	}
	return "ok"
}

// holdsNothing tells a supply that has room for none.
func (t tables) holdsNothing(index string) bool {
	full, told := t[prtMarkerSuppliesMaxCapacity][index].Int()
	return told && full == 0
}

func (t tables) trays() []*constatv1.Tray {
	var trays []*constatv1.Tray
	for _, index := range t.rows("1.3.6.1.2.1.43.8.2.1.") {
		tray := &constatv1.Tray{Name: present(t.text(prtInputName, index)), Media: present(t.text(prtInputMediaName, index))}
		full, _ := t[prtInputMaxCapacity][index].Int()
		tray.Percent = percent(t[prtInputCurrentLevel][index], full)
		switch level, told := t[prtInputCurrentLevel][index].Int(); {
		case !told || level < someLeft || level == unknownLevel || level == -1:
		case level == 0:
			tray.State = proto.String("empty")
		default:
			tray.State = proto.String("ok")
		}
		trays = append(trays, tray)
	}
	return trays
}

// percent of a level, rounded half up. Devices tell more than full for a
// cartridge of a larger kind.
func percent(v snmp.Value, full int64) *int32 {
	level, told := v.Int()
	if !told || level < 0 || full <= 0 {
		return nil
	}
	return proto.Int32(int32(min(100*float64(level)/float64(full)+0.5, 100)))
}

// rows are the indexes that any column of a table has: devices leave cells out.
func (t tables) rows(table string) []string {
	union := map[string]snmp.Value{}
	for column, cells := range t {
		if strings.HasPrefix(column, table) {
			maps.Copy(union, cells)
		}
	}
	indexes := byIndex(union)
	return indexes[:min(len(indexes), maxRows)]
}

// byIndex lists the indexes of rows in the order of their numbers.
func byIndex(rows map[string]snmp.Value) []string {
	return slices.SortedFunc(maps.Keys(rows), func(a, b string) int {
		return cmp.Or(slices.Compare(snmp.Index(a), snmp.Index(b)), cmp.Compare(a, b))
	})
}

func (t tables) text(column, index string) string { return t[column][index].Text() }

// firstText is the first row that says something.
func (t tables) firstText(column string) string {
	for _, index := range byIndex(t[column]) {
		if text := t.text(column, index); text != "" {
			return text
		}
	}
	return ""
}

func present(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// small gives a number that is there and fits.
func small(v snmp.Value) *int32 {
	if n, told := v.Int(); told && int64(int32(n)) == n {
		return proto.Int32(int32(n))
	}
	return nil
}
