package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
)

// Events of /dev/uhid (include/uapi/linux/uhid.h), by which a program is the
// transport of a HID device: nothing but the wire is played.
const (
	hidOutput  = 6  // of the host
	hidCreate  = 11 // of ours
	hidInput   = 12
	hidMaximum = 4096
	usbBus     = 3
	logitech   = 0x046d
)

// receiverReports describes reports 0x10 and 0x11 of Logitech's usage page, as
// the third interface of its receivers does.
var receiverReports = []byte{
	0x06, 0x00, 0xff, 0x09, 0x01, 0xa1, 0x01, 0x85, 0x10, 0x75, 0x08, 0x95, 0x06, 0x15, 0x00, 0x26, 0xff, 0x00, 0x09, 0x01, 0x81, 0x00, 0x09, 0x01, 0x91, 0x00, 0xc0,
	0x06, 0x00, 0xff, 0x09, 0x02, 0xa1, 0x01, 0x85, 0x11, 0x75, 0x08, 0x95, 0x13, 0x15, 0x00, 0x26, 0xff, 0x00, 0x09, 0x02, 0x81, 0x00, 0x09, 0x02, 0x91, 0x00, 0xc0,
}

// playHID is a receiver of Logitech's on the HID bus, which answers by a table.
func playHID(product, name, table string) error {
	number, err := strconv.ParseUint(product, 16, 16)
	if err != nil {
		return fmt.Errorf("a product is four digits: %w", err)
	}
	f, err := os.OpenFile("/dev/uhid", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	create := struct {
		kind                              uint32
		name                              [128]byte
		phys, uniq                        [64]byte
		size, bus                         uint16
		vendor, product, version, country uint32
		descriptor                        [hidMaximum]byte
	}{kind: hidCreate, size: uint16(len(receiverReports)), bus: usbBus, vendor: logitech, product: uint32(number), version: 0x2400}
	copy(create.name[:], name)
	copy(create.descriptor[:], receiverReports)
	var event bytes.Buffer
	if err := binary.Write(&event, binary.NativeEndian, create); err != nil {
		return err
	}
	if _, err := f.Write(event.Bytes()); err != nil {
		return err
	}
	return answerQuestions(wire{f}, table)
}

// wire carries a HID device's reports: Read gives what the host sent, Write sends
// to the host.
type wire struct{ uhid io.ReadWriter }

func (w wire) Read(report []byte) (int, error) {
	event := make([]byte, 8192)
	for {
		n, err := w.uhid.Read(event)
		if err != nil {
			return 0, err
		}
		if n < 4+hidMaximum+2 || binary.NativeEndian.Uint32(event) != hidOutput {
			continue
		}
		size := binary.NativeEndian.Uint16(event[4+hidMaximum:])
		return copy(report, event[4:4+min(int(size), hidMaximum)]), nil
	}
}

func (w wire) Write(report []byte) (int, error) {
	event := binary.NativeEndian.AppendUint32(nil, hidInput)
	event = binary.NativeEndian.AppendUint16(event, uint16(len(report)))
	if _, err := w.uhid.Write(append(event, report...)); err != nil {
		return 0, err
	}
	return len(report), nil
}
