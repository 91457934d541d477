//go:build unix

package host

import "syscall"

// socketResults are our words for what connect(2) and sendto(2) return. EPERM is
// this machine's packet filter; EACCES is an ICMPv6 message that forbids it
// (RFC 4443 3.1), which mostly comes from another.
var socketResults = map[syscall.Errno]string{
	syscall.ECONNREFUSED: "refused", syscall.ECONNRESET: "refused",
	syscall.ENETUNREACH: "unreachable", syscall.EHOSTUNREACH: "unreachable", syscall.ENETDOWN: "unreachable",
	syscall.EHOSTDOWN: "unreachable", syscall.EADDRNOTAVAIL: "unreachable",
	syscall.EACCES: "unreachable", syscall.EPERM: "blocked",
	syscall.ETIMEDOUT: "timeout",
}
