package lab

import (
	"errors"
	"strings"
	"testing"
)

// Two computers of one world boot side by side, each with a disk, an address and
// a name of its own, and see each other.
func TestStartDebian(t *testing.T) {
	w := NewWorld(t)
	pc, server := StartDebian(t, w, PC), StartDebian(t, w, Gateway)
	if out := pc.Sh("hostname; ps -p 1 -o comm= 2>/dev/null || cat /proc/1/comm"); out != "pc-lab\nsystemd\n" {
		t.Errorf("it says of itself %q", out)
	}
	pc.Sh("echo mine >/srv/mine; systemctl is-active dbus.service")
	if out, err := server.Try("ls /srv/mine"); err == nil {
		t.Errorf("the other computer has the file, too: %s", out)
	}
	if first, second := pc.Sh("cat /etc/machine-id"), server.Sh("cat /etc/machine-id"); first == second || len(strings.TrimSpace(first)) != 32 {
		t.Errorf("machine ids %q and %q", first, second)
	}
	w.Await("the other computer's refusal", func() error {
		if out, _ := pc.Try("bash -c '</dev/tcp/$0/7' $1 2>&1", GatewayAddress); !strings.Contains(out, "refused") {
			return errors.New(out)
		}
		return nil
	})
}
