package lab

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// linkRecipes are faults of the link itself, and of what is told on it.
var linkRecipes = []recipe{
	{"net-link-flapping", "the cable's contact comes and goes", direct, func(s *scene) { s.flap() }},
	{"net-wrong-interface-preferred", "a second adapter is preferred, and its network leads nowhere", direct | with4, func(s *scene) {
		s.preferDeadEnd()
	}},
	{"net-packet-loss", "the switch loses three of ten frames", direct | rights, func(s *scene) {
		s.Filter(Switch, "bridge", "filter", "forward", "numgen random mod 10 < 3 drop")
	}},
	{"net-ipv6-broken", "another machine announces itself as the router, and leads nowhere", direct | with4 | with6, func(s *scene) {
		s.announceRouter()
	}},
}

// flap pulls the cable as often as a bad contact does, for how long this
// system has been up.
func (s *scene) flap() {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		s.t.Fatal(err)
	}
	uptime := time.Duration(info.Uptime) * time.Second
	times := 20 + int(uptime/(5*time.Minute))
	if times > 5000 {
		s.t.Skipf("this system has been up for %s: so many pulls take too long", uptime)
	}
	var script strings.Builder
	for range times {
		script.WriteString("link set pc0 down\nlink set pc0 up\n")
	}
	cmd := exec.Command("ip", "-n", s.Namespace(Switch), "-batch", "-")
	cmd.Stdin = strings.NewReader(script.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	s.AwaitLink(PC, s.Adapter, "state UP")
	s.awaitRouter()
}

// awaitRouter waits until the pc gets to its router again.
func (s *scene) awaitRouter() {
	s.Await("the router", func() error {
		if out, err := s.Command(s.t.Context(), PC, "ping", "-c1", "-W1", s.nearRouter().String()).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// preferDeadEnd gives the pc a second adapter in another network, whose router
// forwards nothing and whose default route is preferred, and returns that router.
func (s *scene) preferDeadEnd() (router string) {
	const name = "deadend"
	network := s.apart("172.20.10.0/28")
	near, far := nth(network, 2).String(), nth(network, 1)
	s.run("ip", "netns", "add", s.Namespace(name))
	s.t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", s.Namespace(name)).Run() })
	s.IP(name, "link add eth0 type veth peer name eth9 netns "+s.Namespace(PC), "link set eth0 up", "addr add "+far.String()+" dev eth0")
	s.flushDefaults("-4")
	s.flushDefaults("-6")
	s.IP(PC, "link set eth9 up", "addr add "+near+" dev eth9", "route add default via "+far.Addr().String()+" dev eth9 metric 100",
		"route add default via "+s.Router.Addr().String()+" dev "+s.Adapter+" metric 600")
	s.AwaitLink(PC, "eth9", "state UP")
	return far.Addr().String()
}

// announceRouter has another machine say that it is the IPv6 router. It
// announces a prefix of its own, and forwards nothing.
func (s *scene) announceRouter() {
	s.join("rogue", "fdbb:aa:1::1/64")
	s.flushDefaults("-6")
	s.Run(PC, "sysctl", "-qw", "net.ipv6.conf."+s.Adapter+".accept_ra=2")
	s.daemon("rogue", "router advertisement on", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--no-daemon", "--log-facility=-",
		"--log-dhcp", "--pid-file=", "--user=root", "--bind-interfaces", "--interface=eth0", "--dhcp-leasefile="+s.t.TempDir()+"/leases",
		"--enable-ra", "--ra-param=eth0,4,600", "--dhcp-range=fdbb:aa:1::,ra-only,64,1h")
	s.Await("the announced router", func() error {
		if out := s.Run(PC, "ip", "-6", "route", "show", "default"); !strings.Contains(out, "proto ra") {
			return errors.New(out)
		}
		return nil
	})
}
