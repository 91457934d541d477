package gear

import (
	"bytes"
	"regexp"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// maxLine is the longest line of syslog that is read; RFC 5424 has receivers take
// 2,048 bytes.
const maxLine = 8192

// severities of syslog, by number (RFC 5424).
var severities = []string{"emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"}

// severityLetters are those that the Small Business line writes instead.
var severityLetters = map[string]int{"F": 2, "E": 3, "W": 4, "N": 5, "I": 6, "D": 7}

// syslogLine is a line of syslog, as far as it can be read.
type syslogLine struct {
	severity int // -1 unknown
	// mnemonic is Cisco's "PM-4-ERR_DISABLE"; of others the program's name.
	mnemonic string
	// cisco tells that the mnemonic is Cisco's.
	cisco bool
	text  string
}

// ciscoForm is how Cisco's systems name a message: facility, perhaps with a
// subfacility, severity and mnemonic.
var ciscoForm = regexp.MustCompile(`%([A-Z][A-Z0-9_]*(?:-[A-Z][A-Z0-9_]*)*)-([0-7]|[FEWNID])-([A-Za-z0-9_]+):?`)

// readLine reads a line of syslog: RFC 5424, RFC 3164, and what switches make of
// it, which number their lines, star their clocks and leave their names out. false:
// it is none.
func readLine(raw []byte) (syslogLine, bool) {
	l := syslogLine{severity: -1}
	raw = raw[:min(len(raw), maxLine)]
	rest := strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' || r == 0 {
			return ' '
		}
		if r < ' ' || r == 0x7f || r == '\ufeff' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(raw), ""))
	rest = strings.TrimSpace(rest)
	if number, after, found := strings.Cut(strings.TrimPrefix(rest, "<"), ">"); found && strings.HasPrefix(rest, "<") {
		priority, ok := priorityOf(number)
		if !ok {
			return l, false
		}
		l.severity, rest = priority%8, after
	} else {
		return l, false // every device writes one
	}
	if m := ciscoForm.FindStringSubmatchIndex(rest); m != nil {
		facility, severity, mnemonic := rest[m[2]:m[3]], rest[m[4]:m[5]], rest[m[6]:m[7]]
		l.cisco, l.mnemonic, l.text = true, facility+"-"+severity+"-"+mnemonic, strings.TrimSpace(rest[m[1]:])
		if letter, ok := severityLetters[severity]; ok {
			l.severity = letter
		} else {
			l.severity = int(severity[0] - '0')
		}
		return l, true
	}
	if after, found := strings.CutPrefix(rest, "1 "); found { // RFC 5424
		l.mnemonic, l.text = fields5424(after)
	} else {
		l.mnemonic, l.text = fields3164(rest)
	}
	return l, l.text != ""
}

// priorityOf reads facility and severity: 0 to 191.
func priorityOf(text string) (n int, ok bool) {
	if text == "" || len(text) > 3 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n < 192
}

// fields5424 reads what follows the version: timestamp, host, program, process,
// message id, structured data, message.
func fields5424(rest string) (program, text string) {
	parts := strings.SplitN(rest, " ", 6)
	if len(parts) < 6 {
		return "", ""
	}
	program, rest = parts[2], parts[5]
	if program == "-" {
		program = ""
	}
	for strings.HasPrefix(rest, "[") {
		end := closing(rest)
		if end < 0 {
			return program, ""
		}
		rest = rest[end+1:]
	}
	return program, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(rest), "- "))
}

// closing finds the bracket that ends an element of structured data; one in a
// value is quoted or escaped.
func closing(s string) int {
	quoted := false
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ']' && !quoted:
			return i
		}
	}
	return -1
}

// headForm is the time and host of RFC 3164; both may be missing.
var headForm = regexp.MustCompile(`^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)? )?(?:\S+ )?([A-Za-z0-9_./-]{1,48})(?:\[\d+\])?: `)

func fields3164(rest string) (program, text string) {
	if m := headForm.FindStringSubmatchIndex(rest); m != nil {
		return rest[m[2]:m[3]], strings.TrimSpace(rest[m[1]:])
	}
	return "", rest
}

// Form of names in a line's text.
var (
	portForm = regexp.MustCompile(`\b((?i:GigabitEthernet|FastEthernet|TenGigabitEthernet|TenGigE|TwoGigabitEthernet|FiveGigabitEthernet|TwentyFiveGigE|TwentyFiveGigabitEthernet|FortyGigabitEthernet|FortyGigE|HundredGigE|HundredGigabitEthernet|Ethernet|Port-channel|Bundle-Ether|AppGigabitEthernet|gi|fa|te|twe|tw|fi|fo|hu|eth|po)\d+(?:/\d+)*)\b`)
	macForm  = regexp.MustCompile(`\b([0-9a-fA-F]{4}\.[0-9a-fA-F]{4}\.[0-9a-fA-F]{4}|(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2})\b`)
)

// event is what a line means; nil when it concerns nobody here.
func (l syslogLine) event(now time.Time) *constatv1.GearEvent {
	kind := ""
	if l.cisco {
		kind = meaning(l.mnemonic, l.text)
	}
	if kind == "" {
		const errorSeverity = 3
		if l.severity < 0 || l.severity > errorSeverity {
			return nil
		}
		kind = "other"
	}
	e := &constatv1.GearEvent{
		At: timestamppb.New(now), Mnemonic: present(word(l.mnemonic, 100)), Source: proto.String("syslog"), Kind: proto.String(kind), Text: present(word(l.text, maxEventText)),
	}
	if l.severity >= 0 {
		e.Severity = proto.String(severities[l.severity])
	}
	if m := portForm.FindString(l.text); m != "" {
		e.Port = proto.String(m)
	}
	if m := macForm.FindString(l.text); m != "" {
		e.Mac = present(plainMAC(m))
	}
	if kind == "errDisable" {
		e.Cause = present(causeIn(l.text))
	}
	return e
}

// plainMAC writes an address in any of Cisco's notations as the store does.
func plainMAC(text string) string {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(".:-", r) {
			return -1
		}
		return r
	}, strings.ToLower(text))
	if len(digits) != 12 {
		return ""
	}
	var b strings.Builder
	for i := 0; i < 12; i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(digits[i : i+2])
	}
	return b.String()
}

// errDisableWords are how log lines call CErrDisableFeatureID, the longer first.
var errDisableWords = []struct{ word, cause string }{
	{"bpduguard", "bpduGuard"}, {"bpdu guard", "bpduGuard"}, {"psecure-violation", "portSecurityViolation"}, {"psecure_violation", "portSecurityViolation"},
	{"port-security", "portSecurityViolation"}, {"security-violation", "dot1xSecurityViolation"}, {"link-flap", "linkFlap"}, {"link flap", "linkFlap"},
	{"udld", "udld"}, {"storm-control", "stormControl"}, {"storm control", "stormControl"}, {"dhcp-rate-limit", "dhcpRateLimit"},
	{"arp-inspection", "arpInspection"}, {"inline-power", "inlinePower"}, {"ilpower", "inlinePower"}, {"channel-misconfig", "channelMisconfig"},
	{"pagp-flap", "pagpFlap"}, {"dtp-flap", "dtpFlap"}, {"l2ptguard", "l2ptGuard"}, {"gbic-invalid", "gbicInvalid"}, {"unicast-flood", "unicastFlood"},
	{"vmps", "vmps"}, {"mac-limit", "macLimit"}, {"sfp-config-mismatch", "sfpConfigMismatch"}, {"link-monitor-failure", "linkMonitorFailure"},
	{"loopback", "portLoopback"},
}

// causeIn finds why a line says that a port was switched off.
func causeIn(text string) string {
	text = strings.ToLower(text)
	for _, w := range errDisableWords {
		if strings.Contains(text, w.word) {
			return w.cause
		}
	}
	return "other"
}

// maxFrame bounds a counted frame (RFC 6587).
const maxFrame = maxLine

// splitFrames cuts a stream of syslog into lines, for a bufio.Scanner: counted ones
// ("52 <165>1 …") and those that end in a newline or a zero (RFC 6587), each as it
// begins.
func splitFrames(data []byte, atEOF bool) (advance int, token []byte, err error) {
	skip := 0
	for skip < len(data) && (data[skip] == '\n' || data[skip] == '\r' || data[skip] == 0 || data[skip] == ' ') {
		skip++
	}
	rest := data[skip:]
	if len(rest) == 0 {
		return skip, nil, nil
	}
	if rest[0] >= '1' && rest[0] <= '9' {
		length, digits := 0, 0
		for digits < len(rest) && digits < 6 && rest[digits] >= '0' && rest[digits] <= '9' {
			length, digits = length*10+int(rest[digits]-'0'), digits+1
		}
		switch {
		case digits == len(rest) && !atEOF:
			return skip, nil, nil
		case digits < len(rest) && rest[digits] == ' ':
			if length > maxFrame {
				return 0, nil, errFrame
			}
			if end := digits + 1 + length; end <= len(rest) {
				return skip + end, rest[digits+1 : end], nil
			} else if !atEOF {
				return skip, nil, nil
			}
			return len(data), nil, nil // cut off
		}
	}
	if end := bytes.IndexAny(rest, "\n\x00"); end >= 0 {
		return skip + end + 1, rest[:end], nil
	}
	if len(rest) > maxFrame {
		return 0, nil, errFrame
	}
	if atEOF {
		return len(data), rest, nil
	}
	return skip, nil, nil
}
