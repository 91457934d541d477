package host

import "syscall"

// socketResults are our words for Winsock's errors, by their numbers
// (Winsock2.h). WSAEACCES is this machine's packet filter.
var socketResults = map[syscall.Errno]string{
	10061: "refused", 10054: "refused",
	10051: "unreachable", 10065: "unreachable", 10050: "unreachable", 10064: "unreachable", 10049: "unreachable",
	10013: "blocked",
	10060: "timeout",
}
