package host

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

const boot = "0123456789abcdef0123456789abcdef"

func TestParseCoredumpName(t *testing.T) {
	for name, want := range map[string]string{
		"core.firefox.1000." + boot + ".4242.1700000000000000.zst":       "firefox",
		"core.gimp-2\\x2e10.1000." + boot + ".4242.1700000000000000.lz4": "gimp-2.10",
		"core.Web\\x20Content.1000." + boot + ".4242.1700000000000000":   "Web Content",
		"core.python3.11.1000." + boot + ".4242.1700000000000000.xz":     "python3.11",
		"core.x.1000." + boot + ".4242.abc.zst":                          "",
		"core.x.1000.short.4242.1700000000000000.zst":                    "",
		"core":      "",
		"notes.txt": "",
		"core..1000." + boot + ".4242.1700000000000000.zst":    "",
		"core.\\xZZ\\x2.0." + boot + ".1.1700000000000000.zst": "\\xZZ\\x2",
	} {
		crash := parseCoredumpName(name)
		if crash.GetProgram() != want || crash != nil && crash.At.Seconds != 1700000000 {
			t.Errorf("%q: %v, want %q", name, crash, want)
		}
	}
}

const apportSample = `ProblemType: Crash
Architecture: amd64
Date: Tue Nov 14 22:13:20 2023
ExecutablePath: /home/ann/secret/bin/tool
Package: tool 1.2-3 [modified: usr/share/secret]
ProcCmdline: tool --password secret
ProcEnviron:
 HOME=/home/secret
 Signal: 9
Signal: 11
CoreDump: base64
 H4sICAAAAAAC/secret
`

func TestParseApport(t *testing.T) {
	a := parseApport([]byte(apportSample), time.UTC)
	if a.problem != "Crash" || a.program != "tool" || a.version != "1.2-3" || a.signal != "SIGSEGV" || a.at.Unix() != 1700000000 {
		t.Errorf("report %+v", a)
	}
	for name, want := range map[string]string{
		"_usr_bin_gnome-shell.1000.crash": "gnome-shell", "_usr_bin_x_y.0.crash": "x_y", "_home_ann_secret_tool.1000.crash": "tool",
		"_usr_lib_firefox_firefox.1000.crash": "firefox", "linux-image-6.1.0-37-amd64.0.crash": "",
	} {
		if got := apportProgram(name); got != want {
			t.Errorf("%q is of %q, want %q", name, got, want)
		}
	}
}

func TestPstoreTime(t *testing.T) {
	for name, want := range map[string]int64{
		"dmesg-efi_pstore-170000000001001": 1700000000, "dmesg-efi-170000000001001": 1700000000, "dmesg-ramoops-0": 0, "dmesg-efi-1": 0, "x": 0,
	} {
		if got := pstoreTime(name); got.IsZero() != (want == 0) || want != 0 && got.Unix() != want {
			t.Errorf("%q: %v, want %d", name, got, want)
		}
	}
}

func TestCrashesAreTold(t *testing.T) {
	now := time.Unix(1700000100, 0)
	var l crashLog
	l.programs = append(l.programs, parseCoredumpName("core.a-very-long-program-name.1000."+boot+".1.1700000000000000.zst"))
	l.report(apportReport{problem: "Crash", program: "old", at: now.Add(-2 * maxCrashAge)})
	l.report(apportReport{problem: "Hang", program: "slow", version: "2", at: now.Add(-time.Minute)})
	l.report(apportReport{problem: "KernelOops", at: now.Add(-time.Hour)})
	l.report(apportReport{problem: "Package", program: "dpkg", at: now})
	l.kernel([]kernelEvent{
		{kind: kernelFault, subject: "a-very-long-pro", module: "lib.so", detail: "SIGSEGV", at: time.Unix(1699999998, 0)},
		{kind: kernelOOM, subject: "first", detail: "system", at: time.Unix(1699999000, 0)},
		{kind: kernelOOM, subject: "last", detail: "cgroup", at: time.Unix(1700000000, 0)},
		{kind: kernelGPU, subject: "i915", detail: "12:1", at: time.Unix(1700000001, 0)},
		{kind: kernelIO, subject: "sda", at: now},
	})
	c := &constatv1.Crashes{}
	l.fill(c, now)
	if len(c.Programs) != 2 || c.Programs[0].GetProgram() != "slow" || c.Programs[0].GetKind() != "hang" ||
		c.Programs[1].GetProgram() != "a-very-long-program-name" || c.Programs[1].GetModule() != "lib.so" || c.Programs[1].GetCode() != "SIGSEGV" {
		t.Errorf("programs %v; want the hang and one crash told by two", c.Programs)
	}
	if len(c.OomKills) != 2 || c.OomKills[0].GetProgram() != "last" {
		t.Errorf("out of memory: %v, want the newest first", c.OomKills)
	}
	if len(c.System) != 2 || c.System[0].GetKind() != "gpuReset" || c.System[0].GetModule() != "i915" || c.System[1].GetKind() != "panic" {
		t.Errorf("system: %v", c.System)
	}
}

func FuzzCrashes(f *testing.F) {
	f.Add(apportSample)
	f.Add("core.gimp-2\\x2e10.1000." + boot + ".4242.1700000000000000.lz4")
	f.Add("dmesg-efi_pstore-170000000001001")
	f.Add("1700000000 dmesg-ramoops-0\n")
	f.Add(string(wtmp("boot", time.Unix(1, 0), "boot", time.Unix(2, 0), "shutdown", time.Unix(3, 0))))
	f.Fuzz(func(t *testing.T, text string) {
		var l crashLog
		l.report(parseApport([]byte(text), time.UTC))
		if crash := parseCoredumpName(text); crash != nil {
			l.programs = append(l.programs, crash)
		}
		c := &constatv1.Crashes{}
		l.fill(c, time.Unix(1700000000, 0))
		for _, crash := range c.Programs {
			if strings.Contains(crash.GetProgram(), "/") && !strings.Contains(text, "\\x2f") && !strings.HasPrefix(text, "core.") {
				t.Errorf("%q tells a path: %s", text, prototext.Format(crash))
			}
		}
		if starts := brokenOff([]byte(text)); len(starts) > 0 && len(starts) >= len(text)/utmpSize {
			t.Errorf("%d starts in %d bytes", len(starts), len(text))
		}
		apportProgram(text)
		pstoreTime(text)
		parseLastWords([]byte(text))
	})
}

// wtmp is a file of starts and shutdowns: "boot" or "shutdown" by their time.
func wtmp(records ...any) []byte {
	var file []byte
	for i := 0; i < len(records); i += 2 {
		record := make([]byte, utmpSize)
		switch records[i] {
		case "boot":
			record[0] = bootTime
			copy(record[utmpUser:], "reboot")
		case "shutdown":
			record[0] = runLevel
			copy(record[utmpUser:], "shutdown")
		default:
			record[0] = userProcess
			copy(record[utmpUser:], "ann")
		}
		binary.LittleEndian.PutUint32(record[utmpSeconds:], uint32(records[i+1].(time.Time).Unix()))
		file = append(file, record...)
	}
	return file
}

func TestBrokenOff(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 9, 0, 0, 0, time.UTC) }
	got := brokenOff(wtmp("boot", day(1), "ann", day(1), "shutdown", day(1), "boot", day(2), "ann", day(2), "boot", day(3), "shutdown", day(3), "boot", day(4)))
	if len(got) != 1 || !got[0].Equal(day(3)) {
		t.Errorf("starts after a power loss: %v, want the third", got)
	}
	l := crashLog{system: []*constatv1.SystemCrash{{Kind: set("panic"), At: timestamppb.New(day(3).Add(-5 * time.Minute))}}}
	l.losePower([]time.Time{day(3), day(5)})
	if len(l.system) != 2 || !l.system[1].GetAt().AsTime().Equal(day(5)) {
		t.Errorf("with a panic before one of two: %v", l.system)
	}
}

func TestLaunchFailures(t *testing.T) {
	now := time.Unix(1795000000, 0)
	var l crashLog
	l.launch(parseLaunchFailures([]byte("1794999000\tmissingLibrary\tscan\tlibusb-0.1.so.4\n1794999900\tportInUse\t\t80\n" +
		"1794999800\tpermission\tfiles\t\n1790000000\tincompatible\told\t\nx\ty\n1794999900\t\t\t\n-1\tportInUse\ta\tb\n")))
	var c constatv1.Crashes
	l.fill(&c, now)
	want := &constatv1.Crashes{
		LaunchFailures: []*constatv1.LaunchFailure{
			{Kind: set("portInUse"), Detail: set("80"), At: timestamppb.New(now.Add(-100 * time.Second))},
			{Program: set("scan"), Kind: set("missingLibrary"), Detail: set("libusb-0.1.so.4"), At: timestamppb.New(now.Add(-1000 * time.Second))},
		},
		Refusals: []*constatv1.Refusal{{Program: set("files"), By: set("permission"), At: timestamppb.New(now.Add(-200 * time.Second))}},
	}
	if diff := cmp.Diff(want, &c, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func FuzzLaunchFailures(f *testing.F) {
	f.Add([]byte("1794999000\tmissingLibrary\tscan\tlibusb-0.1.so.4\n"))
	f.Fuzz(func(t *testing.T, lines []byte) {
		for _, one := range parseLaunchFailures(lines) {
			if one.Kind == "" || one.At.Unix() <= 0 {
				t.Errorf("%v", one)
			}
		}
	})
}
