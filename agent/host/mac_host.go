package host

import (
	"cmp"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// macHost is what the kernel tells of the system. Architecture is that of this
// program, which may be translated.
func macHost(ask sysctl, architecture string) *constatv1.Host {
	model := ask.word("hw.model")
	h := &constatv1.Host{
		OsFamily: set("darwin"), OsName: set("macOS"), OsVersion: ask.word("kern.osproductversion"), OsBuild: ask.word("kern.osversion"),
		Kernel: ask.word("kern.osrelease"), Architecture: &architecture, Hostname: ask.word("kern.hostname"), Virtualization: set("none"),
	}
	if ask.on("kern.hv_vmm_present") {
		h.Virtualization = set(macHypervisor(model))
	}
	if ask.on("hw.optional.arm64") {
		h.Architecture = set("arm64")
	}
	if at := ask.time("kern.boottime"); !at.IsZero() {
		h.BootTime = timestamppb.New(at)
	}
	if at := ask.time("kern.waketime"); !at.IsZero() {
		h.ResumedAt = timestamppb.New(at.Truncate(time.Second))
	}
	return h
}

// macMachine tells this Mac from others, by its entry in the registry
// (IOPlatformExpertDevice).
func macMachine(platform node) (hash *string) {
	ioEntries(platform, func(entry node) {
		if id := entry.at("IOPlatformUUID").text(); id != "" && hash == nil {
			hash = machineHash(strings.ToLower(id))
		}
	})
	return hash
}

// macActive notes which of the sessions at the screen is to be seen: that of who owns
// the console.
func macActive(sessions []*constatv1.Session, owner string) {
	for _, s := range sessions {
		if s.GetKind() == "local" {
			s.Active = set(s.GetUser() == owner)
		}
	}
}

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
func macHypervisor(model *string) string {
	switch {
	case model == nil:
		return "other"
	case strings.HasPrefix(*model, "VirtualMac"):
		return "apple"
	}
	return cmp.Or(hypervisorOf(*model), "other")
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
