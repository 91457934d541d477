package privileged

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestOnlyReceiversAreOpened(t *testing.T) {
	sys := t.TempDir()
	for name, id := range map[string]string{
		"hidraw0": "0003:0000046D:0000C52B", "hidraw1": "0003:0000046D:0000C31C", "hidraw2": "0003:00001532:0000C52B", "hidraw3": "0005:0000046D:0000C52B",
	} {
		dir := filepath.Join(sys, "class/hidraw", name, "device")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "uevent"), []byte("DRIVER=x\nHID_ID="+id+"\nHID_NAME=y\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := checkReceiver(sys, "hidraw0"); err != nil {
		t.Errorf("a receiver: %v", err)
	}
	for _, name := range []string{"hidraw1", "hidraw2", "hidraw3"} {
		if err := checkReceiver(sys, name); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s, no receiver: %v", name, err)
		}
	}
	if err := checkReceiver(sys, "hidraw9"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a node that is not there: %v", err)
	}
	for _, name := range []string{"", "hidraw", "hidraw0/", "../hidraw/hidraw0", "hidraw0\n", "sda", "hidraw0 hidraw0", "hidraw00000"} {
		if err := checkReceiver(sys, name); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}
