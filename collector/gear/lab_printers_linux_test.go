package gear

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// prints is what a kind of printer has, as recordings of real ones show it.
type prints struct {
	// trays by name, with their capacity; the first is the bypass.
	trays []string
	room  []int
	// supplies that it tells of.
	supplies []supply
	// wide: hrPrinterDetectedErrorState has RFC 2790's second byte; coarse: levels
	// are told as some (-3) and unknown (-2); mute: it has no table of alerts.
	wide, coarse, mute bool
}

// supply is a row of prtMarkerSuppliesTable: PrtMarkerSuppliesTypeTC, name, its
// capacity, and whether it is a receptacle.
type supply struct {
	kind, full int
	name       string
	receptacle bool
}

func anyPrinter(s *shape) bool { return s.prints != nil }
func alerting(s *shape) bool   { return s.prints != nil && !s.prints.mute }
func wideBits(s *shape) bool   { return s.prints != nil && s.prints.wide }
func lasers(s *shape) bool     { return s.prints != nil && s.prints.has("oner") >= 0 }
func inkjets(s *shape) bool    { return s.prints != nil && s.prints.has("Ink") >= 0 && !s.prints.mute }
func drums(s *shape) bool      { return alerting(s) && s.prints.has("Drum") >= 0 }
func levelled(s *shape) bool   { return s.prints != nil && !s.prints.coarse }
func colourful(s *shape) bool  { return s.prints != nil && s.prints.has("Cyan") >= 0 }
func stocked(s *shape) bool    { return s.prints != nil && len(s.prints.trays) > 2 && !s.prints.coarse }
func collecting(word string) func(*shape) bool {
	return func(s *shape) bool { return alerting(s) && s.prints.has(word) >= 0 }
}

// has is the place of a supply by a word of its name, -1 where there is none.
func (p *prints) has(word string) int {
	return slices.IndexFunc(p.supplies, func(s supply) bool { return strings.Contains(s.name, word) })
}

// printerShapes are kinds of printers.
var printerShapes = []*shape{
	{
		name: "HP LaserJet M404", description: "HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD153,EEPROM JSI24100017,CIDATE 09/01/2023", object: "1.3.6.1.4.1.11.2.3.9.1", model: "HP LaserJet Pro M404dn",
		prints: &prints{trays: []string{"Tray 1", "Tray 2", "Tray 3"}, room: []int{100, 250, 550}, supplies: []supply{{21, 100, "Black Cartridge HP CF259X", false}, {20, 100, "Fuser Kit HP", false}}},
	}, {
		name: "RICOH MP C3004", description: "RICOH MP C3004 1.21 / RICOH Network Printer C model / RICOH Network Scanner C model", object: "1.3.6.1.4.1.367.1.1", model: "RICOH MP C3004",
		prints: &prints{
			trays: []string{"Bypass Tray", "Tray 1", "Tray 2", "Tray 3"}, room: []int{100, 550, 550, 1000}, wide: true,
			supplies: []supply{{3, 100, "Black Toner", false}, {3, 100, "Cyan Toner", false}, {3, 100, "Magenta Toner", false}, {3, 100, "Yellow Toner", false}, {4, 100, "Waste Toner", true}, {9, 60000, "Drum Unit (Black)", false}, {15, 100, "Fusing Unit", false}},
		},
	}, {
		name: "Brother MFC", description: "Brother NC-8300h, Firmware Ver.1.14  (14.11.06),MID 8C5-F01,FID 2", object: "1.3.6.1.4.1.2435.2.3.9.1", model: "Brother MFC-L2710DW series",
		prints: &prints{trays: []string{"MANUAL TRAY", "TRAY1"}, room: []int{1, 250}, coarse: true, supplies: []supply{{3, -2, "Black Toner Cartridge", false}, {9, 12000, "Drum Unit", false}}},
	}, {
		name: "EPSON WF", description: "EPSON Built-in 11b/g/n Print Server", object: "1.3.6.1.4.1.1248.1.1.2.1.3.5.69.69.80.83.50", model: "EPSON WF-C5790 Series",
		prints: &prints{
			trays: []string{"Rear Paper Feed", "Paper Cassette 1", "Paper Cassette 2"}, room: []int{80, 250, 500}, wide: true,
			supplies: []supply{{5, 100, "Black Ink Supply Unit T9441", false}, {5, 100, "Cyan Ink Supply Unit T9442", false}, {5, 100, "Magenta Ink Supply Unit T9443", false}, {5, 100, "Yellow Ink Supply Unit T9444", false}, {8, 100, "Maintenance Box, waste ink", true}},
		},
	}, {
		name: "OKI", description: "OKI OkiLAN 9450g Rev.00.69 10/100/1000BASE Ethernet PrintServer: Attached to C612 Rev.07.87", object: "1.3.6.1.4.1.2001.1.1.1.1", model: "OKI C612",
		prints: &prints{
			trays: []string{"MPTRAY", "TRAY1", "TRAY2"}, room: []int{100, 300, 530}, wide: true, mute: true,
			supplies: []supply{{3, 100, "Black Toner Cartridge OKI DATA CORP", false}, {3, 100, "Cyan Toner Cartridge OKI DATA CORP", false}, {9, 30000, "Black Image Drum Unit OKI DATA CORP", false}, {15, 100000, "Fuser Unit OKI DATA CORP", false}},
		},
	}, {
		name: "bizhub", description: "KONICA MINOLTA bizhub C3110", object: "1.3.6.1.4.1.18334.1.1.1.2.1.117.2.2", model: "KONICA MINOLTA bizhub C3110",
		prints: &prints{
			trays: []string{"Bypass", "1st Cassette", "2nd Cassette"}, room: []int{100, 500, 500},
			supplies: []supply{{0, 100, "Toner (Black)", false}, {0, 100, "Toner (Cyan)", false}, {0, 100, "Drum Cartridge (Black)", false}, {0, -2, "Waste Toner Box", true}, {0, 100, "Fusing Unit", false}},
		},
	},
}

// Columns of RFC 3805 and RFC 2790.
const (
	prtInput    = "1.3.6.1.2.1.43.8.2.1."
	prtSupplies = "1.3.6.1.2.1.43.11.1.1."
	prtAlert    = "1.3.6.1.2.1.43.18.1.1."
	prtCover    = "1.3.6.1.2.1.43.6.1.1.3.1.1"
	hrDevice    = "1.3.6.1.2.1.25.3.2.1."
	hrState     = "1.3.6.1.2.1.25.3.5.1.1.1"
	hrErrors    = "1.3.6.1.2.1.25.3.5.1.2.1"
	otherSome   = -3
	notTold     = -2
)

// Bits of hrPrinterDetectedErrorState.
const (
	lowPaper = iota
	noPaper
	lowToner
	noToner
	doorOpen
	jammed
	offline
	serviceRequested
	inputTrayMissing
	outputTrayMissing
	markerSupplyMissing
	outputNearFull
	outputFull
	inputTrayEmpty
)

// newPrinter is a printer that has nothing to do.
func newPrinter(s *shape, draw *rand.Rand) *box {
	b := &box{device: device{}, shape: s, draw: draw, names: map[int]string{1: "eth0"}, base: map[int]int{}, edge: []int{1}, used: []int{1}, uptime: 100 * (86400*int64(2+draw.IntN(200)) + int64(draw.IntN(86400)))}
	b.name = fmt.Sprintf([]string{"printer-%d", "NPI%06X", "IMP-ETAGE%d", "BRN%012X", "prt%d.example.org"}[draw.IntN(5)], 1+draw.IntN(900))
	b.set("1.3.6.1.2.1.1.1.0", textType, s.description).set("1.3.6.1.2.1.1.2.0", oidType, s.object).set(upTime, ticksType, b.uptime).set("1.3.6.1.2.1.1.5.0", textType, b.name)
	b.makePort(1, "eth0", "Ethernet 10/100/1000 Base-T", 1000)
	b.set("1.3.6.1.2.1.4.20.1.1.192.0.2.60", addressT, "192.0.2.60").set("1.3.6.1.2.1.4.20.1.2.192.0.2.60", integerType, 1).set("1.3.6.1.2.1.4.20.1.3.192.0.2.60", addressT, "255.255.255.0")
	b.is(ifTable+"2", 2, textType, "lo").is(ifTable+"3", 2, integerType, 24).is(ifTable+"7", 2, integerType, 1).is(ifTable+"8", 2, integerType, 1)
	b.set(hrDevice+"2.1", oidType, "1.3.6.1.2.1.25.3.1.5").set(hrDevice+"3.1", textType, s.model).set(hrDevice+"2.2", oidType, "1.3.6.1.2.1.25.3.1.4").set(hrDevice+"3.2", textType, "Network").set(hrDevice+"5.2", integerType, 2)
	b.set("1.3.6.1.2.1.43.5.1.1.17.1", textType, fmt.Sprintf("VNB%d%05d", draw.IntN(10), draw.IntN(100000)))
	b.set(prtCover, integerType, 4)
	for n, name := range s.prints.trays {
		b.tray(n, s.prints.room[n]*(20+draw.IntN(80))/100)
		b.set(fmt.Sprintf("%s9.1.%d", prtInput, n+1), integerType, s.prints.room[n]).set(fmt.Sprintf("%s13.1.%d", prtInput, n+1), textType, name)
		if !s.prints.coarse {
			b.set(fmt.Sprintf("%s12.1.%d", prtInput, n+1), textType, []string{"Plain", "na_letter", "iso_a4_210x297mm"}[draw.IntN(3)])
		}
	}
	if oneOf(draw, 2) && !s.prints.coarse {
		b.tray(0, 0) // hardly anybody puts paper there
	}
	for n, one := range s.prints.supplies {
		row := func(column int) string { return fmt.Sprintf("%s%d.1.%d", prtSupplies, column, n+1) }
		class := 3
		if one.receptacle {
			class = 4
		}
		if one.kind > 0 {
			b.set(row(5), integerType, one.kind)
		}
		b.set(row(4), integerType, class).set(row(6), textType, one.name).set(row(8), integerType, one.full)
		b.level(n, max(one.full, 100)*(15+draw.IntN(85))/100)
		if one.receptacle || one.full < 0 {
			b.level(n, otherSome)
		}
	}
	b.is3(2, 3)
	b.bits()
	return b
}

// is3 is hrDeviceStatus and hrPrinterStatus.
func (b *box) is3(device, printer int) *box {
	b.set(hrDevice+"5.1", integerType, device)
	if !b.unstated {
		b.set(hrState, integerType, printer)
	}
	return b
}

func (b *box) tray(n, level int) *box {
	if b.prints != nil && b.prints.coarse && level > 0 {
		level = otherSome
	}
	b.set(fmt.Sprintf("%s10.1.%d", prtInput, n+1), integerType, level)
	return b
}

func (b *box) level(n, level int) *box {
	b.set(fmt.Sprintf("%s9.1.%d", prtSupplies, n+1), integerType, level)
	return b
}

// bits are those of hrPrinterDetectedErrorState that are set; old agents have one
// byte, and call a tray that is missing no paper (RFC 1759).
func (b *box) bits(set ...int) *box {
	raw := make([]byte, 1)
	if b.prints == nil || b.prints.wide {
		raw = make([]byte, 2)
	}
	for _, bit := range set {
		if bit/8 < len(raw) {
			raw[bit/8] |= 0x80 >> (bit % 8)
		}
	}
	b.set(hrErrors, hexType, fmt.Sprintf("%x", raw))
	return b
}

// alert is a row of prtAlertTable.
func (b *box) alert(severity, training, group, code int, words string) *box {
	if b.prints != nil && b.prints.mute {
		return b
	}
	n := 10
	for b.device[fmt.Sprintf("%s2.1.%d", prtAlert, n)] != "" {
		n++
	}
	for column, value := range map[int]int{2: severity, 3: training, 4: group, 5: 1, 6: -1, 7: code} {
		b.set(fmt.Sprintf("%s%d.1.%d", prtAlert, column, n), integerType, value)
	}
	b.set(fmt.Sprintf("%s8.1.%d", prtAlert, n), textType, words)
	return b
}

// waits has the printer stop for somebody: a critical alert, the device down.
func (b *box) waits(training, group, code int, words string, set ...int) *box {
	return b.is3(5, 1).bits(set...).alert(3, training, group, code, words)
}

// works has it want something, and print on.
func (b *box) works(group, code int, words string, set ...int) *box {
	return b.is3(3, 3+b.draw.IntN(2)).bits(set...).alert(4, 3, group, code, words)
}

// Numbers of PrtAlertTrainingLevelTC and PrtAlertGroupTC.
const (
	untrained, trained, fieldService                       = 3, 4, 5
	ofCover, ofInput, ofOutput, ofMarker, ofSupply, ofPath = 6, 8, 9, 10, 11, 13
)

// printerRows are what can happen to a printer. What its objects say then is
// RFC 3805 section 2.2.13.2 and RFC 2790: a critical alert, hrDeviceStatus down(5),
// hrPrinterStatus other(1), and the bit.
var printerRows = []gearRow{
	{"printer-paper-jam", "a sheet is stuck", anyPrinter, func(c *gearCase) {
		c.after.waits(untrained, ofPath, 8, "13.B2.D1 Jam in right door", jammed)
	}},
	{"printer-paper-jam", "a sheet is stuck, and somebody opened the door to look", anyPrinter, func(c *gearCase) {
		c.after.waits(untrained, ofPath, 8, "Paper jam", jammed, doorOpen, offline).alert(3, untrained, ofCover, 3, "Door open")
		c.after.set(prtCover, integerType, 5)
	}},
	{"printer-paper-jam", "a sheet is stuck, and only the alert says so", alerting, func(c *gearCase) {
		c.after.waits(trained, ofPath, 8, "Bourrage papier, capot avant")
	}},
	{"printer-paper-jam", "a sheet is stuck, and it says that by a trap too", alerting, func(c *gearCase) {
		c.after.waits(untrained, ofPath, 8, "Jam", jammed)
		c.traps = append(c.traps, sentTrap{"1.3.6.1.2.1.43.18.2.0.1", map[string]any{prtAlert + "7.1.10": 8}})
	}},
	{"printer-cover-open", "the front door is open", anyPrinter, func(c *gearCase) {
		c.after.waits(untrained, ofCover, 3, "Cover open", doorOpen)
	}},
	{"printer-cover-open", "a door is not shut well, its switch says so", anyPrinter, func(c *gearCase) {
		c.after.waits(untrained, ofCover, 5, "Interlock open")
		c.after.set(prtCover, integerType, 5)
	}},
	{"printer-cover-open", "a door is open, and the printer calls itself offline", anyPrinter, func(c *gearCase) {
		c.after.waits(untrained, ofCover, 501, "Close door", doorOpen, offline)
	}},
	{"printer-paper-out", "all paper is used up, and it waits", anyPrinter, func(c *gearCase) {
		for n := range c.after.prints.trays {
			c.after.tray(n, 0)
		}
		c.after.waits(untrained, ofInput, 808, "Load tray: plain, A4", noPaper)
	}},
	{"printer-paper-out", "the tray that a document needs is empty, and it waits", anyPrinter, func(c *gearCase) {
		c.after.tray(1, 0)
		c.after.waits(untrained, ofInput, 808, "Tray 2 empty", noPaper, inputTrayEmpty)
	}},
	{"printer-paper-out", "it waits for the tray to be put back", wideBits, func(c *gearCase) {
		c.after.waits(untrained, ofInput, 801, "Insert tray", inputTrayMissing)
	}},
	{"printer-paper-out", "the last sheet is gone, and nobody prints", levelled, func(c *gearCase) {
		for n := range c.after.prints.trays {
			c.after.tray(n, 0)
		}
		c.after.works(ofInput, 808, "All trays empty", noPaper)
	}},
	{"printer-paper-out", "a tray is empty, and its alert uses the common word", alerting, func(c *gearCase) {
		c.after.tray(1, 0)
		c.after.waits(untrained, ofInput, 13, "No paper", lowPaper)
	}},
	{"printer-supply-empty", "the black toner is used up", lasers, func(c *gearCase) {
		c.after.level(0, 0)
		c.after.waits(trained, ofSupply, 1101, "Replace black cartridge", noToner)
	}},
	{"printer-supply-empty", "the toner is used up, and no level is told", lasers, func(c *gearCase) {
		c.after.level(0, notTold)
		c.after.waits(trained, ofSupply, 1101, "Toner empty", noToner)
	}},
	{"printer-supply-empty", "a cartridge was taken out", wideBits, func(c *gearCase) {
		c.after.level(0, notTold)
		c.after.waits(untrained, ofSupply, 1115, "Install cartridge", markerSupplyMissing)
	}},
	{"printer-supply-empty", "an ink is used up", inkjets, func(c *gearCase) {
		c.after.level(c.after.prints.has("Cyan"), 0)
		c.after.waits(untrained, ofSupply, 1102, "You need to replace the Cyan ink supply unit", noToner)
	}},
	{"printer-supply-empty", "a colour is used up, and it still prints in black", colourful, func(c *gearCase) {
		c.after.level(c.after.prints.has("Cyan"), 0)
		c.after.works(ofSupply, 1101, "Cyan empty", lowToner)
	}},
	{"printer-supply-empty", "the drum is worn, and it stops", drums, func(c *gearCase) {
		c.after.level(c.after.prints.has("Drum"), 0)
		c.after.waits(trained, ofSupply, 1112, "Replace drum")
	}},
	{"printer-waste-full", "the box of waste toner is full", collecting("Waste Toner"), func(c *gearCase) {
		c.after.level(c.after.prints.has("Waste Toner"), 100)
		c.after.waits(trained, ofSupply, 1109, "Waste toner full", serviceRequested)
	}},
	{"printer-waste-full", "the box of waste ink is full", collecting("waste ink"), func(c *gearCase) {
		c.after.level(c.after.prints.has("waste ink"), 0)
		c.after.waits(untrained, ofSupply, 1110, "Maintenance box is at the end of its service life")
	}},
	{"printer-service-needed", "the fuser is broken", alerting, func(c *gearCase) {
		c.after.waits(fieldService, ofMarker, []int{1002, 1003, 1004}[c.draw.IntN(3)], "50.2 Fuser error, turn off then on", serviceRequested)
	}},
	{"printer-service-needed", "a motor stands still", alerting, func(c *gearCase) {
		c.after.waits(fieldService, ofPath, 33, "59.F0 Motor error", serviceRequested, offline)
	}},
	{"printer-service-needed", "a part failed for good, says the common word", alerting, func(c *gearCase) {
		c.after.waits(fieldService, 5, 30, "Call for service SC542", serviceRequested)
	}},
	{"printer-service-needed", "the fuser is used up, and it stops", collecting("Fus"), func(c *gearCase) {
		c.after.level(c.after.prints.has("Fus"), 0)
		c.after.waits(trained, ofMarker, 11, "Replace fuser unit", serviceRequested)
	}},
	{"printer-output-full", "nobody took the paper out", wideBits, func(c *gearCase) {
		c.after.waits(untrained, ofOutput, 903, "Output bin full", outputFull)
	}},
	{"printer-output-full", "nobody took the paper out, and the alert says so", alerting, func(c *gearCase) {
		c.after.waits(untrained, ofOutput, []int{903, 15}[c.draw.IntN(2)], "Remove paper from standard bin")
	}},
	{"printer-media-mismatch", "a document wants Letter, and there is A4", func(s *shape) bool { return alerting(s) && !s.prints.coarse }, func(c *gearCase) {
		c.after.tray(1, 200)
		c.after.waits(untrained, ofInput, []int{809, 810, 813}[c.draw.IntN(3)], "Load tray 1 Plain Letter")
	}},
	{"printer-offline-panel", "somebody pressed its key “online”", anyPrinter, func(c *gearCase) {
		c.after.is3(5, 1).bits(offline)
	}},
	{"printer-offline-panel", "a menu of its panel stays open", alerting, func(c *gearCase) {
		c.after.waits(untrained, 5, 22, "Offline", offline)
	}},
	{"printer-unreachable-off", "somebody switches it off", anyPrinter, func(c *gearCase) { c.silent = true }},
	{"cisco-snmp-auth-failed", "somebody changes the printer’s password", anyPrinter, func(c *gearCase) { c.refused = true }},
	{"printer-paper-jam+printer-supply-empty", "a jam, and the toner is used up", func(s *shape) bool { return lasers(s) && alerting(s) }, func(c *gearCase) {
		c.after.level(0, 0)
		c.after.waits(untrained, ofPath, 8, "Jam", jammed, noToner).alert(3, trained, ofSupply, 1101, "Black empty")
	}},
	{"printer-waste-full+printer-paper-out", "the waste is full, and the paper out", collecting("Waste Toner"), func(c *gearCase) {
		for n := range c.after.prints.trays {
			c.after.tray(n, 0)
		}
		c.after.waits(trained, ofSupply, 1109, "Waste toner full", noPaper).alert(3, untrained, ofInput, 808, "No paper")
	}},
}

// healthyPrinters are days of printers on which nothing is wrong.
var healthyPrinters = []gearRow{
	{"", "nothing happens at a printer", anyPrinter, func(*gearCase) {}},
	{"", "a printer prints", anyPrinter, func(c *gearCase) { c.after.is3(2, 4) }},
	{"", "a printer falls asleep", anyPrinter, func(c *gearCase) { c.after.is3(2, 1) }},
	{"", "a printer falls asleep, and calls that offline", anyPrinter, func(c *gearCase) { c.after.is3(2, 1).bits(offline) }},
	{"", "a printer warms up", anyPrinter, func(c *gearCase) {
		c.after.is3([]int{2, 5}[c.draw.IntN(2)], 5)
	}},
	{"", "a printer warms up, and its fuser is cold", alerting, func(c *gearCase) {
		c.after.is3(5, 5).alert(3, 7, ofMarker, []int{1001, 24}[c.draw.IntN(2)], "Warming up")
	}},
	{"", "a printer says that it is down, and prints", anyPrinter, func(c *gearCase) { c.after.is3(5, 4) }},
	{"", "the toner is low", lasers, func(c *gearCase) {
		c.after.level(0, max(c.after.prints.supplies[0].full, 100)*3/100)
		c.after.works(ofSupply, 1104, "Black toner low", lowToner)
	}},
	{"", "another colour is low", colourful, func(c *gearCase) {
		c.after.level(c.after.prints.has("Cyan"), 2)
		c.after.works(ofSupply, 1104, "Cyan low", lowToner)
	}},
	{"", "a level that is not told", anyPrinter, func(c *gearCase) { c.after.level(0, notTold) }},
	{"", "a level of which some is left", anyPrinter, func(c *gearCase) { c.after.level(0, otherSome) }},
	{"", "a cartridge of 150 %", levelled, func(c *gearCase) { c.after.level(0, 150) }},
	{"", "a capacity that is not told", levelled, func(c *gearCase) {
		c.after.set(prtSupplies+"8.1.1", integerType, notTold).set(prtSupplies+"9.1.1", integerType, 40)
	}},
	{"", "a place for a supply that was never there", levelled, func(c *gearCase) {
		c.after.set(prtSupplies+"8.1.1", integerType, 0).set(prtSupplies+"9.1.1", integerType, 0)
	}},
	{"", "a little toner, rounded to nothing", func(s *shape) bool { return lasers(s) && levelled(s) }, func(c *gearCase) {
		c.after.set(prtSupplies+"8.1.1", integerType, 12000).set(prtSupplies+"9.1.1", integerType, 20)
		c.after.works(ofSupply, 1104, "Very low", lowToner)
	}},
	{"", "one tray of several is empty", stocked, func(c *gearCase) {
		c.after.tray(2, 0).tray(1, 200)
		c.after.works(ofInput, 808, "Tray 3 empty", [][]int{{lowPaper}, {inputTrayEmpty}, {noPaper}}[c.draw.IntN(3)]...)
	}},
	{"", "the bypass is empty, as ever", levelled, func(c *gearCase) { c.after.tray(0, 0) }},
	{"", "a tray is out to be filled, and it prints from another", stocked, func(c *gearCase) {
		c.after.tray(2, notTold).tray(1, 200)
		c.after.works(ofInput, []int{801, 18}[c.draw.IntN(2)], "Tray 3 open", inputTrayMissing)
	}},
	{"", "one bin of a printer is full, and it uses another", wideBits, func(c *gearCase) {
		c.after.works(ofOutput, 903, "Bin 2 full", outputFull)
	}},
	{"", "a printer's waste is almost full", collecting("Waste Toner"), func(c *gearCase) {
		c.after.works(ofSupply, 1107, "Waste toner almost full")
	}},
	{"", "a drum is near its end, and prints on", drums, func(c *gearCase) {
		c.after.level(c.after.prints.has("Drum"), 0)
		c.after.works(ofSupply, 1111, "Drum end soon")
	}},
	{"", "a printer asks for its yearly service", alerting, func(c *gearCase) {
		c.after.is3(3, 3).bits(serviceRequested).alert(4, fieldService, 5, 16, "Maintenance required soon")
	}},
	{"", "a flap is open that stops nothing", anyPrinter, func(c *gearCase) {
		c.after.is3(3, 3).set(prtCover, integerType, 3)
	}},
	{"", "what a printer noted earlier", alerting, func(c *gearCase) {
		c.after.alert(1, 2, 5, 503, "Power up").alert(1, 7, 5, 507, "Ready").alert(4, 7, 5, 7, "Configuration changed")
	}},
	{"", "somebody switches a printer off and on", anyPrinter, func(c *gearCase) {
		c.after.uptime = int64(100 * (60 + c.draw.IntN(160)))
		c.after.set(upTime, ticksType, c.after.uptime)
		c.after.is(ifTable+"9", 1, ticksType, 900)
	}},
	{"", "a printer works out a large picture", anyPrinter, func(c *gearCase) {
		c.after.is3(2, 4).set("1.3.6.1.2.1.25.3.3.1.2.1", integerType, 100)
	}},
	{"", "an alert that was dealt with is gone", alerting, func(c *gearCase) {
		c.before.works(ofSupply, 1104, "Toner low", lowToner)
	}},
}

// printerOddities are what is odd about healthy printers.
var printerOddities = []oddity{
	{"no hrPrinterStatus", anyPrinter, func(b *box) {
		b.unstated = true
		delete(b.device, hrState)
	}},
	{"errors in no byte at all", func(s *shape) bool { return alerting(s) && !s.prints.wide }, func(b *box) { b.set(hrErrors, hexType, "") }},
	{"a low cartridge", levelled, func(b *box) { b.level(len(b.prints.supplies)-1, 7) }},
	{"no serial number", anyPrinter, func(b *box) { delete(b.device, "1.3.6.1.2.1.43.5.1.1.17.1") }},
	{"a Wi-Fi that is off", anyPrinter, func(b *box) {
		b.is(ifTable+"2", 3, textType, "wlan0").is(ifTable+"3", 3, integerType, 71).is(ifTable+"7", 3, integerType, 2).is(ifTable+"8", 3, integerType, 2)
	}},
	{"a Wi-Fi without a network", anyPrinter, func(b *box) {
		b.is(ifTable+"2", 4, textType, "wifi1").is(ifTable+"3", 4, integerType, 6).is(ifTable+"7", 4, integerType, 1).is(ifTable+"8", 4, integerType, 2)
	}},
}

// realPrinterRows are put into recordings of real printers, which were made without
// hrPrinterStatus: here each has its two states.
var realPrinterRows = []realRow{
	{"", "nothing happens", func(b *box, _ *rand.Rand) bool { return true }},
	{"", "it falls asleep", func(b *box, _ *rand.Rand) bool { b.is3(2, 1); return true }},
	{"", "a toner is low, and it prints", func(b *box, _ *rand.Rand) bool { b.works(ofSupply, 1104, "Toner low", lowToner); return true }},
	{"printer-paper-jam", "a sheet is stuck", func(b *box, _ *rand.Rand) bool { b.waits(untrained, ofPath, 8, "Jam", jammed); return true }},
	{"printer-cover-open", "the door is open", func(b *box, _ *rand.Rand) bool {
		b.waits(untrained, ofCover, 3, "Open", doorOpen)
		return true
	}},
	{"printer-paper-out", "it waits for paper", func(b *box, _ *rand.Rand) bool {
		b.waits(untrained, ofInput, 808, "Load paper", noPaper)
		return true
	}},
	{"printer-supply-empty", "a cartridge is used up", func(b *box, draw *rand.Rand) bool {
		cells := b.indexes(prtSupplies+"5", func(kind string) bool { return slices.Contains([]string{"3", "5", "6", "21"}, kind) })
		if len(cells) == 0 {
			return false
		}
		b.set(prtSupplies+"9."+cells[draw.IntN(len(cells))], integerType, 0)
		b.waits(trained, ofSupply, 1101, "Replace", noToner)
		return true
	}},
	{"printer-waste-full", "the waste is full", func(b *box, _ *rand.Rand) bool {
		cells := b.indexes(prtSupplies+"6", func(name string) bool { return strings.Contains(strings.ToLower(name), "waste toner") })
		if len(cells) == 0 {
			return false
		}
		b.waits(trained, ofSupply, 1109, "Waste toner full", serviceRequested)
		return true
	}},
	{"printer-service-needed", "the fuser is broken", func(b *box, _ *rand.Rand) bool {
		b.waits(fieldService, ofMarker, 1003, "Fuser", serviceRequested)
		return true
	}},
	{"printer-output-full", "nobody took the paper out", func(b *box, _ *rand.Rand) bool {
		b.waits(untrained, ofOutput, 903, "Bin full", outputFull)
		return true
	}},
	{"printer-offline-panel", "somebody took it offline", func(b *box, _ *rand.Rand) bool { b.is3(5, 1).bits(offline); return true }},
}

// realPrinter is a printer of a recording, which has two states more.
func realPrinter(name string, recorded device, draw *rand.Rand) *box {
	b := &box{device: maps.Clone(recorded), shape: &shape{name: "the recording " + name}, draw: draw, uptime: 864_000_000}
	if b.device[hrState] == "" {
		b.set(hrState, integerType, 3)
		b.set(hrDevice+"2.1", oidType, "1.3.6.1.2.1.25.3.1.5")
	}
	if b.device[hrErrors] == "" {
		b.bits()
	}
	return b
}
