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
	"os/exec"
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
	{"flush-dns", "dnsmasq of NetworkManager", networkManagerPackages, (*premises).managedNames, poisoned, "the cache was emptied of NetworkManager's dnsmasq", namedRightly},
	{"flush-dns", "nscd before dnsmasq", []string{"nscd"}, func(o *premises) { o.forwardedAlone(); o.cached() }, poisoned, "the cache was emptied of dnsmasq, nscd", namedRightly},
	{"repair-package", "apt", nil, (*premises).debianized, fileless, "apt installed lab-tool once more", filed},
	{"repair-package", "dnf", nil, (*premises).redHatted, fileless, "dnf installed lab-tool once more", filed},
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
	// Its dnsmasq outlives it, and holds its name on the bus until it is gone.
	o.undo(`systemctl stop NetworkManager.service
for p in $(ps -C dnsmasq -o pid=); do kill $p; timeout 20 tail --pid=$p -f /dev/null; done`)
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
	// It may not end by itself within its ten seconds, or end just after them.
	o.undo("dhcpcd " + end + " || pkill -KILL -x dhcpcd || ! pgrep -x dhcpcd")
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
		_, err := o.machine.Try(addressedScript)
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

// fileless takes a file of a package away.
func fileless(o *premises) { o.sh("rm /opt/lab-tool") }

func filed(*premises) string { return "grep -q whole /opt/lab-tool" }

// debianized has apt install a package from a source of its own.
func (o *premises) debianized() {
	o.sh(`d=/var/tmp/apt; mkdir -p $d/p/DEBIAN $d/p/opt /etc/apt/apt.conf.d /etc/apt/preferences.d /etc/apt/trusted.gpg.d /etc/apt/sources.list.d /var/lib/apt/lists/partial /var/cache/apt/archives/partial
printf 'Package: lab-tool\nVersion: 1.0\nArchitecture: all\nMaintainer: Lab <lab@lab.example>\nDescription: A tool\n' >$d/p/DEBIAN/control
echo whole >$d/p/opt/lab-tool
dpkg-deb --root-owner-group --build $d/p $d/lab-tool.deb >/dev/null
{ cat $d/p/DEBIAN/control; echo Filename: ./lab-tool.deb; echo Size: $(stat -c %s $d/lab-tool.deb); echo SHA256: $(sha256sum $d/lab-tool.deb | cut -d' ' -f1); } >$d/Packages
echo "deb [trusted=yes] file:$d ./" >/etc/apt/sources.list
apt-get -qq update; apt-get -qq -y install lab-tool >/dev/null`)
	o.undo("dpkg --purge lab-tool >/dev/null; rm -r /var/tmp/apt")
}

// redHatted has rpm keep the packages, and dnf install one.
func (o *premises) redHatted() {
	for _, program := range []string{"rpmbuild", "createrepo_c", "dnf"} {
		_, err := exec.LookPath(program)
		Need(o.t, program+" (Debian: rpm createrepo-c dnf)", err == nil)
	}
	o.sh(`mv /var/lib/dpkg/status /var/tmp/status
d=/var/tmp/rpm; mkdir -p $d /var/lib/rpm /etc/rpm /etc/dnf/vars /etc/yum.repos.d
echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros; echo 1 >/etc/dnf/vars/releasever; printf '[main]\ngpgcheck=0\n' >/etc/dnf/dnf.conf
cat >$d/lab-tool.spec <<'END'
Name: lab-tool
Version: 1.0
Release: 1
Summary: A tool
License: none
BuildArch: noarch
%description
A tool
%install
mkdir -p %{buildroot}/opt
echo whole >%{buildroot}/opt/lab-tool
%files
/opt/lab-tool
END
export HOME=$d; rpmbuild -bb --define "_topdir $d/top" --define "_rpmdir $d/repo" $d/lab-tool.spec >/dev/null 2>&1
createrepo_c -q $d/repo
printf '[lab]\nname=lab\nbaseurl=file://%s/repo\ngpgcheck=0\n' $d >/etc/yum.repos.d/lab.repo
dnf -q -y install lab-tool >/dev/null 2>&1`)
	o.undo("mv /var/tmp/status /var/lib/dpkg/status; rm -rf /opt/lab-tool /var/lib/rpm /var/tmp/rpm /etc/dnf /etc/yum.repos.d /etc/rpm")
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
	t.Parallel()
	Need(t, "root, to make a machine of namespaces", os.Geteuid() == 0)
	o := newPremises(t, buildAgent(t), rand.New(rand.NewPCG(4, 6)), nil)
	o.sh("mkdir -p /etc/constat-agent; sed '/^data:/d' /etc/constat.yaml >/etc/constat-agent/agent.yaml; constat-agent service install --config /etc/constat-agent/agent.yaml; systemctl start constat-agent-privileged.socket")
	seen := map[string]bool{}
	for i, b := range backends {
		way := b.verb + " " + b.by
		if seen[way] && os.Getenv("CONSTAT_LAB") != "whole" {
			continue // another injury of the same way
		}
		seen[way] = true
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
			if out, err := o.machine.Try(b.mended(o)); err == nil {
				t.Fatalf("nothing is broken: %s", out)
			}
			argument := map[string]string{"renew-dhcp": o.Adapter, "repair-package": "lab-tool"}[b.verb]
			begun := time.Now()
			said, class := o.asPrivileged(b.verb, argument)
			if class != "" || !strings.Contains(said, b.says) {
				t.Errorf("%s %s: %s", b.verb, class, said)
			}
			t.Logf("%s, after %d ms", said, time.Since(begun).Milliseconds())
			defer func() {
				if t.Failed() {
					t.Log(o.machine.Sh("ip addr; ip route; journalctl -n 40 --no-pager"))
				}
			}()
			o.await(b.mended(o)) // a signal has no answer: dnsmasq empties its cache a moment later
		})
	}
}
