package host

import (
	"path"
	"slices"
	"strings"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// askedServices are the services of Windows that faults ask about, also when
// nothing is wrong with them: printing, scanning, network, Wi-Fi, Bluetooth, time,
// names, sound, camera, sign-in, smart cards, updates, protection, Office, Constat
// itself.
var askedServices = []string{
	"AudioEndpointBuilder", "Audiosrv", "BFE", "BITS", "bthserv", "ClickToRunSvc", "constat-agent", "CryptSvc", "Dhcp", "Dnscache", "dot3svc",
	"EventLog", "fdPHost", "FDResPub", "FrameServer", "hidserv", "LanmanWorkstation", "mpssvc", "msiserver", "Netlogon", "netprofm", "NlaSvc",
	"nsi", "ProfSvc", "RasMan", "SCardSvr", "Schedule", "SecurityHealthService", "Spooler", "stisvc", "TermService", "UsoSvc", "W32Time",
	"WinDefend", "WinHttpAutoProxySvc", "Winmgmt", "WlanSvc", "wscsvc", "wuauserv", "WwanSvc",
}

// scmService is a service as the service control manager lists it.
type scmService struct {
	name, shown    string
	state          uint32
	exit, specific uint32
	// start is what QueryServiceConfig tells; -1: it was not asked, or refused.
	start   int
	program string
}

// Size and places of ENUM_SERVICE_STATUS_PROCESSW on 64 bits (winsvc.h).
const (
	scmRowSize      = 56
	scmShown        = 8
	scmState        = 20
	scmExit         = 28
	scmSpecificExit = 32
)

// decodeServices reads the answer of EnumServicesStatusExW.
func decodeServices(b winBuffer, n uint32) []scmService {
	var list []scmService
	for _, at := range b.rows(n, scmRowSize) {
		s := scmService{name: b.text(at), shown: b.text(at + scmShown), state: b.u32(at + scmState), exit: b.u32(at + scmExit), specific: b.u32(at + scmSpecificExit), start: -1}
		if s.name != "" {
			list = append(list, s)
		}
	}
	return list
}

// decodeServiceConfig reads QUERY_SERVICE_CONFIGW: how the service starts, and
// the base name of its program.
func decodeServiceConfig(b winBuffer) (start int, program string) {
	if len(b.data) < 64 {
		return -1, ""
	}
	return int(b.u32(4)), commandProgram(b.text(16))
}

// commandProgram is the base name of the program in a command of Windows, which
// is quoted, or ends with ".exe" or at a space.
func commandProgram(command string) string {
	command = strings.TrimSpace(command)
	if quoted, found := strings.CutPrefix(command, `"`); found {
		command, _, _ = strings.Cut(quoted, `"`)
	} else if end := programEnd(command); end > 0 {
		command = command[:end]
	} else {
		command, _, _ = strings.Cut(command, " ")
	}
	if command == "" {
		return ""
	}
	return path.Base(strings.ReplaceAll(command, `\`, "/"))
}

// programEnd is where the name of a program ends in a command that is not quoted,
// and may have spaces in it; 0 where nothing tells.
func programEnd(command string) int {
	for end := len(".exe"); end <= len(command); end++ {
		if strings.EqualFold(command[end-len(".exe"):end], ".exe") && (end == len(command) || command[end] == ' ') {
			return end
		}
	}
	return 0
}

// Words for dwCurrentState and dwStartType (winsvc.h). Drivers start at boot or by
// the system; a service does neither.
var (
	scmStates = map[uint32]string{1: "stopped", 2: "starting", 3: "stopping", 4: "running", 5: "running", 6: "stopped", 7: "stopped"}
	scmStarts = map[int]string{2: "automatic", 3: "manual", 4: "disabled"}
)

// Exit codes of the service control manager that are no failure: it ended well,
// was never started, or is disabled; and what others mean (winerror.h).
const (
	scmNeverStarted = 1077
	scmDisabled     = 1058
	scmSpecific     = 1066
	scmTimeout      = 1053
)

// facts tells of a service. It has failed when it should run, does not, and its
// exit code says that it did not end well.
func (s scmService) facts() *constatv1.Service {
	f := &constatv1.Service{
		Name: set(s.name), Description: filled(s.shown), State: filled(scmStates[s.state]), StartType: filled(scmStarts[s.start]), Program: filled(s.program),
	}
	if s.state != 1 || s.exit == scmNeverStarted {
		return f
	}
	switch {
	case s.exit == 0:
		f.Result, f.ExitCode = set("success"), set(int32(0))
	case s.exit == scmTimeout:
		f.Result = set("timeout")
	case s.exit == scmSpecific:
		f.Result, f.ExitCode = set("exitCode"), set(int32(s.specific))
	default:
		f.Result, f.ExitCode = set("exitCode"), set(int32(s.exit))
	}
	if s.failed() {
		f.State = set("failed")
	}
	return f
}

func (s scmService) failed() bool {
	const automatic = 2
	return s.state == 1 && s.start == automatic && s.exit != 0 && s.exit != scmNeverStarted && s.exit != scmDisabled
}

// notableServices picks the services worth telling: the asked ones, and those that
// failed. Sorted by name.
func notableServices(all []scmService) []scmService {
	var picked []scmService
	others := 0
	for _, s := range all {
		switch asked := slices.ContainsFunc(askedServices, func(name string) bool { return strings.EqualFold(name, s.name) }); {
		case !asked && !s.failed():
			continue
		case !asked:
			if others++; others > maxNotable {
				continue
			}
		}
		picked = append(picked, s)
	}
	slices.SortFunc(picked, func(a, b scmService) int { return strings.Compare(a.name, b.name) })
	return picked
}

// Events of the service control manager: a service ended unexpectedly, with and
// without something to be done about it. Their first field is the service's
// shown name; the fourth of the first is what is done, 1 being a restart.
const (
	scmProvider  = "Service Control Manager"
	scmEndedMend = 7031
	scmEnded     = 7034
)

var scmRows = []eventRow{{"System", scmProvider, []int{scmEndedMend, scmEnded}}}

// recently is how far back recent restarts are counted.
const recently = 10 * time.Minute

// scmRestarts counts, by a service's shown name, how often the service control
// manager started it anew since a time.
func scmRestarts(events []loggedEvent, since time.Time) map[string]int32 {
	counts := map[string]int32{}
	for _, e := range events {
		if e.is(scmProvider, scmEndedMend) && e.nth(3) == "1" && !e.at.Before(since) {
			counts[e.nth(0)]++
		}
	}
	return counts
}
