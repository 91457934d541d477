package privileged

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// What a verb can't be done with fails with a sentence, and changes nothing. These
// run under Wine as well, which has neither Plug and Play's program nor a time
// service.
func TestRemediesFailCleanly(t *testing.T) {
	for verb, argument := range map[string]string{
		"resume-queue":    "No such queue",
		"pause-queue":     "No such queue stopped",
		"clear-stuck-job": `No such queue 7 ann`,
		"enable-device":   `USB\VID_FFFF&PID_FFFF\none`,
		"disable-device":  `USB\VID_FFFF&PID_FFFF\none`,
		"reset-usb":       `USB\VID_FFFF&PID_FFFF\none`,
		"repair-package":  "No such program",
	} {
		said, err := verbs[verb](t.Context(), argument)
		if err == nil || len(said) > 0 || strings.TrimSpace(err.Error()) == "" {
			t.Errorf("%s: %q, %v", verb, said, err)
		}
		t.Logf("%s: %v", verb, err)
	}
	if _, err := verbs["repair-package"](t.Context(), "No such program"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// Office is told the platform and language of its own settings, and nothing else
// that might stand there.
func TestQuickRepair(t *testing.T) {
	arguments, err := quickRepair("x64", "fr-FR")
	if want := "scenario=Repair platform=x64 culture=fr-FR forceappshutdown=False RepairType=QuickRepair DisplayLevel=False"; err != nil || strings.Join(arguments, " ") != want {
		t.Errorf("%q, %v", arguments, err)
	}
	for _, bad := range [][2]string{{"", "en-us"}, {"x64", ""}, {"x64", "en-us RepairType=FullRepair"}, {"arm64 scenario=Uninstall", "en-us"}, {"x64", `en-us" & calc`}} {
		if arguments, err := quickRepair(bad[0], bad[1]); err == nil {
			t.Errorf("%q gives %q", bad, arguments)
		}
	}
}

func TestFlushNames(t *testing.T) {
	said, err := verbs["flush-dns"](t.Context(), "")
	if err != nil || len(said) == 0 {
		t.Errorf("%q, %v", said, err)
	}
}
