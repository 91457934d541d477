package vm

import (
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	constatv1 "constat/proto/constat/v1"
)

// managedPackages are what a computer with systemd and NetworkManager runs beyond
// the other machines, with both programs that keep clocks.
var managedPackages = []string{
	"systemd", "libsystemd-shared", "libsystemd0", "systemd-timesyncd", "chrony", "dbus", "dbus-system-bus-common",
	"network-manager", "libnm0", "libndp0", "libteamdctl0", "libmm-glib0", "libnewt0.52",
}

// startSystemd starts systemd as the first process of its own namespace, on a bus
// and /run that all share, and tells which process it is. Its clock is the machine's.
const startSystemd = `for u in ` +
	`dev-hugepages.mount dev-mqueue.mount proc-sys-fs-binfmt_misc.automount sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount ` +
	`sys-kernel-tracing.mount systemd-binfmt.service systemd-firstboot.service systemd-modules-load.service systemd-random-seed.service systemd-sysctl.service ` +
	`systemd-sysusers.service systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-update-utmp.service systemd-journal-flush.service ` +
	`systemd-networkd.service systemd-pstore.service systemd-remount-fs.service; do
  mkdir -p /etc/systemd/system; ln -sf /dev/null /etc/systemd/system/$u
done
printf '6f2b9d3c41e84b7fa0c5d1e2f3a4b5c6\n' >/etc/machine-id
printf 'systemd-timesync:x:102:102::/nonexistent:/bin/false\n_chrony:x:103:103::/var/lib/chrony:/bin/false\n' >>/etc/passwd
printf 'systemd-timesync:x:102:\n_chrony:x:103:\nsystemd-journal:x:104:\n' >>/etc/group
printf '[Unit]\nRequires=basic.target dbus.service\nAfter=basic.target dbus.service\n' >/etc/systemd/system/lab.target
mkdir -p /var/log/chrony /var/lib/chrony /var/lib/systemd/timesync /var/tmp; chown _chrony /var/log/chrony /var/lib/chrony; chown systemd-timesync /var/lib/systemd/timesync
mount -t tmpfs -o mode=755 run /run; mkdir -p /run/netns /run/dbus /run/lock
mount -t cgroup2 cgroup2 /sys/fs/cgroup
rm -rf /etc/init.d
unshare -m -p -f --mount-proc /lib/systemd/systemd --unit=lab.target --log-target=console --show-status=no >/tmp/systemd.log 2>&1 </dev/null &
born() { grep -q . /proc/$1/task/$1/children; }
await born $!; cat /proc/$!/task/$!/children
`

// newManaged boots a Dell that systemd and NetworkManager run, on the office's
// Wi-Fi, with a time server behind it.
func newManaged(t *testing.T) *Machine {
	files := guestFiles(t)
	needPackages(t, managedPackages...).into(t, files)
	m := Boot(t, Hardware{BIOS: Brands["Dell"], Files: files})
	said := strings.Fields(m.Run(`modprobe -a bridge ccm; modprobe mac80211_hwsim radios=3
` + startSystemd))
	m.within = said[len(said)-1]
	m.Run(`await systemctl is-active lab.target || { systemctl list-jobs; exit 1; }
` + manager("default") + `
office; iw phy phy0 set netns name out; iw phy phy2 set netns name out
access_point CorpNet correct-horse 6
ip -n out link add office0 type bridge; ip -n out link set wlan0 master office0; ip -n out link set office0 up; ip -n out addr add 192.168.50.1/24 dev office0; names
ip netns exec out /usr/sbin/dnsmasq --conf-file=/dev/null --port=0 --user=root --pid-file=/tmp/dhcp.pid --dhcp-leasefile=/tmp/leases --dhcp-authoritative --no-ping \
  --dhcp-range=192.168.50.100,192.168.50.120,1h --dhcp-option=option:dns-server,192.168.50.1
/bin/ip netns exec out guest clock >/tmp/clock.log 2>&1 & echo $! >/tmp/clock.pid
start_manager
# Where the host is busy the first handshake times out, and the key passes for wrong.
await leased wlan1 192.168.50. || { nmcli connection up CorpNet; await leased wlan1 192.168.50.; } || { tail -60 /tmp/manager.log; tail /tmp/wpa.log; exit 1; }
await online; signal -50`)
	return m
}

// Steps that choose who keeps the clock, and what happens to it.
const (
	follows = `follows() { [ "$(timedatectl show -p NTPSynchronized --value)" = yes ]; }
`
	byTimesyncd = follows + `printf '[Time]\nNTP=192.168.50.1\n' >/etc/systemd/timesyncd.conf
systemctl disable --now chrony; systemctl enable systemd-timesyncd; systemctl restart systemd-timesyncd; await follows || { systemctl status systemd-timesyncd; exit 1; }
`
	byChrony = follows + `mkdir -p /etc/chrony; printf 'server 192.168.50.1 iburst\ndriftfile /var/lib/chrony/chrony.drift\nrtcsync\nmakestep 1 3\n' >/etc/chrony/chrony.conf
systemctl disable --now systemd-timesyncd; systemctl enable chrony; systemctl restart chrony; await follows || { systemctl status chrony; chronyc -n sources; exit 1; }
`
	// hoursLate puts the clock back, as a computer's whose battery for it is empty.
	hoursLate = `date -s @$(($(date +%s) - 10800)) >/dev/null
`
)

// pinned has the radio stay with an access point that went away, while a near one
// of the same network is there.
const pinned = `nmcli connection modify CorpNet wifi.bssid $(ip netns exec out cat /sys/class/net/wlan0/address); nmcli connection up CorpNet >/dev/null
second_access_point ssid=CorpNet wpa_key_mgmt=WPA-PSK wpa_passphrase=correct-horse; ip -n out link set wlan2 master office0
signal -80; printf '%u' $((-50 - 5)) >/sys/kernel/debug/ieee80211/phy2/hwsim/rx_rssi; await hears_both
`

const anyTransmitter = `nmcli connection modify CorpNet wifi.bssid ''
`

// spared has the near access point start anew once the computer's radio is on again:
// NetworkManager's switch is one for all radios, and reaches that of the office too,
// where only the far one's comes back by itself.
const spared = `radio() { grep -q $1 /sys/class/net/wlan1/phy80211/rfkill*/soft; }
{ until radio 1; do usleep 100000; done; kill $(cat /tmp/hostapd2.pid); until radio 0; do usleep 100000; done
second_access_point ssid=CorpNet wpa_key_mgmt=WPA-PSK wpa_passphrase=correct-horse; ip -n out link set wlan2 master office0; } >/tmp/spared.log 2>&1 &
`

// alone takes the near access point away again.
var alone = sh(anyTransmitter + "no_second_access_point; nmcli connection up CorpNet >/dev/null; signal -50; await online")

var managedMends = []mend{
	{"set-clock", "", "os-time-sync-stopped", "internet", "systemd-timesyncd was stopped, and the clock is three hours late",
		sh(byTimesyncd + "systemctl stop systemd-timesyncd\n" + hoursLate), nothing, "fixed", "systemd-timesyncd runs and follows a time server; before: the clock is off by "},
	{"set-clock", "", "os-time-sync-stopped", "internet", "chrony was stopped, and the clock is three hours late",
		sh(byChrony + "systemctl stop chrony\n" + hoursLate), nothing, "fixed", "chrony runs and follows a time server; before: the clock is off by "},
	{"set-clock", "", "os-time-sync-stopped", "internet", "chrony was stopped, and its server does not answer",
		sh(byChrony + "systemctl stop chrony; kill -STOP $(cat /tmp/clock.pid)\n" + hoursLate),
		sh("kill -CONT $(cat /tmp/clock.pid)\n" + byChrony), "failed", "no time server answers"},
	{"set-clock", "", "os-time-sync-stopped", "internet", "chrony runs, and the clock was put three hours back behind it",
		sh(byChrony + hoursLate), nothing, "fixed", "chrony runs and follows a time server; before: the clock is off by "},
	{"restart-wifi", "wlan1", "wifi-radio-off", "wifi", "Wi-Fi is switched off in NetworkManager",
		sh("nmcli radio wifi off; await grep -q 1 /sys/class/net/wlan1/phy80211/rfkill*/soft"), sh("await online"), "fixed", "before: wlan1 is switched off."},
	{"restart-wifi", "wlan1", "wifi-sticky-roaming", "wifi", "the radio clings to a far access point beside a near one",
		sh(pinned + anyTransmitter + spared), alone, "fixed", "wlan1 is connected with -50 dBm; before: wlan1 is connected with -80 dBm."},
	{"restart-wifi", "wlan1", "wifi-sticky-roaming", "wifi", "the connection is set up for the far access point alone",
		sh(pinned + spared), alone, "notFixed", "still there"},
}

// TestLabMendsManaged has remedies done in a computer that systemd and
// NetworkManager run, and whose clock may be set.
func TestLabMendsManaged(t *testing.T) {
	if !whole() {
		t.Skip("runs with make lab")
	}
	m := newManaged(t)
	playMends(t, m, managedMends)
	if only := os.Getenv("FAULT"); only != "" && only != "asleep" {
		return
	}
	// Nothing stays half-done: after a sleep in the middle the radio is on, and the
	// remedy has ended and says how.
	t.Run("restart-wifi/the lid is closed while the radio is off", func(t *testing.T) {
		m.In(t)
		m.Run(pinned + anyTransmitter)
		m.Sleep(`constat-agent remedy run restart-wifi wlan1 --yes --json --config /etc/agent.yaml >/tmp/remedy 2>/tmp/error & pid=$!
until grep -q 1 /sys/class/net/wlan1/phy80211/rfkill*/soft; do kill -0 $pid; usleep 50000; done
echo mem >/sys/power/state; wait $pid || true`, 5*time.Second)
		m.Run("await grep -q 0 /sys/class/net/wlan1/phy80211/rfkill*/soft; await online")
		result := &constatv1.RemedyResult{}
		if err := protojson.Unmarshal([]byte(m.Run("cat /tmp/remedy")), result); err != nil {
			t.Fatalf("%v: %s", err, m.Run("cat /tmp/remedy /tmp/error"))
		}
		if result.GetOutcome() != "fixed" && result.GetOutcome() != "notFixed" {
			t.Errorf("it ended as %s", protojson.Format(result))
		}
		t.Logf("%s: %s", result.GetOutcome(), result.GetProof().GetEn())
	})
}
