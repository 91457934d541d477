package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// World is a small network in namespaces of its own:
//
//	pc (eth0) – switch (pc0, bridge, gw0) – gw (lan0, wan0) – inet (eth0)
//
// pc has the gateway as default route and name server. inet holds addresses in
// several prefixes, IPv4 and IPv6, on which tests serve what they like. All of
// it is gone when the test ends.
type World struct {
	Plan
	t    testing.TB
	name string
	dns  *exec.Cmd
	// own is a directory of a host's, and what it takes the place of.
	own map[string][2]string
	// filters counts the chains that were added.
	filters int
}

// The hosts of a world.
const (
	PC       = "pc"
	Switch   = "sw"
	Gateway  = "gw"
	Internet = "inet"
)

// Addresses of a plain world.
const (
	PCAddress      = "10.77.0.10"
	GatewayAddress = "10.77.0.1"
)

// A world's namespaces are named by the process that made them, and counted.
const worldPrefix = "constat-lab"

var (
	worlds atomic.Int32
	sweep  sync.Once
)

// NewWorld builds a healthy world without a name server, after the plain plan.
// It skips the test where namespaces cannot be made.
func NewWorld(t testing.TB) *World { return NewWorldAfter(t, Plain) }

// NewWorldAfter builds one after another plan.
func NewWorldAfter(t testing.TB, plan Plan) *World {
	t.Helper()
	Need(t, "root, to make network namespaces", os.Geteuid() == 0)
	_, err := exec.LookPath("ip")
	Need(t, "ip (package iproute2)", err == nil)
	sweep.Do(func() { removeLeftovers(t) })
	w := &World{Plan: plan, t: t, name: fmt.Sprintf("%s%d-%d", worldPrefix, os.Getpid(), worlds.Add(1))}
	t.Cleanup(w.remove)
	for _, host := range []string{PC, Switch, Gateway, Internet} {
		w.run("ip", "netns", "add", w.Namespace(host))
		// Duplicate address detection would make every address wait a second.
		w.Run(host, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
		w.IP(host, "link set lo up")
	}
	// What systemd sets on desktops: anyone may ping.
	w.Run(PC, "sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
	w.Run(Gateway, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
	w.IP(PC, "link add "+w.Adapter+" type veth peer name pc0 netns "+w.Namespace(Switch))
	w.IP(Gateway, "link add lan0 type veth peer name gw0 netns "+w.Namespace(Switch))
	w.IP(Gateway, "link add wan0 type veth peer name eth0 netns "+w.Namespace(Internet))
	w.IP(Switch, "link add br0 type bridge forward_delay 0", "link set br0 up",
		"link set pc0 master br0 up", "link set gw0 master br0 up")
	w.IP(PC, "link set "+w.Adapter+" up")
	w.IP(Gateway, "link set lan0 up", "link set wan0 up")
	w.IP(Internet, "link set eth0 up")
	resolver := w.Router.Addr()
	if w.Local.IsValid() {
		w.number4()
	} else {
		resolver = w.Router6.Addr()
	}
	if w.Local6.IsValid() {
		w.number6()
	} else {
		w.Run(PC, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
	}
	w.WriteFile(PC, "resolv.conf", "nameserver "+resolver.String()+"\n")
	w.WriteFile(PC, "hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n")
	return w
}

// The provider's link: only routers see it. And how a router calls itself in
// its advertisements.
const (
	wanAddress, wanNeighbour   = "203.0.113.1", "203.0.113.2"
	wanAddress6, wanNeighbour6 = "fd79::1", "fd79::2"
	routerLinkLocal            = "fe80::1"
)

func (w *World) number4() {
	w.IP(Gateway, "addr add "+w.Router.String()+" dev lan0", "addr add "+wanAddress+"/30 dev wan0", "route add default via "+wanNeighbour)
	w.IP(Internet, "addr add "+wanNeighbour+"/30 dev eth0", "route add "+w.Local.Masked().String()+" via "+wanAddress)
	for _, a := range w.Services {
		w.place(netip.MustParseAddr(a))
	}
	w.numberPC()
}

// numberPC gives the pc its IPv4 address and its default route.
func (w *World) numberPC() {
	lifetime, origin := "", ""
	if w.Leased {
		lifetime, origin = " valid_lft 86400 preferred_lft 86400", " proto dhcp"
	}
	w.IP(PC, "addr add "+w.Local.String()+" dev "+w.Adapter+lifetime,
		"route add default via "+w.Router.Addr().String()+" dev "+w.Adapter+origin)
}

// place gives the Internet's host an address.
func (w *World) place(a netip.Addr) {
	line := "addr add " + netip.PrefixFrom(a, a.BitLen()).String() + " dev lo"
	if a.Is6() {
		line += " nodad"
	}
	w.IP(Internet, line)
}

func (w *World) number6() {
	w.IP(Gateway, "addr add "+w.Router6.String()+" dev lan0 nodad", "addr add "+routerLinkLocal+"/64 dev lan0 nodad",
		"addr add "+wanAddress6+"/64 dev wan0 nodad", "-6 route add default via "+wanNeighbour6)
	w.IP(Internet, "addr add "+wanNeighbour6+"/64 dev eth0 nodad", "-6 route add "+w.Local6.Masked().String()+" via "+wanAddress6)
	for _, a := range w.Services6 {
		w.place(netip.MustParseAddr(a))
	}
	w.numberPC6()
}

// numberPC6 does the same for IPv6.
func (w *World) numberPC6() {
	lifetime, origin, router := "", "", w.Router6.Addr().String()
	if w.Leased {
		lifetime, origin, router = " valid_lft 86400 preferred_lft 14400", " proto ra", routerLinkLocal
	}
	w.IP(PC, "addr add "+w.Local6.String()+" dev "+w.Adapter+" nodad"+lifetime, "-6 route add default via "+router+" dev "+w.Adapter+origin)
}

// Namespace is the name of a host's namespace, for ip-netns(8).
func (w *World) Namespace(host string) string { return w.name + "-" + host }

// IP runs ip(8) on a host, once for each line of arguments.
func (w *World) IP(host string, lines ...string) {
	w.t.Helper()
	for _, line := range lines {
		w.run("ip", append([]string{"-n", w.Namespace(host)}, strings.Fields(line)...)...)
	}
}

// Run runs a command on a host and returns what it printed; its failure fails
// the test.
func (w *World) Run(host, name string, args ...string) string {
	w.t.Helper()
	return w.run("ip", append([]string{"netns", "exec", w.Namespace(host), name}, args...)...)
}

// Filter adds a chain with these nftables rules on a host. The family is inet,
// ip, ip6 or bridge; kind is filter or nat; the hook is input, forward, output
// or prerouting.
func (w *World) Filter(host, family, kind, hook string, rules ...string) {
	w.t.Helper()
	_, err := exec.LookPath("nft")
	Need(w.t, "nft (package nftables)", err == nil)
	priority := map[string]string{"filter": "0", "nat": "-100"}[kind]
	// A table of its own: what one chain accepts, another may still drop.
	w.filters++
	script := fmt.Sprintf("table %s filter%d {\n chain %s {\n  type %s hook %s priority %s;\n  %s\n }\n}\n",
		family, w.filters, hook, kind, hook, priority, strings.Join(rules, "\n  "))
	w.Run(host, "nft", script)
}

// Command prepares a command on a host, with the host's own view of /sys, of
// resolv.conf and of the hosts file.
func (w *World) Command(ctx context.Context, host, name string, args ...string) *exec.Cmd {
	if own := w.own[host]; own != [2]string{} {
		args = append([]string{"-c", `mount --bind "$1" "$2" && shift 2 && exec "$@"`, "sh", own[0], own[1], name}, args...)
		name = "sh"
	}
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", w.Namespace(host), name}, args...)...)
}

// Own gives the commands of a host a directory of their own in the place of one
// that all hosts would share, such as one of control sockets.
func (w *World) Own(host, dir string) {
	w.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.t.Fatal(err)
	}
	if w.own == nil {
		w.own = map[string][2]string{}
	}
	w.own[host] = [2]string{w.t.TempDir(), dir}
}

// WriteFile writes a file that takes the place of /etc/NAME on a host.
func (w *World) WriteFile(host, name, content string) {
	w.t.Helper()
	dir := w.etc(host)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *World) etc(host string) string { return filepath.Join("/etc/netns", w.Namespace(host)) }

// ServeDNS starts dnsmasq on a host, listening at these addresses, in place of
// the one before; what the options do not name does not exist.
func (w *World) ServeDNS(host string, addresses []string, options ...string) {
	w.t.Helper()
	_, err := exec.LookPath("dnsmasq")
	Need(w.t, "dnsmasq (package dnsmasq-base)", err == nil)
	args := append([]string{
		"--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-daemon", "--log-facility=-",
		"--pid-file=", "--user=root", "--bind-interfaces", "--listen-address=" + strings.Join(addresses, ","), "--local-ttl=60",
	}, options...)
	w.serveDNSBy(host, addresses[0], "dnsmasq", args...)
}

// serveDNSBy starts a name server in place of the one before, and waits until
// it takes connections at an address.
func (w *World) serveDNSBy(host, address, program string, args ...string) {
	w.t.Helper()
	w.stopDNS()
	w.dns = w.Command(context.Background(), host, program, args...)
	if err := w.dns.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.Await("an answer of "+program, func() error {
		conn, err := w.Dial(PC, "tcp", net.JoinHostPort(address, "53"))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

func (w *World) stopDNS() {
	if w.dns == nil {
		return
	}
	_ = w.dns.Process.Kill()
	_ = w.dns.Wait()
	w.dns = nil
}

// Listen opens a listener on a host; it can be served from any goroutine and is
// closed when the test ends.
func (w *World) Listen(host, address string) net.Listener {
	w.t.Helper()
	var l net.Listener
	// A listener that was closed a moment ago may still be about to be.
	w.Await("a listener on "+host+" at "+address, func() error {
		return w.inside(host, func() (err error) {
			l, err = net.Listen("tcp", address)
			return err
		})
	})
	w.t.Cleanup(func() { l.Close() })
	return l
}

// Dial connects from a host to an address literal.
func (w *World) Dial(host, network, address string) (net.Conn, error) {
	var conn net.Conn
	err := w.inside(host, func() (err error) {
		conn, err = net.DialTimeout(network, address, time.Second)
		return err
	})
	return conn, err
}

// inside calls do on a thread that is in the host's namespace. Sockets made by
// do stay in it; do must not start goroutines that make more.
func (w *World) inside(host string, do func() error) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and its
		// namespace with it.
		runtime.LockOSThread()
		done <- func() error {
			ns, err := os.Open(filepath.Join("/run/netns", w.Namespace(host)))
			if err != nil {
				return err
			}
			defer ns.Close()
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("entering the namespace of %s: %w", host, err)
			}
			return do()
		}()
	}()
	return <-done
}

// Await calls check until it returns nil, and fails the test when it does not
// in good time.
func (w *World) Await(what string, check func() error) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("waited %s for %s: %v", patience, what, err)
		}
		<-tick.C
	}
}

// AwaitLink waits until the kernel describes a host's link with these words,
// as ip-link(8) prints them.
func (w *World) AwaitLink(host, link, words string) {
	w.t.Helper()
	w.Await(link+" on "+host+" to be "+words, func() error {
		out := w.run("ip", "-n", w.Namespace(host), "link", "show", link)
		if !strings.Contains(out, words) {
			return errors.New(out)
		}
		return nil
	})
}

// removeLeftovers removes the worlds of test processes that were killed.
func removeLeftovers(t testing.TB) {
	names, err := filepath.Glob("/run/netns/" + worldPrefix + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		name = filepath.Base(name)
		maker, _, _ := strings.Cut(strings.TrimPrefix(name, worldPrefix), "-")
		if _, err := os.Stat("/proc/" + maker); err == nil || maker == "" {
			continue
		}
		pids, _ := exec.Command("ip", "netns", "pids", name).Output()
		for _, pid := range strings.Fields(string(pids)) {
			if n, err := strconv.Atoi(pid); err == nil {
				_ = unix.Kill(n, unix.SIGKILL)
			}
		}
		_ = exec.Command("ip", "netns", "del", name).Run()
		_ = os.RemoveAll(filepath.Join("/etc/netns", name))
	}
}

func (w *World) run(name string, args ...string) string {
	w.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// remove undoes all of the world. Errors are not fatal: a test may have failed
// half way up.
func (w *World) remove() {
	w.stopDNS()
	for _, host := range []string{PC, Switch, Gateway, Internet} {
		if out, err := exec.Command("ip", "netns", "del", w.Namespace(host)).CombinedOutput(); err != nil {
			w.t.Logf("removing %s: %v: %s", w.Namespace(host), err, out)
		}
		if err := os.RemoveAll(w.etc(host)); err != nil {
			w.t.Logf("removing %s: %v", w.etc(host), err)
		}
	}
}
