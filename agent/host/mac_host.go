package host

import (
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// parseWho reads who(1): name, line, date, and in brackets where from. The console
// is the screen; lines without a place are windows of a terminal on it.
func parseWho(content []byte) []*constatv1.Session {
	var sessions []*constatv1.Session
	seen := map[string]bool{}
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || len(sessions) == 64 {
			continue
		}
		s := &constatv1.Session{User: set(fields[0]), Kind: set("local")}
		if last := fields[len(fields)-1]; strings.HasPrefix(last, "(") && strings.HasSuffix(last, ")") {
			s.Kind = set("remote")
		}
		if key := s.GetUser() + " " + s.GetKind(); !seen[key] {
			seen[key] = true
			sessions = append(sessions, s)
		}
	}
	sortSessions(sessions)
	return sessions
}

// macHypervisor names what a Mac runs in, by its model's name: the kernel tells
// that there is something (kern.hv_vmm_present), and not what.
func macHypervisor(virtual bool, model string) string {
	switch {
	case !virtual:
		return "none"
	case strings.HasPrefix(model, "VirtualMac"):
		return "apple"
	}
	if name := hypervisorOf(model); name != "" {
		return name
	}
	return "other"
}

// macJoin tells of the Active Directory that a Mac belongs to, by what
// dsconfigad(8) wrote with -show -xml; it writes nothing where there is none.
func macJoin(tree node) (domain string, joined bool) {
	domain = tree.at("General Info", "Active Directory Domain").text()
	return domain, domain != ""
}

// macLocale is the language of AppleLocale, "fr_FR" or "fr_FR@rg=chzzzz".
func macLocale(content []byte) *string {
	return bcp47(strings.TrimSpace(string(content[:min(len(content), 100)])))
}
