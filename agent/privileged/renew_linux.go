package privileged

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// dhcpClient is the unit's name of a client that stays.
const dhcpClient = "dhclient"

// Limits of a renewal.
const (
	renewTime = 15 * time.Second
	stopTime  = 5 * time.Second
	wayTime   = 3 * time.Second
)

// renewLease has whoever keeps a link's address ask for it anew. Nothing of its
// settings changes; a link without a DHCP client is refused.
func renewLease(ctx context.Context, link string) ([]byte, error) {
	if !linkForm().MatchString(link) {
		return nil, errors.New(`the argument must be the name of a link, "eth0"`)
	}
	on, err := net.InterfaceByName(link)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", link, fs.ErrNotExist)
	}
	by, thorough, err := renewBy(ctx, on)
	if err != nil {
		return nil, err
	}
	if whole := awaitAddress(ctx, on, thorough != nil); !whole && thorough != nil {
		// It has its lease still, and takes for granted what is gone.
		if err := thorough(); err != nil {
			return nil, err
		}
		awaitAddress(ctx, on, false)
	}
	return []byte(by + " asked for the address of " + link + " anew"), nil
}

// awaitAddress waits until a link has an address and a way out, and tells whether
// it has. The way comes after the address, where the network gives one; who only
// renews is quick.
func awaitAddress(ctx context.Context, on *net.Interface, quick bool) bool {
	limit := renewTime
	if quick {
		limit = wayTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if !until(ctx, func() bool { return hasAddress(on) }) {
		return false
	}
	way, stop := context.WithTimeout(ctx, wayTime)
	defer stop()
	return until(way, func() bool { return hasDefault(on.Name) })
}

// hasAddress tells whether a link has an IPv4 address that a network gave.
func hasAddress(on *net.Interface) bool {
	addresses, err := on.Addrs()
	return err == nil && slices.ContainsFunc(addresses, func(a net.Addr) bool {
		prefix, ok := a.(*net.IPNet)
		return ok && prefix.IP.To4() != nil && prefix.IP.IsGlobalUnicast()
	})
}

// hasDefault tells whether a link leads everywhere (proc(5), /proc/net/route).
func hasDefault(link string) bool {
	routes, err := os.ReadFile("/proc/self/net/route")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(routes)) {
		if words := strings.Fields(line); len(words) > 2 && words[0] == link && words[1] == "00000000" {
			return true
		}
	}
	return false
}

// renewBy has it renewed by whom it tells. What renews a lease that is valid may
// leave alone what somebody took away; thorough, where there is it, begins anew.
func renewBy(ctx context.Context, on *net.Interface) (by string, thorough func() error, err error) {
	if conn, err := bus(ctx); err == nil {
		defer conn.Close()
		var device dbus.ObjectPath
		if runs(ctx, conn, networkManager) && call(ctx, conn, networkManager, networkManagerAt, networkManager+".GetDeviceByIpIface", on.Name).Store(&device) == nil {
			managed, err := property[bool](ctx, conn, networkManager, device, networkManager+".Device", "Managed")
			if err == nil && managed {
				// Reapplying what is in force begins DHCP anew and leaves the link up.
				err := call(ctx, conn, networkManager, string(device), networkManager+".Device.Reapply", map[string]map[string]dbus.Variant{}, uint64(0), uint32(0)).Err
				return "NetworkManager", nil, err
			}
		}
		if runs(ctx, conn, networkd) {
			err := call(ctx, conn, networkd, "/org/freedesktop/network1", networkd+".Manager.RenewLink", int32(on.Index)).Err
			var refused dbus.Error
			switch {
			case err == nil:
				return "systemd-networkd", func() error { return reconfigure(ctx, on) }, nil
			case errors.As(err, &refused) && strings.HasSuffix(refused.Name, ".NoSuchLink"), errors.As(err, &refused) && strings.HasSuffix(refused.Name, ".LinkNotManaged"):
			case errors.As(err, &refused) && refused.Name == "org.freedesktop.network1.DHCPNotRunning":
			default:
				return "", nil, err
			}
		}
	}
	for _, client := range dhcpClients(on.Name) {
		switch client.program {
		case "udhcpc":
			// Its requests to renew, and to give the lease back (udhcpc's usage).
			return "udhcpc", func() error {
				return errors.Join(syscall.Kill(client.pid, syscall.SIGUSR2), syscall.Kill(client.pid, syscall.SIGUSR1))
			}, syscall.Kill(client.pid, syscall.SIGUSR1)
		case "dhcpcd":
			program, err := firstOf("/usr/sbin/dhcpcd", "/sbin/dhcpcd")
			if err != nil {
				return "", nil, err
			}
			// Its control socket may drop a command without a word (version 9.4: "cannot
			// handle another client"); the signal says the same for all its links.
			return "dhcpcd", func() error { return hangUp(ctx, on.Name) },
				outside(ctx, renewTime, "dhcpcd", slices.Concat([]string{program}, client.family, []string{"--rebind", on.Name})...)
		case "dhclient":
			return "dhclient", nil, restartClient(ctx, client, on.Name)
		}
	}
	return "", nil, fmt.Errorf("no DHCP client keeps the address of %s: it was set by hand: %w", on.Name, fs.ErrNotExist)
}

// hangUp sends SIGHUP to the dhcpcd of a link, which rebinds for it. It runs as
// another user, and this process may signal only its own.
func hangUp(ctx context.Context, link string) error {
	program, err := firstOf("/usr/bin/kill", "/bin/kill")
	if err != nil {
		return err
	}
	for _, client := range dhcpClients(link) {
		if client.program == "dhcpcd" {
			return outside(ctx, stopTime, "dhcpcd", program, "-HUP", strconv.Itoa(client.pid))
		}
	}
	return errors.New("dhcpcd ended meanwhile")
}

// reconfigure has systemd-networkd set a link up anew, as it is configured.
func reconfigure(ctx context.Context, on *net.Interface) error {
	conn, err := bus(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return call(ctx, conn, networkd, "/org/freedesktop/network1", networkd+".Manager.ReconfigureLink", int32(on.Index)).Err
}

// client is a running DHCP client.
type client struct {
	pid                int
	program            string
	pidFile, leaseFile string
	// family is the flag by which dhcpcd knows which of its processes is meant.
	family []string
}

// leasePlaces are where distributions have a client's files.
var leasePlaces = form(`^/(run|var/run|var/lib/dhcp|var/lib/dhclient|var/lib/NetworkManager)/[A-Za-z0-9._:@/-]{1,100}$`)

// dhcpClients are the clients of a link in this network, by what they were
// started with.
func dhcpClients(link string) []client {
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return nil
	}
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil
	}
	var found []client
	for _, name := range entries {
		content, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		words := strings.Split(string(bytes.TrimRight(content, "\x00")), "\x00")
		c, keeps := clientOf(words, link)
		if !keeps {
			continue
		}
		if there, err := os.Readlink(filepath.Join(filepath.Dir(name), "ns/net")); err != nil || there != here {
			continue
		}
		c.pid, err = strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			continue
		}
		found = append(found, c)
	}
	return found
}

// titleForm is what dhcpcd since version 7 calls itself: the one of a link, or of
// all, with the families that it was started for. Its helpers have other titles.
var titleForm = form(`^dhcpcd: (?:([^ \[\]]+)|\[(?:master|manager)\])((?: \[ip[46]\])+)$`)

// clientOf reads the words of a process; false: it keeps no address of the link.
func clientOf(words []string, link string) (client, bool) {
	if title := titleForm().FindStringSubmatch(strings.TrimSpace(strings.Join(words, " "))); title != nil {
		c := client{program: "dhcpcd"}
		if title[1] != "" && title[2] == " [ip4]" {
			c.family = []string{"-4"}
		}
		return c, (title[1] == "" || title[1] == link) && strings.Contains(title[2], "[ip4]")
	}
	c := client{program: filepath.Base(words[0])}
	if !slices.Contains([]string{"dhclient", "dhcpcd", "udhcpc"}, c.program) || !slices.Contains(words[1:], link) && len(words) > 1 {
		return c, false
	}
	for i, word := range words[:len(words)-1] {
		switch next := words[i+1]; word {
		case "-pf":
			c.pidFile = next
		case "-lf":
			c.leaseFile = next
		}
	}
	return c, true
}

// restartClient ends dhclient without giving its lease back and starts it again
// in the same place: it has no other way to ask anew (dhclient(8)). The address
// stays until the answer.
func restartClient(ctx context.Context, c client, link string) error {
	program, err := firstOf("/usr/sbin/dhclient", "/sbin/dhclient")
	if err != nil {
		return err
	}
	command := []string{program, "-4", "-nw"}
	for flag, file := range map[string]string{"-pf": c.pidFile, "-lf": c.leaseFile} {
		if file == "" {
			continue
		}
		if !leasePlaces().MatchString(file) || strings.Contains(file, "..") {
			return fmt.Errorf("dhclient keeps its files at %s, where none is expected: %w", file, fs.ErrPermission)
		}
		command = append(command, flag, file)
	}
	if err := syscall.Kill(c.pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("ending dhclient: %w", err)
	}
	ending, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	if !until(ending, func() bool { return syscall.Kill(c.pid, 0) != nil }) {
		return errors.New("dhclient does not end")
	}
	return outside(ctx, renewTime, dhcpClient, append(command, link)...)
}

// firstOf is the first of these programs that there is.
func firstOf(programs ...string) (string, error) {
	var err error
	for _, program := range programs {
		if _, err = os.Stat(program); err == nil {
			return program, nil
		}
	}
	return "", err
}
