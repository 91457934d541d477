//go:build unix

package main

import (
	"fmt"
	"os"
	"syscall"
)

// becomeOwner gives the rights of root up for those of the account that the data
// belong to: what root wrote there, the service could not change any more.
func becomeOwner(dir string) error {
	info, err := os.Stat(dir)
	if err != nil || os.Geteuid() != 0 {
		return nil // the first start makes it
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	err = syscall.Setgroups(nil)
	if err == nil {
		err = syscall.Setgid(int(owner.Gid))
	}
	if err == nil {
		err = syscall.Setuid(int(owner.Uid))
	}
	if err != nil {
		return fmt.Errorf("becoming the owner of %s: %w", dir, err)
	}
	return nil
}

// ownerOf is the account that a directory belongs to; nobody where there is none.
func ownerOf(dir string) uint32 {
	if info, err := os.Stat(dir); err == nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok {
			return owner.Uid
		}
	}
	return nobody
}
