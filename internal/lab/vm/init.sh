#!/bin/busybox sh
# The first process of a lab machine: it runs the steps that come over the
# virtio port and answers each with "status base64(output)".
/bin/busybox mkdir -p /proc /sys /dev /tmp /run /usr/bin /usr/sbin /sbin /bin /root /home /mnt /var/lib/misc
/bin/busybox ln -sf /run /var/run
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /run/netns
mount -t devpts devpts /dev/pts
mount -t tmpfs tmp /dev/shm
mount -t tmpfs tmp /tmp
mount -t debugfs debug /sys/kernel/debug
for name in modprobe depmod insmod rmmod lsmod; do ln -sf /bin/kmod /usr/sbin/$name; done
echo /usr/sbin/modprobe >/proc/sys/kernel/modprobe
printf 'root:x:0:0::/root:/bin/sh\nmessagebus:x:100:100::/nonexistent:/bin/false\nnobody:x:65534:65534::/nonexistent:/bin/false\n' >/etc/passwd
printf 'root:x:0:\nnetdev:x:99:\nmessagebus:x:100:\nnogroup:x:65534:\n' >/etc/group
printf '127.0.0.1 localhost\n' >/etc/hosts
: >/etc/resolv.conf
chmod 1777 /tmp
ip link set lo up
modprobe -a virtio_pci virtio_console
port=''
while [ -z "$port" ]; do
  for p in /dev/vport*; do [ ! -e "$p" ] || port=$p; done
  [ -n "$port" ] || usleep 20000
done
# The node may be there before its device takes anybody; an exec that fails would
# end this shell.
until (exec 3<>"$port") 2>/dev/null; do usleep 20000; done
exec 3<>"$port"
echo ready >&3
while read -r line <&3; do
  echo "$line" | base64 -d >/tmp/.step
  # A step that hangs costs itself, and not those after it.
  timeout -s KILL ${patience:-150} sh /tmp/.step >/tmp/.said 2>&1 </dev/null 3<&-
  status=$?
  { printf '%s ' $status; base64 /tmp/.said | tr -d '\n'; echo; } >&3
done
poweroff -f
