package host

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// Events that tell of crashes, of programs first: only these are asked for.
var crashRows = []eventRow{
	{"Application", "Application Error", []int{1000}},
	{"Application", "Application Hang", []int{1002}},
	{"Application", "SideBySide", []int{33}},
	{"Microsoft-Windows-AppLocker/EXE and DLL", "Microsoft-Windows-AppLocker", []int{8004}},
	{"Microsoft-Windows-CodeIntegrity/Operational", "Microsoft-Windows-CodeIntegrity", []int{3077}},
	{"System", "Display", []int{4101}},
	{"System", "EventLog", []int{6008}},
	{"System", "Microsoft-Windows-Kernel-Power", []int{41}},
	{"System", "Microsoft-Windows-WER-SystemErrorReporting", []int{1001}},
	{"System", "Microsoft-Windows-WHEA-Logger", []int{1, 18, 20}},
}

// programCrash is what an event tells of a program that crashed or hung; nil when
// it tells of something else. Windows gave the fields names only in Windows 11:
// their order is the same.
func programCrash(e loggedEvent) *constatv1.Crash {
	first := func(name string, place int) string {
		if value := e.field(name); value != "" {
			return value
		}
		if len(e.fields) > 0 && e.fields[0].name == "" {
			return e.nth(place)
		}
		return ""
	}
	c := &constatv1.Crash{At: timestamppb.New(e.at)}
	switch {
	case e.is("Application Error", 1000):
		c.Kind, c.Program, c.Version = set("crash"), filled(programName(first("AppName", 0))), filled(version(first("AppVersion", 1)))
		c.Module, c.ModuleVersion = filled(moduleName(first("ModuleName", 3))), filled(version(first("ModuleVersion", 4)))
		c.Code = exceptionCode(first("ExceptionCode", 6))
	case e.is("Application Hang", 1002):
		c.Kind, c.Program, c.Version = set("hang"), filled(programName(e.nth(0))), filled(version(e.nth(1)))
	}
	if c.Program == nil {
		return nil
	}
	return c
}

// officePrograms write their names in either case, which would make two programs
// of one.
var officePrograms = map[string]string{
	"winword.exe": "WINWORD.EXE", "excel.exe": "EXCEL.EXE", "powerpnt.exe": "POWERPNT.EXE", "outlook.exe": "OUTLOOK.EXE",
	"onenote.exe": "ONENOTE.EXE", "msaccess.exe": "MSACCESS.EXE", "mspub.exe": "MSPUB.EXE", "visio.exe": "VISIO.EXE", "winproj.exe": "WINPROJ.EXE",
}

// programName is the base name of a program.
func programName(text string) string {
	name := text[strings.LastIndexAny(text, `\/`)+1:]
	if office := officePrograms[strings.ToLower(name)]; office != "" {
		return office
	}
	return name
}

// moduleName is the base name of a module; "unknown" is what Windows writes when
// the address belonged to none.
func moduleName(text string) string {
	if name := text[strings.LastIndexAny(text, `\/`)+1:]; name != "unknown" {
		return name
	}
	return ""
}

// version is a file's version; four zeros are none.
func version(text string) string {
	if strings.Trim(text, "0.") == "" {
		return ""
	}
	return text
}

// exceptionCode is a code in hexadecimal digits, "c0000005", as "0xc0000005"; nil
// for anything else.
func exceptionCode(text string) *string {
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(text), "0x"), 16, 32)
	if err != nil || n == 0 {
		return nil
	}
	const digits = "00000000"
	hex := strconv.FormatUint(n, 16)
	return set("0x" + digits[len(hex):] + hex)
}

// windowsEvents adds what the event log tells of programs and the whole machine.
func (l *crashLog) windowsEvents(events []loggedEvent) {
	var losses []time.Time
	for _, e := range events {
		at := timestamppb.New(e.at)
		system := func(kind string, code *string) {
			l.system = append(l.system, &constatv1.SystemCrash{Kind: &kind, Code: code, At: at})
		}
		switch {
		case e.is("Microsoft-Windows-WER-SystemErrorReporting", 1001):
			code, _, _ := strings.Cut(e.nth(0), " ") // "0x0000009f (0x…, 0x…)"
			system("bugcheck", exceptionCode(code))
		case e.is("Microsoft-Windows-Kernel-Power", 41):
			// The number is decimal; 0: the machine just went off.
			if n, err := strconv.ParseUint(e.field("BugcheckCode"), 10, 32); err == nil && n != 0 {
				system("bugcheck", exceptionCode(strconv.FormatUint(n, 16)))
			} else {
				losses = append(losses, e.at)
			}
		case e.is("EventLog", 6008):
			losses = append(losses, e.at)
		case e.is("Display", 4101):
			system("gpuReset", nil)
			l.system[len(l.system)-1].Module = filled(e.nth(0))
		case e.provider == "Microsoft-Windows-WHEA-Logger":
			system("machineCheck", nil)
		case e.is("SideBySide", 33): // the assembly that is missing, its place, and who wants it
			assembly, _, _ := strings.Cut(e.nth(0), ",")
			if program := programName(e.nth(2)); program != "" && strings.HasSuffix(strings.ToLower(program), ".exe") {
				l.failures = append(l.failures, &constatv1.LaunchFailure{Program: set(program), Kind: set("missingLibrary"), Detail: filled(assembly), At: at})
			}
		case e.is("Microsoft-Windows-AppLocker", 8004):
			l.refuse(e.field("FilePath"), "applocker", at)
		case e.is("Microsoft-Windows-CodeIntegrity", 3077):
			l.refuse(e.field("File Name"), "wdac", at)
		default:
			if c := programCrash(e); c != nil {
				l.programs = append(l.programs, c)
			}
		}
	}
	l.losses(losses)
	l.onceEach()
}

func (l *crashLog) refuse(path, by string, at *timestamppb.Timestamp) {
	if program := programName(path); program != "" {
		l.refusals = append(l.refusals, &constatv1.Refusal{Program: set(program), By: set(by), At: at})
	}
}

// oneStart is how far apart the events may be that are logged of one crash at the
// start after it.
const oneStart = 15 * time.Minute

// losses adds each time that the machine went off unexpectedly once, but for those
// that a stop error explains: Windows logs one loss by two providers.
func (l *crashLog) losses(times []time.Time) {
	for _, at := range times {
		known := false
		for _, c := range l.system {
			kind := c.GetKind()
			known = known || (kind == "bugcheck" || kind == "powerLoss") && c.GetAt().AsTime().Sub(at).Abs() < oneStart
		}
		if !known {
			l.system = append(l.system, &constatv1.SystemCrash{Kind: set("powerLoss"), At: timestamppb.New(at)})
		}
	}
}

// onceEach makes one of stop errors that two providers logged.
func (l *crashLog) onceEach() {
	kept := l.system[:0]
	for _, c := range l.system {
		twice := false
		for _, k := range kept {
			twice = twice || c.GetKind() == "bugcheck" && k.GetKind() == "bugcheck" && k.GetAt().AsTime().Sub(c.GetAt().AsTime()).Abs() < oneStart
		}
		if !twice {
			kept = append(kept, c)
		}
	}
	l.system = kept
}

// maxReport is how much of a report of Windows Error Reporting is read, in bytes.
const maxReport = 256 << 10

// parseWER reads a Report.wer of Windows Error Reporting: UTF-16, "Key=Value". The
// names of its signature are in the system's language; their places are fixed by
// the kind of event. nil for what is no crash or hang of a program, and for what
// tells no time.
func parseWER(raw []byte) *constatv1.Crash {
	if len(raw) > maxReport {
		raw = raw[:maxReport]
	}
	if len(raw) >= 2 && raw[0] == 0xff && raw[1] == 0xfe {
		raw = raw[2:]
	}
	values := map[string]string{}
	for line := range strings.Lines(utf16Text(raw)) {
		key, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if found && (strings.HasPrefix(key, "Sig[") && strings.HasSuffix(key, "].Value") || key == "EventType" || key == "EventTime") {
			values[key] = value
		}
	}
	ticks, err := strconv.ParseUint(values["EventTime"], 10, 64)
	at := fileTime(ticks)
	if err != nil || at.IsZero() {
		return nil
	}
	sig := func(n int) string { return values["Sig["+strconv.Itoa(n)+"].Value"] }
	c := &constatv1.Crash{At: timestamppb.New(at)}
	switch event := values["EventType"]; event {
	case "APPCRASH", "BEX", "BEX64":
		c.Kind, c.Program, c.Version = set("crash"), filled(programName(sig(0))), filled(version(sig(1)))
		c.Module, c.ModuleVersion = filled(moduleName(sig(3))), filled(version(sig(4)))
		code := sig(6)
		if event != "APPCRASH" { // the offset stands before the code
			code = sig(7)
		}
		c.Code = exceptionCode(code)
	case "MoAppCrash": // package, version and moment of the application stand before
		c.Kind, c.Program = set("crash"), filled(programName(sig(1)))
		c.Module, c.ModuleVersion, c.Code = filled(moduleName(sig(4))), filled(version(sig(5))), exceptionCode(sig(7))
	case "AppHangB1", "AppHangXProcB1":
		c.Kind, c.Program, c.Version = set("hang"), filled(programName(sig(0))), filled(version(sig(1)))
	}
	if c.Program == nil {
		return nil
	}
	return c
}
