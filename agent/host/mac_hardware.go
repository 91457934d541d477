package host

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// macChassis are forms of computers by how Apple calls them.
var macChassis = []struct{ prefix, chassis string }{
	{"MacBook", "laptop"}, {"iMac", "allInOne"}, {"Mac mini", "desktop"}, {"Macmini", "desktop"}, {"Mac Studio", "desktop"},
	{"Mac Pro", "desktop"}, {"MacPro", "desktop"}, {"Xserve", "server"}, {"VirtualMac", "virtual"}, {"Apple Virtual Machine", "virtual"},
}

// macHardware describes a Mac by the reports of system_profiler (SPHardware,
// SPMemory, SPDisplays, SPiBridge), its entry in the registry
// (IOPlatformExpertDevice) and the kernel's word of the processor.
func macHardware(reports, platform node, ask sysctl) *constatv1.Hardware {
	h := &constatv1.Hardware{
		System:    &constatv1.System{Manufacturer: set("Apple Inc."), Brand: set("Apple")},
		Firmware:  &constatv1.Firmware{Vendor: set("Apple Inc.")},
		Processor: &constatv1.Processor{Model: ask.word("machdep.cpu.brand_string")},
	}
	var overview node
	if entries := profiled(reports, "SPHardwareDataType"); len(entries) > 0 {
		overview = entries[0]
	}
	expert := node{}
	ioEntries(platform, func(entry node) {
		if !expert.there() && entry.at("IOPlatformUUID").there() {
			expert = entry
		}
	})
	system := h.System
	system.Model = filled(cmp.Or(overview.at("machine_model").text(), expert.at("model").text()))
	system.Family = overview.at("machine_name").word()
	system.Sku = overview.at("model_number").word()
	system.Serial = filled(cmp.Or(overview.at("serial_number").text(), expert.at("IOPlatformSerialNumber").text()))
	system.Uuid = filled(strings.ToLower(cmp.Or(expert.at("IOPlatformUUID").text(), overview.at("platform_UUID").text())))
	if system.GetSerial() == "Not Available" || strings.Contains(system.GetSerial(), "System Serial") {
		system.Serial = nil // an exchanged board that nobody wrote it on
	}
	for _, c := range macChassis {
		if strings.HasPrefix(system.GetFamily(), c.prefix) || strings.HasPrefix(system.GetModel(), c.prefix) {
			h.Chassis = set(c.chassis)
			break
		}
	}
	h.Firmware.Version = overview.at("boot_rom_version").word()
	switch {
	case overview.at("chip_type").there():
		h.Firmware.Kind = set("other") // iBoot
	case overview.at("cpu_type").there():
		h.Firmware.Kind = set("uefi")
	}
	h.Firmware.SecureBoot = macSecureBoot(reports)
	if system.Model == nil {
		system.Model = ask.word("hw.model")
	}
	if h.Processor.Model == nil {
		h.Processor.Model = firstOfKeys(overview, "chip_type", "cpu_type").word()
	}
	h.Processor.Sockets, h.Processor.Cores, h.Processor.Threads = ask.count("hw.packages"), ask.count("hw.physicalcpu"), ask.count("hw.logicalcpu")
	h.Processor.MaxMhz = macMhz(ask)
	if h.MemoryBytes = macMemoryBytes(ask); h.MemoryBytes == nil {
		h.MemoryBytes = memorySize(overview.at("physical_memory").text())
	}
	h.MemoryModules = macMemory(reports)
	h.Gpus, h.Monitors = macDisplays(reports)
	return h
}

// macSecureBoot tells whether only signed systems start, by the report of the chip
// that decides it. Its words are in the user's language: others than the English
// ones tell nothing.
func macSecureBoot(reports node) *bool {
	for _, chip := range profiled(reports, "SPiBridgeDataType") {
		switch chip.at("ibridge_secure_boot").text() {
		case "Full Security", "Reduced Security", "Medium Security":
			return set(true)
		case "Permissive Security", "No Security":
			return set(false)
		}
	}
	return nil
}

// macMemory are the modules of memory. What is soldered is one without a slot.
func macMemory(reports node) (modules []*constatv1.MemoryModule) {
	for _, entry := range profiled(reports, "SPMemoryDataType") {
		slots := entry.at("_items").list()
		if len(slots) == 0 && entry.at("dimm_type").there() {
			slots = []node{entry}
		}
		for _, slot := range slots[:min(len(slots), 64)] {
			m := &constatv1.MemoryModule{Locator: slot.at("_name").word()}
			size := firstOfKeys(slot, "dimm_size", "SPMemoryDataType").text()
			if size == "empty" {
				m.SizeBytes = set(int64(0))
				modules = append(modules, m)
				continue
			}
			m.SizeBytes = memorySize(size)
			m.Type, m.Manufacturer = meaningful(slot.at("dimm_type").text()), meaningful(slot.at("dimm_manufacturer").text())
			m.PartNumber, m.Serial = meaningful(asciiOf(slot.at("dimm_part_number").text())), meaningful(slot.at("dimm_serial_number").text())
			if mhz, found := strings.CutSuffix(slot.at("dimm_speed").text(), " MHz"); found {
				if n, err := strconv.ParseInt(mhz, 10, 32); err == nil && n > 0 {
					m.SpeedMts = set(int32(n)) // Apple calls transfers hertz
				}
			}
			modules = append(modules, m)
		}
	}
	slices.SortStableFunc(modules, func(a, b *constatv1.MemoryModule) int { return strings.Compare(a.GetLocator(), b.GetLocator()) })
	return modules
}

// asciiOf reads a text that is written as its bytes in hex, "0x4D34…".
func asciiOf(text string) string {
	digits, found := strings.CutPrefix(text, "0x")
	if !found || len(digits)%2 != 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(digits); i += 2 {
		c, err := strconv.ParseUint(digits[i:i+2], 16, 8)
		if err != nil || c < ' ' || c > '~' {
			return ""
		}
		b.WriteByte(byte(c))
	}
	return strings.TrimSpace(b.String())
}

// macDisplays are the graphics adapters, and the screens that each shows a
// picture on.
func macDisplays(reports node) (gpus []*constatv1.Gpu, monitors []*constatv1.Monitor) {
	for _, entry := range profiled(reports, "SPDisplaysDataType") {
		gpu := &constatv1.Gpu{Model: firstOfKeys(entry, "sppci_model", "_name").word()}
		vendor := entry.at("spdisplays_vendor").text()
		vendor = strings.TrimPrefix(vendor, "sppci_vendor_") // "sppci_vendor_Apple", "AMD (0x1002)"
		vendor, _, _ = strings.Cut(vendor, " (")
		gpu.Vendor = filled(vendor)
		gpus = append(gpus, gpu)
		for _, screen := range entry.at("spdisplays_ndrvs").list() {
			monitors = append(monitors, macMonitor(screen))
		}
		if len(gpus) == 16 || len(monitors) > 64 {
			break
		}
	}
	return gpus, monitors
}

func macMonitor(screen node) *constatv1.Monitor {
	m := &constatv1.Monitor{
		Model: screen.at("_name").word(), Serial: meaningful(screen.at("spdisplays_display-serial-number").text()),
		Connected: set(true), Enabled: screen.at("spdisplays_online").flag(),
		Connector: screen.at("spdisplays_connection_type").word(),
	}
	if kind, found := strings.CutPrefix(m.GetConnector(), "spdisplays_"); found {
		m.Connector = set(kind) // "internal", "displayport", "hdmi"
	}
	if year := screen.at("_spdisplays_display-year").small(1990, 2100); year != nil {
		m.Year = year
	}
	if id := hexNumber(screen.at("_spdisplays_display-vendor-id").text()); id != nil && *id > 0 && *id <= 0x7fff {
		m.PnpId = set(pnpLetters(uint16(*id)))
		m.Manufacturer = makerOf(*m.PnpId)
		m.EdidRead = set(true)
	}
	return m
}

// pnpLetters unpacks a maker's id: three letters of five bits (VESA E-EDID 3.4.1).
func pnpLetters(id uint16) string {
	return fmt.Sprintf("%c%c%c", 'A'-1+id>>10&31, 'A'-1+id>>5&31, 'A'-1+id&31)
}
