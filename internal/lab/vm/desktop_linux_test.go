package vm

import "testing"

// newDesktop boots an HP on a cable, with a SATA disk that holds /srv.
func newDesktop(t *testing.T) *Machine {
	disk := sparse(t, 32<<20)
	m := Boot(t, Hardware{
		BIOS: Brands["HP"], Files: guestFiles(t),
		// Two network cards at one hub: the second is the office's. And two at
		// another, where there is nothing yet.
		Devices: []string{
			"-netdev", "hubport,id=n0,hubid=0", "-device", "e1000,netdev=n0,id=nic0,mac=00:1b:21:aa:bb:cc",
			"-netdev", "hubport,id=n1,hubid=0", "-device", "e1000,netdev=n1,id=nic1,mac=00:1b:21:aa:bb:cd",
			"-netdev", "hubport,id=n2,hubid=1", "-device", "e1000,netdev=n2,id=nic2,mac=00:1b:21:aa:bb:ce",
			"-netdev", "hubport,id=n3,hubid=1", "-device", "e1000,netdev=n3,id=nic3,mac=00:1b:21:aa:bb:cf",
			"-drive", "if=none,id=d0,format=raw,file=" + disk, "-device", "ide-hd,drive=d0,bus=ide.0,model=ST1000DM010,serial=ZN1X0001",
		},
	})
	m.Run(`modprobe -a e1000 ahci sd_mod ext4 sch_netem; await test -e /dev/sda; await ip link show eth3
mke2fs /dev/sda >/dev/null 2>&1; echo '/dev/sda /srv ext4 defaults 0 2' >/etc/fstab; mkdir -p /srv; mount -t ext4 /dev/sda /srv
bus; office; ip link set eth1 netns out; ip -n out link set eth1 up; ip -n out addr add 192.168.60.1/24 dev eth1; names
ip netns add elsewhere; ip link set eth3 netns elsewhere; ip -n elsewhere link set eth3 up; ip -n elsewhere addr add 172.20.10.1/28 dev eth3
echo 1 >$(readlink -f /sys/class/net/eth2/device)/remove
join eth0 192.168.60; await online`)
	return m
}

func TestLabDesktop(t *testing.T) {
	if !picked(desktopRows) {
		t.Skip("runs with make lab")
	}
	play(t, newDesktop, desktopRows)
}

// link is a step that plugs the machine's cable in or out.
func link(up bool) func(*Machine) {
	return func(m *Machine) {
		m.t.Helper()
		m.Command("set_link", map[string]any{"name": "nic0", "up": up})
		m.Run(map[bool]string{false: "await grep -q 0 /sys/class/net/eth0/carrier", true: "await grep -q 1 /sys/class/net/eth0/carrier"}[up])
	}
}

// rejoin is the step after which all works again.
var rejoin = sh("join eth0 192.168.60; await online")

// card is the network card's place on PCI, for steps.
const card = `for d in /sys/bus/pci/devices/*; do [ "$(cat $d/vendor):$(cat $d/device)" != 0x8086:0x100e ] || { nic=${d##*/}; break; }; done; `

var desktopRows = []row{
	{"", "internet", "a cable, and all answers", nothing, nothing, false},
	{"", "internet", "every answer takes 150 ms", sh("ip netns exec out /sbin/tc qdisc add dev eth1 root netem delay 150ms"),
		sh("ip netns exec out /sbin/tc qdisc del dev eth1 root"), false},
	{"net-link-no-carrier", "internet", "the cable is out of the network card", link(false), func(m *Machine) { link(true)(m); rejoin(m) }, false},
	{"net-adapter-disabled", "internet", "the network card is switched off", sh("ip link set eth0 down"), rejoin, false},
	{"net-adapter-driver-missing", "internet", "no driver is bound to the network card",
		sh(card + "echo $nic >/sys/bus/pci/drivers/e1000/unbind"), sh(card + "echo $nic >/sys/bus/pci/drivers/e1000/bind; await ip link show eth0; join eth0 192.168.60; await online"), false},
	{"net-dns-unreachable", "internet", "the name server is not running", sh("no_names"), sh("names; await online"), false},
	{"net-gateway-arp-unresolved", "internet", "the gateway is off, the switch is not",
		sh("ip -n out link set eth1 down; ip neigh flush all"), sh("ip -n out link set eth1 up; await online"), false},
	{"os-disk-full", "slow", "a disk is full to the last block", sh("dd if=/dev/zero of=/srv/fill bs=64k 2>/dev/null || true"), sh("rm /srv/fill"), false},
	{"net-wrong-interface-preferred", "internet", "a second cable is preferred, and its network leads nowhere", preferElsewhere(""), leaveElsewhere, false},
	{"net-wrong-interface-preferred", "internet", "a second cable is preferred, and its network leads nowhere; names are asked for at both",
		preferElsewhere("printf 'nameserver 172.20.10.1\nnameserver 192.168.60.1\n' >/etc/resolv.conf"), leaveElsewhere, false},
	{"", "internet", "a second cable, whose network leads nowhere, comes after the first", sh(second + `ip route add default via 172.20.10.1 dev $card metric 900`), leaveElsewhere, false},
	// The counts stay with the card, so what follows are more of them.
	{"net-link-flapping", "internet", "the cable's contact comes and goes", flap(14), nothing, false},
	{"net-link-flapping", "internet", "the cable's contact comes and goes, and is gone for the moment", func(m *Machine) {
		flap(6)(m)
		link(false)(m)
	}, func(m *Machine) { link(true)(m); rejoin(m) }, false},
}

// flap is a step in which a cable is pulled so many times.
func flap(times int) func(*Machine) {
	return func(m *Machine) {
		m.t.Helper()
		for range times {
			link(false)(m)
			link(true)(m)
		}
		rejoin(m)
	}
}

// second are words that put a second network card in, whose cable leads to a
// network that leads nowhere. It is named in $card.
const second = `echo 1 >/sys/bus/pci/rescan
card_of() { card=''; for d in /sys/class/net/*; do [ "$(cat $d/address)" != 00:1b:21:aa:bb:ce ] || card=${d##*/}; done; [ -n "$card" ]; }
await card_of; card_of; ip link set $card up; ip addr replace 172.20.10.2/28 dev $card; await grep -q 1 /sys/class/net/$card/carrier
`

// preferElsewhere is a step that puts it in, with the better of two default
// routes.
func preferElsewhere(more string) func(*Machine) {
	return sh(second + `ip route del default; ip route add default via 172.20.10.1 dev $card metric 100; ip route add default via 192.168.60.1 dev eth0 metric 600
` + more)
}

var leaveElsewhere = sh(`for d in /sys/class/net/*; do [ "$(cat $d/address)" != 00:1b:21:aa:bb:ce ] || echo 1 >$(readlink -f $d/device)/remove; done
while ip route del default 2>/dev/null; do :; done; join eth0 192.168.60; await online`)
