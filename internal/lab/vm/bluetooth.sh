# A computer's Bluetooth adapter, hci0, and another, hci1, on which a keyboard is
# played, both of BlueZ's emulator.
radios() {
  printf '[General]\nControllerMode = le\n' >/etc/bluetooth/main.conf
  cat >/etc/dbus-1/system.d/bluetooth-lab.conf <<'END'
<busconfig><policy user="root"><allow send_destination="*"/></policy></busconfig>
END
  await emulated
}
# Where the machine is slow, an adapter's first answer may come too late, and the
# kernel has done with it: then all begins anew.
emulated() {
  for p in $(pidof bluetoothd) $(pidof btvirt); do kill $p; done
  while pidof bluetoothd btvirt || [ -n "$(ls /sys/class/bluetooth)" ]; do usleep 100000; done
  btvirt -L -l2 >/tmp/btvirt.log 2>&1 &
  until [ -e /sys/class/bluetooth/hci1 ]; do usleep 200000; done
  bluetooth_service
  for n in $(seq 15); do ! powered || return 0; usleep 500000; done
  return 1
}
bluetooth_service() { /usr/libexec/bluetooth/bluetoothd -n -P hostname >>/tmp/bluetoothd.log 2>&1 & }
say() { { cat; sleep 1; } | timeout 20 bluetoothctl >/tmp/said.log 2>&1; } # commands, one a line
shows() { for a in 00:AA:01:00:00:00 00:AA:01:01:00:01; do timeout 10 bluetoothctl show $a; done >/tmp/shows; [ "$(grep -c "Powered: $1" /tmp/shows)" = 2 ]; }
powered() { shows yes; }
unpowered() { shows no; }
turns_on() { powered || { printf 'power on\nselect 00:AA:01:01:00:01\npower on\n' | say; powered; }; }
turns_off() { unpowered || { printf 'power off\nselect 00:AA:01:01:00:01\npower off\n' | say; unpowered; }; }
about() { timeout 10 bluetoothctl info 00:AA:01:01:00:01 | grep -q "$1"; }
percentage() { about "Percentage: .*($1)"; }
disconnected() { about 'Connected: no'; }
pairs() { # PERCENT: with the keyboard, whose battery is as full
  echo $1 >/tmp/charge
  guest keyboard /tmp/charge >/tmp/keyboard.log 2>&1 & echo $! >/tmp/keyboard.pid
  await percentage $1 || { cat /tmp/keyboard.log; return 1; }
}
apart() { kill $(cat /tmp/keyboard.pid) 2>/dev/null || true; echo disconnect 00:AA:01:01:00:01 | say || true; }
unblock() { for f in /sys/class/bluetooth/hci?/rfkill*/soft; do echo 0 >$f; done; }
