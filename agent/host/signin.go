package host

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// maxAccounts is how many accounts are told of.
const maxAccounts = 50

// passwdEntry is what matters of a line of passwd(5).
type passwdEntry struct{ user, home string }

// parsePasswd reads passwd(5): by name, the accounts of this machine itself.
func parsePasswd(content []byte) map[string]passwdEntry {
	entries := map[string]passwdEntry{}
	for line := range bytes.Lines(content) {
		parts := strings.Split(strings.TrimSpace(string(line)), ":")
		if len(parts) >= 7 && parts[0] != "" {
			entries[parts[0]] = passwdEntry{user: parts[0], home: parts[5]}
		}
	}
	return entries
}

// never is how many days a password may be old when it does not expire: what
// distributions write, and anything beyond (shadow(5)).
const never = 99999

// passwordAge reads the days of shadow(5) as the verb "password-days" gives
// them: "last change:minimum:maximum:warning:inactive:expiry", and tells when
// the password expires. A last change of 0 means that it must be changed at the
// next sign-in. A zero time: it does not expire.
func passwordAge(days string) (expires time.Time, mustChange bool, err error) {
	parts := strings.Split(days, ":")
	if len(parts) != 6 {
		return time.Time{}, false, fmt.Errorf("six fields of days are expected, and there are %d", len(parts))
	}
	number := func(text string) (int, bool) {
		n, err := strconv.Atoi(text)
		return n, err == nil && n >= 0
	}
	changed, known := number(parts[0])
	if !known {
		return time.Time{}, false, nil // ageing is off
	}
	if changed == 0 {
		return time.Time{}, true, nil
	}
	most, limited := number(parts[2])
	if !limited || most >= never || changed > never {
		return time.Time{}, false, nil
	}
	return time.Unix(0, 0).UTC().AddDate(0, 0, changed+most), false, nil
}

// faillock is how pam_faillock is set up (faillock.conf(5)).
type faillock struct {
	deny             int
	interval, unlock time.Duration // unlock 0: never by itself
	dir              string
}

// parseFaillock reads faillock.conf; what it does not set is as in the manual.
func parseFaillock(content []byte) faillock {
	f := faillock{deny: 3, interval: 15 * time.Minute, unlock: 10 * time.Minute, dir: "/run/faillock"}
	for line := range bytes.Lines(content) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), "=")
		value = strings.TrimSpace(value)
		n, err := strconv.Atoi(value)
		isCount := err == nil && n >= 0 && n < 1<<30
		switch strings.TrimSpace(key) {
		case "deny":
			if isCount {
				f.deny = n
			}
		case "fail_interval":
			if isCount {
				f.interval = time.Duration(n) * time.Second
			}
		case "unlock_time":
			if isCount {
				f.unlock = time.Duration(n) * time.Second
			} else if value == "never" {
				f.unlock = 0
			}
		case "dir":
			if strings.HasPrefix(value, "/") {
				f.dir = value
			}
		}
	}
	return f
}

// A tally of pam_faillock is a row of such records (Linux-PAM,
// modules/pam_faillock/faillock.h): 52 bytes of where it came from, which stay
// unread, 16 bits reserved, 16 bits of status, and the seconds.
const (
	tallySize   = 64
	tallyStatus = 54
	tallyTime   = 56
	tallyValid  = 1
)

// locked tells whether an account is locked by its tally at a time: enough
// failures within the interval, and the lock's time not over.
func (f faillock) locked(tally []byte, now time.Time) bool {
	if f.deny == 0 {
		return false
	}
	var times []time.Time
	var last time.Time
	for ; len(tally) >= tallySize; tally = tally[tallySize:] {
		if binary.NativeEndian.Uint16(tally[tallyStatus:])&tallyValid == 0 {
			continue
		}
		at := time.Unix(int64(binary.NativeEndian.Uint64(tally[tallyTime:])), 0)
		times = append(times, at)
		if at.After(last) {
			last = at
		}
	}
	failures := 0
	for _, at := range times {
		if last.Sub(at) < f.interval {
			failures++
		}
	}
	return failures >= f.deny && (f.unlock == 0 || now.Before(last.Add(f.unlock)))
}

// iniValue returns a key of a section of a file with "[section]" and "key =
// value" lines, as krb5.conf(5) and sssd.conf(5) are; "" when it is not set.
func iniValue(content []byte, section, key string) string {
	in := false
	for line := range bytes.Lines(content) {
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "[") {
			in = text == "["+section+"]"
			continue
		}
		name, value, found := strings.Cut(text, "=")
		if in && found && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// directoryKinds are sssd's id_provider words (sssd.conf(5)) in the schema's.
var directoryKinds = map[string]string{"ad": "activeDirectory", "ipa": "freeipa", "ldap": "ldap"}

// directoryOf tells which domain this machine is a member of by its
// configuration files, each of which may be missing; nil for none. member says
// that something other than a realm's name shows membership.
func directoryOf(krb5, sssd, ipa, samba []byte, member bool) *constatv1.Directory {
	d := &constatv1.Directory{}
	realm := iniValue(krb5, "libdefaults", "default_realm")
	domain, _, _ := strings.Cut(iniValue(sssd, "sssd", "domains"), ",")
	if domain = strings.TrimSpace(domain); domain != "" {
		d.Kind = filled(directoryKinds[iniValue(sssd, "domain/"+domain, "id_provider")])
	}
	switch {
	case iniValue(ipa, "global", "realm") != "":
		realm = iniValue(ipa, "global", "realm")
		d.Kind = set("freeipa")
	case strings.EqualFold(iniValue(samba, "global", "security"), "ads"):
		if name := iniValue(samba, "global", "realm"); name != "" {
			realm = name
		}
		d.Kind = set("activeDirectory")
	case domain == "" && !member:
		return nil // a realm alone is a default of the distribution
	}
	if domain == "" {
		domain = realm
	}
	d.Name = filled(strings.ToLower(domain))
	return d
}

// failureCounters are the modules that count failed sign-ins, and lock accounts
// by them, in stacks of pam.conf(5).
var failureCounters = []string{"pam_faillock.so", "pam_tally.so", "pam_tally2.so"}

// countersIn are the counters that a stack uses.
func countersIn(stack []byte) []string {
	var used []string
	for line := range bytes.Lines(stack) {
		text, _, _ := strings.Cut(string(line), "#")
		for _, module := range failureCounters {
			if strings.Contains(text, module) && !slices.Contains(used, module) {
				used = append(used, module)
			}
		}
	}
	return used
}
