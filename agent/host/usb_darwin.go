package host

import (
	"context"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// macUSBDevices asks the registry for the devices on USB.
func (r *reader) macUSBDevices(ctx context.Context) ([]*constatv1.UsbDevice, error) {
	tree, err := r.registryOf(ctx, "IOUSBHostDevice")
	if err != nil {
		return nil, err
	}
	return macUSB(tree), nil
}

func readUSB(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("ioreg, system_profiler, log")
	go r.kernelLog(ctx) // both take seconds
	devices, err := r.macUSBDevices(ctx)
	if err != nil {
		return nil, failed(o.Source, err)
	}
	if reports, err := r.profile(ctx, "SPUSBDataType"); err != nil {
		gap(o, "devices.max_power_ma", err)
		gap(o, "devices.available_ma", err)
	} else {
		macUSBPower(devices, reports)
	}
	u := &constatv1.Usb{Devices: devices}
	if events, err := r.kernelLog(ctx); err != nil {
		gap(o, "failures", err)
	} else {
		u.Failures = usbFailures(nil, events, devices)
	}
	macGaps(o, "usb")
	return u, o
}

// printersBus lists the USB devices, among which printers are.
func printersBus(ctx context.Context, r *reader) ([]*constatv1.UsbDevice, error) {
	return r.macUSBDevices(ctx)
}
