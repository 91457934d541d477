package host

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// kernelSample has messages as kernels and drivers write them, and some that
// nobody should learn of.
const kernelSample = `6,100,5000000,-;Linux version 6.1.0-37-amd64
3,101,10000000,-;Out of memory: Killed process 4242 (chrome) total-vm:9000000kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:1kB oom_score_adj:300
3,102,11000000,-;Memory cgroup out of memory: Killed process 77 (java) total-vm:1kB
6,103,12000000,-;Web Content[991]: segfault at 0 ip 00007f1c2a3b4c5d sp 00007ffd12345678 error 4 in libxul.so[7f1c2a000000+4000000] likely on CPU 1 (core 1, socket 0)
6,104,13000000,-;traps: gimp-2.10[17] trap invalid opcode ip:55d0 sp:7ffc error:0 in gimp-2.10[55d0+1000]
6,105,14000000,-;traps: office[18] general protection fault ip:7f sp:7ffc error:0
3,106,15000000,-;I/O error, dev nvme0n1, sector 12345 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2
3,107,15000001,-;blk_update_request: I/O error, dev sda, sector 5 op 0x0:(READ) flags 0x0
2,108,16000000,-;EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2: comm secret-program: reading directory lblock 0
1,109,17000000,-;XFS (dm-0): Metadata CRC error detected at xfs_agi_read_verify
4,110,18000000,-;iwlwifi 0000:00:14.3: Direct firmware load for iwlwifi-QuZ-a0-hr-b0-77.ucode failed with error -2
 SUBSYSTEM=pci
 DEVICE=+pci:0000:00:14.3
3,111,19000000,-;usb 1-3: device descriptor read/64, error -71
3,112,19100000,-;usb 1-3: device not accepting address 5, error -71
3,113,19200000,-;usb usb1-port3: unable to enumerate USB device
3,114,19300000,-;usb 2-1-port4: over-current condition
4,115,19400000,-;usb 2-2: rejected 1 configuration due to insufficient available bus power
4,115,19500000,-;snd-usb-audio: probe of 1-4.2:1.0 failed with error -22
4,115,19600000,-;snd-usb-audio 1-4.2:1.1: probe with driver snd-usb-audio failed with error -5
4,115,19700000,-;snd-usb-audio: probe of secret failed with error -22
6,116,20000000,-;i915 0000:00:02.0: [drm] GPU HANG: ecode 12:1:85dffffb, in Xorg [1234]
3,117,21000000,-;NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.
0,118,22000000,-;watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [kworker/1:1:33]
4,119,23000000,-;audit: type=1400 apparmor="DENIED" name="/home/ann/secret.txt" comm="cat"
5,119,23100000,-;audit: type=1400 audit(1700000000.123:45): apparmor="DENIED" operation="open" class="file" profile="/usr/bin/evince" name="/home/ann/secret.txt" pid=4711 comm="evince" requested_mask="r" denied_mask="r" fsuid=1000 ouid=0
5,119,23200000,-;audit: type=1400 audit(1700000000.124:46): avc:  denied  { read } for  pid=812 comm="httpd" name="secret.txt" dev="dm-0" ino=1 scontext=system_u:system_r:httpd_t:s0 tcontext=unconfined_u:object_r:user_home_t:s0 tclass=file permissive=0
5,119,23300000,-;audit: type=1400 audit(1700000000.125:47): avc:  denied  { read } for  pid=813 comm="sshd" name="x" scontext=a tcontext=b tclass=file permissive=1
5,119,23400000,-;audit: type=1400 audit(1700000000.126:48): apparmor="ALLOWED" operation="open" profile="complaining" name="x" pid=1 comm="tool"
6,119,23500000,-;rtc_cmos 00:04: setting system clock to 2001-01-01T00:00:02 UTC (978307202)
6,119,23600000,-;PM: suspend entry (s2idle)
6,119,23700000,-;PM: suspend exit
6,119,23800000,-;wlan0: deauthenticated from 02:00:00:00:00:00 (Reason: 3=DEAUTH_LEAVING)
6,119,23900000,-;wlan0: Connection to AP 02:00:00:00:00:00 lost
12,120,24000000,-;Out of memory: Killed process 1 (a-program-that-lies) total-vm:1kB
bad line
6,x,y
`

func TestParseKernelLog(t *testing.T) {
	zero := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	var got []string
	for _, e := range parseKernelLog([]byte(kernelSample), zero) {
		got = append(got, strings.Join(strings.Fields(fmt.Sprint(e.at.Sub(zero).Seconds(), " ", e.kind, " ", e.subject, " ", e.module, " ", e.detail, " ", e.code)), " "))
	}
	want := []string{
		"10 oomKill chrome system 0", "11 oomKill java cgroup 0",
		"12 fault Web Content libxul.so SIGSEGV 0", "13 fault gimp-2.10 gimp-2.10 SIGILL 0", "14 fault office SIGSEGV 0",
		"15 ioError nvme0n1 0", "15.000001 ioError sda 0", "16 fsError sda1 0", "17 fsError dm-0 0",
		"18 firmware 0000:00:14.3 iwlwifi-QuZ-a0-hr-b0-77.ucode 2",
		"19 usb 1-3 enumeration -71", "19.1 usb 1-3 enumeration -71", "19.2 usb usb1-port3 enumeration 0",
		"19.3 usb 2-1-port4 overcurrent 0", "19.4 usb 2-2 power 0",
		"19.5 usb 1-4.2 driver -22", "19.6 usb 1-4.2 driver -5",
		"20 gpuReset i915 12:1:85dffffb 0", "21 gpuReset nvidia 79 0", "22 watchdog soft lockup 0",
		"23.1 refusal evince apparmor 0", "23.2 refusal httpd selinux 0", "23.5 clockSet 2001-01-01T00:00:02 0", "23.7 resume 0",
		"23.8 parted wlan0 0", "23.9 parted wlan0 0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// The same, as syslog(2) tells it, with and without who wrote each record.
	for _, caller := range []string{"", "[  T123]"} {
		var told strings.Builder
		for line := range strings.Lines(kernelSample) {
			head, message, found := strings.Cut(line, ";")
			if fields := strings.Split(head, ","); found && len(fields) == 4 {
				micros, err := strconv.ParseInt(fields[2], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&told, "<%s>[%12.6f]%s %s", fields[0], float64(micros)/1e6, caller, message)
			}
		}
		var same []string
		for _, e := range parseKernelLog([]byte(told.String()), zero) {
			same = append(same, strings.Join(strings.Fields(fmt.Sprint(e.at.Sub(zero).Round(time.Microsecond).Seconds(), " ", e.kind, " ", e.subject, " ", e.module, " ", e.detail, " ", e.code)), " "))
		}
		if !slices.Equal(same, want) {
			t.Errorf("by syslog(2)\n%s\nwant\n%s", strings.Join(same, "\n"), strings.Join(want, "\n"))
		}
	}
	many := strings.Repeat("3,1,1,-;I/O error, dev sda, sector 5\n", maxKernelEvents) + "3,1,1,-;I/O error, dev sdb, sector 5\n"
	events := parseKernelLog([]byte(many), zero)
	if len(events) != maxKernelEvents || events[len(events)-1].subject != "sdb" {
		t.Errorf("%d events, the last one %v; want the newest", len(events), events[len(events)-1])
	}
}

func TestParseSyslog(t *testing.T) {
	const lines = `Nov 22 11:00:00 pc kernel: [    0.000000] Linux version 6.1.0-36-amd64
Nov 22 11:00:05 pc kernel: [    5.000000] I/O error, dev sda, sector 1 op 0x0
Nov 22 12:00:00 pc kernel: [    0.000000] Linux version 6.1.0-37-amd64
2026-11-22T12:01:00.123456+01:00 pc kernel: [   60.500000] I/O error, dev sdb, sector 1 op 0x0
2026-11-22T12:01:01.123456+01:00 pc cron: [   61.500000] I/O error, dev sdc, sector 1 op 0x0
2026-11-22T12:01:02.123456+01:00 pc kernel: I/O error, dev sdd, sector 1 op 0x0
2026-11-22T12:01:03.123456+01:00 pc kernel: [  NaN] I/O error, dev sde, sector 1 op 0x0
`
	zero := time.Unix(1700000000, 0)
	if got := parseSyslog([]byte(lines), zero); len(got) != 1 || got[0].subject != "sdb" || got[0].at.Sub(zero) != 60500*time.Millisecond {
		t.Errorf("events %v, want the one since the last start", got)
	}
	if got := parseSyslog(nil, zero); got != nil {
		t.Errorf("events out of nothing: %v", got)
	}
}

func TestUSBFailures(t *testing.T) {
	events := parseKernelLog([]byte(kernelSample), time.Time{})
	counted := []*constatv1.UsbPortFailure{{Path: set("2-1.4"), Kind: set("overcurrent"), Count: set(int32(7))}}
	devices := []*constatv1.UsbDevice{{Path: set("2-2")}}
	var got []string
	for _, f := range usbFailures(counted, events, devices) {
		got = append(got, fmt.Sprint(f.GetPath(), " ", f.GetKind(), " ", f.GetCount(), " ", f.GetError()))
	}
	if want := []string{"1-3 enumeration 3 -71", "2-1.4 overcurrent 7 0", "2-2 power 1 0"}; !slices.Equal(got, want) {
		t.Errorf("failures %q, want %q", got, want)
	}
	// The device came up in the end.
	devices = append(devices, &constatv1.UsbDevice{Path: set("1-3")})
	if got := usbFailures(nil, events, devices); len(got) != 2 {
		t.Errorf("failures %v", got)
	}
	for name, want := range map[string]string{"usb1-port3": "1-3", "1-0-port2": "1-2", "1-2-port4": "1-2.4", "1-2.1": "1-2.1"} {
		if got := usbPortOf(name); got != want {
			t.Errorf("port %q is %q, want %q", name, got, want)
		}
	}
}

func FuzzKernelLog(f *testing.F) {
	for line := range strings.Lines(kernelSample) {
		f.Add(line)
	}
	f.Add("<3>[   16.000000][ T1] EXT4-fs error (device sda1): comm x: reading directory")
	f.Fuzz(func(t *testing.T, log string) {
		for _, e := range append(parseKernelLog([]byte(log), time.Time{}), parseSyslog([]byte("pc kernel: [1.0] "+log), time.Time{})...) {
			if e.kind == "" || len(e.subject) > 64 || len(e.detail) > 128 || strings.Contains(e.module, "/") {
				t.Errorf("%q became %+v", log, e)
			}
		}
	})
}
