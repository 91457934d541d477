package lab

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	constatv1 "constat/proto/constat/v1"
)

// remedyRow is a fault, the remedy that somebody consents to, and what must come
// of it. A remedy that can't help must say so, and leave nothing half-done.
type remedyRow struct {
	verb, fault, how, procedure string
	component                   func(*premises) string
	inject                      func(*premises)
	outcome                     string
	// says is in the proof, the reason or what was done.
	says string
}

func noComponent(*premises) string             { return "" }
func theQueue(o *premises) string              { return o.queue }
func named(name string) func(*premises) string { return func(*premises) string { return name } }

var remedyRows = []remedyRow{
	{"restart-printing", "printer-spooler-stopped", "somebody stopped the print service", "printing", noComponent,
		func(o *premises) { o.stopPrintService() }, "fixed", "The print service answers; before: the print service does not answer."},
	{"restart-printing", "printer-spooler-stopped", "the print service ends at its start: its settings have an error", "printing", noComponent,
		func(o *premises) {
			o.sh("cp /etc/cups/cupsd.conf /var/tmp/cupsd.conf; printf '<Policy default>\\n<Limit Print-Jobs>\\n' >>/etc/cups/cupsd.conf; systemctl stop cups.socket cups.path cups.service")
			o.undo("cp /var/tmp/cupsd.conf /etc/cups/cupsd.conf; systemctl reset-failed; systemctl restart cups.socket cups.service")
		}, "undone", "taken back"},
	{"restart-printing", "printer-spooler-stopped", "the print service is masked", "printing", noComponent,
		func(o *premises) {
			o.sh("systemctl mask --now cups.socket cups.path cups.service 2>&1")
			o.undo("systemctl unmask cups.socket cups.path cups.service; systemctl start cups.socket cups.service")
		}, "refused", "somebody forbade it"},
	{"resume-queue", "printer-queue-paused", "the queue is paused", "printing", theQueue,
		func(o *premises) { o.pause(o.queue) }, "fixed", "prints and takes documents; before: "},
	{"resume-queue", "printer-queue-paused", "the queue takes no documents", "printing", theQueue,
		func(o *premises) {
			o.sh(`cupsreject "$1"`, o.queue)
			o.undo(`cupsaccept "$1"`, o.queue)
		}, "fixed", "takes no documents"},
	{"resume-queue", "printer-queue-paused", "another queue is paused than the one that is named", "printing", named("no-such-queue"),
		func(o *premises) { o.pause(o.queue) }, "refused", "not needed"},
	{"clear-stuck-job", "printer-stuck-job", "a driver hangs", "printing", named("photo"),
		func(o *premises) { o.hangDriver() }, "fixed", "document "},
	{"clear-stuck-job", "printer-stuck-job", "a driver hangs in another queue than the one that is named", "printing", named("no-such-queue"),
		func(o *premises) { o.hangDriver() }, "refused", "not needed"},
	{"repair-package", "os-update-failed", "a package was unpacked, and never set up", "software", named("lab-tool"),
		func(o *premises) {
			o.installPackage("exit 0")
			o.sh("dpkg --unpack /var/tmp/lab-tool.deb >/dev/null")
		}, "fixed", "lab-tool is whole; before: lab-tool is not whole."},
	{"repair-package", "os-update-failed", "a package's set-up script fails, and no source has it", "software", named("lab-tool"),
		func(o *premises) { o.installPackage("echo no >&2; exit 1") }, "failed", "lab-tool is not whole"},
	{"repair-package", "sw-install-damaged", "a file of a program was cut short", "software", named("lab-tool"),
		func(o *premises) {
			o.installProgram()
			o.sh("truncate -s 3 /usr/lib/lab-tool/engine")
		}, "fixed", "lab-tool is whole; before: lab-tool is not whole."},
	{"repair-package", "sw-install-damaged", "a file of a program of rpm is gone", "software", named("lab-tool"),
		func(o *premises) { o.redHatted(); fileless(o) }, "fixed", "lab-tool is whole; before: lab-tool is not whole."},
	{"set-clock", "os-time-sync-stopped", "the time service is stopped, and no server answers it", "full", noComponent,
		func(o *premises) { o.stopTimeSync() }, "notFixed", "still there"},
	{"flush-dns", "net-dns-wrong-answers", "a cache on the machine goes on telling what a server told wrong", "internet", noComponent,
		func(o *premises) { o.poisonCache(true) }, "fixed", "before: a name leads to an address that is not its own"},
	{"flush-dns", "net-dns-wrong-answers", "the name server itself tells it wrong", "internet", noComponent,
		func(o *premises) { o.poisonCache(false) }, "notFixed", "still there"},
	{"renew-dhcp", "net-no-default-route", "the way that DHCP gave is gone", "internet", noComponent,
		func(o *premises) {
			o.leaseByClient()
			o.flushDefaults("-4")
			o.flushDefaults("-6")
		}, "fixed", "eth0 has the address 10.77.0.10/24; before: eth0 has the address 10.77.0.10/24 and no way out."},
	{"renew-dhcp", "net-no-default-route", "the way that DHCP gave is gone, and its server says no more", "internet", noComponent,
		func(o *premises) {
			o.leaseByClient()
			o.flushDefaults("-4")
			o.flushDefaults("-6")
			o.Run(Gateway, "nft", "table inet mute { chain input { type filter hook input priority 0; udp dport 67 drop; }; }")
			o.t.Cleanup(func() { o.Run(Gateway, "nft", "delete table inet mute") })
		}, "notFixed", "eth0 has the address 10.77.0.10/24 and no way out; before: eth0 has the address 10.77.0.10/24 and no way out."},
}

// hangDriver has a document hang in a driver, for ten minutes by the print
// service's clock.
func (o *premises) hangDriver() {
	o.t.Helper()
	o.shiftPrintClock("-10m")
	o.sh(`printf '#!/bin/sh\nexec sleep 600\n' >/usr/lib/cups/filter/rastertosleep; chmod 755 /usr/lib/cups/filter/rastertosleep`)
	o.undo("rm /usr/lib/cups/filter/rastertosleep")
	o.addDriver("photo", "rastertosleep")
	o.print("photo")
	o.await(`lpstat -p photo | grep -q "now printing"`)
}

// poisonCache puts dnsmasq on the machine, which remembers what the name server
// said when it lied; that goes on lying, unless it is put right.
func (o *premises) poisonCache(right bool) {
	o.t.Helper()
	_, err := exec.LookPath("dnsmasq")
	Need(o.t, "dnsmasq (Debian: dnsmasq-base)", err == nil)
	o.answerNames(0, answerAddress(netip.MustParseAddr("198.51.100.250")))
	o.t.Cleanup(func() { o.answerNames(0, answerTruly) })
	o.sh(`mkdir -p /run/dnsmasq; cp /etc/resolv.conf /var/tmp/resolv.conf
dnsmasq --conf-file=/dev/null --no-hosts --no-resolv --server="$1" --listen-address=127.0.0.9 --bind-interfaces --user=root --pid-file=/run/dnsmasq/dnsmasq.pid
echo nameserver 127.0.0.9 >/etc/resolv.conf`, o.dnsAddresses[0].String())
	o.undo("cp /var/tmp/resolv.conf /etc/resolv.conf; kill $(cat /run/dnsmasq/dnsmasq.pid)")
	if got := o.diagnose("internet"); right && !got.names("net-dns-wrong-answers") {
		o.t.Fatalf("the cache was not poisoned: %s", got.said())
	}
	if right {
		o.answerNames(0, answerTruly)
	}
}

// names tells whether a fault is among the root causes.
func (r Run) names(fault string) bool {
	return slices.ContainsFunc(r.Diagnosis.GetRootCauses(), func(c *constatv1.RootCause) bool { return c.GetFault() == fault })
}

// leaseByClient has the machine's address come from dhclient.
func (o *premises) leaseByClient() {
	o.t.Helper()
	_, err := exec.LookPath("dhclient")
	Need(o.t, "dhclient (Debian: isc-dhcp-client)", err == nil)
	o.leaseFrom(Gateway, "lan0", o.Router.Addr().String(), "--dhcp-range="+o.Local.Addr().String()+","+o.Local.Addr().String()+",1h",
		"--dhcp-option=option:dns-server,"+o.dnsAddresses[0].String())
	o.sh(`printf '#!/bin/sh\nexit 0\n' >/usr/local/bin/resolvconf; mkdir -p /var/lib/dhcp; ip addr flush dev "$1"
dhclient -4 -pf /run/dhclient.lab.pid -lf /var/lib/dhcp/dhclient.lab.leases "$1"`, o.Adapter)
	o.undo(`kill $(cat /run/dhclient.lab.pid) || true; ip addr replace "$2" dev "$1"; ip route replace default via "$3"`, o.Adapter, o.Local.String(), o.Router.Addr().String())
}

// remedy runs the real agent on the machine, as root, with the consent that
// --yes is.
func (o *premises) remedy(verb, component string) *constatv1.RemedyResult {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), 3*time.Minute)
	defer cancel()
	arguments := []string{"-i", "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "SSL_CERT_FILE=/etc/authority.pem",
		"constat-agent", "remedy", "run", verb, "--yes", "--json", "--config", "/etc/constat.yaml", "--data", "/var/lib/constat-remedies"}
	if component != "" {
		arguments = append(arguments, component)
	}
	cmd := o.machine.Command(ctx, "env", arguments...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	result := &constatv1.RemedyResult{}
	if parse := protojson.Unmarshal(out, result); parse != nil || cmd.ProcessState.ExitCode() == 0 != (result.GetOutcome() == "fixed") {
		o.t.Fatalf("the remedy ends with %v, %v: %s%s", err, parse, out, said.String())
	}
	return result
}

// TestLabRemedies injects a fault, has the remedy for it done, and looks whether
// the fault is gone where it must be, and whether the agent says so where it
// can't be. FAULT=id or REMEDY=verb takes those rows only.
func TestLabRemedies(t *testing.T) {
	t.Parallel()
	Need(t, "root, to make a machine of namespaces", os.Geteuid() == 0)
	rows := slices.DeleteFunc(slices.Clone(remedyRows), func(r remedyRow) bool {
		return cmp.Or(os.Getenv("FAULT"), r.fault) != r.fault || cmp.Or(os.Getenv("REMEDY"), r.verb) != r.verb
	})
	if len(rows) == 0 {
		t.Skip("no remedy is for this fault")
	}
	o := newOffice(t, buildAgent(t), rand.New(rand.NewPCG(1, 6)))
	var table strings.Builder
	for _, row := range rows {
		t.Run(row.verb+"/"+row.how, func(t *testing.T) {
			end := o.during(t)
			defer func() { end() }()
			row.inject(o)
			if before := o.diagnose(row.procedure); !before.names(row.fault) {
				t.Fatalf("the fault is not there: %s", before.said())
			}
			result := o.remedy(row.verb, row.component(o))
			said := strings.Join([]string{result.GetProof().GetEn(), result.GetAction(), result.GetReason()}, " | ")
			if result.GetOutcome() != row.outcome || !strings.Contains(said, row.says) {
				t.Fatalf("outcome %s, want %s with %q: %s", result.GetOutcome(), row.outcome, row.says, protojson.Format(result))
			}
			after := o.diagnose(row.procedure)
			if there := after.names(row.fault); there == (row.outcome == "fixed") {
				t.Errorf("afterwards the fault is there: %v; %s", there, after.said())
			}
			fmt.Fprintf(&table, "| %s | %s | %s | %s | %d ms |\n", row.verb, row.how, result.GetOutcome(), said, result.GetElapsedMs())
		})
	}
	t.Logf("\n| remedy | fault | outcome | said | time |\n|---|---|---|---|---|\n%s", &table)
}

// TestLabRemediesByTheService has the installed service do remedies: its half
// with the rights may do in its own unit what they need.
func TestLabRemediesByTheService(t *testing.T) {
	Need(t, "root, to make a machine of namespaces", os.Geteuid() == 0)
	o := newOffice(t, buildAgent(t), rand.New(rand.NewPCG(2, 6)))
	o.sh("mkdir -p /etc/constat-agent; sed '/^data:/d' /etc/constat.yaml >/etc/constat-agent/agent.yaml; constat-agent service install --config /etc/constat-agent/agent.yaml; constat-agent service start")
	o.undo("constat-agent service stop; constat-agent service uninstall")
	o.await("constat-agent status || test $? = 1")
	run := func(want int, arguments ...string) string {
		t.Helper()
		cmd := o.machine.Command(t.Context(), "constat-agent", append([]string{"remedy"}, arguments...)...)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Fatalf("remedy %v ends with %d, want %d: %s\n%s", arguments, code, want, out, o.machine.Sh("journalctl -n 30 -u 'constat-*' || true"))
		}
		return string(out)
	}
	contains := func(said, want string) {
		t.Helper()
		if !strings.Contains(strings.Join(strings.Fields(said), " "), want) {
			t.Errorf("want %q in: %s", want, said)
		}
	}
	contains(run(0, "list", "--lang", "fr"), "Rien n’attend votre accord.")
	contains(run(1, "run", "restart-printing", "--yes"), "Not needed")
	o.stopPrintService()
	contains(run(1, "run", "restart-printing"), "Nothing was done.") // nobody says yes
	contains(run(0, "run", "restart-printing", "--yes", "--lang", "fr"), "Le service d’impression répond ; avant : le service d’impression ne répond pas.")
	o.pause(o.queue)
	contains(run(0, "run", "resume-queue", o.queue, "--yes"), "prints and takes documents")
	o.installPackage("exit 0")
	o.sh("dpkg --unpack /var/tmp/lab-tool.deb >/dev/null")
	contains(run(0, "run", "repair-package", "lab-tool", "--yes"), "lab-tool is whole")
	// Only people consent.
	contains(o.machine.Sh("useradd --system robot; su -s /bin/sh robot -c 'constat-agent remedy list' 2>&1 || true"), "only a person can consent")
	// What it may write of the kernel's devices is no more than that.
	contains(o.machine.Sh("systemctl show -P ReadWritePaths constat-agent-privileged.service"), "/sys/devices")
}
