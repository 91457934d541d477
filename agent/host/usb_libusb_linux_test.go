//go:build cgo && libusb

package host

import (
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// TestBothUSBReadersAgree reads one bus twice, by libusb and by sysfs. The bus
// is umockdev's: it shows libusb a machine that is really a directory, which
// the other reader takes as its root.
func TestBothUSBReadersAgree(t *testing.T) {
	root := os.Getenv("UMOCKDEV_DIR")
	if root == "" {
		umockdev, err := exec.LookPath("umockdev-run")
		lab.Need(t, "umockdev-run (Debian: umockdev)", err == nil)
		output, err := exec.Command(umockdev, "--device", "testdata/receiver.umockdev", "--", os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v").CombinedOutput()
		if err != nil {
			t.Fatalf("below umockdev: %v\n%s", err, output)
		}
		return
	}
	bySysfs, err := usbDevices(&reader{Config: Config{Root: root}})
	if err != nil {
		t.Fatal(err)
	}
	byLibusb, err := readLibusb()
	if err != nil {
		t.Fatal(err)
	}
	if len(bySysfs) != 2 {
		t.Fatalf("sysfs shows %d devices, want 2", len(bySysfs))
	}
	// What only one of the two can know.
	alone := protocmp.IgnoreFields(&constatv1.UsbDevice{}, "configured", "authorized", "power_control", "runtime_status", "removable", "bcd_usb")
	drivers := protocmp.IgnoreFields(&constatv1.UsbInterface{}, "driver", "driver_available")
	if diff := cmp.Diff(bySysfs, byLibusb, protocmp.Transform(), alone, drivers); diff != "" {
		t.Errorf("the readers differ (-sysfs +libusb):\n%s", diff)
	}
}
