package host

import (
	"context"
	"errors"
	"net"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// watchLinks tells each change of a link that the kernel tells, until ctx ends. Where
// the kernel tells nothing, it ends at once.
func watchLinks(ctx context.Context, tell func(linkNews)) {
	c, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Groups: unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR})
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	defer c.Close()
	nameOf := func(index int) string {
		link, err := net.InterfaceByIndex(index)
		if err != nil {
			return ""
		}
		return link.Name
	}
	for {
		messages, err := c.Receive()
		if ctx.Err() != nil || err != nil && !errors.Is(err, unix.ENOBUFS) { // more was told than fits
			return
		}
		for _, m := range messages {
			if n, ok := parseLinkNews(uint16(m.Header.Type), m.Data, nameOf); ok {
				tell(n)
			}
		}
	}
}
