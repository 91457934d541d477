package vm

import (
	"os"
	"path/filepath"
	"testing"
)

// newDesktop boots an HP on a cable, with a SATA disk that holds /srv.
func newDesktop(t *testing.T) *Machine {
	disk := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(disk, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(disk, 32<<20); err != nil {
		t.Fatal(err)
	}
	m := Boot(t, Hardware{
		BIOS: Brands["HP"], Files: guestFiles(t),
		// Two network cards at one hub: the second is the office's.
		Devices: []string{
			"-netdev", "hubport,id=n0,hubid=0", "-device", "e1000,netdev=n0,id=nic0,mac=00:1b:21:aa:bb:cc",
			"-netdev", "hubport,id=n1,hubid=0", "-device", "e1000,netdev=n1,id=nic1,mac=00:1b:21:aa:bb:cd",
			"-drive", "if=none,id=d0,format=raw,file=" + disk, "-device", "ide-hd,drive=d0,bus=ide.0,model=ST1000DM010,serial=ZN1X0001",
		},
	})
	m.Run(`modprobe -a e1000 ahci sd_mod ext4 sch_netem; await test -e /dev/sda; await ip link show eth1
mke2fs /dev/sda >/dev/null 2>&1; echo '/dev/sda /srv ext4 defaults 0 2' >/etc/fstab; mkdir -p /srv; mount -t ext4 /dev/sda /srv
bus; office; ip link set eth1 netns out; ip -n out link set eth1 up; ip -n out addr add 192.168.60.1/24 dev eth1; names
join eth0 192.168.60; await online`)
	return m
}

func TestLabDesktop(t *testing.T) {
	if !whole() {
		t.Skip("runs with make lab")
	}
	play(t, newDesktop(t), desktopRows)
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
	{"net-link-flapping", "internet", "the cable's contact comes and goes", func(m *Machine) {
		for range 14 {
			link(false)(m)
			link(true)(m)
		}
		rejoin(m)
	}, nothing, false},
}

// TestLabBrands boots a machine of every maker and wants its name to be told as
// people say it, from the table as that maker writes it.
func TestLabBrands(t *testing.T) {
	if !whole() {
		t.Skip("runs with make lab")
	}
	agent := Build(t, "constat/agent")
	for brand, bios := range Brands {
		t.Run(brand, func(t *testing.T) {
			m := Boot(t, Hardware{BIOS: bios, Files: map[string]string{"/usr/bin/constat-agent": agent}})
			m.Run("printf 'data: /var/lib/constat-agent\\n' >/etc/agent.yaml")
			s := facts(t, m, "root").GetHardware()
			equal(t, "brand", s.GetSystem().GetBrand(), brand)
			equal(t, "maker", s.GetSystem().GetManufacturer(), bios.Maker)
			equal(t, "model", s.GetSystem().GetModel(), bios.Model)
			equal(t, "serial", s.GetSystem().GetSerial(), bios.Serial)
			equal(t, "sku", s.GetSystem().GetSku(), bios.SKU)
			equal(t, "firmware", s.GetFirmware().GetVersion(), bios.FirmwareVersion)
		})
	}
}
