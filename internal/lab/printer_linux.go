package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Device is an IPP Everywhere printer (CUPS' ippeveprinter) on a host of its
// own at the switch of a World. It accepts PDF.
type Device struct {
	t       testing.TB
	world   *World
	host    string // for World.Namespace
	Address string
	options []string
	// name is what it calls itself.
	name string
	dir  string
	// keys is where it keeps its keys, where an option says so.
	keys    string
	process *exec.Cmd
	// announced: it tells the network what it is and where (multicast DNS).
	announced bool
	announcer *exec.Cmd
}

// NewDevice puts a printer on the network, with an address in the world's LAN,
// maker and model, and options of ippeveprinter(1) beside; it is switched on.
func NewDevice(t testing.TB, w *World, host, address, maker, model string, options ...string) *Device {
	t.Helper()
	dir, err := os.MkdirTemp("", "printer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &Device{t: t, world: w, host: host, dir: dir, name: maker + " " + model + " " + host}
	d.options = append([]string{"-M", maker, "-m", model, "-f", "application/pdf"}, options...)
	w.run("ip", "netns", "add", w.Namespace(host))
	t.Cleanup(func() {
		d.Off()
		if out, err := exec.Command("ip", "netns", "del", w.Namespace(host)).CombinedOutput(); err != nil {
			t.Logf("removing %s: %v: %s", host, err, out)
		}
		_ = os.RemoveAll(w.etc(host))
	})
	w.IP(host, "link set lo up", "addr add fd99::1/128 dev lo nodad", "link add eth0 type veth peer name "+host+" netns "+w.Namespace(Switch))
	w.IP(Switch, "link set "+host+" master br0 up")
	// As devices do that take an address, it tells its neighbours (RFC 5227 2.3).
	w.Run(host, "sysctl", "-qw", "net.ipv4.conf.eth0.arp_notify=1")
	d.Move(address)
	return d
}

// Move gives the printer another address in the LAN and switches it on.
func (d *Device) Move(address string) {
	d.t.Helper()
	d.Off()
	d.world.IP(d.host, "addr flush dev eth0", "addr add "+address+"/24 dev eth0")
	d.Address = address
	// The program listens where its own name leads, and wants both families.
	d.world.WriteFile(d.host, "hosts", "127.0.0.1 localhost\n"+address+" printer.lan\nfd99::1 printer.lan\n")
	d.On()
}

// Off switches the printer off: its host answers no more.
func (d *Device) Off() {
	d.Crash()
	_ = exec.Command("ip", "-n", d.world.Namespace(d.host), "link", "set", "eth0", "down").Run()
}

// Crash ends the printer's program: its host answers, and refuses.
func (d *Device) Crash() {
	for _, process := range []**exec.Cmd{&d.process, &d.announcer} {
		if *process != nil {
			_ = (*process).Process.Kill()
			_ = (*process).Wait()
			*process = nil
		}
	}
}

// Announce has the printer tell the network of itself, by Avahi, from its next
// start on.
func (d *Device) Announce() { d.announced = true }

// startAnnouncing starts Avahi on the printer's host.
func (d *Device) startAnnouncing(bus string) {
	d.t.Helper()
	daemon, err := exec.LookPath("avahi-daemon")
	if err != nil {
		daemon, err = exec.LookPath("/usr/sbin/avahi-daemon")
	}
	Need(d.t, "avahi-daemon (Debian: avahi-daemon)", err == nil)
	d.world.Own(d.host, "/run/avahi-daemon")
	config := filepath.Join(d.dir, "avahi.conf")
	content := "[server]\nhost-name=" + d.host + "\nuse-ipv6=no\nallow-interfaces=eth0\n[publish]\npublish-workstation=no\n"
	if err := os.WriteFile(config, []byte(content), 0o644); err != nil {
		d.t.Fatal(err)
	}
	d.announcer = d.world.Command(context.Background(), d.host, daemon, "--no-drop-root", "--no-chroot", "--no-rlimits", "-f", config)
	d.announcer.Env = append(os.Environ(), bus)
	if err := d.announcer.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.world.Await("Avahi", func() error {
		out, err := exec.Command("dbus-send", "--bus="+strings.TrimPrefix(bus, "DBUS_SYSTEM_BUS_ADDRESS="), "--print-reply", "--dest=org.freedesktop.Avahi", "/",
			"org.freedesktop.Avahi.Server.GetState").CombinedOutput()
		if err == nil && !strings.Contains(string(out), "int32 2") {
			err = errors.New("it is not running yet")
		}
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// deviceCommand is what the printer does with each document: it says of itself
// what the file "says" has, and waits while there is a file "busy".
const deviceCommand = `#!/bin/sh
cd "$(dirname "$0")"
[ ! -e says ] || cat says >&2
while [ -e busy ]; do sleep 0.1; done
exit 0
`

// On switches the printer on and waits until it answers the pc. What it said of
// itself before is forgotten.
func (d *Device) On() {
	d.t.Helper()
	program, err := exec.LookPath("ippeveprinter")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/ippeveprinter")
	}
	Need(d.t, "ippeveprinter (Debian: cups-ipp-utils)", err == nil)
	script := filepath.Join(d.dir, "print")
	if err := os.WriteFile(script, []byte(deviceCommand), 0o700); err != nil {
		d.t.Fatal(err)
	}
	for _, name := range []string{"says", "busy"} {
		_ = os.Remove(filepath.Join(d.dir, name))
	}
	d.world.IP(d.host, "link set eth0 up")
	args := append([]string{"netns", "exec", d.world.Namespace(d.host), program, "-r", "off", "-n", "printer.lan", "-p", "631", "-d", d.dir, "-c", script}, d.options...)
	bus := "DBUS_SYSTEM_BUS_ADDRESS=" + startBus(d.t, d.dir)
	if d.announced {
		args[slices.Index(args, "off")] = "_print"
		d.startAnnouncing(bus)
	}
	d.process = exec.Command("ip", append(args, d.name)...)
	d.process.Env = append(os.Environ(), bus)
	if err := d.process.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.world.Await("the printer", func() error {
		conn, err := d.world.Dial(PC, "tcp", d.Address+":631")
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// Report has the printer say of itself these words of printer-state-reasons
// (RFC 8011 5.4.12), as it would find them out: while it works on a document.
// ippeveprinter knows cover-open, input-tray-missing, marker-supply-empty and
// -low, marker-waste-almost-full and -full, media-empty, -jam, -low and -needed,
// paused, spool-area-full, toner-empty and -low.
func (d *Device) Report(reasons ...string) {
	d.t.Helper()
	d.say("STATE: +"+strings.Join(reasons, ","), reasons...)
}

// Tell has the printer set an attribute that ippeveprinter(1) lets be set while
// a document is printed: "marker-levels=0,80".
func (d *Device) Tell(attribute string) {
	d.t.Helper()
	name, _, _ := strings.Cut(attribute, "=")
	d.say("ATTR: "+attribute, name)
}

// say has a line said during a document, which then stays in the printer's
// works (what it said would be forgotten with it), and waits for words in what
// the printer says of itself from then on.
func (d *Device) say(line string, words ...string) {
	d.t.Helper()
	page := filepath.Join(d.dir, "page.pdf")
	for name, content := range map[string]string{filepath.Join(d.dir, "says"): line + "\n", page: testPage} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			d.t.Fatal(err)
		}
	}
	d.Hold()
	d.world.Run(PC, "ipptool", "-q", "-f", page, "ipp://"+d.Address+"/ipp/print", "print-job.test")
	d.world.Await("the printer to say "+line, func() error {
		out := d.world.Run(PC, "ipptool", "-tv", "ipp://"+d.Address+"/ipp/print", "get-printer-attributes.test")
		for _, word := range words {
			if !strings.Contains(out, word) {
				return fmt.Errorf("it does not say %s", word)
			}
		}
		return nil
	})
}

// Set fills in a form of the printer's own web page, "media" or "supplies".
func (d *Device) Set(form, values string) {
	d.t.Helper()
	dial := func(_ context.Context, network, address string) (net.Conn, error) {
		return d.world.Dial(PC, network, address)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: patience}
	response, err := client.Get("http://" + d.Address + ":631/" + form + "?" + values)
	if err != nil {
		d.t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		d.t.Fatalf("the printer's page: %s", response.Status)
	}
}

// Restart switches the printer off and on: what it was told is forgotten.
func (d *Device) Restart() {
	d.Off()
	d.On()
}

// Hold has the printer keep every document in its works, until it is restarted.
func (d *Device) Hold() {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, "busy"), nil, 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// testPage is a document of one empty page.
const testPage = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
	"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\ntrailer<</Root 1 0 R>>\n"
