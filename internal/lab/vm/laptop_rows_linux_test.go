package vm

// charge is a step that sets the paired keyboard's battery: percent, level bit
// (1 critical, 2 low, 4 good) and charging state, as feature 0x1004 tells them.
func charge(bytes string) func(*Machine) {
	return sh(`sed -i 's/^1001061b000000 1101061b....../1001061b000000 1101061b` + bytes + `/' /tmp/receiver`)
}

// warning is a step that sets the NVMe disk's critical warning (NVM Express,
// SMART/Health log page, byte 0).
func warning(bits int) func(*Machine) {
	return func(m *Machine) {
		m.t.Helper()
		m.Command("qom-set", map[string]any{"path": "/machine/peripheral/nv0", "property": "smart_critical_warning", "value": bits})
	}
}

// home is the step that gives the office its Wi-Fi back.
var home = sh("leave; no_enterprise; ap enable; enter")

var laptopRows = []row{
	{"", "power", "the charge is held at 80 %", nothing, nothing, true},
	{"hw-battery-worn", "power", "45 % of the capacity is left", dials(map[Dial]int{FullMilliwattHours: 25650, LeftMilliwattHours: 20000}), dials(rested), true},
	{"hw-battery-worn", "power", "55 % is left after 900 cycles", dials(map[Dial]int{FullMilliwattHours: 31350, LeftMilliwattHours: 20000, Cycles: 900}), dials(rested), false},
	// Plain ACPI tells no watts: a charger that is dead looks as one that nobody
	// plugged in, and one that is too weak as a battery that helps out.
	{abstain, "power", "the battery is at 7 % and nothing charges it",
		dials(map[Dial]int{AdapterOnline: 0, BatteryState: 1, RateMilliwatts: 9000, LeftMilliwattHours: 2400}), dials(rested), false},
	{abstain, "power", "the battery drains with the charger in",
		dials(map[Dial]int{BatteryState: 1, RateMilliwatts: 9000, LeftMilliwattHours: 15000}), dials(rested), false},
	{"", "power", "the battery is being charged", dials(map[Dial]int{BatteryState: 2, RateMilliwatts: 30000, LeftMilliwattHours: 10000}), dials(rested), false},
	{"hw-battery-missing", "power", "the laptop has no battery", dials(map[Dial]int{BatteryGone: 1}), dials(rested), false},
	{"hw-cpu-thermal-throttle", "slow", "97 °C, above where the processor is slowed down", dials(map[Dial]int{TenthsKelvin: Celsius(97)}), dials(rested), true},
	{"", "slow", "84 °C", dials(map[Dial]int{TenthsKelvin: Celsius(84)}), dials(rested), false},
	{"hw-disk-smart-failing", "slow", "the NVMe disk warns that it is not reliable", warning(4), warning(0), true},
	{"hw-nvme-worn-out", "slow", "the NVMe disk has no spare blocks left", warning(1), warning(0), false},
	{"hw-disk-smart-failing", "slow", "the NVMe disk can only be read any more", warning(8), warning(0), false},
	{"", "peripheral", "keyboard, stick, printer and receiver work", nothing, nothing, true},
	{"peripheral-battery-low", "peripheral", "the keyboard behind the receiver is at 5 %", charge("050100"), charge("370400"), true},
	{"peripheral-battery-low", "peripheral", "the keyboard behind the receiver is at 8 %", charge("080200"), charge("370400"), false},
	{"", "peripheral", "the keyboard behind the receiver is at 8 % and charges", charge("080201"), charge("370400"), false},
	{"usb-device-disabled", "peripheral", "the stick is not authorized",
		sh("echo 0 >$(devices 0951:1666)/authorized"), sh("echo 1 >$(devices 0951:1666)/authorized; await present 0951:1666"), true},
	{"usb-device-disabled", "peripheral", "the printer is not authorized",
		sh("echo 0 >$(devices 03f0:2b17)/authorized"), sh("echo 1 >$(devices 03f0:2b17)/authorized; await present 03f0:2b17"), false},
	{"usb-policy-blocked", "peripheral", "no new device is let in, and a stick comes",
		sh("for u in /sys/bus/usb/devices/usb*; do echo 0 >$u/authorized_default; done; unplug stick; await absent 0951:1666; plug stick 1; await refused 0951:1666"),
		sh("for u in /sys/bus/usb/devices/usb*; do echo 1 >$u/authorized_default; done; unplug stick; await absent 0951:1666; plug stick 1; await present 0951:1666"), false},
	{"usb-driver-missing", "peripheral", "the stick's driver is unbound",
		sh("i=$(interface 0951:1666); echo $i >/sys/bus/usb/drivers/usb-storage/unbind"),
		sh("i=$(interface 0951:1666); echo $i >/sys/bus/usb/drivers/usb-storage/bind"), false},
	{"usb-driver-missing", "peripheral", "the keyboard's driver is unbound",
		sh("i=$(interface 046d:c31c); echo $i >/sys/bus/usb/drivers/usbhid/unbind"),
		sh("i=$(interface 046d:c31c); echo $i >/sys/bus/usb/drivers/usbhid/bind"), false},
	{"", "wifi", "a good signal", nothing, nothing, true},
	{"", "wifi", "a signal of -70 dBm", sh("signal -70"), sh("signal -50"), false},
	{"wifi-weak-signal", "wifi", "a signal of -95 dBm", sh("signal -95"), sh("signal -50"), false},
	{"wifi-weak-signal", "wifi", "a signal of -90 dBm", sh("signal -90"), sh("signal -50"), false},
	{"wifi-radio-off", "wifi", "Wi-Fi is switched off in software",
		sh("for f in /sys/class/net/wlan1/phy80211/rfkill*/soft; do echo 1 >$f; done"),
		sh("for f in /sys/class/net/wlan1/phy80211/rfkill*/soft; do echo 0 >$f; done; leave; enter"), false},
	{"wifi-wrong-password", "wifi", "the key was changed", sh("leave; station CorpNet wrong-horse; await rests"), sh("leave; enter"), false},
	{"wifi-wrong-password", "wifi", "the network has another key now",
		sh("ap set wpa_passphrase staple-battery; ap disable; ap enable; await rests; ip addr flush dev wlan1"),
		sh("ap set wpa_passphrase correct-horse; ap disable; ap enable; leave; enter"), false},
	{"wifi-ssid-not-found", "wifi", "the network has another name now",
		sh("ap set ssid NewCorpNet; ap disable; ap enable; await state_is SCANNING; await hears_no CorpNet; await hears_of NewCorpNet; ip addr flush dev wlan1"),
		sh("ap set ssid CorpNet; ap disable; ap enable; await state_is COMPLETED; join wlan1 192.168.50; await online"), false},
	{"wifi-ssid-not-found", "wifi", "the access point is off",
		sh("ap disable; await state_is SCANNING; await hears_no CorpNet; ip addr flush dev wlan1"),
		sh("ap enable; await state_is COMPLETED; join wlan1 192.168.50; await online"), false},
	{"wifi-mac-blocked", "wifi", "the access point refuses this adapter",
		sh("ap deny_acl ADD_MAC $(cat /sys/class/net/wlan1/address); await state_is SCANNING; await rests; ip addr flush dev wlan1"),
		sh("ap deny_acl CLEAR; leave; enter"), false},
	{"wifi-mac-blocked", "wifi", "the access point lets in others only",
		sh("ap set macaddr_acl 1; ap disable; ap enable; await state_is SCANNING; await rests; ip addr flush dev wlan1"),
		sh("ap set macaddr_acl 0; ap disable; ap enable; leave; enter"), false},
	{"wifi-sticky-roaming", "wifi", "the radio stays with a far access point beside a near one",
		sh(`second_access_point ssid=CorpNet wpa_key_mgmt=WPA-PSK wpa_passphrase=correct-horse
wpa set_network 0 bssid $(ip netns exec out cat /sys/class/net/wlan0/address); signal -80
printf '%u' $((-50 - 5)) >/sys/kernel/debug/ieee80211/phy2/hwsim/rx_rssi; await hears_both`),
		sh("no_second_access_point; signal -50; leave; enter"), false},
	{"wifi-security-mismatch", "wifi", "the network asks for WPA3 now, and this computer offers WPA2",
		sh(`ap set wpa_key_mgmt SAE; ap set ieee80211w 2; ap set sae_require_mfp 1; ap disable; ap enable; leave; station CorpNet correct-horse "ieee80211w=0"; await state_is SCANNING; await hears_of SAE; usleep 3000000; ip addr flush dev wlan1`),
		sh("ap set wpa_key_mgmt WPA-PSK; ap set ieee80211w 0; ap disable; ap enable; leave; enter"), false},
	{"wifi-security-mismatch", "wifi", "the network has no key any more, and this computer wants one",
		sh(`ap set wpa 0; ap disable; ap enable; leave; station CorpNet correct-horse; await state_is SCANNING; await hears_of CorpNet; usleep 3000000; ip addr flush dev wlan1`),
		sh("ap set wpa 2; ap set wpa_key_mgmt WPA-PSK; ap set rsn_pairwise CCMP; ap set wpa_passphrase correct-horse; ap disable; ap enable; leave; enter"), false},
	{"wifi-8021x-rejected", "wifi", "the network refuses the person's password", sh("leave; ap disable; enterprise CorpNet; member battery-staple; await rejected; await rests; ip addr flush dev wlan1"), home, false},
	{"wifi-8021x-rejected", "wifi", "the network knows no such person", sh("leave; ap disable; enterprise CorpNet; member correct-staple eve; await rejected; await rests; ip addr flush dev wlan1"), home, false},
	{"", "wifi", "the network lets the person in", sh("leave; ap disable; enterprise CorpNet; member correct-staple; await state_is COMPLETED; join wlan1 192.168.50; await online"), home, false},
	{"", "wifi", "sent away once, and back", sh("ap deauthenticate $(cat /sys/class/net/wlan1/address); await said DISCONNECTED; await state_is COMPLETED; await online"), nothing, false},
	{"net-dns-unreachable", "wifi", "the name server is not running, behind Wi-Fi", sh("no_names"), sh("names; await online"), false},
}
