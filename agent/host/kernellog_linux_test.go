package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// failing is a machine whose kernel's log has errors of three kinds of devices.
const failing = `3,1,1000000,-;I/O error, dev nvme0n1, sector 1 op 0x0:(READ) flags 0x0
3,2,1000001,-;I/O error, dev nvme0n1, sector 2 op 0x0:(READ) flags 0x0
3,3,1000002,-;I/O error, dev nvme0n10, sector 2 op 0x0:(READ) flags 0x0
4,4,1100000,-;iwlwifi 0000:00:14.3: Direct firmware load for iwlwifi-77.ucode failed with error -2
4,5,1100001,-;iwlwifi 0000:00:14.3: Direct firmware load for iwlwifi-76.ucode failed with error -2
4,6,1100002,-;e1000e 0000:00:1f.6: Direct firmware load for unused.bin failed with error -2
3,7,1200000,-;usb 1-3: device descriptor read/64, error -110
`

func TestKernelLogReachesItsDevices(t *testing.T) {
	root := tree(t, map[string]string{
		"dev/kmsg":                                          failing,
		"proc/stat":                                         "btime 1700000000\n",
		"sys/block/nvme0n1/size":                            "8\n",
		"sys/block/nvme1n1/size":                            "8\n",
		"sys/bus/pci/devices/0000:00:14.3/class":            "0x028000\n",
		"sys/bus/pci/devices/0000:00:14.3/vendor":           "0x8086\n",
		"sys/bus/pci/devices/0000:00:14.3/device":           "0xa0f0\n",
		"sys/bus/pci/devices/0000:00:1f.6/class":            "0x020000\n",
		"sys/bus/pci/devices/0000:00:1f.6/vendor":           "0x8086\n",
		"sys/bus/pci/devices/0000:00:1f.6/device":           "0x15fc\n",
		"sys/bus/pci/devices/0000:00:1f.6/net/eth0/address": "00:00:5e:00:53:01\n",
		"sys/bus/pci/devices/0000:00:1f.6/driver":           "-> ../../drivers/e1000e",
		"sys/bus/pci/devices/0000:00:14.3/driver":           "-> ../../drivers/iwlwifi",
		"sys/bus/usb/devices/usb1/idVendor":                 "1d6b\n",
		"sys/bus/usb/devices/usb1/idProduct":                "0002\n",
	})
	s := Observe(t.Context(), Config{Root: root}, []string{"hardware", "storage", "usb"})
	if disks := s.Storage.Disks; len(disks) != 2 || disks[0].GetIoErrors() != 2 || disks[1].IoErrors != nil {
		t.Errorf("disks %v", disks)
	}
	if devices := s.Hardware.BusDevices; len(devices) != 2 || devices[0].GetMissingFirmware() != "iwlwifi-76.ucode" || devices[1].MissingFirmware != nil {
		t.Errorf("devices %v; want the one without a network interface to miss a file", devices)
	}
	if failures := s.Usb.Failures; len(failures) != 1 || failures[0].GetPath() != "1-3" || failures[0].GetError() != -110 {
		t.Errorf("failures %v", failures)
	}
}

func TestKernelLogIsForRoot(t *testing.T) {
	root := tree(t, map[string]string{"proc/stat": "btime 1700000000\n", "dev/kmsg": failing})
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(root, "dev/kmsg"), 0); err != nil {
		t.Fatal(err)
	}
	asNobody(t)
	if events, err := newReader(t.Context(), Config{Root: root}).kernelLog(t.Context()); !errors.Is(err, fs.ErrPermission) || events != nil {
		t.Errorf("without rights: %v, %v", events, err)
	}
}

// TestKernelLogOfALogger is what an administrator's own account sees.
func TestKernelLogOfALogger(t *testing.T) {
	root := tree(t, map[string]string{
		"proc/stat":        "btime 1700000000\n",
		"var/log/kern.log": strings.Repeat("Nov 14 22:13:29 pc kernel: [    9.000000] nothing\n", 100000) + "Nov 14 22:13:30 pc kernel: [   10.000000] I/O error, dev sda, sector 1 op 0x0\n",
	})
	events, err := newReader(t.Context(), Config{Root: root}).kernelLog(t.Context())
	if err != nil || len(events) != 1 || events[0].at.Unix() != 1700000010 {
		t.Errorf("%v, %v", events, err)
	}
}
