package privileged

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"constat/agent/hidpp"
)

// receiverTime is how long a receiver with all its devices may take.
const receiverTime = 2 * time.Second

var hidrawName = form(`^hidraw[0-9]{1,4}$`)

// askReceiver asks a Logitech receiver for its paired devices and returns them
// as a message Peripherals in JSON: a dialogue of reports of fixed size, in which each
// question follows from the answer before, so that it has to be led here. The
// argument is the name of a hidraw node; anything but a receiver's is refused
// before it is opened, as key strokes pass through the others.
func askReceiver(ctx context.Context, name string) ([]byte, error) {
	if err := checkReceiver("/sys", name); err != nil {
		return nil, err
	}
	// Not blocking, so that reads have a deadline.
	f, err := os.OpenFile(filepath.Join("/dev", name), os.O_RDWR|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(ctx, receiverTime)
	defer cancel()
	devices, err := hidpp.Read(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return json.Marshal(struct {
		Devices []*hidpp.Peripheral `json:"devices"`
	}{devices})
}

// checkReceiver tells whether the kernel says that a hidraw node belongs to a
// receiver of Logitech's on USB.
func checkReceiver(sys, name string) error {
	if !hidrawName().MatchString(name) {
		return errors.New(`the argument must be the name of a node, "hidraw0"`)
	}
	uevent, err := os.ReadFile(filepath.Join(sys, "class/hidraw", name, "device/uevent"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(uevent)) {
		id, found := strings.CutPrefix(strings.TrimSpace(line), "HID_ID=0003:0000046D:0000")
		if _, known := hidpp.ReceiverName(strings.ToLower(id)); found && known {
			return nil
		}
	}
	return fmt.Errorf("%s is no Logitech receiver: %w", name, os.ErrPermission)
}
