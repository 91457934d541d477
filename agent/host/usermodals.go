package host

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// Places in USER_INFO_3 on 64 bits, and of its flags those that tell of signing in
// (lmaccess.h).
const (
	userInfoSize       = 184
	userInfoAge        = 16
	userInfoFlags      = 40
	userInfoExpired    = 176
	userLockout        = 0x10
	userPasswordStays  = 0x10000
	userPasswordIsGone = 0x800000
)

// foreverAge is TIMEQ_FOREVER: passwords do not expire.
const foreverAge = 0xffffffff

// localAccount adds to an account of this machine itself what USER_INFO_3 tells;
// maxAge is how long a password lives, in seconds.
func localAccount(a *constatv1.Account, b winBuffer, maxAge uint32, now time.Time) {
	if len(b.data) < userInfoSize {
		return
	}
	flags := b.u32(userInfoFlags)
	a.Locked = set(flags&userLockout != 0)
	a.PasswordExpired = set(b.u32(userInfoExpired) != 0 || flags&userPasswordIsGone != 0)
	if flags&userPasswordStays == 0 && maxAge != foreverAge && maxAge != 0 && !a.GetPasswordExpired() {
		left := time.Duration(int64(maxAge)-int64(b.u32(userInfoAge))) * time.Second
		a.PasswordExpiresAt = timestamppb.New(now.Add(left).Truncate(time.Minute))
		if left <= 0 {
			a.PasswordExpired = set(true)
		}
	}
}

// temporaryProfile tells of a key of ProfileList whether the person works in a
// profile that goes when they sign out (State, userenv.h's PT_TEMPORARY as the
// profile service writes it: 0x800).
func temporaryProfile(key registryKey) *bool {
	const temporary = 0x800
	state := key.number("State")
	if state == nil {
		return nil
	}
	return set(*state&temporary != 0)
}

// Answers of the domain when it is asked about this machine's own account
// (I_NetLogonControl2, winerror.h).
const (
	trustNoServers = 1311 // ERROR_NO_LOGON_SERVERS
	trustNoDomain  = 1355 // ERROR_NO_SUCH_DOMAIN
)

// trustRefused are those that say that the domain does not take the machine's
// password any more: access denied, no account in its database, a wrong one, a
// trust that failed.
var trustRefused = []uint32{5, 1786, 1787, 1788, 1789}

// trust folds the state of the secure channel into facts.
func trust(d *constatv1.Directory, status uint32, server string) {
	switch status {
	case 0:
		d.TrustOk, d.State = set(true), set("online")
	case trustNoServers, trustNoDomain:
		d.State = set("offline")
	default:
		for _, refused := range trustRefused {
			if status == refused {
				d.TrustOk = set(false)
			}
		}
	}
	if server = strings.TrimLeft(server, `\`); server != "" {
		d.Server = &server
	}
}
