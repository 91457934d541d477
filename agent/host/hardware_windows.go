package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

var (
	kernel32                           = windows.NewLazySystemDLL("kernel32.dll")
	getSystemFirmwareTable             = kernel32.NewProc("GetSystemFirmwareTable")
	getFirmwareType                    = kernel32.NewProc("GetFirmwareType")
	getPhysicallyInstalledSystemMemory = kernel32.NewProc("GetPhysicallyInstalledSystemMemory")
	tbsGetDeviceInfo                   = windows.NewLazySystemDLL("tbs.dll").NewProc("Tbsi_GetDeviceInfo")
)

func readHardware(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("SMBIOS, SetupAPI, registry")
	h := &constatv1.Hardware{}
	table, err := firmwareTable()
	var structures []smbios
	if err == nil {
		structures, err = parseSMBIOS(table)
	}
	if len(structures) > 0 {
		describeSMBIOS(h, structures)
	} else {
		for _, fact := range []string{"system", "firmware", "baseboard", "chassis"} {
			gap(o, fact, fmt.Errorf("no SMBIOS table: %w", err))
		}
	}
	if err != nil {
		gap(o, "memory_modules", err)
	}
	readFirmwareKind(h)
	if (h.Chassis == nil || *h.Chassis == "other") && hypervisorOf(h.GetSystem().GetModel(), h.GetSystem().GetManufacturer()) != "" {
		h.Chassis = set("virtual")
	}
	readProcessor(h)
	if h.MemoryBytes == nil {
		var kibibytes uint64
		if getPhysicallyInstalledSystemMemory.Find() == nil {
			if ok, _, _ := getPhysicallyInstalledSystemMemory.Call(uintptr(unsafe.Pointer(&kibibytes))); ok != 0 && kibibytes > 0 {
				h.MemoryBytes = set(int64(kibibytes << 10))
			}
		}
	}
	slices.SortStableFunc(h.MemoryModules, func(a, b *constatv1.MemoryModule) int { return strings.Compare(a.GetLocator(), b.GetLocator()) })
	if tree, err := r.plugTree(); err != nil {
		gap(o, "bus_devices", err)
		gap(o, "gpus", err)
		gap(o, "monitors", err)
	} else {
		h.BusDevices, h.Gpus = tree.busDevices()
		readMonitors(ctx, tree, h, o)
	}
	if h.Tpm, err = tpm(); err != nil {
		gap(o, "tpm", err)
	}
	return h, o
}

// firmwareTable gets the SMBIOS table, which needs no rights.
func firmwareTable() ([]byte, error) {
	const provider = 'R'<<24 | 'S'<<16 | 'M'<<8 | 'B'
	size, _, err := getSystemFirmwareTable.Call(provider, 0, 0, 0)
	if size == 0 || size > maxSMBIOS {
		return nil, fmt.Errorf("GetSystemFirmwareTable: %w", err)
	}
	raw := make([]byte, size)
	got, _, err := getSystemFirmwareTable.Call(provider, 0, uintptr(unsafe.Pointer(&raw[0])), size)
	if got == 0 || got > size {
		return nil, fmt.Errorf("GetSystemFirmwareTable: %w", err)
	}
	return tableOfWindows(raw[:got])
}

// readFirmwareKind tells how the machine was started.
func readFirmwareKind(h *constatv1.Hardware) {
	var kind uint32
	if getFirmwareType.Find() != nil || h.Firmware == nil {
		return
	}
	if ok, _, _ := getFirmwareType.Call(uintptr(unsafe.Pointer(&kind))); ok == 0 {
		return
	}
	switch kind {
	case 1:
		h.Firmware.Kind = set("bios")
	case 2:
		h.Firmware.Kind = set("uefi")
	default:
		return
	}
	state := machineKey(`SYSTEM\CurrentControlSet\Control\SecureBoot\State`)
	defer state.close()
	h.Firmware.SecureBoot = state.flag("UEFISecureBootEnabled")
}

// readProcessor adds what Windows counts: the threads that are switched on, and
// the processor's name and speed.
func readProcessor(h *constatv1.Hardware) {
	all := machineKey(`HARDWARE\DESCRIPTION\System\CentralProcessor`)
	defer all.close()
	threads := all.keys(maxStack)
	if len(threads) == 0 {
		return
	}
	if h.Processor == nil {
		h.Processor = &constatv1.Processor{}
	}
	h.Processor.Threads = set(int32(len(threads)))
	first := all.sub("0")
	defer first.close()
	if name := filled(strings.Join(strings.Fields(first.text("ProcessorNameString")), " ")); name != nil {
		h.Processor.Model = name
	}
	if mhz := first.number("~MHz"); mhz != nil && *mhz > 0 && *mhz < 1<<20 {
		h.Processor.MaxMhz = set(int32(*mhz))
	}
}

// readMonitors reads the screens that are there, by the EDID that their driver
// keeps, and which of them a picture is sent to.
func readMonitors(ctx context.Context, tree *plugTree, h *constatv1.Hardware, o *constatv1.Observation) {
	screens := map[string]*constatv1.Monitor{}
	for i := range tree.devices {
		d := &tree.devices[i]
		if !strings.EqualFold(d.class, "Monitor") || len(h.Monitors) == 64 {
			continue
		}
		if strings.HasPrefix(strings.ToUpper(d.instance), `DISPLAY\DEFAULT_MONITOR`) {
			continue // made up by Windows where no screen tells of itself
		}
		key := machineKey(enumKey + `\` + d.instance + `\Device Parameters`)
		raw := key.bytes("EDID")
		key.close()
		m, err := parseEDID(raw)
		if m == nil {
			m = &constatv1.Monitor{}
		}
		if err != nil && len(raw) > 0 {
			gap(o, "monitors", err)
		}
		m.EdidRead, m.Connected = set(err == nil), set(true)
		screens[strings.ToUpper(d.instance)] = m
		h.Monitors = append(h.Monitors, m)
	}
	if len(screens) > 0 {
		lit, err := bounded(ctx, "the display driver", displayLimit, litScreens)
		if err != nil {
			gap(o, "monitors.connector", err)
			gap(o, "monitors.enabled", err)
		}
		for instance, m := range screens {
			if connector, on := lit[instance]; err == nil {
				m.Connector, m.Enabled = filled(connector), &on
			}
		}
	}
	slices.SortStableFunc(h.Monitors, func(a, b *constatv1.Monitor) int {
		return strings.Compare(a.GetPnpId()+a.GetModel()+a.GetSerial(), b.GetPnpId()+b.GetModel()+b.GetSerial())
	})
}

// tpm asks the TPM base services.
func tpm() (*constatv1.Tpm, error) {
	info := struct{ structVersion, version, interfaceType, revision uint32 }{structVersion: 1}
	if err := tbsGetDeviceInfo.Find(); err != nil {
		return nil, fmt.Errorf("this Windows has no TPM base services: %w", errors.ErrUnsupported)
	}
	result, _, _ := tbsGetDeviceInfo.Call(unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)))
	return tpmOf(uint32(result), info.version)
}
