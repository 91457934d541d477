//go:build unix

package host

import "syscall"

// socketResults are our words for what connect(2) and sendto(2) return. EPERM
// and EACCES are this machine's packet filter.
var socketResults = map[syscall.Errno]string{
	syscall.ECONNREFUSED: "refused", syscall.ECONNRESET: "refused",
	syscall.ENETUNREACH: "unreachable", syscall.EHOSTUNREACH: "unreachable", syscall.ENETDOWN: "unreachable",
	syscall.EHOSTDOWN: "unreachable", syscall.EADDRNOTAVAIL: "unreachable",
	syscall.EPERM: "blocked", syscall.EACCES: "blocked",
	syscall.ETIMEDOUT: "timeout",
}
