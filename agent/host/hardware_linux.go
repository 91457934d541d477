package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func readHardware(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("SMBIOS, /proc/cpuinfo, /sys/bus/pci")
	h := &constatv1.Hardware{}
	readSMBIOS(ctx, r, h, o)
	firmwareKind(r, h)
	if (h.Chassis == nil || *h.Chassis == "other") && hypervisorOf(h.GetSystem().GetModel(), h.GetSystem().GetManufacturer()) != "" {
		h.Chassis = set("virtual")
	}

	if info, err := r.file("/proc/cpuinfo"); err != nil {
		gap(o, "processor", err)
	} else {
		// The kernel counts what is switched on; the firmware what is soldered.
		p := processorOf(info)
		if h.Processor != nil {
			proto.Merge(h.Processor, p)
		} else {
			h.Processor = p
		}
	}
	if khz := r.number("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"); khz != nil && h.Processor != nil {
		h.Processor.MaxMhz = set(int32(*khz / 1000))
	}
	if h.MemoryBytes == nil {
		if content, err := r.file("/proc/meminfo"); err == nil {
			if memory, err := memoryOf(content); err == nil {
				h.MemoryBytes = memory.TotalBytes
			}
		}
	}
	readMemoryErrors(r, h)
	slices.SortStableFunc(h.MemoryModules, func(a, b *constatv1.MemoryModule) int { return strings.Compare(a.GetLocator(), b.GetLocator()) })
	if err := pciDevices(r, h); err != nil {
		gap(o, "bus_devices", err)
	}
	missingFirmware(ctx, r, h.BusDevices)
	readMonitors(ctx, r, h, o)
	h.Tpm = tpm(r)
	return h, o
}

// readSMBIOS gets the firmware's table: directly, else from the process that
// holds the rights, else what the kernel shows to everyone.
func readSMBIOS(ctx context.Context, r *reader, h *constatv1.Hardware, o *constatv1.Observation) {
	table, err := r.file("/sys/firmware/dmi/tables/DMI")
	if errors.Is(err, fs.ErrPermission) && r.Privileged != nil {
		var framed []byte
		if framed, err = r.Privileged(ctx, "smbios", ""); err == nil {
			_, table, err = splitSMBIOS(framed)
		}
	}
	var structures []smbios
	if err == nil {
		structures, err = parseSMBIOS(table)
	}
	if len(structures) > 0 {
		describeSMBIOS(h, structures)
		if err != nil {
			gap(o, "memory_modules", err)
		}
		return
	}
	// What the kernel took from the same table. Serials are for root here too.
	const dmi = "/sys/class/dmi/id/"
	shown := func(name string) *string { return meaningful(r.value(dmi + name)) }
	if _, statErr := r.stat(dmi); statErr != nil {
		// ARM boards name themselves in the device tree.
		if model := meaningful(strings.TrimRight(r.value("/proc/device-tree/model"), "\x00")); model != nil {
			h.System = &constatv1.System{Model: model, Brand: brandOf(*model)}
		}
		for _, fact := range []string{"system", "firmware", "baseboard", "chassis", "memory_modules"} {
			gap(o, fact, fmt.Errorf("no SMBIOS table: %w", err))
		}
		return
	}
	h.System = &constatv1.System{
		Manufacturer: shown("sys_vendor"), Model: shown("product_name"), Version: shown("product_version"),
		Sku: shown("product_sku"), Family: shown("product_family"), Serial: shown("product_serial"), Uuid: shown("product_uuid"),
		AssetTag: shown("chassis_asset_tag"),
	}
	if h.System.Manufacturer != nil {
		h.System.Brand = brandOf(*h.System.Manufacturer)
	}
	h.Firmware = &constatv1.Firmware{Vendor: shown("bios_vendor"), Version: shown("bios_version")}
	if date := shown("bios_date"); date != nil {
		h.Firmware.Date = firmwareDate(*date)
	}
	h.Baseboard = &constatv1.Baseboard{Manufacturer: shown("board_vendor"), Model: shown("board_name"), Serial: shown("board_serial")}
	if kind := r.number(dmi + "chassis_type"); kind != nil {
		h.Chassis = chassisOf(int(*kind))
	}
	for fact, name := range map[string]string{"system.serial": "product_serial", "system.uuid": "product_uuid", "baseboard.serial": "board_serial"} {
		if _, err := r.file(dmi + name); err != nil {
			gap(o, fact, err)
		}
	}
	gap(o, "memory_modules", err)
	slices.SortFunc(o.Gaps, func(a, b *constatv1.Gap) int { return strings.Compare(a.GetFact(), b.GetFact()) })
}

// firmwareKind tells how the machine was started, which is what the firmware is
// to its system.
func firmwareKind(r *reader, h *constatv1.Hardware) {
	if _, err := r.stat("/sys/firmware"); err != nil || h.Firmware == nil {
		return
	}
	h.Firmware.Kind = set("bios")
	if _, err := r.stat("/sys/firmware/efi"); err == nil {
		h.Firmware.Kind = set("uefi")
		if variable, err := r.file("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"); err == nil {
			h.Firmware.SecureBoot = secureBoot(variable)
		}
	}
}

// maxPCI is how many devices are looked at.
const maxPCI = 4096

// pciDevices reads the devices that faults ask about, sorted by address, and
// the graphics adapters among them.
func pciDevices(r *reader, h *constatv1.Hardware) error {
	const dir = "/sys/bus/pci/devices/"
	names, err := r.names(dir)
	if err != nil {
		return err
	}
	ids, closeIDs := r.ids("pci.ids")
	defer closeIDs()
	for _, name := range names[:min(len(names), maxPCI)] {
		code := r.hex(dir + name + "/class")
		vendor, device := r.hex(dir+name+"/vendor"), r.hex(dir+name+"/device")
		if code == nil || vendor == nil || device == nil || pciClass(*code) == "" {
			continue
		}
		vendorID, deviceID := fourHex(*vendor), fourHex(*device)
		d := &constatv1.BusDevice{
			Address: set(name), Id: set(vendorID + ":" + deviceID), Class: set(pciClass(*code)), Driver: r.driver(dir + name),
		}
		vendorName, model := ids.names(vendorID, deviceID)
		d.Vendor, d.Model = filled(vendorName), filled(model)
		h.BusDevices = append(h.BusDevices, d)
		if d.GetClass() == "display" {
			h.Gpus = append(h.Gpus, &constatv1.Gpu{Vendor: d.Vendor, Model: d.Model, Driver: d.Driver, DriverVersion: moduleVersion(r, d.GetDriver())})
		}
	}
	return nil
}

// moduleVersion is the version that a driver's module calls itself, as those
// from outside the kernel do (NVIDIA's); nil for the others, which are as old as
// the kernel.
func moduleVersion(r *reader, driver string) *string {
	if driver == "" || strings.Contains(driver, "/") {
		return nil
	}
	return filled(r.value("/sys/module/" + strings.ReplaceAll(driver, "-", "_") + "/version"))
}

// tpm reads the first trusted platform module; nil when this kernel has no
// support for one.
func tpm(r *reader) *constatv1.Tpm {
	names, err := r.names("/sys/class/tpm")
	if err != nil {
		return nil
	}
	t := &constatv1.Tpm{Present: set(len(names) > 0)}
	if len(names) > 0 {
		switch r.value("/sys/class/tpm/" + names[0] + "/tpm_version_major") {
		case "1":
			t.Version = set("1.2")
		case "2":
			t.Version = set("2.0")
		}
		// A TPM 2.0 that answered the kernel is on; one of before can be there and
		// switched off.
		t.Enabled = r.flag("/sys/class/tpm/" + names[0] + "/device/enabled")
		if t.Enabled == nil && t.GetVersion() == "2.0" {
			t.Enabled = set(true)
		}
	}
	return t
}
