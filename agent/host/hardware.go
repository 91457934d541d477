package host

import (
	"strconv"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// processorOf reads /proc/cpuinfo. Only x86 tells model, packages and cores
// there; elsewhere it counts the threads.
func processorOf(cpuinfo []byte) *constatv1.Processor {
	p := &constatv1.Processor{}
	var threads int32
	cores := map[string]bool{}
	packages := map[string]bool{}
	var physical string
	for line := range strings.Lines(string(cpuinfo)) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "processor":
			if _, err := strconv.Atoi(value); err == nil { // ARM also names its model so
				threads++
			}
		case "model name":
			if p.Model == nil {
				p.Model = filled(strings.Join(strings.Fields(value), " "))
			}
		case "physical id":
			physical = value
			packages[value] = true
		case "core id":
			cores[physical+"/"+value] = true
		}
	}
	if threads > 0 {
		p.Threads = &threads
	}
	if len(packages) > 0 {
		p.Sockets = set(int32(len(packages)))
	}
	if len(cores) > 0 {
		p.Cores = set(int32(len(cores)))
	}
	return p
}

// pciClasses name the PCI classes that faults ask about, by base class and
// subclass ("PCI Code and ID Assignment"). Bridges, memory and the like, which
// often have no driver and need none, are not among them.
var pciClasses = []struct {
	prefix uint32 // class and subclass
	mask   uint32
	word   string
}{
	{0x0280, 0xffff, "wireless"}, // "other network": what Wi-Fi adapters call themselves
	{0x0200, 0xff00, "network"},
	{0x0d11, 0xffff, "bluetooth"},
	{0x0d00, 0xff00, "wireless"},
	{0x0300, 0xff00, "display"},
	{0x0401, 0xffff, "audio"},
	{0x0403, 0xffff, "audio"},
	{0x0100, 0xff00, "storage"},
	{0x0c03, 0xffff, "usb"},
}

// pciClass names a class code of sysfs (base class, subclass, interface); ""
// for those that nobody asks about.
func pciClass(code int64) string {
	short := uint32(code >> 8)
	for _, c := range pciClasses {
		if short&c.mask == c.prefix {
			return c.word
		}
	}
	return ""
}

// secureBoot reads the UEFI variable SecureBoot as efivarfs gives it: four
// bytes of attributes, then one of value.
func secureBoot(variable []byte) *bool {
	if len(variable) != 5 {
		return nil
	}
	return set(variable[4] == 1)
}
