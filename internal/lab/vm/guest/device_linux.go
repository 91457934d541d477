package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// The kernel's end of USB/IP (Documentation/usb/usbip_protocol.rst): a port into
// which a program plugs a device that it plays itself, down to its descriptors.
// So a device may be broken in ways that no gadget driver is.
const (
	attachFile = "/sys/devices/platform/vhci_hcd.0/attach"
	highSpeed  = 3

	submit, unlink, submitted, unlinked = 1, 2, 3, 4
	headerSize                          = 48
)

// playDevice plugs a device into a port and plays it until it is pulled out.
func playDevice(kind, port string) error {
	play := devices[kind]
	if play == nil {
		return fmt.Errorf("no device %q", kind)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	wire := os.NewFile(uintptr(pair[0]), "wire")
	defer wire.Close()
	const id = 1<<16 | 2 // bus and number at the other end: any
	if err := os.WriteFile(attachFile, fmt.Appendf(nil, "%s %d %d %d", port, pair[1], id, highSpeed), 0); err != nil {
		return err
	}
	if err := unix.Close(pair[1]); err != nil {
		return err
	}
	for {
		if err := answerRequest(wire, play); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// answerRequest takes one request from the wire. What is for an endpoint beyond
// the first is never answered: these devices do nothing.
func answerRequest(wire *os.File, play func(setup [8]byte) ([]byte, int32)) error {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(wire, header); err != nil {
		return err
	}
	at := func(n int) uint32 { return binary.BigEndian.Uint32(header[4*n:]) }
	command, in, endpoint, length := at(0), at(3) == 1, at(4), at(6)
	answer := make([]byte, headerSize)
	copy(answer[4:], header[4:8]) // the number of the request
	switch {
	case command == unlink:
		const connectionReset = -104
		binary.BigEndian.PutUint32(answer, unlinked)
		binary.BigEndian.PutUint32(answer[20:], uint32(connectionReset&0xffffffff))
		_, err := wire.Write(answer)
		return err
	case command != submit:
		return fmt.Errorf("request %d", command)
	}
	if !in && length > 0 {
		if _, err := io.CopyN(io.Discard, wire, int64(length)); err != nil {
			return err
		}
	}
	if endpoint != 0 {
		return nil
	}
	content, status := play([8]byte(header[40:48]))
	content = content[:min(len(content), int(length))]
	sent := uint32(len(content))
	if !in {
		content, sent = nil, length
	}
	binary.BigEndian.PutUint32(answer, submitted)
	binary.BigEndian.PutUint32(answer[20:], uint32(status))
	binary.BigEndian.PutUint32(answer[24:], sent)
	_, err := wire.Write(append(answer, content...))
	return err
}

// How a request ends beside well (errno(3)).
const (
	stall         int32 = -32 // the device refuses it
	protocolError int32 = -71 // what came makes no sense
)

// devices answer what is asked of their first endpoint (USB 2.0 9.4).
var devices = map[string]func(setup [8]byte) ([]byte, int32){
	// Nothing that it says can be understood: a bad cable, a dying port.
	"mute": func([8]byte) ([]byte, int32) { return nil, protocolError },
	// It says who it is, and not what it does.
	"half": func(setup [8]byte) ([]byte, int32) {
		if descriptor(setup) == configuration {
			return nil, protocolError
		}
		return tell(setup, deviceDescriptor(0x090c, 0x1000), nil)
	},
	// A disk without a supply of its own, which wants more than a port gives.
	"hungry": func(setup [8]byte) ([]byte, int32) {
		return tell(setup, deviceDescriptor(0x152d, 0x2329), hungry)
	},
	// A headset of USB Audio 1.0, both ways.
	"headset": func(setup [8]byte) ([]byte, int32) {
		return tell(setup, deviceDescriptor(0x0b0e, 0x0306), headset)
	},
	// One whose firmware is out of order until it is reset: then it is read anew.
	"lost headset": func() func(setup [8]byte) ([]byte, int32) {
		const setConfiguration = 9
		used, reset := false, false
		return func(setup [8]byte) ([]byte, int32) {
			used = used || setup[0] == 0 && setup[1] == setConfiguration
			reset = reset || used && descriptor(setup) == device
			if !reset {
				return tell(setup, deviceDescriptor(0x0b0e, 0x0306), slices.Replace(slices.Clone(headset), 18, 28))
			}
			return tell(setup, deviceDescriptor(0x0b0e, 0x0306), headset)
		}
	}(),
	// One whose firmware lost what it can do: its driver gives up.
	"dumb headset": func(setup [8]byte) ([]byte, int32) {
		return tell(setup, deviceDescriptor(0x0b0e, 0x0306), slices.Replace(slices.Clone(headset), 18, 28))
	},
}

const (
	getDescriptor = 6
	device        = 1
	configuration = 2
)

// descriptor is the kind of descriptor that is asked for; 0: something else.
func descriptor(setup [8]byte) byte {
	if setup[0] == 0x80 && setup[1] == getDescriptor {
		return setup[3]
	}
	return 0
}

// tell answers as a device does that has these descriptors.
func tell(setup [8]byte, identity, config []byte) ([]byte, int32) {
	const textKind = 3
	switch kind := descriptor(setup); {
	case kind == device:
		return identity, 0
	case kind == configuration:
		return config, 0
	case kind == textKind && setup[2] == 0:
		return []byte{4, textKind, 0x09, 0x04}, 0
	case kind == textKind && int(setup[2]) <= len(texts):
		word := texts[setup[2]-1][binary.LittleEndian.Uint16(identity[8:])]
		text := []byte{byte(2 + 2*len(word)), textKind}
		for _, c := range []byte(word) {
			text = append(text, c, 0)
		}
		return text, 0
	case kind != 0:
		return nil, stall
	case setup[0]&0x80 != 0: // status, current alternate setting, …
		return make([]byte, binary.LittleEndian.Uint16(setup[6:])), 0
	}
	return nil, 0
}

// texts are the makers and the models, by the maker's number.
var texts = []map[uint16]string{
	{0x152d: "JMicron", 0x0b0e: "GN Netcom A/S", 0x090c: "Generic"},
	{0x152d: "USB to ATA/ATAPI Bridge", 0x0b0e: "Jabra EVOLVE LINK", 0x090c: "Flash Disk"},
}

func deviceDescriptor(vendor, product uint16) []byte {
	d := []byte{18, 1, 0x00, 0x02, 0, 0, 0, 64, 0, 0, 0, 0, 0x00, 0x01, 1, 2, 0, 1}
	binary.LittleEndian.PutUint16(d[8:], vendor)
	binary.LittleEndian.PutUint16(d[10:], product)
	return d
}

// hungry is the configuration of a disk that wants 510 mA.
var hungry = []byte{
	9, configuration, 32, 0, 1, 1, 0, 0x80, 255,
	9, 4, 0, 0, 2, 8, 6, 80, 0,
	7, 5, 0x81, 2, 0, 2, 0,
	7, 5, 0x02, 2, 0, 2, 0,
}

// headset is the configuration of one (USB Audio 1.0, chapter 4): headset
// terminals (0x0402) behind one stream each way, of 48 kHz.
var headset = func() []byte {
	control := []byte{
		10, 0x24, 1, 0, 1, 0, 0, 2, 1, 2, // header, length at 5
		12, 0x24, 2, 1, 0x01, 0x01, 0, 2, 3, 0, 0, 0, // from USB
		9, 0x24, 3, 2, 0x02, 0x04, 0, 1, 0, // to the ears
		12, 0x24, 2, 3, 0x02, 0x04, 0, 1, 0, 0, 0, 0, // from the mouth
		9, 0x24, 3, 4, 0x01, 0x01, 0, 3, 0, // to USB
	}
	control[5] = byte(len(control))
	stream := func(number, terminal, channels, endpoint, attributes byte) []byte {
		return []byte{
			9, 4, number, 0, 0, 1, 2, 0, 0,
			9, 4, number, 1, 1, 1, 2, 0, 0,
			7, 0x24, 1, terminal, 1, 1, 0,
			11, 0x24, 2, 1, channels, 2, 16, 1, 0x80, 0xbb, 0x00,
			9, 5, endpoint, attributes, 200, 0, 4, 0, 0,
			7, 0x25, 1, 0, 0, 0, 0,
		}
	}
	all := append([]byte{9, configuration, 0, 0, 3, 1, 0, 0x80, 50, 9, 4, 0, 0, 0, 1, 1, 0, 0}, control...)
	all = append(append(all, stream(1, 1, 2, 0x01, 0x09)...), stream(2, 4, 1, 0x82, 0x05)...)
	binary.LittleEndian.PutUint16(all[2:], uint16(len(all)))
	return all
}()
