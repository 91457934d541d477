# Boots a fresh computer in namespaces of its own. Its disk is made in memory, in
# the empty directory $1, over the image $2; $3 is a directory with files for its
# /etc, $4 its network, $5 a control group of its own.
set -e
PATH=/usr/sbin:/usr/bin:/sbin:/bin
disk=$1 image=$2 etc=$3 network=$4
echo $$ >"$5/cgroup.procs"
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755,size=768M disk "$disk"
mkdir -m 755 "$disk/upper" "$disk/work" "$disk/top"
mount -t overlay -o "lowerdir=$image,upperdir=$disk/upper,workdir=$disk/work" over "$disk/top"
cp -r "$etc"/. "$disk/top/etc/"
# What downloads by itself would only find that there is nothing.
for unit in apt-daily.timer apt-daily-upgrade.timer; do ln -sf /dev/null "$disk/top/etc/systemd/system/$unit"; done
cd /
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
exec systemd-nspawn --quiet --directory="$disk/top" --machine=computer --register=no --keep-unit \
  --network-namespace-path="$network" --resolv-conf=off --timezone=off --link-journal=no --console=pipe --boot </dev/null
