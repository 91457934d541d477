package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"constat/collector/store/query"
)

// argon2id as the OWASP Password Storage Cheat Sheet asks at least: 19 MiB, two
// passes, one lane. A stored hash names its own, so these can be raised.
const (
	passes   = 2
	memoryKB = 19 << 10
	lanes    = 1
	keySize  = 32
	saltSize = 16
)

// maxMemoryKB bounds what a stored hash may ask for, in KiB.
const maxMemoryKB = 64 << 10

// minPassword is the shortest password, in characters (NIST SP 800-63B); the
// longest is bounded so that hashing it costs nothing.
const (
	minPassword = 8
	maxPassword = 1024
)

// hashing bounds how many passwords are hashed at once: each takes 19 MiB.
var hashing = make(chan struct{}, max(2, runtime.NumCPU()))

// unknown is compared with when the name is not known, so that this takes as
// long as a wrong password.
const unknown = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// SetPassword gives the user a new password. It ends their one-time links, and by
// User.Credential their sessions.
func (a *Accounts) SetPassword(ctx context.Context, userID, password string) error {
	hash, err := a.hashPassword(ctx, password)
	if err != nil {
		return err
	}
	return a.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		changed, err := q.SetPassword(ctx, userID, hash)
		if err == nil && changed == 0 {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		return q.DeleteLinksOf(ctx, userID)
	})
}

// Authenticate gives the user of that name if the password is theirs, else
// ErrBadCredentials, with the same effort whether the name exists or not. After
// five failures of one name from one address (see From) each next one makes both
// wait, with ErrThrottled, from a second up to 15 minutes.
func (a *Accounts) Authenticate(ctx context.Context, name, password string) (User, error) {
	who := attempt{address: address(ctx)}
	if checkName(strings.TrimSpace(name)) == nil { // the others are nobody's, and of any length
		who.name = nameKey(name)
	}
	if err := a.throttle.begin(who, a.now()); err != nil {
		return User{}, err
	}
	u, err := a.Named(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return User{}, err
	}
	hash := unknown
	if err == nil {
		row, err := a.store.Read().UserByID(ctx, u.ID)
		if err != nil {
			return User{}, err
		}
		if strings.HasPrefix(row.Password, "$") { // else there is none yet, or none any more
			hash = row.Password
		}
	}
	right, err := matches(ctx, hash, password)
	if err != nil {
		return User{}, err
	}
	if !right || hash == unknown {
		return User{}, ErrBadCredentials
	}
	a.throttle.succeeded(who)
	return u, nil
}

// hashPassword checks the password's length and hashes it with a fresh salt.
func (a *Accounts) hashPassword(ctx context.Context, password string) (string, error) {
	if n := utf8.RuneCountInString(password); n < minPassword || len(password) > maxPassword {
		return "", invalid("a password has at least %d characters and at most %d bytes", minPassword, maxPassword)
	}
	salt := make([]byte, saltSize)
	rand.Read(salt)
	key, err := derive(ctx, password, salt, passes, memoryKB, lanes, keySize)
	if err != nil {
		return "", err
	}
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memoryKB, passes, lanes, encode(salt), encode(key)), nil
}

// matches tells whether the password is the one of the stored hash.
func matches(ctx context.Context, stored, password string) (bool, error) {
	if len(password) > maxPassword {
		password = "" // as wrong, and cheaper
	}
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errors.New("a stored password is of an unknown kind: set it anew")
	}
	var version int
	var memory, time uint32
	var threads uint8
	_, errVersion := fmt.Sscanf(parts[2], "v=%d", &version)
	_, errCosts := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &threads)
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	key, errKey := base64.RawStdEncoding.DecodeString(parts[5])
	if err := errors.Join(errVersion, errCosts, errSalt, errKey); err != nil ||
		version != argon2.Version || memory > maxMemoryKB || time < 1 || time > 16 || threads < 1 || len(key) != keySize {
		return false, errors.New("a stored password cannot be read: set it anew")
	}
	got, err := derive(ctx, password, salt, time, memory, threads, uint32(len(key)))
	return subtle.ConstantTimeCompare(got, key) == 1, err
}

// derive waits for its turn and hashes.
func derive(ctx context.Context, password string, salt []byte, time, memory uint32, threads uint8, size uint32) ([]byte, error) {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, time, memory, threads, size), nil
}
