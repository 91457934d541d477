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
# What asks a daemon may wait for it for ever, and what scans for a report that
# another scan swallowed.
ap() { ip netns exec out timeout 10 /usr/sbin/hostapd_cli -p /run/hostapd "$@"; }
station() { # SSID KEY [WORDS]
  cat >/tmp/wpa.conf <<EOF
ctrl_interface=/run/wpa_supplicant
network={
 ssid="$1"
 psk="$2"
 $3
}
EOF
  supplicant
}
supplicant() {
  : >/tmp/wpa.log
  /sbin/wpa_supplicant -B -u -i wlan1 -D nl80211 -c /tmp/wpa.conf -f /tmp/wpa.log -P /tmp/wpa.pid || { cat /tmp/wpa.log; return 1; }
}
member() { # PASSWORD [NAME]: of a network that people sign in to
  cat >/tmp/wpa.conf <<EOF
ctrl_interface=/run/wpa_supplicant
network={
 ssid="CorpNet"
 key_mgmt=WPA-EAP
 eap=PWD
 identity="${2:-anna}"
 password="$1"
}
EOF
  supplicant
}
enterprise() { # SSID: on the office's other radio
  printf '"anna" PWD "correct-staple"\n' >/tmp/people
  second_access_point ssid=$1 wpa_key_mgmt=WPA-EAP ieee8021x=1 eap_server=1 eap_user_file=/tmp/people
  ip -n out addr flush dev wlan0; ip -n out addr replace 192.168.50.1/24 dev wlan2
}
no_enterprise() { ip -n out addr flush dev wlan2; ip -n out addr replace 192.168.50.1/24 dev wlan0; no_second_access_point; }
rejected() { said EAP-FAILURE; }
wpa() { timeout 10 /sbin/wpa_cli -p /run/wpa_supplicant -i wlan1 "$@"; }
state_is() { wpa status | grep -q "^wpa_state=$1"; }
hears_of() { wpa scan_results | grep -q "$1"; }
said() { grep -q "$1" /tmp/wpa.log; }
second_access_point() { # WORDS OF ITS CONFIGURATION: on the other radio of the office
  { grep -v -e ^interface= -e ^channel= -e ^wpa_key_mgmt= -e ^wpa_passphrase= $AP; printf '%s\n' interface=wlan2 channel=11 "$@"; } >/tmp/hostapd2.conf
  ip netns exec out /usr/sbin/hostapd -B -P /tmp/hostapd2.pid /tmp/hostapd2.conf -f /tmp/hostapd2.log || { cat /tmp/hostapd2.log; return 1; }
  ip netns exec out /usr/sbin/iw dev wlan2 set txpower fixed 500
}
no_second_access_point() { kill $(cat /tmp/hostapd2.pid); await sh -c '! test -e /tmp/hostapd2.pid'; ip -n out link set wlan2 down; }
leave() { # the Wi-Fi, as when another network is chosen
  wpa terminate >/dev/null; await sh -c '! test -e /tmp/wpa.pid'; ip addr flush dev wlan1
}
hears_no() { timeout 15 /usr/sbin/iw dev wlan1 scan flush >/dev/null && ! /usr/sbin/iw dev wlan1 scan dump | grep -q "SSID: $1"; } # anew, and keeps nothing of before
hears_both() { timeout 15 /usr/sbin/iw dev wlan1 scan >/dev/null; [ "$(/usr/sbin/iw dev wlan1 scan dump | grep -c "SSID: CorpNet")" = 2 ]; }
rests() { wpa list_networks | grep -q TEMP-DISABLED; }
enter() { station CorpNet correct-horse; await state_is COMPLETED; join wlan1 192.168.50; await online; }
hears() { /usr/sbin/iw dev wlan1 link | grep -q "signal: $1 "; }
signal() { # DBM: what every radio hears from now on
  ip netns exec out /usr/sbin/iw dev wlan0 set txpower fixed 500 # 5 dBm: hwsim adds it
  v=$(printf '%u' $(($1 - 5))); for p in /sys/kernel/debug/ieee80211/phy*/hwsim/rx_rssi; do echo $v >$p; done
  await hears $1
}
bus() { mkdir -p /run/dbus; /usr/bin/dbus-daemon --system --fork; }
