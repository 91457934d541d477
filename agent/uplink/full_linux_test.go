package uplink

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"constat/internal/lab"
)

// TestSpoolOnAFullDisk: what a person says is kept, what only a machine wants to say is
// not, and the room for it is taken again once there is some.
func TestSpoolOnAFullDisk(t *testing.T) {
	lab.Need(t, "root, to mount a small disk", os.Geteuid() == 0)
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=8m"); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(disk, syscall.MNT_DETACH)
	s := openSpool(t, filepath.Join(disk, "spool"), SpoolLimits{})
	filler := filepath.Join(disk, "filler")
	fill := func() {
		t.Helper()
		f, err := os.OpenFile(filler, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		for err == nil {
			_, err = f.Write(bytes.Repeat([]byte("x"), 4096))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		f.Close()
	}
	fill()
	if err := s.Put(bareSnapshot(1, 1000)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a snapshot: %v", err)
	}
	for _, r := range []func() error{
		func() error { return s.Put(diagnosisReport(2)) },
		func() error { return s.Put(ticketReport(3, testID(2))) },
	} {
		if err := r(); err != nil {
			t.Error(err)
		}
	}
	ids, _ := contents(t, s)
	if len(ids) != 2 {
		t.Errorf("kept: %v", ids)
	}
	fill()
	if err := s.Put(ticketReport(4, "")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a ticket where the reserve is used up: %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	waiting, err := s.list()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range waiting {
		if err := s.remove(e); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(filepath.Join(s.dir, reserveName)); err != nil || info.Size() != reserveBytes {
		t.Errorf("the reserve: %v, %v", info, err)
	}
}
