package main

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"

	"constat/agent/local"
)

// TestManagedDirectory: nobody else gets into the agent's directory from when it
// is made. What is done with one that is there already can't be seen under Wine,
// whose SetNamedSecurityInfo brings in the rights of the parent all the same.
func TestManagedDirectory(t *testing.T) {
	if err := os.RemoveAll(local.SystemData); err != nil {
		t.Fatal(err)
	}
	if err := secureData(local.SystemData); err != nil {
		t.Fatal(err)
	}
	sd, err := windows.GetNamedSecurityInfo(local.SystemData, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		t.Fatal(err)
	}
	if text := sd.String(); strings.Contains(text, ";WD)") || strings.Contains(text, ";BU)") {
		t.Errorf("the directory's rights: %s", text)
	}
}

// TestManagedEvents: which words of the service manager say that somebody is
// back. Wine sends none of them.
func TestManagedEvents(t *testing.T) {
	for _, c := range []struct {
		what  string
		cmd   svc.Cmd
		event uint32
		back  bool
	}{
		{"the computer goes to sleep", svc.PowerEvent, 0x04, false},
		{"it resumed", svc.PowerEvent, 0x12, true},
		{"it resumed for a person", svc.PowerEvent, 0x07, true},
		{"its battery changed", svc.PowerEvent, 0x0a, false},
		{"somebody signed in", svc.SessionChange, 0x05, true},
		{"somebody signed out", svc.SessionChange, 0x06, false},
		{"the screen was locked", svc.SessionChange, 0x07, false},
		{"it was unlocked", svc.SessionChange, 0x08, true},
		{"a device came", svc.DeviceEvent, 0x12, false},
	} {
		if got := back(svc.ChangeRequest{Cmd: c.cmd, EventType: c.event}); got != c.back {
			t.Errorf("%s: %v, want %v", c.what, got, c.back)
		}
	}
}
