package host

import (
	"maps"
	"testing"
)

// A time service that is installed and asked for is not wanted where its unit
// says that something else keeps the time.
func TestTimeKeptElsewhere(t *testing.T) {
	machine := map[string]string{
		"/run/systemd/system/keep":                                           "",
		"/usr/lib/systemd/systemd-timesyncd":                                 "",
		"/etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service": "",
		"/proc/1/stat": "1 (systemd) S 0 1 1 0 -1 4194560 1 1 1 1 450 450 1 1 20 0 1 0 10000 0 0 1 1 1 0 0 0 0\n",
	}
	for file, wanted := range map[string]bool{"/etc/hostname": true, "/run/systemd/container": false, "/usr/sbin/VBoxService": false} {
		files := maps.Clone(machine)
		files[file] = "x"
		s := Observe(t.Context(), Config{Root: tree(t, files)}, []string{"clock"})
		if s.Clock == nil || s.Clock.GetEnabled() != wanted || s.Clock.GetServiceState() != "stopped" {
			t.Errorf("with %s: %v, %v", file, s.Clock, s.Manifest.Groups[0].Observation)
		}
	}
}
