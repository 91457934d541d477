package vm

import (
	"bufio"
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"constat/internal/lab"
)

// modules are the kernel's drivers that machines may load. What is not listed
// is not installed there, as the agent sees it.
var modules = strings.Fields(`
	virtio_pci virtio_console virtio_blk e1000 e1000e ahci sd_mod nvme
	xhci_pci usbhid hid_generic usb-storage usblp
	dummy_hcd libcomposite usb_f_hid usb_f_printer usb_f_mass_storage
	mac80211_hwsim rfkill ccm gcm cmac ctr aes_generic aesni_intel
	battery ac button thermal fan processor evdev asus-nb-wmi
	vhci-hcd bochs ramoops
	veth bridge dummy af_packet sch_netem nf_tables nft_reject_inet nft_ct nft_limit
	ext4 vfat nls_cp437 nls_ascii loop crc32c_generic crc32c_intel
	virtio_gpu snd_hda_intel snd_hda_codec_generic snd_usb_audio tpm_tis tpm_crb efivarfs
	wireguard uinput vivid virtio_scsi
	uhid bluetooth hci_vhci af_alg algif_hash algif_skcipher ecb cbc drbg jitterentropy_rng hmac sha512_generic sha256_generic`)

// programs of this machine that go into every guest, with their Debian package:
// what busybox has not, or only in part.
var programs = [][2]string{
	{"/usr/sbin/hostapd", "hostapd"}, {"/usr/sbin/hostapd_cli", "hostapd"},
	{"/sbin/wpa_supplicant", "wpasupplicant"}, {"/sbin/wpa_cli", "wpasupplicant"},
	{"/usr/sbin/iw", "iw"}, {"/bin/ip", "iproute2"}, {"/sbin/tc", "iproute2"},
	{"/usr/sbin/dnsmasq", "dnsmasq-base"}, {"/usr/bin/dbus-daemon", "dbus"},
	{"/bin/kmod", "kmod"}, {"/bin/busybox", "busybox-static"}, {"/usr/bin/amixer", "alsa-utils"},
}

// settings are files and directories that programs want beside themselves.
var settings = []string{
	"/usr/share/dbus-1/system.conf", "/etc/dbus-1/system.d/wpa_supplicant.conf",
	"/usr/share/alsa/alsa.conf", "/usr/share/alsa/cards", "/usr/share/alsa/ctl", "/usr/share/alsa/pcm",
}

//go:embed init.sh
var initScript []byte

// image is what a machine boots: the kernel, and the part of its initial files
// that all machines have.
type image struct{ kernel, base string }

// makeImage makes the image once, below the user's cache.
var makeImage = sync.OnceValues(func() (image, error) {
	dir, err := lab.Cached(fmt.Sprintf("vm-%q %q %q %s", modules, programs, settings, initScript), build)
	return image{filepath.Join(dir, "kernel"), filepath.Join(dir, "base.cpio")}, err
})

// needImage ends the test unless an image is cached or can be made.
func needImage(t testing.TB) image {
	t.Helper()
	for program, of := range map[string]string{"qemu-system-x86_64": "qemu-system-x86", "iasl": "acpica-tools"} {
		_, err := exec.LookPath(program)
		lab.Need(t, program+" (Debian: "+of+")", err == nil)
	}
	for _, p := range programs {
		_, err := os.Stat(p[0])
		lab.Need(t, p[0]+" (Debian: "+p[1]+")", err == nil)
	}
	made, err := makeImage()
	if errors.Is(err, errNoKernel) {
		lab.Need(t, err.Error(), false)
	}
	if err != nil {
		t.Fatalf("making the machines' image: %v", err)
	}
	return made
}

var errNoKernel = errors.New("Debian's kernel package")

// build writes the kernel and the base into dir.
func build(dir string) error {
	unpacked, staged := filepath.Join(dir, "unpacked"), filepath.Join(dir, "staged")
	if err := fetchKernel(dir, unpacked); err != nil {
		return err
	}
	releases, err := filepath.Glob(filepath.Join(unpacked, "lib/modules/*"))
	if err != nil || len(releases) != 1 {
		return fmt.Errorf("the kernel's package holds modules for %d releases, %v", len(releases), err)
	}
	release := filepath.Base(releases[0])
	if err := os.Rename(filepath.Join(unpacked, "boot/vmlinuz-"+release), filepath.Join(dir, "kernel")); err != nil {
		return err
	}
	if err := stageModules(unpacked, staged, release); err != nil {
		return err
	}
	base, err := os.Create(filepath.Join(dir, "base.cpio"))
	if err != nil {
		return err
	}
	a := newArchive(base)
	a.addTree("", staged)
	a.add("init", 0o755, initScript)
	libraries := map[string]bool{}
	for _, p := range programs {
		a.addFile(p[0], p[0])
		for _, l := range linked(p[0]) {
			if !libraries[l] {
				libraries[l] = true
				a.addFile(l, l)
			}
		}
	}
	for _, name := range settings {
		a.addTree(name, name)
	}
	return errors.Join(a.close(), base.Close(), os.RemoveAll(unpacked), os.RemoveAll(staged))
}

// fetchKernel unpacks the kernel package that Debian would install, from where
// this machine gets its packages.
func fetchKernel(dir, unpacked string) error {
	name, err := kernelPackage()
	if err != nil && os.Geteuid() == 0 {
		if out, err := exec.Command("apt-get", "update", "-qq").CombinedOutput(); err != nil {
			return fmt.Errorf("%w: apt-get update: %w\n%s", errNoKernel, err, out)
		}
		name, err = kernelPackage()
	}
	if err != nil {
		return err
	}
	cmd := exec.Command("apt-get", "download", "-qq", name)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: apt-get download %s: %w\n%s", errNoKernel, name, err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("%w: %d files came, %v", errNoKernel, len(files), err)
	}
	if out, err := exec.Command("dpkg", "-x", files[0], unpacked).CombinedOutput(); err != nil {
		return fmt.Errorf("dpkg -x: %w\n%s", err, out)
	}
	return os.Remove(files[0])
}

var kernelDependency = regexp.MustCompile(`Depends: (linux-image-[0-9][^ \n]*)`)

// kernelPackage names the package behind linux-image-amd64.
func kernelPackage() (string, error) {
	out, err := exec.Command("apt-cache", "depends", "linux-image-amd64").Output()
	if err != nil {
		return "", fmt.Errorf("%w: apt-cache depends linux-image-amd64: %w", errNoKernel, err)
	}
	found := kernelDependency.FindSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("%w: linux-image-amd64 is not in the lists of packages", errNoKernel)
	}
	return string(found[1]), nil
}

// stageModules moves the modules and those they need from the package.
func stageModules(unpacked, staged, release string) error {
	depmod := func(root string) error {
		out, err := exec.Command("/sbin/depmod", "-b", root, release).CombinedOutput()
		if err != nil {
			return fmt.Errorf("depmod: %w\n%s", err, out)
		}
		return nil
	}
	if err := depmod(unpacked); err != nil {
		return err
	}
	from, to := filepath.Join(unpacked, "lib/modules", release), filepath.Join(staged, "lib/modules", release)
	dependencies, err := os.ReadFile(filepath.Join(from, "modules.dep"))
	if err != nil {
		return err
	}
	wanted := []string{"modules.order", "modules.builtin", "modules.builtin.modinfo"}
	plain := func(s string) string { return strings.ReplaceAll(s, "-", "_") }
	for lines := bufio.NewScanner(bytes.NewReader(dependencies)); lines.Scan(); {
		file, needs, _ := strings.Cut(lines.Text(), ":")
		name := plain(strings.TrimSuffix(filepath.Base(file), ".ko"))
		if slices.ContainsFunc(modules, func(m string) bool { return plain(m) == name }) {
			wanted = append(append(wanted, file), strings.Fields(needs)...)
		}
	}
	slices.Sort(wanted)
	for _, file := range slices.Compact(wanted) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, file)), 0o755); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(from, file), filepath.Join(to, file)); err != nil {
			return err
		}
	}
	return depmod(staged)
}

var libraryPath = regexp.MustCompile(`(/\S+) \(0x`)

// linked names the libraries that a program loads; none for a static one.
func linked(program string) []string {
	out, _ := exec.Command("ldd", program).Output()
	var list []string
	for _, found := range libraryPath.FindAllSubmatch(out, -1) {
		list = append(list, string(found[1]))
	}
	return list
}
