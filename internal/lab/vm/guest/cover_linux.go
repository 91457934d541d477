package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// holdCover plays the driver of a laptop's keys of the maker's own, among them
// the switch of the camera's cover, which it closes; until it is ended
// (include/uapi/linux/uinput.h).
func holdCover(name string) error {
	const (
		setEventBit, setSwitchBit   = 0x40045564, 0x4004556d
		setup, create               = 0x405c5503, 0x5501
		synchronise, switches       = 0, 5
		lensCover, closed           = 9, 1
		hostBus                     = 0x19
		vendor, product, generation = 0x17aa, 0x5054, 1
	)
	f, err := os.OpenFile("/dev/uinput", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, set := range [][2]uintptr{{setEventBit, synchronise}, {setEventBit, switches}, {setSwitchBit, lensCover}} {
		if err := control(f, set[0], set[1]); err != nil {
			return err
		}
	}
	description := struct {
		bus, vendor, product, version uint16
		name                          [80]byte
		effects                       uint32
	}{bus: hostBus, vendor: vendor, product: product, version: generation}
	copy(description.name[:], name)
	if err := control(f, setup, uintptr(unsafe.Pointer(&description))); err != nil {
		return err
	}
	if err := control(f, create, 0); err != nil {
		return err
	}
	var event bytes.Buffer
	for _, e := range []struct {
		seconds, micros int64
		kind, code      uint16
		value           int32
	}{{kind: switches, code: lensCover, value: closed}, {kind: synchronise}} {
		if err := binary.Write(&event, binary.NativeEndian, e); err != nil {
			return err
		}
	}
	if _, err := f.Write(event.Bytes()); err != nil {
		return err
	}
	return unix.Pause()
}

func control(f *os.File, request, argument uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, argument); errno != 0 {
		return errno
	}
	return nil
}
