package lab

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// reported is a row in which the printer says something of itself.
func reported(fault, how string, reasons ...string) machineRow {
	return machineRow{fault: fault, how: how, procedure: "printing", inject: func(o *premises) {
		o.t.Cleanup(o.device.Restart)
		o.device.Report(reasons...)
	}}
}

// beyond marks a row as a known miss.
func beyond(why string, r machineRow) machineRow {
	r.beyond = why
	return r
}

func printing(fault, how string, inject func(*premises)) machineRow {
	return machineRow{fault: fault, how: how, procedure: "printing", inject: inject}
}

var printingRows = []machineRow{
	printing("printer-spooler-stopped", "somebody stopped the print service and its socket", func(o *premises) {
		o.stopPrintService()
	}),
	printing("printer-spooler-stopped", "the print service is masked", func(o *premises) {
		o.sh("systemctl mask --now cups.socket cups.path cups.service 2>&1")
		o.undo("systemctl unmask cups.socket cups.path cups.service; systemctl start cups.socket cups.service")
	}),
	printing("printer-spooler-stopped", "the print service is masked until the next start", func(o *premises) {
		o.sh("systemctl mask --runtime --now cups.socket cups.path cups.service 2>&1")
		o.undo("systemctl unmask --runtime cups.socket cups.path cups.service; systemctl start cups.socket cups.service")
	}),
	printing("printer-spooler-stopped", "the print service was stopped by a signal, and answers nobody", func(o *premises) {
		o.sh("systemctl kill -s STOP --kill-whom=main cups.service")
		o.undo("systemctl kill -s CONT --kill-whom=main cups.service")
	}),
	printing("printer-spooler-stopped", "the print service's settings have an error, and its socket waits", func(o *premises) {
		o.sh("cp /etc/cups/cupsd.conf /var/tmp/cupsd.conf; printf '<Policy default>\\n<Limit Print-Jobs>\\n' >>/etc/cups/cupsd.conf; systemctl stop cups.service; systemctl start cups.service 2>/dev/null || true")
		o.undo("cp /var/tmp/cupsd.conf /etc/cups/cupsd.conf; systemctl reset-failed; systemctl restart cups.socket cups.service")
	}),
	printing("printer-spooler-stopped", "the print service was killed, and nothing starts it again", func(o *premises) {
		o.sh("systemctl stop cups.socket cups.path 2>/dev/null; systemctl kill -s KILL cups.service; systemctl stop cups.service cups.socket cups.path")
		o.undo("systemctl start cups.socket cups.service")
	}),
	printing("printer-queue-paused", "the class that is the default is paused, and its printer is not", func(o *premises) {
		o.sh(`lpadmin -p "$1" -c floor; cupsenable floor; cupsaccept floor; lpadmin -d floor; cupsdisable floor`, o.queue)
		o.undo(`lpadmin -x floor; lpadmin -d "$1"`, o.queue)
		o.print("floor")
	}),
	printing("printer-queue-paused", "cupsdisable", func(o *premises) { o.pause(o.queue) }),
	printing("printer-queue-paused", "cupsdisable, and documents wait", func(o *premises) {
		o.pause(o.queue)
		for range 1 + o.draw.IntN(4) {
			o.print(o.queue)
		}
	}),
	printing("printer-queue-paused", "cupsreject", func(o *premises) {
		o.sh(`cupsreject "$1"`, o.queue)
		o.undo(`cupsaccept "$1"`, o.queue)
	}),
	printing("printer-unreachable-off", "the printer is switched off", func(o *premises) { o.switchOff() }),
	printing("printer-unreachable-off", "the printer is switched off, and a document waits", func(o *premises) {
		o.switchOff()
		o.print(o.queue)
		o.await(`lpstat -p "$1" | grep -qi -e connect -e responding -e locate`, o.queue)
	}),
	printing("printer-unreachable-off", "the printer's host refuses connections", func(o *premises) {
		o.device.Crash()
		o.t.Cleanup(o.device.On)
	}),
	printing("printer-unreachable-off", "the printer is off, and its queue was paused for that", func(o *premises) {
		o.switchOff()
		o.pause(o.queue)
	}),
	printing("printer-unreachable-off", "the queue leads to an address that nobody has, by AppSocket", func(o *premises) {
		o.addQueueTo("plotter", "socket://"+lanAddress(90+o.draw.IntN(9))+":9100")
		o.print("plotter")
	}),
	printing("printer-unreachable-off", "the queue leads to an address that nobody has, by LPD", func(o *premises) {
		o.addQueueTo("old-laser", "lpd://"+lanAddress(100+o.draw.IntN(9))+"/queue")
		o.print("old-laser")
	}),
	printing("printer-unreachable-off", "the queue leads to a name that nobody knows, and a document waits", func(o *premises) {
		o.addQueueTo("annex", "ipp://printer-annex.lan/ipp/print")
		o.print("annex")
		o.await(`lpstat -l -p annex | grep -qi -e connect -e responding -e locate -e lookup`)
	}),
	printing("printer-port-blocked", "something on the way rejects what goes to the printer", func(o *premises) {
		o.filter(o.device.host, "inet", "input", "tcp dport { 515, 631, 9100 } reject with icmpx admin-prohibited")
	}),
	printing("printer-ip-changed", "the printer got another address, and says so", func(o *premises) {
		// A queue of an address as the setting up of a found printer leaves it.
		d := o.addDevice("pr2", 84)
		d.Announce()
		o.addQueueTo("copier", "ipp://"+d.Address+":631/ipp/print?uuid="+o.uuid(d))
		d.Move(lanAddress(60 + o.draw.IntN(6)))
		o.awaitAnnounced(d)
	}),
	printing("printer-ip-changed", "the printer got another address, says so, and a document waits", func(o *premises) {
		d := o.addDevice("pr4", 85)
		d.Announce()
		o.addQueueTo("copier", "ipp://"+d.Address+":631/ipp/print?uuid="+o.uuid(d))
		d.Move(lanAddress(66 + o.draw.IntN(6)))
		o.awaitAnnounced(d)
		o.print("copier")
	}),
	beyond("nothing tells where the printer is now, so that it is probably off, and may have moved", printing("printer-ip-changed", "the printer got another address, and does not say so", func(o *premises) {
		before := o.device.Address
		o.device.Move(lanAddress(72 + o.draw.IntN(6)))
		o.t.Cleanup(func() { o.device.Move(before) })
	})),
	printing("printer-port-blocked", "the printer's host answers ping, and its port is silent", func(o *premises) {
		o.filter(o.device.host, "inet", "input", "tcp dport { 515, 631, 9100 } drop")
	}),
	printing("printer-port-blocked", "something on the way drops what goes to the printer's port, and a document waits", func(o *premises) {
		o.filter(Switch, "bridge", "forward", "ip daddr "+o.device.Address+" tcp dport 631 drop")
		o.print(o.queue)
	}),
	reported("printer-media-mismatch", "the printer asks for another paper, its trays are filled", "media-needed"),
	printing("printer-media-mismatch", "the printer asks for another paper, with one tray of two empty", func(o *premises) {
		o.t.Cleanup(o.device.Restart)
		o.device.Set("media", "size1=na_letter_8.5x11in&type1=stationery&level1=100&size3=na_legal_8.5x14in&type3=stationery&level3=100")
		o.device.Report("media-needed")
	}),
	saidByDriver("printer-output-full", "the driver hears that the output tray is full", "output-area-full-error"),
	saidByDriver("printer-output-full", "the driver hears that the output tray is full, and that toner is low", "output-area-full", "toner-low-warning"),
	saidByDriver("printer-service-needed", "the driver hears that the fuser is too hot", "fuser-over-temp-error"),
	saidByDriver("printer-service-needed", "the driver hears that the drum failed", "marker-failure-error"),
	printing("printer-tls-cert-changed", "the printer was put back, and has a certificate of its own making again", func(o *premises) {
		d := o.addSecureDevice("pr3", 86, 20)
		o.print("private")
		o.await(`[ -z "$(lpstat -o private)" ]`)
		d.Off()
		for _, name := range []string{"printer.lan.crt", "printer.lan.key"} {
			if err := os.Remove(filepath.Join(d.keys, name)); err != nil {
				o.t.Fatal(err)
			}
		}
		d.On()
		o.print("private")
		o.await(`lpoptions -p private | grep -q cups-pki-`)
	}),
	printing("printer-tls-cert-changed", "the printer's certificate has run out", func(o *premises) {
		o.addSecureDevice("pr5", 87, -1)
		o.print("private")
		o.await(`lpoptions -p private | grep -q cups-pki-`)
	}),
	printing("printer-not-discovered", "the service that hears of printers is stopped", func(o *premises) {
		o.sh("systemctl stop avahi-daemon.socket avahi-daemon.service")
		o.undo("systemctl start avahi-daemon.socket avahi-daemon.service")
	}),
	printing("printer-not-discovered", "the service that hears of printers is masked", func(o *premises) {
		o.sh("systemctl mask --now avahi-daemon.socket avahi-daemon.service 2>&1")
		o.undo("systemctl unmask avahi-daemon.socket avahi-daemon.service; systemctl start avahi-daemon.socket avahi-daemon.service")
	}),
	printing("printer-driver-filter-missing", "the PPD names a filter that is not there", func(o *premises) {
		o.addDriver("photo", "rastertolab")
	}),
	printing("printer-driver-filter-missing", "anybody may write the filter", func(o *premises) {
		o.sh(`printf '#!/bin/sh\ncat\n' >/usr/lib/cups/filter/rastertoopen; chmod 777 /usr/lib/cups/filter/rastertoopen`)
		o.undo("rm /usr/lib/cups/filter/rastertoopen")
		o.addDriver("photo", "rastertoopen")
	}),
	printing("printer-driver-filter-missing", "the filter may not be run", func(o *premises) {
		o.sh(`printf '#!/bin/sh\ncat\n' >/usr/lib/cups/filter/rastertolocked; chmod 644 /usr/lib/cups/filter/rastertolocked`)
		o.undo("rm /usr/lib/cups/filter/rastertolocked")
		o.addDriver("photo", "rastertolocked")
		o.print("photo")
		o.await(`lpstat -l -p photo | grep -qi -e filter -e error -e stopped || [ -z "$(lpstat -o photo)" ]`)
	}),
	printing("printer-driver-filter-missing", "the filter was removed after the queue was made, and a document waits", func(o *premises) {
		o.sh(`printf '#!/bin/sh\ncat\n' >/usr/lib/cups/filter/rastertogone; chmod 755 /usr/lib/cups/filter/rastertogone`)
		o.addDriver("photo", "rastertogone")
		o.sh("rm /usr/lib/cups/filter/rastertogone")
		o.print("photo")
		o.await(`lpstat -l -p photo | grep -qi -e filter -e error -e stopped || [ -z "$(lpstat -o photo)" ]`)
	}),
	printing("printer-driver-filter-missing", "the filter ends with an error at every document", func(o *premises) {
		o.sh(`printf '#!/bin/sh\nexit 3\n' >/usr/lib/cups/filter/rastertobroken; chmod 755 /usr/lib/cups/filter/rastertobroken`)
		o.undo("rm /usr/lib/cups/filter/rastertobroken")
		o.addDriver("photo", "rastertobroken")
		o.print("photo")
		o.await(`lpstat -l -p photo | grep -q "ilter failed"`)
	}),
	reported("printer-paper-jam", "the printer reports a jam", "media-jam"),
	reported("printer-paper-jam", "a jam, and a cover open to clear it", "media-jam", "cover-open"),
	reported("printer-paper-jam", "a jam, and toner is low beside", "media-jam", "toner-low"),
	reported("printer-cover-open", "the printer reports an open cover", "cover-open"),
	reported("printer-paper-out", "the printer reports no paper", "media-empty", "media-needed"),
	printing("printer-paper-out", "the tray is set to empty on the printer's own page", func(o *premises) {
		o.t.Cleanup(o.device.Restart)
		o.device.Set("media", "size1=iso_a4_210x297mm&type1=stationery&level1=0&size3=iso_a4_210x297mm&type3=stationery&level3=0")
	}),
	printing("printer-paper-out", "the printer asks for paper", func(o *premises) {
		o.t.Cleanup(o.device.Restart)
		o.device.Set("media", "size1=iso_a4_210x297mm&type1=stationery&level1=0&size3=iso_a4_210x297mm&type3=stationery&level3=0")
		o.device.Report("media-needed")
	}),
	printing("printer-supply-empty", "the toner is set to empty on the printer's own page", func(o *premises) {
		o.t.Cleanup(o.device.Restart)
		o.device.Set("supplies", "supply0=25&supply1=0")
	}),
	reported("printer-supply-empty", "the printer reports empty toner", "toner-empty"),
	reported("printer-cover-open", "an open cover, and so no paper", "cover-open", "media-empty"),
	reported("printer-spool-disk-full", "the printer's own memory is full", "spool-area-full"),
	reported("printer-waste-full", "the waste box is full", "marker-waste-full"),
	reported("printer-waste-full", "the waste box is full, and toner is low", "marker-waste-full", "toner-low"),
	printing("printer-stuck-job", "a driver hangs, for ten minutes by the print service's clock", func(o *premises) {
		o.shiftPrintClock("-10m")
		o.sh(`printf '#!/bin/sh\nexec sleep 600\n' >/usr/lib/cups/filter/rastertosleep; chmod 755 /usr/lib/cups/filter/rastertosleep`)
		o.undo("rm /usr/lib/cups/filter/rastertosleep")
		o.addDriver("photo", "rastertosleep")
		o.print("photo")
		o.print("photo")
		o.await(`lpstat -p photo | grep -q "now printing"`)
	}),
	beyond("a document of which one page came out counts as under way for good",
		printing("printer-stuck-job", "the printer keeps a document's page in its works, for ten minutes by the print service's clock", func(o *premises) {
			o.shiftPrintClock("-10m")
			o.t.Cleanup(o.device.Restart)
			o.device.Hold()
			o.print(o.queue)
			o.print(o.queue)
			o.await(`lpstat -p "$1" | grep -q "now printing"`, o.queue)
		})),
	beyond("a full file system of the spool alone is told as a full disk", printing("printer-spool-disk-full", "a file system of the spool's own is full", func(o *premises) {
		o.mountSpool("tmpfs", "-o size=8m,mode=710,gid=lp")
		o.sh("head -c 9m /dev/zero >/var/spool/cups/left-over 2>/dev/null || true")
	})),
	beyond("a full file system of the spool alone is told as a full disk", printing("printer-spool-disk-full", "a file system of the spool's own has no inodes left", func(o *premises) {
		o.mountSpool("tmpfs", "-o size=8m,nr_inodes=64,mode=710,gid=lp")
		o.sh("for n in $(seq 80); do touch /var/spool/cups/d$n-001 || break; done 2>/dev/null; true")
	})),
	printing("printer-auth-held", "the printer wants a name and a password", func(o *premises) {
		d := o.addDevice("pr1", 81, "-A")
		o.addQueue("private", d)
		o.print("private")
		o.await(`lpstat -l -o private | grep -q cups-held-for-authentication`)
	}),
	printing("printer-auth-held", "the printer wants a name and a password, and three documents wait", func(o *premises) {
		d := o.addDevice("pr6", 88, "-A")
		o.addQueue("payroll", d)
		for range 3 {
			o.print("payroll")
		}
		o.await(`lpstat -l -o payroll | grep -q cups-held-for-authentication`)
	}),
	printing("printer-wrong-default", "the default queue writes files elsewhere, and several documents went there", func(o *premises) {
		o.addQueueTo("Save_as_PDF", "file:///dev/null")
		o.sh("lpadmin -d Save_as_PDF")
		o.undo(`lpadmin -d "$1"`, o.queue)
		for range 2 + o.draw.IntN(3) {
			o.print("Save_as_PDF")
		}
		o.await(`[ -z "$(lpstat -o Save_as_PDF)" ]`)
	}),
	printing("printer-wrong-default", "the default queue writes files", func(o *premises) {
		o.addQueueTo("PDF", "file:///var/tmp/out.pdf")
		o.sh("lpadmin -d PDF")
		o.undo(`lpadmin -d "$1"`, o.queue)
		o.print("PDF")
		o.await(`[ -z "$(lpstat -o PDF)" ]`)
	}),
	printing("printer-wrong-default", "the default that an administrator set for all of the machine writes files", func(o *premises) {
		o.addQueueTo("PDF", "file:///dev/null")
		o.sh("echo 'Default PDF media=iso_a4_210x297mm' >/etc/cups/lpoptions")
		o.undo("rm -f /etc/cups/lpoptions")
		o.print("PDF")
		o.await(`[ -z "$(lpstat -o PDF)" ]`)
	}),

	printing("", "the print service sleeps until somebody prints", func(o *premises) {
		o.sh("systemctl stop cups.service 2>/dev/null; systemctl start cups.socket")
		o.undo("systemctl start cups.service")
	}),
	printing("", "a class of two queues, one of which is paused", func(o *premises) {
		o.addQueue("backup", o.device)
		o.sh(`lpadmin -p "$1" -c floor; lpadmin -p backup -c floor; cupsenable floor; cupsaccept floor; cupsdisable backup`, o.queue)
		o.undo("lpadmin -x floor")
	}),
	printing("", "a document was cancelled by its owner", func(o *premises) {
		o.print(o.queue, "-H", "hold")
		o.sh(`cancel -a "$1"`, o.queue)
	}),
	printing("", "an old queue leads to a name that nobody knows any more", func(o *premises) {
		o.addQueueTo("annex", "ipp://printer-annex.lan/ipp/print")
	}),
	printing("", "an old queue takes no documents any more", func(o *premises) {
		o.addQueue("archive", o.device)
		o.sh("cupsreject archive")
	}),
	printing("", "the service that hears of queues elsewhere is switched off by an administrator", func(o *premises) {
		o.sh("systemctl disable --now --quiet cups-browsed.service 2>/dev/null || true")
	}),
	printing("", "nothing is wrong", func(*premises) {}),
	reportedFine("toner is low", "toner-low", "marker-supply-low"),
	reportedFine("paper is low", "media-low"),
	reportedFine("the waste box is nearly full", "marker-waste-almost-full"),
	printing("", "the printer does not tell its levels", func(o *premises) {
		o.t.Cleanup(o.device.Restart)
		o.device.Tell("marker-levels=-2,-3")
	}),
	printing("", "a document has just begun to print", func(o *premises) {
		o.t.Cleanup(o.device.Restart)
		o.device.Hold()
		o.print(o.queue)
		o.await(`lpstat -p "$1" | grep -q "now printing"`, o.queue)
	}),
	printing("", "a document is held by its owner", func(o *premises) { o.print(o.queue, "-H", "hold") }),
	printing("", "a document waits for the night", func(o *premises) { o.print(o.queue, "-H", "night") }),
	printing("", "no queue is the default", func(o *premises) {
		o.sh(`lpadmin -x "$1"; lpadmin -p "$1" -E -v "ipp://$2/ipp/print" 2>/dev/null`, o.queue, o.device.Address)
		o.undo(`lpadmin -d "$1"`, o.queue)
	}),
	printing("", "a second queue for the same printer, by another name", func(o *premises) { o.addQueue("draft", o.device) }),
	printing("", "documents were printed", func(o *premises) {
		for range 3 {
			o.print(o.queue)
		}
		o.await(`[ -z "$(lpstat -o)" ]`)
	}),
	beyond("any paused queue counts", printing("", "an old queue beside the one in use was paused long ago", func(o *premises) {
		o.addQueue("archive", o.device)
		o.sh(`cupsdisable -r "" archive`)
	})),
	beyond("any queue whose printer is silent counts", printing("", "a queue for the printer at home, unused here", func(o *premises) {
		o.addQueueTo("home", "ipp://"+lanAddress(120+o.draw.IntN(9))+"/ipp/print")
	})),
	printing("", "a queue that makes PDF files beside the printer", func(o *premises) { o.addQueueTo("PDF", "file:///dev/null") }),
}

func reportedFine(how string, reasons ...string) machineRow {
	return reported("", fmt.Sprintf("the printer says that %s", how), reasons...)
}

// filter drops what the rules say, on a host of the network, until the row ends.
func (o *premises) filter(host, family, hook, rule string) {
	o.t.Helper()
	o.Run(host, "nft", "table "+family+" way {\n chain way {\n  type filter hook "+hook+" priority 0;\n  "+rule+"\n }\n}\n")
	o.t.Cleanup(func() { o.Run(host, "nft", "delete", "table", family, "way") })
}

// saidByDriver is a row in which a maker's own way to the printer (a backend of
// the print service, cups-backend(7)) tells what it hears of it.
func saidByDriver(fault, how string, reasons ...string) machineRow {
	return printing(fault, how, func(o *premises) {
		o.t.Helper()
		o.machine.WriteFile("/usr/lib/cups/backend/vendorlink", "#!/bin/sh\n[ $# != 0 ] || exit 0\necho 'STATE: +"+strings.Join(reasons, ",")+"' >&2\nexec sleep 600\n")
		o.sh("chmod 755 /usr/lib/cups/backend/vendorlink")
		o.undo("rm /usr/lib/cups/backend/vendorlink")
		o.addQueueTo("workgroup", "vendorlink://usb-0001")
		o.print("workgroup")
		o.await(`lpoptions -p workgroup | grep -q "$1"`, strings.TrimSuffix(reasons[0], "-error"))
	})
}

// uuid is the one that a printer calls itself by.
func (o *premises) uuid(d *Device) string {
	o.t.Helper()
	out := o.Run(PC, "ipptool", "-tv", "ipp://"+d.Address+"/ipp/print", "get-printer-attributes.test")
	_, after, found := strings.Cut(out, "urn:uuid:")
	if !found || len(after) < 36 {
		o.t.Fatalf("the printer does not tell its UUID: %s", out)
	}
	return after[:36]
}

// awaitAnnounced waits until a printer is heard of where it is.
func (o *premises) awaitAnnounced(d *Device) {
	o.t.Helper()
	o.await(`avahi-browse -rtp _ipp._tcp | grep "^=" | grep -qF ";$1;"`, d.Address)
}

// addSecureDevice adds a printer that is spoken to by TLS, with a certificate for
// so many years from now, and a queue for it.
func (o *premises) addSecureDevice(host string, address, years int) *Device {
	o.t.Helper()
	keys := o.t.TempDir()
	certificate := o.authority.Issue(time.Now().AddDate(-5, 0, 0), time.Now().AddDate(years, 0, 0), "printer.lan")
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		o.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"printer.lan.crt": {Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}, "printer.lan.key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(keys, name), pem.EncodeToMemory(block), 0o600); err != nil {
			o.t.Fatal(err)
		}
	}
	d := o.addDevice(host, address, "-K", keys)
	d.keys = keys
	o.sh(`cp /etc/hosts /var/tmp/hosts; echo "$1 printer.lan" >>/etc/hosts`, d.Address)
	o.undo("cp /var/tmp/hosts /etc/hosts")
	o.addQueueTo("private", "ipps://printer.lan:631/ipp/print")
	o.undo("rm -rf /var/spool/cups/tmp/.cups")
	return d
}

func (o *premises) stopPrintService() {
	o.t.Helper()
	o.sh("systemctl stop cups.socket cups.path cups.service")
	o.undo("systemctl start cups.socket cups.service")
}

// pause stops a queue.
func (o *premises) pause(queue string) {
	o.t.Helper()
	o.sh(`cupsdisable -r "$2" "$1"`, queue, pick(o.draw, "back at nine", "Paused", "moved to floor 3"))
	o.undo(`cupsenable "$1"`, queue)
}

// switchOff switches the printer off until the row ends.
func (o *premises) switchOff() {
	o.device.Off()
	o.t.Cleanup(o.device.On)
}

// addDriver adds a queue for the printer with a driver (a PPD, Adobe 5003) whose
// filter has this name.
func (o *premises) addDriver(queue, filter string) {
	o.t.Helper()
	o.machine.WriteFile("/var/tmp/lab.ppd", fmt.Sprintf(`*PPD-Adobe: "4.3"
*FormatVersion: "4.3"
*FileVersion: "1.0"
*LanguageVersion: English
*LanguageEncoding: ISOLatin1
*PCFileName: "LAB.PPD"
*Manufacturer: "Lab"
*Product: "(Lab)"
*ModelName: "Lab Photo"
*ShortNickName: "Lab Photo"
*NickName: "Lab Photo"
*PSVersion: "(3010.000) 0"
*cupsFilter: "application/pdf 0 %s"
*DefaultPageSize: A4
*PageSize A4: ""
*DefaultPageRegion: A4
*PageRegion A4: ""
*DefaultImageableArea: A4
*ImageableArea A4: "0 0 595 842"
*DefaultPaperDimension: A4
*PaperDimension A4: "595 842"
`, filter))
	o.addQueueTo(queue, "ipp://"+o.device.Address+"/ipp/print", "-P", "/var/tmp/lab.ppd")
}

// shiftPrintClock restarts the print service with another clock, until the row
// ends: what takes minutes takes none.
func (o *premises) shiftPrintClock(by string) {
	o.t.Helper()
	o.sh("test -e /usr/lib/*/faketime/libfaketime.so.1 || test -e /usr/lib/faketime/libfaketime.so.1")
	o.machine.WriteFile("/run/systemd/system/cups.service.d/clock.conf", "[Service]\nEnvironment=LD_PRELOAD=/usr/$LIB/faketime/libfaketime.so.1 FAKETIME="+by+"\n")
	o.sh("systemctl daemon-reload; systemctl restart cups.service")
	o.undo("rm /run/systemd/system/cups.service.d/clock.conf; systemctl daemon-reload; systemctl restart cups.service")
}

// mountSpool puts a file system of its own under the print service's spool.
func (o *premises) mountSpool(kind, options string) {
	o.t.Helper()
	o.sh("mount -t " + kind + " " + options + " spool /var/spool/cups")
	o.undo("umount /var/spool/cups")
}
