//go:build cgo && libusb

package host

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/gousb"

	constatv1 "constat/proto/constat/v1"
)

// libusbSpeeds are libusb's speeds in Mbit/s; it folds all above 5000 into one
// in the version of its interface that gousb knows.
var libusbSpeeds = map[gousb.Speed]float64{
	gousb.SpeedLow: 1.5, gousb.SpeedFull: 12, gousb.SpeedHigh: 480, gousb.SpeedSuper: 5000,
}

// readLibusb is the second reader of the bus: it sees what sysfs tells too,
// where sysfs is not to be had, but knows no drivers and no power state. It
// opens a device only to read its strings, and does without where it may not.
var readLibusb = func() ([]*constatv1.UsbDevice, error) {
	context := gousb.NewContext()
	defer context.Close()
	var devices []*constatv1.UsbDevice
	byDesc := map[*gousb.DeviceDesc]*constatv1.UsbDevice{}
	// A device that cannot be opened is an error of the whole call, after all
	// have been enumerated; its descriptors are known all the same.
	opened, err := context.OpenDevices(func(desc *gousb.DeviceDesc) bool {
		d := describeLibusb(desc)
		devices = append(devices, d)
		byDesc[desc] = d
		return true
	})
	for _, device := range opened {
		if d := byDesc[device.Desc]; d != nil {
			d.Vendor, d.Product, d.Serial = libusbText(device.Manufacturer), libusbText(device.Product), libusbText(device.SerialNumber)
			if d.Brand == nil {
				d.Brand = brandOf(d.GetVendor())
			}
		}
		_ = device.Close()
	}
	if len(devices) == 0 && err != nil {
		return nil, fmt.Errorf("libusb: %w", err)
	}
	sortUSB(devices)
	return devices, nil
}

func libusbText(read func() (string, error)) *string {
	text, err := read()
	if err != nil {
		return nil
	}
	return filled(text)
}

// describeLibusb turns descriptors into facts.
func describeLibusb(desc *gousb.DeviceDesc) *constatv1.UsbDevice {
	d := &constatv1.UsbDevice{
		Path:   set(libusbPath(desc)),
		Id:     set(fmt.Sprintf("%04x:%04x", uint16(desc.Vendor), uint16(desc.Product))),
		BcdUsb: set(fmt.Sprintf("%d.%02d", desc.Spec.Major(), desc.Spec.Minor())),
	}
	if mbps, known := libusbSpeeds[desc.Speed]; known {
		d.SpeedMbps = &mbps
	}
	d.CapableMbps = capableMbps(d.GetBcdUsb(), nil)
	// Which configuration is active only an open device tells; nearly all have
	// one, and its number is 1.
	if config, found := desc.Configs[1]; found {
		d.MaxPowerMa, d.SelfPowered = set(int32(config.MaxPower)), set(config.SelfPowered)
		for _, i := range config.Interfaces {
			if len(i.AltSettings) == 0 {
				continue
			}
			alt := i.AltSettings[0]
			word := usbClass(int64(alt.Class))
			d.Interfaces = append(d.Interfaces, &constatv1.UsbInterface{Number: set(int32(i.Number)), Class: &word})
			if role := hidRoles[int64(alt.Protocol)]; word == "hid" && role != "" {
				d.HidRoles = append(d.HidRoles, role)
			}
		}
	}
	finishUSB(d, set(int64(desc.Class)))
	return d
}

// libusbPath writes a device's place as the kernel does: "1-2.3", "usb1".
func libusbPath(desc *gousb.DeviceDesc) string {
	if len(desc.Path) == 0 {
		return "usb" + strconv.Itoa(desc.Bus)
	}
	ports := make([]string, len(desc.Path))
	for i, port := range desc.Path {
		ports[i] = strconv.Itoa(port)
	}
	return strconv.Itoa(desc.Bus) + "-" + strings.Join(ports, ".")
}
