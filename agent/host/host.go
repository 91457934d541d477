package host

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// parseAssignments reads a file of shell assignments: os-release(5),
// locale.conf(5), /etc/default files. Lines it does not understand are passed
// over, as those manuals ask.
func parseAssignments(content []byte) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(string(content)) {
		key, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if !found || strings.HasPrefix(key, "#") {
			continue
		}
		values[key] = unquote(value)
	}
	return values
}

// unquote takes shell quotes and backslashes off one value.
func unquote(value string) string {
	if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
		quote := value[0]
		value = value[1 : len(value)-1]
		if quote == '\'' {
			return value
		}
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) {
			i++
		}
		b.WriteByte(value[i])
	}
	return b.String()
}

// bcp47 turns a POSIX locale into a language tag: "fr_FR.UTF-8" into "fr-FR".
// C and POSIX name no language.
func bcp47(locale string) *string {
	locale, _, _ = strings.Cut(locale, ".")
	locale, _, _ = strings.Cut(locale, "@")
	if locale == "" || locale == "C" || locale == "POSIX" {
		return nil
	}
	return set(strings.ReplaceAll(locale, "_", "-"))
}

// zoneOf finds the IANA name in the target of /etc/localtime.
func zoneOf(target string) *string {
	_, zone, found := strings.Cut(target, "zoneinfo/")
	if !found {
		return nil
	}
	zone = strings.TrimPrefix(strings.TrimPrefix(zone, "posix/"), "right/")
	return filled(zone)
}

// parseBootTime finds the start of the kernel in /proc/stat.
func parseBootTime(content []byte) (*timestamppb.Timestamp, error) {
	for line := range bytes.Lines(content) {
		if rest, found := bytes.CutPrefix(line, []byte("btime ")); found {
			seconds, err := strconv.ParseInt(string(bytes.TrimSpace(rest)), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("/proc/stat: btime: %w", err)
			}
			return timestamppb.New(time.Unix(seconds, 0)), nil
		}
	}
	return nil, fmt.Errorf("/proc/stat has no btime: %w", errors.ErrUnsupported)
}

// machineSalt makes the hash of a machine's id Constat's own, in the manner of
// sd_id128_get_machine_app_specific(3).
const machineSalt = "constat machine identity v1"

// machineHash hides a machine's id: whoever reads it can tell two machines
// apart, and cannot know the id other programs use.
func machineHash(id string) *string {
	if id == "" || id == "uninitialized" {
		return nil
	}
	return set(saltedHash(id))
}

// HardwareHash is the same for one machine whatever disk is in it: of its
// firmware's UUID (SMBIOS type 1), which makers and hypervisors give each machine
// of its own, and of the maker's serial, since some boards share one UUID.
// Empty: the firmware tells none, or may not be read.
func HardwareHash(h *constatv1.Hardware) string {
	if h.GetSystem().GetUuid() == "" {
		return ""
	}
	return saltedHash(h.GetSystem().GetUuid() + "\n" + h.GetSystem().GetSerial())
}

func saltedHash(id string) string {
	mac := hmac.New(sha256.New, []byte(id))
	mac.Write([]byte(machineSalt))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// hypervisors tells virtual machines by what their firmware calls itself, as
// systemd's detect-virt.c does. Matched as prefixes of the DMI strings
// system vendor, product name and BIOS vendor; first match wins.
var hypervisors = []struct{ prefix, name string }{
	{"KVM", "kvm"},
	{"OpenStack", "kvm"},
	{"Amazon EC2", "kvm"},
	{"Google Compute Engine", "kvm"},
	{"QEMU", "qemu"},
	{"VMware", "vmware"},
	{"VMW", "vmware"},
	{"innotek GmbH", "virtualbox"},
	{"VirtualBox", "virtualbox"},
	{"Oracle Corporation", "virtualbox"},
	{"Xen", "xen"},
	{"Virtual Machine", "hyperv"}, // product name; the vendor, Microsoft, also makes real machines
	{"Apple Virtualization", "apple"},
	{"Parallels", "other"},
	{"Bochs", "other"},
	{"BHYVE", "other"},
}

// hypervisorOf names the hypervisor behind these DMI strings, or "".
func hypervisorOf(dmi ...string) string {
	for _, h := range hypervisors {
		for _, text := range dmi {
			if strings.HasPrefix(text, h.prefix) {
				return h.name
			}
		}
	}
	return ""
}

// Layout of struct utmp on Linux with glibc, the same on all its architectures
// that Constat is built for (utmp(5)).
const (
	utmpSize    = 384
	utmpUser    = 44
	utmpHost    = 76
	userProcess = 7
)

// parseUtmp returns the sessions of an utmp file, sorted by user.
func parseUtmp(content []byte) []*constatv1.Session {
	var sessions []*constatv1.Session
	for ; len(content) >= utmpSize; content = content[utmpSize:] {
		record := content[:utmpSize]
		if binary.LittleEndian.Uint16(record) != userProcess {
			continue
		}
		user, _, _ := bytes.Cut(record[utmpUser:utmpUser+32], []byte{0})
		from, _, _ := bytes.Cut(record[utmpHost:utmpHost+256], []byte{0})
		kind := "remote"
		// A display manager notes the display (":0") as where the user came from.
		if len(from) == 0 || from[0] == ':' {
			kind = "local"
		}
		sessions = append(sessions, &constatv1.Session{User: set(string(user)), Kind: &kind})
	}
	sortSessions(sessions)
	return sessions
}

func sortSessions(sessions []*constatv1.Session) {
	slices.SortStableFunc(sessions, func(a, b *constatv1.Session) int {
		return strings.Compare(a.GetUser()+" "+a.GetKind(), b.GetUser()+" "+b.GetKind())
	})
}
