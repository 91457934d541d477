package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"
)

// rpm's packages are in an SQLite, ndb or Berkeley database, by the age of the
// distribution. Reading three formats here, or linking an engine, would be more
// than it is worth: rpm itself lists them, in a process of its own, and only
// after the database changed.
var (
	rpmDatabases = []string{
		"/usr/lib/sysimage/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/Packages.db", "/var/lib/rpm/rpmdb.sqlite", "/var/lib/rpm/Packages.db", "/var/lib/rpm/Packages",
	}
	rpmPrograms = []string{"/usr/bin/rpm", "/bin/rpm"}
)

// Limits of rpm's answer.
const (
	rpmTime   = 4 * time.Second
	maxRPMOut = 8 << 20
)

// rpmCache keeps rpm's last answer with the state of the database it came from.
var rpmCache struct {
	sync.Mutex
	stamp    string
	programs []rpmPackage
}

// rpms lists the packages of rpm, with the state of the database that they were
// found in; the error is fs.ErrNotExist where rpm keeps none.
func (r *reader) rpms(ctx context.Context) (programs []rpmPackage, stamp string, err error) {
	for _, name := range rpmDatabases {
		for _, file := range []string{name, name + "-wal"} {
			if info, err := r.stat(file); err == nil {
				stamp += stampOf(r.path(file), info)
			}
		}
	}
	if stamp == "" {
		return nil, "", fs.ErrNotExist
	}
	rpmCache.Lock()
	defer rpmCache.Unlock()
	if stamp == rpmCache.stamp {
		return rpmCache.programs, stamp, nil
	}
	for _, program := range rpmPrograms {
		if _, err := r.stat(program); err == nil {
			listing, err := listRPMs(ctx, r.path(program))
			if err != nil {
				return nil, "", err
			}
			rpmCache.stamp, rpmCache.programs = stamp, parseRPM(listing)
			return rpmCache.programs, stamp, nil
		}
	}
	return nil, "", fmt.Errorf("there is a database of rpm, and no rpm to read it: %w", errors.ErrUnsupported)
}

// listRPMs has rpm list its packages, within its time and size.
func listRPMs(ctx context.Context, program string) ([]byte, error) {
	q := rpmInquiry(program, "-qa", "--qf", rpmFormat)
	q.limit = rpmTime
	return q.answer(ctx)
}

// rpmInquiry has rpm answer within its size.
func rpmInquiry(program string, words ...string) inquiry {
	return inquiry{program: program, words: words, most: maxRPMOut, env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}}
}
