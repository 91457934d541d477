package gear

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Lines as devices write them: numbered, with a starred clock, with a host or none,
// by RFC 5424, of NX-OS, ASA and the Small Business line.
func TestSyslogLines(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"<188>94: *Mar  1 18:48:50.483: %PM-4-ERR_DISABLE: bpduguard error detected on Gi1/0/5, putting Gi1/0/5 in err-disable state", "errDisable bpduGuard Gi1/0/5  warning PM-4-ERR_DISABLE"},
		{"<188>1051: sw-2: 001049: Nov 22 10:42:01.123 CET: %PM-4-ERR_DISABLE: psecure-violation error detected on Gi2/0/11, putting Gi2/0/11 in err-disable state", "errDisable portSecurityViolation Gi2/0/11  warning PM-4-ERR_DISABLE"},
		{"<188>61: Nov 22 10:42:01: %PM-SP-4-ERR_DISABLE: link-flap error detected on Gi3/5, putting Gi3/5 in err-disable state", "errDisable linkFlap Gi3/5  warning PM-SP-4-ERR_DISABLE"},
		{"<187>12: Nov 22 10:42:02.100: %LINK-3-UPDOWN: Interface GigabitEthernet1/0/5, changed state to down", "linkDown  GigabitEthernet1/0/5  error LINK-3-UPDOWN"},
		{"<189>13: %LINEPROTO-5-UPDOWN: Line protocol on Interface GigabitEthernet1/0/5, changed state to up", "linkUp  GigabitEthernet1/0/5  notice LINEPROTO-5-UPDOWN"},
		{"<189>14: %LINK-5-CHANGED: Interface GigabitEthernet1/0/5, changed state to administratively down", "linkDown  GigabitEthernet1/0/5  notice LINK-5-CHANGED"},
		{"<189>: 2026 Nov 22 10:42:00 CET: %ETHPORT-5-IF_DOWN_ERROR_DISABLED: Interface Ethernet1/5 is down (Error disabled. Reason:BPDUGuard)", "errDisable bpduGuard Ethernet1/5  notice ETHPORT-5-IF_DOWN_ERROR_DISABLED"},
		{"<189>: 2026 Nov 22 10:42:00 CET: %ETHPORT-5-IF_DOWN_LINK_FAILURE: Interface Ethernet1/5 is down (Link failure)", "linkDown  Ethernet1/5  notice ETHPORT-5-IF_DOWN_LINK_FAILURE"},
		{"<188>99: %SW_MATM-4-MACFLAP_NOTIF: Host 0050.56aa.bbcc in vlan 10 is flapping between port Gi1/0/1 and port Gi1/0/2", "macFlap  Gi1/0/1 00:50:56:aa:bb:cc warning SW_MATM-4-MACFLAP_NOTIF"},
		{"<189>99: %SYS-5-CONFIG_I: Configured from console by admin on vty0 (192.0.2.7)", "configChanged    notice SYS-5-CONFIG_I"},
		{"<189>2: %SYS-5-RESTART: System restarted --", "restarted    notice SYS-5-RESTART"},
		{"<187>3: %SNMP-3-AUTHFAIL: Authentication failure for SNMP req from host 192.0.2.66", "authenticationFailure    error SNMP-3-AUTHFAIL"},
		{"<187>3: %PLATFORM_ENV-1-FRU_PS_ACCESS: FRU Power Supply is not responding", "powerSupply    alert PLATFORM_ENV-1-FRU_PS_ACCESS"},
		{"<187>3: %PLATFORM_ENV-1-FAN: Faulty fan detected", "fan    alert PLATFORM_ENV-1-FAN"},
		{"<187>3: %PLATFORM_ENV-1-TEMP_CRITICAL: Temperature is critical", "temperature    alert PLATFORM_ENV-1-TEMP_CRITICAL"},
		{"<188>3: %CDP-4-DUPLEX_MISMATCH: duplex mismatch discovered on GigabitEthernet1/0/9 (not half duplex), with sw GigabitEthernet0/1 (half duplex).", "duplexMismatch  GigabitEthernet1/0/9  warning CDP-4-DUPLEX_MISMATCH"},
		{"<186>3: %PORT_SECURITY-2-PSECURE_VIOLATION: Security violation occurred, caused by MAC address 0050.56aa.0001 on port GigabitEthernet1/0/3.", "portSecurity  GigabitEthernet1/0/3 00:50:56:aa:00:01 critical PORT_SECURITY-2-PSECURE_VIOLATION"},
		{"<189>3: %ILPOWER-5-ILPOWER_POWER_DENY: Interface Gi1/0/7: inline power denied. Reason: insufficient power", "powerDenied  Gi1/0/7  notice ILPOWER-5-ILPOWER_POWER_DENY"},
		{"<186>3: %SYS-2-MALLOCFAIL: Memory allocation of 65536 bytes failed", "memory    critical SYS-2-MALLOCFAIL"},
		{"<189>3: %AUTHMGR-5-FAIL: Authorization failed or unapplied for client (0050.56aa.0001) on Interface Gi1/0/4", "dot1xFailed  Gi1/0/4 00:50:56:aa:00:01 notice AUTHMGR-5-FAIL"},
		{"<188>Nov 22 10:42:00 cbs350 %LINK-W-Down:  gi1/0/5", "linkDown  gi1/0/5  warning LINK-W-Down"},
		{"<190>Nov 22 10:42:00 cbs350 %LINK-I-Up:  gi1/0/5", "linkUp  gi1/0/5  info LINK-I-Up"},
		{"<165>1 2026-11-22T10:42:00.003Z sw-2 ios - ID47 [meta seq=\"1\" note=\"a \\\"]\\\" b\"] %PM-4-ERR_DISABLE: udld error detected on Te1/1/1, putting Te1/1/1 in err-disable state", "errDisable udld Te1/1/1  warning PM-4-ERR_DISABLE"},
		{"<11>1 2026-11-22T10:42:00Z fw kernel - - [x@1 a=\"b\"][y@1 c=\"d\"] disk failed", "other    error kernel"},
		{"<11>Nov 22 10:42:00 ap-3 hostapd[812]: radio has died", "other    error hostapd"},
		// Nobody's business here, or no syslog.
		{"<190>3: %SSH-6-CONNECT: session opened", ""},
		{"<14>Nov 22 10:42:00 ap-3 hostapd: hello", ""},
		{"%PM-4-ERR_DISABLE: bpduguard error detected on Gi1/0/5", "no line"},
		{"<999>x", "no line"}, {"<>x", "no line"}, {"", "no line"}, {"<12", "no line"}, {"<13>", "no line"}, {"<13>1 -", "no line"},
	} {
		l, ok := readLine([]byte(c.line))
		got := "no line"
		if ok {
			got = ""
			if e := l.event(time.Now()); e != nil {
				got = fmt.Sprintf("%s %s %s %s %s %s", e.GetKind(), e.GetCause(), e.GetPort(), e.GetMac(), e.GetSeverity(), e.GetMnemonic())
			}
		}
		if got != c.want {
			t.Errorf("%s\n is   %q,\n want %q", c.line, got, c.want)
		}
	}
}

// Frames of RFC 6587: counted, ended by a newline or a zero, and mixed.
func TestSyslogFrames(t *testing.T) {
	stream := "5 <13>a<13>line\r\n\n<13>zero\x0012 <13>with\nend9 <13>cut"
	var got []string
	lines := bufio.NewScanner(strings.NewReader(stream))
	lines.Split(splitFrames)
	for lines.Scan() {
		got = append(got, lines.Text())
	}
	if want := `["<13>a" "<13>line\r" "<13>zero" "<13>with\nend"]`; fmt.Sprintf("%q", got) != want || lines.Err() != nil {
		t.Errorf("frames %q, %v", got, lines.Err())
	}
	long := bufio.NewScanner(strings.NewReader("99999 x"))
	long.Split(splitFrames)
	if long.Scan() || long.Err() == nil {
		t.Error("a frame longer than any line was waited for")
	}
}

func FuzzSyslog(f *testing.F) {
	f.Add([]byte("<188>94: *Mar  1 18:48:50.483: %PM-4-ERR_DISABLE: bpduguard error detected on Gi1/0/5"))
	f.Add([]byte("<165>1 2026-11-22T10:42:00.003Z sw-2 ios - ID47 [meta seq=\"1\"] text"))
	f.Add([]byte("<11>Nov 22 10:42:00 ap-3 hostapd[812]: radio has died"))
	f.Add([]byte("5 <13>a<13>line\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if l, ok := readLine(raw); ok {
			if e := l.event(time.Now()); e != nil && (len(e.GetText()) > maxEventText || len(e.GetMnemonic()) > 100 || strings.ContainsAny(e.GetText(), "\n\x00\x1b")) {
				t.Errorf("%q became %v", raw, e)
			}
		}
		lines := bufio.NewScanner(bytes.NewReader(raw))
		lines.Buffer(nil, maxFrame+64)
		lines.Split(splitFrames)
		for n := 0; lines.Scan(); n++ {
			if n > len(raw) {
				t.Fatal("it never ends")
			}
		}
	})
}
