package vm

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"constat/internal/lab"
	deskv1 "constat/proto/constat/desk/v1"
)

// event is something that happens to a machine, in a row of minutes, and what the
// agent's service must look into because of it, unasked: "EVENT SUBJECT", or
// nothing where it merely looks like a trouble.
type event struct {
	how    string
	happen func(*Machine)
	want   []string
}

// occasionWords are what the events are written in. The collector is on the machine's
// loopback, so that no trouble of its network keeps a word from it.
const occasionWords = `
minutes() { sleep $(($1 * 60)); }
agent() {
  SSL_CERT_FILE=/etc/authority.pem constat-agent run --config /etc/agent.yaml >>/tmp/agent.log 2>&1 & echo $! >/tmp/agent.pid
  await constat-agent status --config /etc/agent.yaml
}
no_agent() { kill $(cat /tmp/agent.pid); while [ -d /proc/$(cat /tmp/agent.pid) ]; do usleep 100000; done; }
collector() {
  constat-collector serve --data /var/lib/collector --grpc 127.0.0.1:7443 --http 127.0.0.1:7080 --config /etc/collector.yaml >>/tmp/collector.log 2>&1 & echo $! >/tmp/collector.pid
  await guest get http://127.0.0.1:7080/readyz
}
quiet_hours() { # FROM-UNTIL, or none
  printf 'looksPerDay: 100\nquietHours: "%s"\n' "$1" >/etc/collector.yaml
  kill $(cat /tmp/collector.pid); while [ -d /proc/$(cat /tmp/collector.pid) ]; do usleep 100000; done
  collector; minutes 3; await constat-agent status --config /etc/agent.yaml
}
desk() { CONSTAT_TOKEN=$(cat /tmp/lea) constat-collector "$@" --data /var/lib/collector --grpc 127.0.0.1:7443; }
queue() { lpadmin -p $1 -v $2:/x -E -o printer-error-policy=stop-printer; }
printing() { echo x >/tmp/page; lp -d $1 -o raw /tmp/page >/dev/null; }
crash() { cp /usr/bin/guest /tmp/$1; /tmp/$1 crash || true; }
at_hour() { date -s "$(date -d "@$(($(date +%s) + 86400))" +%Y-%m-%d) $1" >/dev/null; } # of the next day
mends() { cancel -a $1; cupsenable $1; minutes 3; }
tethered() { # its cable is run by NetworkManager, and paid for
  mkdir -p /etc/NetworkManager/system-connections /var/lib/NetworkManager
  printf '[main]\nplugins=keyfile\ndns=none\nauth-polkit=false\nno-auto-default=*\n[keyfile]\nunmanaged-devices=except:interface-name:eth0\n' >/etc/NetworkManager/NetworkManager.conf
  printf '[connection]\nid=Tethered\nuuid=0f4a8a4e-52d2-4a39-9d2c-6d2b6f3a4b09\ntype=ethernet\ninterface-name=eth0\nmetered=1\n[ipv4]\nmethod=manual\naddress1=192.168.60.10/24,192.168.60.1\n[ipv6]\nmethod=disabled\n' >/etc/NetworkManager/system-connections/Tethered.nmconnection
  chmod 600 /etc/NetworkManager/system-connections/Tethered.nmconnection
  # Where /sys can't be written it does not wait for udev, which is not here.
  unshare -m sh -c 'mount -o remount,bind,ro /sys && exec /usr/sbin/NetworkManager --debug' >/tmp/manager.log 2>&1 & echo $! >/tmp/manager.pid
  await nmcli connection up Tethered || { tail -40 /tmp/manager.log; return 1; }
  await metered yes
}
metered() { [ "$(nmcli -g GENERAL.METERED device show eth0)" = "$1" ]; }
`

// files adds programs of this machine and what they load.
func withPrograms(t *testing.T, files map[string]string, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := os.Stat(name)
		lab.Need(t, name, err == nil)
		files[name] = name
		for _, l := range linked(name) {
			files[l] = l
		}
	}
}

// newOccasions boots a laptop that is at its desk: a cable, an agent's service, its
// collector, a print server and what has a plug. Its time leaps.
func newOccasions(t *testing.T) *Machine {
	files := guestFiles(t)
	needPackages(t, "wireguard-tools", "network-manager", "libnm0", "libndp0", "libteamdctl0", "libmm-glib0", "libnewt0.52").into(t, files)
	withPrograms(t, files, "/usr/sbin/cupsd", "/usr/bin/lp", "/usr/bin/cancel", "/usr/sbin/lpadmin", "/usr/sbin/cupsdisable", "/usr/sbin/cupsenable", "/usr/lib/cups/daemon/cups-exec")
	for _, dir := range []string{"/usr/share/cups/mime"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			files[filepath.Join(dir, e.Name())] = filepath.Join(dir, e.Name())
		}
	}
	files["/usr/bin/constat-collector"] = Build(t, "constat/collector")
	m := Boot(t, Hardware{
		BIOS: Brands["Dell"], ACPI: []string{Laptop}, Files: files, Leaps: true, Memory: 2048,
		Devices: []string{
			"-netdev", "hubport,id=n0,hubid=0", "-device", "e1000,netdev=n0,id=nic0,mac=00:1b:21:aa:bb:cc",
			"-netdev", "hubport,id=n1,hubid=0", "-device", "e1000,netdev=n1,id=nic1,mac=00:1b:21:aa:bb:cd",
			"-netdev", "hubport,id=n2,hubid=1", "-device", "e1000,netdev=n2,id=nic2,mac=00:1b:21:aa:bb:ce",
			"-netdev", "hubport,id=n3,hubid=1", "-device", "e1000,netdev=n3,id=nic3,mac=00:1b:21:aa:bb:cf",
		},
	})
	m.Turn(rested)
	m.Run("cat >>/lib/words.sh <<'END'\n" + occasionWords + `END
. /lib/words.sh
date -s "$(date -d "@$(($(date +%s) + 86400))" +%Y-%m-%d) 17:00" >/dev/null
modprobe -a e1000 battery ac thermal processor usb-storage libcomposite usb_f_mass_storage veth bridge wireguard
mount -t configfs config /sys/kernel/config; modprobe dummy_hcd num=4
gadget stick 0x0951 0x1666 Kingston "DataTraveler 3.0" 60A44C413FA0B2 high-speed
dd if=/dev/zero of=/tmp/stick.img bs=1M count=2 2>/dev/null
with stick mass_storage.0; echo /tmp/stick.img >$G/stick/functions/mass_storage.0/lun.0/file
await ip link show eth3; bus; office
for n in 1 3; do ip link set eth$n netns out; ip -n out link set eth$n up; done
ip -n out addr add 192.168.60.1/24 dev eth1; ip -n out addr add 172.20.10.1/28 dev eth3; names
ip -n out addr add 192.0.2.53/32 dev lo
printf 'lp:x:7:7::/nonexistent:/bin/false\n' >>/etc/passwd; printf 'lp:x:7:\nlpadmin:x:107:\n' >>/etc/group
mkdir -p /etc/cups /run/cups /var/spool/cups/tmp /var/cache/cups /var/log/cups /usr/lib/cups/backend /usr/lib/cups/filter; chown root:lp /var/spool/cups/tmp; chmod 1770 /var/spool/cups/tmp
printf '#!/bin/sh\nexit 1\n' >/usr/lib/cups/backend/jams; printf '#!/bin/sh\ncat >/dev/null\n' >/usr/lib/cups/backend/prints; chmod 700 /usr/lib/cups/backend/*
printf 'Listen /run/cups/cups.sock\nWebInterface No\n<Location />\nOrder allow,deny\nAllow all\n</Location>\n<Policy default>\n<Limit All>\nOrder deny,allow\n</Limit>\n</Policy>\n' >/etc/cups/cupsd.conf
printf 'SystemGroup root lpadmin\nUser lp\nGroup lp\n' >/etc/cups/cups-files.conf
cupsd; await test -S /run/cups/cups.sock
for q in Accounting Stores; do queue $q jams; done; queue Reception prints
join eth0 192.168.60; await online
echo 'looksPerDay: 100' >/etc/collector.yaml; collector
constat-collector user add lea --role administrator --data /var/lib/collector </dev/null >/dev/null
constat-collector user token lea --data /var/lib/collector >/tmp/lea
constat-collector token create --data /var/lib/collector >/tmp/token
printf 'collector: 127.0.0.1:7443\ntokenFile: /tmp/token\n' >>/etc/agent.yaml
agent; minutes 3
constat-agent ticket new --config /etc/agent.yaml --complaint other --text "All day long something is wrong."`)
	return m
}

// looks are those that the agent's service says it made, beginning with the line.
func looks(t *testing.T, m *Machine, since int) (all []string, verdicts []string, lines int) {
	t.Helper()
	for line := range strings.Lines(m.Run("cat /tmp/agent.log")) {
		var said struct{ Msg, Event, Subject, Verdict string }
		if lines++; lines <= since || json.Unmarshal([]byte(line), &said) != nil || !strings.HasPrefix(said.Msg, "looked into") {
			continue
		}
		all, verdicts = append(all, strings.TrimSpace(said.Event+" "+said.Subject)), append(verdicts, said.Verdict)
	}
	return all, verdicts, lines
}

// cable is a step that leaves the machine's cable in or out for some minutes.
func cable(up bool, minutes int) func(*Machine) {
	return func(m *Machine) {
		m.t.Helper()
		m.Command("set_link", map[string]any{"name": "nic0", "up": up})
		m.Run(fmt.Sprintf("minutes %d", minutes))
	}
}

// steps are several.
func steps(all ...func(*Machine)) func(*Machine) {
	return func(m *Machine) {
		m.t.Helper()
		for _, step := range all {
			step(m)
		}
	}
}

// sleepsFor is a step in which the machine sleeps, in S3, for so long of its host's
// time.
func sleepsFor(d time.Duration) func(*Machine) {
	return func(m *Machine) {
		m.t.Helper()
		m.Sleep("echo mem >/sys/power/state || { dmesg | tail -30; false; }", d)
	}
}

// status is what the agent's service tells who asks for it, on one line.
func status(m *Machine) string {
	m.t.Helper()
	return strings.Join(strings.Fields(m.Run("constat-agent status --config /etc/agent.yaml")), " ")
}

// holds is a step that wants to be told of one look that waits, and why.
func holds(what, why string) func(*Machine) {
	return func(m *Machine) {
		m.t.Helper()
		if said := status(m); strings.Count(said, "held back:") != 1 || !strings.Contains(said, "held back: "+what+", but "+why) {
			m.t.Errorf("what waits is not told: %s", said)
		}
	}
}

// tells is a step that wants to be told once what was found because of it, and that
// nothing waits.
func tells(what string) func(*Machine) {
	return func(m *Machine) {
		m.t.Helper()
		if said := status(m); strings.Contains(said, "held back:") || strings.Count(said, "because "+what+":") != 1 {
			m.t.Errorf("what was found is not told once: %s", said)
		}
	}
}

// beforeTheLook is a step after which it is so many minutes before the day's look of
// this machine, on the next day.
func beforeTheLook(minutes int) func(*Machine) {
	return func(m *Machine) {
		m.t.Helper()
		_, after, _ := strings.Cut(status(m), "enrolled: yes, as ")
		id, _, _ := strings.Cut(after, " ")
		h := fnv.New32a()
		h.Write([]byte(id))
		at := 10*60 + int(h.Sum32()%(6*60)) - minutes
		m.Run(fmt.Sprintf("at_hour %02d:%02d", at/60, at%60))
	}
}

const (
	stuck   = "documents could not go on "
	theDays = "it was time for the day’s look"
	nearly  = 4000 // mWh: 11 %
)

// onItsBattery is a step that takes the charger away, with so much left.
func onItsBattery(left int) func(*Machine) {
	return func(m *Machine) {
		m.t.Helper()
		m.Turn(map[Dial]int{AdapterOnline: 0, BatteryState: 1, RateMilliwatts: 6000, LeftMilliwattHours: left})
	}
}

func charged(m *Machine) {
	m.t.Helper()
	m.Turn(rested)
}

var occasionRows = []event{
	{"nothing happens", sh("minutes 30"), nil},
	// Before one that is looked into, after which others would not be for hours.
	{"it sleeps, and its network is there again", steps(sleepsFor(7*time.Second), sh("minutes 12")), nil},
	{"it sleeps twice in a row", steps(sleepsFor(5*time.Second), sleepsFor(5*time.Second), sh("minutes 12")), nil},

	{"a document can't be printed", sh("printing Accounting; minutes 7"), []string{"printJobFailed Accounting"}},
	{"and the agent is restarted before that is mended", sh("no_agent; sleep 5; agent; minutes 7"), nil},
	{"the gateway answers no more", sh("ip -n out link set eth1 down; minutes 20; ip -n out link set eth1 up; minutes 12"), []string{"gatewaySilent eth0"}},
	{"the name server answers no more", sh("no_names; minutes 20; names; minutes 12"), []string{"dnsSilent"}},
	{"the cable falls out", steps(cable(false, 15), cable(true, 12)), []string{"linkLost"}},
	{"the cable's contact comes and goes", steps(cable(false, 1), cable(true, 1), cable(false, 1), cable(true, 1), cable(false, 1), cable(true, 15)), []string{"linkFlaps eth0"}},
	{"a program crashes twice", sh("crash soffice.bin; minutes 3; crash soffice.bin; minutes 25"), []string{"programCrashes soffice.bin"}},
	{"a stick is plugged in and not let in", sh("for u in /sys/bus/usb/devices/usb*; do echo 0 >$u/authorized_default; done; plug stick 2; await refused 0951:1666; minutes 12; unplug stick; await absent 0951:1666; for u in /sys/bus/usb/devices/usb*; do echo 1 >$u/authorized_default; done"), []string{"deviceRefused 3-1"}},
	{"it sleeps, and wakes up where nothing answers", steps(sh("ip -n out link set eth1 down"), sleepsFor(7*time.Second), sh("minutes 15; ip -n out link set eth1 up; minutes 20")), []string{"resumed"}},

	{"the cable is put elsewhere", steps(cable(false, 1), cable(true, 12)), nil},
	{"an administrator restarts the network", sh("ip link set eth0 down; ip addr flush dev eth0; sleep 20; join eth0 192.168.60; await online; minutes 12"), nil},
	{"another name server by DHCP", sh("echo 'nameserver 192.0.2.53' >/etc/resolv.conf; minutes 12; echo 'nameserver 192.168.60.1' >/etc/resolv.conf; minutes 12"), nil},
	{"a VPN takes all the traffic for a while", sh(`umask 077; for k in a b; do wg genkey >/tmp/$k; done
ip link add wg0 type wireguard; wg set wg0 private-key /tmp/a peer $(wg pubkey </tmp/b) endpoint 192.168.60.1:51820 allowed-ips 0.0.0.0/0
ip -n out link add wg9 type wireguard; ip netns exec out wg set wg9 listen-port 51820 private-key /tmp/b peer $(wg pubkey </tmp/a) allowed-ips 10.9.0.2/32
ip -n out addr add 10.9.0.1/24 dev wg9; ip -n out link set wg9 up; ip addr add 10.9.0.2/24 dev wg0; ip link set wg0 up
ip route replace default via 10.9.0.1 dev wg0; minutes 12
ip route replace default via 192.168.60.1; ip link del wg0; ip -n out link del wg9; minutes 12`), nil},
	{"containers and bridges come and go", sh(`for n in 1 2 3 4; do ip link add br9 type bridge; ip link add c9 type veth peer name p9; ip link set p9 master br9
for l in br9 c9 p9; do ip link set $l up; done; sleep 50; ip link del c9; ip link del br9; sleep 10; done; minutes 8`), nil},
	{"a dock with a network card of its own, and away again", sh(second + `ip route add default via 172.20.10.1 dev $card metric 900; minutes 10
for d in /sys/class/net/*; do [ "$(cat $d/address)" != 00:1b:21:aa:bb:ce ] || echo 1 >$(readlink -f $d/device)/remove; done; minutes 10`), nil},
	{"a stick is plugged in, and pulled out by hand, twice", sh("for n in 1 2; do plug stick 1; await present 0951:1666; minutes 2; unplug stick; await absent 0951:1666; minutes 2; done"), nil},
	{"its Wi-Fi roams from one access point to another", sh(`modprobe mac80211_hwsim radios=3; await test -e /sys/class/net/wlan2; iw phy phy0 set netns name out; iw phy phy2 set netns name out
access_point CorpNet correct-horse 6; ip -n out addr add 192.168.50.1/24 dev wlan0
ip link set eth0 down; enter; minutes 6
second_access_point ssid=CorpNet wpa_key_mgmt=WPA-PSK wpa_passphrase=correct-horse; ip -n out link add br0 type bridge
ip -n out addr flush dev wlan0; ip -n out link set wlan0 master br0; ip -n out link set wlan2 master br0; ip -n out addr add 192.168.50.1/24 dev br0; ip -n out link set br0 up
await hears_both; minutes 3
there=$(ip netns exec out cat /sys/class/net/wlan2/address); here=$(ip netns exec out cat /sys/class/net/wlan0/address)
for b in $there $here $there; do wpa roam $b >/dev/null; minutes 2; done
leave; killall hostapd; join eth0 192.168.60; await online; minutes 12; ip netns exec out modprobe -r mac80211_hwsim`), nil},
	{"programs are ended by their user", sh("for s in TERM KILL TERM KILL; do sleep 600 & kill -$s $!; done; minutes 11"), nil},
	{"a document is held, and one cancelled", sh("echo x >/tmp/page; lp -d Reception -H hold -o raw /tmp/page >/dev/null; minutes 4; cancel -a Reception; minutes 2; printing Reception; minutes 4"), nil},
	{"a document jams, and is cancelled at once", sh("printing Stores; sleep 20; cancel -a Stores; cupsenable Stores; minutes 6"), nil},
	{"a program crashes once", sh("crash gimp; minutes 12"), nil},
	{"the clock is set two hours on", sh("date -s @$(($(date +%s) + 7200)) >/dev/null; minutes 7"), nil},
	{"and back again", sh("date -s @$(($(date +%s) - 7200)) >/dev/null; minutes 7"), nil},
	{"it is carried away on its battery", steps(func(m *Machine) {
		m.Turn(map[Dial]int{AdapterOnline: 0, BatteryState: 1, RateMilliwatts: 6000})
	}, sh("ip link set eth0 down; ip addr flush dev eth0; minutes 7"), func(m *Machine) { m.Turn(rested) }, sh("join eth0 192.168.60; await online; minutes 7")), nil},
	{"it is shut down and started", sh("no_agent; ip link set eth0 down; ip addr flush dev eth0; agent; sleep 40; join eth0 192.168.60; await online; minutes 7"), nil},

	// Each of these is on another day, so that nothing of it is known.
	{"a document can't be printed, and the battery is nearly empty", steps(sh("at_hour 17:00"), onItsBattery(nearly), sh("minutes 7; printing Stores; minutes 7"), holds(stuck+"(Stores)", "the battery is nearly empty"),
		charged, sh("minutes 4"), tells(stuck+"(Stores)"), sh("mends Stores")), []string{"printJobFailed Stores"}},
	{"three queues fail together", steps(sh("at_hour 20:00; minutes 5; for q in A B C; do queue $q jams; printing $q; done; minutes 12"), tells(stuck+"(A)"), sh("minutes 60")), []string{"printJobFailed A"}},
	{"five queues fail within an hour", steps(sh("at_hour 20:00; minutes 5; for q in D E F G H; do queue $q jams; printing $q; minutes 6; done"), holds(stuck+"(H)", "enough was looked into within the hour"),
		sh("minutes 40"), tells(stuck+"(H)")), []string{"printJobFailed D", "printJobFailed E", "printJobFailed F", "printJobFailed G", "printJobFailed H"}},
	{"a document can't be printed in the quiet hours", steps(sh("quiet_hours 18:00-19:00; queue Evening jams; at_hour 17:50; minutes 15; printing Evening; minutes 7"), holds(stuck+"(Evening)", "these are the quiet hours"),
		sh("minutes 50"), tells(stuck+"(Evening)"), sh("mends Evening; quiet_hours ''")), []string{"printJobFailed Evening"}},
	{"the day's look is due, on battery", steps(sh("no_agent; agent"), beforeTheLook(9), onItsBattery(25000), sh("minutes 12"), holds(theDays, "the computer runs on its battery"), charged, sh("minutes 6")), []string{"daily"}},
	{"the day's look is due, on a network that is paid for", steps(sh("tethered"), beforeTheLook(15), sh("minutes 18"), holds(theDays, "the network is metered"),
		sh("nmcli connection modify Tethered connection.metered no; nmcli device reapply eth0; await metered no; minutes 14; kill $(cat /tmp/manager.pid); join eth0 192.168.60; await online; minutes 5")), []string{"daily"}},
}

// TestLabOccasions has a day happen to a machine with the agent's service as it is
// installed, at its own pace: each event sets off one look, which is at the open
// ticket in the end, and what only looks like one none.
func TestLabOccasions(t *testing.T) {
	if !whole() {
		t.Skip("runs with make lab")
	}
	m := newOccasions(t)
	var table strings.Builder
	var due []string
	lines := 0
	for _, e := range occasionRows {
		t.Run(e.how, func(t *testing.T) {
			m.In(t)
			begun := time.Now()
			e.happen(m)
			var got, verdicts []string
			got, verdicts, lines = looks(t, m, lines)
			if !slices.Equal(got, e.want) {
				t.Errorf("looked into %q, want %q\n%s", got, e.want, m.Run("date; ip route; tail -5 /tmp/agent.log"))
			}
			for i, verdict := range verdicts {
				if verdict == "fault" || verdict != "healthy" && got[i] != "daily" {
					due = append(due, got[i])
				}
			}
			fmt.Fprintf(&table, "| %s | %s | %s | %.1f s |\n", e.how, strings.Join(got, ", "), strings.Join(verdicts, ", "), time.Since(begun).Seconds())
		})
	}
	t.Logf("\n| what happens | looked into | verdict | time of the host |\n|---|---|---|---|\n%s", &table)
	ticket := &deskv1.GetTicketResponse{}
	if err := protojson.Unmarshal([]byte(m.Run("sleep 30; desk ticket show 1 --json")), ticket); err != nil {
		t.Fatal(err)
	}
	var at []string
	for _, entry := range ticket.GetTimeline() {
		if d := entry.GetDiagnosis(); d.GetEvent() != "" {
			at = append(at, strings.TrimSpace(d.GetEvent()+" "+d.GetEventSubject()))
		}
	}
	slices.Sort(at)
	slices.Sort(due)
	if !slices.Equal(at, due) {
		t.Errorf("at the ticket: %q, want %q", at, due)
	}
	t.Log(m.Run("constat-agent status --config /etc/agent.yaml; desk ticket show 1 | head -60"))
}
