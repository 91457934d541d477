package host

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
)

// Reading is one number of the vitals: what is cheap to read, changes by itself,
// and says later when something began.
type Reading struct {
	// Kind is as in Vital.kind of the schema, or CarrierLosses.
	Kind string
	// Owner is the link, server, mount or battery it belongs to; "": the machine.
	Owner string
	// Value is in the unit that the kind's name says.
	Value float64
}

// CarrierLosses is the kind of a reading that counts how often a link has lost
// its carrier since it was made.
const CarrierLosses = "carrierLosses"

// PlugEvent is a USB device that came or went.
type PlugEvent struct {
	At time.Time `json:"at"`
	// Path is its place in the tree, as in the schema's UsbDevice: "1-2.3".
	Path string `json:"path"`
	// ID is vendor and product, "046d:c52b"; empty where the kernel did not tell.
	ID      string `json:"id,omitempty"`
	Plugged bool   `json:"plugged"`
	// Disturbed: the machine woke up within the last minute, and brought its
	// ports up again by itself.
	Disturbed bool `json:"disturbed,omitempty"`
}

// parseUevent reads a message of the kernel about its devices
// (lib/kobject_uevent.c): "add@/devices/…", then KEY=value, each behind a zero
// byte. ok is false for all but whole USB devices that come or go.
func parseUevent(message []byte) (e PlugEvent, ok bool) {
	values := map[string]string{}
	for i, field := range strings.Split(string(message), "\x00") {
		if key, value, found := strings.Cut(field, "="); found && i > 0 && len(values) < 64 {
			values[key] = value
		}
	}
	action := values["ACTION"]
	if values["SUBSYSTEM"] != "usb" || values["DEVTYPE"] != "usb_device" || action != "add" && action != "remove" {
		return e, false
	}
	e.Path, e.Plugged = clean(path.Base(values["DEVPATH"])), action == "add"
	// PRODUCT is vendor/product/version, hex without leading zeros.
	if ids := strings.Split(values["PRODUCT"], "/"); len(ids) == 3 {
		vendor, err1 := strconv.ParseUint(ids[0], 16, 16)
		product, err2 := strconv.ParseUint(ids[1], 16, 16)
		if err1 == nil && err2 == nil {
			e.ID = fmt.Sprintf("%04x:%04x", vendor, product)
		}
	}
	return e, e.Path != "" && e.Path != "." && e.Path != "/"
}

// Bounds of one look, for machines with hundreds of links or mounts.
const (
	maxVitalLinks  = 16
	maxVitalMounts = 8
)
