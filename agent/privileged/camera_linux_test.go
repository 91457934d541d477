package privileged

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOpener finds who has a file open; here it is this test.
func TestOpener(t *testing.T) {
	name := filepath.Join(t.TempDir(), "camera")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if user, err := opener(t.Context(), name); err == nil && len(user) != 0 {
		t.Errorf("a file that nobody has open is %q's", user)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	own, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	if user, err := opener(t.Context(), name); err != nil || string(user) != strings.TrimSpace(string(own)) {
		t.Errorf("it is %q's (%v), want %q", user, err, own)
	}
}

func TestCameraUserRefuses(t *testing.T) {
	for _, name := range []string{"", "event0", "video", "video0000", "../mem", "video0/../mem", "video0\n"} {
		if _, err := cameraUser(t.Context(), name); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}
