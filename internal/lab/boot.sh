# Ends as systemd, process 1 of a computer in namespaces of its own. Its disk is
# made in memory, in the empty directory $1; of this system it has /usr and the
# package database, both under an overlay, and copies of what is set in /etc.
# $2 is a directory with files for its /etc, $3 a program to install, $4 a
# control group of its own.
set -e
PATH=/usr/sbin:/usr/bin:/sbin:/bin
disk=$1 etc=$2 program=$3
echo $$ >"$4/cgroup.procs"
exec unshare -C sh -ec '
disk=$1 etc=$2 program=$3
mount --make-rprivate /
mount -t tmpfs -o mode=755,size=384M disk "$disk"
root=$disk/root
mkdir -m 755 "$root" "$disk/layers"
mount --bind "$root" "$root"
cd "$root"

over() {
  mkdir -p ".$1" "$disk/layers$1/upper" "$disk/layers$1/work"
  mount -t overlay -o "lowerdir=$1,upperdir=$disk/layers$1/upper,workdir=$disk/layers$1/work" "over$1" ".$1"
}
over /usr
over /var/lib/dpkg
ln -s usr/bin usr/sbin usr/lib .
[ ! -e /lib64 ] || ln -s usr/lib64 .

mkdir -p boot dev etc home mnt opt proc root run srv sys tmp var/cache/cups var/crash var/lib/systemd/timesync var/log/apt var/log/cups var/tmp
chmod 1777 tmp var/tmp
ln -s /run var/run
ln -s /run/lock var/lock
# CUPS: what its package makes.
install -d -m 710 -g lp var/spool/cups
install -d -m 1770 -g lp var/spool/cups/tmp
for name in alternatives avahi cups dbus-1 default debian_version group ld.so.cache ld.so.conf ld.so.conf.d localtime login.defs nsswitch.conf \
  os-release pam.conf pam.d passwd security skel timezone; do
  [ ! -e "/etc/$name" ] || cp -a "/etc/$name" etc/
done
rm -rf etc/cups/ppd etc/cups/ssl etc/cups/printers.conf* etc/cups/subscriptions.conf* etc/cups/classes.conf*
mkdir -p etc/cups/ppd
sed "s/^\([^:]*\):.*/\1:*:19700::99999:7:::/" etc/passwd >etc/shadow
chmod 640 etc/shadow
cp -r "$etc"/. etc/
touch "boot/vmlinuz-$(uname -r)"
install -m 755 "$program" usr/local/bin/

mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755,size=32M run run
mount -t tmpfs -o mode=755,size=1M dev dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
while read name mode kind; do mknod -m $mode dev/$name $kind; done <<END
null 666 c 1 3
zero 666 c 1 5
full 666 c 1 7
random 666 c 1 8
urandom 666 c 1 9
tty 666 c 5 0
loop-control 600 c 10 237
END
for n in $(seq 0 63); do mknod -m 600 dev/loop$n b 7 $n; done
ln -s null dev/console
touch dev/kmsg # a file: what the kernel says of others is none of its business

pivot_root . mnt
umount -l /mnt
# What is mounted now is the machine’s to fill, clean and break. Nothing of
# this system may be among it.
if grep -vE " - (tmpfs|overlay|proc|sysfs|cgroup2|devpts) " /proc/self/mountinfo; then
  echo "something of this system is mounted in the machine: not started" >&2
  exit 1
fi
exec env -i container=lab PATH="$PATH" /lib/systemd/systemd --unit=lab.target --log-target=journal --show-status=no </dev/null
' boot "$disk" "$etc" "$program"
