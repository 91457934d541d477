package host

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

var (
	getSystemPowerStatus           = kernel32.NewProc("GetSystemPowerStatus")
	powrprof                       = windows.NewLazySystemDLL("powrprof.dll")
	powerGetActiveScheme           = powrprof.NewProc("PowerGetActiveScheme")
	powerGetEffectiveOverlayScheme = powrprof.NewProc("PowerGetEffectiveOverlayScheme")
	callNtPowerInformation         = powrprof.NewProc("CallNtPowerInformation")
)

// Requests to batteries, and levels of what they tell (poclass.h).
const (
	batteryQueryTag         = 0x294040
	batteryQueryInformation = 0x294044
	batteryQueryStatus      = 0x29404c

	batteryInformation = 0
	batteryDeviceName  = 4
	batteryMaker       = 6
	batterySerial      = 8
)

// batteryInterface is GUID_DEVICE_BATTERY.
var batteryInterface = windows.GUID{Data1: 0x72631e54, Data2: 0x78a4, Data3: 0x11d0, Data4: [8]byte{0xbc, 0xf7, 0x00, 0xaa, 0x00, 0xb7, 0xb3, 0x2a}}

func readPower(ctx context.Context, _ *reader) (proto.Message, *constatv1.Observation) {
	o := observed("GetSystemPowerStatus, battery requests, power plans, WMI")
	p := &constatv1.Power{}
	if err := readSupply(p); err != nil {
		gap(o, "on_battery", err)
		gap(o, "chargers", err)
	}
	if err := readBatteries(p); err != nil {
		gap(o, "batteries", err)
	}
	p.Profile = powerProfile()
	if err := readSpeeds(p); err != nil {
		gap(o, "limit_mhz", err)
		gap(o, "max_mhz", err)
	}
	if err := readHeat(ctx, p); err != nil {
		gap(o, "thermal_zones", err)
	}
	return p, o
}

// readSupply tells whether the machine runs on mains.
func readSupply(p *constatv1.Power) error {
	s, err := supplyStatus()
	if err != nil {
		return err
	}
	p.OnBattery, p.Chargers = s.onBattery(), s.chargers()
	return nil
}

func supplyStatus() (s powerStatus, err error) {
	if ok, _, err := getSystemPowerStatus.Call(uintptr(unsafe.Pointer(&s))); ok == 0 {
		return s, fmt.Errorf("GetSystemPowerStatus: %w", err)
	}
	return s, nil
}

func readBatteries(p *constatv1.Power) error {
	names, err := windows.CM_Get_Device_Interface_List("", &batteryInterface, windows.CM_GET_DEVICE_INTERFACE_LIST_PRESENT)
	if err != nil {
		return fmt.Errorf("batteries: %w", err)
	}
	slices.Sort(names)
	for _, name := range names[:min(len(names), 64)] {
		if name == "" {
			continue
		}
		b, err := readBattery(name)
		if err != nil {
			return err
		}
		if b != nil {
			p.Batteries = append(p.Batteries, b)
		}
	}
	numberBatteries(p.Batteries)
	return nil
}

// readBattery asks one battery; nil where it is none of the machine's own.
func readBattery(path string) (*constatv1.Battery, error) {
	handle, err := openDevice(path, windows.GENERIC_READ|windows.GENERIC_WRITE)
	if err != nil {
		return nil, err
	}
	defer windows.CloseHandle(handle)
	b := &constatv1.Battery{}
	raw, err := control(handle, batteryQueryTag, make([]byte, 4), 4)
	switch {
	case errors.Is(err, windows.ERROR_FILE_NOT_FOUND), err == nil && len(raw) == 4 && binary.LittleEndian.Uint32(raw) == 0:
		b.Present = set(false)
		return b, nil
	case err != nil || len(raw) != 4:
		return nil, cmp.Or(err, errors.New("the battery's answer is cut off"))
	}
	ask := func(level uint32, size int) []byte {
		question := binary.LittleEndian.AppendUint32(slices.Clone(raw), level)
		answer, err := control(handle, batteryQueryInformation, append(question, 0, 0, 0, 0), size)
		if err != nil {
			return nil // not every battery tells everything
		}
		return answer
	}
	b.Present = set(true)
	system, absolute, err := addBatteryInformation(b, ask(batteryInformation, 36))
	if err != nil {
		return nil, err
	}
	if !system {
		return nil, nil // an uninterruptible supply
	}
	addBatteryTexts(b, ask(batteryDeviceName, 512), ask(batteryMaker, 512), ask(batterySerial, 512))
	question := append(slices.Clone(raw), make([]byte, 16)...)
	answer, err := control(handle, batteryQueryStatus, question, 16)
	if err != nil {
		return nil, err
	}
	return b, addBatteryStatus(b, answer, absolute)
}

// powerProfile is what the slider over the power plan says, else the plan; nil
// where somebody made the plan.
func powerProfile() *string {
	var overlay windows.GUID
	if powerGetEffectiveOverlayScheme.Find() == nil {
		if result, _, _ := powerGetEffectiveOverlayScheme.Call(uintptr(unsafe.Pointer(&overlay))); result == 0 {
			if word := powerSchemes[overlay.String()]; word != "" {
				return &word
			}
		}
	}
	var scheme *windows.GUID
	if powerGetActiveScheme.Find() != nil {
		return nil
	}
	if result, _, _ := powerGetActiveScheme.Call(0, uintptr(unsafe.Pointer(&scheme))); result != 0 || scheme == nil {
		return nil
	}
	defer windows.LocalFree(windows.Handle(unsafe.Pointer(scheme)))
	return filled(powerSchemes[scheme.String()])
}

// readSpeeds reads what processors may run at and could.
func readSpeeds(p *constatv1.Power) error {
	const processorInformation, size = 11, 24
	if err := callNtPowerInformation.Find(); err != nil {
		return fmt.Errorf("this Windows has no %s: %w", callNtPowerInformation.Name, errors.ErrUnsupported)
	}
	raw := make([]byte, size*runtime.NumCPU())
	if status, _, _ := callNtPowerInformation.Call(processorInformation, 0, 0, uintptr(unsafe.Pointer(&raw[0])), uintptr(len(raw))); status != 0 {
		return fmt.Errorf("CallNtPowerInformation: NTSTATUS 0x%08x", uint32(status))
	}
	p.LimitMhz, p.MaxMhz = parseProcessorPower(raw)
	return nil
}

// readHeat reads the thermal zones of ACPI, in tenths of a kelvin.
func readHeat(ctx context.Context, p *constatv1.Power) error {
	zones, err := askWMI[acpiZone](ctx, "SELECT InstanceName, CurrentTemperature, PassiveTripPoint, CriticalTripPoint FROM MSAcpi_ThermalZoneTemperature", `root\WMI`)
	if err != nil {
		return err
	}
	p.ThermalZones = heatOf(zones)
	return nil
}
