package sheet

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	constatv1 "constat/proto/constat/v1"
)

func (s *sheet) printing() {
	p := s.snapshot.GetPrinting()
	if sp := p.GetSpooler(); sp != nil {
		s.row("Print service", "Service", strings.ToUpper(sp.GetKind()), sp.GetVersion(), s.word(sp.GetState()))
	}
	for _, q := range p.GetQueues() {
		s.row("Queue", "File", q.GetName()+s.colon()+list(unless(p.GetDefaultQueue() != q.GetName(), s.say("default", "par défaut")), s.word(q.GetState()),
			s.is(q.AcceptingJobs, "", "", "REFUSES JOBS", "REFUSE LES TRAVAUX"), strings.Join(q.GetStateReasons(), " "),
			s.is(q.DeviceReachable, "the printer answers", "l’imprimante répond", "THE PRINTER DOES NOT ANSWER", "L’IMPRIMANTE NE RÉPOND PAS")))
		waiting, oldest := "", ""
		if q.PendingJobs != nil {
			waiting = s.count(int(*q.PendingJobs), "job waiting", "jobs waiting", "travail en attente", "travaux en attente")
		}
		if q.OldestJobSeconds != nil {
			oldest = s.say("the oldest for ", "le plus ancien depuis ") + s.span(time.Duration(*q.OldestJobSeconds)*time.Second)
		}
		s.row("Queue", "File", "  "+list(q.GetDeviceUri(), named(s.say("driver", "pilote"), q.GetDriver()), waiting, oldest, q.GetStateMessage()))
	}
	for _, d := range p.GetPrinters() {
		s.printer(d)
	}
}

func (s *sheet) printer(d *constatv1.Printer) {
	name := model(cmp.Or(d.GetBrand(), d.GetManufacturer()), d.GetModel())
	s.row("Printer", "Imprimante", cmp.Or(name, d.GetId())+s.colon()+list(s.is(d.Reachable, "answers", "répond", "DOES NOT ANSWER", "NE RÉPOND PAS"), s.word(d.GetState()),
		d.GetAddress(), named(s.say("serial", "série"), d.GetSerial()), strings.Join(d.GetStateReasons(), " "),
		s.is(d.IdentityChanged, "ANOTHER PRINTER THAN BEFORE", "UNE AUTRE IMPRIMANTE QU’AVANT", "", "")))
	var supplies, trays []string
	for _, x := range d.GetSupplies() {
		supplies = append(supplies, cmp.Or(x.GetName(), s.word(x.GetColour()), s.word(x.GetKind()))+" "+s.level(x))
	}
	s.row("Printer", "Imprimante", "  "+list(supplies...))
	for _, x := range d.GetTrays() {
		trays = append(trays, cmp.Or(x.GetName(), s.say("tray", "bac"))+" "+cmp.Or(percent(x.Percent), s.word(x.GetState()), s.say("not told", "non communiqué")))
	}
	s.row("Printer", "Imprimante", "  "+list(trays...))
	some(s, "Printer", "Imprimante", d.GetAlerts(), 5, func(a *constatv1.PrinterAlert) []string {
		return []string{"  " + s.word(a.GetSeverity()) + s.colon() + cmp.Or(a.GetDescription(), strconv.Itoa(int(a.GetCode())))}
	})
}

// level of a supply. Of what is gathered rather than used up, makers disagree
// whether the number is filled or free.
func (s *sheet) level(x *constatv1.Supply) string {
	state := unless(x.GetState() == "unknown", s.word(x.GetState()))
	switch {
	case x.GetState() == "full":
		return s.say("FULL", "PLEIN")
	case strings.HasPrefix(x.GetKind(), "waste") && state == "" && x.Percent != nil:
		return percent(x.Percent) + s.say(" (filled or free: makers differ)", " (rempli ou libre : selon le fabricant)")
	}
	return cmp.Or(percent(x.Percent), state, s.say("level not told", "niveau non communiqué"))
}

func (s *sheet) usb() {
	u := s.snapshot.GetUsb()
	speed := s.say("Mb/s", "Mbit/s")
	for _, d := range u.GetDevices() {
		if strings.HasPrefix(d.GetPath(), "usb") {
			continue // the computer's own
		}
		undriven := ""
		for _, i := range d.GetInterfaces() {
			if i.Driver != nil && *i.Driver == "" {
				undriven = s.say("no driver for its part: ", "sans pilote pour sa partie\u00a0: ") + s.word(i.GetClass())
				break
			}
		}
		slow := ""
		if d.CapableMbps != nil && d.SpeedMbps != nil && *d.SpeedMbps < *d.CapableMbps {
			slow = s.say("could do ", "capable de ") + s.measure(d.CapableMbps, 1, speed)
		}
		s.row("Port "+d.GetPath(), "Port "+d.GetPath(), model(d.GetVendor(), d.GetProduct()), s.word(d.GetClass()), d.GetId(), s.measure(d.SpeedMbps, 1, speed), slow,
			named(s.say("serial", "série"), d.GetSerial()), s.is(d.Authorized, "", "", "SWITCHED OFF", "DÉSACTIVÉ"), s.is(d.Configured, "", "", "NOT STARTED", "NON DÉMARRÉ"), undriven)
	}
	for _, f := range u.GetFailures() {
		s.row("Failures", "Échecs", "port "+f.GetPath()+s.colon()+s.word(f.GetKind()), s.count(int(f.GetCount()), "time", "times", "fois", "fois"))
	}
}

func (s *sheet) devices() {
	p := s.snapshot.GetPeripherals()
	byKind := slices.Clone(p.GetDevices())
	slices.SortStableFunc(byKind, func(a, b *constatv1.Peripheral) int { return strings.Compare(a.GetKind(), b.GetKind()) })
	for _, d := range byKind {
		kind := capital(s.word(d.GetKind()))
		s.row(kind, kind, model(d.GetBrand(), d.GetModel()), s.word(d.GetConnection()), s.is(d.Linked, "linked", "lié", "off or out of reach", "éteint ou hors de portée"),
			named(s.say("battery", "batterie"), list(percent(d.BatteryPercent), s.word(d.GetBatteryState()))), named(s.say("firmware", "micrologiciel"), d.GetFirmware()),
			named(s.say("serial", "série"), d.GetSerial()))
	}
	for _, a := range p.GetBluetoothAdapters() {
		s.row("Bluetooth", "Bluetooth", a.GetName(), s.is(a.Powered, "on", "allumé", "off", "éteint"), s.is(a.Blocked, "blocked", "bloqué", "", ""), named("service", s.word(a.GetServiceState())))
	}
	for _, d := range p.GetBluetoothDevices() {
		s.row("Bluetooth", "Bluetooth", "  "+cmp.Or(d.GetName(), s.word(d.GetKind())), s.is(d.Connected, "connected", "connecté", "not connected", "non connecté"),
			s.is(d.Paired, "", "", "not paired", "non jumelé"), named(s.say("battery", "batterie"), percent(d.BatteryPercent)), s.word(d.GetLastFailure()))
	}
	for _, a := range p.GetAudio() {
		s.row("Sound", "Son", a.GetName(), s.word(a.GetDirection()), s.word(a.GetForm()), s.is(a.DefaultEndpoint, "default", "par défaut", "", ""),
			s.is(a.Muted, "MUTED", "MUET", "", ""), named("volume", percent(a.VolumePercent)), s.is(a.InUse, "in use", "utilisé", "", ""))
	}
	for _, c := range p.GetCameras() {
		s.row("Camera", "Caméra", c.GetName(), named(s.say("used by", "utilisée par"), c.GetUsedBy()), s.is(c.Covered, "covered", "masquée", "", ""))
	}
	for _, a := range p.GetAbsent() {
		s.row("Gone", "Disparu", model(a.GetBrand(), a.GetName()), s.word(a.GetKind()), named(s.say("last seen", "vu le"), when(a.LastSeenAt)))
	}
}
