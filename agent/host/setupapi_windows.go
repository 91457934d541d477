package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

var (
	cfgmgr32      = windows.NewLazySystemDLL("cfgmgr32.dll")
	cmGetParent   = cfgmgr32.NewProc("CM_Get_Parent")
	cmGetDeviceID = cfgmgr32.NewProc("CM_Get_Device_IDW")
	cmGetProperty = cfgmgr32.NewProc("CM_Get_DevNode_PropertyW")
)

// busReported is DEVPKEY_Device_BusReportedDeviceDesc, driverVersionKey
// DEVPKEY_Device_DriverVersion (devpkey.h).
var (
	busReported = windows.DEVPROPKEY{
		FmtID: windows.DEVPROPGUID{Data1: 0x540b947e, Data2: 0x8b40, Data3: 0x45bc, Data4: [8]byte{0xa8, 0xa2, 0x6a, 0x0b, 0x89, 0x4c, 0xbd, 0xa2}}, PID: 4,
	}
	driverVersionKey = windows.DEVPROPKEY{
		FmtID: windows.DEVPROPGUID{Data1: 0xa8b865dd, Data2: 0x2e3d, Data3: 0x4094, Data4: [8]byte{0xad, 0x97, 0xe5, 0x93, 0xa7, 0x0c, 0x75, 0xd6}}, PID: 3,
	}
)

// plugTree reads all devices that are there, at most once for all who ask.
func (r *reader) plugTree() (*plugTree, error) {
	r.plugged.Do(func() {
		var devices []plugDevice
		if devices, r.plugged.err = presentDevices(); r.plugged.err == nil {
			r.plugged.tree = newPlugTree(devices)
			r.plugged.tree.askHubs()
		}
	})
	return r.plugged.tree, r.plugged.err
}

func presentDevices() ([]plugDevice, error) {
	list, err := windows.SetupDiGetClassDevsEx(nil, "", 0, windows.DIGCF_ALLCLASSES|windows.DIGCF_PRESENT, 0, "")
	if err != nil {
		return nil, fmt.Errorf("SetupDiGetClassDevsEx: %w", err)
	}
	defer list.Close()
	var devices []plugDevice
	for i := range maxDevices {
		data, err := list.EnumDeviceInfo(i)
		if errors.Is(err, windows.ERROR_NO_MORE_ITEMS) {
			break
		}
		if err != nil {
			continue
		}
		if d, ok := plugDeviceOf(list, data); ok {
			devices = append(devices, d)
		}
	}
	return devices, nil
}

func plugDeviceOf(list windows.DevInfo, data *windows.DevInfoData) (d plugDevice, ok bool) {
	var err error
	if d.instance, err = list.DeviceInstanceID(data); err != nil {
		return d, false
	}
	value := func(property windows.SPDRP) any {
		v, err := list.DeviceRegistryProperty(data, property)
		if err != nil {
			return nil
		}
		return v
	}
	text := func(property windows.SPDRP) string {
		s, _ := value(property).(string)
		return s
	}
	texts := func(property windows.SPDRP) []string {
		all, _ := value(property).([]string)
		return all
	}
	number := func(property windows.SPDRP) *uint64 {
		switch n := value(property).(type) {
		case uint32:
			wide := uint64(n)
			return &wide
		case uint64:
			return &n
		}
		return nil
	}
	d.class, d.service = text(windows.SPDRP_CLASS), text(windows.SPDRP_SERVICE)
	d.hardware, d.compatible = texts(windows.SPDRP_HARDWAREID), texts(windows.SPDRP_COMPATIBLEIDS)
	d.description, d.friendly, d.maker = text(windows.SPDRP_DEVICEDESC), text(windows.SPDRP_FRIENDLYNAME), text(windows.SPDRP_MFG)
	d.locations = texts(windows.SPDRP_LOCATION_PATHS)
	d.bus, d.address = number(windows.SPDRP_BUSNUMBER), number(windows.SPDRP_ADDRESS)
	d.configFlags, d.removalPolicy = number(windows.SPDRP_CONFIGFLAGS), number(windows.SPDRP_REMOVAL_POLICY)
	if s, err := windows.SetupDiGetDeviceProperty(list, data, &busReported); err == nil {
		d.reported, _ = s.(string)
	}
	if strings.EqualFold(d.class, "Display") {
		if s, err := windows.SetupDiGetDeviceProperty(list, data, &driverVersionKey); err == nil {
			d.driverVersion, _ = s.(string)
		}
	}
	if strings.HasPrefix(strings.ToUpper(d.instance), "BTH") {
		d.battery = toldBattery(data.DevInst)
	}
	if err := windows.CM_Get_DevNode_Status(&d.status, &d.problem, data.DevInst, 0); err != nil {
		d.status, d.problem = 0, 0
	}
	d.parent = parentOf(data.DevInst)
	return d, true
}

// toldBattery is how full a device of Bluetooth says that its battery is, in percent.
// The key is Windows' own: headers do not name it, and its settings show what it
// holds ({104ea319-6ee2-4701-bd47-8ddbf425bbe5} 2, a byte or a number).
func toldBattery(device windows.DEVINST) *int32 {
	const aByte, aNumber = 3, 7 // DEVPROP_TYPE_BYTE, DEVPROP_TYPE_UINT32
	key := windows.DEVPROPKEY{
		FmtID: windows.DEVPROPGUID{Data1: 0x104ea319, Data2: 0x6ee2, Data3: 0x4701, Data4: [8]byte{0xbd, 0x47, 0x8d, 0xdb, 0xf4, 0x25, 0xbb, 0xe5}}, PID: 2,
	}
	var kind, percent, size uint32 = 0, 0, 4
	if cmGetProperty.Find() != nil {
		return nil
	}
	result, _, _ := cmGetProperty.Call(uintptr(device), uintptr(unsafe.Pointer(&key)), uintptr(unsafe.Pointer(&kind)), uintptr(unsafe.Pointer(&percent)), uintptr(unsafe.Pointer(&size)), 0)
	if result != uintptr(windows.CR_SUCCESS) || kind != aByte && kind != aNumber || percent > 100 {
		return nil
	}
	return set(int32(percent))
}

// parentOf is what a device hangs on; "" where that is not told.
func parentOf(device windows.DEVINST) string {
	var above windows.DEVINST
	if cmGetParent.Find() != nil || cmGetDeviceID.Find() != nil {
		return ""
	}
	if result, _, _ := cmGetParent.Call(uintptr(unsafe.Pointer(&above)), uintptr(device), 0); result != uintptr(windows.CR_SUCCESS) || above == 0 {
		return ""
	}
	var id [200]uint16 // MAX_DEVICE_ID_LEN
	if result, _, _ := cmGetDeviceID.Call(uintptr(above), uintptr(unsafe.Pointer(&id[0])), uintptr(len(id)), 0); result != uintptr(windows.CR_SUCCESS) {
		return ""
	}
	return windows.UTF16ToString(id[:])
}

// Requests to hubs (usbioctl.h).
const (
	usbNodeInformation  = 0x220408
	usbDescriptor       = 0x220410
	usbConnectionInfo   = 0x220448
	usbConnectionInfoV2 = 0x22045c
)

// hubInterface is GUID_DEVINTERFACE_USB_HUB.
var hubInterface = windows.GUID{Data1: 0xf18a0e88, Data2: 0xc30c, Data3: 0x11d0, Data4: [8]byte{0x88, 0x15, 0x00, 0xa0, 0xc9, 0x06, 0xbe, 0xd8}}

// askHubs adds what the hubs tell of their ports to the devices there.
func (t *plugTree) askHubs() {
	for i := range t.devices {
		hub := &t.devices[i]
		if !isUSBDevice(hub) || !isRootHub(hub) && !strings.HasPrefix(strings.ToUpper(hub.service), "USBHUB") {
			continue
		}
		names, err := windows.CM_Get_Device_Interface_List(hub.instance, &hubInterface, windows.CM_GET_DEVICE_INTERFACE_LIST_PRESENT)
		if err != nil || len(names) == 0 || names[0] == "" {
			continue
		}
		handle, err := openDevice(names[0], windows.GENERIC_WRITE)
		if err != nil {
			continue
		}
		for j := range t.devices {
			d := &t.devices[j]
			if isUSBDevice(d) && d.address != nil && strings.EqualFold(d.parent, hub.instance) {
				if port, err := askPort(handle, uint32(*d.address)); err == nil {
					t.ports[d.instance] = port
				}
			}
		}
		windows.CloseHandle(handle)
	}
}

// openDevice opens a device by its path, with these rights; none are enough to
// ask of what it is.
func openDevice(path string, rights uint32) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	handle, err := windows.CreateFile(name, rights, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		var number windows.Errno
		if errors.As(err, &number) {
			return 0, windowsError(path, number)
		}
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return handle, nil
}

// control sends a device a request, and returns its answer.
func control(handle windows.Handle, code uint32, question []byte, size int) ([]byte, error) {
	answer := make([]byte, max(size, len(question), 1))
	var in *byte
	if len(question) > 0 {
		in = &question[0]
	}
	var got uint32
	if err := windows.DeviceIoControl(handle, code, in, uint32(len(question)), &answer[0], uint32(len(answer)), &got, nil); err != nil {
		var number windows.Errno
		if errors.As(err, &number) {
			return nil, windowsError(fmt.Sprintf("request %#x", code), number)
		}
		return nil, fmt.Errorf("request %#x: %w", code, err)
	}
	return answer[:min(int(got), len(answer))], nil
}

// askPort asks a hub of one of its ports.
func askPort(hub windows.Handle, number uint32) (hubPort, error) {
	question := make([]byte, 35+30*11) // with a list of pipes behind it
	putUint32(question, number)
	raw, err := control(hub, usbConnectionInfo, question, len(question))
	if err != nil {
		return hubPort{}, err
	}
	port, err := parseHubPort(raw)
	if err != nil {
		return hubPort{}, err
	}
	question = make([]byte, 16)
	putUint32(question, number)
	putUint32(question[4:], 16)
	putUint32(question[8:], 7) // USB 1.1, 2.0 and 3.0
	if raw, err := control(hub, usbConnectionInfoV2, question, 16); err == nil {
		port.addSpeeds(raw)
	}
	const header, most = 12, 4096
	question = make([]byte, header+most)
	putUint32(question, number)
	copy(question[4:], []byte{0x80, 6, 0, 2, 0, 0, most & 0xff, most >> 8}) // GET_DESCRIPTOR, the first configuration
	if raw, err := control(hub, usbDescriptor, question, len(question)); err == nil && len(raw) > header {
		port.descriptors = raw[header:]
	}
	return port, nil
}

func putUint32(to []byte, n uint32) {
	to[0], to[1], to[2], to[3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
}

func readUSB(_ context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	const source = "SetupAPI, hubs"
	tree, err := r.plugTree()
	if err != nil {
		return nil, failed(source, err)
	}
	o := observed(source)
	u := &constatv1.Usb{PolicyActive: usbPolicy()}
	u.Devices, u.Failures = tree.usb()
	return u, o
}

// usbPolicy tells whether an administrator decides which devices may be
// installed (Device Installation Restrictions).
func usbPolicy() *bool {
	key := machineKey(`SOFTWARE\Policies\Microsoft\Windows\DeviceInstall\Restrictions`)
	defer key.close()
	active := false
	for _, name := range []string{"DenyUnspecified", "DenyDeviceIDs", "DenyDeviceClasses", "DenyInstanceIDs", "DenyRemovableDevices"} {
		if on := key.flag(name); on != nil && *on {
			active = true
		}
	}
	return &active
}
