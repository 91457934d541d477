package host

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// maxAccounts is how many accounts are told of.
const maxAccounts = 50

var errDirectoryLocks = fmt.Errorf("whether the directory has locked an account is not asked: %w", errors.ErrUnsupported)

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

// defaultTallies is where the tallies lie, unless the set-up says otherwise.
const defaultTallies = "/run/faillock"

// parseFaillock reads faillock.conf; what it does not set is as in the manual.
func parseFaillock(content []byte) faillock {
	f := faillock{deny: 3, interval: 15 * time.Minute, unlock: 10 * time.Minute, dir: defaultTallies}
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

// parseTicket reads the verb "ticket-end": until when a ticket is good, and by how
// many seconds the domain's clock is ahead; zero and nil where it does not say.
func parseTicket(text string) (end time.Time, ahead *float64) {
	until, offset, _ := strings.Cut(text, " ")
	if seconds, err := strconv.ParseInt(until, 10, 64); err == nil && seconds > 0 && seconds <= math.MaxUint32 {
		end = time.Unix(seconds, 0)
	}
	if x, err := strconv.ParseFloat(offset, 64); err == nil && math.Abs(x) <= math.MaxInt32 {
		ahead = &x
	}
	return end, ahead
}

// domainState is what SSSD says of a domain over the verb "directory".
type domainState struct{ name, provider, online, server string }

// parseDomains reads the lines of the verb "directory".
func parseDomains(content []byte) []domainState {
	var list []domainState
	for line := range bytes.Lines(content) {
		parts := strings.Split(strings.TrimSuffix(string(line), "\n"), "\t")
		if len(parts) == 4 && parts[0] != "" {
			list = append(list, domainState{name: parts[0], provider: parts[1], online: parts[2], server: parts[3]})
		}
	}
	return list
}

// merge adds what SSSD says of a domain to it.
func (s domainState) merge(d *constatv1.Directory) {
	d.Name = filled(strings.ToLower(s.name))
	if kind := directoryKinds[s.provider]; kind != "" {
		d.Kind = set(kind)
	}
	switch s.online {
	case "true":
		d.State = set("online")
	case "false":
		d.State = set("offline")
	}
	d.Server = filled(s.server)
}

// domainOf picks the domain that a directory is, among those SSSD has: the one of
// its name, or the only one. With several and no name in common there is none.
func domainOf(d *constatv1.Directory, domains []domainState) (domainState, bool) {
	for _, s := range domains {
		if strings.EqualFold(s.name, d.GetName()) {
			return s, true
		}
	}
	if len(domains) == 1 {
		return domains[0], true
	}
	return domainState{}, false
}

// Error codes of libkrb5 lie in this table of com_err(3); the first 128 of them
// are those of RFC 4120 7.5.9, counted from its start.
const (
	krb5Errors    = -1765328384
	maxKrb5Errors = 256
)

// refusals are the codes that tell what to do; see [refusalOf] for the others.
var refusals = map[int]string{
	krb5Errors + 18:  "clientRevoked",
	krb5Errors + 23:  "keyExpired",
	krb5Errors + 24:  "preauthFailed",
	krb5Errors + 31:  "preauthFailed", // the answer does not open: a wrong password
	krb5Errors + 37:  "clockSkew",
	krb5Errors + 156: "unreachable", // no server of the realm answers
	krb5Errors + 220: "unreachable", // nor has it an address
}

// refusalOf puts an error code of libkrb5 into the schema's words; "" for what is
// none.
func refusalOf(code int) string {
	if class := refusals[code]; class != "" {
		return class
	}
	if code > krb5Errors && code < krb5Errors+maxKrb5Errors {
		return "other"
	}
	return ""
}

// refusalTime is how long a refusal counts: SSSD does not log at its usual level
// that a later sign-in went well, or that its reason is gone.
const refusalTime = 30 * time.Minute

// lastRefusal reads the lines of the verb "kerberos-refusals", in the zone that
// the log's times are in, and returns the class of the last one that still
// counts; "" when there is none.
func lastRefusal(content []byte, zone *time.Location, now time.Time) string {
	last := ""
	for line := range bytes.Lines(content) {
		text := strings.TrimSpace(string(line))
		cut := strings.LastIndexByte(text, ' ')
		if cut < 0 {
			continue
		}
		at, err := time.ParseInLocation(time.DateTime, text[:cut], zone)
		code, codeErr := strconv.Atoi(text[cut+1:])
		if err != nil || codeErr != nil || at.After(now) || now.Sub(at) >= refusalTime {
			continue
		}
		if class := refusalOf(code); class != "" {
			last = class
		}
	}
	return last
}

// ticketsElsewhere tells whether krb5.conf(5) says that tickets are kept in the
// kernel's keys, with a service, or in a place of their own.
func ticketsElsewhere(krb5 []byte) bool {
	kept := strings.TrimPrefix(iniValue(krb5, "libdefaults", "default_ccache_name"), "FILE:")
	return kept != "" && !strings.HasPrefix(kept, "/tmp/krb5cc_%{")
}

// signedInAs returns whose file of logind's users it is; "" when it does not tell.
func signedInAs(state []byte) string {
	for line := range bytes.Lines(state) {
		if name, found := bytes.CutPrefix(line, []byte("NAME=")); found {
			return strings.TrimSpace(string(name))
		}
	}
	return ""
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
