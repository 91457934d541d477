package host

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

func TestMonitors(t *testing.T) {
	damaged := desktopMonitor.build()
	damaged[0] = 1
	root := tree(t, map[string]string{
		"sys/class/drm/version":                  "drm 1.1.0 20060810\n",
		"sys/class/drm/card0-DP-1/status":        "connected\n",
		"sys/class/drm/card0-DP-1/edid":          string(desktopMonitor.build()),
		"sys/class/drm/card0-DP-1/enabled":       "enabled\n",
		"sys/class/drm/card0-HDMI-A-1/enabled":   "disabled\n",
		"dev/kmsg":                               "3,7,1,-;i915 0000:00:02.0: [drm] *ERROR* [CONNECTOR:236:HDMI-A-1][ENCODER:235:DDI A/PHY A][DPRX] Link Training failed at link rate = 540000, lane count = 4\n",
		"sys/class/drm/card0-DP-2/status":        "disconnected\n",
		"sys/class/drm/card0-DP-2/edid":          "",
		"sys/class/drm/card0-HDMI-A-1/status":    "connected\n",
		"sys/class/drm/card0-HDMI-A-1/edid":      string(damaged),
		"sys/class/drm/card0-Writeback-1/status": "unknown\n",
		"sys/class/drm/renderD128/dev":           "226:128\n",
	})
	s := Observe(t.Context(), Config{Root: root}, []string{"hardware"})
	told(t, s)
	want := []*constatv1.Monitor{
		{PnpId: set("DEL"), Manufacturer: set("Dell"), Model: set("DELL U2419H"), Serial: set("CN0ABC12345"), Year: set(int32(2019)), Connector: set("DP-1"), Connected: set(true), Enabled: set(true), EdidRead: set(true)},
		{Connector: set("HDMI-A-1"), Connected: set(true), Enabled: set(false), EdidRead: set(false), LinkFailures: set(int32(1))},
	}
	if diff := cmp.Diff(want, s.Hardware.Monitors, protocmp.Transform()); diff != "" {
		t.Errorf("monitors (-want +got):\n%s", diff)
	}
	said := func(g *constatv1.Gap) bool { return g.Fact == "monitors" && strings.Contains(g.Reason, "HDMI-A-1") }
	if gaps := s.Manifest.Groups[0].Observation.Gaps; !slices.ContainsFunc(gaps, said) {
		t.Errorf("gaps %v do not tell of the damaged block", gaps)
	}
}
