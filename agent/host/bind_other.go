//go:build !linux

package host

import "syscall"

const bindsLinks = false

func boundTo(string) func(network, address string, c syscall.RawConn) error { return nil }
