package host

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	constatv1 "constat/proto/constat/v1"
)

func TestPasswordAge(t *testing.T) {
	day := func(n int) time.Time { return time.Unix(0, 0).UTC().AddDate(0, 0, n) }
	for days, want := range map[string]struct {
		expires    time.Time
		mustChange bool
		wrong      bool
	}{
		"20000:0:90:7:30:20500": {expires: day(20090)}, "20000:0:99999:7::": {}, "20000:0::7::": {}, ":0:90:7::": {}, "0:0:90:7::": {mustChange: true},
		"-1:0:90:7::": {}, "20000:0:90": {wrong: true}, "": {wrong: true}, "123456789:0:90:7::": {}, "x:0:90:7::": {},
	} {
		expires, mustChange, err := passwordAge(days)
		if !expires.Equal(want.expires) || mustChange != want.mustChange || (err != nil) != want.wrong {
			t.Errorf("%q: %v, %v, %v", days, expires, mustChange, err)
		}
	}
}

// tallyOf writes a tally of pam_faillock: valid failures at some seconds, and
// one that was taken back.
func tallyOf(seconds ...int64) []byte {
	var tally []byte
	for i, at := range append(seconds, 0) {
		record := make([]byte, tallySize)
		copy(record, "192.0.2.66-secret")
		if i < len(seconds) {
			binary.NativeEndian.PutUint16(record[tallyStatus:], tallyValid|4)
		}
		binary.NativeEndian.PutUint64(record[tallyTime:], uint64(at))
		tally = append(tally, record...)
	}
	return tally
}

func TestFaillock(t *testing.T) {
	defaults := parseFaillock(nil)
	if defaults != (faillock{deny: 3, interval: 15 * time.Minute, unlock: 10 * time.Minute, dir: "/run/faillock"}) {
		t.Errorf("defaults %+v", defaults)
	}
	strict := parseFaillock([]byte("# deny = 9\ndeny=5\n fail_interval = 60\nunlock_time = never\ndir = /var/lib/faillock\nsilent\ndeny = x\n"))
	if strict != (faillock{deny: 5, interval: time.Minute, dir: "/var/lib/faillock"}) {
		t.Errorf("strict %+v", strict)
	}
	now := time.Unix(10000, 0)
	for name, test := range map[string]struct {
		f     faillock
		tally []byte
		want  bool
	}{
		"three now": {defaults, tallyOf(9900, 9950, 9990), true}, "two": {defaults, tallyOf(9950, 9990), false}, "long ago": {defaults, tallyOf(1, 2, 3), false},
		"spread": {defaults, tallyOf(1000, 9950, 9990), false}, "never unlocks": {strict, tallyOf(1, 2, 3, 4, 5), true}, "none": {defaults, nil, false},
		"cut": {defaults, tallyOf(9900, 9950, 9990)[:3*tallySize-1], false}, "off": {parseFaillock([]byte("deny = 0")), tallyOf(9990), false},
	} {
		if got := test.f.locked(test.tally, now); got != test.want {
			t.Errorf("%s: locked %v, want %v", name, got, test.want)
		}
	}
	for stack, want := range map[string]string{
		"# auth required pam_faillock.so\nauth required pam_unix.so # no pam_tally.so\n":                         "",
		"auth required pam_faillock.so preauth\nauth sufficient pam_unix.so\nauth [default=die] pam_faillock.so": "pam_faillock.so",
		"auth required pam_tally2.so deny=3\n":                                                                   "pam_tally2.so",
	} {
		if got := strings.Join(countersIn([]byte(stack)), " "); got != want {
			t.Errorf("%q counts failures by %q, want %q", stack, got, want)
		}
	}
}

func TestDirectoryOf(t *testing.T) {
	const krb5 = "[libdefaults]\n default_realm = EXAMPLE.COM\n[realms]\n default_realm = no\n"
	const sssd = "[sssd]\ndomains = corp.example.com, other\n[domain/corp.example.com]\nid_provider = ad\nldap_default_authtok = secret\n"
	for name, test := range map[string]struct {
		krb5, sssd, ipa, samba string
		member                 bool
		domain, kind           string
	}{
		"nothing": {}, "realm only": {krb5: krb5}, "keytab": {krb5: krb5, member: true, domain: "example.com"},
		"sssd":     {krb5: krb5, sssd: sssd, member: true, domain: "corp.example.com", kind: "activeDirectory"},
		"freeipa":  {ipa: "[global]\nrealm = IPA.EXAMPLE\n", domain: "ipa.example", kind: "freeipa"},
		"winbind":  {samba: "[global]\n security = ADS\n realm = AD.EXAMPLE\n", domain: "ad.example", kind: "activeDirectory"},
		"not read": {member: true},
	} {
		d := directoryOf([]byte(test.krb5), []byte(test.sssd), []byte(test.ipa), []byte(test.samba), test.member)
		if d.GetName() != test.domain || d.GetKind() != test.kind || d == nil && test.member {
			t.Errorf("%s: %v, want %s %s", name, d, test.domain, test.kind)
		}
	}
}

func TestDomainOf(t *testing.T) {
	const two = "corp.example\tad\ttrue\tdc1.corp.example\nLab.Example\tldap\tfalse\t\n\tad\ttrue\t\nhalf\tad\n"
	for name, test := range map[string]struct{ known, said, want string }{
		"by its name":     {"lab.example", two, "lab.example ldap offline "},
		"the only one":    {"realm.example", "corp.example\tad\ttrue\tdc1.corp.example\n", "corp.example activeDirectory online dc1.corp.example"},
		"none of several": {"realm.example", two, "realm.example   "},
		"it did not say":  {"a.example", "a.example\tproxy\t\t\n", "a.example   "},
		"nothing":         {"a.example", "", "a.example   "},
	} {
		d := &constatv1.Directory{Name: set(test.known)}
		if domain, found := domainOf(d, parseDomains([]byte(test.said))); found {
			domain.merge(d)
		}
		if got := strings.Join([]string{d.GetName(), d.GetKind(), d.GetState(), d.GetServer()}, " "); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestLastRefusal(t *testing.T) {
	zone := time.FixedZone("", 2*3600)
	now := time.Date(2026, 5, 27, 10, 0, 0, 0, zone)
	for log, want := range map[string]string{
		"": "", "2026-05-27 09:59:00 -1765328347\n": "clockSkew", "2026-05-27 09:30:00 -1765328347\n": "", "2026-05-27 10:01:00 -1765328347\n": "",
		"2026-05-27 09:40:00 -1765328347\n2026-05-27 09:41:00 -1765328360\n": "preauthFailed", "2026-05-27 09:59:00 -1765328377\n": "other",
		"2026-05-27 09:59:00 -5\n": "", "2026-05-27 09:59:00 -1765328164": "unreachable", "-1765328347\n": "", "x -1765328347\n": "",
	} {
		if got := lastRefusal([]byte(log), zone, now); got != want {
			t.Errorf("%q: %q, want %q", log, got, want)
		}
	}
}

func TestTicketsElsewhere(t *testing.T) {
	for kept, want := range map[string]bool{"": false, "FILE:/tmp/krb5cc_%{uid}": false, "/tmp/krb5cc_%{euid}": false, "KEYRING:persistent:%{uid}": true, "KCM:": true, "FILE:/run/user/%{uid}/cc": true} {
		if got := ticketsElsewhere([]byte("[libdefaults]\n default_ccache_name = " + kept + "\n")); got != want {
			t.Errorf("%q: %v", kept, got)
		}
	}
}

func FuzzSignIn(f *testing.F) {
	f.Add("ann:x:1000:1000:Ann,,,:/home/ann:/bin/bash\n", "20000:0:90:7:30:20500")
	f.Add("NAME=ann\ncorp.example\tad\ttrue\tdc1\n", "2023-11-14 22:13:00 -1765328347\n")
	f.Add("[sssd]\ndomains = a\n", "deny = 5\nunlock_time = never")
	f.Fuzz(func(t *testing.T, a, b string) {
		for name, entry := range parsePasswd([]byte(a)) {
			if name == "" || name != entry.user {
				t.Errorf("%q: %+v", name, entry)
			}
		}
		if expires, mustChange, err := passwordAge(b); err != nil && (!expires.IsZero() || mustChange) {
			t.Errorf("%q: %v, %v and %v", b, expires, mustChange, err)
		}
		limits := parseFaillock([]byte(b))
		if limits.locked([]byte(a), time.Unix(1700000000, 0)) && len(a) < limits.deny*tallySize {
			t.Errorf("locked by %d bytes, and %d failures are allowed", len(a), limits.deny)
		}
		directoryOf([]byte(a), []byte(a), []byte(b), []byte(b), true)
		countersIn([]byte(a))
		for _, d := range parseDomains([]byte(a)) {
			d.merge(&constatv1.Directory{})
		}
		switch got := lastRefusal([]byte(b), time.UTC, time.Unix(1700000000, 0)); got {
		case "", "clockSkew", "keyExpired", "clientRevoked", "preauthFailed", "unreachable", "other":
		default:
			t.Errorf("%q: %q", b, got)
		}
		if strings.ContainsAny(signedInAs([]byte(a)), "\n") {
			t.Errorf("%q is signed in as two", a)
		}
	})
}
