package privileged

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func TestKernelLogKeepsTheNewest(t *testing.T) {
	record := "6,1,2,-;" + strings.Repeat("x", 91) + "\n"
	long := []byte("6,0,1,-;oldest\n" + strings.Repeat(record, 20000))
	got := newestRecords(long)
	if len(got) > maxKernelLog || len(got) < maxKernelLog-len(record) || !bytes.HasPrefix(got, []byte(record)) || !bytes.HasSuffix(long, got) {
		t.Errorf("%d of %d bytes kept, starting with %.20q", len(got), len(long), got)
	}
	if short := []byte(record); !bytes.Equal(newestRecords(short), short) {
		t.Error("a short log was cut")
	}
	if got := newestRecords(bytes.Repeat([]byte("x"), maxKernelLog+1)); got != nil {
		t.Errorf("%d bytes of a record without a start", len(got))
	}
}

// TestKernelLog reads the real one where that is allowed: it must come back.
func TestKernelLog(t *testing.T) {
	if _, err := readKernelLog(t.Context(), "/etc/shadow"); err == nil {
		t.Error("an argument was accepted")
	}
	log, err := readKernelLog(t.Context(), "")
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
	case err != nil:
		t.Error(err)
	case len(log) > maxKernelLog:
		t.Errorf("%d bytes", len(log))
	}
}
