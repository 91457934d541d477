package host

import (
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"constat/internal/lab"
)

// What a real server and libkrb5 say when they refuse, with the codes that SSSD
// logs of the same library.
func TestRefusalsOfKerberos(t *testing.T) {
	kdc := lab.StartKDC(t, "CORP.EXAMPLE")
	for _, query := range []string{
		"addprinc -pw secret ann", "addprinc -pw secret -allow_tix eve", "addprinc -pw secret -pwexpire 2020-01-01 old", "addprinc -pw secret -expire 2020-01-01 gone",
	} {
		kdc.Admin(t, query)
	}
	faketime, err := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	lab.Need(t, "libfaketime (Debian: faketime)", err == nil && len(faketime) > 0)
	code := regexp.MustCompile(`error from KDC: (-\d+)/`)
	for _, test := range []struct {
		user, password, want string
		environment          []string
	}{
		{"ann", "wrong", "preauthFailed", nil},
		{"ann", "secret", "clockSkew", []string{"LD_PRELOAD=" + faketime[0], "FAKETIME=+1h"}},
		{"eve", "secret", "clientRevoked", nil},
		{"old", "secret", "keyExpired", nil},
		{"gone", "secret", "other", nil},
		{"nobody", "secret", "other", nil},
	} {
		trace, err := kdc.Kinit(test.user, test.password, "FILE:"+filepath.Join(t.TempDir(), "cache"), test.environment...)
		codes := code.FindAllStringSubmatch(trace, -1)
		if err == nil || len(codes) == 0 {
			t.Errorf("%s with %s was not refused by the server: %v\n%s", test.user, test.password, err, trace)
			continue
		}
		refused := -1
		for _, c := range codes { // the first may be that it wants a proof, and one for a new password may follow
			if n, err := strconv.Atoi(c[1]); err == nil && n != krb5Errors+25 {
				refused = n
				break
			}
		}
		if got := refusalOf(refused); got != test.want {
			t.Errorf("%s with %s: %d is %q, want %q: %v", test.user, test.password, refused, got, test.want, err)
		}
	}
}
