package privileged

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usbForm is a device's place in the tree: "1-2.3".
var usbForm = form(`^[0-9]{1,3}-[0-9]{1,3}(\.[0-9]{1,3}){0,6}$`)

// Classes of interfaces (USB-IF).
const (
	classHID     = "03"
	classStorage = "08"
	classHub     = "09"
)

// comeTime is how long a device may take to be there again after a reset.
const comeTime = 10 * time.Second

// usbDevice is the directory of a device in sysfs.
func usbDevice(sys, place string) (string, error) {
	if !usbForm().MatchString(place) {
		return "", errors.New(`the argument must be a place in the tree of USB, "1-2.3"`)
	}
	dir := filepath.Join(sys, "bus/usb/devices", place)
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("nothing is plugged in at %s any more: %w", place, fs.ErrNotExist)
	}
	return dir, nil
}

// word reads a small file of sysfs.
func word(parts ...string) string {
	content, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}

// enableDevice authorises a device that was switched off. Where a policy decides
// what may be used, it is refused.
func enableDevice(ctx context.Context, place string) ([]byte, error) {
	dir, err := usbDevice("/sys", place)
	if err != nil {
		return nil, err
	}
	if conn, err := bus(ctx); err == nil {
		defer conn.Close()
		if runs(ctx, conn, usbGuard) {
			return nil, fmt.Errorf("USBGuard decides here which devices may be used: ask who looks after it: %w", fs.ErrPermission)
		}
	}
	if usbPolicy("/sys", place) {
		return nil, fmt.Errorf("new devices are switched off on this computer by policy: %w", fs.ErrPermission)
	}
	if err := os.WriteFile(filepath.Join(dir, "authorized"), []byte("1"), 0o200); err != nil {
		return nil, err
	}
	return []byte("the device at " + place + " was switched on"), nil
}

// usbPolicy tells whether the bus of a device lets none in by itself
// (Documentation/usb/authorization).
func usbPolicy(sys, place string) bool {
	number, _, _ := strings.Cut(place, "-")
	fallback := word(sys, "bus/usb/devices", "usb"+number, "authorized_default")
	if fallback == "" {
		return false
	}
	return fallback != "1" && fallback != "-1"
}

// disableDevice takes that back.
func disableDevice(_ context.Context, place string) ([]byte, error) {
	dir, err := usbDevice("/sys", place)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "authorized"), []byte("0"), 0o200); err != nil {
		return nil, err
	}
	return []byte("the device at " + place + " was switched off again"), nil
}

// resetDevice has the kernel reset a device as if it were plugged in anew. Never
// one that stores files, a hub, or the only thing to type or point with.
func resetDevice(ctx context.Context, place string) ([]byte, error) {
	dir, err := usbDevice("/sys", place)
	if err != nil {
		return nil, err
	}
	if err := mayReset("/sys", dir, place); err != nil {
		return nil, err
	}
	busNumber, err1 := strconv.Atoi(word(dir, "busnum"))
	number, err2 := strconv.Atoi(word(dir, "devnum"))
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(fmt.Sprintf("/dev/bus/usb/%03d/%03d", busNumber, number), os.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const usbdevfsReset = 'U'<<8 | 20 // _IO('U', 20), linux/usbdevice_fs.h
	switch _, err := unix.IoctlRetInt(int(f.Fd()), usbdevfsReset); {
	case errors.Is(err, unix.ENODEV):
		// It says something else of itself than before, and so comes anew, and
		// drivers are asked (drivers/usb/core/hub.c, usb_reset_and_verify_device).
		waiting, cancel := context.WithTimeout(ctx, comeTime)
		defer cancel()
		if !until(waiting, func() bool {
			return word(dir, "devnum") != strconv.Itoa(number) && word(dir, "bConfigurationValue") != ""
		}) {
			return nil, fmt.Errorf("the device at %s was reset, and did not come back", place)
		}
		return []byte("the device at " + place + " was reset, and came anew"), nil
	case err != nil:
		return nil, fmt.Errorf("resetting %s: %w", place, err)
	}
	// Parts without a driver are offered to the drivers again: a reset alone does
	// not (drivers/usb/core/hub.c, usb_reset_device).
	interfaces, err := filepath.Glob(filepath.Join(dir, filepath.Base(place)+":*"))
	if err != nil {
		return nil, err
	}
	for _, i := range interfaces {
		if _, err := os.Stat(filepath.Join(i, "driver")); errors.Is(err, fs.ErrNotExist) {
			if err := os.WriteFile("/sys/bus/usb/drivers_probe", []byte(filepath.Base(i)), 0o200); err != nil {
				return nil, fmt.Errorf("it was reset, and no driver was asked again: %w", err)
			}
		}
	}
	return []byte("the device at " + place + " was reset"), nil
}

func mayReset(sys, dir, place string) error {
	interfaces, err := filepath.Glob(filepath.Join(sys, "bus/usb/devices", place+":*"))
	if err != nil {
		return err
	}
	typing := false
	for _, i := range interfaces {
		switch word(i, "bInterfaceClass") {
		case classStorage:
			return fmt.Errorf("the device at %s stores files, and could lose some: unplug it safely by hand: %w", place, fs.ErrPermission)
		case classHID:
			typing = true
		}
	}
	if word(dir, "bDeviceClass") == classHub {
		return fmt.Errorf("a hub is not reset: what is plugged into it would go with it: %w", fs.ErrPermission)
	}
	if !typing {
		return nil
	}
	others, err := filepath.Glob(filepath.Join(sys, "bus/usb/devices/*:*"))
	if err != nil {
		return err
	}
	for _, i := range others {
		if word(i, "bInterfaceClass") == classHID && !strings.HasPrefix(filepath.Base(i), place+":") && word(i, "bInterfaceProtocol") != "00" {
			return nil
		}
	}
	// A notebook's own keys and pad are behind the keyboard controller or I2C.
	for _, pattern := range []string{"bus/serio/devices/*/driver", "bus/i2c/drivers/i2c_hid*/*/name"} {
		if own, err := filepath.Glob(filepath.Join(sys, pattern)); err == nil && len(own) > 0 {
			return nil
		}
	}
	return fmt.Errorf("the device at %s is the only one to type or point with: %w", place, fs.ErrPermission)
}
