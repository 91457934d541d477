package sheet

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

func (s *sheet) computer() {
	host, hw := s.snapshot.GetHost(), s.snapshot.GetHardware()
	s.row("Name", "Nom", host.GetHostname(), named(s.say("domain", "domaine"), host.GetDomain()))
	system := hw.GetSystem()
	name := model(cmp.Or(system.GetBrand(), system.GetManufacturer()), system.GetModel())
	if v := system.GetVersion(); len(v) > 4 && !strings.Contains(name, v) { // where Lenovo keeps the name
		name += " (" + v + ")"
	}
	s.row("Model", "Modèle", name, s.word(hw.GetChassis()))
	s.row("Serial number", "N° de série", system.GetSerial(), named(s.say("asset tag", "étiquette"), system.GetAssetTag()), named("SKU", system.GetSku()))
	firmware := known(hw.GetFirmware())
	s.row("Firmware", "Micrologiciel", strings.TrimSpace(firmware.GetVendor()+" "+firmware.GetVersion()+" "+named(s.say("of", "du"), firmware.GetDate())),
		strings.ToUpper(firmware.GetKind()), named("Secure Boot", s.is(firmware.SecureBoot, "on", "actif", "off", "inactif")))
	s.processor(known(hw))
	for _, g := range hw.GetGpus() {
		s.row("Graphics", "Graphisme", model(g.GetVendor(), g.GetModel()), named(s.say("driver", "pilote"), strings.TrimSpace(g.GetDriver()+" "+g.GetDriverVersion())))
	}
	for _, m := range hw.GetMonitors() {
		s.row("Screens", "Écrans", m.GetConnector()+s.colon()+cmp.Or(model(m.GetManufacturer(), m.GetModel()), s.say("does not say what it is", "ne dit pas ce qu’il est")),
			named(s.say("serial", "série"), m.GetSerial()), plain(m.Year), s.is(m.Enabled, "", "", "gets no picture", "ne reçoit pas d’image"))
	}
	if tpm := hw.GetTpm(); tpm != nil {
		s.row("TPM", "TPM", s.is(tpm.Present, "", "", "none", "aucun"), tpm.GetVersion(), s.is(tpm.Enabled, "on", "actif", "off", "inactif"))
	}
	for _, d := range hw.GetBusDevices() {
		name := cmp.Or(model(d.GetVendor(), d.GetModel()), d.GetId())
		if d.Driver != nil && *d.Driver == "" {
			s.row("Without a driver", "Sans pilote", name, s.word(d.GetClass()), d.GetId())
		}
		if d.GetMissingFirmware() != "" {
			s.row("Lacks firmware", "Microcode absent", name, d.GetMissingFirmware())
		}
	}
	s.system(known(host))
}

func (s *sheet) processor(hw *constatv1.Hardware) {
	p := known(hw.GetProcessor())
	cores, threads := "", ""
	if p.Cores != nil {
		cores = s.count(int(*p.Cores), "core", "cores", "cœur", "cœurs")
	}
	if p.Threads != nil {
		threads = s.count(int(*p.Threads), "thread", "threads", "fil", "fils")
	}
	s.row("Processor", "Processeur", p.GetModel(), cores, threads, unit(p.MaxMhz, "MHz"))
	s.row("Memory", "Mémoire", s.memory(hw.MemoryBytes))
	for _, m := range hw.GetMemoryModules() {
		if m.SizeBytes != nil && *m.SizeBytes == 0 {
			s.row("Memory", "Mémoire", m.GetLocator()+s.colon()+s.say("empty", "vide"))
			continue
		}
		errors := m.GetCorrectedErrors() + m.GetUncorrectedErrors()
		s.row("Memory", "Mémoire", m.GetLocator()+s.colon()+list(s.memory(m.SizeBytes), m.GetType(), unit(m.SpeedMts, "MT/s"),
			model(m.GetManufacturer(), m.GetPartNumber()), s.positive(&errors, "errors", "erreurs")))
	}
}

func (s *sheet) system(h *constatv1.Host) {
	s.row("System", "Système", strings.TrimSpace(h.GetOsName()+" "+h.GetOsVersion()), named(s.say("kernel", "noyau"), h.GetKernel()), h.GetArchitecture(),
		s.virtual(h.GetVirtualization()))
	if h.BootTime != nil {
		since := s.snapshot.GetManifest().GetTakenAt().AsTime().Sub(h.GetBootTime().AsTime())
		s.row("Running since", "En marche depuis", when(h.BootTime)+" ("+s.span(max(0, since))+")")
	}
	s.row("Language, zone", "Langue, fuseau", h.GetLocale(), h.GetTimezone())
	var users []string
	for _, one := range h.GetSessions() {
		users = append(users, one.GetUser()+unless(one.GetKind() != "remote", " ("+s.word("remote")+")"))
	}
	s.row("Signed in", "Session ouverte", users...)
	if b := s.snapshot.GetLoad().GetBoot(); b != nil {
		s.row("Last start took", "Démarrage en", named(s.say("firmware", "micrologiciel"), s.measure(b.FirmwareSeconds, 1, "s")),
			named(s.say("loader", "chargeur"), s.measure(b.LoaderSeconds, 1, "s")), named(s.say("kernel", "noyau"), s.measure(b.KernelSeconds, 1, "s")),
			named("services", s.measure(b.UserspaceSeconds, 1, "s")))
		s.row("Slowest to start", "Les plus lents", b.GetSlowestUnits()...)
	}
}

func (s *sheet) virtual(kind string) string {
	switch kind {
	case "", "none":
		return ""
	case "docker", "lxc", "podman", "systemd-nspawn":
		return s.say("in a container (", "dans un conteneur (") + kind + ")"
	}
	return s.say("in a virtual machine (", "dans une machine virtuelle (") + kind + ")"
}

func (s *sheet) power() {
	p := known(s.snapshot.GetPower())
	for _, b := range p.GetBatteries() {
		s.battery(b)
	}
	for _, c := range p.GetChargers() {
		s.row("Charger", "Chargeur", c.GetName()+s.colon()+list(s.is(c.Online, "plugged in", "branché", "not plugged in", "débranché"),
			and(s.measure(c.Watts, 1, "W"), named(s.say("of the", "des"), and(s.measure(c.RequiredWatts, 1, "W"), s.say("it wants", "voulus"))))))
	}
	s.row("Runs on", "Alimenté par", s.is(p.OnBattery, "battery", "la batterie", "mains", "le secteur"), named(s.say("profile", "profil"), s.word(p.GetProfile())))
	zones := slices.Clone(p.GetThermalZones())
	slices.SortStableFunc(zones, func(a, b *constatv1.ThermalZone) int { return cmp.Compare(b.GetCelsius(), a.GetCelsius()) })
	some(s, "Temperature", "Température", zones, 4, func(z *constatv1.ThermalZone) []string {
		return []string{z.GetName() + s.colon() + cmp.Or(s.measure(z.Celsius, 1, "°C"), "?"), named(s.say("slows down at", "ralentit à"), s.measure(z.PassiveCelsius, 0, "°C")),
			named(s.say("switches off at", "s’éteint à"), s.measure(z.CriticalCelsius, 0, "°C"))}
	})
	for _, f := range p.GetFans() {
		s.row("Fans", "Ventilateurs", f.GetName()+s.colon()+cmp.Or(unit(f.Rpm, s.say("rpm", "tr/min")), "?"), s.is(f.Alarm, "ALARM", "ALARME", "", ""))
	}
	s.row("Slowed by heat", "Bridé (chaleur)", s.positive(p.ThrottleEvents, "times since the start", "fois depuis le démarrage"))
	if p.LimitMhz != nil && p.MaxMhz != nil && *p.LimitMhz < *p.MaxMhz {
		s.row("Speed limit", "Vitesse limitée", unit(p.LimitMhz, "MHz")+s.say(" of ", " sur ")+unit(p.MaxMhz, "MHz"))
	}
}

func (s *sheet) battery(b *constatv1.Battery) {
	if b.Present != nil && !*b.Present {
		s.row("Battery", "Batterie", b.GetName()+s.colon()+s.say("not there", "absente"))
		return
	}
	energy, cycles := "", ""
	if b.FullMwh != nil && b.DesignMwh != nil {
		energy = s.number(float64(*b.FullMwh)/1000, 1) + s.say(" of ", " sur ") + s.number(float64(*b.DesignMwh)/1000, 1) + "\u00a0Wh"
	}
	if b.Cycles != nil {
		cycles = s.count(int(*b.Cycles), "cycle", "cycles", "cycle", "cycles")
	}
	s.row("Battery", "Batterie", b.GetName()+s.colon()+list(named(s.say("charged to", "chargée à"), percent(b.ChargePercent)),
		s.word(b.GetState())+unless(b.NotChargingReason == nil, " ("+s.word(b.GetNotChargingReason())+")"), named(s.say("charge limit", "limite de charge"), percent(b.ChargeLimitPercent))))
	s.row("Battery", "Batterie", "  "+list(named(s.say("health", "santé"), percent(b.HealthPercent)), energy, cycles, model(b.GetManufacturer(), b.GetModel()),
		named(s.say("serial", "série"), b.GetSerial())))
}

func (s *sheet) disks() {
	readings := map[string]*constatv1.DiskReading{}
	for _, d := range s.snapshot.GetReadings().GetDisks() {
		readings[d.GetName()] = d
	}
	for _, d := range s.snapshot.GetStorage().GetDisks() {
		r := known(readings[d.GetName()])
		kind := cmp.Or(map[string]string{"nvme": "NVMe", "sata": "SATA", "usb": "USB", "sas": "SAS", "mmc": "MMC"}[d.GetBus()], s.word(d.GetBus()))
		s.row("Disk", "Disque", d.GetName()+s.colon()+list(model(d.GetVendor(), strings.TrimSpace(d.GetModel())), s.size(d.SizeBytes), kind,
			s.is(d.Rotational, "spinning", "à plateaux", "", ""), named(s.say("serial", "série"), d.GetSerial()), named(s.say("firmware", "micrologiciel"), d.GetFirmware())))
		s.row("Disk", "Disque", "  "+list(s.is(d.SmartPassed, "says it is healthy", "se dit en bonne santé", "SAYS IT IS FAILING", "SE DIT DÉFAILLANT"),
			and(percent(d.PercentageUsed), s.say("worn", "d’usure")), s.positive(d.ReallocatedSectors, "reallocated sectors", "secteurs réalloués"),
			s.positive(d.PendingSectors, "unreadable sectors", "secteurs illisibles"), s.positive(d.MediaErrors, "media errors", "erreurs de support"),
			s.positive(d.InterfaceCrcErrors, "errors on the cable", "erreurs sur le câble"), s.positive(d.IoErrors, "errors in the log", "erreurs dans le journal"),
			s.measure(r.Celsius, 0, "°C"), and(unit(r.PowerOnHours, "h"), s.say("in use", "d’utilisation")), and(s.size(r.WrittenBytes), s.say("written", "écrits"))))
	}
	mounts := map[string]*constatv1.Mount{}
	for _, m := range s.snapshot.GetStorage().GetMounts() {
		mounts[m.GetMountPoint()] = m
	}
	shown := map[string]bool{}
	for _, f := range s.snapshot.GetSpace().GetFilesystems() {
		s.fileSystem(f, known(mounts[f.GetMountPoint()]))
		shown[f.GetMountPoint()] = true
	}
	for _, m := range s.snapshot.GetStorage().GetMounts() {
		if !shown[m.GetMountPoint()] {
			s.fileSystem(&constatv1.FileSystemUse{MountPoint: m.MountPoint, Type: m.Type}, m)
		}
	}
}

func (s *sheet) fileSystem(f *constatv1.FileSystemUse, m *constatv1.Mount) {
	free, encryption := "", ""
	if f.FreeBytes != nil {
		free = s.size(f.FreeBytes) + s.say(" free of ", " libres sur ") + s.size(f.TotalBytes) + named("", unless(f.UsedPercent == nil, "("+percent(f.UsedPercent)+s.say(" used)", " occupés)")))
	}
	if e := m.GetEncryption(); e != "" && e != "none" {
		encryption = s.say("encrypted (", "chiffré (") + e + ")"
	}
	s.row("File systems", "Volumes", f.GetMountPoint()+s.colon()+list(free,
		unless(f.GetUsedInodesPercent() < 90, percent(f.UsedInodesPercent)+s.say(" of its inodes used", " de ses inodes occupés")),
		f.GetType(), encryption, s.is(m.ReadOnly, "read-only", "lecture seule", "", ""), s.positive(m.ErrorCount, "errors", "erreurs")))
}

func (s *sheet) load() {
	l := s.snapshot.GetLoad()
	c, m, p := known(l.GetCpu()), known(l.GetMemory()), known(l.GetPressure())
	s.row("Processor", "Processeur", and(s.measure(c.BusyPercent, 0, "%"), s.say("busy", "occupé")), named(s.say("load", "charge"), s.measure(c.Load1, 2, "")),
		over(c.IowaitPercent, 5, and(s.measure(c.IowaitPercent, 0, "%"), s.say("waiting for disks", "en attente des disques"))),
		over(c.StealPercent, 5, and(s.measure(c.StealPercent, 0, "%"), s.say("taken by the host", "pris par l’hôte"))))
	s.row("Memory", "Mémoire", and(s.memory(m.AvailableBytes), s.say("free of ", "libres sur ")+s.memory(m.TotalBytes)))
	if m.GetSwapTotalBytes() > 0 {
		s.row("Swap", "Échange", s.memory(m.SwapFreeBytes)+s.say(" free of ", " libres sur ")+s.memory(m.SwapTotalBytes))
	}
	s.row("Waits (1 min)", "Attentes (1 min)", named(s.say("processor", "processeur"), s.measure(p.CpuSome60, 1, "%")),
		named(s.say("memory", "mémoire"), s.measure(p.MemorySome60, 1, "%")), named(s.say("disks", "disques"), s.measure(p.IoSome60, 1, "%")))
	some(s, "Programs at work", "Programmes actifs", l.GetProcesses()[:min(5, len(l.GetProcesses()))], 5, func(p *constatv1.Process) []string {
		return []string{p.GetName() + s.colon() + list(and(s.measure(p.CpuPercent, 0, "%"), s.say("of a core", "d’un cœur")), s.memory(p.ResidentBytes))}
	})
	for _, d := range l.GetDisks() {
		s.row("Disks at work", "Disques actifs", unless(d.BusyPercent == nil,
			d.GetDisk()+s.colon()+list(and(s.measure(d.BusyPercent, 0, "%"), s.say("busy", "occupé")), and(s.measure(d.AwaitMs, 1, "ms"), s.say("a request", "par requête")))))
	}
	s.row("Stuck processes", "Figés", unless(l.GetZombies() == 0, s.count(int(l.GetZombies()), "zombie", "zombies", "zombie", "zombies")),
		unless(l.GetBlocked() == 0, fmt.Sprintf("%d\u00a0%s", l.GetBlocked(), s.say("waiting for a device", "en attente d’un périphérique"))))
}
