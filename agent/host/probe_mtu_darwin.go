package host

import "golang.org/x/sys/unix"

// echoOptions forbid fragments, so that what is larger than the link takes is refused,
// and have IPv4's header left out of what is read (ip(4), ip6(4)): level, option, value,
// by family. They were compiled, and never executed.
var echoOptions = map[int32][][3]int{
	4: {{unix.IPPROTO_IP, unix.IP_DONTFRAG, 1}, {unix.IPPROTO_IP, unix.IP_STRIPHDR, 1}},
	6: {{unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1}},
}
