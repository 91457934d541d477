package host

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

// workshopLog is what the kernel of a machine with many troubles wrote.
const workshopLog = `6,1,1000000,-;Linux version 6.1.0-37-amd64
6,2,2000000,-;rtc_cmos 00:04: setting system clock to 2001-01-01T00:00:02 UTC (978307202)
4,3,18000000,-;iwlwifi 0000:00:14.3: Direct firmware load for iwlwifi-QuZ-a0-hr-b0-77.ucode failed with error -2
3,4,19000000,-;usb 1-3: device descriptor read/64, error -71
6,5,20000000,-;i915 0000:00:02.0: [drm] GPU HANG: ecode 12:1:85dffffb, in Xorg [1234]
5,6,21000000,-;audit: type=1400 audit(1700000000.123:45): apparmor="DENIED" operation="open" class="file" profile="evince" name="/home/ann/secret" pid=4711 comm="evince" requested_mask="r"
5,7,22000000,-;audit: type=1400 audit(1700000000.124:46): apparmor="DENIED" operation="open" class="file" profile="evince" name="/home/ann/secret" pid=4711 comm="evince" requested_mask="r"
6,8,23000000,-;PM: suspend entry (s2idle)
6,9,24000000,-;PM: suspend exit
`

// TestWorkshop: a desk PC with a processor that tells its speeds, a graphics
// adapter, a radio without its firmware, and a user's choice of a loudspeaker.
func TestWorkshop(t *testing.T) {
	boot := time.Now().Add(-time.Hour).Truncate(time.Second)
	session := make([]byte, utmpSize)
	binary.LittleEndian.PutUint16(session, userProcess)
	copy(session[utmpUser:], "ann")
	lost := boot.Add(-24 * time.Hour)
	const pci = "sys/bus/pci/devices/"
	s := Observe(t.Context(), Config{Root: tree(t, map[string]string{
		"dev/kmsg":     workshopLog,
		"var/log/wtmp": string(wtmp("boot", lost.Add(-time.Hour), "boot", lost, "shutdown", boot.Add(-time.Minute), "boot", boot)),
		"proc/stat":    fmt.Sprintf("cpu  1 0 1 8 0 0 0 0 0 0\ncpu0 1 0 1 8 0 0 0 0 0 0\nbtime %d\n", boot.Unix()),
		"proc/cpuinfo": "processor\t: 0\nmodel name\t: A processor\nphysical id\t: 0\ncore id\t\t: 0\n",
		"sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "4400000\n",
		"sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1234567\n",
		pci + "0000:00:02.0/class":                             "0x030000\n", pci + "0000:00:02.0/vendor": "0x8086\n", pci + "0000:00:02.0/device": "0x9a49\n",
		pci + "0000:00:02.0/driver":     "-> ../../drivers/i915",
		"sys/bus/pci/drivers/i915/keep": "",
		"sys/module/i915/version":       "1.6.0\n",
		pci + "0000:00:14.3/class":      "0x028000\n", pci + "0000:00:14.3/vendor": "0x8086\n", pci + "0000:00:14.3/device": "0xa0f0\n",
		"usr/share/misc/pci.ids":            "8086  Intel Corporation\n\t9a49  TigerLake-LP GT2 [Iris Xe Graphics]\n",
		"sys/bus/usb/devices/usb1/idVendor": "1d6b\n", "sys/bus/usb/devices/usb1/idProduct": "0002\n",
		"proc/asound/cards":     " 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n                      HDA Intel PCH at 0x1 irq 1\n",
		"proc/asound/pcm":       "00-00: ALC257 Analog : ALC257 Analog : playback 1 : capture 1\n",
		"sys/class/sound/card0": "-> ../../devices/pci0000:00/0000:00:1f.3/sound/card0",
		"etc/passwd":            "ann:x:1000:1000::/home/ann:/bin/sh\n", "run/utmp": string(session),
		"home/ann/.local/state/wireplumber/default-nodes": "[default-nodes]\ndefault.configured.audio.sink=alsa_output.pci-0000_00_1f.3.analog-stereo\ndefault.configured.audio.source=alsa_input.usb-Jabra.mono\n",
	})}, []string{"clock", "crashes", "hardware", "host", "load", "peripherals", "usb"})
	told(t, s)

	if c := s.Clock; c.RtcLost == nil || !c.GetRtcLost() {
		t.Errorf("a hardware clock of 2001: %v", c)
	}
	if at := s.Host.GetResumedAt().AsTime(); !at.Equal(boot.Add(24 * time.Second).Truncate(time.Minute).UTC()) {
		t.Errorf("woke up at %v, started %v", at, boot)
	}
	at := s.Crashes.GetRefusals()
	if len(at) != 1 || at[0].GetProgram() != "evince" || at[0].GetBy() != "apparmor" {
		t.Errorf("refused: %v", at)
	}
	if c := s.Crashes.GetSystem(); len(c) != 2 || c[1].GetKind() != "powerLoss" || !c[1].GetAt().AsTime().Equal(lost) || c[0].GetKind() != "gpuReset" || c[0].GetCode() != "12:1:85dffffb" || c[0].GetModule() != "i915" {
		t.Errorf("crashes of the machine: %v", c)
	}
	h := s.Hardware
	wantGPU := []*constatv1.Gpu{{Vendor: set("Intel Corporation"), Model: set("TigerLake-LP GT2 [Iris Xe Graphics]"), Driver: set("i915"), DriverVersion: set("1.6.0")}}
	if diff := cmp.Diff(wantGPU, h.Gpus, protocmp.Transform()); diff != "" {
		t.Errorf("graphics (-want +got):\n%s", diff)
	}
	if h.Processor.GetMaxMhz() != 4400 || s.Load.GetCpu().GetCurrentMhz() != 1235 && s.Load.GetCpu().GetCurrentMhz() != 1234 {
		t.Errorf("processor %v, load %v", h.Processor, s.Load.GetCpu())
	}
	radio := slices.IndexFunc(h.BusDevices, func(d *constatv1.BusDevice) bool { return d.GetClass() == "wireless" })
	if radio < 0 || h.BusDevices[radio].GetMissingFirmware() != "iwlwifi-QuZ-a0-hr-b0-77.ucode" {
		t.Errorf("devices: %v", h.BusDevices)
	}
	if f := s.Usb.GetFailures(); len(f) != 1 || f[0].GetPath() != "1-3" || f[0].GetError() != -71 {
		t.Errorf("ports: %v", f)
	}
	if a := s.Peripherals.GetAudio(); len(a) != 2 || !a[0].GetDefaultEndpoint() || a[1].DefaultEndpoint == nil || a[1].GetDefaultEndpoint() {
		t.Errorf("sound: %v", a)
	}
}
