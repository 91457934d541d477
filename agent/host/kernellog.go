package host

import (
	"bytes"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// Kinds of kernelEvent.
const (
	kernelOOM      = "oomKill"      // subject: program; detail: system or cgroup
	kernelFault    = "fault"        // subject: program; module; detail: signal
	kernelIO       = "ioError"      // subject: block device
	kernelFS       = "fsError"      // subject: block device
	kernelFirmware = "firmware"     // subject: bus address; detail: file
	kernelUSB      = "usb"          // subject: port; detail: kind of failure; code: errno
	kernelGPU      = "gpuReset"     // subject: driver; detail: code
	kernelLink     = "displayLink"  // subject: connector
	kernelCheck    = "machineCheck" // no subject
	kernelStuck    = "watchdog"     // detail: the watchdog's word
	kernelRadio    = "radioCrash"   // subject: bus address, or phy
	kernelRefusal  = "refusal"      // subject: program; detail: the layer that refused
	kernelClock    = "clockSet"     // detail: what the hardware clock told at the start
	kernelResume   = "resume"       // the machine woke up
	kernelParted   = "parted"       // subject: wireless interface; code: IEEE 802.11's reason
	kernelPower    = "powerLoss"    // detail: the machine's word for it
)

// kernelEvent is a line of the kernel's log that means something here. All
// others are passed over unread: they may tell what is nobody's business.
type kernelEvent struct {
	kind, subject, module, detail string
	code                          int32
	at                            time.Time
}

// maxKernelEvents is how many events are kept, the newest ones.
const maxKernelEvents = 2000

// kernelPatterns are the messages that are understood. Each has a word that it
// must contain, of three bytes at least, because looking for a word is cheap (and
// cheapest where its beginning is rare: "ckup", not "lock"), and groups by the name of
// kernelEvent's fields. Texts are those of Linux 3 to 6; the file of the kernel
// that writes them stands beside.
var kernelPatterns = []struct {
	kind, word string
	form       func() *regexp.Regexp
	fixed      kernelEvent
}{
	// mm/oom_kill.c
	{kernelOOM, "emory", form(`^Out of memory: Kill(?:ed)? process \d+ \((?P<subject>[^()]{1,16})\)`), kernelEvent{detail: "system"}},
	{kernelOOM, "emory", form(`^Memory cgroup out of memory: Kill(?:ed)? process \d+ \((?P<subject>[^()]{1,16})\)`), kernelEvent{detail: "cgroup"}},
	// arch/x86/mm/fault.c, arch/x86/kernel/traps.c
	{kernelFault, "segfault", form(`^(?P<subject>.{1,16})\[\d+\]: segfault at [0-9a-f]+ ip [0-9a-f]+ sp [0-9a-f]+ error [0-9a-f]+(?: in (?P<module>[^\[]{1,255})\[)?`), kernelEvent{detail: "SIGSEGV"}},
	{kernelFault, "traps:", form(`^traps: (?P<subject>.{1,16})\[\d+\] (?:trap )?(?P<detail>invalid opcode|divide error|general protection(?: fault)?|int3) ip:[0-9a-f]+ sp:[0-9a-f]+ error:[0-9a-f]+(?: in (?P<module>[^\[]{1,255})\[)?`), kernelEvent{}},
	// block/blk-core.c; the second form is of before Linux 5.
	{kernelIO, "dev ", form(`^(?:blk_update_request: |print_req_error: )?(?:I/O|critical medium|critical target) error, dev (?P<subject>[\w!-]{1,32}), sector`), kernelEvent{}},
	// fs/ext4/super.c, fs/xfs/xfs_message.c, fs/btrfs/super.c
	{kernelFS, "EXT4-fs error", form(`^EXT4-fs error \(device (?P<subject>[\w!-]{1,32})\)`), kernelEvent{}},
	{kernelFS, "XFS (", form(`^XFS \((?P<subject>[\w!-]{1,32})\): (?:Corruption|Metadata corruption|Metadata CRC error|Internal error)`), kernelEvent{}},
	{kernelFS, "BTRFS", form(`^BTRFS (?:error|critical) \(device (?P<subject>[\w!-]{1,32})(?: state \w+)?\)`), kernelEvent{}},
	// drivers/base/firmware_loader/main.c
	{kernelFirmware, "irmware load", form(`^\S+ (?P<subject>[\w:.-]{1,64}): Direct firmware load for (?P<detail>[\w./+-]{1,128}) failed with error -?(?P<code>\d+)`), kernelEvent{}},
	// drivers/usb/core/hub.c, message.c
	{kernelUSB, "usb ", form(`^usb (?P<subject>\d+-[\d.]+): (?:device descriptor read/\S+|device not accepting address \d+|can't read configurations?|unable to read config index \d+ descriptor\S*|unable to get BOS descriptor\S*|can't set config #\d+), error (?P<code>-\d+)`), kernelEvent{detail: "enumeration"}},
	{kernelUSB, "usb ", form(`^usb (?P<subject>[\w.-]+-port\d+): unable to enumerate USB device`), kernelEvent{detail: "enumeration"}},
	{kernelUSB, "usb ", form(`^usb (?P<subject>[\w.-]+-port\d+): over-current (?:condition|change)`), kernelEvent{detail: "overcurrent"}},
	{kernelUSB, "usb ", form(`^usb (?P<subject>\d+-[\d.]+): rejected \d+ configurations? due to insufficient available bus power`), kernelEvent{detail: "power"}},
	{kernelUSB, "usb ", form(`^usb (?P<subject>\d+-[\d.]+): Not enough bandwidth`), kernelEvent{detail: "bandwidth"}},
	{kernelUSB, "usb ", form(`^usb (?P<subject>\d+-[\d.]+): reset (?:low|full|high|super|Super)[\w+ -]{0,20}(?:-speed |Speed )[\w+ ]{0,20}USB device number`), kernelEvent{detail: "resume"}},
	// drivers/base/dd.c, until Linux 6.8 and since
	{kernelUSB, "probe of ", form(`^[\w-]{1,40}: probe of (?P<subject>\d+-[\d.]+):\d+\.\d+ failed with error (?P<code>-\d+)`), kernelEvent{detail: "driver"}},
	{kernelUSB, "probe with ", form(`^[\w-]{1,40} (?P<subject>\d+-[\d.]+):\d+\.\d+: probe with driver [\w-]{1,40} failed with error (?P<code>-\d+)`), kernelEvent{detail: "driver"}},
	// drivers/gpu/drm/i915/display/intel_dp_link_training.c
	{kernelLink, "CONNECTOR", form(`\[CONNECTOR:\d+:(?P<subject>[A-Za-z0-9-]{1,32})\].{0,120}Link Training (?:failed|Unsuccessful)`), kernelEvent{}},
	// drivers/gpu/drm: i915, amdgpu, nouveau; and NVIDIA's own driver
	{kernelGPU, "GPU HANG", form(`^i915 \S+: (?:\[drm\] )?GPU HANG: ecode (?P<detail>[\w:]{1,40})`), kernelEvent{subject: "i915"}},
	{kernelGPU, "GPU reset begin", form(`^amdgpu \S+: amdgpu: GPU reset begin`), kernelEvent{subject: "amdgpu"}},
	{kernelGPU, "NVRM: Xid", form(`^NVRM: Xid \([^)]{1,40}\): (?P<detail>\d+)`), kernelEvent{subject: "nvidia"}},
	// arch/x86/kernel/cpu/mce, kernel/watchdog.c
	{kernelCheck, "Machine", form(`^(?:mce: )?\[Hardware Error\]: (?:CPU \d+: )?Machine [Cc]heck`), kernelEvent{}},
	{kernelStuck, "ckup", form(`^watchdog: BUG: (?P<detail>soft lockup) - CPU#\d+ stuck`), kernelEvent{}},
	{kernelStuck, "LOCKUP", form(`^(?:NMI )?watchdog: Watchdog detected (?P<detail>hard LOCKUP)`), kernelEvent{}},
	// drivers/net/wireless: iwlwifi, ath10k to ath12k, rtw89, brcmfmac
	{kernelRadio, "Microcode SW error", form(`^iwlwifi (?P<subject>[\w:.-]{1,64}): Microcode SW error detected`), kernelEvent{}},
	{kernelRadio, "irmware crashed", form(`^ath1[0-2]k_\w+ (?P<subject>[\w:.-]{1,64}): firmware crashed`), kernelEvent{}},
	{kernelRadio, "SER catches error", form(`^rtw89_\w+ (?P<subject>[\w:.-]{1,64}): SER catches error`), kernelEvent{}},
	// security/apparmor/audit.c, security/selinux/avc.c; a program's name that is
	// no plain text is written in hexadecimal, and left out here.
	{kernelRefusal, `apparmor="DENIED"`, form(`^audit: type=1400 audit\([\d.:]{1,40}\): apparmor="DENIED" .{0,600} comm="(?P<subject>[^"]{1,16})"`), kernelEvent{detail: "apparmor"}},
	{kernelRefusal, "avc:", form(`^audit: type=1400 audit\([\d.:]{1,40}\): avc:  denied  \{[^{}]{1,200}\} for  pid=\d+ comm="(?P<subject>[^"]{1,16})".{0,600} permissive=0`), kernelEvent{detail: "selinux"}},
	// net/mac80211/mlme.c
	{kernelParted, "from ", form(`^(?P<subject>[\w-]{1,15}): (?:deauthenticated|disassociated|deauthenticating|disassociating) from [0-9a-f:]{17} `), kernelEvent{}},
	{kernelParted, "Connection to AP", form(`^(?P<subject>[\w-]{1,15}): Connection to AP [0-9a-f:]{17} lost`), kernelEvent{}},
	// drivers/rtc/class.c
	{kernelClock, "setting system clock", form(`^rtc\S{0,20} \S{1,20}: setting system clock to (?P<detail>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d) UTC`), kernelEvent{}},
	// kernel/power/suspend.c, hibernate.c
	{kernelResume, "PM: ", form(`^PM: (?:suspend|hibernation: hibernation|hibernation) exit`), kernelEvent{}},
	{kernelRadio, "brcmf_fw_crashed", form(`^ieee80211 (?P<subject>phy\d+): brcmf_fw_crashed: Firmware has halted or crashed`), kernelEvent{}},
}

// form is a regular expression that is compiled when it is first used: most of
// them never are, and compiling all costs each start of the program 2 ms.
func form(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// wordStart is where the first three bytes of a word stand in a table: nearly
// all messages have none of any pattern's, which is seen in one pass.
func wordStart(text []byte) uint32 {
	return (uint32(text[0])<<10 ^ uint32(text[1])<<5 ^ uint32(text[2])) % 4096
}

var wordStarts = sync.OnceValue(func() *[4096]bool {
	var starts [4096]bool
	for _, pattern := range kernelPatterns {
		starts[wordStart([]byte(pattern.word))] = true
	}
	return &starts
})

// trapSignals are the signals that go with a processor's traps.
var trapSignals = map[string]string{
	"invalid opcode": "SIGILL", "divide error": "SIGFPE", "general protection": "SIGSEGV", "general protection fault": "SIGSEGV", "int3": "SIGTRAP",
}

// parseKernelLog picks from the kernel's records the events it knows, oldest
// first: from those of /dev/kmsg, "6,1,339,-;MESSAGE"
// (Documentation/ABI/testing/dev-kmsg), as from those of syslog(2),
// "<6>[    0.000339] MESSAGE". Their times are the kernel's clock; zero is when
// that clock stood at 0. The clock rests while the machine sleeps, so events from
// before a sleep look later than they were.
func parseKernelLog(records []byte, zero time.Time) []kernelEvent {
	var events []kernelEvent
	for line := range bytes.Lines(records) {
		level, message, clock := kernelRecord(line)
		// The lowest three bits are the level, the others the facility: 0 is the
		// kernel itself. Programs write here too, and are not believed.
		if len(level) != 1 || level[0] < '0' || level[0] > '7' {
			continue
		}
		event, known := kernelEventOf(bytes.TrimSpace(message))
		if !known {
			continue
		}
		if since, ok := clock(); ok {
			events = addKernelEvent(events, event, zero.Add(since))
		}
	}
	return events
}

// kernelRecord takes a record apart: its level, its text, and what reads its
// time, which only few records are asked for. A line that is none has no level.
func kernelRecord(line []byte) (level, message []byte, clock func() (time.Duration, bool)) {
	if line[0] == '<' {
		level, line, _ = bytes.Cut(line[1:], []byte(">["))
		stamp, message, _ := bytes.Cut(line, []byte("]"))
		if bytes.HasPrefix(message, []byte("[")) { // who wrote it: CONFIG_PRINTK_CALLER
			_, message, _ = bytes.Cut(message, []byte("]"))
		}
		return level, message, func() (time.Duration, bool) { return kernelTime(stamp) }
	}
	if line[0] == ' ' {
		return nil, nil, nil // a dictionary's line
	}
	head, message, found := bytes.Cut(line, []byte(";"))
	level, head, _ = bytes.Cut(head, []byte(","))
	_, head, _ = bytes.Cut(head, []byte(",")) // its number
	stamp, _, whole := bytes.Cut(head, []byte(","))
	if !found || !whole {
		return nil, nil, nil
	}
	return level, message, func() (time.Duration, bool) {
		micros, err := strconv.ParseInt(string(stamp), 10, 64)
		return time.Duration(micros) * time.Microsecond, err == nil && micros >= 0 && micros <= 1<<53
	}
}

// kernelTime reads the seconds that the kernel's clock had counted,
// "   12.345678".
func kernelTime(text []byte) (time.Duration, bool) {
	seconds, err := strconv.ParseFloat(string(bytes.TrimSpace(text)), 64)
	return time.Duration(seconds * float64(time.Second)), err == nil && seconds >= 0 && seconds < 1e9
}

// parseSyslog picks the same events from lines that a system logger wrote,
// "… HOST kernel: [   12.345678] MESSAGE", since the last start that is in them.
// The logger's own times are passed over: they have no year, or a zone of their
// own.
func parseSyslog(lines []byte, zero time.Time) []kernelEvent {
	const mark, first = " kernel: [", "] Linux version "
	var events []kernelEvent
	for line := range bytes.Lines(lines[max(0, bytes.LastIndex(lines, []byte(first))):]) {
		_, text, found := bytes.Cut(line, []byte(mark))
		clock, message, closed := bytes.Cut(text, []byte("] "))
		if !found || !closed {
			continue
		}
		event, known := kernelEventOf(bytes.TrimSpace(message))
		if since, ok := kernelTime(clock); known && ok {
			events = addKernelEvent(events, event, zero.Add(since))
		}
	}
	return events
}

// addKernelEvent adds an event, and forgets the oldest when there are too many.
func addKernelEvent(events []kernelEvent, event kernelEvent, at time.Time) []kernelEvent {
	event.at = at
	if len(events) == maxKernelEvents {
		events = events[:copy(events, events[1:])]
	}
	return append(events, event)
}

// kernelEventOf understands one message.
func kernelEventOf(message []byte) (kernelEvent, bool) {
	starts, any := wordStarts(), false
	for i := 0; i+3 <= len(message) && !any; i++ {
		any = starts[wordStart(message[i:])]
	}
	if !any {
		return kernelEvent{}, false
	}
	for _, pattern := range kernelPatterns {
		if !bytes.Contains(message, []byte(pattern.word)) {
			continue
		}
		event := pattern.fixed
		event.kind = pattern.kind
		if !event.match(pattern.form(), message) {
			continue
		}
		if signal := trapSignals[event.detail]; event.kind == kernelFault && signal != "" {
			event.detail = signal
		}
		return event, true
	}
	return kernelEvent{}, false
}

// match fills the event from a message by the groups of a form; false: the message
// has another one.
func (e *kernelEvent) match(form *regexp.Regexp, message []byte) bool {
	values := form.FindSubmatch(message)
	if values == nil {
		return false
	}
	for i, name := range form.SubexpNames() {
		value := string(values[i])
		switch name {
		case "subject":
			e.subject = value
		case "module":
			e.module = path.Base(value)
			if value == "" {
				e.module = ""
			}
		case "detail":
			e.detail = value
		case "code":
			code, _ := strconv.ParseInt(value, 10, 32) // too long: 0, as for none
			e.code = int32(code)
		}
	}
	return true
}

// countErrors counts the errors that the kernel logged of disks that are not known
// to have had none. None in the log says nothing: an old log is cut.
func countErrors(disks []*constatv1.Disk, events []kernelEvent) {
	logged := map[string]int64{}
	for _, e := range events {
		if e.kind == kernelIO {
			logged[e.subject]++
		}
	}
	for _, d := range disks {
		if count := logged[d.GetName()]; d.IoErrors == nil && count > 0 {
			d.IoErrors = set(count)
		}
	}
}

// usbPortOf turns the kernel's name of a port into the path of a device on it:
// "usb1-port3" into "1-3", "1-2-port4" into "1-2.4". A device's own path stays.
func usbPortOf(name string) string {
	hub, port, found := strings.Cut(name, "-port")
	if !found {
		return name
	}
	if bus, root := strings.CutPrefix(hub, "usb"); root {
		return bus + "-" + port
	}
	if bus, root := strings.CutSuffix(hub, "-0"); root {
		return bus + "-" + port
	}
	return hub + "." + port
}
