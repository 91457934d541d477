package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// backend is one of the ways in which a remedy is done, by what keeps the
// address or the names of a machine.
type backend struct {
	verb, by string
	// packages are Debian's, beside what every machine has.
	packages []string
	// sets up the machine, and breaks what the verb is to mend.
	set, injure func(*premises)
	// says is what the half with the rights answers, mended succeeds when it is
	// whole again.
	says   string
	mended func(*premises) string
}

// addressless takes the address and the way from the machine's link, as somebody
// with root's rights and a slip of the hand does.
func addressless(o *premises) { o.sh(`ip addr flush dev "$1"`, o.Adapter) }

// wayless takes only the way.
func wayless(o *premises) { o.sh(`ip route flush table main exact default`) }

func addressed(*premises) string { return addressedScript }

const addressedScript = `ip -4 addr show dev eth0 | grep -q "inet 10.77.0.10/" && ip route show default | grep -q "via 10.77.0.1 dev eth0"`

var backends = []backend{
	{"renew-dhcp", "NetworkManager", networkManagerPackages, (*premises).managed, addressless, "NetworkManager asked for the address of eth0 anew", addressed},
	{"renew-dhcp", "NetworkManager", networkManagerPackages, (*premises).managed, wayless, "NetworkManager asked for the address of eth0 anew", addressed},
	{"renew-dhcp", "systemd-networkd", nil, (*premises).networked, addressless, "systemd-networkd asked for the address of eth0 anew", addressed},
	{"renew-dhcp", "systemd-networkd", nil, (*premises).networked, wayless, "systemd-networkd asked for the address of eth0 anew", addressed},
	{"renew-dhcp", "dhcpcd", []string{"dhcpcd-base"}, (*premises).configured, addressless, "dhcpcd asked for the address of eth0 anew", addressed},
	{"renew-dhcp", "dhcpcd", []string{"dhcpcd-base"}, (*premises).configured, wayless, "dhcpcd asked for the address of eth0 anew", addressed},
	{"renew-dhcp", "dhcpcd", []string{"dhcpcd-base"}, (*premises).configuredAll, addressless, "dhcpcd asked for the address of eth0 anew", addressed},
	{"renew-dhcp", "dhcpcd", []string{"dhcpcd-base"}, (*premises).configuredAll, wayless, "dhcpcd asked for the address of eth0 anew", addressed},
	{"renew-dhcp", "udhcpc", []string{"udhcpc"}, (*premises).busy, addressless, "udhcpc asked for the address of eth0 anew", addressed},
	{"renew-dhcp", "udhcpc", []string{"udhcpc"}, (*premises).busy, wayless, "udhcpc asked for the address of eth0 anew", addressed},
	{"flush-dns", "systemd-resolved", []string{"systemd-resolved"}, (*premises).resolvedNames, poisoned, "the cache was emptied of systemd-resolved", namedRightly},
	{"flush-dns", "nscd", []string{"nscd"}, (*premises).cached, poisoned, "the cache was emptied of nscd", namedRightly},
	{"flush-dns", "dnsmasq, by the bus", nil, (*premises).forwarded, poisoned, "the cache was emptied of dnsmasq", namedRightly},
	{"flush-dns", "dnsmasq", nil, (*premises).forwardedAlone, poisoned, "the cache was emptied of dnsmasq", namedRightly},
	{"flush-dns", "dnsmasq of NetworkManager", networkManagerPackages, (*premises).managedNames, poisoned, "the cache was emptied of dnsmasq", namedRightly},
	{"flush-dns", "nscd before dnsmasq", []string{"nscd"}, func(o *premises) { o.forwardedAlone(); o.cached() }, poisoned, "the cache was emptied of nscd, dnsmasq", namedRightly},
}

var networkManagerPackages = []string{"network-manager", "libnm0", "libndp0", "libteamdctl0", "libmm-glib0", "libnewt0.52"}

// served has a DHCP server give the machine its address, and takes the one that
// it has.
func (o *premises) served() {
	o.t.Helper()
	o.leaseFrom(Gateway, "lan0", o.Router.Addr().String(), "--dhcp-range="+o.Local.Addr().String()+","+o.Local.Addr().String()+",1h",
		"--dhcp-option=option:dns-server,"+o.dnsAddresses[0].String())
	o.sh(`ip addr flush dev "$1"`, o.Adapter)
	o.undo(`ip addr flush dev "$1"; ip addr replace "$2" dev "$1"; ip route replace default via "$3"`, o.Adapter, o.Local.String(), o.Router.Addr().String())
}

// managed has NetworkManager keep the machine's address.
func (o *premises) managed() {
	o.sh("printf '[main]\\nplugins=keyfile\\nno-auto-default=*\\n[keyfile]\\nunmanaged-devices=none\\n' >/etc/NetworkManager/NetworkManager.conf")
	o.manages()
}

func (o *premises) manages() {
	o.t.Helper()
	o.served()
	o.sh(`printf '[connection]\nid=lan\ntype=ethernet\ninterface-name=eth0\n[ipv4]\nmethod=auto\n[ipv6]\nmethod=ignore\n' >/etc/NetworkManager/system-connections/lan.nmconnection
chmod 600 /etc/NetworkManager/system-connections/lan.nmconnection
systemctl start NetworkManager.service`)
	o.undo("systemctl stop NetworkManager.service")
	o.awaitAddressed()
}

// networked has systemd-networkd keep it.
func (o *premises) networked() {
	o.served()
	o.sh(`rm -f /etc/systemd/system/systemd-networkd.service; mkdir -p /etc/systemd/network
printf '[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\nLinkLocalAddressing=no\n' >/etc/systemd/network/lan.network
systemctl daemon-reload; systemctl start systemd-networkd.service`)
	o.undo("systemctl stop systemd-networkd.socket systemd-networkd.service; rm /etc/systemd/network/lan.network")
	o.awaitAddressed()
}

// configured has dhcpcd keep it, the one of this link.
func (o *premises) configured() { o.configuredBy("-4 -q eth0", "-4 -x eth0") }

// configuredAll has the dhcpcd of all links keep it.
func (o *premises) configuredAll() { o.configuredBy("--nodev -q -b", "-x") }

func (o *premises) configuredBy(begin, end string) {
	o.t.Helper()
	o.served()
	// It sets what systemd sets on every system; the machine may not.
	o.Run(PC, "sysctl", "-qw", "net.ipv4.conf.all.promote_secondaries=1", "net.ipv4.conf."+o.Adapter+".promote_secondaries=1")
	o.sh("id dhcpcd >/dev/null 2>&1 || useradd --system --home-dir /usr/lib/dhcpcd --shell /bin/false dhcpcd; dhcpcd " + begin)
	o.undo("dhcpcd " + end)
	o.awaitAddressed()
}

// busy has busybox' client keep it.
func (o *premises) busy() {
	o.served()
	o.sh("udhcpc -i eth0 -p /run/udhcpc.eth0.pid -b >/dev/null 2>&1")
	o.undo("kill $(cat /run/udhcpc.eth0.pid)")
	o.awaitAddressed()
}

func (o *premises) awaitAddressed() {
	o.t.Helper()
	o.awaitLong("an address by DHCP", func() bool {
		_, err := o.machine.sh(addressedScript)
		return err == nil
	})
}

// poisoned has what keeps names remember what a name server said when it lied.
func poisoned(o *premises) {
	o.t.Helper()
	o.answerNames(0, answerAddress(netip.MustParseAddr("198.51.100.250")))
	o.t.Cleanup(func() { o.answerNames(0, answerTruly) })
	o.await(`getent ahostsv4 "$1" | grep -qF 198.51.100.250`, o.names[intranet])
	o.answerNames(0, answerTruly)
}

func namedRightly(o *premises) string {
	return "! getent ahostsv4 " + o.names[intranet] + " | grep -qF 198.51.100.250"
}

// asks has the machine ask a name server.
func (o *premises) asks(server string) {
	o.t.Helper()
	o.sh("cp /etc/resolv.conf /var/tmp/resolv.conf; echo nameserver $1 >/etc/resolv.conf", server)
	o.undo("cp /var/tmp/resolv.conf /etc/resolv.conf")
}

// resolvedNames has systemd-resolved keep names.
func (o *premises) resolvedNames() {
	o.sh(`rm -f /etc/systemd/system/systemd-resolved.service; printf '[Resolve]\nDNS=%s\nDomains=~.\nDNSSEC=no\nLLMNR=no\nMulticastDNS=no\n' "$1" >/etc/systemd/resolved.conf
systemctl daemon-reload; systemctl start systemd-resolved.service`, o.dnsAddresses[0].String())
	o.undo("systemctl stop systemd-resolved.service; ln -s /dev/null /etc/systemd/system/systemd-resolved.service; systemctl daemon-reload")
	o.asks("127.0.0.53")
}

// cached has nscd keep them.
func (o *premises) cached() {
	o.sh("mkdir -p /var/cache/nscd; rm -f /var/cache/nscd/*; systemd-tmpfiles --create nscd.conf; systemctl start nscd.service")
	o.undo("systemctl stop nscd.service")
}

// forwarded has dnsmasq keep them, which anybody may tell by the system bus.
func (o *premises) forwarded() { o.forwards("--enable-dbus") }

// forwardedAlone has a dnsmasq keep them that only its own signal reaches.
func (o *premises) forwardedAlone() { o.forwards() }

// forwards starts dnsmasq as Debian does: a service, with an account of its own.
func (o *premises) forwards(options ...string) {
	o.t.Helper()
	o.sh(`id dnsmasq >/dev/null 2>&1 || useradd --system -g nogroup dnsmasq
cat >/etc/systemd/system/dnsmasq.service <<END
[Unit]
Description=dnsmasq
[Service]
Type=forking
RuntimeDirectory=dnsmasq
PIDFile=/run/dnsmasq/dnsmasq.pid
ExecStart=/usr/sbin/dnsmasq --conf-file=/dev/null --no-hosts --no-resolv --server=$1 --listen-address=127.0.0.9 --bind-interfaces --user=dnsmasq --pid-file=/run/dnsmasq/dnsmasq.pid $2
END
systemctl daemon-reload; systemctl start dnsmasq.service`, o.dnsAddresses[0].String(), strings.Join(options, " "))
	o.undo("systemctl stop dnsmasq.service; rm /etc/systemd/system/dnsmasq.service; systemctl daemon-reload")
	o.asks("127.0.0.9")
}

// managedNames has the dnsmasq of NetworkManager keep them.
func (o *premises) managedNames() {
	o.sh("printf '[main]\\nplugins=keyfile\\ndns=dnsmasq\\nrc-manager=unmanaged\\nno-auto-default=*\\n[keyfile]\\nunmanaged-devices=none\\n' >/etc/NetworkManager/NetworkManager.conf")
	o.manages()
	o.asks("127.0.0.1")
}

// asPrivileged asks the half with the rights, in its own unit, as the other half
// does.
func (o *premises) asPrivileged(verb, argument string) (said, class string) {
	o.t.Helper()
	conn, err := net.Dial("unix", o.machine.Path("/run/constat-agent-privileged.sock"))
	if err != nil {
		o.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	if err := json.NewEncoder(conn).Encode(map[string]any{"number": 1, "verb": verb, "argument": argument}); err != nil {
		o.t.Fatal(err)
	}
	var answer struct {
		Length        int
		Class, Reason string
	}
	in := bufio.NewReader(conn)
	head, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(head, &answer)
	}
	content := make([]byte, max(0, answer.Length))
	if err == nil {
		_, err = io.ReadFull(in, content)
	}
	if err != nil {
		o.t.Fatalf("%s %s: %v", verb, argument, err)
	}
	return string(content) + answer.Reason, answer.Class
}

// TestLabBackends has remedies done by each of the services that may keep a
// machine's address or its names, by the half with the rights in its own unit.
// BACKEND=name takes those only.
func TestLabBackends(t *testing.T) {
	Need(t, "root, to make a machine of namespaces", os.Geteuid() == 0)
	o := newPremises(t, buildAgent(t), rand.New(rand.NewPCG(4, 6)), nil)
	o.sh("mkdir -p /etc/constat-agent; sed '/^data:/d' /etc/constat.yaml >/etc/constat-agent/agent.yaml; constat-agent service install --config /etc/constat-agent/agent.yaml; systemctl start constat-agent-privileged.socket")
	for i, b := range backends {
		if only := os.Getenv("BACKEND"); only != "" && !strings.Contains(b.by, only) {
			continue
		}
		t.Run(fmt.Sprintf("%s/%s/%d", b.verb, b.by, i), func(t *testing.T) {
			outer, world, machine := o.t, o.World.t, o.machine.t
			o.t, o.World.t, o.machine.t = t, t, t
			defer func() { o.t, o.World.t, o.machine.t = outer, world, machine }()
			if len(b.packages) > 0 {
				o.machine.Install(b.packages...)
			}
			b.set(o)
			b.injure(o)
			if out, err := o.machine.sh(b.mended(o)); err == nil {
				t.Fatalf("nothing is broken: %s", out)
			}
			argument := ""
			if b.verb == "renew-dhcp" {
				argument = o.Adapter
			}
			begun := time.Now()
			said, class := o.asPrivileged(b.verb, argument)
			if class != "" || !strings.Contains(said, b.says) {
				t.Errorf("%s %s: %s", b.verb, class, said)
			}
			if out, err := o.machine.sh(b.mended(o)); err != nil {
				t.Errorf("%s, and it is not mended: %v %s\n%s", said, err, out, o.machine.Sh("ip addr; ip route; journalctl -n 40 --no-pager"))
			}
			t.Logf("%s, after %d ms", said, time.Since(begun).Milliseconds())
		})
	}
}
