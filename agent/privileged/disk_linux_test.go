package privileged

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"
)

func TestDiskVerbsTakeOnlyDisks(t *testing.T) {
	for _, name := range []string{"", "sda1", "../sda", "sda -s on", "nvme0", "nvme0n1p1", "-h", "null", "mem", "sdzzzz", "nvme9999n9999", "sda\n"} {
		if _, err := smart(t.Context(), name); err == nil {
			t.Errorf("smart took %q", name)
		}
		if _, err := nvmeHealth(t.Context(), name); err == nil {
			t.Errorf("nvme-health took %q", name)
		}
	}
}

func TestNVMeCommandLayout(t *testing.T) {
	var c nvmeCommand
	if size := unsafe.Sizeof(c); size != 72 {
		t.Errorf("the kernel's structure has 72 bytes, this one %d", size)
	}
	if address, cdw10 := unsafe.Offsetof(c.address), unsafe.Offsetof(c.cdw10); address != 24 || cdw10 != 40 {
		t.Errorf("address at %d, cdw10 at %d", address, cdw10)
	}
}

// script writes a program that stands for smartctl.
func script(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "smartctl")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSmartctl(t *testing.T) {
	// Bit 3 of its status: the disk is failing, and it tells so.
	got, err := runSmartctl(t.Context(), script(t, `echo "$@"; exit 8`), "/dev/sda")
	if err != nil || string(got) != "-j -A -H -n standby /dev/sda\n" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := runSmartctl(t.Context(), script(t, "exit 1"), "/dev/sda"); err == nil {
		t.Error("silence was taken for an answer")
	}
	if _, err := runSmartctl(t.Context(), script(t, "exec cat /dev/zero"), "/dev/sda"); err == nil {
		t.Error("an endless answer was taken")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := runSmartctl(ctx, script(t, "exec sleep 1000"), "/dev/sda"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a program that hangs: %v", err)
	}
}

// TestHungDisk: it is waited for once, and not asked again meanwhile.
func TestHungDisk(t *testing.T) {
	answer := make(chan struct{})
	ask := func() ([]byte, error) { <-answer; return nil, nil }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := alone(ctx, "hung", ask); !errors.Is(err, context.Canceled) {
		t.Errorf("first: %v", err)
	}
	if _, err := alone(t.Context(), "hung", ask); err == nil {
		t.Error("a disk that hangs was asked again")
	}
	close(answer)
}
