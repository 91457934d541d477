package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// workstationPackages are what a workstation runs beyond the other machines:
// its firmware and TPM here, NetworkManager and resolved in it.
var workstationPackages = []string{
	"ovmf", "swtpm", "swtpm-libs", "libtpms0",
	"network-manager", "libnm0", "libndp0", "libteamdctl0", "libmm-glib0", "libnewt0.52",
	"wireguard-tools",
	"systemd-resolved", "libsystemd-shared", "libsystemd0",
}

// newWorkstation boots a Dell with UEFI and Secure Boot, a TPM, a screen, sound,
// a SATA disk and two network cards.
func newWorkstation(t *testing.T) *Machine {
	debian := needPackages(t, workstationPackages...)
	files := guestFiles(t)
	debian.into(t, files)
	for name, of := range map[string]string{"/usr/sbin/smartctl": "smartmontools", "/usr/share/misc/pci.ids": "pci.ids"} {
		_, err := os.Stat(name)
		lab.Need(t, name+" (Debian: "+of+")", err == nil)
		files[name] = name
		for _, l := range linked(name) {
			files[l] = l
		}
	}
	dir := t.TempDir()
	disk, variables := filepath.Join(dir, "disk"), filepath.Join(dir, "variables")
	content, err := os.ReadFile(debian.path("usr/share/OVMF/OVMF_VARS_4M.ms.fd"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{disk: make([]byte, 32<<20), variables: content} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Boot(t, Hardware{
		BIOS: Brands["Dell"], Files: files,
		Devices: []string{
			"-drive", "if=pflash,format=raw,readonly=on,file=" + debian.path("usr/share/OVMF/OVMF_CODE_4M.ms.fd"),
			"-drive", "if=pflash,format=raw,file=" + variables,
			"-chardev", "socket,id=tpm,path=" + startTPM(t, debian), "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-tis,tpmdev=tpm0",
			"-device", "virtio-vga,edid=on,xres=1920,yres=1080",
			"-audiodev", "none,id=sound", "-device", "intel-hda", "-device", "hda-duplex,audiodev=sound",
			"-drive", "if=none,id=d0,format=raw,file=" + disk, "-device", "ide-hd,drive=d0,bus=ide.0,model=ST1000DM010,serial=ZN1X0001",
			"-drive", "if=none,id=d1,file=null-co://,file.size=64M,format=raw", "-device", "virtio-scsi-pci,id=scsi", "-device", "scsi-hd,bus=scsi.0,drive=d1,vendor=SEAGATE,product=ST600MM0006,serial=S0M1X0002",
			"-netdev", "hubport,id=n0,hubid=0", "-device", "e1000,netdev=n0,id=nic0,mac=00:1b:21:aa:bb:cc",
			"-netdev", "hubport,id=n1,hubid=0", "-device", "e1000,netdev=n1,id=nic1,mac=00:1b:21:aa:bb:cd",
		},
	})
}

// startTPM starts a TPM 2.0 and returns its socket.
func startTPM(t *testing.T, debian unpacked) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tpm") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "socket")
	cmd := exec.Command(debian.path("usr/bin/swtpm"), "socket", "--tpm2", "--tpmstate", "dir="+dir, "--ctrl", "type=unixio,path="+socket, "--terminate")
	cmd.Env = append(os.Environ(), debian.libraries("usr/lib/x86_64-linux-gnu/swtpm"))
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(socket); err == nil {
			return socket
		}
		select {
		case <-ended:
			t.Fatalf("swtpm ended: %s", &said)
		case <-t.Context().Done():
			t.Fatal("swtpm does not listen")
		case <-tick.C:
		}
	}
}

func TestLabWorkstation(t *testing.T) {
	if !whole() {
		t.Skip("runs with make lab")
	}
	m := newWorkstation(t)
	for _, part := range []struct {
		name string
		look func(*testing.T, *Machine)
	}{{"hardware", workstationHardware}, {"managed", workstationManaged}, {"tunnel", workstationTunnel}} {
		t.Run(part.name, func(t *testing.T) {
			m.In(t)
			part.look(t, m)
		})
	}
}

// workstationHardware wants to see what is in the machine and plugged into it.
func workstationHardware(t *testing.T, m *Machine) {
	m.Run(`modprobe -a ahci sd_mod virtio_scsi virtio_gpu snd_hda_codec_generic snd_hda_intel tpm_tis tpm_crb efivarfs uinput evdev vivid e1000
mount -t efivarfs efivarfs /sys/firmware/efi/efivars
await test -e /dev/sda; await test -e /dev/sdb; await grep -q connected /sys/class/drm/card0-Virtual-1/status; await test -e /dev/snd/controlC0; await test -e /dev/uinput; await test -e /dev/video0
guest cover "Dell WMI hotkeys" >/tmp/cover.log 2>&1 &
await grep -q SW=200 /proc/bus/input/devices || { cat /tmp/cover.log /proc/bus/input/devices; exit 1; }`)
	s := factsOf(t, m, "workstation", "root")
	h := s.GetHardware()
	equal(t, "family", h.GetSystem().GetFamily(), "Latitude")
	equal(t, "uuid", h.GetSystem().GetUuid(), "4c4c4544-0042-4310-8031-c1c04f343233")
	equal(t, "board's serial", h.GetBaseboard().GetSerial(), "/ABC1234/CNWS20013S00A1/")
	equal(t, "firmware", h.GetFirmware().GetKind(), "uefi")
	equal(t, "Secure Boot", h.GetFirmware().GetSecureBoot(), true)
	module := find(h.GetMemoryModules(), func(m *constatv1.MemoryModule) bool { return strings.HasPrefix(m.GetLocator(), "DIMM A") })
	equal(t, "module's serial", module.GetSerial(), "1A2B3C4D")
	equal(t, "TPM", h.GetTpm().GetVersion(), "2.0")
	screen := find(h.GetMonitors(), func(m *constatv1.Monitor) bool { return m.GetConnector() == "Virtual-1" })
	equal(t, "screen", screen.GetModel(), "QEMU Monitor")
	equal(t, "screen's maker", screen.GetPnpId()+" "+screen.GetManufacturer(), "RHT Red Hat")
	equal(t, "screen's EDID", screen.GetConnected() && screen.GetEnabled() && screen.GetEdidRead() && screen.GetYear() > 2000, true)
	if g := h.GetGpus(); len(g) != 1 || g[0].GetDriver() == "" || g[0].Vendor == nil {
		t.Errorf("graphics adapter: %v", g)
	}
	disk := find(s.GetStorage().GetDisks(), func(d *constatv1.Disk) bool { return d.GetBus() == "sata" })
	equal(t, "SATA disk", disk.GetSerial(), "ZN1X0001")
	equal(t, "SMART passed", disk.GetSmartPassed(), true)
	equal(t, "reallocated sectors are told", disk.ReallocatedSectors != nil, true)
	other := find(s.GetStorage().GetDisks(), func(d *constatv1.Disk) bool { return d.GetModel() == "ST600MM0006" })
	equal(t, "SCSI disk's vendor", other.GetVendor(), "SEAGATE")
	if a := s.GetPeripherals().GetAudio(); len(a) != 2 || !a[0].GetMuted() || a[0].VolumePercent == nil {
		t.Errorf("sound, muted as the driver leaves it: %v", a)
	}
	if c := s.GetPeripherals().GetCameras(); len(c) != 1 || !c[0].GetCovered() {
		t.Errorf("camera behind its cover: %v", c)
	}
}

// manager are words that set NetworkManager up: with the office's Wi-Fi, names by
// what is named, and profile, start_manager and leased for what comes after.
func manager(names string) string {
	return fmt.Sprintf(`mkdir -p /etc/NetworkManager/system-connections /var/lib/NetworkManager
cat >/etc/NetworkManager/NetworkManager.conf <<'END'
[main]
plugins=keyfile
dhcp=internal
dns=%s
auth-polkit=false
[connectivity]
uri=http://page.example/success.txt
response=success
[keyfile]
unmanaged-devices=interface-name:dummy0
END
profile() { cat >/etc/NetworkManager/system-connections/$1.nmconnection; chmod 600 /etc/NetworkManager/system-connections/$1.nmconnection; }
profile CorpNet <<'END'
[connection]
id=CorpNet
uuid=0f4a8a4e-52d2-4a39-9d2c-6d2b6f3a4b01
type=wifi
[wifi]
ssid=CorpNet
[wifi-security]
key-mgmt=wpa-psk
psk=correct-horse
[ipv4]
method=auto
[ipv6]
method=disabled
END
start_manager() {
  /sbin/wpa_supplicant -B -u -f /tmp/wpa.log
  # Where /sys can't be written it does not wait for udev, which is not here.
  unshare -m sh -c 'mount -o remount,bind,ro /sys && exec /usr/sbin/NetworkManager --debug' >/tmp/manager.log 2>&1 &
}
leased() { ip -4 addr show dev $1 | grep -q "$2"; }
`, names)
}

// workstationManaged wants to see what NetworkManager and systemd-resolved did
// and know: a cable with a lease, Wi-Fi, a link left alone, a VPN that is off.
func workstationManaged(t *testing.T, m *Machine) {
	m.Run(`modprobe mac80211_hwsim radios=2; modprobe dummy
printf 'systemd-resolve:x:101:101::/nonexistent:/bin/false\n' >>/etc/passwd; printf 'systemd-resolve:x:101:\n' >>/etc/group
await ip link show dummy0
await ip link show eth1; bus; office
ip link set eth1 netns out; ip -n out link set eth1 up; ip -n out addr add 192.168.60.1/24 dev eth1; names
iw phy phy0 set netns name out; access_point CorpNet correct-horse 6; ip -n out addr add 192.168.50.1/24 dev wlan0
ip netns exec out /usr/sbin/dnsmasq --conf-file=/dev/null --port=0 --user=root --pid-file=/tmp/dhcp.pid --dhcp-leasefile=/tmp/leases --dhcp-authoritative --no-ping \
  --dhcp-range=192.168.60.100,192.168.60.120,1h --dhcp-range=192.168.50.100,192.168.50.120,1h --dhcp-option=option:dns-server,192.168.60.1
` + manager("systemd-resolved") + `mkdir -p /run/systemd/netif
profile Branch <<'END'
[connection]
id=Branch
uuid=0f4a8a4e-52d2-4a39-9d2c-6d2b6f3a4b02
type=vpn
autoconnect=false
[vpn]
service-type=org.freedesktop.NetworkManager.openvpn
connection-type=tls
remote=vpn.example:1194
[ipv4]
method=auto
END
/lib/systemd/systemd-resolved >/tmp/resolved.log 2>&1 &
start_manager
await test -e /run/systemd/resolve/stub-resolv.conf || { cat /tmp/resolved.log; exit 1; }
ln -sf /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
await leased eth0 192.168.60. || { tail -60 /tmp/manager.log; exit 1; }
await leased wlan1 192.168.50. || { tail -40 /tmp/manager.log; tail /tmp/wpa.log; exit 1; }
full() { [ "$(nmcli networking connectivity check)" = full ]; }
await full || { nmcli networking connectivity; tail -60 /tmp/manager.log; exit 1; }`)
	s := factsOf(t, m, "workstation", "root")
	n := s.GetNetwork()
	cable := find(n.GetLinks(), func(l *constatv1.Link) bool { return l.GetName() == "eth0" })
	lease := cable.GetLease()
	equal(t, "lease's server", lease.GetServer(), "192.168.60.1")
	equal(t, "lease's router", strings.Join(lease.GetRouters(), " "), "192.168.60.1")
	equal(t, "lease's resolvers", strings.Join(lease.GetResolvers(), " "), "192.168.60.1")
	equal(t, "lease ends", lease.GetExpiresAt() != nil, true)
	equal(t, "the cable is managed", cable.Unmanaged != nil && !cable.GetUnmanaged(), true)
	address := find(cable.GetAddresses(), func(a *constatv1.Address) bool { return a.GetFamily() == 4 })
	equal(t, "origin of the cable's address", address.GetOrigin(), "dhcp")
	alone := find(n.GetLinks(), func(l *constatv1.Link) bool { return l.GetName() == "dummy0" })
	equal(t, "dummy0 is left alone", alone.GetUnmanaged(), true)
	equal(t, "NetworkManager's own check", n.GetOsConnectivity(), "full")
	equal(t, "networking is enabled", n.GetNetworkingEnabled(), true)
	resolver := find(n.GetResolvers(), func(r *constatv1.Resolver) bool { return r.GetLink() == "eth0" })
	equal(t, "resolver of the cable", resolver.GetAddress()+" "+resolver.GetOrigin(), "192.168.60.1 resolved")
	off := find(n.GetVpns(), func(v *constatv1.Vpn) bool { return v.GetName() == "Branch" })
	equal(t, "a VPN that is off", off.GetKind()+" "+off.GetState()+" "+off.GetGateway(), "openvpn disconnected vpn.example:1194")
	radio := find(s.GetWifi().GetRadios(), func(r *constatv1.Radio) bool { return r.GetLink() == "wlan1" })
	equal(t, "Wi-Fi", radio.GetState()+" "+radio.GetSsid(), "connected CorpNet")

	// The access point sends it away: it comes back by itself, and when that was
	// stays known. A link joins a bridge meanwhile.
	m.Run(`ap deauthenticate ff:ff:ff:ff:ff:ff; await sh -c 'dmesg | grep -q "wlan1: deauth"'
ip link add br0 type bridge; ip link set dummy0 master br0; ip link set br0 up`)
	s = factsOf(t, m, "workstation", "root")
	radio = find(s.GetWifi().GetRadios(), func(r *constatv1.Radio) bool { return r.GetLink() == "wlan1" })
	equal(t, "when it was sent away is told", radio.GetLastDisconnectAt() != nil, true)
	port := find(s.GetNetwork().GetLinks(), func(l *constatv1.Link) bool { return l.GetName() == "dummy0" })
	equal(t, "the port's bridge", port.GetMaster(), "br0")
}

// workstationTunnel wants to see how WireGuard's tunnels stand: one whose far
// end answers, with names of its own, and one that knocks in vain.
func workstationTunnel(t *testing.T, m *Machine) {
	m.Run(`modprobe wireguard; umask 077; for k in a b c; do wg genkey >/tmp/$k; done
ip link add wg0 type wireguard; wg set wg0 private-key /tmp/a peer $(wg pubkey </tmp/b) endpoint 192.168.60.1:51820 allowed-ips 10.9.0.0/24
ip -n out link add wg9 type wireguard
ip netns exec out wg set wg9 listen-port 51820 private-key /tmp/b peer $(wg pubkey </tmp/a) allowed-ips 10.9.0.2/32
ip -n out addr add 10.9.0.1/24 dev wg9; ip -n out link set wg9 up
ip addr add 10.9.0.2/24 dev wg0; ip link set wg0 up; await ping -c1 -W1 10.9.0.1
resolvectl dns wg0 10.9.0.1; resolvectl domain wg0 intra.example; resolvectl default-route wg0 no
ip link add wg1 type wireguard; wg set wg1 private-key /tmp/c peer $(wg pubkey </tmp/b) endpoint 192.168.60.1:51999 allowed-ips 10.10.0.0/24
ip addr add 10.10.0.2/24 dev wg1; ip link set wg1 up; ping -c1 -W1 10.10.0.1 || true`)
	n := factsOf(t, m, "workstation", "root").GetNetwork()
	named := func(name string) *constatv1.Vpn {
		return find(n.GetVpns(), func(v *constatv1.Vpn) bool { return v.GetLink() == name })
	}
	equal(t, "a tunnel that works", named("wg0").GetKind()+" "+named("wg0").GetState(), "wireguard connected")
	equal(t, "its far end", named("wg0").GetGateway(), "192.168.60.1:51820")
	equal(t, "its last handshake is told", named("wg0").GetLastHandshakeAt() != nil, true)
	equal(t, "a tunnel that knocks in vain", named("wg1").GetState()+" "+named("wg1").GetFailure(), "connecting gatewaySilent")
	equal(t, "its last handshake", named("wg1").GetLastHandshakeAt() == nil, true)
	resolver := find(n.GetResolvers(), func(r *constatv1.Resolver) bool { return r.GetLink() == "wg0" })
	equal(t, "names behind the tunnel", resolver.GetAddress()+" "+strings.Join(resolver.GetDomains(), " "), "10.9.0.1 intra.example")
	plain := factsOf(t, m, "workstation", "nobody").GetNetwork()
	if find(plain.GetVpns(), func(v *constatv1.Vpn) bool { return v.LastHandshakeAt != nil }) != nil {
		t.Error("nobody sees a handshake, which the kernel tells only who may set up networks")
	}
}
