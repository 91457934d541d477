package host

import (
	"bytes"
	"cmp"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// Kinds of reports by the number in their head (bug_type).
var macBugTypes = map[string]string{
	"109": "crash", "309": "crash", "210": "panic", "110": "panic", "298": "memory", "288": "hang", "228": "hang",
}

// macReport reads one report of DiagnosticReports: module and code, never memory,
// arguments or paths of people. Recent ones are two JSON documents, a head on the
// first line and a body; older ones are lines of text.
func macReport(name string, content []byte) *constatv1.Crashes {
	first, body, _ := bytes.Cut(content, []byte("\n"))
	var head any
	if !bytes.HasPrefix(first, []byte("{")) || json.Unmarshal(first, &head) != nil {
		return macOldReport(name, content)
	}
	var parsed any
	_ = json.Unmarshal(body, &parsed) // a panic's body may be text
	top, rest := node{head}, node{parsed}
	at := macReportTime(cmp.Or(top.at("timestamp").text(), rest.at("captureTime").text()))
	switch kind := macBugTypes[top.at("bug_type").text()]; {
	case strings.HasPrefix(path.Base(name), "gpuEvent") || strings.HasSuffix(name, ".gpuRestart"):
		return &constatv1.Crashes{System: []*constatv1.SystemCrash{{Kind: set("gpuReset"), At: at}}}
	case kind == "crash" && rest.at("termination", "namespace").text() == "DYLD":
		if f := macLaunchFailure(top, rest, at); f != nil {
			return &constatv1.Crashes{LaunchFailures: []*constatv1.LaunchFailure{f}}
		}
	case kind == "crash":
		return &constatv1.Crashes{Programs: []*constatv1.Crash{macCrash(top, rest, at)}}
	case kind == "hang":
		if program := cmp.Or(top.at("app_name").text(), top.at("name").text(), rest.at("procName").text()); program != "" && program != "stacks" {
			return &constatv1.Crashes{Programs: []*constatv1.Crash{{Program: &program, Version: meaningful(top.at("app_version").text()), Kind: set("hang"), At: at}}}
		}
	case kind == "panic":
		text := cmp.Or(rest.at("panicString").text(), rest.at("macOSPanicString").text(), string(body))
		return &constatv1.Crashes{System: []*constatv1.SystemCrash{{Kind: set("panic"), At: at, Code: macPanic(text), Module: macPanicModule(text)}}}
	case kind == "memory":
		return macMemoryKill(rest, at)
	}
	return nil
}

// macReportTime reads “2024-05-01 10:00:00.00 +0200” and “2019-06-01 10:00:00.123
// +0200”; nil of what is none.
func macReportTime(text string) *timestamppb.Timestamp {
	for _, layout := range []string{"2006-01-02 15:04:05.999 -0700", "2006-01-02 15:04:05 -0700", "2006/01/02 15:04:05.999 -0700"} {
		if at, err := time.Parse(layout, strings.TrimSpace(text)); err == nil && at.Year() > 2000 && at.Year() < 2200 {
			return timestamppb.New(at)
		}
	}
	return nil
}

// abortModules are what a program ends itself by: they are at the top of the stack
// of whatever gave up, and say nothing of who did.
var abortModules = []string{
	"libsystem_kernel.dylib", "libsystem_pthread.dylib", "libsystem_c.dylib", "libsystem_platform.dylib", "libc++abi.dylib", "libobjc.A.dylib", "libdyld.dylib", "dyld",
}

func macCrash(top, body node, at *timestamppb.Timestamp) *constatv1.Crash {
	c := &constatv1.Crash{
		Program: filled(cmp.Or(top.at("app_name").text(), body.at("procName").text(), top.at("name").text())),
		Version: meaningful(top.at("app_version").text()), Kind: set("crash"), At: at,
		Code: filled(cmp.Or(body.at("exception", "signal").text(), body.at("exception", "type").text())),
	}
	threads := body.at("threads").list()
	var frames []node
	for i, thread := range threads {
		faulting := body.at("faultingThread").within(0, 1<<16)
		if thread.at("triggered").is() || faulting != nil && int(*faulting) == i {
			frames = thread.at("frames").list()
			break
		}
	}
	if frames == nil {
		frames = body.at("lastExceptionBacktrace").list()
	}
	images := body.at("usedImages").list()
	for _, frame := range frames[:min(len(frames), 512)] {
		i := frame.at("imageIndex").within(0, int64(len(images))-1)
		if i == nil {
			continue
		}
		image := images[*i]
		name := cmp.Or(image.at("name").text(), path.Base("/"+image.at("path").text()))
		if name == "/" || name == "" {
			continue
		}
		if c.Module == nil || slices.Contains(abortModules, c.GetModule()) {
			c.Module, c.ModuleVersion = &name, image.at("CFBundleShortVersionString").word()
		}
		if !slices.Contains(abortModules, name) {
			break
		}
	}
	return c
}

// macPanic is what a panic says first, without addresses: “panic(cpu 2 caller
// 0xfffffe0012345678): watchdog timeout: …” becomes “watchdog timeout”.
func macPanic(text string) *string {
	_, rest, found := strings.Cut(text, "panic(")
	if !found {
		return nil
	}
	if _, after, closed := strings.Cut(rest, "): "); closed {
		rest = after
	}
	rest, _, _ = strings.Cut(rest, "\n")
	rest = strings.Trim(rest, `"' `)
	if i := strings.IndexAny(rest, ":@("); i > 0 {
		rest = rest[:i]
	}
	if strings.Contains(rest, "0x") || len(rest) > 80 || strings.ContainsAny(rest, "/") {
		return nil
	}
	return filled(strings.TrimSpace(rest))
}

// macPanicModule is the first extension of the kernel that a panic names below “Kernel
// Extensions in backtrace:”, “com.example.driver(1.0)[…]@0x…”; nil where the kernel
// was by itself. What an extension needs is told there too, and is not at fault.
func macPanicModule(text string) *string {
	_, rest, found := strings.Cut(text, "Kernel Extensions in backtrace:")
	if !found {
		return nil
	}
	for line := range strings.Lines(rest[:min(len(rest), 8<<10)]) {
		name, _, versioned := strings.Cut(strings.TrimSpace(line), "(")
		switch {
		case name == "" && !versioned, strings.HasPrefix(name, "dependency:"):
		case !versioned || strings.ContainsAny(name, " :/") || len(name) > 200:
			return nil
		default:
			return filled(name)
		}
	}
	return nil
}

// macDyldFailures are what the dynamic linker gives up a program for, by its word in
// the report.
var macDyldFailures = map[string]string{"Library missing": "missingLibrary", "Symbol missing": "incompatible", "Library wrong arch": "incompatible"}

// macLaunchFailure is a program that the dynamic linker ended before it began; nil
// where the reason is another.
func macLaunchFailure(top, body node, at *timestamppb.Timestamp) *constatv1.LaunchFailure {
	kind := macDyldFailures[body.at("termination", "indicator").text()]
	if kind == "" {
		return nil
	}
	f := &constatv1.LaunchFailure{Program: filled(cmp.Or(top.at("app_name").text(), body.at("procName").text())), Kind: &kind, At: at}
	for _, reason := range body.at("termination", "reasons").list() {
		if library, found := strings.CutPrefix(reason.text(), "Library not loaded: "); found && f.Detail == nil {
			f.Detail = filled(path.Base(strings.TrimSpace(library)))
		}
	}
	return f
}

// macMemoryKill reads a jetsam event: which programs the kernel ended for want of
// memory.
func macMemoryKill(body node, at *timestamppb.Timestamp) *constatv1.Crashes {
	c := &constatv1.Crashes{}
	for _, process := range body.at("processes").list() {
		name, reason := process.at("name").text(), process.at("reason").text()
		if name == "" || reason == "" || len(c.OomKills) == 16 {
			continue
		}
		scope := "system"
		if strings.Contains(reason, "per-process") || strings.Contains(reason, "highwater") {
			scope = "cgroup" // a limit of its own
		}
		c.OomKills = append(c.OomKills, &constatv1.OutOfMemoryKill{Program: &name, At: at, Scope: &scope})
	}
	return c
}

// macOldReport reads a report as lines of text: .crash, .hang and .panic.
func macOldReport(name string, content []byte) *constatv1.Crashes {
	text := string(content)
	if strings.HasSuffix(name, ".panic") {
		var at *timestamppb.Timestamp
		for line := range strings.Lines(text) {
			if key, value := labelled(line); key == "Date/Time" {
				at = macReportTime(value)
			}
		}
		return &constatv1.Crashes{System: []*constatv1.SystemCrash{{Kind: set("panic"), Code: macPanic(text), Module: macPanicModule(text), At: at}}}
	}
	c := &constatv1.Crash{Kind: set("crash")}
	if strings.HasSuffix(name, ".hang") || strings.HasSuffix(name, ".spin") {
		c.Kind = set("hang")
	}
	faulting := false
	for line := range strings.Lines(text) {
		key, value := labelled(line)
		switch {
		case key == "Process" || key == "Command" && c.Program == nil:
			program, _, _ := strings.Cut(value, " [")
			c.Program = filled(program)
		case key == "Version" && c.Version == nil:
			version, _, _ := strings.Cut(value, " (")
			c.Version = meaningful(strings.Trim(version, "?"))
		case key == "Date/Time":
			c.At = macReportTime(value)
		case key == "Exception Type":
			if open := strings.Index(value, "("); open > 0 {
				c.Code = filled(strings.Trim(value[open:], "() "))
			} else {
				c.Code = filled(value)
			}
		case strings.HasPrefix(key, "Thread ") && strings.HasSuffix(key, "Crashed"):
			faulting = true
		case strings.TrimSpace(line) == "":
			faulting = false
		case faulting && (c.Module == nil || slices.Contains(abortModules, c.GetModule())):
			if fields := strings.Fields(line); len(fields) >= 3 && strings.Trim(fields[0], "0123456789") == "" {
				c.Module = set(fields[1])
			}
		}
	}
	if c.Program == nil {
		return nil
	}
	return &constatv1.Crashes{Programs: []*constatv1.Crash{c}}
}
