# An Internet behind a gateway, in the namespace "out": a name server, a
# connectivity page and sites. What leads there is up to the machine.
office() {
  sysctl -w net.ipv4.ping_group_range="0 2147483647" >/dev/null # as systemd sets it on desktops
  ip netns add out
  ip -n out link set lo up
  for a in 198.51.100.10 192.0.2.10 203.0.113.130; do ip -n out addr add $a/32 dev lo; done
  ip netns exec out sysctl -w net.ipv4.ip_forward=1 >/dev/null
  ip netns exec out guest sites /etc/site.pem /etc/site.key >/tmp/sites.log 2>&1 &
}
names() {
  ip netns exec out /usr/sbin/dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --log-facility=/tmp/dnsmasq.log --pid-file=/tmp/dnsmasq.pid --user=root \
    --local-ttl=60 --local=/#/ --host-record=page.example,198.51.100.10 \
    --host-record=www.alpha.example,198.51.100.10 --host-record=www.beta.example,192.0.2.10 --host-record=www.gamma.example,203.0.113.130
}
no_names() { kill $(cat /tmp/dnsmasq.pid); }
online() { guest get http://page.example/success.txt; }
join() { # LINK NETWORK: an address and the way out through that link
  ip link set $1 up
  ip addr replace $2.10/24 dev $1
  ip route replace default via $2.1
  echo "nameserver $2.1" >/etc/resolv.conf
}
AP=/tmp/hostapd.conf
access_point() { # SSID KEY CHANNEL
  cat >$AP <<EOF
interface=wlan0
driver=nl80211
ssid=$1
hw_mode=g
channel=$3
ieee80211n=1
wmm_enabled=1
wpa=2
wpa_key_mgmt=WPA-PSK
rsn_pairwise=CCMP
wpa_passphrase=$2
ctrl_interface=/run/hostapd
EOF
  ip netns exec out /usr/sbin/hostapd -B $AP -f /tmp/hostapd.log
}
ap() { ip netns exec out /usr/sbin/hostapd_cli -p /run/hostapd "$@"; }
station() { # SSID KEY
  cat >/tmp/wpa.conf <<EOF
ctrl_interface=/run/wpa
network={
 ssid="$1"
 psk="$2"
}
EOF
  : >/tmp/wpa.log
  /sbin/wpa_supplicant -B -u -i wlan1 -D nl80211 -c /tmp/wpa.conf -f /tmp/wpa.log -P /tmp/wpa.pid
}
wpa() { /sbin/wpa_cli -p /run/wpa -i wlan1 "$@"; }
state_is() { wpa status | grep -q "^wpa_state=$1"; }
hears_of() { wpa scan_results | grep -q "$1"; }
said() { grep -q "$1" /tmp/wpa.log; }
leave() { # the Wi-Fi, as when another network is chosen
  wpa terminate >/dev/null; await sh -c '! test -e /tmp/wpa.pid'; ip addr flush dev wlan1
}
enter() { station CorpNet correct-horse; await state_is COMPLETED; join wlan1 192.168.50; await online; }
hears() { /usr/sbin/iw dev wlan1 link | grep -q "signal: $1 "; }
signal() { # DBM: what every radio hears from now on
  ip netns exec out /usr/sbin/iw dev wlan0 set txpower fixed 500 # 5 dBm: hwsim adds it
  v=$(printf '%u' $(($1 - 5))); for p in /sys/kernel/debug/ieee80211/phy*/hwsim/rx_rssi; do echo $v >$p; done
  await hears $1
}
bus() { mkdir -p /run/dbus; /usr/bin/dbus-daemon --system --fork; }
