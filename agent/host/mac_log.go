package host

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// Bounds of what is asked of the unified log: how far back, and how long a line may
// be. How many events are kept is maxKernelEvents.
const (
	macLogAge  = "6h"
	maxMacLine = 64 << 10
)

// macLogForms are the messages of macOS' kernel that are asked for and understood:
// the phrase is what log(1) looks for, the form takes numbers and names out of the
// message, by groups as in kernelPatterns. Nothing else of a message is kept. The
// texts are as public reports of users quote them; none was seen on a Mac here.
var macLogForms = []struct {
	kind, phrase string
	form         func() *regexp.Regexp
	fixed        kernelEvent
}{
	// IOStorageFamily; of a partition, its whole disk
	{kernelIO, ": I/O error", form(`^(?P<subject>disk\d{1,4})(?:s\d{1,3}){0,3}: I/O error\.?\s*$`), kernelEvent{}},
	// IOUSBHostFamily; behind the name is the port's location
	{kernelUSB, "AppleUSBHostPort::disconnect: persistent enumeration failures", form(`@(?P<subject>[0-9a-fA-F]{1,8}): AppleUSBHostPort::disconnect: persistent enumeration failures`), kernelEvent{detail: "enumeration"}},
	// IO80211Family
	{kernelParted, "Link Down on en", form(`\bLink Down on (?P<subject>en\d{1,4})\. Reason (?P<code>\d{1,5})\b`), kernelEvent{}},
	// AppleSystemPolicy; the program by its file's name
	{kernelRefusal, "ASP: Security policy would not allow process", form(`ASP: Security policy would not allow process: (?:\d{1,10}, )?(?:/[^/]*)*/(?P<subject>[^/]{1,255}?)\s*$`), kernelEvent{detail: "gatekeeper"}},
	// AppleSMC, of Intel's Macs only
	{kernelPower, "revious shutdown cause: ", form(`^[Pp]revious shutdown cause: (?P<code>-?\d{1,4})\s*$`), kernelEvent{}},
}

// macShutdowns are the causes of the last end of the system that count as one that it
// was not asked for. Apple has published no list; those of others agree on a lost
// power supply only.
var macShutdowns = map[int32]kernelEvent{
	0: {kind: kernelPower, detail: "shutdown cause 0"},
}

// macLogWords are the words that log(1) is asked with.
func macLogWords() []string {
	var phrases []string
	for _, f := range macLogForms {
		if p := "eventMessage CONTAINS " + strconv.Quote(f.phrase); !slices.Contains(phrases, p) {
			phrases = append(phrases, p)
		}
	}
	return []string{"show", "--style", "ndjson", "--last", macLogAge, "--predicate", "processID == 0 AND (" + strings.Join(phrases, " OR ") + ")"}
}

// parseMacLog reads what log(1) showed: a JSON object on each line, of which the
// last says that it is the last.
func parseMacLog(content []byte) (events []kernelEvent) {
	for line := range bytes.Lines(content) {
		if len(line) > maxMacLine {
			continue
		}
		entry, err := parseTree(line)
		if err != nil || entry.at("processID").within(0, 0) == nil { // programs may write the same
			continue
		}
		at, err := time.Parse("2006-01-02 15:04:05.999999-0700", entry.at("timestamp").text())
		if err != nil || at.Year() < 2000 || at.Year() > 2200 {
			continue
		}
		if event, known := macKernelEvent(entry.at("eventMessage").text()); known {
			events = addKernelEvent(events, event, at)
		}
	}
	return events
}

// macKernelEvent understands one message.
func macKernelEvent(message string) (kernelEvent, bool) {
	for _, f := range macLogForms {
		event := f.fixed
		event.kind = f.kind
		if !strings.Contains(message, f.phrase) || !event.match(f.form(), []byte(message)) {
			continue
		}
		switch event.kind {
		case kernelUSB:
			location, err := strconv.ParseUint(event.subject, 16, 32)
			event.subject = macUSBPath(uint32(location))
			return event, err == nil
		case kernelPower:
			event, known := macShutdowns[event.code]
			return event, known
		}
		return event, true
	}
	return kernelEvent{}, false
}

// macParted notes when radios were parted from their networks last, and why.
func macParted(radios []*constatv1.Radio, events []kernelEvent) {
	for _, e := range events {
		for _, radio := range radios {
			if e.kind == kernelParted && e.subject == radio.GetLink() {
				radio.LastReason, radio.LastDisconnectAt = set(e.code), timestamppb.New(e.at.Truncate(time.Minute))
			}
		}
	}
}
