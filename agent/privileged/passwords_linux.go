package privileged

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// userName is what useradd(8) takes for a name, and the @ and backslash of
// accounts of a domain. None of them can end a field or line of a database.
var userName = form(`^[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,63}$`)

// dayField is a field of shadow(5) that counts days, or empty.
var dayField = form(`^-?[0-9]{0,9}$`)

// tallies is where pam_faillock(8) counts wrong passwords, unless it is told otherwise.
const tallies = "/run/faillock"

// failedSignIns returns the tally of a user's wrong passwords: when, and from where.
func failedSignIns(_ context.Context, user string) ([]byte, error) {
	return failedSignInsIn(tallies, user)
}

func failedSignInsIn(dir, user string) ([]byte, error) {
	if !userName().MatchString(user) {
		return nil, errors.New("the argument must be a user's name")
	}
	f, err := os.OpenFile(filepath.Join(dir, user), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const most = 64 << 10 // a thousand
	return io.ReadAll(io.LimitReader(f, most))
}

// passwordDays returns the days that limit a local user's password, as
// shadow(5) has them: "last change:minimum:maximum:warning:inactive:expiry".
// Nothing else of the line leaves this function.
func passwordDays(_ context.Context, user string) ([]byte, error) {
	return passwordDaysIn("/etc/shadow", user)
}

func passwordDaysIn(file, user string) ([]byte, error) {
	if !userName().MatchString(user) {
		return nil, errors.New("the argument must be a user's name")
	}
	shadow, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	defer clear(shadow) // no hash stays in memory longer than needed
	for line := range bytes.Lines(shadow) {
		rest, found := bytes.CutPrefix(line, []byte(user+":"))
		if !found {
			continue
		}
		_, rest, _ = bytes.Cut(rest, []byte(":")) // the hash
		days := strings.Split(strings.TrimSpace(string(rest)), ":")
		if len(days) < 6 {
			return nil, fmt.Errorf("the line of this user in %s is not complete", file)
		}
		for _, day := range days[:6] {
			if !dayField().MatchString(day) {
				return nil, fmt.Errorf("a day of this user in %s is no number", file)
			}
		}
		return []byte(strings.Join(days[:6], ":")), nil
	}
	return nil, fmt.Errorf("no local password of this user: %w", os.ErrNotExist)
}
