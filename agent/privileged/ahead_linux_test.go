package privileged

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"testing"

	"constat/internal/lab"
)

// What was read ahead is answered as the other half would have; the rest says
// that the rights are not there.
func TestReadAhead(t *testing.T) {
	lab.Need(t, "root, to read what others may not", os.Geteuid() == 0)
	c := &Client{ahead: readAhead(t.Context())}
	for _, name := range ahead {
		want, wantErr := verbs[name](t.Context(), "")
		got, err := c.Do(t.Context(), name, "")
		if (err == nil) != (wantErr == nil) || err == nil && (len(got) == 0) != (len(want) == 0) ||
			errors.Is(err, fs.ErrNotExist) != errors.Is(wantErr, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) != errors.Is(wantErr, fs.ErrPermission) {
			t.Errorf("%s: %d bytes, %v; without reading ahead %d bytes, %v", name, len(got), err, len(want), wantErr)
		}
	}
	if _, err := c.Do(t.Context(), "supplicant", "eth0"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("who signs a link in, where nobody does: %v", err)
	}
	if _, err := c.Do(t.Context(), "neighbour", ""); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("what was not read ahead: %v", err)
	}
}

// Each verb is read ahead, or asked for where there is something to ask about,
// or only by probes, or by a person who consents.
func TestEveryVerbHasItsTime(t *testing.T) {
	probes := []string{"dhcp", "lldp", "neighbour", "owners"}
	remedies := []string{
		"clear-stuck-job", "disable-device", "enable-device", "flush-dns", "pause-queue", "renew-dhcp", "repair-package",
		"reset-usb", "restart-printing", "restart-wifi", "resume-queue", "set-clock",
	}
	known := slices.Sorted(slices.Values(slices.Concat(ahead, probes, remedies, slices.Collect(maps.Keys(subjects)))))
	if !slices.Equal(known, Verbs()) {
		t.Errorf("verbs %q, of which when they are asked for is known %q", Verbs(), known)
	}
}
