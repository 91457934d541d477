package host

import (
	"context"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func readPeripherals(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("ioreg, system_profiler, osascript")
	p := &constatv1.Peripherals{}
	devices, usbErr := r.macUSBDevices(ctx)
	hid, hidErr := r.tree(ctx, programLimit, ioregProgram, "-a", "-r", "-d", "1", "-c", "IOHIDDevice")
	switch {
	case usbErr != nil && hidErr != nil:
		gap(o, "devices", usbErr)
	case usbErr != nil:
		gap(o, "devices.usb_path", usbErr)
	case hidErr != nil:
		gap(o, "devices.battery_percent", hidErr)
	}
	p.Devices = macPeripherals(devices, hid)
	reports, err := r.profile(ctx, "SPBluetoothDataType", "SPAudioDataType", "SPCameraDataType")
	if err != nil {
		if usbErr != nil && hidErr != nil {
			return nil, failed(o.Source, err)
		}
		for _, fact := range []string{"bluetooth_adapters", "bluetooth_devices", "audio", "cameras"} {
			gap(o, fact, err)
		}
		return p, o
	}
	p.BluetoothAdapters, p.BluetoothDevices = macBluetooth(reports)
	p.Audio, p.Cameras = macAudio(reports), macCameras(reports)
	if len(p.Audio) > 0 {
		if content, err := r.run(ctx, programLimit, osascriptProgram, "-e", "get volume settings"); err != nil {
			gap(o, "audio.volume_percent", err)
		} else {
			output, input, muted := macVolume(content)
			withVolume(p.Audio, output, input, muted)
		}
	}
	macGaps(o, "peripherals")
	return p, o
}
