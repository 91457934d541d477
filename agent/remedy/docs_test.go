package remedy

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"constat/internal/fault"
)

// way is how a verb is done on a system.
type way struct {
	verb, system, by, does string
	// executed are the tests that do it live; none: it was compiled, and its
	// arguments are tested.
	executed []string
	// but says what of it they do not show.
	but string
}

const onLinux, onWindows, onMac = "Linux", "Windows", "macOS"

// wineOnly is what was seen of those that Wine has nothing for.
const wineOnly = "under Wine, that it fails cleanly where there is nothing to do it to"

var ways = []way{
	{"clear-stuck-job", onLinux, "CUPS", "cancels the oldest document that is being printed, of the person who agreed", []string{"TestLabRemedies"}, ""},
	{"clear-stuck-job", onWindows, "the spooler", "the same by `SetJob`", nil, wineOnly},
	{"clear-stuck-job", onMac, "CUPS", "as on Linux", nil, ""},
	{"enable-device", onLinux, "the kernel", "writes 1 to the device's `authorized`; refused where USBGuard or the bus' `authorized_default` decides", []string{"TestLabMends"}, ""},
	{"enable-device", onWindows, "Plug and Play", "`pnputil /enable-device`", nil, wineOnly},
	{"flush-dns", onLinux, "systemd-resolved", "empties its caches, and what it learnt of its servers", []string{"TestLabBackends"}, ""},
	{"flush-dns", onLinux, "nscd", "invalidates its table of hosts", []string{"TestLabBackends"}, ""},
	{"flush-dns", onLinux, "dnsmasq", "empties its cache by the system bus, or by SIGHUP that systemd sends", []string{"TestLabBackends", "TestLabRemedies"}, ""},
	{"flush-dns", onLinux, "NetworkManager's dnsmasq", "empties its cache by the system bus", []string{"TestLabBackends"}, ""},
	{"flush-dns", onWindows, "the DNS client", "`DnsFlushResolverCache`", []string{"TestRemedies"}, "the call alone: Wine keeps no names"},
	{"flush-dns", onMac, "mDNSResponder", "`dscacheutil -flushcache`, and SIGHUP", nil, ""},
	{"renew-dhcp", onLinux, "NetworkManager", "reapplies the connection of the link", []string{"TestLabBackends"}, ""},
	{"renew-dhcp", onLinux, "systemd-networkd", "renews the lease; where address or way are still missing, sets the link up anew", []string{"TestLabBackends"}, ""},
	{"renew-dhcp", onLinux, "dhcpcd", "`dhcpcd --rebind`, of the link's own or of the one of all links; where address or way are still missing, SIGHUP", []string{"TestLabBackends"}, ""},
	{"renew-dhcp", onLinux, "udhcpc", "renews the lease; where address or way are still missing, gives it back and asks anew", []string{"TestLabBackends"}, ""},
	{"renew-dhcp", onLinux, "dhclient", "ends it without giving the lease back, and starts it in the same place", []string{"TestLabRemedies"}, ""},
	{"renew-dhcp", onWindows, "the DHCP client", "`ipconfig /renew`", nil, ""},
	{"renew-dhcp", onMac, "configd", "`ipconfig set LINK DHCP`, where the link has a lease", nil, ""},
	{"repair-package", onLinux, "dpkg and apt", "ends a configuration that stopped half-way, else installs the same package once more; nothing else is installed or removed", []string{"TestLabBackends", "TestLabRemedies", "TestLabRemediesByTheService"}, ""},
	{"repair-package", onLinux, "dnf", "`dnf reinstall`", []string{"TestLabBackends"}, ""},
	{"repair-package", onWindows, "Windows Installer", "`MsiConfigureProductEx` with what `msiexec /fomus` says", []string{"TestRemedies"}, ""},
	{"repair-package", onWindows, "winget", "`winget repair --product-code`, where Windows Installer has no source any more", nil, ""},
	{"repair-package", onWindows, "Office's click-to-run", "`OfficeClickToRun.exe scenario=Repair RepairType=QuickRepair`, with the platform and language of its settings", nil, wineOnly},
	{"reset-usb", onLinux, "the kernel", "`USBDEVFS_RESET`, and drivers are asked again; never storage, a hub, or the only keyboard or mouse", []string{"TestLabMends"}, "on a port of USB/IP; what is never reset is tested on trees of sysfs"},
	{"reset-usb", onWindows, "Plug and Play", "`pnputil /restart-device`", nil, wineOnly},
	{"restart-printing", onLinux, "systemd and CUPS", "restarts `cups.service`; one that ends again within 4 s is left stopped", []string{"TestLabConsent", "TestLabRemedies", "TestLabRemediesByTheService"}, ""},
	{"restart-printing", onWindows, "the spooler", "stops and starts the service", []string{"TestRemedies"}, ""},
	{"restart-printing", onMac, "launchd and CUPS", "`launchctl kickstart -k`", nil, ""},
	{"restart-wifi", onLinux, "rfkill", "off for two seconds and on again, or only on; a watchdog of its own process switches it on after 30 s; wpa_supplicant then listens until it left an access point far away", []string{"TestLabMends"}, "of a radio that is on only what switches it on again"},
	{"restart-wifi", onLinux, "NetworkManager", "the same by its switch, so that it knows", []string{"TestLabMendsManaged"}, ""},
	{"restart-wifi", onWindows, "netsh", "disables the adapter for two seconds; without a watchdog yet", nil, ""},
	{"restart-wifi", onMac, "networksetup", "`-setairportpower` off and on", nil, ""},
	{"resume-queue", onLinux, "CUPS", "the queue takes documents and prints", []string{"TestLabRemedies", "TestLabRemediesByTheService"}, ""},
	{"resume-queue", onWindows, "the spooler", "`SetPrinter`, resume", nil, wineOnly},
	{"resume-queue", onMac, "CUPS", "as on Linux", nil, ""},
	{"set-clock", onLinux, "systemd-timesyncd, ntpsec, ntp", "restarts it: it asks at its start", []string{"TestLabMendsManaged", "TestLabRemedies"}, "systemd-timesyncd; of the others only that it says so where no server answers"},
	{"set-clock", onLinux, "chrony", "`chronyc reset sources`, `burst`, `waitsync`, `makestep`, and measures again", []string{"TestLabMendsManaged"}, "of one that was stopped, and of one that runs beside a clock that somebody set"},
	{"set-clock", onWindows, "w32time", "`w32tm /resync /force`", nil, ""},
	{"set-clock", onMac, "sntp", "`sntp -sS`", nil, ""},
}

// rollbacks are what takes a verb back that did not help. Others change nothing
// that could be as before.
var rollbacks = map[string]string{
	"clear-stuck-job":  "can't be: the document has to be printed again",
	"set-clock":        "no; how far it was off is written down",
	"enable-device":    "the device is switched off again",
	"resume-queue":     "the queue is paused, or takes no documents, as before",
	"restart-printing": "a service that ends again is stopped",
	"restart-wifi":     "the watchdog switches the radio on",
}

// tables are the sources with the verbs of each system.
var tables = map[string]string{onLinux: "privileged_linux.go", onWindows: "remedies_windows.go", onMac: "remedies_darwin.go"}

// docs is the page as it must be.
func docs(t *testing.T) string {
	t.Helper()
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# What the agent can mend

A test of agent/remedy checks this page against the code; %s writes it.

A remedy is done once, with the consent of a person at the machine, in words of the agent's own program
(%s lists and runs them, %s tells what was done, who asked and who agreed).
Before it, the agent looks whether one of its faults is there, and does nothing where it is not, or can't be seen.
After it, the agent looks again; what it saw before and after is on the ticket. One at a time on a machine. One
that was cut short is never done again: at the next start the agent looks, takes back what it can, and says so.

| Verb | Asks for | Done only where this is found | Taken back |
|---|---|---|---|
`, "`CONSTAT_DOCS=write go test -run TestDocs ./agent/remedy`", "`constat-agent remedy`", "`constat-agent remedy past`")
	for _, v := range Verbs() {
		var faults []string
		for _, f := range catalog.Faults() {
			if slices.Contains(f.Remedies, v.ID) {
				faults = append(faults, "`"+f.ID+"`")
			}
		}
		back := rollbacks[v.ID]
		if back == "" {
			back = "there is nothing to take back"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.ID, v.Title.About("en", ""), strings.Join(faults, ", "), back)
	}
	b.WriteString(`
## How, and where it was executed

Each test named here does it live: on a machine of namespaces with systemd and Debian's packages (TestLabBackends,
TestLabConsent, TestLabRemedies, TestLabRemediesByTheService), in a virtual machine (TestLabMends, TestLabMendsManaged), or, what is for
Windows, under Wine 10 (TestRemedies), and never on Windows itself. What has no test was compiled, and what it is told
is checked; it was never executed.

| Verb | System | By | What it does | Executed |
|---|---|---|---|---|
`)
	for _, w := range ways {
		where := "never"
		if len(w.executed) > 0 {
			where = strings.Join(w.executed, ", ")
		}
		if w.but != "" {
			where += "; " + w.but
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", w.verb, w.system, w.by, w.does, where)
	}
	b.WriteString(`
## What came of it

Each of these faults was made in the lab of Linux, the remedy done, and looked again: *fixed* where the fault was seen
to be gone, and else how it ends where it can't help. Read from the tests' own rows (TestLabRemedies, TestLabMends,
TestLabMendsManaged); what each way of a verb does beside is in the table above.

| Verb | What was the matter | Ends as |
|---|---|---|
`)
	for _, p := range proofs(t) {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p.verb, p.how, p.outcome)
	}
	b.WriteString(`
## What the rights cost

` + "`systemd-analyze security --offline=true`" + ` of the units as they are shipped, from 0 (shut in) to 10:
constat-agent.service, which talks to the network and may change nothing, 1.9; constat-agent-privileged.service,
which holds root's rights for what is read and mended, and no connection leaves it, 3.4. TestInstall holds them
below 3 and 3.5. What a package manager or a DHCP client needs beyond that runs as a unit of its own,
constat-remedy-*, which systemd starts from a fixed line.
`)
	return b.String()
}

// proof is a row of the lab: a fault that was made, and how the remedy for it ends.
type proof struct{ verb, how, outcome string }

// proofs reads them from the tests, by verb; each has one that mends, and one that
// ends otherwise.
func proofs(t *testing.T) (all []proof) {
	t.Helper()
	rows := map[string]*regexp.Regexp{ // where the fault that was made stands in a row
		"../../internal/lab/remedies_linux_test.go":    regexp.MustCompile(`(?ms)^\t\{"([a-z-]+)", "[a-z-]*", "([^"]+)", "[a-z]+".*?"(fixed|notFixed|failed|refused|undone)", `),
		"../../internal/lab/vm/remedies_linux_test.go": regexp.MustCompile(`(?ms)^\t\{"([a-z-]+)", "[^"]*", "[a-z0-9-]*", "[a-z]+", "([^"]+)".*?"(fixed|notFixed|failed|refused|undone)", `),
	}
	rows["../../internal/lab/vm/managed_linux_test.go"] = rows["../../internal/lab/vm/remedies_linux_test.go"]
	mended, not := map[string]bool{}, map[string]bool{}
	for _, file := range slices.Sorted(maps.Keys(rows)) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range rows[file].FindAllStringSubmatch(string(content), -1) {
			p := proof{found[1], found[2], map[string]string{"notFixed": "not fixed"}[found[3]]}
			p.outcome = cmp.Or(p.outcome, found[3])
			all = append(all, p)
			mended[p.verb], not[p.verb] = mended[p.verb] || p.outcome == "fixed", not[p.verb] || p.outcome != "fixed"
		}
	}
	for _, v := range Verbs() {
		if !mended[v.ID] || !not[v.ID] {
			t.Errorf("%s: the lab shows that it mends: %t, and that it ends well where it can't: %t", v.ID, mended[v.ID], not[v.ID])
		}
	}
	slices.SortStableFunc(all, func(a, b proof) int { return cmp.Compare(a.verb, b.verb) })
	return all
}

// The page of the remedies says what the code does, and names tests that there
// are.
func TestDocs(t *testing.T) {
	key := regexp.MustCompile(`(?m)^\t"([a-z-]+)": +[a-zA-Z]+,$`)
	for system, file := range tables {
		source, err := os.ReadFile(filepath.Join("../privileged", file))
		if err != nil {
			t.Fatal(err)
		}
		there, said := map[string]bool{}, map[string]bool{}
		for _, found := range key.FindAllStringSubmatch(string(source), -1) {
			if _, known := Lookup(found[1]); known {
				there[found[1]] = true
			}
		}
		for _, w := range ways {
			if w.system == system {
				said[w.verb] = true
			}
		}
		if !maps.Equal(there, said) {
			t.Errorf("%s: told of %v, there are %v", system, said, there)
		}
	}
	var tests strings.Builder
	for _, dir := range []string{".", "../../internal/lab", "../../internal/lab/vm", "../../internal/lab/wine"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tests.Write(content)
		}
	}
	for _, w := range ways {
		for _, name := range w.executed {
			if !strings.Contains(tests.String(), "func "+name+"(t ") {
				t.Errorf("%s on %s: there is no %s", w.verb, w.system, name)
			}
			if !strings.Contains(tests.String(), `"`+w.verb+`"`) && name != "TestLabConsent" {
				t.Errorf("no test of the lab does %s", w.verb)
			}
		}
	}
	const file = "../../docs/remedies.md"
	if os.Getenv("CONSTAT_DOCS") == "write" {
		if err := os.WriteFile(file, []byte(docs(t)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if page, err := os.ReadFile(file); err != nil || string(page) != docs(t) {
		t.Errorf("%s is not what the code does (%v): CONSTAT_DOCS=write go test -run TestDocs ./agent/remedy", file, err)
	}
}
