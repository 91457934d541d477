package host

import "golang.org/x/sys/unix"

// echoOptions forbid fragments, whatever the kernel learned of the path, and have the
// socket told what routers say (ip(7), ipv6(7)): level, option, value, by family.
var echoOptions = map[int32][][3]int{
	4: {{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE}, {unix.IPPROTO_IP, unix.IP_RECVERR, 1}},
	6: {{unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE}, {unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1}},
}
