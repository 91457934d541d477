package privileged

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Limits of the files that keep tickets: of one, and of how many of a user.
const (
	maxTickets = 1 << 20
	maxCaches  = 16
)

// ticketEnd returns until when a user, the argument by its number, has a ticket
// that gets further ones: seconds since 1970; and, behind a space, how many
// seconds the clock of the server that gave it was ahead of this machine's, where
// the file of a ticket of the last day says so. It looks where libkrb5 and SSSD
// keep tickets in files unless told otherwise. Tickets and their keys stay here.
func ticketEnd(_ context.Context, user string) ([]byte, error) {
	return ticketEndIn("/tmp", user)
}

func ticketEndIn(dir, user string) ([]byte, error) {
	uid, err := strconv.ParseUint(user, 10, 32)
	if err != nil {
		return nil, errors.New("the argument must be a user's number")
	}
	base := filepath.Join(dir, fmt.Sprintf("krb5cc_%d", uid))
	more, _ := filepath.Glob(base + "_*") // the pattern is well formed
	var last ticket
	var failed error
	for _, name := range append([]string{base}, more[:min(len(more), maxCaches)]...) {
		one, err := ticketIn(name, uint32(uid))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = err
		}
		if one.end.After(last.end) {
			last = one
		}
	}
	switch {
	case last.ahead != nil:
		return fmt.Appendf(nil, "%d %.6f", last.end.Unix(), *last.ahead), nil
	case !last.end.IsZero():
		return fmt.Appendf(nil, "%d", last.end.Unix()), nil
	case failed != nil:
		return nil, failed
	}
	return nil, fmt.Errorf("no file of tickets: %w", os.ErrNotExist)
}

// ticket is until when one is good, and by how many seconds the clock of its
// server was ahead when it was got; nil where that is not known, or long ago.
type ticket struct {
	end   time.Time
	ahead *float64
}

// ticketIn reads one file of tickets, which must be the user's own.
func ticketIn(name string, uid uint32) (ticket, error) {
	f, info, err := openPlain(name)
	if err != nil {
		return ticket{}, err
	}
	defer f.Close()
	if s, ok := info.Sys().(*syscall.Stat_t); !ok || s.Uid != uid {
		return ticket{}, fmt.Errorf("%s is not the user's own", name)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxTickets+1))
	defer clear(content) // no key stays in memory longer than needed
	if err != nil {
		return ticket{}, err
	}
	if len(content) > maxTickets {
		return ticket{}, fmt.Errorf("%s is larger than %d bytes", name, maxTickets)
	}
	one, err := parseTickets(content)
	if age := time.Since(info.ModTime()); age > 24*time.Hour || age < -time.Hour {
		one.ahead = nil
	}
	return one, err
}

// errTickets says that a file of tickets is not as version 4 of its format.
var errTickets = errors.New("no tickets in a format that is understood")

// ticketFile reads version 4 of MIT Kerberos's file of tickets, whose numbers are
// big endian. Past the end all is zero, and bad is set.
type ticketFile struct {
	rest []byte
	bad  bool
}

func (t *ticketFile) take(n uint32) []byte {
	if t.bad || uint64(n) > uint64(len(t.rest)) {
		t.bad = true
		return nil
	}
	var b []byte
	b, t.rest = t.rest[:n], t.rest[n:]
	return b
}

func (t *ticketFile) word() uint16 {
	if b := t.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (t *ticketFile) number() uint32 {
	if b := t.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// principal returns a realm, and the first two parts of the name in it.
func (t *ticketFile) principal() (realm, first, second string) {
	t.number() // its type
	count := t.number()
	realm = string(t.take(t.number()))
	for i := uint32(0); i < count && !t.bad; i++ {
		part := t.take(t.number())
		switch i {
		case 0:
			first = string(part)
		case 1:
			second = string(part)
		}
	}
	return realm, first, second
}

// typed passes over a list of addresses or of authorisations.
func (t *ticketFile) typed() {
	for count := t.number(); count > 0 && !t.bad; count-- {
		t.word()
		t.take(t.number())
	}
}

// serverClock finds, in the tags of a file's header, how far the server's clock
// was ahead: DeltaTime, seconds and microseconds (web.mit.edu/kerberos,
// "Credential cache file format").
func serverClock(tags []byte) *float64 {
	const deltaTime = 1
	for len(tags) >= 4 {
		kind, size := binary.BigEndian.Uint16(tags), int(binary.BigEndian.Uint16(tags[2:]))
		if tags = tags[4:]; size > len(tags) {
			return nil
		}
		if kind == deltaTime && size == 8 {
			ahead := float64(int32(binary.BigEndian.Uint32(tags))) + float64(int32(binary.BigEndian.Uint32(tags[4:])))/1e6
			return &ahead
		}
		tags = tags[size:]
	}
	return nil
}

// parseTickets tells until when the ticket that gets further ones in the user's
// own realm is good. A file without one is an error: what can't be seen is not
// known.
func parseTickets(content []byte) (ticket, error) {
	t := &ticketFile{rest: content}
	if t.word() != 0x0504 {
		return ticket{}, errTickets
	}
	ahead := serverClock(t.take(uint32(t.word())))
	own, _, _ := t.principal()
	var last uint32
	for len(t.rest) > 0 && !t.bad {
		t.principal() // whose
		realm, service, of := t.principal()
		t.word() // the key's kind
		t.take(t.number())
		t.take(8) // authenticated, good from
		end := t.number()
		t.take(4 + 1 + 4) // renewable until, for a user, flags
		t.typed()
		t.typed()
		t.take(t.number())
		t.take(t.number())
		if !t.bad && service == "krbtgt" && realm == own && of == own {
			last = max(last, end)
		}
	}
	if t.bad || last == 0 {
		return ticket{}, errTickets
	}
	return ticket{time.Unix(int64(last), 0), ahead}, nil
}
