//go:build !cgo || !libusb

package host

import constatv1 "constat/proto/constat/v1"

// readLibusb is nil: this build is without libusb, and reads sysfs only.
var readLibusb func() ([]*constatv1.UsbDevice, error)
