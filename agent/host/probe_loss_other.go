//go:build !linux

package host

import (
	"net"
	"time"
)

// saidAgain is not asked here: the time that a connect took tells.
func saidAgain(net.Conn) (n uint32, took time.Duration, known bool) { return 0, 0, false }

// signOfLife is not known here.
func signOfLife(net.Conn, time.Duration) (asked, answered bool) { return false, false }

// saidAgainByAll is not known here.
func saidAgainByAll() (n uint64, known bool) { return 0, false }
