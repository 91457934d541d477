package host

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp/printermib"
	constatv1 "constat/proto/constat/v1"
)

const usbDir = "/sys/bus/usb/devices"

// maxUSB is how many devices are looked at; a bus has at most 127, a machine a
// few buses.
const maxUSB = 2048

func readUSB(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed(usbDir)
	devices, err := usbDevices(r)
	if err != nil && r.Root == "" && readLibusb != nil {
		o = observed("libusb")
		devices, err = readLibusb()
	}
	if err != nil {
		return nil, failed(usbDir, fmt.Errorf("this kernel shows no USB: %w", err))
	}
	u := &constatv1.Usb{Devices: devices, Failures: portFailures(r), PolicyActive: usbPolicy(r)}
	if events, err := r.kernelLog(ctx); err != nil {
		gap(o, "failures", fmt.Errorf("failed enumerations, which only the log tells; over-currents are known: %w", err))
	} else {
		u.Failures = usbFailures(u.Failures, events, u.Devices)
	}
	return u, o
}

// usbDevices reads all devices, hubs included, sorted by path.
func usbDevices(r *reader) ([]*constatv1.UsbDevice, error) {
	names, err := r.names(usbDir)
	if err != nil {
		return nil, err
	}
	names = names[:min(len(names), maxUSB)]
	ids, closeIDs := r.ids("usb.ids")
	defer closeIDs()
	var aliases []byte
	devices := []*constatv1.UsbDevice{}
	for _, name := range names {
		if strings.Contains(name, ":") {
			continue // an interface: read with its device
		}
		d := usbDevice(r, name, ids)
		if d == nil {
			continue // gone meanwhile
		}
		prefix := name + ":"
		if bus, root := strings.CutPrefix(name, "usb"); root {
			prefix = bus + "-0:" // a root hub's interfaces are named as if it were on port 0
		}
		for _, other := range names {
			if strings.HasPrefix(other, prefix) {
				i, roles, modalias := usbInterface(r, d, other)
				if i.Driver != nil && *i.Driver == "" {
					if aliases == nil {
						aliases = r.moduleAliases()
					}
					if bytes.Contains(aliases, []byte("alias usb:")) && strings.HasPrefix(modalias, "usb:v") {
						i.DriverAvailable = set(hasDriver(aliases, modalias))
					}
				}
				d.Interfaces = append(d.Interfaces, i)
				d.HidRoles = append(d.HidRoles, roles...)
			}
		}
		finishUSB(d, r.code(usbDir+"/"+name+"/bDeviceClass"))
		devices = append(devices, d)
	}
	sortUSB(devices)
	return devices, nil
}

// usbDevice reads one device; nil when it has no ids.
func usbDevice(r *reader, name string, ids *idList) *constatv1.UsbDevice {
	dir := usbDir + "/" + name
	vendorID, productID := r.hex(dir+"/idVendor"), r.hex(dir+"/idProduct")
	if vendorID == nil || productID == nil {
		return nil
	}
	vendor, product := fourHex(*vendorID), fourHex(*productID)
	d := &constatv1.UsbDevice{
		Path:          &name,
		Id:            set(vendor + ":" + product),
		Vendor:        r.word(dir + "/manufacturer"),
		Product:       r.word(dir + "/product"),
		Serial:        r.word(dir + "/serial"),
		Authorized:    r.flag(dir + "/authorized"),
		PowerControl:  r.word(dir + "/power/control"),
		RuntimeStatus: r.word(dir + "/power/runtime_status"),
		BcdUsb:        r.word(dir + "/version"),
	}
	if name, productName := ids.names(vendor, product); name != "" {
		d.Vendor = &name
		if productName != "" {
			d.Product = &productName
		}
	}
	if text := r.word(dir + "/speed"); text != nil {
		if mbps, err := strconv.ParseFloat(*text, 64); err == nil {
			d.SpeedMbps = &mbps
		}
	}
	bos, _ := r.file(dir + "/bos_descriptors")
	d.CapableMbps = capableMbps(d.GetBcdUsb(), bos)
	// The kernel leaves it empty where no configuration is set.
	if text, err := r.text(dir + "/bConfigurationValue"); err == nil {
		d.Configured = set(text != "" && text != "0")
	}
	if text := r.word(dir + "/bMaxPower"); text != nil {
		d.MaxPowerMa = milliampere(*text)
	}
	if bits := r.hex(dir + "/bmAttributes"); bits != nil {
		d.SelfPowered = set(*bits&0x40 != 0) // USB 2.0 table 9-10
	}
	switch r.value(dir + "/removable") {
	case "removable":
		d.Removable = set(true)
	case "fixed":
		d.Removable = set(false)
	}
	return d
}

// usbInterface reads one interface, the roles it plays, and the alias that a
// driver for it has.
func usbInterface(r *reader, d *constatv1.UsbDevice, name string) (i *constatv1.UsbInterface, roles []string, modalias string) {
	dir := usbDir + "/" + name
	i = &constatv1.UsbInterface{Driver: r.driver(dir)}
	if n := r.code(dir + "/bInterfaceNumber"); n != nil {
		i.Number = set(int32(*n))
	}
	class, protocol := r.code(dir+"/bInterfaceClass"), r.code(dir+"/bInterfaceProtocol")
	if class != nil {
		i.Class = set(usbClass(*class))
		if protocol != nil && *i.Class == "hid" && hidRoles[*protocol] != "" {
			roles = append(roles, hidRoles[*protocol])
		}
	}
	if text := r.value(dir + "/ieee1284_id"); text != "" {
		id := printermib.DeviceID(text)
		d.Ieee1284Make = filled(id["MFG"] + id["MANUFACTURER"])
		d.Ieee1284Model = filled(id["MDL"] + id["MODEL"])
	}
	return i, roles, r.value(dir + "/modalias")
}

// portFailures are the ports that reported an over-current since boot.
func portFailures(r *reader) []*constatv1.UsbPortFailure {
	var failures []*constatv1.UsbPortFailure
	names, _ := r.names(usbDir)
	for _, name := range names {
		hub, found := strings.CutSuffix(name, ":1.0")
		if !found {
			continue
		}
		ports, _ := r.names(usbDir + "/" + name)
		for _, port := range ports {
			at := strings.LastIndex(port, "-port")
			if at < 0 {
				continue
			}
			count := r.number(usbDir + "/" + name + "/" + port + "/over_current_count")
			if count == nil || *count <= 0 {
				continue
			}
			// "1-0" is the root hub of bus 1, whose ports are 1-1, 1-2, …; below
			// it they are 1-2.1, 1-2.2, ….
			path := hub + "." + port[at+len("-port"):]
			if bus, root := strings.CutSuffix(hub, "-0"); root {
				path = bus + "-" + port[at+len("-port"):]
			}
			failures = append(failures, &constatv1.UsbPortFailure{
				Path: &path, Kind: set("overcurrent"), Count: set(int32(min(*count, 1<<31-1))),
			})
		}
	}
	slices.SortFunc(failures, func(a, b *constatv1.UsbPortFailure) int { return strings.Compare(a.GetPath(), b.GetPath()) })
	return failures
}

// usbPolicy tells whether something decides which devices may be used: a bus
// that does not authorise by itself. With USBGuard installed and a bus that
// does, nobody knows.
func usbPolicy(r *reader) *bool {
	names, _ := r.names(usbDir)
	for _, name := range names {
		if n := r.number(usbDir + "/" + name + "/authorized_default"); n != nil && *n != 1 && *n != -1 {
			return set(true)
		}
	}
	if _, err := r.stat("/etc/usbguard"); err == nil {
		return nil
	}
	return set(false)
}
