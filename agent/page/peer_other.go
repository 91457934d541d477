//go:build !linux && !windows

package page

import "net"

// sameUser believes the token alone: who is at the other end of a connection is
// not asked on this system yet.
func sameUser(net.Conn) bool { return true }
